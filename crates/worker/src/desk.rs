//! What one serving thread does between requests, without the GIL: send what is left of the last
//! request, find the next.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use pinion_unix::epoll::{Ready, Trigger};
use pinion_unix::lookout;
use pinion_unix::sockets::Wait;
use pinion_wire::Kind;
use pinion_wire::frame::{
    END_UNDER_LOAD, FrameError, REQUEST_IS_ONE_OF_MANY, REQUEST_NEXT_IS_NEAR, REQUEST_TAKES_AREA,
};

use crate::connection::{Connection, Received};
use crate::http::{self, Memory, Visit, Visited};
use crate::rush::Company;
use crate::worker::{Stage, Worker};

/// A front door lets a request wait for longer than this, in nanoseconds, before it takes it back.
const LONG_NS: u64 = 500_000_000;

/// How long a thread looks for the next request of a client that asks again at once: the front door's share of a request, and the
/// client's own.
const LOOK: Duration = Duration::from_micros(120);

/// What is ready and is no request is looked at so many times in a row before the GIL is given up.
const ROUNDS: u64 = 64;

/// A request that was received.
pub(crate) struct Job {
    /// Where it came from. This thread owns its turn.
    pub(crate) connection: Arc<Connection>,
    /// Its number on that connection.
    pub(crate) seq: u32,
    /// Whether functions are to be called, not an application.
    pub(crate) is_call: bool,
    /// The frame's flags.
    pub(crate) flags: u16,
    bytes: Vec<u8>,
    payload: Range<usize>,
}

impl Job {
    /// The frame's payload.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[self.payload.clone()]
    }
}

/// What asking for the next request led to.
pub(crate) enum Next {
    /// This one.
    Job(Job),
    /// A request of a client of the worker's own front door.
    Visit(Box<Visit>),
    /// Nothing is there, and waiting was not allowed.
    Nothing,
}

/// The connection whose request was run last.
struct Held {
    connection: Arc<Connection>,
    /// The request's own memory.
    request: Vec<u8>,
    /// What is to be sent, and how much of it was.
    frames: Vec<u8>,
    sent: usize,
    /// Whether the next one will be here at once.
    near: bool,
    company: Company,
}

/// One serving thread's place.
pub(crate) struct Desk {
    worker: &'static Worker,
    thread: usize,
    held: Option<Held>,
    /// Requests that are not to be looked for.
    rest: u8,
    /// A connection that this thread owns, and that can only be looked at without the GIL.
    put_off: Option<Arc<Connection>>,
    /// Memory for the next request's frames.
    spare: Vec<u8>,
    /// Whether this thread finds several requests each time that it wakes.
    pub(crate) under_load: bool,
    /// The client whose request was run last.
    visited: Option<Visited>,
    /// What the worker's own front door uses again and again.
    pub(crate) memory: Memory,
}

impl Desk {
    /// The place of thread number `thread`.
    pub(crate) fn new(worker: &'static Worker, thread: usize) -> Self {
        Self {
            worker,
            thread,
            held: None,
            rest: 0,
            put_off: None,
            spare: Vec::new(),
            under_load: false,
            visited: None,
            memory: Memory::default(),
        }
    }

    /// The thread's number.
    pub(crate) fn thread(&self) -> usize {
        self.thread
    }

    /// Flags of the `End` frames beside how a request ended.
    pub(crate) fn end_flags(&self) -> u16 {
        if self.under_load { END_UNDER_LOAD } else { 0 }
    }

    /// What [`crate::rush`] is told of the request that was run last.
    pub(crate) fn company(&self) -> Company {
        self.held.as_ref().map_or(Company::None, |held| held.company)
    }

    /// Notes in the status page that a request begins `now`; false when the front door has given it to somebody else
    /// meanwhile, as it may with one that has waited for long.
    pub(crate) fn begin(&self, job: &Job, queued_ns: u64, now: u64, line: &[&[u8]]) -> bool {
        let Some(status) = self.worker.status() else { return true };
        status.begin(self.thread, job.connection.number, job.seq, now, line);
        // The front door first ends its side and then asks whether the request has begun, so one of the two sees the other.
        // A client of HTTP/2 may give up many requests in no time.
        let may_be_taken_back = job.connection.is_own() || now.saturating_sub(queued_ns) > LONG_NS;
        let taken_back = may_be_taken_back && job.connection.is_ended_by_front_door();
        if taken_back {
            status.end(self.thread);
        }
        !taken_back
    }

