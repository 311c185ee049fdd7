//! The state of one answer: what may be sent still, and the frames that are to be sent.

use pinion_wire::answer::{self, End};
use pinion_wire::frame::{self, DATA_FLUSH};
use pinion_wire::{Header, Kind};

use crate::head::Head;

/// The most that goes in one Data frame.
pub(crate) const LONGEST_DATA: usize = 1024 * 1024;
/// Blocks up to this length are copied behind the frames that wait, so that one call sends all.
pub(crate) const SHORT_DATA: usize = 32 * 1024;

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Response {
    /// The request's number on its connection.
    pub(crate) seq: u32,
    /// Whether the answer has no body, as the request or the status says.
    mute: bool,
    /// Frames that are to be sent.
    pub(crate) frames: Vec<u8>,
    head: Option<Head>,
    head_gone: bool,
    status: u16,
    length: Option<u64>,
    passed: u64,
}

/// Why an answer cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStarted {
    /// The head is on its way already.
    HeadGone,
}

impl Response {
    /// The answer to request number `seq`; `mute` for a request that is answered without body (HEAD).
    /// `frames` is an empty vector whose memory is used.
    pub(crate) fn new(seq: u32, mute: bool, frames: Vec<u8>) -> Self {
        Self { seq, mute, frames, ..Self::default() }
    }

    /// Takes the head. A head that is not on its way yet is replaced.
    pub(crate) fn start(&mut self, head: Head) -> Result<(), NotStarted> {
        if self.head_gone {
            return Err(NotStarted::HeadGone);
        }
        self.head = Some(head);
        Ok(())
    }

    /// Whether a head was given.
    pub(crate) fn is_started(&self) -> bool {
        self.head.is_some() || self.head_gone
    }

    /// The status code, 0 when there is none.
    pub(crate) fn status(&self) -> u16 {
        self.head.as_ref().map_or(self.status, |head| head.status)
    }

    /// The head, if it is not on its way yet.
    pub(crate) fn head(&mut self) -> Option<&mut Head> {
        self.head.as_mut()
    }

    /// Puts the head into the frames, if that was not done.
    pub(crate) fn let_head_go(&mut self) {
        let Some(head) = self.head.take() else { return };
        answer::push_head(&mut self.frames, self.seq, head.status, head.reason(), head.headers());
        self.mute |= head.is_bodiless();
        (self.status, self.length) = (head.status, head.length);
        self.head_gone = true;
    }

    /// How many of `len` bytes may be sent: not beyond the Content-Length, none of an answer without body.
    /// They count as sent.
    pub(crate) fn admit(&mut self, len: u64) -> u64 {
        let left = self.length.map_or(u64::MAX, |length| length.saturating_sub(self.passed));
        let admitted = len.min(left);
        self.passed += admitted;
        if self.mute { 0 } else { admitted }
    }

    /// Appends a Data frame.
    pub(crate) fn push_data(&mut self, block: &[u8], flush: bool) {
        for (header, part) in data_frames(block, self.seq, flush) {
            self.frames.extend_from_slice(&header);
            self.frames.extend_from_slice(part);
        }
    }

    /// Appends one Log frame.
    pub(crate) fn push_log(&mut self, level: u8, line: &[u8]) {
        frame::push(&mut self.frames, Kind::Log, level.into(), self.seq, line);
    }

    /// Appends the End frame. An answer that is said to be complete, but is shorter than its
    /// Content-Length, is called truncated.
    pub(crate) fn end(&mut self, end: End) {
        let short = !self.mute && self.length.is_some_and(|length| self.passed < length);
        let end = if end == End::Complete && short { End::Truncated } else { end };
        frame::push(&mut self.frames, Kind::End, end as u16, self.seq, &[]);
    }
}

/// The headers and parts of the Data frames that carry `block`.
pub(crate) fn data_frames(
    block: &[u8],
    seq: u32,
    flush: bool,
) -> impl Iterator<Item = ([u8; Header::SIZE], &[u8])> {
    let last = block.len().saturating_sub(1) / LONGEST_DATA;
    block.chunks(LONGEST_DATA).enumerate().map(move |(index, part)| {
        let flags = if flush && index == last { DATA_FLUSH } else { 0 };
        (Header { kind: Kind::Data, flags, seq, len: part.len() as u32 }.encode(), part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(mut bytes: &[u8]) -> Vec<(Kind, u16, usize)> {
        let mut out = Vec::new();
        while let Some((header, payload, used)) = Header::split(bytes).unwrap() {
            out.push((header.kind, header.flags, payload.len()));
            bytes = &bytes[used..];
        }
        assert!(bytes.is_empty());
        out
    }

    fn started(status: &[u8], length: Option<u64>) -> Response {
        let mut head = Head::new(status).unwrap();
        if let Some(length) = length {
            head.set_length(length);
        }
        let mut response = Response::new(3, false, Vec::new());
        response.start(head).unwrap();
        response
    }

    #[test]
    fn a_head_is_replaced_until_it_has_gone() {
        let mut response = started(b"200 OK", None);
        response.start(Head::new(b"503 Replaced").unwrap()).unwrap();
        response.let_head_go();
        response.let_head_go();
        let (_, payload, used) = Header::split(&response.frames).unwrap().unwrap();
        assert_eq!(answer::HeadRef::decode(payload).unwrap().status, 503);
        assert_eq!(used, response.frames.len());
        let again = response.start(Head::new(b"200 OK").unwrap());
        assert_eq!(again, Err(NotStarted::HeadGone));
    }

    #[test]
    fn nothing_goes_beyond_the_length() {
        let mut response = started(b"200 OK", Some(5));
        response.let_head_go();
        assert_eq!([response.admit(3), response.admit(3), response.admit(1)], [3, 2, 0]);
        response.frames.clear();
        response.end(End::Complete);
        assert_eq!(kinds(&response.frames), [(Kind::End, End::Complete as u16, 0)]);
    }

    #[test]
    fn what_is_too_short_is_truncated() {
        let mut response = started(b"200 OK", Some(5));
        response.let_head_go();
        response.admit(4);
        response.frames.clear();
        response.end(End::Complete);
        assert_eq!(kinds(&response.frames), [(Kind::End, End::Truncated as u16, 0)]);
    }

    #[test]
    fn an_answer_without_body_has_none_and_is_complete() {
        for (status, mute) in [(&b"200 OK"[..], true), (b"204 No Content", false)] {
            let mut response = started(status, Some(5));
            response.mute = mute;
            response.let_head_go();
            assert_eq!(response.admit(3), 0);
            response.frames.clear();
            response.end(End::Complete);
            assert_eq!(kinds(&response.frames), [(Kind::End, End::Complete as u16, 0)]);
        }
    }

    #[test]
    fn a_long_block_is_split_and_flushed_at_its_end() {
        let block = vec![7; LONGEST_DATA + 1];
        let mut response = started(b"200 OK", None);
        response.push_data(&block, true);
        let expected = [(Kind::Data, 0, LONGEST_DATA), (Kind::Data, DATA_FLUSH, 1)];
        assert_eq!(kinds(&response.frames), expected);
        response.frames.clear();
        response.push_data(b"", true);
        assert_eq!(kinds(&response.frames), []);
    }
}
