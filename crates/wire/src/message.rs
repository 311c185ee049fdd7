//! The messages of the door, the control channel and the reins.
//!
//! Encoded with postcard behind one byte of [`PROTOCOL_VERSION`] and four that stand for the definitions below ([`layout`]): postcard writes
//! no names, so a build with other definitions would read something else. What a message carries as descriptor is said with it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::frame::PROTOCOL_VERSION;

pub mod http;
pub mod layout;
mod settings;

pub use settings::{
    Apache, Buffers, GroupSpec, Identity, InterpreterSpec, Layer, Limits, ServerLog, Settings,
    TelemetrySpec, Timeouts,
};

/// What can be wrong with a message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The other side speaks another version.
    #[error("protocol version {0:?}, expected {PROTOCOL_VERSION}")]
    Version(Option<u8>),
    /// The other side is of a build with other messages.
    #[error("the message is of another build of Pinion")]
    Build,
    /// The message cannot be read or written.
    #[error("bad message: {0}")]
    Encoding(#[from] postcard::Error),
}

/// Encodes a message.
///
/// # Errors
/// When postcard cannot write it; no message of this module is such.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, MessageError> {
    let mut start = Vec::with_capacity(64);
    start.push(PROTOCOL_VERSION);
    start.extend_from_slice(&layout::OWN);
    Ok(postcard::to_extend(message, start)?)
}

/// Decodes a message.
///
/// # Errors
/// Another version or build, or bytes that are no message of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MessageError> {
    match bytes.split_first() {
        Some((&PROTOCOL_VERSION, rest)) => match rest.split_first_chunk() {
            Some((&layout::OWN, rest)) => Ok(postcard::from_bytes(rest)?),
            _ => Err(MessageError::Build),
        },
        other => Err(MessageError::Version(other.map(|(version, _)| *version))),
    }
}

/// A process group with an application group: what has worker processes of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PairKey {
    /// The process group; empty for the implicit one ("embedded").
    pub process_group: String,
    /// The application group; empty for `%{GLOBAL}`.
    pub application_group: String,
}

/// A script of a pair and the callable in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MountKey {
    /// Whose workers serve it.
    pub pair: PairKey,
    /// The script's absolute path, as Apache knows it (bytes, for no encoding is promised).
    pub script: Vec<u8>,
    /// The callable's name; empty when the script is only to be imported (`WSGIImportScript`).
    pub callable: String,
}

// ---------------------------------------------------------------- control: Apache's parent → manager

/// The descriptors with which Apache's parent execs `pinion manager`, beside 1 and 2, which are the main
/// server's log.
pub mod descriptors {
    /// The control channel.
    pub const CONTROL: i32 = 3;
    /// The manager's end of the door.
    pub const DOOR: i32 = 4;
    /// The board's memfd, [`crate::board::WORDS`] words.
    pub const BOARD: i32 = 5;
    /// The workers' end of the queue of questions for the scoreboard.
    pub const SCOREBOARD: i32 = 6;
}

/// Apache's parent to the manager, behind a u32 length (little endian). The descriptors ride with
/// the length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// The configuration, whole. Replaces the one before: unchanged groups keep their workers.
    /// Descriptors: the logs of [`Settings::logs`], in that order, then those of the group with a front door of its own ([`http`]).
    Configure(Box<Settings>),
    /// Have every worker write its Python stacks to its log.
    DumpStacks,
    /// Have every worker say that it will end soon, and serve on.
    Leave,
    /// Have every worker finish what it has, for as long as graceful-timeout allows, then end.
    Drain,
    /// End all workers, then yourself, within the longest shutdown-timeout.
    Stop,
}

// ---------------------------------------------------------------- door: Apache's children → manager

/// A child of Apache to the manager: one datagram with one descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Door {
    /// A child has started. Descriptor: a seqpacket socket for the answer [`HelloReply`], which then stays
    /// open: its end of file says that the child is gone.
    Hello {
        /// The child's process id.
        pid: u32,
        /// The generation of the child's configuration.
        generation: u32,
    },
    /// Where is this mount served? Starts its workers. Descriptor: a seqpacket socket for the answer [`AcquireReply`].
    Acquire {
        /// The mount.
        mount: MountKey,
        /// What to wait for.
        until: Until,
    },
    /// Descriptor: one end of a stream socketpair that the slot's worker shall serve. The worker answers on it with
    /// [`crate::Kind::Welcome`]; the manager with [`crate::Kind::Refused`] when it cannot pass it on.
    Open {
        /// The slot's number on the board.
        slot: u32,
        /// The worker's epoch.
        epoch: u32,
    },
    /// What became of this request? Descriptor: a seqpacket socket for the answer [`InquireReply`].
    Inquire {
        /// The slot's number.
        slot: u32,
        /// The worker's epoch.
        epoch: u32,
        /// The connection's number, from its Welcome.
        connection: u32,
        /// The request's sequence on that connection.
        seq: u32,
        /// Whether the connection has ended: then the answer waits (a second at most) until the worker was reaped.
        ended: bool,
    },
}

