//! The manager as the front door's parent process sees it: starting it, and telling it the configuration.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use pinion_unix::{
    process::{self, Spawn, SpawnError},
    shared::SharedWords,
    signals::Signal,
    sockets,
};
use pinion_wire::{
    board,
    message::{self, Control, MessageError, Settings, descriptors},
};

use crate::installation::Installation;

/// How long the manager may leave a configuration unread before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(10);

/// How soon after its start a manager's death means that another would die as well.
const TOO_SOON: Duration = Duration::from_secs(2);

/// What a stop may take beyond the longest shutdown-timeout.
const MARGIN: Duration = Duration::from_millis(800);

/// Variables of Apache's environment that the manager gets: where to look for programs, and how to
/// write dates and words.
const PASSED_ON: &[&str] = &["PATH", "TZ", "LANG"];

/// What goes wrong with the manager.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A channel or the board could not be made.
    #[error("the channels to the manager cannot be made: {0}")]
    Channels(#[source] io::Error),
    /// The program did not start.
    #[error("{program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// What failed.
        source: SpawnError,
    },
    /// The configuration could not be handed over.
    #[error("the manager does not take the configuration: {0}")]
    Send(#[source] io::Error),
    /// The configuration could not be written as a message.
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// What lives as long as Apache's parent: the door and the board, and the manager of the moment.
pub struct Supervisor {
    /// The end of the door that children send to.
    near: OwnedFd,
    /// The manager's end, kept for the next manager.
    far: OwnedFd,
    /// The end of the questions for the scoreboard that children read, and the one that workers get.
    questions: (OwnedFd, OwnedFd),
    board: SharedWords,
    manager: Option<Manager>,
    /// When the last one was started.
    started: Option<Instant>,
    /// Whether the last one that died did so soon after its start.
    died_soon: bool,
    /// How long the manager may take to stop: the longest shutdown-timeout and a little more.
    stop_within: Duration,
}

struct Manager {
    pid: u32,
    control: OwnedFd,
}

/// What a child takes with it.
pub struct Inheritance {
    /// The sending end of the door.
    pub door: OwnedFd,
    /// The board.
    pub board: SharedWords,
    /// Where workers ask for the scoreboard.
    pub questions: OwnedFd,
}

impl Supervisor {
    /// Makes the door and the board.
    ///
    /// # Errors
    /// Too many descriptors, or no memory.
    pub fn new() -> Result<Self, SupervisorError> {
        let make = || -> io::Result<Self> {
            let (near, far) = sockets::seqpacket_pair()?;
            let board = SharedWords::create(c"pinion-board", board::WORDS)?;
            Ok(Self {
                near,
                far,
                questions: sockets::seqpacket_pair()?,
                board,
                manager: None,
                started: None,
                died_soon: false,
                stop_within: MARGIN,
            })
        };
        make().map_err(SupervisorError::Channels)
    }

    /// Starts the manager unless one runs; `log` becomes its standard output and error. Returns its process id if it is
    /// a new one.
    ///
    /// # Errors
    /// The program cannot be run.
    pub fn ensure(
        &mut self,
        installation: &Installation,
        log: BorrowedFd<'_>,
    ) -> Result<Option<u32>, SupervisorError> {
        if self.manager.is_some() {
            return Ok(None);
        }
        self.started = Some(Instant::now());
        let (control, theirs) = sockets::stream_pair().map_err(SupervisorError::Channels)?;
        sockets::set_timeouts(control.as_fd(), None, Some(PATIENCE))
            .map_err(SupervisorError::Channels)?;
        let mut spawn = Spawn::new(&installation.program);
        spawn
            .arg("manager")
            .descriptor(1, log)
            .descriptor(2, log)
            .descriptor(descriptors::CONTROL, theirs.as_fd())
            .descriptor(descriptors::DOOR, self.far.as_fd())
            .descriptor(descriptors::BOARD, self.board.fd())
            .descriptor(descriptors::SCOREBOARD, self.questions.1.as_fd())
            // Out of reach of the signals that httpd sends to its process group.
            .new_session();
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                spawn.env(name, value);
            }
        }
        let started = spawn.spawn().map_err(|source| SupervisorError::Spawn {
            program: installation.program.display().to_string(),
            source,
        })?;
        self.manager = Some(Manager { pid: started.pid, control });
        Ok(Some(started.pid))
    }

    /// Hands a configuration to the manager that runs. `logs` are the descriptors that its
    /// servers' entries count.
    ///
    /// # Errors
    /// The manager has gone, or does not listen.
    pub fn configure(
        &mut self,
        settings: Settings,
        logs: &[BorrowedFd<'_>],
    ) -> Result<(), SupervisorError> {
        let longest = settings.groups.iter().map(|group| group.timeouts.shutdown_ms()).max();
        self.stop_within = Duration::from_millis(longest.unwrap_or(0)) + MARGIN;
        let Some(manager) = &self.manager else { return Ok(()) };
        let bytes = message::encode(&Control::Configure(Box::new(settings)))?;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let control = manager.control.as_fd();
        sockets::send_with_fds(control, &length, logs)
            .and_then(|()| sockets::send_all(control, &mut [io::IoSlice::new(&bytes)]))
            .map_err(SupervisorError::Send)
    }

    /// The manager with this process id has died. Returns whether another may be started at once:
    /// not if this and the one before have died so soon that the next one would as well.
    pub fn died(&mut self, pid: u32) -> bool {
        if self.manager.as_ref().is_none_or(|manager| manager.pid != pid) {
            return false;
        }
        self.manager = None;
        let soon = self.started.is_some_and(|started| started.elapsed() < TOO_SOON);
        let again = std::mem::replace(&mut self.died_soon, soon);
        !(soon && again)
    }

    /// Kills a manager that does not listen; its death is noticed like any other.
    pub fn kill(&self) {
        if let Some(manager) = &self.manager {
            // An error means that it is gone already, which the parent will be told.
            let _ = process::kill(manager.pid, Signal::SIGKILL);
        }
    }

    /// Tells the manager to end all workers and itself, and waits until it has. One that takes longer than
    /// its own deadlines allow is killed.
    pub fn stop(&mut self) {
        let Some(Manager { pid, control }) = self.manager.take() else { return };
        // One that cannot be told sees the end of the control channel all the same.
        let _ = message::encode(&Control::Stop).map(|bytes| {
            let length = (bytes.len() as u32).to_le_bytes();
            sockets::send_all(
                control.as_fd(),
                &mut [io::IoSlice::new(&length), io::IoSlice::new(&bytes)],
            )
        });
        // It closes its end when it exits, and sends nothing before.
        if !matches!(sockets::readable(control.as_fd(), Some(self.stop_within)), Ok(true)) {
            let _ = process::kill(pid, Signal::SIGKILL);
        }
        drop(control);
        let _ = process::reap(Some(pid));
    }

    /// Whether a manager runs, as far as is known.
    pub fn has_manager(&self) -> bool {
        self.manager.is_some()
    }

    /// What this process, a child of the one that made the supervisor, needs of it. The rest is
    /// closed: the manager must see the parent's death even while children live.
    pub fn inherit(self) -> Inheritance {
        Inheritance { door: self.near, board: self.board, questions: self.questions.0 }
    }

    /// The same for a process that is parent and child in one (`httpd -X`).
    ///
    /// # Errors
    /// Too many descriptors.
    pub fn share(&self) -> io::Result<Inheritance> {
        let board = SharedWords::from_fd(self.board.fd().try_clone_to_owned()?, board::WORDS)?;
        let questions = self.questions.0.try_clone()?;
        Ok(Inheritance { door: self.near.try_clone()?, board, questions })
    }
}

/// What to use as a log where a server has none of its own, such as with syslog.
///
/// # Errors
/// Neither standard error nor `/dev/null` can be had.
pub fn no_log() -> io::Result<OwnedFd> {
    let standard_error = io::stderr().as_fd().try_clone_to_owned();
    standard_error.or_else(|_| File::options().write(true).open("/dev/null").map(OwnedFd::from))
}
