//! A client's connection.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinion_http::environ;
use pinion_unix::clock;
use pinion_unix::epoll::Trigger;
use pinion_unix::sockets;
use pinion_wire::request::Entries;

use super::CLIENT;
use super::inbound::{Inbound, Phase};
use super::outbound::Outbound;
use super::way::{ROOM, Secure, Way};
use crate::connection::Received;
use crate::turn::Turn;
use crate::worker::worker;

/// How long a connection on which nothing comes may go on when connections are to end, in milliseconds.
const HURRY: u64 = 1_000;

/// Where a connection comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The listening socket's number.
    pub(super) listener: usize,
    /// The client's address; empty on a Unix socket.
    pub(super) address: String,
    /// Both, as environs have them.
    pub(super) entries: Entries,
}

impl Origin {
    /// From a client of this address.
    pub(super) fn new(listener: usize, address: Option<SocketAddr>) -> Self {
        let port = address.map(|address| address.port());
        let address = address.map(|address| address.ip().to_canonical().to_string());
        let address = address.unwrap_or_default();
        Self { listener, entries: environ::client(&address, port), address }
    }
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its number, for the status page.
    pub(crate) number: u32,
    /// Its key in the slab.
    pub(super) key: u64,
    socket: OwnedFd,
    /// What it encrypts with.
    tls: Option<Box<Mutex<Secure>>>,
    /// Whose turn it is to read.
    pub(super) turn: Turn,
    pub(super) from: Origin,
    /// When it has taken too long, milliseconds of the monotonic clock; 0 for never.
    due: AtomicU64,
    /// Connections are to end.
    hurried: AtomicBool,
    /// The epoll does not tell of what comes, because it is being waited for.
    pub(super) awaited: AtomicBool,
    /// The client sends nothing more, or the connection is broken; what it has sent may still be there to read.
    closed: AtomicBool,
    /// The system holds what is sent.
    held: AtomicBool,
    /// The fewest bytes a second that it must send or take.
    pub(super) rate: u32,
    inbound: Mutex<Inbound>,
    outbound: Mutex<Outbound>,
    /// An awaited body may be left in the socket. Changed with `inbound`, and looked at without.
    lies: AtomicBool,
    /// Something is kept, or may be. Changed with `outbound`, and looked at without.
    unsent: AtomicBool,
}

