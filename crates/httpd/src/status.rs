//! What functions of APR return, and what hooks return.

use core::ffi::{CStr, c_char, c_int};

use crate::sys;

/// A failure that APR reports (`apr_status_t`): an errno, or one of APR's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} (status {code})", self.text(), code = .0)]
pub struct Status(sys::apr_status_t);

impl Status {
    /// Something failed for which APR has no better name (`APR_EGENERAL`).
    pub(crate) const GENERAL: Self = Self(sys::APR_EGENERAL);

    /// `Ok` for `APR_SUCCESS`, else the failure.
    pub(crate) fn check(code: sys::apr_status_t) -> Result<(), Self> {
        if code == sys::APR_SUCCESS { Ok(()) } else { Err(Self(code)) }
    }

    /// The number, as APR defines it.
    #[must_use]
    pub fn code(self) -> i32 {
        self.0
    }

    /// Whether httpd's `Timeout` ran out (`APR_STATUS_IS_TIMEUP`).
    #[must_use]
    pub fn is_timeout(self) -> bool {
        self.0 == sys::APR_TIMEUP
    }

    /// APR's words for it.
    fn text(self) -> String {
        let mut buffer = [0; 200];
        let start: *mut c_char = buffer.as_mut_ptr();
        // SAFETY: APR writes at most the length it is told, with a NUL, and returns the buffer.
        unsafe { sys::apr_strerror(self.0, start, buffer.len()) };
        // SAFETY: the buffer is NUL-terminated: APR terminated it, or it still is all zeros.
        unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
    }
}

/// What a request hook answers httpd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This module has dealt with it (`OK`).
    Ok,
    /// Not this module's business (`DECLINED`).
    Declined,
    /// The response has been sent; skip what is left of processing (`DONE`).
    Done,
    /// httpd is to answer with the error page of this HTTP status.
    Http(u16),
    /// Any other value that one of httpd's own functions returned, passed on as it is.
    Raw(i32),
}

impl Answer {
    /// The HTTP status of the error page that httpd is to answer with, if it is that.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Http(status) => Some(status),
            Self::Raw(code) => u16::try_from(code).ok().filter(|code| *code >= 100),
            Self::Ok | Self::Declined | Self::Done => None,
        }
    }

    /// The value that goes back to httpd.
    pub(crate) fn code(self) -> c_int {
        match self {
            Self::Ok => sys::OK,
            Self::Declined => sys::DECLINED,
            Self::Done => sys::DONE,
            Self::Http(status) => c_int::from(status),
            Self::Raw(code) => code,
        }
    }
}

/// A start-up hook failed and has logged why; httpd will not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server cannot start with this configuration")]
pub struct Failed;
