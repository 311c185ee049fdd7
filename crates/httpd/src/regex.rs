//! Regular expressions as httpd's own directives understand them.

use core::ffi::{CStr, c_char};
use std::ffi::CString;

use crate::pool::Pool;
use crate::sys;

/// A compiled expression.
pub struct Regex(Box<sys::ap_regex_t>);

// SAFETY: matching does not change the expression (httpd's threads share theirs), and it is freed
// by its only owner.
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

/// An expression that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("regular expression '{pattern}' cannot be compiled: {reason}")]
pub struct RegexError {
    /// The expression.
    pub pattern: String,
    /// What is wrong with it, in httpd's words.
    pub reason: String,
}

/// Where groups matched.
pub struct Captures([sys::ap_regmatch_t; GROUPS]);

/// The whole match and `$1` to `$9`.
const GROUPS: usize = sys::AP_MAX_REG_MATCH as usize;

impl Regex {
    /// Compiles an extended expression.
    pub fn compile(pattern: &str) -> Result<Self, RegexError> {
        let error = |reason: String| RegexError { pattern: pattern.to_owned(), reason };
        let text = CString::new(pattern).map_err(|_| error("it holds a NUL".to_owned()))?;
        let mut regex = Box::new(sys::ap_regex_t {
            re_pcre: core::ptr::null_mut(),
            re_nsub: 0,
            re_erroffset: 0,
        });
        // SAFETY: the structure is ours and the pattern NUL-terminated.
        let code = unsafe { sys::ap_regcomp(&raw mut *regex, text.as_ptr(), sys::AP_REG_EXTENDED) };
        if code == 0 { Ok(Self(regex)) } else { Err(error(reason(code, &regex))) }
    }

    /// Where the expression matches in `subject`; `None` if it does not.
    #[must_use]
    pub fn find(&self, subject: &CStr) -> Option<Captures> {
        let none = sys::ap_regmatch_t { rm_so: -1, rm_eo: -1 };
        let mut groups = [none; GROUPS];
        // SAFETY: the expression is compiled, the subject NUL-terminated, and there is room for
        // as many groups as are asked for.
        let code = unsafe {
            sys::ap_regexec(&raw const *self.0, subject.as_ptr(), GROUPS, groups.as_mut_ptr(), 0)
        };
        (code == 0).then_some(Captures(groups))
    }
}

impl Captures {
    /// Where the whole match ends in the subject, in bytes.
    #[must_use]
    pub fn end(&self) -> usize {
        usize::try_from(self.0[0].rm_eo).unwrap_or(0)
    }

    /// `template` with `$0` to `$9` replaced by what the groups matched in `subject`, which is
    /// the one that [`Regex::find`] searched. `None` if the result would be absurdly long.
    #[must_use]
    pub fn substitute<'p>(
        &self,
        pool: Pool<'p>,
        template: &CStr,
        subject: &CStr,
    ) -> Option<&'p CStr> {
        let length = isize::try_from(subject.to_bytes().len()).unwrap_or(isize::MAX);
        if self.0.iter().any(|group| group.rm_eo as isize > length) {
            return None;
        }
        let mut groups = self.0;
        // SAFETY: all strings are NUL-terminated, the groups lie within the subject, and httpd
        // copies to the pool.
        let result = unsafe {
            sys::ap_pregsub(
                pool.as_ptr(),
                template.as_ptr(),
                subject.as_ptr(),
                GROUPS,
                groups.as_mut_ptr(),
            )
        };
        // SAFETY: httpd returns NULL or a string in the pool.
        unsafe { crate::text::c_str(result) }
    }
}

/// httpd's words for what is wrong with an expression.
fn reason(code: i32, regex: &sys::ap_regex_t) -> String {
    let mut buffer: [c_char; 200] = [0; 200];
    // SAFETY: httpd writes at most the length it is told, with a NUL.
    unsafe { sys::ap_regerror(code, regex, buffer.as_mut_ptr(), buffer.len()) };
    // SAFETY: the buffer is NUL-terminated: httpd terminated it, or it still is all zeros.
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: `compile` succeeded, and nothing refers to the expression any more.
        unsafe { sys::ap_regfree(&raw mut *self.0) };
    }
}
