//! Status and headers as an application gives them. `pinion-wsgi` says what is refused; the words are those of
//! mod_wsgi 6.1, which applications and their tests may know.

use std::fmt;

use pinion_wsgi::headers::{self, HeaderError, HeaderKind};
use pinion_wsgi::status::{Status, StatusError};

/// How many headers an answer may have: the frame's number has 16 bits, and one may be added here.
const MOST_HEADERS: usize = u16::MAX as usize - 1;

/// Room for as much as most answers have.
const USUAL_TEXT: usize = 256;
const USUAL_FIELDS: usize = 8;

/// What is wrong with a status or a header. `ValueError` in Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// The status.
    Status(StatusError, Vec<u8>),
    /// The name of a header.
    Name(HeaderError, Vec<u8>),
    /// The value of a header.
    Value(HeaderError, Vec<u8>),
    /// There are more headers than a frame counts.
    TooMany,
}

impl std::error::Error for HeadError {}

impl fmt::Display for HeadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, bytes) = match self {
            Self::Name(HeaderError::NoName, _) => return out.write_str("header name is empty"),
            Self::TooMany => return write!(out, "more than {MOST_HEADERS} headers"),
            Self::Status(error, status) => (status_words(*error, status), status),
            Self::Name(_, name) => (name_words(name), name),
            Self::Value(error, value) => (value_words(*error, value), value),
        };
        write!(out, "{words}: {}", repr(bytes))
    }
}

fn status_words(error: StatusError, status: &[u8]) -> &'static str {
    let has_code = status.get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit));
    match error {
        StatusError::Control => "control character in status reason phrase",
        StatusError::Interim => "status code must not be below 200",
        StatusError::NoCode if !has_code || status.get(3).is_none_or(u8::is_ascii_digit) => {
            "status code must be a 3 digit integer"
        }
        StatusError::NoCode | StatusError::NoSpace => "no space following status code",
    }
}

fn name_words(name: &[u8]) -> &'static str {
    if name.iter().any(u8::is_ascii_control) {
        "control character in header name"
    } else if name.contains(&b' ') {
        "space character in header name"
    } else {
        "invalid character in header name"
    }
}

fn value_words(error: HeaderError, value: &[u8]) -> &'static str {
    match error {
        HeaderError::BadLength => "invalid content length",
        HeaderError::TwoLengths => "another content length was given before",
        _ if value.contains(&b'\r') || value.contains(&b'\n') => {
            "carriage return/line feed character in header value"
        }
        _ => "control character in header value",
    }
}

/// Status and headers, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    code: u16,
    /// What the headers say of the body's length.
    pub(crate) length: Option<u64>,
    reason: usize,
    text: Vec<u8>,
    fields: Vec<(usize, usize)>,
}

impl Head {
    /// Reads a status such as `200 OK`; a code alone is one too.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn new(status: &[u8]) -> Result<Self, HeadError> {
        let parsed =
            Status::parse(status).map_err(|error| HeadError::Status(error, status.to_vec()))?;
        let mut text = Vec::with_capacity(USUAL_TEXT);
        text.extend_from_slice(parsed.reason);
        let fields = Vec::with_capacity(USUAL_FIELDS);
        Ok(Self { code: parsed.code, length: None, reason: text.len(), text, fields })
    }

    /// Adds a header. One that is the server's business alone is left out.
    ///
    /// # Errors
    /// When its name or value must not be sent.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        let of_value = |error| HeadError::Value(error, value.to_vec());
        let kind = headers::classify(name, value).map_err(|error| match error {
            HeaderError::NoName | HeaderError::BadName => HeadError::Name(error, name.to_vec()),
            _ => of_value(error),
        })?;
        match kind {
            HeaderKind::Dropped => return Ok(()),
            HeaderKind::ContentLength => {
                let length = headers::content_length(value, self.length).map_err(of_value)?;
                if self.length.replace(length).is_some() {
                    // Once is enough: clients need not take a list for a number.
                    return Ok(());
                }
            }
            HeaderKind::Plain | HeaderKind::ContentType | HeaderKind::WithErrors => {}
        }
        if self.fields.len() == MOST_HEADERS {
            return Err(HeadError::TooMany);
        }
        self.append(name, value);
        Ok(())
    }

    /// Says how long the body is, in a header of its own.
    pub(crate) fn set_length(&mut self, length: u64) {
        self.append(b"Content-Length", length.to_string().as_bytes());
        self.length = Some(length);
    }

    fn append(&mut self, name: &[u8], value: &[u8]) {
        self.text.extend_from_slice(name);
        let middle = self.text.len();
        self.text.extend_from_slice(value);
        self.fields.push((middle, self.text.len()));
    }

    /// The headers, in the order in which they were added.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = self.reason;
        self.fields.iter().map(move |&(middle, end)| {
            let header = (&self.text[start..middle], &self.text[middle..end]);
            start = end;
            header
        })
    }

    /// Code and reason.
    pub(crate) fn status(&self) -> Status<'_> {
        Status { code: self.code, reason: &self.text[..self.reason] }
    }
}

