//! What of a server's variables an application sees, and how paths are normalised.

use std::borrow::Cow;

/// Variables of CGI and of httpd that an application does not get: some say nothing about the request, some would name files of
/// the server, `HTTPS` is told as `wsgi.url_scheme` (mod_wsgi's documentation, release notes of 6.0.0).
const LEFT_OUT: [&[u8]; 7] = [
    b"GATEWAY_INTERFACE",
    b"HTTPS",
    b"PATH",
    b"PATH_TRANSLATED",
    b"REMOTE_HOST",
    b"REMOTE_IDENT",
    b"SERVER_SIGNATURE",
];

/// Whether a variable is kept from the application. Beside a fixed list that is `LD_LIBRARY_PATH` and its like on other systems, which CGI programs need, and
/// `HTTP_PROXY`, which libraries take for a setting of their own (the "httpoxy" attack).
#[must_use]
pub fn is_left_out(name: &[u8]) -> bool {
    LEFT_OUT.contains(&name) || matches!(name, b"LD_LIBRARY_PATH" | b"HTTP_PROXY")
}

/// Whether the value of a variable such as `HTTPS` means yes: `on`, `yes`, `true`, `https` or a number that is not 0.
#[must_use]
pub fn is_on(value: &[u8]) -> bool {
    let words: [&[u8]; 4] = [b"on", b"yes", b"true", b"https"];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
        || (!value.is_empty()
            && value.iter().all(u8::is_ascii_digit)
            && value.iter().any(|digit| *digit != b'0'))
}

/// The path with each run of slashes made one: what SCRIPT_NAME and PATH_INFO look like
/// (mod_wsgi's documentation of `WSGIScriptAlias`).
#[must_use]
pub fn collapse_slashes(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    for &byte in path {
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_server_are_left_out() {
        for name in ["PATH", "PATH_TRANSLATED", "HTTPS", "REMOTE_HOST", "HTTP_PROXY"] {
            assert!(is_left_out(name.as_bytes()), "{name}");
        }
        for name in ["PATH_INFO", "REMOTE_ADDR", "HTTP_HOST", "REMOTE_USER", "COMPAT_SET"] {
            assert!(!is_left_out(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_scheme_is_secure_by_word_or_number() {
        for yes in ["on", "On", "1", "https", "TRUE", "443"] {
            assert!(is_on(yes.as_bytes()), "{yes}");
        }
        for no in ["", "off", "0", "00", "http", "no"] {
            assert!(!is_on(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn runs_of_slashes_become_one() {
        for (path, collapsed) in [("/a/b", "/a/b"), ("//a///b//", "/a/b/"), ("", ""), ("//", "/")] {
            assert_eq!(&*collapse_slashes(path.as_bytes()), collapsed.as_bytes());
        }
    }
}
