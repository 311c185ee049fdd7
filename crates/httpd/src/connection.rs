//! Client connections.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};
use std::time::Duration;

use pinion_unix::sockets;

use crate::brigade::{Brigade, Piece};
use crate::module::Module;
use crate::pool::Pool;
use crate::request::Request;
use crate::status::Status;
use crate::sys;
use crate::text::c_str;

/// A connection's socket, to look at.
enum Stream {
    /// There is none: a stream inside another connection.
    None,
    /// httpd itself has closed it.
    Closed,
    /// Here it is.
    Open(ManuallyDrop<TcpStream>),
}

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
        match self.stream() {
            Stream::None => false,
            Stream::Closed => true,
            Stream::Open(stream) => {
                if !sockets::readable(stream.as_fd(), Some(Duration::ZERO)).unwrap_or(true) {
                    return false;
                }
                // Something is there, so this does not wait: bytes, an error, or the end.
                matches!(stream.peek(&mut [0]), Ok(0) | Err(_))
            }
        }
    }

    /// Waits until the client has sent something, or has gone; false when `timeout` (to a millisecond) passes first, or
    /// there is no socket.
    #[must_use]
    pub fn await_client(self, timeout: Duration) -> bool {
        match self.stream() {
            Stream::Open(stream) => {
                sockets::readable(stream.as_fd(), Some(timeout)).unwrap_or(false)
            }
            Stream::None | Stream::Closed => false,
        }
    }

    /// Whether httpd has read something of the next request already, as where a client does not wait for answers, or can now. The socket alone does not
    /// say: input filters keep what they have read beyond a request.
    #[must_use]
    pub fn has_input(self, request: Request<'c>) -> bool {
        // SAFETY: the connection is live.
        let filters = unsafe { (*self.as_ptr()).input_filters };
        let mut brigade = Brigade::new(request);
        let (mode, wait) = (sys::AP_MODE_SPECULATIVE, sys::APR_NONBLOCK_READ);
        // SAFETY: filter chain and brigade are live. What is read in this mode stays with the filters.
        let code = unsafe { sys::ap_get_brigade(filters, brigade.as_ptr(), mode, wait, 1) };
        // SAFETY: the brigade is live.
        let end = unsafe { sys::apr_brigade_sentinel(brigade.as_ptr()) };
        // SAFETY: as above.
        code == 0 && unsafe { sys::apr_brigade_first(brigade.as_ptr()) } != end
    }

    /// As [`Connection::await_client`], but that `bell` rouses, too: true when the client has sent something, or has gone.
    #[must_use]
    pub fn await_client_or(self, bell: BorrowedFd<'_>, timeout: Duration) -> bool {
        match self.stream() {
            Stream::Open(stream) => {
                let ready = sockets::poll_readable([stream.as_fd(), bell], Some(timeout));
                ready.is_ok_and(|[client, _]| client)
            }
            Stream::None | Stream::Closed => false,
        }
    }

    /// Whether at least a third of the socket's buffer for sending is free, so that a short write does not wait.
    #[must_use]
    pub fn has_room(self) -> bool {
        match self.stream() {
            Stream::Open(stream) => sockets::writable_now(stream.as_fd()),
            Stream::None | Stream::Closed => false,
        }
    }

    /// Whether httpd will wait for another request behind this one's response. Decided when the headers have
    /// gone through the filters.
    #[must_use]
    pub fn is_kept_alive(self) -> bool {
        // SAFETY: the connection is live.
        unsafe { (*self.as_ptr()).keepalive == sys::AP_CONN_KEEPALIVE }
    }

    /// Whether this is a stream inside another connection, as with HTTP/2.
    #[must_use]
    pub fn is_secondary(self) -> bool {
        // SAFETY: the connection is live.
        unsafe { !(*self.as_ptr()).master.is_null() }
    }

    /// Sends what filters below the request's still hold back, waiting for the client where needed.
    pub fn flush(self, request: Request<'c>) -> Result<(), Status> {
        // SAFETY: the connection is live.
        let filters = unsafe { (*self.as_ptr()).output_filters };
        Brigade::new(request).pass_to(filters, &[Piece::Flush])
    }

    /// What the module keeps for this connection; a default one at first.
    #[must_use]
    pub fn kept<M: Module>(self) -> &'c M::Kept {
        // SAFETY: the connection is live.
        let vector = unsafe { (*self.as_ptr()).conn_config };
        // SAFETY: as above.
        let pool = unsafe { (*self.as_ptr()).pool };
        // SAFETY: its pool lives as long as it does, and one thread at a time has both.
        let pool = unsafe { Pool::from_raw(pool) };
        // SAFETY: as above; nothing else writes to the module's slot of its vector.
        unsafe { crate::module::kept::<M>(vector, pool) }
    }

    /// The client's socket.
    fn stream(self) -> Stream {
        // SAFETY: the connection is live.
        let socket = unsafe { sys::ap_get_conn_socket(self.as_ptr()) };
        if socket.is_null() {
            return Stream::None;
        }
        let mut descriptor = -1;
        // SAFETY: the socket lives as long as its connection.
        unsafe { sys::apr_os_sock_get(&raw mut descriptor, socket) };
        if descriptor < 0 {
            return Stream::Closed;
        }
        // SAFETY: the connection keeps the descriptor open; ManuallyDrop keeps it from being
        // closed here.
        Stream::Open(ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(descriptor) }))
    }

    /// Sets how long httpd waits for the client in one read or write, and returns what that was before; `None` where it
    /// cannot be set.
    pub fn set_timeout(self, timeout: Duration) -> Option<Duration> {
        // SAFETY: the connection is live.
        let socket = unsafe { sys::ap_get_conn_socket(self.as_ptr()) };
        if socket.is_null() {
            return None;
        }
        let mut before = 0;
        // SAFETY: the socket lives as long as its connection; a place to write to.
        let known = unsafe { sys::apr_socket_timeout_get(socket, &raw mut before) };
        let micros = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: as above.
        let set = unsafe { sys::apr_socket_timeout_set(socket, micros) };
        let before = u64::try_from(before).ok().filter(|_| known == 0 && set == 0)?;
        Some(Duration::from_micros(before))
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

    /// The identifier that error log lines of this connection carry (`%{c}L`), once there is one.
    #[must_use]
    pub fn log_id(self) -> Option<&'c CStr> {
        // SAFETY: the connection is live.
        let text = unsafe { (*self.as_ptr()).log_id };
        // SAFETY: the string lives in the connection's pool.
        unsafe { c_str(text) }
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
