//! Runs one request.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use pinion_unix::clock;
use pinion_wire::answer::End;
use pinion_wire::request::RequestRef;
use pinion_wsgi::response::OutputError;
use pyo3::exceptions::{PyAttributeError, PyOSError, PySystemExit, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::environ::Maker;
use crate::exchange::{DEBUG, ERROR, Exchange, INFO, NotSent};
use crate::files::FileWrapper;
use crate::response::SHORT_DATA;
use crate::retry::Failed;
use crate::scripts::{Found, Script};
use crate::start_response::StartResponse;
use crate::worker::Worker;
use crate::{control, events, fork, interrupt, trouble};
use pinion_wire::message::{Bit, RetireReason};

/// Runs a request and says how it ended. Whatever happens, the exchange can be finished afterwards. `may_reload`:
/// where the script says that it is out of date, nothing is run.
pub(crate) fn run(
    py: Python<'_>,
    worker: &Worker,
    maker: &Maker,
    request: &RequestRef<'_>,
    exchange: &Arc<Exchange>,
    may_reload: bool,
) -> End {
    exchange.enter();
    let (script, is_new) = match find(py, worker, request.target.script, exchange) {
        Ok(found) => found,
        Err(end) => return end,
    };
    if is_new {
        // Loading is no part of what the application takes.
        maker.begin(clock::monotonic_ns());
    }
    if may_reload && is_out_of_date(py, &script, request.target.script, exchange) {
        return End::Reload;
    }
    let callable = match script.callable(py, request.target.callable) {
        Ok(Some(callable)) => callable,
        Ok(None) => {
            let path = request.target.script.escape_ascii();
            let name = request.target.callable.escape_ascii();
            let text = format!(
                "WSGI0089: Target WSGI script '{path}' does not contain WSGI application '{name}'."
            );
            exchange.log(py, ERROR, &text);
            return End::NoCallable;
        }
        Err(error) => return report(py, request.target.script, exchange, &error),
    };
    let ran = maker.make(py, request, exchange).and_then(|(environ, start)| {
        exchange.kept.set_environ(&environ);
        let callable = if events::is_measured() {
            events::started(py, exchange, callable, request.target.callable)?
        } else {
            callable
        };
        call(&callable, (environ, start), exchange)
    });
    stop_child(py, ran.as_ref().err());
    match ran {
        Ok(()) => End::Complete,
        Err(error) => report(py, request.target.script, exchange, &error),
    }
}

/// Whether the script wants to be loaded anew; what goes wrong as it says so is logged, and then it does not.
fn is_out_of_date(py: Python<'_>, script: &Script, path: &[u8], exchange: &Exchange) -> bool {
    let wish = script.wants_reload(py, path);
    stop_child(py, wish.as_ref().err());
    wish.unwrap_or_else(|error| {
        report(py, path, exchange, &error);
        false
    })
}

/// The beginning of a line in the log, by which people find it.
pub(crate) fn lead(text: &str) -> String {
    format!("mod_wsgi (pid={}): {text}", std::process::id())
}

/// The script, loaded, and whether it has just been; or how the request ends, which was logged.
pub(crate) fn find(
    py: Python<'_>,
    worker: &Worker,
    path: &[u8],
    exchange: &Exchange,
) -> Result<(Arc<Script>, bool), End> {
    let again = |failed: &Failed| {
        let path = path.escape_ascii();
        let text = format!("script '{path}' could not be loaded before: {}", failed.last_line());
        exchange.log(py, ERROR, &lead(&text));
    };
    match worker.scripts.find(py, path) {
        Found::Loaded(script) => return Ok((script, false)),
        Found::New(script) => {
            let bit = Bit::Loaded { script: path.to_owned(), mtime: script.mtime };
            py.detach(|| worker.tell(&bit));
            return Ok((script, true));
        }
        Found::Failed(failed) => {
            exchange.log(py, ERROR, &failed.traceback);
        }
        Found::StillFailed(failed) => again(&failed),
        Found::TryAgain(failed) => {
            again(&failed);
            py.detach(|| worker.retire(RetireReason::LoadAgain));
        }
    }
    stop_child(py, None);
    Err(End::NotLoaded)
}

/// Calls the application and hands on what it returns; closes that in any case.
fn call<'py>(
    callable: &Bound<'py, PyAny>,
    arguments: (Bound<'py, PyDict>, Bound<'py, StartResponse>),
    exchange: &Arc<Exchange>,
) -> PyResult<()> {
    let py = callable.py();
    let result = callable.call1(arguments)?;
    let delivered = deliver(&result, exchange);
    if result.is_exact_instance_of::<PyList>() || result.is_exact_instance_of::<PyTuple>() {
        return delivered;
    }
    let closed = match result.getattr("close") {
        Ok(close) => close.call0().map(drop),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(()),
        Err(error) => {
            let text = "WSGI0194: Lookup of 'close' attribute on WSGI response iterable raised an exception.";
            exchange.log(py, ERROR, text);
            Err(error)
        }
    };
    match (delivered, closed) {
        (Err(error), Err(late)) => {
            let text = trouble::traceback(py, &late);
            exchange.log(py, ERROR, &lead("Exception occurred closing the response."));
            exchange.log(py, ERROR, &text);
            events::failed(py, exchange, &late);
            Err(error)
        }
        (Ok(()), Err(late)) => {
            // The answer is whole; that closing failed is for the log only.
            exchange.log(py, ERROR, &lead("Exception occurred closing the response."));
            exchange.log(py, ERROR, &trouble::traceback(py, &late));
            events::failed(py, exchange, &late);
            Ok(())
        }
        (delivered, Ok(())) => delivered,
    }
}

