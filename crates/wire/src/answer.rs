//! What a worker sends back.

use crate::frame::{self, FrameError, Header, Kind, LOG_PLACED};
use crate::read::Fields;

/// The payload of [`Kind::Welcome`]: who answers on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The worker's process id.
    pub pid: u32,
    /// The connection's number in that worker, as on its status page.
    pub connection: u32,
}

impl Welcome {
    /// Encodes the payload.
    #[must_use]
    pub fn encode(self) -> [u8; 8] {
        let mut out = [0; 8];
        out[..4].copy_from_slice(&self.pid.to_le_bytes());
        out[4..].copy_from_slice(&self.connection.to_le_bytes());
        out
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(payload: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(payload);
        Ok(Self { pid: fields.u32("pid")?, connection: fields.u32("connection")? })
    }
}

/// Appends a [`Kind::Head`] frame: u16 status, u16 length + reason, u16 number of headers, then each
/// header's name and value behind u16 and u32 lengths.
///
/// Status, names and values have been validated by the worker; the front door validates them again.
pub fn push_head<'a>(
    out: &mut Vec<u8>,
    seq: u32,
    status: u16,
    reason: &[u8],
    headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) {
    let start = out.len();
    out.extend_from_slice(&[0; Header::SIZE]);
    out.extend_from_slice(&status.to_le_bytes());
    let reason = &reason[..reason.len().min(u16::MAX.into())];
    out.extend_from_slice(&(reason.len() as u16).to_le_bytes());
    out.extend_from_slice(reason);
    let count_at = out.len();
    out.extend_from_slice(&[0; 2]);
    let mut count = 0_u16;
    for (name, value) in headers {
        let (Ok(name_len), Ok(value_len)) = (u16::try_from(name.len()), u32::try_from(value.len()))
        else {
            continue;
        };
        out.extend_from_slice(&name_len.to_le_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(&value_len.to_le_bytes());
        out.extend_from_slice(value);
        count = count.saturating_add(1);
    }
    out[count_at..count_at + 2].copy_from_slice(&count.to_le_bytes());
    let len = (out.len() - start - Header::SIZE) as u32;
    let header = Header { kind: Kind::Head, flags: 0, seq, len };
    out[start..start + Header::SIZE].copy_from_slice(&header.encode());
}

/// The payload of [`Kind::Head`], borrowed.
#[derive(Clone, Copy, Debug)]
pub struct HeadRef<'a> {
    /// The status code.
    pub status: u16,
    /// The reason phrase, without the code.
    pub reason: &'a [u8],
    count: u16,
    headers: &'a [u8],
}

impl<'a> HeadRef<'a> {
    /// Reads the payload; the headers are checked too, so that [`HeadRef::headers`] cannot fail.
    ///
    /// # Errors
    /// A field that is cut short, or bytes behind the last header.
    pub fn decode(payload: &'a [u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(payload);
        let status = fields.u16("status")?;
        let reason = fields.short("reason")?;
        let count = fields.u16("headers")?;
        let headers = fields.0;
        for _ in 0..count {
            fields.short("name")?;
            fields.long("value")?;
        }
        if !fields.0.is_empty() {
            return Err(FrameError::Value("headers"));
        }
        Ok(Self { status, reason, count, headers })
    }

    /// The headers, in the application's order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut fields = Fields(self.headers);
        (0..self.count).map_while(move |_| {
            let name = fields.short("name").ok()?;
            Some((name, fields.long("value").ok()?))
        })
    }
}

/// The payload of [`Kind::File`]: which part of the attached descriptor to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// Offset of the first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl FilePart {
    /// Encodes the payload.
    #[must_use]
    pub fn encode(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.offset.to_le_bytes());
        out[8..].copy_from_slice(&self.length.to_le_bytes());
        out
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(payload: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(payload);
        Ok(Self { offset: fields.u64("offset")?, length: fields.u64("length")? })
    }
}

/// A line of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file.
    pub file: &'a [u8],
    /// The line's number, from 1.
    pub line: u32,
}

/// A [`Kind::Log`] frame, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRef<'a> {
    /// Apache's log level, 0 to 15.
    pub level: u8,
    /// Where it was logged, where that is known.
    pub place: Option<Place<'a>>,
    /// The text.
    pub text: &'a [u8],
}

impl<'a> LogRef<'a> {
    /// Appends the frame.
    pub fn push(&self, out: &mut Vec<u8>, seq: u32) {
        let Some(Place { file, line }) = self.place else {
            return frame::push(out, Kind::Log, self.level.into(), seq, self.text);
        };
        let file = &file[..file.len().min(u16::MAX.into())];
        let length = (file.len() as u16).to_le_bytes();
        let payload = [&line.to_le_bytes()[..], &length, file, self.text].concat();
        frame::push(out, Kind::Log, u16::from(self.level) | LOG_PLACED, seq, &payload);
    }

