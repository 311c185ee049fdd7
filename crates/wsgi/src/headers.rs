//! What may stand in a response's headers, and where it goes.

/// Whether `name` can be sent as a header's name. Wider than RFC 9110's token, as mod_wsgi is: no control
/// characters, no space, no colon, not empty.
#[must_use]
pub fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| !byte.is_ascii_control() && !matches!(byte, b' ' | b':'))
}

/// Whether `value` can be sent as a header's value or as a reason phrase: nothing in it ends a line or a
/// string (RFC 9110, 5.5).
#[must_use]
pub fn is_field_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// The number that a Content-Length gives; `None` when it is none.
#[must_use]
pub fn content_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a header is also sent with an error page of the server's: the challenge of an authentication is
/// of no use without it (mod_wsgi does so too).
#[must_use]
pub fn is_error_header(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"WWW-Authenticate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_split_a_response_is_no_header() {
        assert!(is_field_name(b"X-Fine_1"));
        for bad in [&b""[..], b"a b", b"a:", b"a\r", b"a\n", b"\0", b"a\tb"] {
            assert!(!is_field_name(bad), "{bad:?}");
        }
        assert!(is_field_value(b"caf\xe9 \t x"));
        for bad in [&b"a\rb"[..], b"a\nb", b"a\0"] {
            assert!(!is_field_value(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_length_is_digits() {
        assert_eq!(content_length(b" 12 "), Some(12));
        for bad in [&b""[..], b"-1", b"+1", b"1 2", b"0x1", b"99999999999999999999999"] {
            assert_eq!(content_length(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn challenges_go_with_error_pages() {
        assert!(is_error_header(b"www-authenticate"));
        assert!(!is_error_header(b"Set-Cookie"));
    }
}
