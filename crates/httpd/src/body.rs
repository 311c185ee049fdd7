//! Reading the body of a request.

use core::ptr::null;

use crate::brigade::{Blocking, Brigade};
use crate::request::Request;
use crate::status::{Answer, Status};
use crate::sys;

/// What one read of the body brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// How many bytes were handed out.
    pub bytes: usize,
    /// Whether the body has ended.
    pub ended: bool,
}

/// Why the body cannot be read (on).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request's body cannot be read: {status}")]
pub struct BodyError {
    /// What httpd's input filters report.
    pub status: Status,
    /// What a handler should answer httpd, if no response has begun.
    pub answer: Answer,
}

impl BodyError {
    fn new(code: sys::apr_status_t) -> Result<(), Self> {
        Status::check(code).map_err(|status| {
            // SAFETY: a pure mapping of one number to another.
            let answer = unsafe { sys::ap_map_http_request_error(code, sys::HTTP_BAD_REQUEST) };
            Self { status, answer: Answer::Raw(answer) }
        })
    }
}

impl<'r> Request<'r> {
    /// Looks at the headers that describe the body: refuses a bad or missing length and transfer
    /// codings other than chunked, and chunked ones too unless they are `allowed`.
    ///
    /// Reads nothing. `Err` is the answer for httpd: 400, 411, 501.
    pub fn prepare_body(self, chunked_allowed: bool) -> Result<(), Answer> {
        let policy =
            if chunked_allowed { sys::REQUEST_CHUNKED_DECHUNK } else { sys::REQUEST_CHUNKED_ERROR };
        // SAFETY: the request is live.
        match unsafe { sys::ap_setup_client_block(self.as_ptr(), policy) } {
            sys::OK => Ok(()),
            code => Err(Answer::Raw(code)),
        }
    }

    /// The length that the headers give, in bytes, once
    /// [`prepare_body`](Self::prepare_body) has looked; 0 for a chunked body.
    #[must_use]
    pub fn announced_length(self) -> u64 {
        // SAFETY: the request is live.
        let remaining = unsafe { (*self.as_ptr()).remaining };
        u64::try_from(remaining).unwrap_or(0)
    }

    /// Reads at most `most` bytes of the body and hands them to `take`, slice by slice.
    ///
    /// Not blocking, nothing may have come: 0 bytes, not ended.
    pub fn read_body(
        self,
        brigade: &mut Brigade<'r>,
        most: usize,
        blocking: Blocking,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Filled, BodyError> {
        brigade.clear();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        // SAFETY: the request is live.
        let filters = unsafe { (*self.as_ptr()).input_filters };
        // SAFETY: filter chain and brigade are live.
        let code = unsafe {
            sys::ap_get_brigade(
                filters,
                brigade.as_ptr(),
                sys::AP_MODE_READBYTES,
                blocking.mode(),
                most,
            )
        };
        if code == sys::APR_EAGAIN && blocking == Blocking::No {
            return Ok(Filled { bytes: 0, ended: false });
        }
        BodyError::new(code)?;
        let filled = drain(brigade, &mut take);
        brigade.clear();
        filled
    }
}

/// Hands out the data of a brigade that input filters filled.
fn drain(brigade: &mut Brigade<'_>, take: &mut impl FnMut(&[u8])) -> Result<Filled, BodyError> {
    let mut filled = Filled { bytes: 0, ended: false };
    // SAFETY: the brigade is live.
    let end = unsafe { sys::apr_brigade_sentinel(brigade.as_ptr()) };
    loop {
        // SAFETY: the brigade is live.
        let bucket = unsafe { sys::apr_brigade_first(brigade.as_ptr()) };
        if bucket == end || filled.ended {
            return Ok(filled);
        }
        // SAFETY: a bucket in a live brigade is live.
        let kind = unsafe { (*bucket).type_ };
        if core::ptr::eq(kind, &raw const sys::apr_bucket_type_eos) {
            filled.ended = true;
        }
        // SAFETY: a bucket's type is a static of the library that made the bucket.
        else if unsafe { (*kind).is_metadata } == sys::APR_BUCKET_DATA {
            filled.bytes += read_bucket(bucket, take)?;
        }
        // SAFETY: the bucket is the brigade's first; nothing refers to it any more.
        unsafe { sys::apr_bucket_delete(bucket) };
    }
}

fn read_bucket(
    bucket: *mut sys::apr_bucket,
    take: &mut impl FnMut(&[u8]),
) -> Result<usize, BodyError> {
    let mut start = null();
    let mut length = 0;
    // SAFETY: `drain` passes a bucket of a live brigade.
    let code =
        unsafe { sys::apr_bucket_read(bucket, &mut start, &mut length, sys::APR_BLOCK_READ) };
    BodyError::new(code)?;
    if length > 0 {
        // SAFETY: the bucket's data stays as it is until the bucket is deleted, after this.
        take(unsafe { core::slice::from_raw_parts(start.cast(), length) });
    }
    Ok(length)
}
