//! The manager in a thread of its own.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use pinion_config::Code;
use pinion_deploy::error::Advice;
use pinion_manager::shell::{self, Channels, ShellError};
use pinion_unix::shared::SharedWords;
use pinion_unix::sockets::{self, Wait};
use pinion_wire::board;
use pinion_wire::message::{
    self, AcquireReply, Control, Door, MessageError, MountKey, Settings, Until,
};
use thiserror::Error;

/// What goes wrong with the manager.
#[derive(Debug, Error)]
pub enum ManagerError {
    /// The system refuses a channel, the board or the thread.
    #[error("the manager cannot be started: {0}")]
    Start(#[source] io::Error),
    /// It does not take a message.
    #[error("the manager cannot be reached: {0}")]
    Send(#[source] io::Error),
    /// A message that cannot be written or read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It has ended by itself.
    #[error("{0}")]
    Ended(#[from] ShellError),
    /// It has ended, nobody knows why.
    #[error("the manager's thread has ended")]
    Gone,
}

impl Advice for ManagerError {
    fn code(&self) -> Code {
        Code::ServerFailed
    }

    fn hint(&self) -> String {
        "look at the system's limits for descriptors and memory (ulimit -a)".to_owned()
    }
}

/// The manager.
#[derive(Debug)]
pub struct Manager {
    control: OwnedFd,
    door: OwnedFd,
    /// The far end of the questions for a scoreboard, which nobody asks here.
    _questions: OwnedFd,
    thread: Option<JoinHandle<Result<(), ShellError>>>,
}

impl Manager {
    /// Starts it. All signals that this process takes, and SIGCHLD, are blocked already.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub fn start() -> Result<Self, ManagerError> {
        let make = || -> io::Result<Self> {
            let (control, far_control) = sockets::stream_pair()?;
            let (door, far_door) = sockets::seqpacket_pair()?;
            let (questions, far_questions) = sockets::seqpacket_pair()?;
            let board = SharedWords::create(c"pinion-board", board::WORDS)?;
            let channels = Channels::new(far_control, far_door, board, far_questions);
            let thread = std::thread::Builder::new()
                .name("manager".to_owned())
                .spawn(move || shell::run(channels))?;
            Ok(Self { control, door, _questions: questions, thread: Some(thread) })
        };
        make().map_err(ManagerError::Start)
    }

    /// Hands a configuration over, with its log, the listening sockets, and the access log.
    ///
    /// # Errors
    /// The manager has gone.
    pub fn configure(
        &self,
        settings: Settings,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), ManagerError> {
        self.send(&Control::Configure(Box::new(settings)), descriptors)
    }

    /// Tells it something else.
    ///
    /// # Errors
    /// The manager has gone.
    pub fn tell(&self, control: &Control) -> Result<(), ManagerError> {
        self.send(control, &[])
    }

    fn send(&self, control: &Control, descriptors: &[BorrowedFd<'_>]) -> Result<(), ManagerError> {
        let bytes = message::encode(control)?;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        sockets::send_with_fds(self.control.as_fd(), &length, descriptors)
            .and_then(|()| sockets::send_all(self.control.as_fd(), &mut [IoSlice::new(&bytes)]))
            .map_err(ManagerError::Send)
    }

    /// Asks whether the application is served; the answer comes on the socket once it has loaded, or failed to.
    ///
    /// # Errors
    /// The manager has gone.
    pub fn ask(&self, mount: &MountKey) -> Result<OwnedFd, ManagerError> {
        let (near, far) = sockets::seqpacket_pair().map_err(ManagerError::Send)?;
        let bytes = message::encode(&Door::Acquire { mount: mount.clone(), until: Until::Ready })?;
        sockets::send_message(self.door.as_fd(), &bytes, &[far.as_fd()], Wait::Yes)
            .map_err(ManagerError::Send)?;
        Ok(near)
    }

    /// The answer on such a socket; `None` when the manager has closed it.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub fn answer(socket: &OwnedFd) -> Result<Option<AcquireReply>, ManagerError> {
        let mut bytes = Vec::with_capacity(4096);
        sockets::recv_message(socket.as_fd(), &mut bytes, Some(Duration::ZERO))
            .map_err(ManagerError::Send)?;
        if bytes.is_empty() { Ok(None) } else { Ok(Some(message::decode(&bytes)?)) }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Why it has ended by itself.
    pub fn join(&mut self) -> Result<(), ManagerError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => Ok(ended?),
            Some(Err(_panic)) => Err(ManagerError::Gone),
            None => Ok(()),
        }
    }
}

/// What can be read when it has ended.
impl AsFd for Manager {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

/// A manager that is let go ends its workers first.
impl Drop for Manager {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.tell(&Control::Stop);
            let _ = self.join();
        }
    }
}