/// Milliseconds of the monotonic clock, a few late at most: it is asked several times for each request.
pub(super) fn now_ms() -> u64 {
    clock::milliseconds()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// A connection that was just taken; its first request must come within `patience` milliseconds, if that is not 0, and `rate` bytes
    /// a second are the fewest.
    pub(super) fn new(
        (number, key): (u32, u64),
        socket: OwnedFd,
        tls: Option<Secure>,
        from: Origin,
        (patience, rate): (u64, u32),
    ) -> Self {
        let now = now_ms();
        let client = Self {
            number,
            key,
            socket,
            tls: tls.map(|tls| Box::new(Mutex::new(tls))),
            turn: Turn::default(),
            from,
            due: AtomicU64::new(0),
            hurried: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            held: AtomicBool::new(false),
            rate,
            inbound: Mutex::new(Inbound::new(now)),
            outbound: Mutex::default(),
            lies: AtomicBool::new(false),
            unsent: AtomicBool::new(false),
        };
        client.wait_until(now, patience);
        client
    }

    pub(super) fn inbound(&self) -> MutexGuard<'_, Inbound> {
        locked(&self.inbound)
    }

    /// As [`Client::inbound`], unless another thread has it now.
    pub(super) fn inbound_now(&self) -> Option<MutexGuard<'_, Inbound>> {
        self.inbound.try_lock().ok()
    }

    pub(super) fn outbound(&self) -> MutexGuard<'_, Outbound> {
        locked(&self.outbound)
    }

    /// The way to it. Whoever holds it must not ask for what has come or waits.
    pub(super) fn way(&self) -> Way<'_> {
        match &self.tls {
            None => Way::Plain(self.as_fd()),
            Some(tls) => Way::Tls(self.as_fd(), locked(tls)),
        }
    }

    /// Whether TLS is spoken.
    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Notes whether an awaited body is left in the socket.
    pub(super) fn set_lying(&self, lies: bool) {
        self.lies.store(lies, Ordering::Release);
    }

    /// Whether an awaited body may be left in the socket.
    pub(super) fn is_lying(&self) -> bool {
        self.lies.load(Ordering::Acquire)
    }

    /// Whether an event has told that the client sends nothing more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether its TLS handshake is not over.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| locked(tls).is_handshaking())
    }

    /// Whether HTTP/2 is to be spoken.
    pub(super) fn is_h2(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| locked(tls).is_h2())
    }

    /// Gives its TLS to who speaks with the client from now on.
    pub(super) fn take_session(&self) -> Option<pinion_tls::Session> {
        self.tls.as_ref().and_then(|tls| locked(tls).take())
    }

    /// Why its TLS is of no use any more, once.
    pub(super) fn take_failure(&self) -> Option<pinion_tls::Failure> {
        self.tls.as_ref().and_then(|tls| locked(tls).take_failure())
    }

    /// It may take `patience` milliseconds from `start` on; 0 for any time.
    pub(super) fn wait_until(&self, start: u64, patience: u64) {
        let due = if patience == 0 { 0 } else { start.saturating_add(patience) };
        self.due.store(due, Ordering::Release);
    }

    /// Whether it has taken too long.
    pub(super) fn is_due(&self, now: u64) -> bool {
        let due = self.due.load(Ordering::Acquire);
        due != 0 && due <= now
    }

    /// Connections are to end: one on which nothing comes does soon.
    pub(super) fn hurry(&self) {
        self.hurried.store(true, Ordering::Release);
        let soon = now_ms() + HURRY;
        let earlier = |due: u64| (due == 0 || due > soon).then_some(soon);
        let is_idle = self.turn.is_idle() && matches!(self.inbound().phase, Phase::Head);
        if is_idle {
            let _ = self.due.fetch_update(Ordering::AcqRel, Ordering::Acquire, earlier);
        }
    }

    /// How long the next request may take to begin.
    pub(super) fn patience(&self, idle: u64) -> u64 {
        let hurried = self.hurried.load(Ordering::Acquire);
        match idle {
            0 if hurried => HURRY,
            idle if hurried => idle.min(HURRY),
            idle => idle,
        }
    }

    /// Notes what an event says.
    pub(super) fn note(&self, closed: bool) {
        if closed {
            self.closed.store(true, Ordering::Release);
        }
    }

    /// Whether no event will tell of what can be received now: it was told of, and not all was received, or the end was told of.
    pub(super) fn is_unread(&self, inbound: &Inbound) -> bool {
        inbound.is_more || self.is_closed()
    }

    /// Whether something can be received now, and the socket tells of it.
    pub(super) fn has_input(&self) -> bool {
        sockets::readable(self.as_fd(), Some(Duration::ZERO)).unwrap_or(false)
    }

    /// Whether nothing is begun or queued.
    pub(super) fn is_quiet(&self) -> bool {
        self.turn.is_idle()
            && !self.is_unsent()
            && matches!(self.inbound().phase, Phase::Head | Phase::Linger { .. })
            && self.inbound().here().is_empty()
            && !self.has_input()
    }

    /// Receives once, without waiting.
    pub(super) fn receive(&self, inbound: &mut Inbound) -> Received {
        inbound.make_room();
        let (received, is_more) = self.way().receive(&mut inbound.bytes, ROOM);
        inbound.is_more = is_more;
        received
    }

    /// Whether something waits for the client to take what was sent before.
    pub(super) fn is_unsent(&self) -> bool {
        !self.outbound().is_empty() || self.way().is_pending()
    }

    /// A request is about to be answered.
    pub(super) fn begin(&self) {
        if self.held.load(Ordering::Relaxed) {
            // What it is sent now may be all for a while.
            self.release();
        }
        self.outbound().begin();
    }

    /// Sends what the client takes now, and keeps the rest. Returns whether so much is kept that whoever sends should wait
    /// ([`Client::wait_for_room`]).
    pub(crate) fn send(&self, parts: &[IoSlice<'_>]) -> io::Result<bool> {
        let mut outbound = self.outbound();
        outbound.is_answering = true;
        let mut sent = 0;
        if outbound.is_empty() {
            sent = match self.way().send(parts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                other => other?,
            };
        }
        outbound.add(parts, sent);
        self.send_on(&mut outbound)?;
        Ok(outbound.is_full())
    }

    /// As [`Client::send`], for a few bytes, if there are any.
    pub(crate) fn send_some_of(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() { Ok(()) } else { self.send(&[IoSlice::new(bytes)]).map(drop) }
    }

    /// Has the system hold what is sent until [`Client::release`], or for 200 ms; whether it does.
    pub(super) fn hold(&self) -> bool {
        let can_be_held = self.tls.is_none() && !self.from.address.is_empty();
        if can_be_held && !self.held.swap(true, Ordering::AcqRel) {
            return sockets::hold(self.as_fd(), true).is_ok();
        }
        can_be_held
    }

    /// Lets what is held leave.
    pub(super) fn release(&self) {
        if self.held.swap(false, Ordering::AcqRel) {
            // An error means that the connection has ended.
            let _ = sockets::hold(self.as_fd(), false);
        }
    }

    /// Sends a part of a file behind everything else, what the client takes now; the rest is kept.
    pub(crate) fn send_file(&self, file: OwnedFd, offset: u64, length: u64) -> io::Result<()> {
        let mut outbound = self.outbound();
        outbound.is_answering = true;
        outbound.add_file(file, offset, length);
        self.send_on(&mut outbound).map(drop)
    }

    /// Waits until little is kept.
    ///
    /// # Errors
    /// The client has gone, or takes nothing for `patience` milliseconds, if that is not 0, or too little over all.
    pub(crate) fn wait_for_room(&self, patience: u64) -> io::Result<()> {
        loop {
            let mut outbound = self.outbound();
            outbound.flush(&mut self.way())?;
            if outbound.is_light() {
                return Ok(());
            }
            let limit = outbound.patience(patience, self.rate)?;
            drop(outbound);
            let start = now_ms();
            if !sockets::writable(self.as_fd(), limit)? {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            self.outbound().waited += now_ms() - start;
        }
    }

    /// Sends what is kept, as far as the client takes it now; whether all is sent. Otherwise the epoll tells when there is room.
    pub(super) fn flush(&self) -> io::Result<bool> {
        // TLS may have something to say of itself.
        if self.tls.is_none() && !self.unsent.load(Ordering::Acquire) {
            return Ok(true);
        }
        self.send_on(&mut self.outbound())
    }

    /// How much of what was kept was ever sent.
    pub(super) fn taken(&self) -> u64 {
        self.outbound().taken
    }

    pub(super) fn send_on(&self, outbound: &mut Outbound) -> io::Result<bool> {
        let sent = self.send_kept(outbound);
        self.unsent.store(!matches!(sent, Ok(true)), Ordering::Release);
        sent
    }

    fn send_kept(&self, outbound: &mut Outbound) -> io::Result<bool> {
        let mut way = self.way();
        if outbound.is_empty() && !way.is_pending() {
            return Ok(true);
        }
        let is_full = outbound.flush(&mut way)?;
        if outbound.is_empty() && !way.is_pending() {
            return Ok(true);
        }
        if !std::mem::replace(&mut outbound.watched, true) || !is_full {
            // What has become ready meanwhile is told again.
            self.tell_of(Trigger::EdgeBoth)?;
        }
        Ok(false)
    }

    pub(super) fn tell_of(&self, trigger: Trigger) -> io::Result<()> {
        let epoll = worker().map(|worker| &worker.epoll);
        epoll.map_or(Ok(()), |epoll| epoll.modify(self.as_fd(), CLIENT | self.key, trigger))
    }

    /// The epoll tells again of what comes, and of what has come meanwhile.
    pub(super) fn await_no_more(&self) {
        if self.awaited.swap(false, Ordering::AcqRel) {
            let watched = self.outbound().watched;
            let trigger = if watched { Trigger::EdgeBoth } else { Trigger::Edge };
            let _ = self.tell_of(trigger);
        }
    }

    /// Lets go of the turn while there is something to do: another event will come, behind those of others.
    pub(super) fn pass_turn_on(&self) {
        while !self.turn.release() {}
        self.outbound().watched = true;
        // There is room to write, so it is told of at once. An error means that the connection has ended.
        let _ = self.tell_of(Trigger::EdgeBoth);
    }

    /// Says that nothing more is sent, so that the client sees the answer's end.
    pub(crate) fn end(&self) {
        self.tell_end();
        let _ = sockets::shutdown(self.as_fd(), Shutdown::Write);
    }

    /// Has the client know that what it has is whole. Without this before [`Client::close`], it knows by TLS that it was cut off.
    pub(super) fn tell_end(&self) {
        self.way().tell_end();
    }

    /// Ends the connection for both sides, at once, whoever still holds it.
    pub(crate) fn close(&self) {
        // An error means that it has ended already.
        let _ = sockets::shutdown(self.as_fd(), Shutdown::Both);
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
