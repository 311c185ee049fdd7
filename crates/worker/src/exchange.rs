//! One request while it runs: what its Python objects share.
//!
//! The lock here is never held while Python code can run (allocating or dropping an object may run
//! any finalizer, which may print, which comes back here). It is held over sending, without the GIL.

use std::cell::RefCell;
use std::io::IoSlice;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinion_wire::Kind;
use pinion_wire::answer::{End, FilePart};
use pinion_wire::area::SHORT;
use pinion_wire::frame::{self, DATA_FLUSH, DATA_STAYS, IN_AREA};
use pinion_wsgi::response::OutputError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::area::Slots;
use crate::connection::Connection;
use crate::fork;
use crate::http::Client;
use crate::kept::Kept;
use crate::lines::Lines;
use crate::long::{self, Block};
use crate::metrics::{Meter, Way};
use crate::reply::Ending;
use crate::response::{Response, SHORT_DATA};
use crate::worker::worker;

mod logs;

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

    /// Sends a block of the body, the head before it; waits until the system has taken it.
    pub(crate) fn send(&self, py: Python<'_>, block: &[u8], flush: bool) -> Result<(), NotSent> {
        let mut state = self.state(py);
        let response = &mut state.response;
        let admitted = response.admit(block.len())?;
        self.note_write(admitted as u64);
        let block = &block[..admitted];
        if block.len() <= SHORT_DATA {
            response.push_data(block, flush);
            return Ok(self.flush(py, response)?);
        }
        if let Some((before, behind)) = response.around(block.len()) {
            let waiting = std::mem::take(&mut response.frames);
            let parts = [&waiting[..], &before, block, behind].map(IoSlice::new);
            return Ok(self.send_parts(py, &mut { parts })?);
        }
        let block = Block { bytes: block, seq: response.seq, flush, may_wait: false };
        Ok(self.send_long(py, &mut response.frames, block)?)
    }

    /// Sends the last block of the body, but what of it can wait for the end of the answer waits.
    pub(crate) fn send_last(&self, py: Python<'_>, block: &[u8]) -> Result<(), NotSent> {
        if block.len() <= SHORT || !self.is_of_front_door() {
            return self.send(py, block, false);
        }
        let mut state = self.state(py);
        let response = &mut state.response;
        let admitted = response.admit(block.len())?;
        self.note_write(admitted as u64);
        let (bytes, seq) = (&block[..admitted], response.seq);
        let block = Block { bytes, seq, flush: false, may_wait: true };
        Ok(self.send_long(py, &mut response.frames, block)?)
    }

    /// Tells the front door of a long block that was sent before, and stays where it reads it; false where it is none, and nothing was
    /// done. What waits is sent with it, unless all that `may_wait`.
    pub(crate) fn send_again(
        &self,
        block: &Bound<'_, PyBytes>,
        flush: bool,
        may_wait: bool,
    ) -> Result<bool, NotSent> {
        let py = block.py();
        if block.as_bytes().len() <= SHORT
            || fork::is_child()
            || self.response(py, |response| response.is_bodiless())
        {
            return Ok(false);
        }
        let (Some(Peer::Front(peer)), Some(worker)) = (self.peer(), worker()) else {
            return Ok(false);
        };
        let Some(area) = peer.known_area().filter(|area| worker.bank.is_current(area)) else {
            return Ok(false);
        };
        let Some(standing) = worker.again.find(block, &area) else { return Ok(false) };
        let mut state = self.state(py);
        if self.is_gone() {
            return Err(NotSent::Gone);
        }
        // Another thread of the application's may have sent a new one meanwhile.
        if !peer.known_area().is_some_and(|area| standing.is_in(&area)) {
            return Ok(false);
        }
        let response = &mut state.response;
        let admitted = response.admit(block.as_bytes().len())?;
        self.note_write(admitted as u64);
        for (part, is_last) in standing.parts(admitted) {
            let flags = IN_AREA | DATA_STAYS | if flush && is_last { DATA_FLUSH } else { 0 };
            frame::push(&mut response.frames, Kind::Data, flags, response.seq, &part.encode());
        }
        peer.lend_standing(standing);
        if !may_wait {
            self.flush(py, response)?;
        }
        Ok(true)
    }

    /// Sends what waits and a long block to a front door.
    fn send_long(
        &self,
        py: Python<'_>,
        frames: &mut Vec<u8>,
        block: Block<'_>,
    ) -> Result<(), Gone> {
        let Some(Peer::Front(peer)) = self.peer() else { return Ok(()) };
        if self.is_gone() {
            return Err(Gone);
        }
        let sent = self.detached(py, Way::Output, || {
            let area = area_of(&peer, block.seq, block.bytes.len() as u64, frames)?;
            let is_full = long::send(&peer, area.as_deref(), frames, block)?;
            if let (true, Some(area), Some(worker)) = (is_full, area, worker()) {
                worker.bank.look_for_lost(&area, |number| worker.connection(number).is_some());
            }
            Ok::<_, std::io::Error>(())
        });
        sent.map_err(|_| {
            frames.clear();
            self.lose()
        })
    }

    /// The area that a part of the body of `length` bytes is to come by, where it is long; `None` where it comes by the socket.
    pub(crate) fn area(
        &self,
        py: Python<'_>,
        peer: &Connection,
        length: u64,
    ) -> Result<Option<Arc<Slots>>, Gone> {
        if length <= SHORT as u64 {
            return Ok(None);
        }
        let mut state = self.state(py);
        let seq = state.response.seq;
        let frames = &mut state.response.frames;
        let area = py.detach(|| area_of(peer, seq, length, frames));
        drop(state);
        area.map_err(|_| self.lose())
    }

    /// Adds a short block of the body, the head before it, to what is sent next.
    pub(crate) fn queue(&self, py: Python<'_>, block: &[u8]) -> Result<(), NotSent> {
        let mut state = self.state(py);
        let admitted = state.response.admit(block.len())?;
        self.note_write(admitted as u64);
        state.response.push_data(&block[..admitted], false);
        Ok(())
    }

    /// As [`Exchange::queue`], for a block that is the whole body.
    pub(crate) fn queue_whole(&self, py: Python<'_>, block: &[u8]) -> Result<(), NotSent> {
        let mut state = self.state(py);
        state.response.know_length(block.len() as u64);
        let admitted = state.response.admit(block.len())?;
        self.note_write(admitted as u64);
        state.response.push_data(&block[..admitted], false);
        Ok(())
    }

    /// Sends a file from `offset` on, of which `left` bytes are left there; the head before it.
    pub(crate) fn send_file(
        &self,
        py: Python<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        left: u64,
    ) -> Result<(), NotSent> {
        let mut state = self.state(py);
        let response = &mut state.response;
        let length = response.admit_file(left)?;
        self.note_write(length);
        self.flush(py, response)?;
        let peer = match self.peer().filter(|_| length > 0) {
            Some(Peer::Front(peer)) => peer,
            Some(Peer::Client(client)) => {
                let around = response.around(usize::try_from(length).unwrap_or(usize::MAX));
                let (before, behind) = around.unwrap_or_default();
                let sent = self.detached(py, Way::Output, || {
                    client.send_some_of(&before)?;
                    client.send_file(file.try_clone_to_owned()?, offset, length)?;
                    client.send_some_of(behind)
                });
                return Ok(sent.map_err(|_| self.lose())?);
            }
            None => return Ok(()),
        };
        let mut bytes = Vec::new();
        let part = FilePart { offset, length }.encode();
        frame::push(&mut bytes, Kind::File, 0, response.seq, &part);
        let sent = self.detached(py, Way::Output, || peer.send_with(&bytes, file));
        Ok(sent.map_err(|_| self.lose())?)
    }

    /// Sends what waits.
    fn flush(&self, py: Python<'_>, response: &mut Response) -> Result<(), Gone> {
        let sent = self.send_short(py, &response.frames);
        response.frames.clear();
        sent
    }

    /// Sends frames without giving up the GIL, as long as there is room for them: that costs less than getting it back.
    fn send_short(&self, py: Python<'_>, mut frames: &[u8]) -> Result<(), Gone> {
        if self.is_gone() {
            return Err(Gone);
        }
        if let Some(Peer::Front(peer)) = self.peer().filter(|_| !frames.is_empty()) {
            let sent = peer.send_now(frames).map_err(|_| self.lose())?;
            frames = &frames[sent..];
        }
        if frames.is_empty() {
            return Ok(());
        }
        self.send_parts(py, &mut [IoSlice::new(frames)])
    }

    fn note_write(&self, bytes: u64) {
        if let Some(meter) = self.meter() {
            meter.note_write(bytes);
        }
    }

    fn send_parts(&self, py: Python<'_>, parts: &mut [IoSlice<'_>]) -> Result<(), Gone> {
        let Some(peer) = self.peer() else { return Ok(()) };
        if self.is_gone() {
            return Err(Gone);
        }
        let sent = match peer {
            Peer::Front(peer) => self.detached(py, Way::Output, || peer.send(parts)),
            Peer::Client(client) => self.send_to(py, &client, parts),
        };
        sent.map_err(|_| self.lose())
    }

    /// Sends to a client, which may take it slowly.
    fn send_to(
        &self,
        py: Python<'_>,
        client: &Client,
        parts: &[IoSlice<'_>],
    ) -> std::io::Result<()> {
        // Who leads has nobody to give the GIL to.
        let keeps = worker().is_some_and(|worker| worker.seat.is_led());
        let is_full = if keeps {
            client.send(parts)
        } else {
            self.detached(py, Way::Output, || client.send(parts))
        }?;
        if !is_full {
            return Ok(());
        }
        let patience = worker().and_then(|worker| worker.door.as_ref());
        let patience = patience.map_or(0, |door| door.spec.times.body);
        self.detached(py, Way::Output, || client.wait_for_room(patience))
    }

    /// Sends bytes that are no part of the answer, behind what waits.
    pub(crate) fn send_frame(&self, py: Python<'_>, frame: &[u8]) -> Result<(), Gone> {
        let mut state = self.state(py);
        state.response.frames.extend_from_slice(frame);
        self.flush(py, &mut state.response)
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

    /// Sends the last frames, which [`Exchange::finish`] returned, at once. `connection` is the request's.
    pub(crate) fn send_rest(&self, py: Python<'_>, connection: &Connection, frames: &mut Vec<u8>) {
        let mut parts = [IoSlice::new(frames)];
        if self.detached(py, Way::Output, || connection.send(&mut parts)).is_err() {
            connection.close();
        }
        frames.clear();
    }
}

/// The area for a block of `length` bytes, where it is long. A child that the application has forked has none.
fn area_of(
    peer: &Connection,
    seq: u32,
    length: u64,
    frames: &mut Vec<u8>,
) -> std::io::Result<Option<Arc<Slots>>> {
    match worker().filter(|_| length > SHORT as u64 && !fork::is_child()) {
        Some(worker) => peer.area(&worker.bank, seq, frames),
        None => Ok(None),
    }
}
