//! Who else has a Python object.

use pyo3::ffi;
use pyo3::prelude::*;

/// How many references there are to an object, or were a moment ago where other threads run.
pub(crate) fn references<T>(object: &Py<T>, _attached: Python<'_>) -> isize {
    // SAFETY: the object lives, and this thread is attached to the interpreter.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// Whether there are as many references to an object, and no more can come to be. Never said without a GIL: another thread
/// may be taking one just now.
pub(crate) fn has_references<T>(object: &Py<T>, count: isize, attached: Python<'_>) -> bool {
    cfg!(not(Py_GIL_DISABLED)) && references(object, attached) == count
}
