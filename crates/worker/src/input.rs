//! `wsgi.input`: the request's body, read as the application asks for it.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use pinion_unix::sockets::Wait;
use pinion_wire::area::{Part, SHORT};
use pinion_wire::frame::{self, BODY_LAST, IN_AREA};
use pinion_wire::{Header, Kind};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};

use crate::area::Lent;
use crate::body::{Body, Credit, line_end};
use crate::bytes;
use crate::connection::{Connection, Received};
use crate::exchange::{Exchange, Gone, Peer};
use crate::http::{BodyError, Client, Goal};
use crate::inbox::Inbox;
use crate::metrics::Way;
use crate::target::{Source, Target};
use crate::worker::worker;

/// How much is received right to where a client's body is wanted, at least.
const AT_ONCE: usize = 64 * 1024;

/// `wsgi.input` of one request.
#[pyclass(module = "mod_wsgi", frozen)]
pub(crate) struct Input {
    exchange: Arc<Exchange>,
    body: Mutex<Body>,
}

/// Why a body cannot be read.
enum Failure {
    Gone,
    Broken(String),
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        let reason = match failure {
            Failure::Gone => "Connection closed".to_owned(),
            Failure::Broken(reason) => reason,
        };
        PyOSError::new_err(format!("Apache/mod_wsgi request data read error: {reason}."))
    }
}

