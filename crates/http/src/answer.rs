//! The head of an answer, and how its body is framed (RFC 9112, sections 4, 6 and 9; RFC 9110, section 8.6).

/// What the server calls itself in `Server`.
pub const SERVER: &str = "Pinion";

/// What is known of the request when its answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The minor version of HTTP/1.
    pub minor: u8,
    /// Whether the method is HEAD.
    pub head: bool,
    /// Whether the connection may go on behind the answer, as far as client and server want it.
    pub keep_alive: bool,
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// By its length.
    Length,
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

impl Framing {
    /// How an answer is framed whose length is known or not.
    pub fn choose(asked: &Asked, status: u16, length: Option<u64>) -> Self {
        if asked.head || is_bodiless(status) {
            Self::Empty
        } else if length.is_some() {
            Self::Length
        } else if asked.minor > 0 {
            Self::Chunked
        } else {
            Self::UntilClose
        }
    }
}

/// Whether answers with this status never have a body (RFC 9110, section 6.4.1).
pub(crate) fn is_bodiless(status: u16) -> bool {
    matches!(status, 100..200 | 204 | 304)
}

/// Appends the head of an answer: status line, the given headers, and those that are the server's business. Returns whether the
/// connection goes on behind it.
pub fn push_head<'h>(
    out: &mut Vec<u8>,
    asked: &Asked,
    (status, reason): (u16, &[u8]),
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    framing: Framing,
    date: &[u8],
) -> bool {
    let keep = asked.keep_alive && framing != Framing::UntilClose;
    push_line(out, status, reason);
    let (mut dated, mut named) = (false, false);
    for (name, value) in headers {
        match name.len() {
            // A 204 has none (RFC 9110, section 8.6).
            14 if status == 204 && name.eq_ignore_ascii_case(b"Content-Length") => continue,
            4 => dated |= name.eq_ignore_ascii_case(b"Date"),
            6 => named |= name.eq_ignore_ascii_case(b"Server"),
            _ => {}
        }
        push_field(out, name, value);
    }
    if !named {
        push_field(out, b"Server", SERVER.as_bytes());
    }
    if !dated {
        push_field(out, b"Date", date);
    }
    if framing == Framing::Chunked {
        push_field(out, b"Transfer-Encoding", b"chunked");
    }
    if !keep {
        push_field(out, b"Connection", b"close");
    } else if asked.minor == 0 {
        push_field(out, b"Connection", b"keep-alive");
    }
    out.extend_from_slice(b"\r\n");
    keep
}

fn push_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    let digits = [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&digits);
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Appends one header.
pub fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The line in front of a chunk, at most 18 bytes long; the chunk itself must not be empty.
pub fn chunk_line(size: usize) -> arrayvec::ArrayVec<u8, 18> {
    let mut line = arrayvec::ArrayVec::new();
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = (size >> (4 * place) & 0xf) as u8;
        line.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
    line.extend(*b"\r\n");
    line
}

/// What ends a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";
/// What ends a body of chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// What tells a client to send its body (RFC 9110, section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends an answer of the server's own, as text.
pub fn push_own(
    out: &mut Vec<u8>,
    asked: &Asked,
    (status, reason): (u16, &str),
    more: &[(&str, &str)],
    text: &str,
    date: &[u8],
) -> bool {
    let length = text.len().to_string();
    let own = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", &length)];
    let headers = own.iter().chain(more).map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let framing = Framing::choose(asked, status, Some(text.len() as u64));
    let keep = push_head(out, asked, (status, reason.as_bytes()), headers, framing, date);
    if framing == Framing::Length {
        out.extend_from_slice(text.as_bytes());
    }
    keep
}

/// The usual words for the statuses that the server itself answers with (RFC 9110, section 15).
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8] = b"Thu, 01 Jan 1970 00:00:00 GMT";
    const ASKED: Asked = Asked { minor: 1, head: false, keep_alive: true };

    fn head(asked: Asked, status: u16, headers: &[(&str, &str)], length: Option<u64>) -> String {
        let mut out = Vec::new();
        let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let framing = Framing::choose(&asked, status, length);
        push_head(&mut out, &asked, (status, b"So"), headers, framing, DATE);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_has_what_is_the_servers_business() {
        assert_eq!(
            head(ASKED, 200, &[("Content-Length", "5")], Some(5)),
            "HTTP/1.1 200 So\r\nContent-Length: 5\r\nServer: Pinion\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
        );
    }

    #[test]
    fn date_and_server_of_the_application_stand() {
        let own = head(ASKED, 200, &[("date", "x"), ("SERVER", "y")], Some(0));
        assert_eq!(own, "HTTP/1.1 200 So\r\ndate: x\r\nSERVER: y\r\n\r\n");
    }

    #[test]
    fn a_body_of_unknown_length_comes_in_chunks_or_ends_with_the_connection() {
        assert!(head(ASKED, 200, &[], None).contains("Transfer-Encoding: chunked\r\n"));
        let old = Asked { minor: 0, ..ASKED };
        let text = head(old, 200, &[], None);
        assert!(text.contains("Connection: close\r\n") && !text.contains("chunked"), "{text}");
        assert!(head(old, 200, &[], Some(3)).contains("Connection: keep-alive\r\n"));
    }

    #[test]
    fn answers_without_body_are_not_framed() {
        let asked = Asked { head: true, ..ASKED };
        assert!(!head(asked, 200, &[], None).contains("chunked"));
        assert!(!head(ASKED, 304, &[], None).contains("chunked"));
        assert!(!head(ASKED, 204, &[("Content-Length", "0")], Some(0)).contains("Length"));
    }

    #[test]
    fn chunks_have_their_size_in_hexadecimal() {
        for (size, line) in [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (1_048_576, "100000\r\n")]
        {
            assert_eq!(chunk_line(size).as_slice(), line.as_bytes());
        }
        assert_eq!(chunk_line(usize::MAX).as_slice(), b"ffffffffffffffff\r\n");
    }

    #[test]
    fn an_answer_of_the_servers_own_is_text() {
        let mut out = Vec::new();
        let asked = Asked { keep_alive: false, ..ASKED };
        let more = [("Retry-After", "1")];
        let keep = push_own(&mut out, &asked, (503, "Service Unavailable"), &more, "no\n", DATE);
        let text = String::from_utf8(out).unwrap();
        assert!(!keep && text.ends_with("Retry-After: 1\r\nServer: Pinion\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: close\r\n\r\nno\n"), "{text}");
    }
}
