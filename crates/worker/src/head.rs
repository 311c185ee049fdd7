//! Status and headers as an application gives them: what is refused, and in which words.
//!
//! The words are those of mod_wsgi 6.1, which applications and their tests may know.

/// What is wrong with a status or a header. `ValueError` in Python.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    /// The status has no code of three digits.
    #[error("status code must be a 3 digit integer: {}", repr(.0))]
    Code(Vec<u8>),
    /// The reason does not follow a space.
    #[error("no space following status code: {}", repr(.0))]
    Space(Vec<u8>),
    /// The status would end its line.
    #[error("control character in status reason phrase: {}", repr(.0))]
    Reason(Vec<u8>),
    /// A header has no name.
    #[error("header name is empty")]
    NameEmpty,
    /// A control character in a header's name.
    #[error("control character in header name: {}", repr(.0))]
    NameControl(Vec<u8>),
    /// A space in a header's name.
    #[error("space character in header name: {}", repr(.0))]
    NameSpace(Vec<u8>),
    /// A header's value would end its line.
    #[error("carriage return/line feed character in header value: {}", repr(.0))]
    ValueLine(Vec<u8>),
    /// A header's value would be cut.
    #[error("null character in header value: {}", repr(.0))]
    ValueNull(Vec<u8>),
    /// The Content-Length is no number.
    #[error("invalid content length: {}", repr(.0))]
    Length(Vec<u8>),
}

/// Status and headers, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
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
        let wrong = |kind: fn(Vec<u8>) -> HeadError| Err(kind(status.to_vec()));
        let digits = status.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let code = status.get(..3).filter(|code| code.iter().all(u8::is_ascii_digit));
        let Some(code) = code.filter(|_| status.get(3).is_none_or(|byte| !byte.is_ascii_digit()))
        else {
            return wrong(HeadError::Code);
        };
        if digits > 3 {
            return wrong(HeadError::Space);
        }
        if status.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return wrong(HeadError::Reason);
        }
        let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        let text = status.get(4..).unwrap_or_default().to_vec();
        Ok(Self { status: code, reason: text.len(), text, ..Self::default() })
    }

    /// Adds a header.
    ///
    /// # Errors
    /// When its name or value must not be sent.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        let of_name = |kind: fn(Vec<u8>) -> HeadError| Err(kind(name.to_vec()));
        if name.is_empty() {
            return Err(HeadError::NameEmpty);
        }
        for byte in name {
            match byte {
                0..0x20 | 0x7f => return of_name(HeadError::NameControl),
                b' ' => return of_name(HeadError::NameSpace),
                _ => {}
            }
        }
        for byte in value {
            match byte {
                b'\r' | b'\n' => return Err(HeadError::ValueLine(value.to_vec())),
                0 => return Err(HeadError::ValueNull(value.to_vec())),
                _ => {}
            }
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            self.length = Some(length(value)?);
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

    /// The reason phrase.
    pub(crate) fn reason(&self) -> &[u8] {
        &self.text[..self.reason]
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

    /// Whether answers of this status have no body at all (RFC 9110, 6.4.1).
    pub(crate) fn is_bodiless(&self) -> bool {
        matches!(self.status, 100..200 | 204 | 304)
    }
}

fn length(value: &[u8]) -> Result<u64, HeadError> {
    let digits = value.trim_ascii();
    let wrong = || HeadError::Length(value.to_vec());
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(wrong());
    }
    str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(wrong)
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
    fn a_status_has_three_digits_and_perhaps_a_reason() {
        let head = Head::new(b"404 Not Here").unwrap();
        assert_eq!((head.status, head.reason()), (404, &b"Not Here"[..]));
        for status in [&b"200"[..], b"200 "] {
            assert_eq!(Head::new(status).unwrap().reason(), b"");
        }
        assert_eq!(Head::new(b"200  caf\xe9").unwrap().reason(), b" caf\xe9");
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
        assert!(push(b"A", b"x\0y").starts_with("null"));
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
    fn some_statuses_have_no_body() {
        for (status, bodiless) in [(b"204", true), (b"304", true), (b"100", true), (b"200", false)]
        {
            assert_eq!(Head::new(status).unwrap().is_bodiless(), bodiless);
        }
    }
}