fn deliver(result: &Bound<'_, PyAny>, exchange: &Exchange) -> PyResult<()> {
    if let Ok(list) = result.cast_exact::<PyList>() {
        if list.len() == 1 && deliver_whole(&list.get_item(0)?, exchange)? {
            return Ok(());
        }
        know_length(list.iter(), exchange, result.py());
        deliver_all(list.iter(), exchange, result.py())?;
    } else if let Ok(tuple) = result.cast_exact::<PyTuple>() {
        if tuple.len() == 1 && deliver_whole(&tuple.get_item(0)?, exchange)? {
            return Ok(());
        }
        know_length(tuple.iter(), exchange, result.py());
        deliver_all(tuple.iter(), exchange, result.py())?;
    } else {
        match result.cast::<FileWrapper>() {
            Ok(wrapper) if deliver_file(wrapper, exchange)? => {}
            _ => deliver_each(result, exchange)?,
        }
    }
    check_started(result.py(), exchange)
}

/// Hands on the only block of an answer, as nearly all have one alone; false where it is not short, or is none: then nothing is done.
fn deliver_whole(block: &Bound<'_, PyAny>, exchange: &Exchange) -> PyResult<bool> {
    let bytes = checked(block)?.as_bytes();
    let is_short = (1..=SHORT_DATA).contains(&bytes.len());
    if is_short {
        exchange.queue_whole(block.py(), bytes)?;
    }
    Ok(is_short)
}

/// All blocks are here, so the body's length is known.
fn know_length<'py>(
    blocks: impl Iterator<Item = Bound<'py, PyAny>>,
    exchange: &Exchange,
    py: Python<'py>,
) {
    let lengths =
        blocks.map(|block| block.cast::<PyBytes>().map_or(0, |block| block.as_bytes().len()));
    let length: usize = lengths.sum();
    exchange.response(py, |response| response.know_length(length as u64));
}

fn check_started(py: Python<'_>, exchange: &Exchange) -> PyResult<()> {
    if exchange.response(py, |response| response.is_started()) {
        return Ok(());
    }
    Err(NotSent::Refused(OutputError::NotStarted).into())
}

