//! Which output filters look at what they pass on.

use core::ffi::CStr;

use crate::sys;

/// httpd's own output filters that pass bytes on, count them, frame them or encrypt them, whatever they are, or look at headers or for the
/// end of a request only. All others may make decisions of what they read. As httpd keeps the names, in lower case.
const UNREADING: [&CStr; 13] = [
    c"byterange",
    c"chunk",
    c"content_length",
    c"core",
    c"fixup_headers_out",
    c"http_header",
    c"http_outerror",
    c"log_input_output",
    c"mod_expires",
    c"old_write",
    c"reqtimeout",
    c"ssl/tls coalesce filter",
    c"ssl/tls filter",
];

/// Whether no filter from this one on looks at the bytes that it passes on.
///
/// # Safety
///
/// `filter` is NULL or the beginning of a live chain of output filters.
pub(crate) unsafe fn leave_unread(mut filter: *const sys::ap_filter_t) -> bool {
    while !filter.is_null() {
        // SAFETY: a filter in a live chain is live.
        let record = unsafe { (*filter).frec };
        // SAFETY: httpd makes a filter only of a record, which lives as long as its module.
        let name = unsafe { (*record).name };
        // SAFETY: httpd gives each record a name that ends with NUL.
        let name = unsafe { CStr::from_ptr(name) };
        if !UNREADING.contains(&name) {
            return false;
        }
        // SAFETY: as above.
        filter = unsafe { (*filter).next };
    }
    true
}
