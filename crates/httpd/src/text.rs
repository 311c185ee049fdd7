//! C strings in httpd's memory.

use core::ffi::{CStr, c_char};

/// The string at `pointer`, or `None` for NULL.
///
/// # Safety
///
/// `pointer` is NULL or a NUL-terminated string that stays as it is for `'a`; httpd's strings in a
/// pool do for as long as the pool lives.
pub(crate) unsafe fn c_str<'a>(pointer: *const c_char) -> Option<&'a CStr> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not NULL; the rest is the caller's promise.
    Some(unsafe { CStr::from_ptr(pointer) })
}

/// The bytes at `pointer`, none for NULL.
///
/// # Safety
///
/// As [`c_str`].
pub(crate) unsafe fn bytes<'a>(pointer: *const c_char) -> &'a [u8] {
    // SAFETY: passed on from the caller.
    unsafe { c_str(pointer) }.map_or(&[], CStr::to_bytes)
}
