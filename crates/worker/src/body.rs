//! What is known of a request's body, and what to ask the front door for.

use std::collections::VecDeque;

use pinion_wire::request::BodyLength;

/// The most that is asked for and has not come while the application is known to need it all: then it is also received.
const CREDIT: u64 = 256 * 1024;
/// How much is asked for when the application may be satisfied with less, as by a line: a socket's buffer
/// takes it, even when nobody receives it.
const SPARE: u64 = 64 * 1024;
/// The most memory that is taken before bytes are here.
const LARGEST_ROOM: u64 = 4 * 1024 * 1024;
/// How much is asked for at once while much is needed, so that the next part is on its way while one is used.
const PART: u64 = CREDIT / 2;

/// What is known of a body.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    start: usize,
    /// How many bytes will still come; `None` when that shows at the end.
    pub(crate) coming: Option<u64>,
    pub(crate) ended: bool,
    /// How many bytes each unanswered Want asked for.
    pub(crate) asked: VecDeque<u64>,
    pub(crate) failed: Option<String>,
}

impl Body {
    /// A body whose first bytes are here.
    pub(crate) fn new(length: BodyLength, inline: &[u8]) -> Self {
        let coming = match length {
            BodyLength::Known(length) => Some(length.saturating_sub(inline.len() as u64)),
            BodyLength::Chunked => None,
        };
        Self {
            bytes: inline.to_vec(),
            start: 0,
            coming,
            ended: coming == Some(0),
            asked: VecDeque::new(),
            failed: None,
        }
    }

    /// The bytes that are here.
    pub(crate) fn here(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// What to ask for now so that `needed` more bytes come; `None` when enough is asked for.
    pub(crate) fn want(&mut self, needed: u64) -> Option<u32> {
        let asked: u64 = self.asked.iter().sum();
        let left = self.coming.unwrap_or(u64::MAX).saturating_sub(asked);
        let part = needed.saturating_sub(asked).clamp(SPARE, PART);
        let amount = part.min(left).min(CREDIT - asked.min(CREDIT));
        if self.ended || asked >= needed || amount == 0 {
            return None;
        }
        self.asked.push_back(amount);
        u32::try_from(amount).ok()
    }

    /// Makes room for bytes that are needed, but not for more than a client could make us.
    pub(crate) fn reserve(&mut self, needed: u64) {
        let room = needed.min(self.coming.unwrap_or(0)).min(LARGEST_ROOM);
        self.bytes.reserve(usize::try_from(room).unwrap_or(0));
    }

    /// Takes a frame of the body.
    pub(crate) fn feed(&mut self, payload: &[u8], last: bool) {
        self.asked.pop_front();
        self.bytes.drain(..self.start);
        self.start = 0;
        let fitting = self.coming.map_or(payload.len(), |coming| {
            usize::try_from(coming).map_or(payload.len(), |coming| coming.min(payload.len()))
        });
        self.bytes.extend_from_slice(&payload[..fitting]);
        self.coming = self.coming.map(|coming| coming - fitting as u64);
        self.ended |= last || self.coming == Some(0);
    }

    /// Has `read` append a part of the body and say whether it has ended.
    pub(crate) fn append<E>(
        &mut self,
        read: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let before = self.bytes.len();
        let ended = read(&mut self.bytes);
        let came = (self.bytes.len() - before) as u64;
        self.coming = self.coming.map(|coming| coming.saturating_sub(came));
        self.ended |= ended?;
        Ok(())
    }

    /// Takes the first `len` bytes out, fewer when fewer are here; without a copy when none stay.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        if self.start == 0 && len >= self.bytes.len() {
            return std::mem::take(&mut self.bytes);
        }
        let len = len.min(self.here().len());
        let taken = self.here()[..len].to_vec();
        self.start += len;
        taken
    }
}

/// Where the first line ends, if that is known; the first `seen` bytes hold no end.
pub(crate) fn line_end(here: &[u8], seen: usize, limit: usize) -> Option<usize> {
    let seen = seen.min(here.len());
    let end = here[seen..].iter().position(|byte| *byte == b'\n').map(|at| seen + at + 1);
    end.filter(|end| *end <= limit).or_else(|| (here.len() >= limit).then_some(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_asked_for_in_two_parts_and_never_beyond_the_length() {
        let mut body = Body::new(BodyLength::Known(400_000), b"");
        assert_eq!(body.want(400_000), Some(131_072));
        assert_eq!(body.want(400_000), Some(131_072));
        assert_eq!(body.want(400_000), None, "256 KiB are on their way");
        body.feed(&[0; 131_072], false);
        assert_eq!(body.want(268_928), Some(131_072));
        body.feed(&[0; 131_072], false);
        body.feed(&[0; 131_072], false);
        assert_eq!(body.want(6_784), Some(6_784));
        assert_eq!(body.want(6_784), None);
        assert!(!body.ended);
        body.feed(&[0; 6_784], false);
        assert!(body.ended);
        assert_eq!((body.want(5), body.here().len()), (None, 400_000));
    }

    #[test]
    fn little_is_asked_for_beyond_what_is_needed() {
        let mut body = Body::new(BodyLength::Chunked, b"");
        assert_eq!(body.want(1), Some(65_536));
        assert_eq!(body.want(1), None);
        let mut body = Body::new(BodyLength::Chunked, b"");
        assert_eq!(body.want(100_000), Some(100_000));
        assert_eq!(body.want(100_000), None);
    }

    #[test]
    fn a_short_answer_makes_room_for_the_next_question() {
        let mut body = Body::new(BodyLength::Known(10), b"ab");
        assert_eq!(body.want(3), Some(8));
        assert_eq!(body.want(3), None);
        body.feed(b"c", false);
        assert_eq!(body.want(2), Some(7));
        body.feed(b"defghijklm", false);
        assert!(body.ended);
        assert_eq!(body.take(3), b"abc");
        assert_eq!(body.take(20), b"defghij");
    }

    #[test]
    fn a_chunked_body_ends_with_its_last_frame() {
        let mut body = Body::new(BodyLength::Chunked, b"");
        assert_eq!(body.want(u64::MAX), Some(131_072));
        body.feed(b"abc", false);
        assert!(!body.ended);
        body.feed(b"", true);
        assert!(body.ended);
        assert_eq!(body.want(u64::MAX), None);
    }

    #[test]
    fn no_body_asks_for_nothing() {
        let mut body = Body::new(BodyLength::Known(0), b"");
        assert!(body.ended);
        assert_eq!(body.want(1), None);
    }

    #[test]
    fn lines_end_at_line_feeds_and_limits() {
        assert_eq!(line_end(b"ab\ncd", 0, usize::MAX), Some(3));
        assert_eq!(line_end(b"ab\ncd", 2, usize::MAX), Some(3));
        assert_eq!(line_end(b"ab\ncd", 0, 2), Some(2));
        assert_eq!(line_end(b"ab", 1, usize::MAX), None);
        assert_eq!(line_end(b"", 0, 0), Some(0));
    }
}
