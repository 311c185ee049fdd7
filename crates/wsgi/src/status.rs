//! The status that `start_response` is given.

use thiserror::Error;

/// A status line's code and reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// The code, 200 to 999.
    pub code: u16,
    /// What follows the code and a space, Latin-1; may be empty.
    pub reason: &'a [u8],
}

/// Why a status is refused. In Python, all of these are a `ValueError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StatusError {
    /// No three digits at its beginning.
    #[error("status must begin with a code of three digits")]
    NoCode,
    /// Something other than a space behind the code.
    #[error("status must have a space after its code")]
    NoSpace,
    /// A code that is no answer: what is below 200 announces one that is still to come.
    #[error("status must be 200 or more: a client would wait for another answer")]
    Interim,
    /// A line end or another control character, which could begin a header of its own.
    #[error("status must not hold control characters")]
    Control,
}

impl<'a> Status<'a> {
    /// Reads `200 OK`, as Latin-1 bytes. The reason, with its space, may be missing (PEP 3333
    /// wants one; mod_wsgi does without).
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(line: &'a [u8]) -> Result<Self, StatusError> {
        let (digits, rest) = line.split_at_checked(3).ok_or(StatusError::NoCode)?;
        if !digits.iter().all(u8::is_ascii_digit) || rest.first().is_some_and(u8::is_ascii_digit) {
            return Err(StatusError::NoCode);
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        let reason = match rest.split_first() {
            None => rest,
            Some((b' ', reason)) => reason,
            // Two digits and a letter are no code either, but then the message fits less well.
            Some((other, _)) if other.is_ascii_alphanumeric() => return Err(StatusError::NoCode),
            Some(_) => return Err(StatusError::NoSpace),
        };
        if reason.iter().any(u8::is_ascii_control) {
            return Err(StatusError::Control);
        }
        if code < 200 {
            return Err(StatusError::Interim);
        }
        Ok(Self { code, reason })
    }

    /// Reads a `Status` header as a CGI program may write it: what follows the code counts as a reason only behind a space.
    /// `None` for what has no code.
    pub fn lenient(value: &'a [u8]) -> Option<Self> {
        match Self::parse(value) {
            Ok(status) => Some(status),
            Err(StatusError::NoCode | StatusError::NoSpace) => {
                let code = value.get(..3).filter(|_| !value.get(3).is_some_and(u8::is_ascii_digit));
                code.and_then(|code| Self::parse(code).ok())
            }
            Err(_) => None,
        }
    }

    /// Whether an answer with this code has no body, whatever the application gives.
    pub fn is_bodiless(&self) -> bool {
        matches!(self.code, 204 | 304)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<(u16, &[u8]), StatusError> {
        Status::parse(line.as_bytes()).map(|status| (status.code, status.reason))
    }

    #[test]
    fn a_code_and_a_reason_are_read() {
        assert_eq!(parse("200 OK"), Ok((200, &b"OK"[..])));
        assert_eq!(parse("404 Not Found"), Ok((404, &b"Not Found"[..])));
        assert_eq!(parse("999 X"), Ok((999, &b"X"[..])));
        assert_eq!(parse("200"), Ok((200, &b""[..])));
        assert_eq!(parse("200 "), Ok((200, &b""[..])));
        assert_eq!(parse("200  OK"), Ok((200, &b" OK"[..])));
        assert_eq!(Status::parse(b"200 \xe9").unwrap().reason, b"\xe9");
    }

    #[test]
    fn anything_else_is_refused() {
        for line in ["", "20", "20 OK", "2000 OK", "abc OK", " 200 OK", "-20 OK", "200OK", "+20 X"]
        {
            assert_eq!(parse(line), Err(StatusError::NoCode), "{line:?}");
        }
        for line in ["200\tOK", "200-OK", "200\r\n"] {
            assert_eq!(parse(line), Err(StatusError::NoSpace), "{line:?}");
        }
        for line in ["200 O\nK", "200 O\rK", "200 O\0K", "200 O\tK", "200 \u{7f}"] {
            assert_eq!(parse(line), Err(StatusError::Control), "{line:?}");
        }
        for line in ["000 X", "099 X", "100 Continue", "101 Switching", "199 X"] {
            assert_eq!(parse(line), Err(StatusError::Interim), "{line:?}");
        }
    }

    #[test]
    fn a_cgi_status_needs_no_space() {
        let lenient = |line: &'static str| Status::lenient(line.as_bytes());
        for line in ["404", "404+x", "404x", "404\tx"] {
            assert_eq!(lenient(line), Some(Status { code: 404, reason: b"" }), "{line}");
        }
        assert_eq!(lenient("404 Gone"), Some(Status { code: 404, reason: b"Gone" }));
        for line in ["", "40", "4040", "x404", "101 X", "404 \n"] {
            assert_eq!(lenient(line), None, "{line}");
        }
    }

    #[test]
    fn some_answers_have_no_body() {
        for (line, bodiless) in
            [("204 X", true), ("304 X", true), ("200 X", false), ("205 X", false)]
        {
            assert_eq!(Status::parse(line.as_bytes()).unwrap().is_bodiless(), bodiless);
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_cannot_begin_another_line(line in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(status) = Status::parse(&line) {
                prop_assert!((200..=999).contains(&status.code));
                prop_assert!(!line.iter().any(u8::is_ascii_control));
            }
        }
    }
}
