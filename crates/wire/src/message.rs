//! The messages of the door, the control channel and the reins.
//!
//! Encoded with postcard behind one byte of [`PROTOCOL_VERSION`]. What a message carries as descriptor
//! is said with it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::frame::PROTOCOL_VERSION;

/// What can be wrong with a message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The other side speaks another version.
    #[error("protocol version {0:?}, expected {PROTOCOL_VERSION}")]
    Version(Option<u8>),
    /// The message cannot be read or written.
    #[error("bad message: {0}")]
    Encoding(#[from] postcard::Error),
}

/// Encodes a message.
///
/// # Errors
/// When postcard cannot write it; no message of this module is such.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, MessageError> {
    Ok(postcard::to_extend(message, vec![PROTOCOL_VERSION])?)
}

/// Decodes a message.
///
/// # Errors
/// Another version, or bytes that are no message of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MessageError> {
    match bytes.split_first() {
        Some((&PROTOCOL_VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
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
    /// Descriptors: the logs of [`Settings::logs`], in that order.
    Configure(Box<Settings>),
    /// End all workers, then yourself, within the longest shutdown-timeout.
    Stop,
}

/// A configuration, resolved: nothing in it needs to be looked up again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Counts the configurations that this server has read; children say which one is theirs.
    pub generation: u32,
    /// What `%{GROUP}`-less log lines are written for: one entry for each server (virtual host).
    pub servers: Vec<ServerLog>,
    /// How many log descriptors came along.
    pub logs: u32,
    /// The process groups, the implicit one among them when it is used.
    pub groups: Vec<GroupSpec>,
    /// What to start at once.
    pub preload: Vec<MountKey>,
    /// The folder with the worker core and its Python files.
    pub library: String,
    /// What applications are told of Apache.
    pub apache: Apache,
}

/// What applications find in the module `apache`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apache {
    /// Major, minor and patch level.
    pub version: (u32, u32, u32),
    /// What the server calls itself.
    pub description: String,
    /// When it was built.
    pub build_date: String,
    /// The name of its MPM.
    pub mpm_name: String,
    /// The most child processes that it may have at once.
    pub maximum_processes: u32,
    /// The threads of each.
    pub threads_per_process: u32,
}

/// A server (virtual host) and where it logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLog {
    /// The server's name, for messages.
    pub name: String,
    /// Which of the log descriptors is its own.
    pub log: u32,
    /// The last of Apache's levels that is written there, `LogLevel`.
    pub level: u8,
}

/// A process group, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its name; empty for the implicit group.
    pub name: String,
    /// The server in which it was declared: an index into [`Settings::servers`].
    pub server: u32,
    /// Worker processes of each pair, at least 1.
    pub processes: u32,
    /// Threads of each worker; 0 where it runs scripts and no requests.
    pub threads: u32,
    /// What `wsgi.multiprocess` says.
    pub multiprocess: bool,
    /// The interpreter to exec.
    pub python: String,
    /// Folders to add with `site.addsitedir` and move to the front, in this order.
    pub python_path: Vec<String>,
    /// Whose rights the workers have; `None` when the server does not run as root.
    pub identity: Option<Identity>,
    /// The working folder.
    pub home: Option<String>,
    /// The file mode creation mask.
    pub umask: Option<u32>,
    /// The process title; `None` leaves the command line as it is.
    pub display_name: Option<String>,
    /// The environment variables: the server's, HOME, LANG, LC_ALL, and those of env-file= and env=.
    pub env: Vec<(String, String)>,
    /// `locale`: what to give `locale.setlocale(LC_ALL, …)`.
    pub locale: Option<String>,
    /// Paths that each new worker requests of itself before it is ready.
    pub warmup: Vec<String>,
    /// Refuse writes to `sys.stdout`.
    pub restrict_stdout: bool,
    /// Refuse reads from `sys.stdin`.
    pub restrict_stdin: bool,
    /// Paths that differ in upper and lower case name the same script.
    pub fold_case: bool,
    /// How its Python is started and prepared.
    pub interpreter: InterpreterSpec,
    /// The worker is replaced after this many requests; 0 for never.
    pub maximum_requests: u64,
    /// All times below are in milliseconds; 0 means no limit.
    pub timeouts: Timeouts,
    /// How many requests may wait, over all workers of a pair, beyond those that run.
    pub listen_backlog: u32,
    /// What its workers report to a receiver, if they do.
    pub telemetry: Option<TelemetrySpec>,
    /// The folder that is the workers' root; paths of scripts begin behind it.
    pub chroot: Option<String>,
    /// What the system grants each worker.
    pub limits: Limits,
    /// Sizes of the buffers of connections.
    pub buffers: Buffers,
    /// Whether the application may ask for the server's scoreboard.
    pub server_metrics: bool,
}

