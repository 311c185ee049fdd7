//! Pools: memory that is freed all at once, and what is to be done then.

use core::ffi::{CStr, c_char, c_void};
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::sys;

/// An APR pool that lives for `'p`.
#[derive(Clone, Copy)]
pub struct Pool<'p> {
    raw: NonNull<sys::apr_pool_t>,
    alive: PhantomData<&'p ()>,
}

impl<'p> Pool<'p> {
    /// # Safety
    ///
    /// `raw` is a pool that lives for `'p`, used by this thread alone.
    pub(crate) unsafe fn from_raw(raw: *mut sys::apr_pool_t) -> Self {
        debug_assert!(!raw.is_null());
        // SAFETY: a live pool is not NULL.
        Self { raw: unsafe { NonNull::new_unchecked(raw) }, alive: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> *mut sys::apr_pool_t {
        self.raw.as_ptr()
    }

    /// Copies `text` into the pool. What follows a NUL inside it is not seen by C code.
    #[must_use]
    pub fn copy(self, text: &[u8]) -> &'p CStr {
        let start = self.copy_raw(text);
        // SAFETY: apr_pstrmemdup ends its copy with a NUL, and the copy lives as long as the pool.
        unsafe { CStr::from_ptr(start) }
    }

    /// Copies `text` into the pool, for a field or a table that httpd reads.
    pub(crate) fn copy_raw(self, text: &[u8]) -> *mut c_char {
        // SAFETY: the pool is live; APR reads exactly the bytes of `text` and aborts when memory
        // is out, it never returns NULL.
        unsafe { sys::apr_pstrmemdup(self.as_ptr(), text.as_ptr().cast(), text.len()) }
    }

    /// Gives `value` to the pool, which drops it when the pool is cleared or destroyed.
    pub fn own<T: 'static>(self, value: T) -> NonNull<T> {
        let owned = NonNull::from(Box::leak(Box::new(value)));
        self.on_end(owned.as_ptr().cast(), drop_boxed::<T>);
        owned
    }

    /// Calls `end(data)` when the pool is cleared or destroyed, but not in a child that is about
    /// to exec.
    pub(crate) fn on_end(
        self,
        data: *mut c_void,
        end: unsafe extern "C" fn(*mut c_void) -> sys::apr_status_t,
    ) {
        // SAFETY: the pool is live; `apr_pool_cleanup_null` is APR's own "nothing to do".
        unsafe {
            sys::apr_pool_cleanup_register(
                self.as_ptr(),
                data,
                Some(end),
                Some(sys::apr_pool_cleanup_null),
            );
        }
    }
}

/// Drops a `Box<T>` that [`Pool::own`] leaked.
unsafe extern "C" fn drop_boxed<T>(data: *mut c_void) -> sys::apr_status_t {
    let drop_it = || {
        // SAFETY: `own` leaked this box and registered it for exactly one cleanup.
        drop(unsafe { Box::from_raw(data.cast::<T>()) });
        sys::APR_SUCCESS
    };
    crate::entry::guard("pool cleanup", sys::APR_EGENERAL, drop_it)
}