/// Bytes as Python shows them.
fn repr(bytes: &[u8]) -> String {
    let mut out = String::from("b'");
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\'' => out.push_str("\\'"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x20..0x7f => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: &[u8]) -> String {
        Head::new(status).unwrap_err().to_string()
    }

    #[test]
    fn more_headers_than_a_frame_counts_are_refused() {
        let mut head = Head::new(b"200 OK").unwrap();
        for _ in 0..MOST_HEADERS {
            head.push(b"X", b"").unwrap();
        }
        assert_eq!(head.push(b"X", b""), Err(HeadError::TooMany));
        head.set_length(0);
        assert_eq!(head.headers().count(), usize::from(u16::MAX));
    }

    #[test]
    fn a_status_has_three_digits_and_perhaps_a_reason() {
        let head = Head::new(b"404 Not Here").unwrap();
        assert_eq!(head.status(), Status { code: 404, reason: b"Not Here" });
        for status in [&b"200"[..], b"200 "] {
            assert_eq!(Head::new(status).unwrap().status().reason, b"");
        }
        assert_eq!(Head::new(b"200  caf\xe9").unwrap().status().reason, b" caf\xe9");
    }

    #[test]
    fn a_status_that_is_none_is_refused_in_the_known_words() {
        assert_eq!(refused(b"20 OK"), "status code must be a 3 digit integer: b'20 OK'");
        for status in [&b""[..], b"abc OK", b"1000 OK", b"-20 OK"] {
            assert!(refused(status).starts_with("status code must be"), "{status:?}");
        }
        assert_eq!(refused(b"200OK"), "no space following status code: b'200OK'");
        let split = refused(b"200 OK\r\nX: y");
        assert_eq!(split, "control character in status reason phrase: b'200 OK\\r\\nX: y'");
        assert!(refused(b"200 O\0K").starts_with("control"));
    }

    #[test]
    fn headers_keep_their_order_and_spelling() {
        let mut head = Head::new(b"200 OK").unwrap();
        for (name, value) in [("Set-Cookie", "a=1"), ("x-B", ""), ("Set-Cookie", "b\t2")] {
            head.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        head.set_length(7);
        let headers: Vec<_> = head.headers().collect();
        let expected: [(&[u8], &[u8]); 4] = [
            (b"Set-Cookie", b"a=1"),
            (b"x-B", b""),
            (b"Set-Cookie", b"b\t2"),
            (b"Content-Length", b"7"),
        ];
        assert_eq!(headers, expected);
        assert_eq!(head.length, Some(7));
    }

    #[test]
    fn a_header_that_would_split_the_response_is_refused() {
        let push = |name: &[u8], value: &[u8]| {
            Head::new(b"200 OK").unwrap().push(name, value).unwrap_err().to_string()
        };
        assert_eq!(push(b"", b"x"), "header name is empty");
        assert_eq!(push(b"A\n", b"x"), "control character in header name: b'A\\n'");
        assert_eq!(push(b"A b", b"x"), "space character in header name: b'A b'");
        let words = "carriage return/line feed character in header value: b'x\\ny'";
        assert_eq!(push(b"A", b"x\ny"), words);
        assert!(push(b"A", b"x\ry").starts_with("carriage"));
        assert!(push(b"A", b"x\0y").starts_with("control"));
        assert_eq!(push(b"A:", b"x"), "invalid character in header name: b'A:'");
    }

    #[test]
    fn a_length_is_a_number() {
        let length = |value: &[u8]| {
            let mut head = Head::new(b"200 OK").unwrap();
            head.push(b"content-LENGTH", value).map(|()| head.length)
        };
        assert_eq!(length(b"12"), Ok(Some(12)));
        for value in [&b"abc"[..], b"-1", b"", b"+5", b"99999999999999999999999", b"1 2"] {
            assert!(length(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_length_is_sent_once() {
        let mut head = Head::new(b"200 OK").unwrap();
        for name in [&b"Content-Length"[..], b"content-length"] {
            head.push(name, b"5").unwrap();
        }
        assert!(head.push(b"Content-Length", b"6").is_err());
        assert_eq!(head.headers().collect::<Vec<_>>(), [(&b"Content-Length"[..], &b"5"[..])]);
    }

    #[test]
    fn what_is_the_servers_business_is_left_out() {
        let mut head = Head::new(b"200 OK").unwrap();
        for name in [&b"Connection"[..], b"transfer-encoding", b"X"] {
            head.push(name, b"chunked").unwrap();
        }
        assert_eq!(head.headers().collect::<Vec<_>>(), [(&b"X"[..], &b"chunked"[..])]);
    }
}