impl GroupSpec {
    /// A group of one worker with one thread and no limits, run by `python`.
    #[must_use]
    pub fn new(name: impl Into<String>, python: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            server: 0,
            processes: 1,
            threads: 1,
            multiprocess: false,
            python: python.into(),
            python_path: Vec::new(),
            identity: None,
            home: None,
            umask: None,
            display_name: None,
            env: Vec::new(),
            locale: None,
            warmup: Vec::new(),
            restrict_stdout: false,
            restrict_stdin: false,
            interpreter: InterpreterSpec::default(),
            maximum_requests: 0,
            timeouts: Timeouts::default(),
            listen_backlog: 100,
            chroot: None,
            limits: Limits::default(),
            buffers: Buffers::default(),
            server_metrics: false,
            telemetry: None,
            fold_case: false,
        }
    }

    /// Whether the workers run scripts of their own and no requests.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.threads == 0
    }
}

/// What the system grants a worker; 0 means no limit but the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// The scheduling priority, where it shall be another.
    pub priority: Option<i32>,
    /// Memory for data in bytes.
    pub memory: u64,
    /// Virtual memory in bytes.
    pub virtual_memory: u64,
    /// The stack of each thread that runs requests, in bytes.
    pub stack: u64,
}

/// The least sizes of a connection's buffers in bytes; 0 means the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffers {
    /// From the front door to the worker.
    pub receive: u64,
    /// From the worker to the front door.
    pub send: u64,
}

/// What workers report to a receiver of telemetry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetrySpec {
    /// The receiver's datagram socket.
    pub socket: String,
    /// How often they report, in milliseconds.
    pub interval: u64,
    /// Requests that run for longer are reported one by one; milliseconds.
    pub slow_requests: Option<u64>,
    /// Whether reports of slow requests name the browser.
    pub user_agent: bool,
    /// The web server's version.
    pub server_version: String,
}

/// How a group's Python is started and prepared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterSpec {
    /// What the interpreter's command line says before the program: `-O`, `-W…`, `-B`.
    pub arguments: Vec<String>,
    /// `PYTHONHASHSEED`, which applications do not find in their environment.
    pub hash_seed: Option<u32>,
    /// Python is not finalized when the process ends.
    pub keep_at_exit: bool,
    /// What holds for which application group; the last that says something counts.
    pub layers: Vec<Layer>,
}

/// Settings for one application group, or for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Only for this application group.
    pub application_group: Option<String>,
    /// Folders to add with `site.addsitedir` and move to the front, in this order.
    pub python_path: Vec<String>,
    /// What to give `sys.setswitchinterval`, in microseconds.
    pub switch_interval_us: Option<u64>,
    /// Refuse reads from `sys.stdin`.
    pub restrict_stdin: Option<bool>,
    /// Refuse writes to `sys.stdout`.
    pub restrict_stdout: Option<bool>,
    /// Ignore `signal.signal()`.
    pub restrict_signal: Option<bool>,
    /// Run without a GIL.
    pub free_threading: Option<bool>,
}

/// The times of a process group in milliseconds; 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// A worker is replaced after this time.
    pub restart_interval: u64,
    /// A request may run for this long.
    pub request: u64,
    /// A request may wait for this long before it is begun.
    pub queue: u64,
    /// The application must be loaded after this time.
    pub startup: u64,
    /// A worker that is being replaced may finish its requests for this long.
    pub graceful: u64,
    /// A worker that was told to stop is killed after this time.
    pub shutdown: u64,
    /// No byte either way on a connection for this long.
    pub socket: u64,
    /// How long to wait for room in the backlog.
    pub connect: u64,
    /// How long a request may go on that was interrupted because it had run too long.
    pub interrupt: u64,
    /// How long no thread may get Python's lock.
    pub deadlock: u64,
    /// How long a worker is kept that has nothing to do.
    pub inactivity: u64,
    /// [`Self::graceful`] for a worker that was asked to go by a signal.
    pub eviction: u64,
}

impl Timeouts {
    /// How long a worker that was told to stop may take, in milliseconds: never for ever.
    #[must_use]
    pub fn shutdown_ms(&self) -> u64 {
        if self.shutdown == 0 { 5_000 } else { self.shutdown }
    }
}

/// Whose rights a worker has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, complete.
    pub groups: Vec<u32>,
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
}

/// Why a worker is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The server stops, or its configuration has no place for the worker any more.
    Shutdown,
    /// Somebody has asked the worker itself, by SIGUSR1.
    Eviction,
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
    fn a_message_cut_short_is_an_error() {
        let bytes = encode(&Door::Hello { pid: 70_000, generation: 1 }).unwrap();
        for cut in 1..bytes.len() {
            assert!(decode::<Door>(&bytes[..cut]).is_err());
        }
    }
}
