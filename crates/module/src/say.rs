//! What this module says of a request, in the log of the virtual host that it is for.

use std::ffi::CStr;

use pinion_config::Code;
use pinion_httpd::{
    Request,
    log::{self, Level},
};

use crate::relay::prefix;

/// One line, which names the script as mod_wsgi's lines do.
pub(crate) fn line(request: Request<'_>, level: Level, text: &str) {
    if log::is_wanted(request, level) {
        let script = prefix(request.filename().map_or(b"", CStr::to_bytes));
        log::request_bytes(request, level, &[&script, text.as_bytes()].concat());
    }
}

/// An error with its code and what to do about it.
pub(crate) fn error(request: Request<'_>, code: Code, text: &str) {
    let hint = code.entry().action;
    let stop = if text.ends_with('.') { "" } else { ";" };
    line(request, Level::Error, &format!("{code}: {text}{stop} hint: {hint}"));
}
