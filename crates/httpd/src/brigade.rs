//! Bucket brigades: what filters pass to one another.

use core::ptr::{NonNull, null, null_mut};
use std::os::fd::{AsRawFd, OwnedFd};

use pinion_unix::area::Outside;

use crate::filters;
use crate::request::Request;
use crate::status::Status;
use crate::sys;

/// Whether to wait for what is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Wait, at most httpd's `Timeout`.
    Yes,
    /// Come back at once.
    No,
}

impl Blocking {
    pub(crate) fn mode(self) -> sys::apr_read_type_e {
        match self {
            Self::Yes => sys::APR_BLOCK_READ,
            Self::No => sys::APR_NONBLOCK_READ,
        }
    }
}

/// An open file that a response's body is taken from. It is closed when the request ends, which
/// is after its response has left.
#[derive(Clone, Copy)]
pub struct SentFile<'r> {
    raw: NonNull<sys::apr_file_t>,
    request: Request<'r>,
}

impl<'r> SentFile<'r> {
    /// Takes an open file over. With `sendfile`, the kernel may copy from it to the client
    /// directly. A file that is shortened meanwhile cuts the response off.
    pub fn adopt(request: Request<'r>, file: OwnedFd, sendfile: bool) -> Result<Self, Status> {
        let mut descriptor = file.as_raw_fd();
        request.pool().own(file);
        let mut raw = null_mut();
        let mode = if sendfile { sys::APR_FOPEN_SENDFILE_ENABLED } else { 0 };
        // SAFETY: APR reads the descriptor and makes its record in the request's pool.
        let status = unsafe {
            sys::apr_os_file_put(
                &raw mut raw,
                &raw mut descriptor,
                sys::APR_FOPEN_READ | mode,
                request.pool().as_ptr(),
            )
        };
        Status::check(status)?;
        NonNull::new(raw).map(|raw| Self { raw, request }).ok_or(Status::GENERAL)
    }
}

