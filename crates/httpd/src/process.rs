//! What httpd says about itself.

use core::ffi::{CStr, c_int};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::pool::Pool;
use crate::server::Server;
use crate::sys;
use crate::text::{bytes, c_str};

/// What httpd is doing (`AP_SQ_MAIN_STATE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading the configuration for the first time, which is thrown away again: `-t` ends here.
    FirstReading,
    /// Reading the configuration that will be served.
    Reading,
    /// Serving.
    Running,
    /// Going down, or between two configurations.
    Other,
}

/// What httpd was started for (`AP_SQ_RUN_MODE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// To serve.
    Serve,
    /// To test its configuration (`-t`).
    Test,
    /// To print something about its configuration (`-S`, `-M`, …).
    Dump,
}

/// What httpd is doing.
#[must_use]
pub fn phase() -> Phase {
    match state(sys::AP_SQ_MAIN_STATE) {
        sys::AP_SQ_MS_CREATE_PRE_CONFIG => Phase::FirstReading,
        sys::AP_SQ_MS_CREATE_CONFIG => Phase::Reading,
        sys::AP_SQ_MS_RUN_MPM => Phase::Running,
        _ => Phase::Other,
    }
}

/// What httpd was started for.
#[must_use]
pub fn run_mode() -> RunMode {
    match state(sys::AP_SQ_RUN_MODE) {
        sys::AP_SQ_RM_CONFIG_TEST => RunMode::Test,
        sys::AP_SQ_RM_CONFIG_DUMP => RunMode::Dump,
        _ => RunMode::Serve,
    }
}

/// How often the configuration has been loaded: 1 for the first that is served.
#[must_use]
pub fn config_generation() -> i32 {
    state(sys::AP_SQ_CONFIG_GEN)
}

fn state(query: c_int) -> c_int {
    // SAFETY: httpd answers any query, with AP_SQ_NOT_SUPPORTED for those it does not know.
    unsafe { sys::ap_state_query(query) }
}

/// Whether the server is going down; in a child, whether that child is, gracefully or not.
#[must_use]
pub fn is_stopping() -> bool {
    let mut state = 0;
    // SAFETY: the MPM writes its answer to `state`, or leaves it.
    unsafe { sys::ap_mpm_query(sys::AP_MPMQ_MPM_STATE, &raw mut state) };
    state == sys::AP_MPMQ_STOPPING
}

/// The file of the library that holds `address`, such as that of a static: where the module was
/// loaded from. `None` if the system does not tell.
#[must_use]
pub fn library_at(address: usize) -> Option<PathBuf> {
    let maps = std::fs::read("/proc/self/maps").ok()?;
    maps.split(|byte| *byte == b'\n').find_map(|line| mapped_file(line, address))
}

/// The file of a line of `/proc/PID/maps` (proc(5)) if its range holds `address`.
fn mapped_file(line: &[u8], address: usize) -> Option<PathBuf> {
    let start = line.iter().position(|byte| *byte == b'/')?;
    let range = std::str::from_utf8(line.split(|byte| *byte == b' ').next()?).ok()?;
    let (first, end) = range.split_once('-')?;
    let first = usize::from_str_radix(first, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let path = &line[start..];
    // A library that was replaced while it is loaded.
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    (first..end).contains(&address).then(|| PathBuf::from(OsStr::from_bytes(path)))
}

/// How many children and threads the MPM may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MpmLimits {
    /// The most child processes that may be there at once: what `MaxRequestWorkers` comes to.
    pub children: usize,
    /// The threads of each that serve requests; 1 for prefork.
    pub threads: usize,
}

/// The limits of the MPM that is loaded, once the configuration is read.
#[must_use]
pub fn mpm_limits() -> MpmLimits {
    MpmLimits { children: mpm(sys::AP_MPMQ_MAX_DAEMONS), threads: mpm(sys::AP_MPMQ_MAX_THREADS) }
}

/// The MPM's answer, at least 1.
fn mpm(query: c_int) -> usize {
    let mut result = 0;
    // SAFETY: the MPM writes its answer to `result`, or leaves it.
    unsafe { sys::ap_mpm_query(query, &raw mut result) };
    usize::try_from(result).unwrap_or(0).max(1)
}

/// The user that httpd's children run as (`User`, `Group`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerIdentity {
    /// The user's name, `#NUMBER` if configured so; empty while unset.
    pub user_name: String,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The user that httpd's children run as, once the configuration is read.
