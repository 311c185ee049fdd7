//! What the log says of a request.

use pinion_wire::request::RequestRef;

/// A request that was answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'r> {
    /// Who asked: the address that applications see; empty for a Unix socket.
    pub peer: &'r [u8],
    /// Who the client has proven to be.
    pub user: Option<&'r [u8]>,
    /// The method; empty where the request line could not be read.
    pub method: &'r [u8],
    /// The target as it came; where the line could not be read, as much of the line as there is.
    pub target: &'r [u8],
    /// `HTTP/1.1`; empty where the line could not be read.
    pub protocol: &'r [u8],
    /// The status of the answer.
    pub status: u16,
    /// How many bytes of its body were sent.
    pub sent: u64,
    /// The `Referer` field.
    pub referer: Option<&'r [u8]>,
    /// The `User-Agent` field.
    pub agent: Option<&'r [u8]>,
    /// The host that was asked for.
    pub host: Option<&'r [u8]>,
    /// When the request began: microseconds in the second of the stamp.
    pub micros: u32,
    /// How long it took, in microseconds.
    pub duration: u64,
    /// The worker's process id.
    pub pid: u32,
}

impl<'r> Record<'r> {
    /// What a request says that was written down for the application.
    pub fn of(request: &RequestRef<'r>) -> Self {
        let mut record = Self::default();
        // Of several entries the last counts, as for the application.
        for (name, value) in request.environ() {
            match name {
                b"REMOTE_ADDR" => record.peer = value,
                b"REQUEST_METHOD" => record.method = value,
                b"REQUEST_URI" => record.target = value,
                b"SERVER_PROTOCOL" => record.protocol = value,
                b"HTTP_REFERER" => record.referer = Some(value),
                b"HTTP_USER_AGENT" => record.agent = Some(value),
                b"HTTP_HOST" => record.host = Some(value),
                _ => {}
            }
        }
        record
    }

    /// What bytes say that are no request: their first line, divided where it has three words.
    pub fn of_line(bytes: &'r [u8]) -> Self {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let start = bytes.iter().position(|byte| !is_end(byte)).unwrap_or(bytes.len());
        let line = bytes[start..].split(is_end).next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        match [words.next(), words.next(), words.next(), words.next()] {
            [Some(method), Some(target), Some(protocol), None]
                if protocol.starts_with(b"HTTP/") =>
            {
                Self { method, target, protocol, ..Self::default() }
            }
            _ => Self { target: line, ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_wire::Header;
    use pinion_wire::request::{BodyLength, RequestWriter, Target};

    #[test]
    fn the_last_entry_counts() {
        let target =
            Target { script: b"", callable: b"", process_group: b"", application_group: b"" };
        let mut frame = Vec::new();
        let mut writer = RequestWriter::new(&mut frame, target, BodyLength::Known(0));
        for (name, value) in [
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", "/a?b"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("HTTP_REFERER", "r"),
            ("HTTP_USER_AGENT", "u"),
            ("HTTP_HOST", "h"),
            ("REMOTE_ADDR", "192.0.2.1"),
        ] {
            writer.entry(name.as_bytes(), value.as_bytes());
        }
        writer.finish(b"");
        let request = RequestRef::decode(&frame[Header::SIZE..]).unwrap();
        let record = Record::of(&request);
        assert_eq!((record.peer, record.method), (&b"192.0.2.1"[..], &b"GET"[..]));
        assert_eq!((record.target, record.protocol), (&b"/a?b"[..], &b"HTTP/1.1"[..]));
        assert_eq!((record.referer, record.agent), (Some(&b"r"[..]), Some(&b"u"[..])));
        assert_eq!((record.host, record.user), (Some(&b"h"[..]), None));
    }

    #[test]
    fn a_line_is_divided_where_it_can_be() {
        for (bytes, [method, target, protocol]) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n", ["GET", "/", "HTTP/1.1"]),
            ("\r\n\r\nGET / HTTP/9", ["GET", "/", "HTTP/9"]),
            ("GET /a b HTTP/1.1\n", ["", "GET /a b HTTP/1.1", ""]),
            ("GET /", ["", "GET /", ""]),
            ("GET / HTTPS", ["", "GET / HTTPS", ""]),
            ("", ["", "", ""]),
            ("\r\n", ["", "", ""]),
        ] {
            let record = Record::of_line(bytes.as_bytes());
            let found = [record.method, record.target, record.protocol];
            assert_eq!(found, [method, target, protocol].map(str::as_bytes), "{bytes:?}");
        }
    }
}
