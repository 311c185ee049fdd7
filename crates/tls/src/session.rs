//! One TLS connection over a socket that does not block.
//!
//! Whoever owns a session is told by others when its socket is ready. Nothing is left behind unseen: [`Session::receive`] hands on
//! all that it has decrypted, and [`Session::is_pending`] says whether encrypted bytes wait for room in the socket. What is
//! encrypted at once is bounded, so a session never holds more than about [`MOST_PENDING`] bytes of an answer.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::BorrowedFd;

use pinion_unix::sockets::{self, Wait};
use rustls::ServerConnection;

use crate::config::Settings;

/// How much is encrypted before the socket has taken it, in bytes.
pub const MOST_PENDING: usize = 64 * 1024;
/// How much is received, or read of a file, by one call.
const ROOM: usize = 64 * 1024;

/// What is said, unencrypted, to whoever speaks HTTP where TLS is spoken.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 63\r\n\
    Connection: close\r\n\r\n\
    This port speaks HTTPS: use an address that begins with https.\n";

thread_local! {
    /// Encrypted bytes that have come, and parts of files: used up before a call returns.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM].into_boxed_slice());
}

/// What a call to receive has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Bytes.
    Some,
    /// Nothing is there.
    Nothing,
    /// The client sends nothing more.
    Ended,
}

/// Why a connection is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// HTTP came where TLS is spoken.
    #[error("the client speaks HTTP without TLS")]
    Plain,
    /// No handshake, or no TLS behind it.
    #[error("{0}")]
    Tls(rustls::Error),
    /// The socket is broken.
    #[error("{0}")]
    Socket(io::Error),
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has come yet.
    Silent,
    /// TLS is spoken.
    Speaking,
    /// The client has ended its side.
    Ended,
    /// No TLS can be spoken any more; what comes is of no use.
    Broken,
}

/// One TLS connection.
#[derive(Debug)]
pub struct Session {
    connection: ServerConnection,
    stage: Stage,
    /// Receiving once more may bring something at once.
    has_more: bool,
}

impl Session {
    /// A connection whose handshake has not begun.
    ///
    /// # Errors
    /// What the library refuses.
    pub fn new(settings: Settings) -> Result<Self, Failure> {
        let mut connection = ServerConnection::new(settings).map_err(Failure::Tls)?;
        connection.set_buffer_limit(Some(MOST_PENDING));
        Ok(Self { connection, stage: Stage::Silent, has_more: false })
    }

