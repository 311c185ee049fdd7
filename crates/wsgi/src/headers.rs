//! The headers that `start_response` is given.

use thiserror::Error;

/// What becomes of a response header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderKind {
    /// It is added to the answer; the same name may come again.
    Plain,
    /// The answer's type, which Apache keeps apart. An empty one means none.
    ContentType,
    /// The answer's length; its value is checked by [`content_length`].
    ContentLength,
    /// It is sent even if Apache replaces the answer by an error document
    /// (`err_headers_out`), so that a browser can still ask for the password.
    WithErrors,
    /// It is left out: it would describe the connection, which is the server's.
    Dropped,
}

/// Why a header is refused. In Python, all of these are a `ValueError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A header without a name.
    #[error("a header must have a name")]
    NoName,
    /// A name with something that RFC 9110 does not allow in one (section 5.6.2).
    #[error("a header's name must not hold blanks, control characters or delimiters")]
    BadName,
    /// A value with a line end, a zero byte or another control character.
    #[error("a header's value must not hold line ends or other control characters")]
    BadValue,
    /// A length that is no number.
    #[error("Content-Length must be a whole number")]
    BadLength,
    /// Two lengths that differ: client and server might each believe another.
    #[error("Content-Length is given twice, with different values")]
    TwoLengths,
}

/// Checks a header and says what becomes of it. Name and value are Latin-1 bytes.
///
/// # Errors
/// Says what is wrong with the name or the value.
pub fn classify(name: &[u8], value: &[u8]) -> Result<HeaderKind, HeaderError> {
    if name.is_empty() {
        return Err(HeaderError::NoName);
    }
    let kind = kind(name);
    // A name that is known is one. A fold, which looks at several bytes at a time: what is refused may cost more than what is not.
    if kind == HeaderKind::Plain
        && !name.iter().fold(true, |all, byte| all & TOKEN[usize::from(*byte)])
    {
        return Err(HeaderError::BadName);
    }
    if may_be_bad(value) && value.iter().any(|byte| is_bad(*byte)) {
        return Err(HeaderError::BadValue);
    }
    Ok(kind)
}

fn is_bad(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// Whether a value has to be looked at byte by byte: eight at a time tell that there is no control character among them.
fn may_be_bad(value: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let has_control = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        let delete = word ^ (ONES * 0x7f);
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & (ONES * 0x80);
        below(word, 0x20) | below(delete, 1) != 0
    };
    let (words, _) = value.as_chunks::<8>();
    // The last eight, some of them for a second time.
    value.last_chunk::<8>().is_none_or(has_control) || words.iter().any(has_control)
}

/// PEP 3333 forbids applications all hop-by-hop headers. Those that would break the framing of
/// the answer, or contradict what the server does with the connection, are left out without a
/// word: applications that pass a backend's answer on send them, and mod_wsgi takes them. The
/// others are harmless and go through.
fn kind(name: &[u8]) -> HeaderKind {
    // The lengths keep the common headers from being compared with each of the others.
    // Most are written as they are here.
    let is = |other: &str| name == other.as_bytes() || name.eq_ignore_ascii_case(other.as_bytes());
    match name.len() {
        2 if is("TE") => HeaderKind::Dropped,
        7 if is("Trailer") => HeaderKind::Dropped,
        10 if is("Connection") || is("Keep-Alive") => HeaderKind::Dropped,
        12 if is("Content-Type") => HeaderKind::ContentType,
        14 if is("Content-Length") => HeaderKind::ContentLength,
        16 if is("WWW-Authenticate") => HeaderKind::WithErrors,
        17 if is("Transfer-Encoding") => HeaderKind::Dropped,
        _ => HeaderKind::Plain,
    }
}

