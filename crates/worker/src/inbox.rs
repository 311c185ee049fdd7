//! Bytes received on a connection, cut into frames.

use std::ops::Range;

use pinion_wire::frame::FrameError;
use pinion_wire::{Header, Kind};

/// How much one receive may bring when nothing says that more is coming.
const ROOM: usize = 16 * 1024;

/// What was received and not used yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
}

impl Inbox {
    /// The frame at the front: its header, and where its payload is ([`Inbox::payload`]); `None` while it is not whole.
    ///
    /// # Errors
    /// Another version, an unknown kind, a frame that is too long.
    pub(crate) fn frame(&self) -> Result<Option<(Header, Range<usize>)>, FrameError> {
        let found = Header::split(&self.bytes[self.start..])?;
        Ok(found.map(|(header, _, used)| (header, self.start + Header::SIZE..self.start + used)))
    }

    /// The payload of a frame that [`Inbox::frame`] has found.
    pub(crate) fn payload(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Forgets everything up to the end of a frame.
    pub(crate) fn consume(&mut self, payload: &Range<usize>) {
        self.start = payload.end.min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Takes the frame at the front out: the bytes in which its payload is at `payload`. Where nothing else is here, that is without a
    /// copy; [`Inbox::give_back`] returns the memory.
    pub(crate) fn take_out(&mut self, payload: &mut Range<usize>) -> Vec<u8> {
        if payload.end == self.bytes.len() {
            self.start = 0;
            return std::mem::take(&mut self.bytes);
        }
        let frame = self.bytes[payload.clone()].to_vec();
        self.consume(payload);
        *payload = 0..frame.len();
        frame
    }

    /// Takes memory back, to be used again.
    pub(crate) fn give_back(&mut self, mut bytes: Vec<u8>) {
        if self.bytes.capacity() == 0 && bytes.capacity() <= 4 * ROOM {
            bytes.clear();
            self.bytes = bytes;
        }
    }

    /// Whether a part of a frame is here.
    pub(crate) fn has_part(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// The vector to append received bytes to, and how many to ask for: the rest of the frame
    /// whose header is here, at least.
    pub(crate) fn spare(&mut self) -> (&mut Vec<u8>, usize) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let missing = self
            .bytes
            .first_chunk()
            .and_then(|head| Header::decode(head).ok())
            .map_or(0, |header| {
                (Header::SIZE + header.len as usize).saturating_sub(self.bytes.len())
            });
        (&mut self.bytes, missing.max(ROOM))
    }

    /// Skips frames of a body that nobody reads any more, and has `skipped` called for each; the frame at the front is then something
    /// else or not whole.
    ///
    /// # Errors
    /// As [`Inbox::frame`].
    pub(crate) fn skip_body(&mut self, mut skipped: impl FnMut()) -> Result<(), FrameError> {
        while let Some((header, payload)) = self.frame()? {
            if !matches!(header.kind, Kind::Body | Kind::BodyFailed) {
                break;
            }
            self.consume(&payload);
            skipped();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_wire::frame::push;

    fn feed(inbox: &mut Inbox, bytes: &[u8]) {
        let (spare, room) = inbox.spare();
        assert!(room >= bytes.len());
        spare.extend_from_slice(bytes);
    }

    #[test]
    fn a_frame_that_comes_in_pieces_is_found_when_it_is_whole() {
        let mut frame = Vec::new();
        push(&mut frame, Kind::Request, 0, 5, b"hello");
        push(&mut frame, Kind::Request, 0, 6, b"again");
        let mut inbox = Inbox::default();
        for byte in &frame[..16] {
            feed(&mut inbox, &[*byte]);
            assert_eq!(inbox.frame(), Ok(None));
            assert!(inbox.has_part());
        }
        feed(&mut inbox, &frame[16..]);
        for (seq, expected) in [(5, b"hello"), (6, b"again")] {
            let (header, range) = inbox.frame().unwrap().unwrap();
            assert_eq!(header.seq, seq);
            assert_eq!(inbox.payload(range.clone()), expected);
            inbox.consume(&range);
        }
        assert!(!inbox.has_part());
    }

    #[test]
    fn a_frame_is_taken_out_and_the_next_stays() {
        let mut bytes = Vec::new();
        push(&mut bytes, Kind::Request, 0, 5, b"hello");
        push(&mut bytes, Kind::Request, 0, 6, b"again");
        let mut inbox = Inbox::default();
        feed(&mut inbox, &bytes);
        for expected in [b"hello", b"again"] {
            let (_, mut payload) = inbox.frame().unwrap().unwrap();
            let taken = inbox.take_out(&mut payload);
            assert_eq!(&taken[payload], expected);
            inbox.give_back(taken);
        }
        assert!(!inbox.has_part() && inbox.frame() == Ok(None));
    }

    #[test]
    fn a_long_frame_is_asked_for_whole() {
        let header = Header { kind: Kind::Request, flags: 0, seq: 1, len: 1_000_000 };
        let mut inbox = Inbox::default();
        feed(&mut inbox, &header.encode());
        assert_eq!(inbox.spare().1, 1_000_000);
    }

    #[test]
    fn what_is_left_of_a_body_is_skipped() {
        let mut bytes = Vec::new();
        push(&mut bytes, Kind::Body, 0, 5, b"left");
        push(&mut bytes, Kind::BodyFailed, 0, 5, b"over");
        push(&mut bytes, Kind::Request, 0, 6, b"");
        let mut inbox = Inbox::default();
        feed(&mut inbox, &bytes);
        let mut skipped = 0;
        inbox.skip_body(|| skipped += 1).unwrap();
        assert_eq!(skipped, 2);
        assert_eq!(inbox.frame().unwrap().unwrap().0.kind, Kind::Request);
    }

    #[test]
    fn another_version_is_an_error() {
        let mut bytes = Vec::new();
        push(&mut bytes, Kind::Request, 0, 1, b"");
        bytes[4] ^= 0x40;
        let mut inbox = Inbox::default();
        feed(&mut inbox, &bytes);
        assert!(inbox.frame().is_err());
        assert!(inbox.skip_body(|| {}).is_err());
    }
}