/// One piece of what is passed to the client.
#[derive(Clone, Copy)]
pub enum Piece<'d, 'r> {
    /// Bytes that filters copy only if they cannot be sent at once.
    Bytes(&'d [u8]),
    /// Bytes that are copied now: right for short ones, which filters would keep anyway.
    Copied(&'d [u8]),
    /// Bytes that another process may change at any time. Where a filter might look at them they are copied now: no code has to expect
    /// that what it has read once is something else when it reads it again.
    Outside(Outside<'d>),
    /// A part of a file.
    File {
        /// The file.
        file: SentFile<'r>,
        /// Where the part begins, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
    /// What was passed so far is to be sent now.
    Flush,
    /// The response is complete.
    End,
    /// The response cannot be completed: the client must see it cut, so neither is a chunked
    /// body ended nor the connection used again.
    Broken,
}

/// A brigade for one request's body, in either direction.
pub struct Brigade<'r> {
    raw: NonNull<sys::apr_bucket_brigade>,
    request: Request<'r>,
}

impl<'r> Brigade<'r> {
    /// An empty brigade.
    #[must_use]
    pub fn new(request: Request<'r>) -> Self {
        let allocator = request.connection().bucket_allocator();
        // SAFETY: pool and allocator are live.
        let raw = unsafe { sys::apr_brigade_create(request.pool().as_ptr(), allocator) };
        // SAFETY: httpd's pools abort when memory is out, so APR never returns NULL.
        Self { raw: unsafe { NonNull::new_unchecked(raw) }, request }
    }

    /// Appends a copy of `data`, to go with what is passed next.
    pub fn push_copied(&mut self, data: &[u8]) {
        self.push(&Piece::Copied(data));
    }

    /// Passes what was pushed, and then `pieces`, to the client. Fails when the client is gone
    /// or a filter refuses.
    pub fn pass(&mut self, pieces: &[Piece<'_, 'r>]) -> Result<(), Status> {
        // SAFETY: the request is live.
        let filters = unsafe { (*self.request.as_ptr()).output_filters };
        self.pass_to(filters, pieces)
    }

    /// As [`Brigade::pass`], to a live chain of filters of the request or its connection.
    pub(crate) fn pass_to(
        &mut self,
        filters: *mut sys::ap_filter_t,
        pieces: &[Piece<'_, 'r>],
    ) -> Result<(), Status> {
        for piece in pieces {
            match piece {
                // SAFETY: the caller passes a live chain.
                Piece::Outside(bytes) if !unsafe { filters::leave_unread(filters) } => {
                    self.push_outside(*bytes, false);
                }
                piece => self.push(piece),
            }
        }
        // SAFETY: filter chain and brigade are live; the borrowed bytes outlive this call, and
        // filters that keep a transient bucket longer copy it (apr_bucket_setaside).
        let status = unsafe { sys::ap_pass_brigade(filters, self.raw.as_ptr()) };
        self.clear();
        if pieces.iter().any(|piece| matches!(piece, Piece::Broken)) {
            // Not before: httpd sends no chunks on a connection that it is about to close.
            self.request.connection().close_after();
        }
        Status::check(status)
    }

    /// Throws away what it holds.
    pub fn clear(&mut self) {
        // SAFETY: the brigade is live.
        unsafe { sys::apr_brigade_cleanup(self.raw.as_ptr().cast()) };
    }

    pub(crate) fn as_ptr(&mut self) -> *mut sys::apr_bucket_brigade {
        self.raw.as_ptr()
    }

    fn push(&mut self, piece: &Piece<'_, 'r>) {
        let allocator = self.request.connection().bucket_allocator();
        let bucket = match *piece {
            // SAFETY: the allocator is live; `pass` keeps the bytes alive while the bucket is.
            Piece::Bytes(data) => unsafe {
                sys::apr_bucket_transient_create(data.as_ptr().cast(), data.len(), allocator)
            },
            // SAFETY: the allocator is live; without a free function APR copies the bytes.
            Piece::Copied(data) => unsafe {
                sys::apr_bucket_heap_create(data.as_ptr().cast(), data.len(), None, allocator)
            },
            Piece::Outside(bytes) => return self.push_outside(bytes, true),
            Piece::File { file, offset, length } => return self.push_file(file, offset, length),
            // SAFETY: the allocator is live.
            Piece::Flush => unsafe { sys::apr_bucket_flush_create(allocator) },
            // SAFETY: the allocator is live.
            Piece::End => unsafe { sys::apr_bucket_eos_create(allocator) },
            Piece::Broken => self.error_bucket(),
        };
        // SAFETY: the brigade is live and the bucket new.
        unsafe { sys::apr_brigade_insert_tail(self.raw.as_ptr(), bucket) };
    }

    /// `borrowed`: as [`Piece::Bytes`]; otherwise as [`Piece::Copied`].
    fn push_outside(&mut self, bytes: Outside<'_>, borrowed: bool) {
        let allocator = self.request.connection().bucket_allocator();
        let (start, length) = (bytes.as_ptr().cast(), bytes.len());
        let bucket = if borrowed {
            // SAFETY: the allocator is live; `pass` keeps the area mapped while the bucket is.
            unsafe { sys::apr_bucket_transient_create(start, length, allocator) }
        } else {
            // SAFETY: the allocator is live; without a free function APR copies the bytes.
            unsafe { sys::apr_bucket_heap_create(start, length, None, allocator) }
        };
        // SAFETY: the brigade is live and the bucket new.
        unsafe { sys::apr_brigade_insert_tail(self.raw.as_ptr(), bucket) };
    }

    /// 502 is the error that makes httpd's chunk filter leave out the last chunk.
    fn error_bucket(&self) -> *mut sys::apr_bucket {
        let allocator = self.request.connection().bucket_allocator();
        let pool = self.request.pool().as_ptr();
        // SAFETY: allocator and pool are live; httpd takes NULL for no message.
        unsafe { sys::ap_bucket_error_create(sys::HTTP_BAD_GATEWAY, null(), pool, allocator) }
    }

    fn push_file(&mut self, file: SentFile<'r>, offset: u64, length: u64) {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let pool = file.request.pool().as_ptr();
        let (brigade, file) = (self.raw.as_ptr(), file.raw.as_ptr());
        // SAFETY: the brigade is live, and the file as long as the request is.
        let bucket = unsafe { sys::apr_brigade_insert_file(brigade, file, offset, length, pool) };
        // Whoever opened the file may shorten it any moment, and a look at what is mapped would end this process by SIGBUS.
        // SAFETY: APR has just made this bucket, a file's; all parts of one file share the setting.
        unsafe { sys::apr_bucket_file_enable_mmap(bucket, 0) };
    }
}

impl Drop for Brigade<'_> {
    fn drop(&mut self) {
        // SAFETY: the brigade is live, and its destruction takes its cleanup off the pool.
        unsafe { sys::apr_brigade_destroy(self.raw.as_ptr()) };
    }
}
