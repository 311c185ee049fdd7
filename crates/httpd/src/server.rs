//! Virtual hosts and the main server.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;
use std::os::fd::BorrowedFd;

use crate::pool::Pool;
use crate::sys;
use crate::text::c_str;

/// The main server or a virtual host, live for `'s`: until the configuration is thrown away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Server<'s> {
    raw: NonNull<sys::server_rec>,
    alive: PhantomData<&'s ()>,
}

impl<'s> Server<'s> {
    /// # Safety
    ///
    /// `raw` is a server of a configuration that lives for `'s`.
    pub(crate) unsafe fn from_raw(raw: *mut sys::server_rec) -> Self {
        debug_assert!(!raw.is_null());
        // SAFETY: a live server is not NULL.
        Self { raw: unsafe { NonNull::new_unchecked(raw) }, alive: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> *mut sys::server_rec {
        self.raw.as_ptr()
    }

    /// `ServerName` without its port; httpd's guess where none is configured.
    #[must_use]
    pub fn name(self) -> Option<&'s CStr> {
        // SAFETY: the server is live.
        let text = unsafe { (*self.as_ptr()).server_hostname };
        // SAFETY: the string lives in the configuration's pool.
        unsafe { c_str(text) }
    }

    /// The port that `ServerName` gives, else 0.
    #[must_use]
    pub fn port(self) -> u16 {
        // SAFETY: the server is live.
        unsafe { (*self.as_ptr()).port }
    }

    /// The port of the virtual host's first address (`<VirtualHost *:PORT>`), 0 for any.
    #[must_use]
    pub fn address_port(self) -> u16 {
        // SAFETY: the server is live.
        let address = unsafe { (*self.as_ptr()).addrs };
        if address.is_null() {
            return 0;
        }
        // SAFETY: the address lives as long as its server.
        unsafe { (*address).host_port }
    }

    /// Whether this is a `<VirtualHost>`.
    #[must_use]
    pub fn is_virtual(self) -> bool {
        // SAFETY: the server is live.
        unsafe { (*self.as_ptr()).is_virtual != 0 }
    }

    /// The next server in httpd's list.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        // SAFETY: the server is live.
        let next = unsafe { (*self.as_ptr()).next };
        // SAFETY: the list belongs to one configuration.
        (!next.is_null()).then(|| unsafe { Self::from_raw(next) })
    }

    /// This server and those after it; from the main server, all of them.
    #[must_use]
    pub fn and_following(self) -> Servers<'s> {
        Servers(Some(self))
    }

    /// The pool that lives as long as the parent process, across restarts.
    #[must_use]
    pub fn process_pool(self) -> Pool<'static> {
        // SAFETY: the server is live.
        let process = unsafe { (*self.as_ptr()).process };
        // SAFETY: httpd sets the process of every server, once for all.
        let pool = unsafe { (*process).pool };
        // SAFETY: the pool is destroyed when the process ends.
        unsafe { Pool::from_raw(pool) }
    }

    /// The file or pipe behind `ErrorLog`; `None` for syslog, or while none is open yet.
    #[must_use]
    pub fn error_log(self) -> Option<BorrowedFd<'s>> {
        // SAFETY: the server is live.
        let file = unsafe { (*self.as_ptr()).error_log };
        if file.is_null() {
            return None;
        }
        let mut descriptor = -1;
        // SAFETY: the log file lives as long as the configuration.
        let status = unsafe { sys::apr_os_file_get(&raw mut descriptor, file) };
        // SAFETY: the descriptor is open as long as the log file is.
        (status == sys::APR_SUCCESS && descriptor >= 0)
            .then(|| unsafe { BorrowedFd::borrow_raw(descriptor) })
    }

    /// The configuration file that defines the server; `None` for the main server.
    #[must_use]
    pub fn defined_in(self) -> Option<&'s CStr> {
        // SAFETY: the server is live.
        let text = unsafe { (*self.as_ptr()).defn_name };
        // SAFETY: the string lives in the configuration's pool.
        unsafe { c_str(text) }
    }

    /// The line of [`defined_in`](Self::defined_in) on which it begins.
    #[must_use]
    pub fn defined_at_line(self) -> u32 {
        // SAFETY: the server is live.
        unsafe { (*self.as_ptr()).defn_line_number }
    }

    /// `Timeout`, in microseconds.
    #[must_use]
    pub fn timeout_micros(self) -> i64 {
        // SAFETY: the server is live.
        unsafe { (*self.as_ptr()).timeout }
    }
}

/// Walks httpd's list of servers.
pub struct Servers<'s>(Option<Server<'s>>);

impl<'s> Iterator for Servers<'s> {
    type Item = Server<'s>;

    fn next(&mut self) -> Option<Server<'s>> {
        let server = self.0?;
        self.0 = server.next();
        Some(server)
    }
}
