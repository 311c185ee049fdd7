//! Texts as WSGI has them: Latin-1 in str.

use std::ffi::c_char;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

unsafe extern "C" {
    /// Every CPython from 3.3 on has it; it counts as stable only from 3.10 on, so that `ffi` leaves it out.
    fn PyUnicode_AsUTF8AndSize(
        text: *mut ffi::PyObject,
        size: *mut ffi::Py_ssize_t,
    ) -> *const c_char;
}

/// The bytes of a str. Those of one that is ASCII, as nearly all are, are the str's own.
pub(crate) enum Latin1<'a, 'py> {
    /// Borrowed from it.
    Ascii(&'a [u8]),
    /// Made of it.
    Other(Bound<'py, PyBytes>),
}

impl<'a, 'py> Latin1<'a, 'py> {
    /// The bytes of `text`.
    ///
    /// # Errors
    /// It is no str, or has characters beyond Latin-1.
    pub(crate) fn of(text: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        if !text.is_exact_instance_of::<PyString>() && !text.is_instance_of::<PyString>() {
            let kind = text.get_type().name()?;
            return Err(PyTypeError::new_err(format!("must be str, not {kind}")));
        }
        if let Some(bytes) = ascii(text) {
            return Ok(Self::Ascii(bytes));
        }
        // SAFETY: the argument is a live str.
        let bytes = unsafe { ffi::PyUnicode_AsLatin1String(text.as_ptr()) };
        // SAFETY: the result is a new reference, or NULL with an exception set.
        let bytes = unsafe { Bound::from_owned_ptr_or_err(text.py(), bytes) }?;
        Ok(Self::Other(bytes.cast_into()?))
    }

    /// They.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Ascii(bytes) => bytes,
            Self::Other(bytes) => bytes.as_bytes(),
        }
    }
}

/// The bytes of a str that is all ASCII.
fn ascii<'a>(text: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    let mut size = 0;
    // SAFETY: the argument is a live str, and `size` a place for its length.
    let start = unsafe { PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size) };
    let (Ok(size), false) = (usize::try_from(size), start.is_null()) else {
        // Half of a surrogate pair; the other way fails too, and says so.
        drop(PyErr::take(text.py()));
        return None;
    };
    // SAFETY: CPython says that there are so many bytes, which the str owns and never changes.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), size) };
    bytes.is_ascii().then_some(bytes)
}
