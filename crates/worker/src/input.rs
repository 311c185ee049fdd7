//! `wsgi.input`: the request's body, read as the application asks for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use pinion_unix::sockets::Wait;
use pinion_wire::frame::{self, BODY_LAST};
use pinion_wire::request::BodyLength;
use pinion_wire::Kind;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};

use crate::connection::Received;
use crate::exchange::{Exchange, Gone};
use crate::inbox::Inbox;

/// The most that is asked for and has not come.
const CREDIT: u64 = 64 * 1024;
/// How much is asked for at once while much is needed, so that the next part is on its way while one is used.
const PART: u64 = CREDIT / 2;

/// What is known of a body.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    start: usize,
    /// How many bytes will still come; `None` when that shows at the end.
    coming: Option<u64>,
    ended: bool,
    /// How many bytes each unanswered Want asked for.
    asked: VecDeque<u64>,
    failed: Option<String>,
}

impl Body {
    /// A body whose first bytes are here.
    pub(crate) fn new(length: BodyLength, inline: &[u8]) -> Self {
        let coming = match length {
            BodyLength::Known(length) => Some(length.saturating_sub(inline.len() as u64)),
            BodyLength::Chunked => None,
        };
        Self {
            bytes: inline.to_vec(),
            start: 0,
            coming,
            ended: coming == Some(0),
            asked: VecDeque::new(),
            failed: None,
        }
    }