/// A value without the blanks around it, which are no part of it (RFC 9110, section 5.5).
pub fn trim(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// The value of a Content-Length header, taking into account one that came `before`.
///
/// # Errors
/// For anything but digits, a number over 64 bits, and a second value that differs.
pub fn content_length(value: &[u8], before: Option<u64>) -> Result<u64, HeaderError> {
    let length = parse_length(trim(value)).ok_or(HeaderError::BadLength)?;
    match before {
        Some(before) if before != length => Err(HeaderError::TwoLengths),
        _ => Ok(length),
    }
}

/// Digits and nothing else: no sign, no blank, no second number.
pub(crate) fn parse_length(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// Which bytes a name may hold (RFC 9110, section 5.6.2).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut marks = b"!#$%&'*+-.^_`|~".as_slice();
    while let [first, rest @ ..] = marks {
        table[*first as usize] = true;
        marks = rest;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_go_where_they_belong() {
        for (name, kind) in [
            ("Set-Cookie", HeaderKind::Plain),
            ("X-1", HeaderKind::Plain),
            ("Proxy-Authenticate", HeaderKind::Plain),
            ("content-type", HeaderKind::ContentType),
            ("CONTENT-LENGTH", HeaderKind::ContentLength),
            ("www-authenticate", HeaderKind::WithErrors),
            ("Connection", HeaderKind::Dropped),
            ("keep-alive", HeaderKind::Dropped),
            ("Transfer-Encoding", HeaderKind::Dropped),
            ("TE", HeaderKind::Dropped),
            ("Trailer", HeaderKind::Dropped),
        ] {
            assert_eq!(classify(name.as_bytes(), b"x"), Ok(kind), "{name}");
        }
    }

    #[test]
    fn names_are_tokens() {
        assert_eq!(classify(b"", b"x"), Err(HeaderError::NoName));
        for name in ["X Y", "X:", "X\n", "X\r\nY", "X\0", "X\u{e9}", "X(", "\tX"] {
            assert_eq!(classify(name.as_bytes(), b"x"), Err(HeaderError::BadName), "{name:?}");
        }
    }

    #[test]
    fn values_stay_on_their_line() {
        for value in ["a\nb", "a\rb", "a\r\nSet-Cookie: x", "a\0", "a\x01", "\x7f"] {
            assert_eq!(classify(b"X", value.as_bytes()), Err(HeaderError::BadValue), "{value:?}");
        }
        for value in [&b""[..], b"a\tb", b"\xe9", b" a "] {
            assert_eq!(classify(b"X", value), Ok(HeaderKind::Plain), "{value:?}");
        }
    }

    #[test]
    fn blanks_around_a_value_are_no_part_of_it() {
        for (value, trimmed) in
            [(&b" a b\t"[..], &b"a b"[..]), (b"a", b"a"), (b"", b""), (b" \t ", b"")]
        {
            assert_eq!(trim(value), trimmed);
        }
    }

    #[test]
    fn lengths_are_digits() {
        assert_eq!(content_length(b"42", None), Ok(42));
        assert_eq!(content_length(b" 42 ", None), Ok(42));
        assert_eq!(content_length(b"18446744073709551615", None), Ok(u64::MAX));
        for value in ["", "x", "-1", "+1", "1,1", "1 1", "0x10", "18446744073709551616", "1.0"] {
            let length = content_length(value.as_bytes(), None);
            assert_eq!(length, Err(HeaderError::BadLength), "{value}");
        }
    }

    #[test]
    fn two_lengths_must_be_the_same() {
        assert_eq!(content_length(b"42", Some(42)), Ok(42));
        assert_eq!(content_length(b"42", Some(41)), Err(HeaderError::TwoLengths));
    }

    proptest! {
        #[test]
        fn what_is_taken_is_one_line(
            name in proptest::collection::vec(any::<u8>(), 0..12),
            value in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            if classify(&name, &value).is_ok() {
                let line = [&name[..], b": ", &value[..]].concat();
                prop_assert!(!line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
                prop_assert_eq!(line.iter().position(|b| *b == b':'), Some(name.len()));
            }
        }

        #[test]
        fn a_value_is_taken_as_byte_by_byte(
            value in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\t'), 0x1e_u8..0x22, 0x7e_u8..0x81], 0..40),
        ) {
            let wanted = !value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f);
            prop_assert_eq!(classify(b"X", &value).is_ok(), wanted);
        }

        #[test]
        fn a_length_prints_the_same(text in "[0-9+ -]{0,22}") {
            if let Ok(length) = content_length(text.as_bytes(), None) {
                let digits = text.trim().trim_start_matches('0');
                prop_assert_eq!(if digits.is_empty() { "0" } else { digits }, length.to_string());
            }
        }
    }
}
