//! One request while it runs: what its Python objects share.
//!
//! The lock here is never held while Python code can run (allocating or dropping an object may run
//! any finalizer, which may print, which comes back here). It is held over sending, without the GIL.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinion_wire::answer::End;
use pinion_wsgi::response::OutputError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::connection::Connection;
use crate::http::Client;
use crate::kept::Kept;
use crate::lines::Lines;
use crate::metrics::{Meter, Way};
use crate::reply::Ending;
use crate::response::Response;
use crate::worker::worker;

mod logs;
mod sending;

use logs::log_elsewhere;

/// Apache's level for what applications write.
pub(crate) const ERROR: u8 = 3;
/// Apache's level for what operators may want to know.
pub(crate) const INFO: u8 = 6;
/// Apache's level for what only developers want to know.
pub(crate) const DEBUG: u8 = 7;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Exchange>>> = const { RefCell::new(None) };
}

/// Where text comes from: each place has its own unfinished line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `wsgi.errors`.
    Errors = 0,
    /// `sys.stdout`.
    Stdout = 1,
    /// `sys.stderr`.
    Stderr = 2,
}

/// Whom the answer goes to.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// A front door outside.
    Front(Arc<Connection>),
    /// A client of the worker's own front door.
    Client(Arc<Client>),
}

impl Peer {
    fn number(&self) -> u32 {
        match self {
            Self::Front(connection) => connection.number,
            Self::Client(client) => client.number,
        }
    }

    fn close(&self) {
        match self {
            Self::Front(connection) => connection.close(),
            Self::Client(client) => client.close(),
        }
    }
}

/// The front door has gone, or its client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// Why a part of the answer was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// There is no front door any more.
    Gone,
    /// The application may not send anything now.
    Refused(OutputError),
}

impl From<Gone> for NotSent {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<OutputError> for NotSent {
    fn from(error: OutputError) -> Self {
        Self::Refused(error)
    }
}

/// In the place of a connection's number.
const NO_CONNECTION: u64 = u64::MAX;

fn number_of(peer: Option<&Peer>) -> u64 {
    peer.map_or(NO_CONNECTION, |peer| peer.number().into())
}

/// One request while it runs.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The connection's number; [`NO_CONNECTION`] for a request that the worker makes of itself.
    connection: AtomicU64,
    /// The connection, for as long as the request may use it: the application may keep what belongs to a request for longer.
    peer: Mutex<Option<Peer>>,
    seq: AtomicU32,
    open: AtomicBool,
    gone: AtomicBool,
    body_failed: AtomicBool,
    /// The Python objects that others may ask for.
    pub(crate) kept: Kept,
    /// What it waits for, while that is counted.
    meter: Option<Box<Meter>>,
    state: Mutex<State>,
}

/// What is left of a request that is over.
#[derive(Debug)]
pub(crate) struct Left {
    /// The frames that are to be sent.
    pub(crate) frames: Vec<u8>,
    /// What becomes of a client's connection.
    pub(crate) ending: Ending,
    /// The status, and how many bytes of a body a client was sent.
    pub(crate) told: (u16, u64),
}

#[derive(Debug)]
struct State {
    response: Response,
    lines: [Lines; 3],
    trouble: String,
}

/// The request that this thread runs.
pub(crate) fn current() -> Option<Arc<Exchange>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// From now on, this thread runs no request.
pub(crate) fn leave() {
    CURRENT.with(|current| *current.borrow_mut() = None);
}

impl Exchange {
    /// Begins a request, number `seq` on its connection.
    pub(crate) fn new(peer: Option<Peer>, seq: u32, response: Response) -> Arc<Self> {
        Arc::new(Self {
            connection: AtomicU64::new(number_of(peer.as_ref())),
            peer: Mutex::new(peer),
            seq: AtomicU32::new(seq),
            open: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            body_failed: AtomicBool::new(false),
            kept: Kept::default(),
            meter: worker().and_then(|worker| worker.metrics.meter()),
            state: Mutex::new(State {
                response,
                lines: Default::default(),
                trouble: String::new(),
            }),
        })
    }

    /// Whether nothing is counted or measured of it.
    pub(crate) fn is_plain(&self) -> bool {
        self.meter.is_none() && !self.kept.is_measured()
    }

    /// Whether nothing would be counted of one that begins now.
    pub(crate) fn would_be_plain() -> bool {
        worker().is_some_and(|worker| worker.metrics.meter().is_none())
    }

    /// Begins another request in the place of one that is over, which was plain and is known to nobody but the caller any more.
    pub(crate) fn begin_anew(&self, peer: Option<Peer>, seq: u32, response: Response) {
        self.connection.store(number_of(peer.as_ref()), Ordering::Relaxed);
        self.seq.store(seq, Ordering::Relaxed);
        self.body_failed.store(false, Ordering::Relaxed);
        self.gone.store(false, Ordering::Release);
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.response = response;
        // Another thread may have written to the request before at its very end.
        state.lines.iter_mut().for_each(Lines::clear);
        drop(state);
        self.open.store(true, Ordering::Release);
    }