    /// Empty memory for a request's frames.
    pub(crate) fn memory(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// A request was run; `frames` are to be sent.
    pub(crate) fn finish(&mut self, job: Job, frames: Vec<u8>) {
        let Job { connection, bytes: request, flags, .. } = job;
        let mut near = flags & REQUEST_NEXT_IS_NEAR != 0;
        if near && self.rest > 0 {
            (near, self.rest) = (false, self.rest - 1);
        }
        let company = if near {
            Company::Near
        } else if flags & REQUEST_IS_ONE_OF_MANY != 0 {
            Company::Many
        } else {
            Company::None
        };
        self.held = Some(Held { connection, request, frames, sent: 0, near, company });
    }

    /// A client's request was run.
    pub(crate) fn finish_visit(&mut self, visited: Visited) {
        self.visited = Some(visited);
    }

    /// Goes on with the client whose request was run last; its next request may be here already.
    fn let_go_of_client(&mut self) -> Option<Next> {
        let visited = self.visited.take()?;
        let next = visited.leave(self.worker, self.thread, &mut self.memory, &mut self.spare);
        next.map(Next::Visit)
    }

    /// Sends what is left and finds the next request. Without `wait`, it does only what can be done at once.
    pub(crate) fn next(&mut self, wait: bool) -> Next {
        if let Some(next) = self.let_go_of_client().or_else(|| self.let_go(wait)) {
            return next;
        }
        for round in 0.. {
            if wait {
                if self.put_off.is_none() {
                    self.worker.seat.await_turn(self.thread);
                }
            } else if round >= ROUNDS || !self.is_alone() {
                return Next::Nothing;
            }
            if let Some(next) = self.round(wait) {
                return next;
            }
        }
        Next::Nothing
    }

    /// Whether nobody else has a use for the GIL, and nothing is here that is waited for.
    fn is_alone(&self) -> bool {
        self.worker.seat.is_sole(self.thread) && self.put_off.is_none()
    }

    /// Looks at one thing that has become ready; `None` when there is another to look for.
    fn round(&mut self, wait: bool) -> Option<Next> {
        let Worker { seat, door, .. } = self.worker;
        if let Some(door) = door.as_ref().filter(|_| !seat.has_more(self.thread)) {
            door.release();
        }
        if let Some(connection) = self.put_off.take() {
            return self.look(&connection, true, wait).map(Next::Job);
        }
        let ready = match self.take(wait) {
            Ok(Some(ready)) => ready,
            Ok(None) if wait => return None,
            // Nothing is left to be served by a worker whose epoll fails.
            Ok(None) | Err(_) => return Some(Next::Nothing),
        };
        if http::is_own(ready.token) {
            if self.worker.stage() == Stage::Ended {
                return Some(self.end(wait));
            }
            let (memory, closed) = (&mut self.memory, ready.closed);
            let door = door.as_ref()?;
            return door.event(self.worker, ready.token, closed, memory).map(Next::Visit);
        }
        let number = u32::try_from(ready.token).unwrap_or(u32::MAX);
        let connection = self.worker.connection(number)?;
        if !connection.turn.take() {
            return None;
        }
        if self.worker.stage() == Stage::Ended {
            // Who waits for all turns to be idle must not wait for this one, whatever arrives meanwhile.
            while !connection.turn.release() {}
            return Some(self.end(wait));
        }
        if !wait && connection.is_read() {
            // A thread of the application's own may have the bytes, and only goes on with the GIL.
            self.put_off = Some(connection);
            return Some(Next::Nothing);
        }
        self.look(&connection, true, wait).map(Next::Job)
    }

    /// As [`Seat::take`](crate::seat::Seat::take). A client of the worker's own front door that asks again at once is looked for first: there is no other
    /// process that would know whether it does.
    fn take(&mut self, wait: bool) -> io::Result<Option<Ready>> {
        let (Worker { seat, epoll, door, .. }, thread) = (self.worker, self.thread);
        if wait && door.is_some() && seat.is_sole(thread) {
            if let Some(rest) = self.rest.checked_sub(1) {
                self.rest = rest;
            } else {
                match lookout::look(LOOK, || seat.take(thread, epoll, false).transpose()) {
                    Ok(ready) => return ready.map(Some),
                    Err(vain) => self.rest = vain.rest,
                }
            }
        }
        seat.take(thread, epoll, wait)
    }

    /// The interpreter is being left: a thread that asked for the GIL now would be ended in the middle of Rust, and one that has it gives
    /// it up first.
    fn end(&self, wait: bool) -> Next {
        if wait {
            loop {
                std::thread::park();
            }
        }
        Next::Nothing
    }

    /// Finishes with the connection of the last request. Its next request may be here already.
    fn let_go(&mut self, wait: bool) -> Option<Next> {
        let Held { connection, frames, sent, near, .. } = self.held.as_mut()?;
        if *sent < frames.len() {
            if wait {
                if connection.send(&mut [IoSlice::new(&frames[*sent..])]).is_err() {
                    connection.close();
                }
            } else {
                match connection.send_now(&frames[*sent..]) {
                    Ok(count) => *sent += count,
                    Err(_) => connection.close(),
                }
                if *sent < frames.len() {
                    return Some(Next::Nothing);
                }
            }
        }
        // A thread of the application's own may still wait for the body, and only goes on with the GIL.
        // And nobody looks for a request with the GIL.
        if !wait && (connection.is_read() || *near) {
            return Some(Next::Nothing);
        }
        let Held { connection, request, mut frames, near, .. } = self.held.take()?;
        connection.inbox().give_back(request);
        if frames.capacity() <= 1024 * 1024 {
            frames.clear();
            self.spare = frames;
        }
        if let Some(status) = self.worker.status() {
            status.end(self.thread);
        }
        if near && let Some(job) = self.look_for_next(&connection) {
            return Some(Next::Job(job));
        }
        if connection.set_watched(true) {
            // An error means that the connection has ended: the look below finds that.
            let _ =
                self.worker.epoll.add(connection.as_fd(), connection.number.into(), Trigger::Edge);
        }
        let job = self.look(&connection, false, wait);
        if self.worker.stage() == Stage::Stopping {
            self.worker.wake();
        }
        job.map(Next::Job)
    }

    /// Looks for the next request on a connection that this thread owns, without going to sleep. The epoll does not watch it
    /// meanwhile, or it would wake another thread for what is found here.
    fn look_for_next(&mut self, connection: &Arc<Connection>) -> Option<Job> {
        if connection.set_watched(false) {
            let _ = self.worker.epoll.remove(connection.as_fd());
        }
        let looked = lookout::look(LOOK, || {
            let received = connection.receive(&mut connection.inbox(), Wait::No);
            match received {
                Received::Nothing => {}
                Received::Some => return Some(take_request(connection).ok().flatten()),
                Received::Gone => return Some(None),
            }
            // An epoll that fails, fails again where that is told.
            let wanted = self.worker.seat.is_wanted(self.thread, &self.worker.epoll);
            wanted.unwrap_or(true).then_some(None)
        });
        match looked {
            Ok(Some(job)) => return Some(job),
            Ok(None) => self.rest = lookout::REST,
            Err(vain) => self.rest = vain.rest,
        }
        None
    }

    /// Reads a connection that this thread owns, until there is a request, or nothing more; lets it go then. What must be waited for is put off
    /// where that is not allowed.
    fn look(
        &mut self,
        connection: &Arc<Connection>,
        mut receive: bool,
        may_wait: bool,
    ) -> Option<Job> {
        loop {
            match take_request(connection) {
                Ok(Some(job)) => return Some(job),
                Ok(None) => {}
                Err(error) => {
                    let number = connection.number;
                    self.worker.log(3, &format!("connection {number} closed: {error}"));
                    self.worker.disconnect(connection);
                    return None;
                }
            }
            if receive {
                let mut inbox = connection.inbox();
                // The rest of a frame is on its way: a front door sends frames whole.
                let wait = if may_wait && inbox.has_part() { Wait::Yes } else { Wait::No };
                match connection.receive(&mut inbox, wait) {
                    Received::Some => continue,
                    Received::Nothing if inbox.has_part() => {
                        self.put_off = Some(connection.clone());
                        return None;
                    }
                    Received::Nothing => {}
                    Received::Gone => {
                        drop(inbox);
                        self.worker.disconnect(connection);
                        return None;
                    }
                }
            }
            if connection.inbox().has_part() {
                receive = true;
            } else if connection.turn.release() {
                return None;
            } else {
                receive = true;
            }
        }
    }
}

/// The request at the front of what was received.
fn take_request(connection: &Arc<Connection>) -> Result<Option<Job>, FrameError> {
    let mut inbox = connection.inbox();
    inbox.skip_body(|| connection.end_loan())?;
    let Some((header, mut payload)) = inbox.frame()? else { return Ok(None) };
    let is_call = match header.kind {
        Kind::Request => false,
        Kind::Call => true,
        other => return Err(FrameError::Unexpected(other)),
    };
    let bytes = inbox.take_out(&mut payload);
    let (seq, flags) = (header.seq, header.flags);
    connection.begin_request(flags & REQUEST_TAKES_AREA != 0);
    Ok(Some(Job { connection: connection.clone(), seq, is_call, flags, bytes, payload }))
}
