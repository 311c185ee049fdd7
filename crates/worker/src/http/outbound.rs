//! What a client has not taken yet.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::inbound::slowest;
use super::way::Way;

/// How many pieces are sent by one call.
const AT_ONCE: usize = 16;
/// How much memory what a client does not take may hold before whoever sends waits.
const MOST_HELD: usize = 1024 * 1024;
/// The same for all clients together: many that take nothing cost threads then, and no more memory.
const ALL_HELD: usize = 256 * 1024 * 1024;
/// How much a client may hold when all together hold too much.
const LEAST_HELD: usize = 16 * 1024;

/// What all clients hold.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// How many bytes are sent before another connection has its turn, however quickly this one takes them.
const AT_A_TURN: u64 = 2 * 1024 * 1024;

/// Bytes and files that wait for the client to take what was sent before.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    pieces: VecDeque<Piece>,
    /// How many bytes of memory wait.
    held: usize,
    /// The connection's epoll entry tells of room.
    pub(super) watched: bool,
    /// How many bytes of what was kept were ever sent.
    pub(super) taken: u64,
    /// The answer to the running request has begun.
    pub(super) is_answering: bool,
    /// How long a thread has waited for the client to take the running request's answer, milliseconds.
    pub(super) waited: u64,
    /// What `taken` was when that request began.
    counted: u64,
}

#[derive(Debug)]
enum Piece {
    Bytes { bytes: Vec<u8>, start: usize },
    File { file: OwnedFd, offset: u64, left: u64 },
}

impl Outbound {
    /// A request is about to be answered.
    pub(super) fn begin(&mut self) {
        (self.is_answering, self.waited, self.counted) = (false, 0, self.taken);
    }

    /// How long a thread may wait for room, if a client may take nothing for `patience` milliseconds (0: for any time), and must take
    /// `rate` bytes a second beyond that.
    ///
    /// # Errors
    /// It has waited for too long already.
    pub(super) fn patience(&self, patience: u64, rate: u32) -> io::Result<Option<Duration>> {
        if patience == 0 {
            return Ok(None);
        }
        match slowest(rate, patience, self.taken - self.counted).saturating_sub(self.waited) {
            0 => Err(io::Error::from(io::ErrorKind::TimedOut)),
            left => Ok(Some(Duration::from_millis(left.min(patience)))),
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether so much waits that whoever sends should wait too.
    pub(super) fn is_full(&self) -> bool {
        self.held > MOST_HELD || (self.held > LEAST_HELD && all_hold_too_much())
    }

    /// Whether little enough waits for more to be sent.
    pub(super) fn is_light(&self) -> bool {
        self.held <= if all_hold_too_much() { LEAST_HELD } else { MOST_HELD / 2 }
    }

    /// Adds what is left of `parts` behind their first `sent` bytes.
    pub(super) fn add(&mut self, parts: &[IoSlice<'_>], mut sent: usize) {
        for part in parts {
            let skip = sent.min(part.len());
            sent -= skip;
            if skip < part.len() {
                self.add_bytes(&part[skip..]);
            }
        }
    }

    fn add_bytes(&mut self, more: &[u8]) {
        self.held += more.len();
        HELD.fetch_add(more.len(), Ordering::Relaxed);
        match self.pieces.back_mut() {
            Some(Piece::Bytes { bytes, .. }) => bytes.extend_from_slice(more),
            _ => self.pieces.push_back(Piece::Bytes { bytes: more.to_vec(), start: 0 }),
        }
    }

    /// Adds a part of a file.
    pub(super) fn add_file(&mut self, file: OwnedFd, offset: u64, left: u64) {
        if left > 0 {
            self.pieces.push_back(Piece::File { file, offset, left });
        }
    }

    /// Sends what the socket takes now, but not more than its turn; whether it takes no more.
    pub(super) fn flush(&mut self, way: &mut Way<'_>) -> io::Result<bool> {
        let mut total = 0;
        while let Some(first) = self.pieces.front_mut() {
            if total >= AT_A_TURN {
                return Ok(false);
            }
            let sent = match first {
                Piece::Bytes { .. } => self.send_bytes(way),
                Piece::File { file, offset, left } => {
                    let most = (*left).min(AT_A_TURN);
                    let sent = way.send_file(file.as_fd(), *offset, most);
                    if let Ok(sent) = sent {
                        (*offset, *left) = (*offset + sent as u64, *left - sent as u64);
                    }
                    if matches!(first, Piece::File { left: 0, .. }) {
                        self.pieces.pop_front();
                    }
                    sent
                }
            };
            match sent {
                // A file that has become shorter: the client was told more than there is.
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(sent) => {
                    total += sent as u64;
                    self.taken += sent as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        match way.push() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(true),
        }
    }

    fn send_bytes(&mut self, way: &mut Way<'_>) -> io::Result<usize> {
        let slices: arrayvec::ArrayVec<IoSlice<'_>, AT_ONCE> = self
            .pieces
            .iter()
            .map_while(|piece| match piece {
                Piece::Bytes { bytes, start } => Some(IoSlice::new(&bytes[*start..])),
                Piece::File { .. } => None,
            })
            .take(AT_ONCE)
            .collect();
        let sent = way.send(&slices)?;
        drop(slices);
        self.held -= sent;
        HELD.fetch_sub(sent, Ordering::Relaxed);
        let mut left = sent;
        while left > 0 {
            let Some(Piece::Bytes { bytes, start }) = self.pieces.front_mut() else { break };
            let step = left.min(bytes.len() - *start);
            (*start, left) = (*start + step, left - step);
            if *start == bytes.len() {
                self.pieces.pop_front();
            }
        }
        Ok(sent)
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        HELD.fetch_sub(self.held, Ordering::Relaxed);
    }
}

fn all_hold_too_much() -> bool {
    HELD.load(Ordering::Relaxed) > ALL_HELD
}