    /// From now on, this thread's output is the request's.
    pub(crate) fn enter(self: &Arc<Self>) {
        CURRENT.with(|current| *current.borrow_mut() = Some(self.clone()));
    }

    /// The connection, if the request has one and still may use it.
    pub(crate) fn peer(&self) -> Option<Peer> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether somebody waits for the answer: not for that to a request that the worker makes of itself.
    pub(crate) fn has_peer(&self) -> bool {
        self.connection.load(Ordering::Relaxed) != NO_CONNECTION
    }

    /// Whether a front door outside has it.
    pub(crate) fn is_of_front_door(&self) -> bool {
        matches!(self.peer(), Some(Peer::Front(_)))
    }

    /// The request's number on its connection.
    pub(crate) fn seq(&self) -> u32 {
        self.seq.load(Ordering::Relaxed)
    }

    /// Whether it is request `seq` of connection number `connection`.
    pub(crate) fn is(&self, connection: u32, seq: u32) -> bool {
        self.seq() == seq && self.connection.load(Ordering::Relaxed) == u64::from(connection)
    }

    /// What it waits for, while that is counted.
    pub(crate) fn meter(&self) -> Option<&Meter> {
        self.meter.as_deref()
    }

    /// The status of its answer; 0 while there is none.
    pub(crate) fn code(&self, py: Python<'_>) -> u16 {
        self.response(py, |response| response.code())
    }

    /// Waits for the front door without the GIL.
    pub(crate) fn detached<T: Send>(
        &self,
        py: Python<'_>,
        way: Way,
        wait: impl Send + FnOnce() -> T,
    ) -> T {
        match self.meter() {
            None => py.detach(wait),
            Some(meter) => meter.time(py, way, wait),
        }
    }

    /// Whether the request still runs.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Whether the front door or its client has gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Notes that the client did not send the whole body.
    pub(crate) fn fail_body(&self) {
        self.body_failed.store(true, Ordering::Release);
    }

    /// Whether the client did not send the whole body.
    pub(crate) fn has_failed_body(&self) -> bool {
        self.body_failed.load(Ordering::Acquire)
    }

    fn state(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes the answer. `f` must not call Python.
    pub(crate) fn response<T>(&self, py: Python<'_>, f: impl FnOnce(&mut Response) -> T) -> T {
        f(&mut self.state(py).response)
    }

    /// Notes that the front door has gone. The connection is ended on this side too: epoll may have told of its end
    /// together with the request, and tells no second time.
    pub(crate) fn lose(&self) -> Gone {
        self.gone.store(true, Ordering::Release);
        if let Some(peer) = self.peer() {
            peer.close();
        }
        Gone
    }

    /// Ends the request: its objects are of no use any more. Returns what is left to be sent, nothing when there is nobody to send it to.
    pub(crate) fn finish(&self, py: Python<'_>, end: End) -> Left {
        self.open.store(false, Ordering::Release);
        leave();
        let mut state = self.state(py);
        let State { response, lines, .. } = &mut *state;
        for place in lines {
            place.finish(|line| response.push_log(ERROR, line));
        }
        let logs_only = !self.has_peer() || self.is_gone();
        if !logs_only {
            response.end(end);
        }
        let frames = std::mem::take(&mut response.frames);
        let logs = response.take_logs();
        let (ending, told) = (response.ending(), response.told());
        drop(state);
        self.let_go_of_client();
        if let Some(logs) = logs.filter(|logs| !logs.is_empty()) {
            log_elsewhere(py, &logs);
        }
        if logs_only {
            log_elsewhere(py, &frames);
            return Left { frames: Vec::new(), ending: Ending::Cut, told };
        }
        Left { frames, ending, told }
    }
}

impl Exchange {
    /// The request is over: who keeps it keeps no socket.
    fn let_go_of_client(&self) {
        let mut peer = self.peer.lock().unwrap_or_else(PoisonError::into_inner);
        drop(peer.take_if(|peer| matches!(peer, Peer::Client(_))));
    }

    /// As that, of everything that belongs to others.
    pub(crate) fn let_go(&self) {
        drop(self.peer.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.state.lock().unwrap_or_else(PoisonError::into_inner).response.let_go();
    }

    /// The request has run too long: tells its client so, unless the answer has begun. What the application does from now on is as
    /// if the client had gone. Needs no GIL, and does not wait.
    pub(crate) fn give_up(&self) {
        let Some(Peer::Client(client)) = self.peer() else { return };
        // Whoever holds it sends, or looks whether to.
        let Ok(mut state) = self.state.try_lock() else { return };
        if self.is_gone() || !self.is_open() {
            return;
        }
        if let Some(bytes) = state.response.give_up() {
            self.gone.store(true, Ordering::Release);
            drop(state);
            // Where it fails, the client has gone.
            let _ = client.send_some_of(&bytes);
            client.end();
        }
    }
}
