//! A connection from a front door.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use pinion_unix::sockets::{self, Wait};

use crate::inbox::Inbox;
use crate::turn::Turn;

/// Set in the number of a connection by which the worker's own front door passes requests of HTTP/2.
pub(crate) const OWN: u32 = 1 << 31;

/// A connection from a front door.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its number, as the manager gave it.
    pub(crate) number: u32,
    socket: OwnedFd,
    /// Whose turn it is to read.
    pub(crate) turn: Turn,
    watched: AtomicBool,
    inbox: Mutex<Inbox>,
}

/// What a receive brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Bytes.
    Some,
    /// Nothing is there.
    Nothing,
    /// The front door has closed the connection, or it is broken.
    Gone,
}

impl Connection {
    /// Takes over `socket`.
    pub(crate) fn new(number: u32, socket: OwnedFd) -> Self {
        Self {
            number,
            socket,
            turn: Turn::default(),
            watched: AtomicBool::new(true),
            inbox: Mutex::default(),
        }
    }

    /// Whether the worker's own front door has made it.
    pub(crate) fn is_own(&self) -> bool {
        self.number & OWN != 0
    }

    /// The bytes received. The thread whose turn it is asks, and who reads the request's body: an application may do that
    /// in a thread of its own beyond the request's end, so this may wait.
    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another thread has the bytes received, such as one that waits for more of them.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.inbox.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Notes whether the epoll watches this connection, as it does but while a body is read; true when that is new.
    pub(crate) fn set_watched(&self, watched: bool) -> bool {
        self.watched.swap(watched, Ordering::AcqRel) != watched
    }

    /// Receives once.
    pub(crate) fn receive(&self, inbox: &mut Inbox, wait: Wait) -> Received {
        // Not by a receive that waits: that is woken as well when the front door has read what was sent to it.
        if wait == Wait::Yes && sockets::readable(self.socket.as_fd(), None).is_err() {
            return Received::Gone;
        }
        let (bytes, room) = inbox.spare();
        match sockets::recv_append(self.socket.as_fd(), bytes, room, Wait::No) {
            Ok((0, _)) => Received::Gone,
            Ok(_) => Received::Some,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
            Err(_) => Received::Gone,
        }
    }

    /// Sends what fits now; how many bytes that were.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match sockets::send_some(self.socket.as_fd(), &[IoSlice::new(bytes)], Wait::No) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    /// Sends everything, waiting as long as it takes: the front door ends the connection when its client is too slow.
    pub(crate) fn send(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        sockets::send_all(self.socket.as_fd(), parts)
    }

    /// Sends everything; `file` travels with the first byte.
    pub(crate) fn send_with(&self, bytes: &[u8], file: BorrowedFd<'_>) -> io::Result<()> {
        sockets::send_with_fd(self.socket.as_fd(), bytes, file)
    }

    /// Whether the front door sends nothing more. Not before what this thread has stored is visible to all.
    pub(crate) fn is_ended_by_front_door(&self) -> bool {
        std::sync::atomic::fence(Ordering::SeqCst);
        sockets::is_half_closed(self.socket.as_fd()).unwrap_or(true)
    }

    /// Whether bytes wait in the socket.
    pub(crate) fn has_input(&self) -> bool {
        let readable = sockets::readable(self.socket.as_fd(), Some(Duration::ZERO));
        readable.unwrap_or(false)
    }

    /// Ends the connection for both sides, at once, whoever still holds it.
    pub(crate) fn close(&self) {
        // An error means that it has ended already.
        let _ = sockets::shutdown(self.socket.as_fd(), Shutdown::Both);
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
