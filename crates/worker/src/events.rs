//! Telling applications of their requests. While nobody wants to know, this is one look at a flag for each request.
//!
//! `python/pinion_module.py` has the other half: who has subscribed, and what an event says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pinion_wire::answer::End;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::exchange::{self, Exchange};
use crate::trouble;
use crate::worker::{self, Worker};

/// Whether requests are measured: somebody subscribed, asked which of them run, or has metrics recorded.
static MEASURED: AtomicBool = AtomicBool::new(false);
/// Makes Python's object for one request, from its environ and its `request_data`.
static WATCH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Has requests measured from now on.
pub(crate) fn measure(worker: &Worker) {
    worker.metrics.turn_on();
    MEASURED.store(true, Ordering::Release);
}

/// Has Python told of requests from now on, through what `watch` returns for each.
pub(crate) fn watch(py: Python<'_>, worker: &Worker, watch: Py<PyAny>) {
    // It is the same object each time.
    let _ = WATCH.set(py, watch);
    measure(worker);
}

/// Whether requests are measured.
pub(crate) fn is_measured() -> bool {
    MEASURED.load(Ordering::Acquire)
}

/// A request begins.
pub(crate) fn begin(exchange: &Exchange) {
    if is_measured() {
        exchange.kept.measure();
    }
}

/// Python's object for a request, which is made when it is first needed. None for the worker's own requests.
fn watched<'py>(py: Python<'py>, exchange: &Exchange) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(watch) = WATCH.get(py).filter(|_| exchange.has_peer()) else { return Ok(None) };
    if let Some(known) = exchange.kept.watched(py) {
        return Ok(Some(known));
    }
    let Some(environ) = exchange.kept.environ(py) else { return Ok(None) };
    let made = watch.bind(py).call1((environ, exchange.kept.data(py)))?;
    exchange.kept.set_watched(&made);
    Ok(Some(made))
}

/// The application is about to be called. Returns what to call: a subscriber may have wrapped it.
pub(crate) fn started<'py>(
    py: Python<'py>,
    exchange: &Exchange,
    callable: Bound<'py, PyAny>,
    name: &[u8],
) -> PyResult<Bound<'py, PyAny>> {
    let (Some(watched), Some(worker)) = (watched(py, exchange)?, worker::worker()) else {
        return Ok(callable);
    };
    let name = String::from_utf8_lossy(name);
    let connects = u32::from(!worker.spec.group.name.is_empty());
    watched.call_method1("started", (callable, name, connects))
}

/// `start_response` was called with these arguments.
pub(crate) fn responded(exchange: &Exchange, arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
    if let Some(watched) = watched(arguments.py(), exchange)? {
        watched.call_method1("responded", arguments.clone())?;
    }
    Ok(())
}

/// An exception came out of the application.
pub(crate) fn failed(py: Python<'_>, exchange: &Exchange, error: &PyErr) {
    let told = watched(py, exchange).and_then(|watched| match watched {
        Some(watched) => {
            let arguments = (error.get_type(py), error.value(py), error.traceback(py));
            watched.call_method1("failed", arguments).map(drop)
        }
        None => Ok(()),
    });
    complain(py, told);
}

/// The answer was sent.
pub(crate) fn finished(py: Python<'_>, exchange: &Arc<Exchange>, end: End) {
    let environ = exchange.kept.environ(py);
    if let Some(environ) = environ.filter(|_| exchange.has_peer()) {
        // `request_data()` still works in subscribers.
        exchange.enter();
        complain(py, tell_finished(py, exchange, &environ, end));
        exchange::leave();
    }
    drop(exchange.kept.forget(py));
}

fn tell_finished(
    py: Python<'_>,
    exchange: &Exchange,
    environ: &Bound<'_, PyDict>,
    end: End,
) -> PyResult<()> {
    let Some(watched) = watched(py, exchange)? else { return Ok(()) };
    let begun = environ.get_item("mod_wsgi.application_start")?;
    let begun = begun.and_then(|begun| begun.extract().ok()).unwrap_or(0.0);
    let status = status(py, exchange, end);
    let event = exchange.kept.measure().end(py, status, begun, exchange.meter())?;
    watched.call_method1("finished", (event,)).map(drop)
}

/// What the application said, or what the client gets for what it did not say.
fn status(py: Python<'_>, exchange: &Exchange, end: End) -> u16 {
    match (end, exchange.code(py)) {
        (End::Interrupted, _) => 504,
        (End::BodyFailed, 0) => 400,
        (_, 0) => 500,
        (_, code) => code,
    }
}

/// An interrupted subscriber is told as such; nothing else comes out of Python's half.
fn complain(py: Python<'_>, told: PyResult<()>) {
    if let (Err(error), Some(worker)) = (told, worker::worker()) {
        let text = trouble::traceback(py, &error);
        py.detach(|| worker.log(exchange::ERROR, &text));
    }
}