    fn here(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn take(&mut self, len: usize) -> &[u8] {
        let start = self.start;
        self.start = (start + len).min(self.bytes.len());
        &self.bytes[start..self.start]
    }

    /// What to ask for now so that `needed` more bytes come; `None` when enough is asked for.
    fn want(&mut self, needed: u64) -> Option<u32> {
        let asked: u64 = self.asked.iter().sum();
        let part = if needed > PART { PART } else { CREDIT };
        let left = self.coming.unwrap_or(u64::MAX).saturating_sub(asked);
        let amount = part.min(left).min(CREDIT - asked.min(CREDIT));
        if self.ended || asked >= needed || amount == 0 {
            return None;
        }
        self.asked.push_back(amount);
        u32::try_from(amount).ok()
    }

    /// Takes a frame of the body.
    fn feed(&mut self, payload: &[u8], last: bool) {
        self.asked.pop_front();
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
        let fitting = self.coming.map_or(payload.len(), |coming| {
            usize::try_from(coming).map_or(payload.len(), |coming| coming.min(payload.len()))
        });
        self.bytes.extend_from_slice(&payload[..fitting]);
        self.coming = self.coming.map(|coming| coming - fitting as u64);
        self.ended |= last || self.coming == Some(0);
    }
}

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
            if let Some(reason) = &body.failed {
                return Err(Failure::Broken(reason.clone()));
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

    /// Waits for one frame of the body.
    fn receive(&self, py: Python<'_>, body: &mut Body) -> Result<(), Failure> {
        let Some(peer) = self.exchange.peer() else {
            return Err(Failure::Broken("the request has no connection".to_owned()));
        };
        let mut inbox = peer.inbox();
        loop {
            match inbox.frame() {
                Ok(Some((header, payload))) => {
                    match header.kind {
                        Kind::Body => {
                            body.feed(inbox.payload(payload.clone()), header.flags & BODY_LAST != 0);
                        }
                        Kind::BodyFailed => {
                            let reason = String::from_utf8_lossy(inbox.payload(payload.clone()));
                            body.failed = Some(reason.trim_end_matches('.').to_owned());
                            body.asked.clear();
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
            if py.detach(|| peer.receive(inbox, Wait::Yes)) == Received::Gone {
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
        let taken = take(&mut body, limit);
        drop(body);
        Ok(to_bytes(py, taken))
    }

    fn read_line(&self, py: Python<'_>, limit: Option<usize>) -> PyResult<Py<PyBytes>> {
        let mut body = self.body.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let limit = limit.unwrap_or(usize::MAX);
        self.fill(py, &mut body, |here| (line_end(here, limit).is_none()).then_some(1))?;
        let end = line_end(body.here(), limit).unwrap_or(usize::MAX);
        let taken = take(&mut body, end);
        drop(body);
        Ok(to_bytes(py, taken))
    }
}

/// Where the first line ends, if that is known.
fn line_end(here: &[u8], limit: usize) -> Option<usize> {
    let seen = &here[..here.len().min(limit)];
    let end = seen.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    end.or_else(|| (here.len() >= limit).then_some(limit))
}

/// Bytes taken out of a body: the whole vector when nothing stays.
fn take(body: &mut Body, len: usize) -> Vec<u8> {
    if body.start == 0 && len >= body.bytes.len() {
        return std::mem::take(&mut body.bytes);
    }
    let len = len.min(body.here().len());
    body.take(len).to_vec()
}

fn to_bytes(py: Python<'_>, bytes: Vec<u8>) -> Py<PyBytes> {
    PyBytes::new(py, &bytes).unbind()
}

/// A size as Python's files take it: nothing, None and negative numbers mean all.
fn limit(size: Option<isize>) -> Option<usize> {
    size.and_then(|size| usize::try_from(size).ok())
}

#[pymethods]
impl Input {
    /// Reads `size` bytes, fewer at the end of the body; everything without a size.
    #[pyo3(signature = (size=None, /))]
    fn read(&self, py: Python<'_>, size: Option<isize>) -> PyResult<Py<PyBytes>> {
        self.check("read")?;
        self.read_up_to(py, limit(size))
    }

    /// Reads a line with its end, at most `size` bytes of it.
    #[pyo3(signature = (size=None, /))]
    fn readline(&self, py: Python<'_>, size: Option<isize>) -> PyResult<Py<PyBytes>> {
        self.check("readline")?;
        self.read_line(py, limit(size))
    }

    /// Reads lines until they are `hint` bytes or more together; all without a hint.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(
        &self,
        py: Python<'py>,
        hint: Option<isize>,
    ) -> PyResult<Bound<'py, PyList>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_asked_for_in_two_parts_and_never_beyond_the_length() {
        let mut body = Body::new(BodyLength::Known(100_000), b"");
        assert_eq!(body.want(100_000), Some(32_768));
        assert_eq!(body.want(100_000), Some(32_768));
        assert_eq!(body.want(100_000), None, "64 KiB are on their way");
        body.feed(&[0; 32_768], false);
        assert_eq!(body.want(67_232), Some(32_768));
        body.feed(&[0; 32_768], false);
        body.feed(&[0; 32_768], false);
        assert_eq!(body.want(1_696), Some(1_696));
        assert_eq!(body.want(1_696), None);
        assert!(!body.ended);
        body.feed(&[0; 1_696], false);
        assert!(body.ended);
        assert_eq!((body.want(5), body.here().len()), (None, 100_000));
    }

    #[test]
    fn a_short_answer_makes_room_for_the_next_question() {
        let mut body = Body::new(BodyLength::Known(10), b"ab");
        assert_eq!(body.want(3), Some(8));
        assert_eq!(body.want(3), None);
        body.feed(b"c", false);
        assert_eq!(body.want(2), Some(7));
        body.feed(b"defghijklm", false);
        assert!(body.ended);
        assert_eq!(body.take(20), b"abcdefghij");
    }

    #[test]
    fn a_chunked_body_ends_with_its_last_frame() {
        let mut body = Body::new(BodyLength::Chunked, b"");
        assert_eq!(body.want(u64::MAX), Some(32_768));
        body.feed(b"abc", false);
        assert!(!body.ended);
        body.feed(b"", true);
        assert!(body.ended);
        assert_eq!(body.want(u64::MAX), None);
    }

    #[test]
    fn no_body_asks_for_nothing() {
        let mut body = Body::new(BodyLength::Known(0), b"");
        assert!(body.ended);
        assert_eq!(body.want(1), None);
    }

    #[test]
    fn lines_end_at_line_feeds_and_limits() {
        assert_eq!(line_end(b"ab\ncd", usize::MAX), Some(3));
        assert_eq!(line_end(b"ab\ncd", 2), Some(2));
        assert_eq!(line_end(b"ab", usize::MAX), None);
        assert_eq!(line_end(b"", 0), Some(0));
    }
}
