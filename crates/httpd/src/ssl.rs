//! What mod_ssl tells other modules about a connection, where it is loaded (mod_ssl.h).

use core::ffi::{CStr, c_char, c_int};

use crate::request::Request;
use crate::sys;
use crate::text::c_str;

/// `ssl_is_https`.
type IsHttps = unsafe extern "C" fn(*mut sys::conn_rec) -> c_int;
/// `ssl_var_lookup`.
type VarLookup = unsafe extern "C" fn(
    *mut sys::apr_pool_t,
    *mut sys::server_rec,
    *mut sys::conn_rec,
    *mut sys::request_rec,
    *mut c_char,
) -> *mut c_char;

/// mod_ssl, asked about one request.
#[derive(Clone, Copy)]
pub struct Ssl<'r> {
    request: Request<'r>,
    is_https: IsHttps,
    var_lookup: VarLookup,
}

impl<'r> Ssl<'r> {
    /// `None` where nobody has these functions.
    #[must_use]
    pub fn of(request: Request<'r>) -> Option<Self> {
        // SAFETY: the name is a string; APR's table of functions is filled before requests are served.
        let is_https = unsafe { sys::apr_dynamic_fn_retrieve(c"ssl_is_https".as_ptr()) }?;
        // SAFETY: as above.
        let var_lookup = unsafe { sys::apr_dynamic_fn_retrieve(c"ssl_var_lookup".as_ptr()) }?;
        // SAFETY: mod_ssl.h declares the function of this name with this signature, for all of 2.4.
        let is_https = unsafe { core::mem::transmute::<unsafe extern "C" fn(), IsHttps>(is_https) };
        // SAFETY: as above.
        let var_lookup =
            unsafe { core::mem::transmute::<unsafe extern "C" fn(), VarLookup>(var_lookup) };
        Some(Self { request, is_https, var_lookup })
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_https(self) -> bool {
        // SAFETY: the request and its connection are live.
        let connection = unsafe { (*self.request.as_ptr()).connection };
        // SAFETY: as above.
        unsafe { (self.is_https)(connection) != 0 }
    }

    /// The value of one of mod_ssl's variables; empty for one that it does not know, `None` where only httpd's own core
    /// answers, which has the functions too.
    #[must_use]
    pub fn variable(self, name: &CStr) -> Option<&'r CStr> {
        let request = self.request.as_ptr();
        let pool = self.request.pool();
        let name = pool.copy_raw(name.to_bytes());
        // SAFETY: the request is live.
        let server = unsafe { (*request).server };
        // SAFETY: as above.
        let connection = unsafe { (*request).connection };
        // SAFETY: all are live, and the name is a string of the request's pool.
        let value = unsafe { (self.var_lookup)(pool.as_ptr(), server, connection, request, name) };
        // SAFETY: the value lives in the pool, or is constant.
        unsafe { c_str(value) }
    }
}
