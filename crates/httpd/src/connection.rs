//! Client connections.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsFd, FromRawFd};
use std::time::Duration;

use pinion_unix::sockets;

use crate::sys;
use crate::text::c_str;

/// A client's connection, live for `'c`.
#[derive(Clone, Copy)]
pub struct Connection<'c> {
    raw: NonNull<sys::conn_rec>,
    alive: PhantomData<&'c ()>,
}

impl<'c> Connection<'c> {
    /// # Safety
    ///
    /// `raw` is a connection that lives for `'c`.
    pub(crate) unsafe fn from_raw(raw: *mut sys::conn_rec) -> Self {
        debug_assert!(!raw.is_null());
        // SAFETY: a live connection is not NULL.
        Self { raw: unsafe { NonNull::new_unchecked(raw) }, alive: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> *mut sys::conn_rec {
        self.raw.as_ptr()
    }

    pub(crate) fn bucket_allocator(self) -> *mut sys::apr_bucket_alloc_t {
        // SAFETY: the connection is live.
        unsafe { (*self.as_ptr()).bucket_alloc }
    }

    /// Whether writing to the client has failed: it has gone away.
    #[must_use]
    pub fn is_aborted(self) -> bool {
        // SAFETY: the connection is live.
        unsafe { (*self.as_ptr()).aborted != 0 }
    }

    /// Whether the client has closed its side of the connection. Looks at the socket.
    #[must_use]
    pub fn has_hung_up(self) -> bool {
        // SAFETY: the connection is live.
        let socket = unsafe { sys::ap_get_conn_socket(self.as_ptr()) };
        if socket.is_null() {
            return false;
        }
        let mut descriptor = -1;
        // SAFETY: the socket lives as long as its connection.
        unsafe { sys::apr_os_sock_get(&raw mut descriptor, socket) };
        if descriptor < 0 {
            // httpd itself has closed it.
            return true;
        }
        // SAFETY: the connection keeps the descriptor open; ManuallyDrop keeps it from being
        // closed here.
        let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(descriptor) });
        if !sockets::readable(stream.as_fd(), Some(Duration::ZERO)).unwrap_or(true) {
            return false;
        }
        // Something is there, so this does not wait: bytes, an error, or the end.
        matches!(stream.peek(&mut [0]), Ok(0) | Err(_))
    }

    /// Has httpd close the connection behind the response instead of waiting for another request.
    pub fn close_after(self) {
        // SAFETY: the connection is live.
        unsafe { (*self.as_ptr()).keepalive = sys::AP_CONN_CLOSE };
    }

    /// The connection's number, unique in this server while the connection lives.
    #[must_use]
    pub fn id(self) -> i64 {
        // SAFETY: the connection is live.
        unsafe { (*self.as_ptr()).id }
    }

    /// The address of the peer, which may be a proxy.
    #[must_use]
    pub fn client_ip(self) -> Option<&'c CStr> {
        // SAFETY: the connection is live.
        let text = unsafe { (*self.as_ptr()).client_ip };
        // SAFETY: the string lives in the connection's pool.
        unsafe { c_str(text) }
    }

    /// The address of this server that the client reached.
    #[must_use]
    pub fn local_ip(self) -> Option<&'c CStr> {
        // SAFETY: the connection is live.
        let text = unsafe { (*self.as_ptr()).local_ip };
        // SAFETY: the string lives in the connection's pool.
        unsafe { c_str(text) }
    }

    /// The port of this server that the client reached.
    #[must_use]
    pub fn local_port(self) -> u16 {
        // SAFETY: the connection is live.
        let address = unsafe { (*self.as_ptr()).local_addr };
        if address.is_null() {
            return 0;
        }
        // SAFETY: the address lives as long as its connection.
        unsafe { (*address).port }
    }

    /// How many requests this connection has served before this one.
    #[must_use]
    pub fn keepalives(self) -> u32 {
        // SAFETY: the connection is live.
        let count = unsafe { (*self.as_ptr()).keepalives };
        u32::try_from(count).unwrap_or(0)
    }
}
