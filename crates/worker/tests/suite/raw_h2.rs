//! HTTP/2 frame by frame (RFC 9113, section 4), as no honest client speaks it.

use pinion_testbed::raw::{Connection, Framing};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// The flag with which a stream's side ends.
pub(crate) const END_STREAM: u8 = 1;
/// The flag with which fields end.
pub(crate) const END_HEADERS: u8 = 4;
/// The flag of an answer to PING or SETTINGS.
pub(crate) const ACK: u8 = 1;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of what ends a stream or the connection.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

/// A number of HPACK (RFC 7541, section 5.1).
fn number(prefix: u8, bits: u32, value: usize) -> Vec<u8> {
    let most = (1_usize << bits) - 1;
    if value < most {
        return vec![prefix | value as u8];
    }
    let (mut out, mut rest) = (vec![prefix | most as u8], value - most);
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

/// A field, each of whose names and values is spelt out.
pub(crate) fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let (name_length, value_length) = (number(0, 7, name.len()), number(0, 7, value.len()));
    [&[0], &name_length[..], name, &value_length, value].concat()
}

/// As [`field`], which the other side keeps for [`kept`].
pub(crate) fn field_to_keep(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut field = field(name, value);
    field[0] = 0x40;
    field
}

/// The field that was kept last.
pub(crate) fn kept() -> u8 {
    // The first behind the 61 that everybody knows.
    0x80 | 62
}

/// The fields of a request.
pub(crate) fn fields(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", method), (":scheme", "https"), (":authority", "h"), (":path", path)];
    let all = own.iter().chain(more);
    all.flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes())).collect()
}

/// A connection.
pub(crate) struct Raw {
    connection: Connection,
    here: Vec<u8>,
    /// What has come for other streams than the one that was asked for.
    passed: Vec<Frame>,
}

impl Raw {
    /// Begins HTTP/2 on a connection, without waiting for anything; the connection's window is wide.
    pub(crate) fn open(connection: Connection) -> Self {
        let mut raw = Self { connection, here: Vec::new(), passed: Vec::new() };
        let wide = frame(WINDOW_UPDATE, 0, 0, &[0x3f, 0xff, 0, 0]);
        raw.connection.send([PREFACE, &frame(SETTINGS, 0, 0, b""), &wide].concat()).unwrap();
        raw
    }

    /// Sends a frame; false when the connection has ended.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.send_bytes(&frame(kind, flags, stream, payload))
    }

    /// Sends bytes; false when the connection has ended.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.connection.send(bytes).is_ok()
    }

    /// Asks for a path.
    pub(crate) fn request(&mut self, stream: u32, path: &str) {
        let fields = fields("GET", path, &[]);
        assert!(self.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields));
    }

    /// Asks for a path, and returns the answer's body.
    pub(crate) fn get(&mut self, stream: u32, path: &str) -> Vec<u8> {
        self.request(stream, path);
        self.body(stream)
    }

    /// The next frame; `None` at the connection's end.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((head, rest)) = self.here.split_first_chunk::<9>() {
                let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *head;
                let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
                if rest.len() >= length {
                    let stream = u32::from_be_bytes([s0, s1, s2, s3]);
                    let payload = rest[..length].to_vec();
                    self.here.drain(..9 + length);
                    if kind == PING && flags & ACK == 0 {
                        // One that is not answered ends the connection. An error is told by what follows.
                        let _ = self.send(PING, ACK, 0, &payload);
                    }
                    return Some(Frame { kind, flags, stream, payload });
                }
            }
            self.here.extend(self.connection.piece(&mut Framing::Close).ok()??);
        }
    }

    /// The first frame that is as wanted; `None` at the connection's end.
    pub(crate) fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        if let Some(place) = self.passed.iter().position(&wanted) {
            return Some(self.passed.remove(place));
        }
        loop {
            let frame = self.next()?;
            if wanted(&frame) {
                return Some(frame);
            }
            self.passed.push(frame);
        }
    }

    /// The body of a stream's answer.
    pub(crate) fn body(&mut self, stream: u32) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let frame =
                self.find(|frame| frame.stream == stream).expect("the connection has ended");
            match frame.kind {
                DATA => body.extend(frame.payload),
                HEADERS | WINDOW_UPDATE => {}
                _ => panic!("{frame:?}"),
            }
            if frame.kind != WINDOW_UPDATE && frame.flags & END_STREAM != 0 {
                return body;
            }
        }
    }

    /// The connection.
    pub(crate) fn connection(self) -> Connection {
        self.connection
    }
}