impl Input {
    /// The input of a request without a body.
    pub(crate) fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange, body: Mutex::new(Body::none()) }
    }

    /// The body that it has from now on.
    pub(crate) fn set_body(&self, py: Python<'_>, body: Body) {
        *self.body.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner) = body;
    }

    fn check(&self, name: &str) -> PyResult<()> {
        if self.exchange.is_open() {
            return Ok(());
        }
        let text = if name == "iter" {
            "iteration of wsgi.input attempted after request completed".to_owned()
        } else {
            format!("{name}() called on wsgi.input after request completed")
        };
        Err(PyRuntimeError::new_err(text))
    }

    /// Receives until `enough` says so, or the body ends. Asks for the bytes that `enough` still needs.
    fn fill(
        &self,
        py: Python<'_>,
        body: &mut Body,
        enough: impl Fn(&[u8]) -> Option<u64>,
    ) -> Result<(), Failure> {
        loop {
            let Some(needed) = enough(body.here()).filter(|_| !body.ended) else { return Ok(()) };
            body.reserve(needed);
            if let Some(reason) = &body.failed {
                return Err(Failure::Broken(reason.clone()));
            }
            if let Some(Peer::Client(client)) = self.exchange.peer() {
                let wanted = usize::try_from(needed).unwrap_or(usize::MAX);
                self.receive_from(py, body, |body, seq, patience| {
                    body.append(|bytes| {
                        client.read_body(seq, &mut Goal::Some(bytes, wanted), patience)
                    })
                })?;
                continue;
            }
            self.ask_and_receive(py, body, needed, &mut Target::none())?;
        }
    }

    /// Asks a front door for what is `needed`, unless that is asked for already, and waits for one frame.
    fn ask_and_receive(
        &self,
        py: Python<'_>,
        body: &mut Body,
        needed: u64,
        target: &mut Target<'_>,
    ) -> Result<(), Failure> {
        let Some(Peer::Front(peer)) = self.exchange.peer() else {
            return Err(Failure::Broken("the request has no connection".to_owned()));
        };
        let area = self.exchange.area(py, &peer, needed)?;
        let (mut wants, seq) = (Vec::new(), self.exchange.seq());
        loop {
            let slot = area.as_ref().and_then(|area| {
                let amount = body.next_part(needed, Credit::AREA)?;
                if amount as usize > SHORT { Lent::new(area, peer.number, amount) } else { None }
            });
            if let Some(slot) = slot {
                let part = slot.part();
                frame::push(&mut wants, Kind::Want, IN_AREA, seq, &part.encode());
                body.note_asked(part.length);
                peer.lend(Some(slot));
            } else if let Some(amount) = body.next_part(needed, Credit::SOCKET) {
                frame::push(&mut wants, Kind::Want, 0, seq, &amount.to_le_bytes());
                body.note_asked(amount);
                peer.lend(None);
            } else {
                break;
            }
        }
        if !wants.is_empty() {
            self.exchange.send_frame(py, &wants)?;
        }
        self.receive(py, &peer, body, target)
    }

    /// Waits for all that `target` has room for from a client of the worker's own front door.
    fn receive_all(
        &self,
        py: Python<'_>,
        client: &Client,
        body: &mut Body,
        target: &mut Target<'_>,
    ) -> Result<(), Failure> {
        self.receive_from(py, body, |body, seq, patience| {
            let before = target.left();
            let ended = client.read_body(seq, &mut Goal::All(target), patience);
            body.note_come(before - target.left());
            body.ended |= ended?;
            Ok(())
        })
    }

    /// Has a part of the body read from a client of the worker's own front door, which is told the request's number and its patience.
    fn receive_from(
        &self,
        py: Python<'_>,
        body: &mut Body,
        read: impl Send + FnOnce(&mut Body, u32, u64) -> Result<(), BodyError>,
    ) -> Result<(), Failure> {
        let Some(worker) = worker() else { return Err(Failure::Gone) };
        let patience = worker.door.as_ref().map_or(0, |door| door.spec.times.body);
        let seq = self.exchange.seq();
        let read = self.exchange.detached(py, Way::Input, || read(body, seq, patience));
        match read {
            Ok(()) => Ok(()),
            Err(BodyError::Gone) => Err(self.exchange.lose().into()),
            Err(BodyError::Over) => Err(Failure::Broken("the request has ended".to_owned())),
            Err(BodyError::Broken(reason)) => {
                body.failed = Some(reason.clone());
                self.exchange.fail_body();
                Err(Failure::Broken(reason))
            }
        }
    }

    /// Waits for one frame of the body.
    fn receive(
        &self,
        py: Python<'_>,
        peer: &Connection,
        body: &mut Body,
        target: &mut Target<'_>,
    ) -> Result<(), Failure> {
        if let (true, Some(worker)) = (peer.set_watched(false), worker()) {
            // Or each frame of the body would wake another thread, which would find nothing to do.
            let _ = worker.epoll.remove(peer.as_fd());
        }
        let mut inbox = peer.inbox();
        let inbox: &mut Inbox = &mut inbox;
        // What is copied is copied without the GIL.
        self.exchange.detached(py, Way::Input, || {
            loop {
                match inbox.frame() {
                    Ok(Some((Header { kind, .. }, _)))
                        if !matches!(kind, Kind::Body | Kind::BodyFailed) =>
                    {
                        return Err(Failure::Broken(format!("unexpected {kind:?}")));
                    }
                    Ok(Some((header, payload))) => {
                        let bytes = inbox.payload(payload.clone());
                        let taken = self.take_frame(peer, header, bytes, body, target);
                        inbox.consume(&payload);
                        return taken;
                    }
                    Ok(None) => {}
                    Err(error) => return Err(Failure::Broken(error.to_string())),
                }
                if peer.receive(inbox, Wait::Yes) == Received::Gone {
                    return Err(self.exchange.lose().into());
                }
            }
        })
    }

    /// Takes a frame that answers a question for the body.
    fn take_frame(
        &self,
        peer: &Connection,
        header: Header,
        payload: &[u8],
        body: &mut Body,
        target: &mut Target<'_>,
    ) -> Result<(), Failure> {
        let lent = peer.take_lent();
        let last = header.flags & BODY_LAST != 0;
        if header.kind == Kind::BodyFailed {
            let reason = String::from_utf8_lossy(payload);
            body.failed = Some(reason.trim_end_matches('.').to_owned());
            body.asked.clear();
            self.exchange.fail_body();
        } else if header.flags & IN_AREA != 0 {
            let part = Part::decode(payload).map_err(|error| Failure::Broken(error.to_string()))?;
            let bytes = lent.as_ref().and_then(|lent| lent.bytes(part));
            let bytes = bytes.ok_or_else(|| Failure::Broken("bytes in no slot".to_owned()))?;
            body.feed(Source::Outside(bytes), last, target);
        } else {
            body.feed(Source::Here(payload), last, target);
        }
        if let Some(lent) = lent {
            lent.give_back();
        }
        Ok(())
    }

    /// Reads `length` bytes, not all of which are here, straight into the object that Python gets.
    fn read_at_once(
        &self,
        py: Python<'_>,
        body: &mut Body,
        length: usize,
    ) -> PyResult<Py<PyBytes>> {
        bytes::read_into(py, length, |target| {
            body.move_to(target);
            while target.left() > 0 && !body.ended {
                let needed = target.left() as u64;
                let received = match (&body.failed, self.exchange.peer()) {
                    (Some(reason), _) => Err(Failure::Broken(reason.clone())),
                    (None, Some(Peer::Client(client))) => {
                        self.receive_all(py, &client, body, target)
                    }
                    (None, _) => self.ask_and_receive(py, body, needed, target),
                };
                if let Err(failure) = received {
                    body.take_back(target.filled());
                    return Err(PyErr::from(failure));
                }
            }
            Ok(())
        })
    }

    fn read_up_to(&self, py: Python<'_>, size: Option<usize>) -> PyResult<Py<PyBytes>> {
        let mut body = self.body.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let limit = size.unwrap_or(usize::MAX);
        // What comes from a client is received as much as there is at once, and not in pieces as small as they are asked for.
        let length = body
            .length_of(limit)
            .filter(|length| *length >= AT_ONCE || self.exchange.is_of_front_door());
        if let Some(length) = length {
            let read = self.read_at_once(py, &mut body, length)?;
            drop(body);
            self.note_read(read.as_bytes(py));
            return Ok(read);
        }
        if body.here().len() < limit && !body.ended {
            let coming = body.coming.unwrap_or(u64::MAX);
            self.fill(py, &mut body, |here| {
                let missing = (limit - here.len().min(limit)) as u64;
                (missing > 0).then_some(missing.min(coming))
            })?;
        }
        let taken = body.take(limit);
        drop(body);
        self.note_read(&taken);
        Ok(to_bytes(py, taken))
    }

    fn note_read(&self, bytes: &[u8]) {
        if let Some(meter) = self.exchange.meter() {
            meter.note_read(bytes.len());
        }
    }

    fn read_line(&self, py: Python<'_>, limit: Option<usize>) -> PyResult<Py<PyBytes>> {
        let mut body = self.body.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let limit = limit.unwrap_or(usize::MAX);
        // Each byte is looked at once, however long the line is.
        let seen = Cell::new(0);
        let end = Cell::new(usize::MAX);
        self.fill(py, &mut body, |here| {
            let found = line_end(here, seen.replace(here.len()), limit);
            end.set(found.unwrap_or(usize::MAX));
            found.is_none().then_some(1)
        })?;
        let taken = body.take(end.get());
        drop(body);
        self.note_read(&taken);
        Ok(to_bytes(py, taken))
    }
}