#[must_use]
pub fn identity() -> ServerIdentity {
    let config = &raw const sys::ap_unixd_config;
    // SAFETY: httpd writes to this global while it reads the configuration, in the same thread.
    let name = unsafe { (*config).user_name };
    // SAFETY: the name lives as long as the configuration.
    let name = unsafe { bytes(name) };
    ServerIdentity {
        user_name: String::from_utf8_lossy(name).into_owned(),
        // SAFETY: as for the name.
        uid: unsafe { (*config).user_id },
        // SAFETY: as for the name.
        gid: unsafe { (*config).group_id },
    }
}

/// The main server of the configuration in force; `None` before there is one.
///
/// It must not be kept: a restart replaces it.
#[must_use]
pub fn main_server<'s>() -> Option<Server<'s>> {
    // SAFETY: httpd writes to this global only while no other thread runs.
    let server = unsafe { sys::ap_server_conf };
    // SAFETY: not NULL, it is the live main server.
    (!server.is_null()).then(|| unsafe { Server::from_raw(server) })
}

/// `path` made absolute, relative to `ServerRoot`; `None` if it is no valid path.
#[must_use]
pub fn server_root_relative<'p>(pool: Pool<'p>, path: &CStr) -> Option<&'p CStr> {
    // SAFETY: pool and path are live; httpd returns NULL or a string in the pool.
    let absolute = unsafe { sys::ap_server_root_relative(pool.as_ptr(), path.as_ptr()) };
    // SAFETY: as above.
    unsafe { c_str(absolute) }
}

/// httpd's version, such as `2.4.71`.
#[must_use]
pub fn version() -> String {
    let mut version =
        sys::ap_version_t { major: 0, minor: 0, patch: 0, add_string: core::ptr::null() };
    // SAFETY: httpd fills the structure in.
    unsafe { sys::ap_get_server_revision(&raw mut version) };
    format!("{}.{}.{}", version.major, version.minor, version.patch)
}

/// What httpd calls itself, with the modules that have told it their names: `Apache/2.4.71 (Debian) …`.
#[must_use]
pub fn description() -> String {
    // SAFETY: httpd may be asked at any time.
    let text = unsafe { sys::ap_get_server_description() };
    // SAFETY: httpd has this text once it has read its configuration, and NULL before.
    unsafe { owned(text) }
}

/// When httpd was built.
#[must_use]
pub fn build_date() -> String {
    // SAFETY: httpd may be asked at any time.
    let text = unsafe { sys::ap_get_server_built() };
    // SAFETY: httpd has this text from its start.
    unsafe { owned(text) }
}

/// The name of the MPM that is loaded, such as `event`.
#[must_use]
pub fn mpm_name() -> String {
    // SAFETY: httpd may be asked at any time.
    let text = unsafe { sys::ap_show_mpm() };
    // SAFETY: httpd asks the MPM, which has a name from its start.
    unsafe { owned(text) }
}

/// A copy of httpd's text; empty for NULL.
///
/// # Safety
/// As for [`bytes`].
unsafe fn owned(text: *const core::ffi::c_char) -> String {
    // SAFETY: the caller's promise.
    let text = unsafe { bytes(text) };
    String::from_utf8_lossy(text).into_owned()
}

/// Whether httpd was started with `-D name`, or `Define name` was read.
#[must_use]
pub fn define_exists(name: &str) -> bool {
    // SAFETY: the name is NUL-terminated.
    CString::new(name).is_ok_and(|name| unsafe { sys::ap_exists_config_define(name.as_ptr()) != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_by_an_address_in_it() {
        let line = b"7f1c00-7f2c00 r-xp 00000000 08:01 131 /opt/my site/mod_pinion.so";
        assert_eq!(mapped_file(line, 0x7f_1c00), Some("/opt/my site/mod_pinion.so".into()));
        assert_eq!(mapped_file(line, 0x7f_2c00), None);
        let replaced = b"1000-2000 r--p 00000000 08:01 131 /opt/mod_pinion.so (deleted)";
        assert_eq!(mapped_file(replaced, 0x1fff), Some("/opt/mod_pinion.so".into()));
        assert_eq!(mapped_file(b"1000-2000 rw-p 00000000 00:00 0", 0x1000), None);
        assert_eq!(mapped_file(b"1000-2000 rw-p 00000000 00:00 0 [heap]", 0x1000), None);
    }
}