    /// Reads the flags and the payload.
    ///
    /// # Errors
    /// A place that is cut short.
    pub fn decode(flags: u16, payload: &'a [u8]) -> Result<Self, FrameError> {
        let level = flags as u8;
        if flags & LOG_PLACED == 0 {
            return Ok(Self { level, place: None, text: payload });
        }
        let mut fields = Fields(payload);
        let line = fields.u32("line")?;
        let file = fields.short("file")?;
        Ok(Self { level, place: Some(Place { file, line }), text: fields.0 })
    }
}

/// How a request ended: the flags of [`Kind::End`], but for [`frame::END_UNDER_LOAD`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum End {
    /// The answer is whole.
    Complete = 0,
    /// The application failed; when its head was sent, the client's connection is cut, else it gets 500.
    Failed = 1,
    /// The application delivered less than its Content-Length: the client's connection is cut.
    Truncated = 2,
    /// The request waited longer than queue-timeout and was not begun: 504.
    Expired = 3,
    /// The script could not be loaded (its traceback was logged): 500.
    NotLoaded = 4,
    /// The request's body could not be read, and the application gave up: the client has gone or was at fault.
    BodyFailed = 5,
    /// The script has no such callable (which was logged): 404, as from mod_wsgi.
    NoCallable = 6,
    /// The application was interrupted by `mod_wsgi.RequestTimeout`: 504.
    Interrupted = 7,
    /// The functions of a [`Kind::Call`] were called, as the `Returned` frame before this one says.
    Called = 8,
    /// Nothing was begun: the script shall be loaded anew first, by another worker.
    Reload = 9,
}

impl End {
    /// Reads the flags of an End frame.
    ///
    /// # Errors
    /// A number that is none of these.
    pub fn from_flags(flags: u16) -> Result<Self, FrameError> {
        [
            Self::Complete,
            Self::Failed,
            Self::Truncated,
            Self::Expired,
            Self::NotLoaded,
            Self::BodyFailed,
            Self::NoCallable,
            Self::Interrupted,
            Self::Called,
            Self::Reload,
        ]
        .into_iter()
        .find(|end| *end as u16 == flags & !frame::END_UNDER_LOAD)
        .ok_or(FrameError::Value("end"))
    }
}

/// Reads the payload of [`Kind::Want`]: how many bytes the application waits for.
///
/// # Errors
/// When it is cut short.
pub fn decode_want(payload: &[u8]) -> Result<u32, FrameError> {
    Fields(payload).u32("want")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn heads_survive_the_way(
            status in 100..1000_u16,
            reason in prop::collection::vec(any::<u8>(), 0..50),
            headers in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20),
        ) {
            let mut out = Vec::new();
            push_head(&mut out, 5, status, &reason, headers.iter().map(|(n, v)| (&n[..], &v[..])));
            let (header, payload, used) = Header::split(&out).unwrap().unwrap();
            prop_assert_eq!((header.kind, header.seq, used), (Kind::Head, 5, out.len()));
            let head = HeadRef::decode(payload).unwrap();
            prop_assert_eq!((head.status, head.reason), (status, &reason[..]));
            let read: Vec<_> = head.headers().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            prop_assert_eq!(read, headers);
        }

        #[test]
        fn logs_survive_the_way(
            level in 0..16_u8,
            place in prop::option::of((any::<Vec<u8>>(), any::<u32>())),
            text in any::<Vec<u8>>(),
        ) {
            let place = place.as_ref().map(|(file, line)| Place { file, line: *line });
            let log = LogRef { level, place, text: &text };
            let mut out = Vec::new();
            log.push(&mut out, 9);
            let (header, payload, used) = Header::split(&out).unwrap().unwrap();
            prop_assert_eq!((header.kind, header.seq, used), (Kind::Log, 9, out.len()));
            prop_assert_eq!(LogRef::decode(header.flags, payload), Ok(log));
        }

        #[test]
        fn garbage_never_panics(payload in any::<Vec<u8>>()) {
            let _ = LogRef::decode(LOG_PLACED, &payload);
            if let Ok(head) = HeadRef::decode(&payload) {
                let _ = head.headers().count();
            }
            let _ = (Welcome::decode(&payload), FilePart::decode(&payload), decode_want(&payload));
        }
    }

    #[test]
    fn small_payloads_survive_the_way() {
        let welcome = Welcome { pid: 77, connection: 3 };
        assert_eq!(Welcome::decode(&welcome.encode()), Ok(welcome));
        let part = FilePart { offset: 1 << 40, length: 12 };
        assert_eq!(FilePart::decode(&part.encode()), Ok(part));
        assert_eq!(End::from_flags(End::Truncated as u16), Ok(End::Truncated));
        assert_eq!(End::from_flags(99), Err(FrameError::Value("end")));
    }
}
