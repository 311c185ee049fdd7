//! What a front door sends: the head of a request.
//!
//! The payload of [`Kind::Request`]:
//!
//! | field | size |
//! |---|---|
//! | when it was queued, nanoseconds of `CLOCK_MONOTONIC` | u64 |
//! | length of the body: [`BODY_NONE`], [`BODY_CHUNKED`] or a number of bytes | u64 |
//! | offset of the inline body in the payload | u32 |
//! | script's path | u16 length + bytes |
//! | callable's name | u16 length + bytes |
//! | process group's name | u16 length + bytes |
//! | application group's name | u16 length + bytes |
//! | number of environ entries | u16 |
//! | each entry: name | u16 length + bytes |
//! | each entry: value | u32 length + bytes |
//! | the body's first bytes, up to the end of the payload | |

use crate::frame::{FrameError, Header, Kind};
use crate::read::Fields;

pub use crate::places::Places;
pub use crate::prepared::{Entries, Start};

/// The request has no body.
const BODY_NONE: u64 = 0;
/// The request's body has no length known in advance.
const BODY_CHUNKED: u64 = u64::MAX;

/// How long a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// This many bytes, perhaps none.
    Known(u64),
    /// Chunked: known at its end.
    Chunked,
}

impl BodyLength {
    fn to_wire(self) -> u64 {
        match self {
            Self::Known(length) => length.min(BODY_CHUNKED - 1),
            Self::Chunked => BODY_CHUNKED,
        }
    }

    fn from_wire(word: u64) -> Self {
        if word == BODY_CHUNKED { Self::Chunked } else { Self::Known(word) }
    }

    /// Whether there is no body at all.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::Known(BODY_NONE)
    }
}

/// Which application a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The script's absolute path.
    pub script: &'a [u8],
    /// The name of the callable in the script.
    pub callable: &'a [u8],
    /// The process group as the application sees it.
    pub process_group: &'a [u8],
    /// The application group as the application sees it.
    pub application_group: &'a [u8],
}

impl Target<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for field in [self.script, self.callable, self.process_group, self.application_group] {
            let field = &field[..field.len().min(u16::MAX.into())];
            out.extend_from_slice(&(field.len() as u16).to_le_bytes());
            out.extend_from_slice(field);
        }
    }
}

