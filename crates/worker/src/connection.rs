//! A connection from a front door.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use pinion_unix::sockets::{self, Wait};
use pinion_wire::{Kind, frame};

use crate::area::{Bank, Lent, Slots, Standing};
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
    /// Whether the front door takes areas.
    takes_area: AtomicBool,
    /// The area that the front door has.
    area: Mutex<Option<Arc<Slots>>>,
    /// For each question for a part of a body that was not answered yet, the slot that it is to be put into.
    lent: Mutex<VecDeque<Option<Lent>>>,
    /// What the front door may read in the area until it sends its next request.
    reading: Reading,
    /// This side has ended the connection.
    is_closed: AtomicBool,
}

/// What a front door may read in the area without ever saying that it has.
#[derive(Debug)]
struct Reading {
    /// The connection's number.
    owner: u32,
    is_any: AtomicBool,
    blocks: Mutex<Vec<Arc<Standing>>>,
}

impl Reading {
    fn blocks(&self) -> MutexGuard<'_, Vec<Arc<Standing>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has read all.
    fn end(&self) {
        if self.is_any.swap(false, Ordering::AcqRel) {
            self.blocks().clear();
        }
    }

    /// Nobody will ever know whether it has.
    fn lose(&self) {
        self.blocks().drain(..).for_each(|block| block.leave_with(self.owner));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.lose();
    }
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
            takes_area: AtomicBool::new(false),
            area: Mutex::default(),
            lent: Mutex::default(),
            reading: Reading {
                owner: number,
                is_any: AtomicBool::new(false),
                blocks: Mutex::default(),
            },
            is_closed: AtomicBool::new(false),
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
        match sockets::recv_now(self.socket.as_fd(), bytes, room) {
            Ok(0) => Received::Gone,
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
        // In this order: who has ended this side sees its own end as the other side's.
        let has_hung_up = sockets::has_hung_up(self.socket.as_fd()).unwrap_or(false);
        if !self.is_closed.swap(true, Ordering::AcqRel) {
            if has_hung_up {
                self.take_back();
            } else {
                self.reading.lose();
            }
        }
        // An error means that it has ended already.
        let _ = sockets::shutdown(self.socket.as_fd(), Shutdown::Both);
    }
}

impl Connection {
    /// The front door sends its next request, and takes areas or not.
    pub(crate) fn begin_request(&self, takes_area: bool) {
        self.takes_area.store(takes_area, Ordering::Relaxed);
        self.reading.end();
    }

    /// The area that the front door has, where long blocks go there.
    pub(crate) fn known_area(&self) -> Option<Arc<Slots>> {
        if !self.takes_area.load(Ordering::Relaxed) {
            return None;
        }
        // Whoever has it sends the area just now, which a slow client may hold up: nobody waits for that with the GIL.
        self.area.try_lock().ok()?.clone()
    }

    /// The front door is about to be told to read this.
    pub(crate) fn lend_standing(&self, block: Arc<Standing>) {
        let mut blocks = self.reading.blocks();
        if !blocks.iter().any(|known| Arc::ptr_eq(known, &block)) {
            blocks.push(block);
        }
        drop(blocks);
        self.reading.is_any.store(true, Ordering::Release);
    }

    /// The area for long blocks, which the front door is sent where it does not have it, by a frame of request `seq`; `None` where there
    /// is none. Nobody else may send frames meanwhile.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn area(
        &self,
        bank: &Bank,
        seq: u32,
        frames: &mut Vec<u8>,
    ) -> io::Result<Option<Arc<Slots>>> {
        if !self.takes_area.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Some(slots) = bank.area() else { return Ok(None) };
        let mut area = self.area.lock().unwrap_or_else(PoisonError::into_inner);
        if !area.as_ref().is_some_and(|known| Arc::ptr_eq(known, &slots)) {
            // What waits may mean the area before.
            let mut bytes = std::mem::take(frames);
            frame::push(&mut bytes, Kind::Area, 0, seq, &[]);
            self.send_with(&bytes, slots.as_fd())?;
            *area = Some(slots.clone());
        }
        Ok(Some(slots))
    }

    fn lent(&self) -> MutexGuard<'_, VecDeque<Option<Lent>>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a part of a body is asked for, and into which slot it is to be put.
    pub(crate) fn lend(&self, slot: Option<Lent>) {
        self.lent().push_back(slot);
    }

    /// The slot of the question that was answered now.
    pub(crate) fn take_lent(&self) -> Option<Lent> {
        self.lent().pop_front().flatten()
    }

    /// The front door has ended, or its part of the connection has: it touches nothing more of what it was given.
    fn take_back(&self) {
        let area = self.area.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slots) = area.as_ref() {
            slots.take_back(self.number);
        }
        self.lent().drain(..).flatten().for_each(Lent::give_back);
        self.reading.end();
    }

    /// A question was answered, and nobody wants the answer any more.
    pub(crate) fn end_loan(&self) {
        if let Some(lent) = self.take_lent() {
            lent.give_back();
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
