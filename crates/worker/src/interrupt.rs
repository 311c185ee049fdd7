//! `mod_wsgi.RequestTimeout`, and raising it in a thread.

use std::ffi::c_long;

use pyo3::exceptions::PyBaseException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::worker::Worker;

static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The exception class: derived from `BaseException`, so that `except Exception` does not catch it.
pub(crate) fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    let made = CLASS.get_or_try_init(py, || {
        let base = py.get_type::<PyBaseException>();
        PyErr::new_type(py, c"mod_wsgi.RequestTimeout", None, Some(&base), None)
    });
    made.map(|class| class.bind(py))
}

/// Whether an exception says that the request was interrupted.
pub(crate) fn is_timeout(py: Python<'_>, error: &PyErr) -> bool {
    CLASS.get(py).is_some_and(|class| error.matches(py, class).unwrap_or(false))
}

/// Raises [`class`] in the thread that runs request `seq` of connection number `connection`; returns the thread's
/// number, from 1, if one runs it.
///
/// The thread sees it at its next bytecode: not while it waits inside C code.
pub(crate) fn raise(
    py: Python<'_>,
    worker: &Worker,
    connection: u32,
    seq: u32,
) -> PyResult<Option<usize>> {
    let class = class(py)?.as_ptr();
    let place = worker.posts.interrupt((connection, seq), |thread| {
        // SAFETY: this thread is attached, and the class lives as long as the process. No Python code runs: what the call
        // could replace is the same class.
        unsafe { ffi::PyThreadState_SetAsyncExc(thread, class) == 1 }
    });
    Ok(place.map(|place| place + 1))
}

/// Takes back what [`raise`] asked of the calling thread and the thread has not seen yet: its request is over.
pub(crate) fn take_back(_py: Python<'_>, thread: c_long) {
    // SAFETY: this thread is attached; NULL clears what is pending.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread, std::ptr::null_mut()) };
}