/// Appends an entry, if its lengths fit. Inlined, since most names are constants, which are written in a few instructions then.
#[inline(always)]
pub(crate) fn push_entry(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> bool {
    let lengths = (u16::try_from(name.len()), u32::try_from(value.len()));
    let (Ok(name_len), Ok(value_len)) = lengths else { return false };
    out.reserve(name.len() + value.len() + 6);
    out.extend_from_slice(&name_len.to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(&value_len.to_le_bytes());
    out.extend_from_slice(value);
    true
}

/// Writes one request frame, entry by entry.
///
/// Names and values that do not fit their length fields are left out and counted
/// ([`RequestWriter::dropped`]): Apache's own limits keep them far below.
#[derive(Debug)]
pub struct RequestWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    count_at: usize,
    count: u16,
    dropped: u32,
    flags: u16,
}

impl<'a> RequestWriter<'a> {
    const QUEUED_AT: usize = Header::SIZE;
    const INLINE_AT: usize = Header::SIZE + 16;
    /// Where the target begins.
    pub(crate) const TARGET_AT: usize = Self::INLINE_AT + 4;

    /// Starts a request frame at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, target: Target<'_>, body: BodyLength) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; Self::TARGET_AT]);
        target.write(out);
        Self::behind(out, start, body)
    }

    /// As [`RequestWriter::new`], for the target of `prepared`.
    pub fn begin(out: &'a mut Vec<u8>, prepared: &Start, body: BodyLength) -> Self {
        let start = out.len();
        out.extend_from_slice(prepared.bytes());
        Self::behind(out, start, body)
    }

    fn behind(out: &'a mut Vec<u8>, start: usize, body: BodyLength) -> Self {
        let body_at = start + Self::QUEUED_AT + 8;
        out[body_at..body_at + 8].copy_from_slice(&body.to_wire().to_le_bytes());
        let count_at = out.len();
        out.extend_from_slice(&0_u16.to_le_bytes());
        Self { out, start, count_at, count: 0, dropped: 0, flags: 0 }
    }

    /// Adds environ entries that were written down before.
    pub fn entries(&mut self, entries: &Entries) {
        let Some(count) = self.count.checked_add(entries.count()) else {
            self.dropped += u32::from(entries.count());
            return;
        };
        self.count = count;
        self.out.extend_from_slice(entries.bytes());
    }

    /// Adds an environ entry.
    #[inline(always)]
    pub fn entry(&mut self, name: &[u8], value: &[u8]) {
        match self.count.checked_add(1) {
            Some(count) if push_entry(self.out, name, value) => self.count = count,
            _ => self.dropped += 1,
        }
    }

    /// Sets flags of the frame, such as [`crate::frame::REQUEST_MAY_RELOAD`].
    pub fn flag(&mut self, flags: u16) {
        self.flags |= flags;
    }

    /// How many entries did not fit.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Ends the frame with the bytes of the body that are here already.
    pub fn finish(self, inline: &[u8]) {
        self.finish_as(Kind::Request, inline);
    }

    /// Ends the frame as one of [`Kind::Call`], with an encoded [`crate::call::Call`].
    pub fn finish_call(self, call: &[u8]) {
        self.finish_as(Kind::Call, call);
    }

    fn finish_as(self, kind: Kind, inline: &[u8]) {
        let Self { out, start, count_at, count, flags, .. } = self;
        out[count_at..count_at + 2].copy_from_slice(&count.to_le_bytes());
        let offset = (out.len() - start - Header::SIZE) as u32;
        out[start + Self::INLINE_AT..start + Self::INLINE_AT + 4]
            .copy_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(inline);
        let len = (out.len() - start - Header::SIZE) as u32;
        let header = Header { kind, flags, seq: 0, len };
        out[start..start + Header::SIZE].copy_from_slice(&header.encode());
    }

    /// Appends more of the body to a finished frame that is all of `frame`.
    pub fn extend(frame: &mut Vec<u8>, more: &[u8]) {
        frame.extend_from_slice(more);
        let len = (frame.len() - Header::SIZE) as u32;
        frame[0..4].copy_from_slice(&len.to_le_bytes());
    }

    /// Sets flags of a finished frame that starts at `frame[0]`.
    pub fn mark(frame: &mut [u8], flags: u16) {
        let all = u16::from_le_bytes([frame[6], frame[7]]) | flags;
        frame[6..8].copy_from_slice(&all.to_le_bytes());
    }

    /// Takes flags off a finished frame that starts at `frame[0]`.
    pub fn unflag(frame: &mut [u8], flags: u16) {
        let left = u16::from_le_bytes([frame[6], frame[7]]) & !flags;
        frame[6..8].copy_from_slice(&left.to_le_bytes());
    }

    /// Writes the sequence number and the time of queueing into a finished frame that starts
    /// at `frame[0]`, so that a request can be sent again without being built again.
    pub fn stamp(frame: &mut [u8], seq: u32, queued_ns: u64) {
        frame[8..12].copy_from_slice(&seq.to_le_bytes());
        frame[Self::QUEUED_AT..Self::QUEUED_AT + 8].copy_from_slice(&queued_ns.to_le_bytes());
    }
}

/// A request frame's payload, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct RequestRef<'a> {
    /// When the front door queued it, nanoseconds of `CLOCK_MONOTONIC`.
    pub queued_ns: u64,
    /// How long the body is.
    pub body: BodyLength,
    /// The application that it is for.
    pub target: Target<'a>,
    /// How many environ entries there are.
    pub entries: u16,
    environ: &'a [u8],
    /// The first bytes of the body.
    pub inline: &'a [u8],
}