    /// Whether the handshake is not over.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// The protocol that both sides have agreed upon, if they have (ALPN).
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// Whether the last receive may have left something behind, of which no event tells.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether encrypted bytes wait for room in the socket.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.connection.wants_write()
    }

    /// Receives once from the socket, without waiting, or as often as it takes for something to be said by it; appends what that
    /// is, decrypted, to `out`. Bytes that come once TLS has failed are appended as they are: the owner throws them away
    /// until the client has gone.
    ///
    /// # Errors
    /// The connection is of no use from now on; the client has been told why, as far as it can be told.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, out: &mut Vec<u8>) -> Result<Came, Failure> {
        SCRATCH.with_borrow_mut(|scratch| self.receive_by(socket, scratch, out))
    }

    fn receive_by(
        &mut self,
        socket: BorrowedFd<'_>,
        scratch: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Came, Failure> {
        let before = out.len();
        self.has_more = false;
        loop {
            if self.stage == Stage::Ended {
                return Ok(Came::Ended);
            }
            let received = match sockets::recv_with_fd(socket, scratch, Wait::No) {
                Ok((0, _)) => return Ok(Came::Ended),
                Ok((count, _)) => &scratch[..count],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Came::Nothing);
                }
                Err(error) => return Err(Failure::Socket(error)),
            };
            if self.stage == Stage::Broken {
                out.extend_from_slice(received);
                return Ok(Came::Some);
            }
            self.check_first(socket, received)?;
            let decrypted = self.decrypt(received, out);
            // The handshake's answers, or the alert that tells why there will be none. A socket without room is told of by
            // `is_pending`, and a broken one by the next receive.
            let _ = self.push(socket);
            if let Err(error) = decrypted {
                self.stage = Stage::Broken;
                return Err(Failure::Tls(error));
            }
            if out.len() > before {
                self.has_more = received.len() == scratch.len() || self.stage == Stage::Ended;
                return Ok(Came::Some);
            }
        }
    }

    /// Tells HTTP by its first byte, with which no TLS begins.
    fn check_first(&mut self, socket: BorrowedFd<'_>, received: &[u8]) -> Result<(), Failure> {
        if self.stage != Stage::Silent {
            return Ok(());
        }
        self.stage = Stage::Speaking;
        if !received[0].is_ascii_uppercase() {
            return Ok(());
        }
        self.stage = Stage::Broken;
        // Nothing was sent before, so there is room; and who has gone needs no answer.
        let _ = sockets::send_some(socket, &[IoSlice::new(PLAIN_ANSWER)], Wait::No);
        Err(Failure::Plain)
    }

    fn decrypt(&mut self, mut received: &[u8], out: &mut Vec<u8>) -> Result<(), rustls::Error> {
        // An empty read would be taken for the end.
        while !received.is_empty() && self.stage != Stage::Ended {
            let read = self.connection.read_tls(&mut received);
            read.map_err(|error| rustls::Error::General(error.to_string()))?;
            let state = self.connection.process_new_packets()?;
            let start = out.len();
            out.resize(start + state.plaintext_bytes_to_read(), 0);
            let read = self.connection.reader().read_exact(&mut out[start..]);
            read.map_err(|error| rustls::Error::General(error.to_string()))?;
            if state.peer_has_closed() {
                self.stage = Stage::Ended;
            }
        }
        Ok(())
    }

    /// Encrypts and sends, without waiting; how many bytes of `parts` are taken care of. Some of those may wait for room
    /// ([`Session::is_pending`]).
    ///
    /// # Errors
    /// `WouldBlock` where earlier bytes still wait for room; what the socket refuses.
    pub fn send(&mut self, socket: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push(socket)?;
        if self.stage == Stage::Broken {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        let taken = self.connection.writer().write_vectored(parts)?;
        match self.push(socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// As [`Session::send`], at most `length` bytes of a file from `offset` on; 0 at the file's end.
    ///
    /// # Errors
    /// As [`Session::send`], and when the file cannot be read.
    pub fn send_file(
        &mut self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        length: u64,
    ) -> io::Result<usize> {
        // Or it would be read for nothing.
        self.push(socket)?;
        SCRATCH.with_borrow_mut(|scratch| {
            let room = usize::try_from(length).unwrap_or(ROOM).min(ROOM);
            let offset = nix::libc::off_t::try_from(offset).map_err(io::Error::other)?;
            let read = nix::sys::uio::pread(file, &mut scratch[..room], offset)?;
            if read == 0 {
                return Ok(0);
            }
            self.send(socket, &[IoSlice::new(&scratch[..read])])
        })
    }

    /// Sends encrypted bytes that wait for room.
    ///
    /// # Errors
    /// `WouldBlock` where some still wait; what the socket refuses.
    pub fn push(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut Sender(socket))?;
        }
        Ok(())
    }

    /// Tells the client that nothing more is sent, so that it knows that what it has is whole (RFC 8446, section 6.1).
    pub fn end(&mut self, socket: BorrowedFd<'_>) {
        if self.stage != Stage::Broken && !self.is_handshaking() {
            self.connection.send_close_notify();
            // One without room, or that is broken, has not got all of the answer either.
            let _ = self.push(socket);
        }
    }
}

/// A socket to which bytes are sent without waiting.
struct Sender<'a>(BorrowedFd<'a>);

impl Write for Sender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        sockets::send_some(self.0, parts, Wait::No)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