/// What an [`Door::Acquire`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// A worker that has loaded the mount's script is ready, or loading has failed.
    Ready,
    /// The script changed to this modification time (microseconds since 1970): workers that have loaded the new one are ready, or
    /// loading it has failed and the old ones go on.
    Changed(u64),
    /// The worker of this slot and epoch, whose script wants to be loaded anew, was replaced, or that has failed.
    Replaced {
        /// The slot's number on the board.
        slot: u32,
        /// The worker's epoch.
        epoch: u32,
    },
}

/// Answer to [`Door::Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// The child's row on the board, when there is one left.
    pub row: Option<u32>,
}

/// Answer to [`Door::Acquire`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AcquireReply {
    /// Served by these slots, one of which at least was ready when this was written.
    Mounted(Mounted),
    /// The script cannot be loaded. `detail` is its traceback when nobody has logged it yet.
    Failed {
        /// What to log beside the code for "application failed to load".
        detail: Option<String>,
        /// Milliseconds until the next attempt.
        retry_ms: u64,
    },
    /// No process group of that name.
    UnknownGroup,
    /// The group's workers run scripts of their own and no requests.
    NoThreads,
    /// No slot or mount number is left on the board.
    Full,
    /// The manager is stopping.
    Stopping,
}

/// Where a mount is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// The mount's number on the board.
    pub mount: u32,
    /// The first slot of its pair.
    pub first_slot: u32,
    /// How many slots its pair has.
    pub slots: u32,
    /// Workers that are ready when all are well.
    pub processes: u32,
    /// Threads of each worker.
    pub threads: u32,
    /// Requests that may wait beyond those that run.
    pub backlog: u32,
    /// The group's times.
    pub timeouts: Timeouts,
    /// Sizes of the connections' buffers.
    pub buffers: Buffers,
}

/// Answer to [`Door::Inquire`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InquireReply {
    /// The worker lives, and the request waits to be begun.
    Waiting,
    /// The worker lives and has begun the request this many milliseconds ago.
    Running {
        /// Milliseconds.
        since_ms: u64,
    },
    /// The worker is dead.
    Dead(Box<Death>),
    /// The manager knows nothing of that worker (any more).
    Unknown,
}

/// How a worker died, as far as one of its requests is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The worker's process id.
    pub pid: u32,
    /// Its process group.
    pub group: String,
    /// In words: "killed by SIGSEGV", "exited with status 3", "killed after request-timeout=60".
    pub cause: String,
    /// Whether the request had begun, and how long ago in milliseconds at the time of death.
    pub begun_ms: Option<u64>,
    /// What it wrote to its standard error last: faulthandler's Python stack.
    pub stack: String,
}

// ---------------------------------------------------------------- reins: manager ↔ worker

/// Manager to worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rein {
    /// First message: what to be.
    Start(Box<StartSpec>),
    /// Descriptor: a stream socket to serve; answer [`crate::Kind::Welcome`] on it with this number.
    Connection {
        /// The connection's number.
        connection: u32,
    },
    /// Finish what is begun or queued, then call the shutdown hooks and exit with status 0. No request
    /// will be sent any more.
    Stop(StopReason),
    /// Write the Python stack of every thread to standard error.
    DumpStacks,
    /// Raise `mod_wsgi.RequestTimeout` in the thread that runs this request, if it still does.
    Interrupt {
        /// The connection's number.
        connection: u32,
        /// The request's sequence on it.
        seq: u32,
    },
    /// Take Python's lock and say so on the status page.
    Beat,
    /// A worker with a front door of its own will have to end soon: it says so at its health path and ends connections behind their next
    /// answer, and takes new ones all the same.
    Leave,
    /// A worker with a front door of its own takes no new connection, finishes what it has, and says in each answer that the
    /// connection ends; [`crate::status::StatusPage::open`] tells how many are left.
    Drain,
}

/// Why a worker is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The server stops, or its configuration has no place for the worker any more.
    Shutdown,
    /// Somebody has asked the worker itself, by SIGUSR1, and the group has an eviction-timeout.
    Eviction,
    /// The same where it has none.
    Graceful,
    /// It has served maximum-requests.
    MaximumRequests,
    /// It has run for restart-interval.
    RestartInterval,
    /// It had nothing to do for inactivity-timeout.
    InactivityTimeout,
    /// A request has run too long.
    RequestTimeout,
    /// It was not loaded in time.
    StartupTimeout,
    /// Python was kept from running for deadlock-timeout.
    DeadlockTimeout,
    /// It has used cpu-time-limit.
    CpuTimeLimit,
    /// A script has changed.
    ScriptReload,
}