fn to_bytes(py: Python<'_>, bytes: Vec<u8>) -> Py<PyBytes> {
    PyBytes::new(py, &bytes).unbind()
}

/// A size as Python's files take it: negative numbers mean all. None is refused, as mod_wsgi does.
fn limit(size: isize) -> Option<usize> {
    usize::try_from(size).ok()
}

#[pymethods]
impl Input {
    /// Reads `size` bytes, fewer at the end of the body; everything without a size.
    #[pyo3(signature = (size=-1, /))]
    fn read(&self, py: Python<'_>, size: isize) -> PyResult<Py<PyBytes>> {
        self.check("read")?;
        self.read_up_to(py, limit(size))
    }

    /// Reads a line with its end, at most `size` bytes of it.
    #[pyo3(signature = (size=-1, /))]
    fn readline(&self, py: Python<'_>, size: isize) -> PyResult<Py<PyBytes>> {
        self.check("readline")?;
        self.read_line(py, limit(size))
    }

    /// Reads lines until they are `hint` bytes or more together; all without a hint.
    #[pyo3(signature = (hint=-1, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: isize) -> PyResult<Bound<'py, PyList>> {
        self.check("readlines")?;
        let enough = limit(hint).filter(|hint| *hint > 0).unwrap_or(usize::MAX);
        let (lines, mut total) = (PyList::empty(py), 0);
        while total < enough {
            let line = self.read_line(py, None)?;
            let len = line.bind(py).as_bytes().len();
            if len == 0 {
                break;
            }
            total += len;
            lines.append(line)?;
        }
        Ok(lines)
    }

    fn close(&self) -> PyResult<()> {
        self.check("close")
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        this.check("iter")?;
        Ok(this)
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyBytes>>> {
        self.check("iter")?;
        let line = self.read_line(py, None)?;
        Ok((!line.bind(py).as_bytes().is_empty()).then_some(line))
    }
}