impl<'a> RequestRef<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// A field that is cut short, or an offset outside of the payload. Entries are checked here
    /// too, so that [`RequestRef::environ`] cannot fail.
    pub fn decode(payload: &'a [u8]) -> Result<Self, FrameError> {
        let request = Self::decode_own(payload)?;
        let mut check = Fields(request.environ);
        for _ in 0..request.entries {
            check.short("name")?;
            check.long("value")?;
        }
        if check.0.is_empty() { Ok(request) } else { Err(FrameError::Value("entries")) }
    }

    /// As [`RequestRef::decode`], for a payload that this process has written itself: the entries are not looked at, and end
    /// where they are malformed.
    ///
    /// # Errors
    /// As [`RequestRef::decode`], but for the entries.
    pub fn decode_own(payload: &'a [u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(payload);
        let queued_ns = fields.u64("queued")?;
        let body = BodyLength::from_wire(fields.u64("body length")?);
        let inline_at = fields.u32("inline offset")? as usize;
        let target = Target {
            script: fields.short("script")?,
            callable: fields.short("callable")?,
            process_group: fields.short("process group")?,
            application_group: fields.short("application group")?,
        };
        let entries = fields.u16("entries")?;
        let environ_at = payload.len() - fields.0.len();
        let (environ, inline) = payload
            .split_at_checked(inline_at)
            .and_then(|(head, inline)| Some((head.get(environ_at..)?, inline)))
            .ok_or(FrameError::Value("inline offset"))?;
        Ok(Self { queued_ns, body, target, entries, environ, inline })
    }

    /// The environ entries, in the order in which they were written.
    #[inline]
    pub fn environ(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut fields = Fields(self.environ);
        std::iter::from_fn(move || {
            let name = fields.short("name").ok()?;
            Some((name, fields.long("value").ok()?))
        })
    }

    /// The environ entries as they came, for [`Places`].
    #[must_use]
    pub fn raw_environ(&self) -> &'a [u8] {
        self.environ
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: Target<'static> = Target {
        script: b"/srv/app.wsgi",
        callable: b"application",
        process_group: b"app",
        application_group: b"",
    };

    fn frame(entries: &[(Vec<u8>, Vec<u8>)], body: BodyLength, inline: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = RequestWriter::new(&mut out, TARGET, body);
        for (name, value) in entries {
            writer.entry(name, value);
        }
        assert_eq!(writer.dropped(), 0);
        writer.finish(inline);
        out
    }

    #[test]
    fn stamping_leaves_the_rest_alone() {
        let mut out = frame(&[(b"A".to_vec(), b"1".to_vec())], BodyLength::Chunked, b"xyz");
        RequestWriter::stamp(&mut out, 9, 1234);
        let (header, payload, _) = Header::split(&out).unwrap().unwrap();
        let request = RequestRef::decode(payload).unwrap();
        assert_eq!((header.seq, request.queued_ns), (9, 1234));
        assert_eq!(request.body, BodyLength::Chunked);
        assert_eq!(request.inline, b"xyz");
        assert_eq!(request.environ().collect::<Vec<_>>(), [(&b"A"[..], &b"1"[..])]);
    }

    #[test]
    fn flags_can_be_set_and_taken_off() {
        let mut out = Vec::new();
        let mut writer = RequestWriter::new(&mut out, TARGET, BodyLength::Known(0));
        writer.flag(1);
        writer.flag(2);
        writer.finish(b"");
        assert_eq!(Header::split(&out).unwrap().unwrap().0.flags, 3);
        RequestWriter::unflag(&mut out, 1);
        assert_eq!(Header::split(&out).unwrap().unwrap().0.flags, 2);
        RequestWriter::mark(&mut out, 9);
        assert_eq!(Header::split(&out).unwrap().unwrap().0.flags, 11);
    }

    #[test]
    fn a_name_that_is_too_long_is_left_out_and_counted() {
        let mut out = Vec::new();
        let mut writer = RequestWriter::new(&mut out, TARGET, BodyLength::Known(0));
        writer.entry(&vec![b'x'; 70_000], b"");
        assert_eq!(writer.dropped(), 1);
        writer.finish(b"");
        let (_, payload, _) = Header::split(&out).unwrap().unwrap();
        assert_eq!(RequestRef::decode(payload).unwrap().entries, 0);
    }

    proptest! {
        #[test]
        fn requests_survive_the_way(
            entries in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..20),
            inline in any::<Vec<u8>>(),
            length in 0..u64::MAX,
        ) {
            let out = frame(&entries, BodyLength::Known(length), &inline);
            let (header, payload, used) = Header::split(&out).unwrap().unwrap();
            prop_assert_eq!((header.kind, used), (Kind::Request, out.len()));
            let request = RequestRef::decode(payload).unwrap();
            prop_assert_eq!(request.target, TARGET);
            prop_assert_eq!(request.body, BodyLength::Known(length));
            prop_assert_eq!(request.inline, &inline[..]);
            let read: Vec<_> = request.environ().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            prop_assert_eq!(read, entries);
        }

        #[test]
        fn garbage_never_panics(payload in any::<Vec<u8>>()) {
            if let Ok(request) = RequestRef::decode(&payload) {
                prop_assert_eq!(request.environ().count(), usize::from(request.entries));
            }
            if let Ok(request) = RequestRef::decode_own(&payload) {
                prop_assert!(request.environ().count() <= payload.len());
            }
        }
    }
}
