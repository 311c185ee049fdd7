//! The environ of a request, as far as httpd knows it.
//!
//! The variables of `ap_add_common_vars`, of `SetEnv` and of other modules are sent as they stand in
//! `subprocess_env`; those that CGI derives from the URL are written here instead of by
//! `ap_add_cgi_vars`, which for PATH_TRANSLATED (that WSGI applications do not get) runs a whole
//! subrequest. Later entries replace earlier ones.

use std::borrow::Cow;
use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;

use pinion_config::MapHead;
use pinion_httpd::Request;
use pinion_wire::request::RequestWriter;
use pinion_wsgi::environ as rules;

use crate::{effective::Effective, handler::handler_script, path::Split, proxies};

/// What [`write`] needs beside the request.
pub(crate) struct Parts<'a> {
    pub(crate) settings: Effective<'a>,
    pub(crate) split: &'a Split,
    /// The child's process id.
    pub(crate) server_pid: &'a str,
    /// The callable's name; `None` for functions that are called before it is known.
    pub(crate) callable: Option<&'a str>,
    /// The version of httpd, as numbers with dots.
    pub(crate) apache_version: &'a str,
}

/// Writes all entries.
pub(crate) fn write(request: Request<'_>, parts: &Parts<'_>, out: &mut RequestWriter<'_>) {
    request.add_common_vars();
    let proxied = parts.settings.proxy_trust().map(|trust| proxies::rewrite(request, trust));
    let replaced = |name| proxied.as_ref().is_some_and(|proxied| proxied.replaces(name));
    let mut https = None;
    for (name, value) in request.subprocess_env() {
        if name == b"HTTPS" {
            https = Some(value);
        } else if !rules::is_dropped(name) && !is_taken_out(name) && !replaced(name) {
            out.entry(name, value);
        }
    }
    if parts.settings.pass_authorization()
        && let Some(value) = request.headers_in().get(c"Authorization")
    {
        out.entry(b"HTTP_AUTHORIZATION", value.to_bytes());
    }
    write_cgi(request, parts, out);
    let told = proxied.as_ref().and_then(|proxied| proxied.https);
    let secure = || https.map_or_else(|| request.scheme() == Some(c"https"), is_on);
    out.entry(b"wsgi.url_scheme", if told.unwrap_or_else(secure) { b"https" } else { b"http" });
    write_mod_wsgi(request, parts, out);
    if let Some(proxied) = &proxied {
        proxies::write(proxied, out);
    }
}

/// Writes what scripts of access control see: nothing that `SetEnv` or a header of a proxy could have changed.
pub(crate) fn write_cut_down(request: Request<'_>, parts: &Parts<'_>, out: &mut RequestWriter<'_>) {
    for (name, value) in request.fresh_common_vars() {
        if !rules::is_beyond_access(name) && !is_taken_out(name) {
            out.entry(name, value);
        }
    }
    write_cgi(request, parts, out);
    // As it was sent: no output filter needs anything of these functions.
    out.entry(b"REQUEST_METHOD", request.method().map_or(b"", CStr::to_bytes));
    out.entry(b"apache.version", parts.apache_version.as_bytes());
}

/// RFC 3875's variables that come from the request line.
fn write_cgi(request: Request<'_>, parts: &Parts<'_>, out: &mut RequestWriter<'_>) {
    let text = |string: Option<&CStr>| string.map_or(&b""[..], CStr::to_bytes).to_vec();
    out.entry(b"REQUEST_METHOD", method(request, parts.settings));
    out.entry(b"SERVER_PROTOCOL", &text(request.protocol()));
    out.entry(b"QUERY_STRING", &text(request.args()));
    out.entry(b"REQUEST_URI", request_uri(request));
    out.entry(b"SCRIPT_NAME", &script_name(request, parts.split));
    out.entry(b"PATH_INFO", &parts.split.path_info);
}

/// `SCRIPT_NAME`; a request that mod_include makes has the whole path there (as `ap_add_cgi_vars` has it).
fn script_name<'s>(request: Request<'_>, split: &'s Split) -> Cow<'s, [u8]> {
    if request.protocol() != Some(c"INCLUDED") {
        return Cow::Borrowed(&split.script_name);
    }
    let path = request.uri().map_or(&b""[..], CStr::to_bytes);
    Cow::Owned(rules::collapse_slashes(path).into_owned())
}

