//! Bytes objects that are made of what is read, without a copy between.

use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::target::Target;

/// A bytes object of what `fill` puts into the memory for `length` bytes: so many, or fewer.
///
/// # Errors
/// Python has no such memory, or those of `fill`.
pub(crate) fn read_into<E: From<PyErr>>(
    py: Python<'_>,
    length: usize,
    fill: impl FnOnce(&mut Target<'_>) -> Result<(), E>,
) -> Result<Py<PyBytes>, E> {
    let size = isize::try_from(length).map_err(|error| E::from(error.into()))?;
    // SAFETY: the GIL is held. Without a source, Python leaves the bytes as they are in memory.
    let bytes = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), size) };
    // SAFETY: the call gives a new reference, or NULL and an exception.
    let bytes = unsafe { Bound::from_owned_ptr_or_err(py, bytes) }?;
    // SAFETY: it is a bytes object, so this is where its bytes are.
    let start = unsafe { ffi::PyBytes_AsString(bytes.as_ptr()) };
    // SAFETY: there are `length` bytes, which nobody else knows of while this is the only reference to the object. (Python gives the
    // same object again and again where it is empty: then there is nothing to write.)
    let room = unsafe { std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<u8>>(), length) };
    let mut target = Target::new(room);
    fill(&mut target)?;
    if target.left() > 0 {
        return Ok(PyBytes::new(py, target.filled()).unbind());
    }
    // SAFETY: it is a bytes object, all of whose bytes are written now.
    Ok(unsafe { bytes.cast_into_unchecked::<PyBytes>() }.unbind())
}