/// Hands on blocks that are all here: short ones wait, so that one call sends everything.
fn deliver_all<'py>(
    blocks: impl Iterator<Item = Bound<'py, PyAny>>,
    exchange: &Exchange,
    py: Python<'py>,
) -> PyResult<()> {
    let (mut blocks, mut waiting) = (blocks.peekable(), 0);
    while let Some(block) = blocks.next() {
        let bytes = checked(&block)?;
        let len = bytes.as_bytes().len();
        let is_last = blocks.peek().is_none();
        if exchange.send_again(bytes, false, is_last)? {
            waiting = 0;
            continue;
        }
        waiting += len;
        if len > SHORT_DATA && is_last {
            exchange.send_last(py, bytes.as_bytes())?;
        } else if len > SHORT_DATA || waiting > 2 * SHORT_DATA {
            exchange.send(py, bytes.as_bytes(), false)?;
            waiting = 0;
        } else if len > 0 {
            exchange.queue(py, bytes.as_bytes())?;
        }
    }
    Ok(())
}

/// Hands on each block as the application yields it.
fn deliver_each(result: &Bound<'_, PyAny>, exchange: &Exchange) -> PyResult<()> {
    let py = result.py();
    for block in result.try_iter()? {
        let block = block?;
        let bytes = checked(&block)?;
        if !bytes.as_bytes().is_empty() && !exchange.send_again(bytes, true, false)? {
            exchange.send(py, bytes.as_bytes(), true)?;
        }
    }
    Ok(())
}

fn checked<'a, 'py>(block: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    if let Ok(bytes) = block.cast_exact::<PyBytes>() {
        return Ok(bytes);
    }
    if let Ok(bytes) = block.cast::<PyBytes>() {
        return Ok(bytes);
    }
    let kind = block.get_type().name()?;
    Err(PyTypeError::new_err(format!("response iterable must yield bytes, not {kind}")))
}

/// Has the front door send a file; false when it must be iterated.
fn deliver_file(wrapper: &Bound<'_, FileWrapper>, exchange: &Exchange) -> PyResult<bool> {
    let py = wrapper.py();
    let Some(file) = wrapper.get().sendable(py) else { return Ok(false) };
    // SAFETY: the wrapper keeps the file-like object, which owns the descriptor, until it is closed after this.
    let descriptor = unsafe { BorrowedFd::borrow_raw(file.descriptor) };
    exchange.send_file(py, descriptor, file.offset, file.left)?;
    Ok(true)
}

/// Logs an exception of the application.
fn report(py: Python<'_>, path: &[u8], exchange: &Exchange, error: &PyErr) -> End {
    if exchange.is_gone() {
        exchange.log(py, DEBUG, &lead("the client has closed the connection"));
        return End::Failed;
    }
    if exchange.has_failed_body() && error.is_instance_of::<PyOSError>(py) {
        exchange.log(py, DEBUG, &lead("the request's body could not be read"));
        exchange.log(py, DEBUG, &trouble::traceback(py, error));
        return End::BodyFailed;
    }
    if interrupt::is_timeout(py, error) {
        let what = if exchange.response(py, |response| response.is_head_gone()) {
            "Request interrupted by RequestTimeout after headers sent; response truncated."
        } else {
            "Request interrupted by RequestTimeout; thread recovered."
        };
        exchange.log(py, INFO, what);
        return End::Interrupted;
    }
    exchange.log(py, ERROR, &trouble::report(py, path, error));
    events::failed(py, exchange, error);
    End::Failed
}

/// A child that the application has forked ends here instead of answering.
pub(crate) fn stop_child(py: Python<'_>, error: Option<&PyErr>) {
    if !fork::is_child() {
        return;
    }
    let exit = error.filter(|error| error.is_instance_of::<PySystemExit>(py));
    let status = match (exit, error) {
        (Some(exit), _) => match exit.value(py).getattr("code") {
            Ok(code) if code.is_none() => 0,
            Ok(code) => code.extract().unwrap_or(1),
            Err(_) => 1,
        },
        (None, Some(_)) => 1,
        (None, None) => 0,
    };
    control::leave(status)
}