/// Keeps what CGI derives from the URL for the page that is served instead: httpd shows it there under `REDIRECT_…`.
pub(crate) fn remember(request: Request<'_>) {
    let uri = request.uri().map_or(&b""[..], CStr::to_bytes);
    let split = Split::of(uri, request.path_info().map_or(b"", CStr::to_bytes));
    let env = request.subprocess_env();
    for name in [c"PATH", c"SERVER_SIGNATURE", c"GATEWAY_INTERFACE"] {
        env.unset(name);
    }
    env.set(c"REQUEST_METHOD", request.method().map_or(b"", CStr::to_bytes));
    env.set(c"SERVER_PROTOCOL", request.protocol().map_or(b"", CStr::to_bytes));
    env.set(c"REQUEST_URI", request_uri(request));
    env.set(c"SCRIPT_NAME", &split.script_name);
    env.set(c"PATH_INFO", &split.path_info);
}

/// The keys that are mod_wsgi's own; the worker knows the others and gives them their types.
fn write_mod_wsgi(request: Request<'_>, parts: &Parts<'_>, out: &mut RequestWriter<'_>) {
    let handler = request.handler().map_or(&b""[..], CStr::to_bytes);
    out.entry(b"mod_wsgi.script_name", &script_name(request, parts.split));
    out.entry(b"mod_wsgi.path_info", &parts.split.path_info);
    out.entry(b"mod_wsgi.request_handler", handler);
    let script =
        handler_script(request).map_or(&b""[..], |script| script.path.as_os_str().as_bytes());
    out.entry(b"mod_wsgi.handler_script", script);
    if let Some(id) = request.ensure_log_id() {
        out.entry(b"mod_wsgi.request_id", id.to_bytes());
    }
    if let Some(id) = request.connection().log_id() {
        out.entry(b"mod_wsgi.connection_id", id.to_bytes());
    }
    out.entry(b"mod_wsgi.server_pid", parts.server_pid.as_bytes());
    if let Some(callable) = parts.callable {
        out.entry(b"mod_wsgi.callable_object", callable.as_bytes());
    }
    out.entry(b"apache.version", parts.apache_version.as_bytes());
    let micros = request.request_time_micros();
    let start = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    out.entry(b"mod_wsgi.request_start", start.as_bytes());
    let connection = request.connection();
    if let Some(host) = connection.local_ip() {
        out.entry(b"mod_wsgi.listener_host", host.to_bytes());
    }
    out.entry(b"mod_wsgi.listener_port", connection.local_port().to_string().as_bytes());
}

/// The method that the application sees: GET for HEAD where an output filter needs the whole
/// body to make headers from (`WSGIMapHEADToGET`).
fn method<'r>(request: Request<'r>, settings: Effective<'_>) -> &'r [u8] {
    let method = request.method().map_or(&b""[..], CStr::to_bytes);
    let map = match settings.map_head_to_get() {
        MapHead::Off => false,
        MapHead::On => true,
        MapHead::Auto => request.has_content_filters(),
    };
    if map && method == b"HEAD" { b"GET" } else { method }
}

/// The path and query as the client sent them: from the request line, since internal redirects
/// replace `unparsed_uri` (what `ap_add_cgi_vars` does too).
fn request_uri(request: Request<'_>) -> &[u8] {
    let line = request.request_line().map_or(&b""[..], CStr::to_bytes);
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(1).unwrap_or_default()
}

/// Variables that other modules leave for themselves or for CGI programs; `HTTPS` has been told as the scheme.
fn is_taken_out(name: &[u8]) -> bool {
    matches!(name, b"LD_LIBRARY_PATH" | b"HTTP_PROXY")
}

/// Whether the value of `HTTPS` means yes: `on`, `https`, or a number that is not 0.
fn is_on(value: &[u8]) -> bool {
    [&b"on"[..], b"https"].iter().any(|word| value.eq_ignore_ascii_case(word))
        || (value.iter().all(u8::is_ascii_digit) && value.iter().any(|digit| *digit != b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_secure_by_word_or_number() {
        for yes in ["on", "On", "1", "https", "443"] {
            assert!(is_on(yes.as_bytes()), "{yes}");
        }
        for no in ["", "off", "0", "00", "http", "no"] {
            assert!(!is_on(no.as_bytes()), "{no}");
        }
    }
}
