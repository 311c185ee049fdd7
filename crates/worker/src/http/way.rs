//! How bytes travel between a client and the front door: as they are, or by TLS.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::MutexGuard;

use pinion_tls::{Came, Failure, Session};
use pinion_unix::sockets::{self, Wait};

use crate::connection::Received;
use crate::target::Target;

/// How much is received at once.
pub(super) const ROOM: usize = 64 * 1024;

/// A client's TLS.
#[derive(Debug)]
pub(super) struct Secure {
    /// None once somebody else speaks with the client.
    session: Option<Session>,
    /// Why it is of no use any more, until somebody has asked.
    failure: Option<Failure>,
}

impl Secure {
    /// A connection whose handshake has not begun.
    pub(super) fn new(session: Session) -> Self {
        Self { session: Some(session), failure: None }
    }

    /// Whether the handshake is not over.
    pub(super) fn is_handshaking(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_handshaking)
    }

    /// Whether HTTP/2 is to be spoken.
    pub(super) fn is_h2(&self) -> bool {
        self.session.as_ref().is_some_and(|session| {
            !session.is_handshaking() && session.protocol() == Some(pinion_h2::PROTOCOL)
        })
    }

    /// Gives the session to who speaks with the client from now on.
    pub(super) fn take(&mut self) -> Option<Session> {
        self.session.take()
    }

    fn session(&mut self) -> io::Result<&mut Session> {
        self.session.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }

    fn receive(&mut self, socket: BorrowedFd<'_>, bytes: &mut Vec<u8>) -> (Received, bool) {
        let Some(session) = &mut self.session else { return (Received::Gone, false) };
        match session.receive(socket, bytes) {
            Ok(Came::Some) => (Received::Some, session.has_more()),
            Ok(Came::Nothing) => (Received::Nothing, false),
            Ok(Came::Ended) => (Received::Gone, false),
            Err(failure) => {
                self.failure = Some(failure);
                (Received::Gone, false)
            }
        }
    }

    /// Why it is of no use any more, once.
    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }
}

/// The way to a client, while nobody else uses it. Nothing here waits.
pub(super) enum Way<'a> {
    /// As they are.
    Plain(BorrowedFd<'a>),
    /// By TLS.
    Tls(BorrowedFd<'a>, MutexGuard<'a, Secure>),
}

impl Way<'_> {
    /// Appends what has come to `bytes`, about `room` at once. Also whether the socket may hold more, of which no event tells.
    pub(super) fn receive(&mut self, bytes: &mut Vec<u8>, room: usize) -> (Received, bool) {
        match self {
            Self::Plain(socket) => match sockets::recv_now(*socket, bytes, room) {
                Ok(0) => (Received::Gone, false),
                Ok(count) => (Received::Some, count == room),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    (Received::Nothing, false)
                }
                Err(_) => (Received::Gone, false),
            },
            Self::Tls(socket, tls) => tls.receive(*socket, bytes),
        }
    }

    /// As [`Way::receive`], to `target`, `room` bytes at most; also what came. Not by TLS.
    pub(super) fn receive_to<'t>(
        &mut self,
        target: &'t mut Target<'_>,
        room: usize,
    ) -> (&'t [u8], (Received, bool)) {
        let Self::Plain(socket) = self else { return (&[], (Received::Gone, false)) };
        let room = room.min(target.left());
        match target.receive(*socket, room) {
            Ok([]) => (&[], (Received::Gone, false)),
            Ok(came) => (came, (Received::Some, came.len() == room)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                (&[], (Received::Nothing, false))
            }
            Err(_) => (&[], (Received::Gone, false)),
        }
    }

    /// Sends what the client takes now; how many bytes those are.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing; what the socket refuses.
    pub(super) fn send(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => match parts {
                [one] => sockets::send_now(*socket, one),
                many => sockets::send_some(*socket, many, Wait::No),
            },
            Self::Tls(socket, tls) => send_encrypted(*socket, tls.session()?, parts),
        }
    }

    /// As [`Way::send`], at most `length` bytes of a file from `offset` on; 0 at the file's end.
    pub(super) fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length: u64,
    ) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => sockets::send_file(*socket, file, offset, length),
            Self::Tls(socket, tls) => tls.session()?.send_file(*socket, file, offset, length),
        }
    }

    /// Whether bytes that count as sent wait for room in the socket.
    pub(super) fn is_pending(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_, tls) => tls.session.as_ref().is_some_and(Session::is_pending),
        }
    }

    /// Sends those, as far as there is room.
    pub(super) fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(socket, tls) => tls.session()?.push(*socket),
        }
    }

    /// Tells the client that what it has is whole, where it can be told apart from a connection that is cut off.
    pub(super) fn tell_end(&mut self) {
        if let Self::Tls(socket, tls) = self
            && let Some(session) = &mut tls.session
        {
            session.end(*socket);
        }
    }
}

/// A session encrypts a part at a time.
fn send_encrypted(
    socket: BorrowedFd<'_>,
    session: &mut Session,
    parts: &[IoSlice<'_>],
) -> io::Result<usize> {
    let mut sent = session.send(socket, parts)?;
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if sent == length {
        return Ok(sent);
    }
    let mut rest = parts.to_vec();
    let mut rest = &mut rest[..];
    IoSlice::advance_slices(&mut rest, sent);
    while !rest.is_empty() {
        match session.send(socket, rest) {
            Ok(more) => {
                sent += more;
                IoSlice::advance_slices(&mut rest, more);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