impl StopReason {
    /// The word for it in mod_wsgi's events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown_signal",
            Self::Eviction => "eviction_signal",
            Self::Graceful => "graceful_signal",
            Self::MaximumRequests => "maximum_requests",
            Self::RestartInterval => "restart_interval",
            Self::InactivityTimeout => "inactivity_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::StartupTimeout => "startup_timeout",
            Self::DeadlockTimeout => "deadlock_timeout",
            Self::CpuTimeLimit => "cpu_time_limit",
            Self::ScriptReload => "script_reload",
        }
    }
}

/// What a worker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartSpec {
    /// Its group.
    pub group: GroupSpec,
    /// Its application group.
    pub application_group: String,
    /// The worker's number in its pair, from 1.
    pub number: u32,
    /// What to load before it is ready; a failure of any that is `required` is [`Bit::LoadFailed`].
    pub mounts: Vec<StartMount>,
    /// The name of the server in which the group was declared.
    pub server_name: String,
    /// What applications are told of Apache.
    pub apache: Apache,
}

/// A script to load at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartMount {
    /// The script's path.
    pub script: Vec<u8>,
    /// The callable.
    pub callable: String,
    /// Whether the worker is of no use without it.
    pub required: bool,
}

/// Worker to manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bit {
    /// Loaded and warmed: send requests.
    Ready {
        /// The interpreter's version, for the log.
        python: String,
        /// Each script and its modification time (microseconds since 1970) as it was just before it was read.
        loaded: Vec<(Vec<u8>, u64)>,
    },
    /// A required script cannot be loaded or a warm-up request failed; the worker exits.
    LoadFailed {
        /// The script.
        script: Vec<u8>,
        /// Its modification time in microseconds, 0 when it cannot be read.
        mtime: u64,
        /// The traceback or other reason, many lines.
        reason: String,
        /// Whether it was a warm-up request that failed.
        warmup: bool,
    },
    /// A script was loaded by a request, after the worker was ready.
    Loaded {
        /// The script.
        script: Vec<u8>,
        /// Its modification time.
        mtime: u64,
    },
    /// The worker was told to stop by a signal: it finishes what it has and exits.
    Leaving,
    /// A file that the application has loaded, or that is watched, has changed: start workers that load it anew, and replace all of
    /// this one's set once they are ready.
    Changed {
        /// What has changed.
        path: String,
        /// Its modification time in microseconds since 1970, so that a change that several workers see counts once.
        mtime: u64,
    },
    /// Replace me, then stop me.
    Retire {
        /// Why.
        reason: RetireReason,
    },
    /// Text that belongs to no request: for the log of the server in which the group was declared.
    Log {
        /// Apache's log level (3 is error).
        level: u8,
        /// One line or more.
        text: String,
    },
    /// Something that whoever runs the server can do something about; the manager logs it with its code and what that is.
    Warn {
        /// What it is.
        warning: Warning,
        /// One line.
        text: String,
    },
}

/// What [`Bit::Warn`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Warning {
    /// There can be fewer connections than limit-connections says, for want of open files.
    FewFiles,
    /// As many connections are open as there can be.
    ConnectionsWait,
}

/// Why a worker asks to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetireReason {
    /// It has served maximum-requests.
    MaximumRequests,
    /// A script that could not be loaded by a request has changed, or its time has come to be tried again.
    LoadAgain,
    /// The application asked for it (SIGUSR1 from outside, or its own signal).
    Asked,
    /// It has used cpu-time-limit.
    CpuTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_way() {
        let door = Door::Acquire {
            mount: MountKey {
                pair: PairKey { process_group: "a".into(), application_group: String::new() },
                script: b"/x.wsgi".to_vec(),
                callable: "application".into(),
            },
            until: Until::Changed(5),
        };
        assert_eq!(decode::<Door>(&encode(&door).unwrap()).unwrap(), door);
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = encode(&Door::Hello { pid: 1, generation: 1 }).unwrap();
        bytes[0] ^= 0x55;
        assert!(matches!(decode::<Door>(&bytes), Err(MessageError::Version(Some(_)))));
        assert!(matches!(decode::<Door>(&[]), Err(MessageError::Version(None))));
    }

    #[test]
    fn another_build_is_refused() {
        let mut bytes = encode(&Door::Hello { pid: 1, generation: 1 }).unwrap();
        bytes[2] ^= 1;
        assert!(matches!(decode::<Door>(&bytes), Err(MessageError::Build)));
        assert!(matches!(decode::<Door>(&bytes[..3]), Err(MessageError::Build)));
    }

    #[test]
    fn a_message_cut_short_is_an_error() {
        let bytes = encode(&Door::Hello { pid: 70_000, generation: 1 }).unwrap();
        for cut in 1..bytes.len() {
            assert!(decode::<Door>(&bytes[..cut]).is_err());
        }
    }
}
