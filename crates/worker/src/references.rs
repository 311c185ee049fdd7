//! Who else has a Python object.

use pyo3::ffi;
use pyo3::prelude::*;

/// Whether there are as many references to an object, and no more can come to be. Never said without a GIL: another thread
/// may be taking one just now.
pub(crate) fn has_references<T>(object: &Py<T>, count: isize, _attached: Python<'_>) -> bool {
    // SAFETY: the object lives, and its count changes only with the GIL, which the caller has.
    cfg!(not(Py_GIL_DISABLED)) && unsafe { ffi::Py_REFCNT(object.as_ptr()) } == count
}
