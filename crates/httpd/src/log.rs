//! httpd's error log. Messages are passed as data, never as a format.

use core::ffi::{CStr, c_int};
use core::ptr::null;
use core::sync::atomic::{AtomicI32, Ordering};

use crate::connection::Connection;
use crate::request::Request;
use crate::server::Server;
use crate::sys;

/// "%.*s": the message's length and start follow.
const FORMAT: &CStr = c"%.*s";

/// The longest message handed over at once, in bytes; httpd cuts a line at 8 KiB.
const LONGEST: usize = 8192;

/// The index that httpd gave this module, by which `LogLevel wsgi:debug` finds it.
static MODULE_INDEX: AtomicI32 = AtomicI32::new(sys::APLOG_NO_MODULE);

pub(crate) fn set_module_index(index: c_int) {
    MODULE_INDEX.store(index, Ordering::Relaxed);
}

fn module_index() -> c_int {
    MODULE_INDEX.load(Ordering::Relaxed)
}

/// How grave a message is (`LogLevel`'s names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `emerg`: the system is unusable.
    Emergency,
    /// `alert`: action must be taken at once.
    Alert,
    /// `crit`: a critical condition.
    Critical,
    /// `error`.
    Error,
    /// `warn`.
    Warning,
    /// `notice`: normal but significant; written whatever `LogLevel` says.
    Notice,
    /// `info`.
    Info,
    /// `debug`.
    Debug,
    /// `trace1`, the coarsest of httpd's trace levels.
    Trace,
}

impl Level {
    fn code(self) -> c_int {
        match self {
            Self::Emergency => sys::APLOG_EMERG,
            Self::Alert => sys::APLOG_ALERT,
            Self::Critical => sys::APLOG_CRIT,
            Self::Error => sys::APLOG_ERR,
            Self::Warning => sys::APLOG_WARNING,
            Self::Notice => sys::APLOG_NOTICE,
            Self::Info => sys::APLOG_INFO,
            Self::Debug => sys::APLOG_DEBUG,
            Self::Trace => sys::APLOG_TRACE1,
        }
    }
}

/// The precision of "%.*s" for a message, which is cut where httpd would cut it.
fn precision(message: &[u8]) -> c_int {
    message.len().min(LONGEST) as c_int
}

/// One line in the log of `server`; in the main log, or on standard error, for `None`.
pub fn server(server: Option<Server<'_>>, level: Level, message: &str) {
    write_server(server, level.code(), message.as_bytes());
}

/// One line for whoever starts the server or tests its configuration: on the terminal without
/// date and level while there is one, else in the main log.
pub fn startup(server: Option<Server<'_>>, level: Level, message: &str) {
    write_server(server, level.code() | sys::APLOG_STARTUP, message.as_bytes());
}

fn write_server(server: Option<Server<'_>>, level: c_int, message: &[u8]) {
    let target = server.map_or(null(), |server| server.as_ptr().cast_const());
    // SAFETY: httpd takes NULL for the file and for the server; the format consumes exactly the
    // length and the pointer, and reads no further than that length.
    unsafe {
        sys::ap_log_error_(
            null(),
            0,
            module_index(),
            level,
            0,
            target,
            FORMAT.as_ptr(),
            precision(message),
            message.as_ptr(),
        );
    }
}

/// One line in the log of the request's virtual host, with the client's address.
pub fn request(request: Request<'_>, level: Level, message: &str) {
    request_bytes(request, level, message.as_bytes());
}

/// As [`request`](fn@request), for bytes of any encoding; httpd escapes what is not printable.
pub fn request_bytes(request: Request<'_>, level: Level, message: &[u8]) {
    request_from(request, level, None, 0, message);
}

/// As [`request_bytes`], for what was logged at a line of a source file: `%F` of `ErrorLogFormat`.
pub fn request_from(
    request: Request<'_>,
    level: Level,
    file: Option<&CStr>,
    line: u32,
    message: &[u8],
) {
    // SAFETY: as in write_server; the request is live, and so is the name of the file.
    unsafe {
        sys::ap_log_rerror_(
            file.map_or(null(), CStr::as_ptr),
            c_int::try_from(line).unwrap_or(0),
            module_index(),
            level.code(),
            0,
            request.as_ptr(),
            FORMAT.as_ptr(),
            precision(message),
            message.as_ptr(),
        );
    }
}

/// One line in the log of the server that accepted the connection, with the client's address.
pub fn connection(connection: Connection<'_>, level: Level, message: &str) {
    // SAFETY: as in write_server; the connection is live.
    unsafe {
        sys::ap_log_cerror_(
            null(),
            0,
            module_index(),
            level.code(),
            0,
            connection.as_ptr(),
            FORMAT.as_ptr(),
            precision(message.as_bytes()),
            message.as_ptr(),
        );
    }
}

/// The last level that is written to a server's log, as `LogLevel` sets it for this module: from 0 (`emerg`) to 15 (`trace8`).
#[must_use]
pub fn server_limit(server: Server<'_>) -> u8 {
    // SAFETY: the server is live.
    let limit = unsafe { sys::ap_get_server_module_loglevel(server.as_ptr(), module_index()) };
    u8::try_from(limit).unwrap_or(0)
}

/// Whether a message of this level would be written for the request: saves building it.
#[must_use]
pub fn is_wanted(request: Request<'_>, level: Level) -> bool {
    // SAFETY: the request is live; httpd takes -1 for "no module".
    let limit = unsafe { sys::ap_get_request_module_loglevel(request.as_ptr(), module_index()) };
    level.code() <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graver_levels_order_first() {
        assert!(Level::Emergency < Level::Error);
        assert!(Level::Error.code() < Level::Trace.code());
    }

    #[test]
    fn a_message_is_cut_where_httpd_cuts_it() {
        assert_eq!(precision(b"abc"), 3);
        assert_eq!(precision(&vec![b'x'; 100_000]), 8192);
    }
}
