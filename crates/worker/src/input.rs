//! `wsgi.input`: the request's body, read as the application asks for it.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use pinion_unix::sockets::Wait;
use pinion_wire::Kind;
use pinion_wire::frame::{self, BODY_LAST};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};

use crate::body::{Body, line_end};
use crate::connection::Received;
use crate::exchange::{Exchange, Gone, Peer};
use crate::http::{BodyError, Client};
use crate::inbox::Inbox;
use crate::metrics::Way;
use crate::worker::worker;

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
    /// The input of a request.
    pub(crate) fn new(exchange: Arc<Exchange>, body: Body) -> Self {
        Self { exchange, body: Mutex::new(body) }
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
                self.receive_from(py, &client, body, needed)?;
                continue;
            }
            let mut wants = Vec::new();
            while let Some(amount) = body.want(needed) {
                let seq = self.exchange.response(py, |response| response.seq);
                frame::push(&mut wants, Kind::Want, 0, seq, &amount.to_le_bytes());
            }
            if !wants.is_empty() {
                self.exchange.send_frame(py, &wants)?;
            }
            self.receive(py, body)?;
        }
    }

    /// Waits for a part of the body from a client of the worker's own front door.
    fn receive_from(
        &self,
        py: Python<'_>,
        client: &Client,
        body: &mut Body,
        needed: u64,
    ) -> Result<(), Failure> {
        let Some(worker) = worker() else { return Err(Failure::Gone) };
        let patience = worker.door.as_ref().map_or(0, |door| door.spec.times.body);
        let (wanted, seq) = (usize::try_from(needed).unwrap_or(usize::MAX), self.exchange.seq());
        let read = self.exchange.detached(py, Way::Input, || {
            body.append(|bytes| client.read_body(seq, bytes, wanted, patience))
        });
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
    fn receive(&self, py: Python<'_>, body: &mut Body) -> Result<(), Failure> {
        let Some(Peer::Front(peer)) = self.exchange.peer() else {
            return Err(Failure::Broken("the request has no connection".to_owned()));
        };
        if let (true, Some(worker)) = (peer.set_watched(false), worker()) {
            // Or each frame of the body would wake another thread, which would find nothing to do.
            let _ = worker.epoll.remove(peer.as_fd());
        }
        let mut inbox = peer.inbox();
        loop {
            match inbox.frame() {
                Ok(Some((header, payload))) => {
                    match header.kind {
                        Kind::Body => {
                            body.feed(
                                inbox.payload(payload.clone()),
                                header.flags & BODY_LAST != 0,
                            );
                        }
                        Kind::BodyFailed => {
                            let reason = String::from_utf8_lossy(inbox.payload(payload.clone()));
                            body.failed = Some(reason.trim_end_matches('.').to_owned());
                            body.asked.clear();
                            self.exchange.fail_body();
                        }
                        other => return Err(Failure::Broken(format!("unexpected {other:?}"))),
                    }
                    inbox.consume(&payload);
                    return Ok(());
                }
                Ok(None) => {}
                Err(error) => return Err(Failure::Broken(error.to_string())),
            }
            let inbox: &mut Inbox = &mut inbox;
            let received =
                self.exchange.detached(py, Way::Input, || peer.receive(inbox, Wait::Yes));
            if received == Received::Gone {
                return Err(self.exchange.lose().into());
            }
        }
    }

    fn read_up_to(&self, py: Python<'_>, size: Option<usize>) -> PyResult<Py<PyBytes>> {
        let mut body = self.body.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let limit = size.unwrap_or(usize::MAX);
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
