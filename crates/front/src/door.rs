//! Asking the manager.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use pinion_unix::sockets::{self, Wait};
use pinion_wire::message::{
    self, AcquireReply, Buffers, Door as Ask, HelloReply, InquireReply, MessageError, MountKey,
    Until,
};
use serde::de::DeserializeOwned;

/// How often a caller that waits for the manager is asked whether it still wants to.
const TICK: Duration = Duration::from_secs(1);
/// How long a manager that was started anew may take to answer.
const MANAGER_PATIENCE: Duration = Duration::from_secs(20);

/// Why the manager gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The socket failed.
    #[error("the manager cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// Manager and front door do not understand each other.
    #[error("the manager's message cannot be used: {0}")]
    Message(#[from] MessageError),
    /// No answer in time.
    #[error("the manager did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The server is being stopped.
    #[error("the server is stopping")]
    Cancelled,
}

/// The way to the manager.
#[derive(Debug)]
pub struct Door {
    socket: OwnedFd,
}

impl Door {
    /// Takes the sending end of the door.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Says hello for the process `pid`. Returns its row on the board and the lifeline, to be
    /// kept open for as long as the process lives.
    ///
    /// # Errors
    /// When the manager does not answer.
    pub fn hello(&self, pid: u32, generation: u32) -> Result<(Option<u32>, OwnedFd), DoorError> {
        let (lifeline, theirs) = sockets::seqpacket_pair()?;
        self.send(&Ask::Hello { pid, generation }, theirs)?;
        let reply: HelloReply =
            Self::wait(&lifeline, MANAGER_PATIENCE, &|| false)?.ok_or_else(lost)?;
        Ok((reply.row, lifeline))
    }

    /// Asks where a mount is served and waits until that is known.
    ///
    /// # Errors
    /// When no answer comes within `patience`, or the caller does not want to wait any more.
    pub(crate) fn acquire(
        &self,
        mount: &MountKey,
        until: Until,
        patience: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<AcquireReply, DoorError> {
        self.ask(&Ask::Acquire { mount: mount.clone(), until }, patience, cancelled)
    }

    /// Passes one end of a new connection to a slot's worker.
    ///
    /// # Errors
    /// When the door's queue stays full.
    pub(crate) fn open(
        &self,
        (slot, epoch): (u32, u32),
        buffers: Buffers,
    ) -> Result<OwnedFd, DoorError> {
        let (ours, theirs) = sockets::stream_pair()?;
        for (size, from, to) in [(buffers.receive, &ours, &theirs), (buffers.send, &theirs, &ours)]
        {
            if size > 0 {
                sockets::grow_buffers(from.as_fd(), to.as_fd(), size)?;
            }
        }
        self.send(&Ask::Open { slot, epoch }, theirs)?;
        Ok(ours)
    }

    /// Asks what became of a request.
    ///
    /// # Errors
    /// When no answer comes.
    pub(crate) fn inquire(
        &self,
        (slot, epoch): (u32, u32),
        (connection, seq): (u32, u32),
        ended: bool,
    ) -> Result<InquireReply, DoorError> {
        let ask = Ask::Inquire { slot, epoch, connection, seq, ended };
        self.ask(&ask, Duration::from_secs(5), &|| false)
    }

    /// Asks, and asks again when the manager dies over it.
    fn ask<T: DeserializeOwned>(
        &self,
        ask: &Ask,
        patience: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<T, DoorError> {
        let deadline = Instant::now() + patience;
        loop {
            let (ours, theirs) = sockets::seqpacket_pair()?;
            self.send(ask, theirs)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(reply) = Self::wait(&ours, left, cancelled)? {
                return Ok(reply);
            }
        }
    }

    fn send(&self, ask: &Ask, descriptor: OwnedFd) -> Result<(), DoorError> {
        let bytes = message::encode(ask)?;
        sockets::send_message(self.socket.as_fd(), &bytes, &[descriptor.as_fd()], Wait::Yes)?;
        Ok(())
    }

    /// Waits for one message; `None` when the other side closed the socket.
    fn wait<T: DeserializeOwned>(
        socket: &OwnedFd,
        patience: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<T>, DoorError> {
        let deadline = Instant::now() + patience;
        let mut buffer = Vec::with_capacity(4096);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match sockets::recv_message(socket.as_fd(), &mut buffer, Some(left.min(TICK))) {
                Ok(_) if buffer.is_empty() => return Ok(None),
                Ok(_) => return Ok(Some(message::decode(&buffer)?)),
                Err(error) if is_timeout(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if cancelled() {
                return Err(DoorError::Cancelled);
            }
            if left.is_zero() {
                return Err(DoorError::Timeout(patience));
            }
        }
    }
}

fn lost() -> DoorError {
    DoorError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the manager closed the socket"))
}

/// Whether a receive gave up because nothing came in time.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
