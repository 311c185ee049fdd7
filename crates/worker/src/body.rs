//! What is known of a request's body, and what to ask the front door for.

use std::collections::VecDeque;

use pinion_wire::area::SLOT;
use pinion_wire::request::BodyLength;

use crate::target::{Source, Target};

/// How much of a body may be on its way, in bytes, while the application is known to need it all: then it is also received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credit {
    /// The most that is asked for and has not come.
    all: u64,
    /// The most that is asked for at once, so that the next part is on its way while one is used.
    part: u64,
}

impl Credit {
    /// By the socket.
    pub(crate) const SOCKET: Self = Self { all: 256 * 1024, part: 128 * 1024 };
    /// By memory that the front door shares.
    pub(crate) const AREA: Self = Self { all: 2 * SLOT as u64, part: SLOT as u64 };
}

/// How much is asked for when the application may be satisfied with less, as by a line: a socket's buffer
/// takes it, even when nobody receives it.
const SPARE: u64 = 64 * 1024;
/// The most memory that is taken before bytes are here.
const LARGEST_ROOM: u64 = 4 * 1024 * 1024;
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

    /// No body.
    pub(crate) fn none() -> Self {
        Self::new(BodyLength::Known(0), b"")
    }

    /// The bytes that are here.
    pub(crate) fn here(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// What to ask for now so that `needed` more bytes come; `None` when enough is asked for. Whoever asks notes that
    /// ([`Body::note_asked`]).
    pub(crate) fn next_part(&self, needed: u64, credit: Credit) -> Option<u32> {
        let asked: u64 = self.asked.iter().sum();
        let left = self.coming.unwrap_or(u64::MAX).saturating_sub(asked);
        let part = needed.saturating_sub(asked).clamp(SPARE, credit.part);
        let amount = part.min(left).min(credit.all.saturating_sub(asked));
        if self.ended || asked >= needed || amount == 0 {
            return None;
        }
        u32::try_from(amount).ok()
    }

    /// Notes that so many bytes were asked for.
    pub(crate) fn note_asked(&mut self, amount: u32) {
        self.asked.push_back(amount.into());
    }

    /// How long the body's next `limit` bytes are, where that is known, not all of them are here, and memory may be taken for them.
    pub(crate) fn length_of(&self, limit: usize) -> Option<usize> {
        let (here, coming) = (self.here().len(), self.coming.filter(|_| !self.ended)?);
        let all = coming.saturating_add(here as u64).min(limit as u64);
        (all > here as u64 && all <= LARGEST_ROOM).then_some(usize::try_from(all).ok()?)
    }

    /// Makes room for bytes that are needed, but not for more than a client could make us.
    pub(crate) fn reserve(&mut self, needed: u64) {
        let room = needed.min(self.coming.unwrap_or(0)).min(LARGEST_ROOM);
        self.bytes.reserve(usize::try_from(room).unwrap_or(0));
    }

    /// Takes a frame of the body: what `target` has room for goes there, behind all that was here before.
    pub(crate) fn feed(&mut self, payload: Source<'_>, last: bool, target: &mut Target<'_>) {
        self.asked.pop_front();
        let length = payload.len();
        let fitting =
            self.coming.map_or(length, |left| usize::try_from(left).unwrap_or(length).min(length));
        let taken = target.take(payload, fitting);
        if taken < fitting {
            self.bytes.drain(..self.start);
            self.start = 0;
            payload.append_to(taken, fitting, &mut self.bytes);
        }
        self.coming = self.coming.map(|coming| coming - fitting as u64);
        self.ended |= last || self.coming == Some(0);
    }

    /// Moves as much of what is here to `target` as that has room for.
    pub(crate) fn move_to(&mut self, target: &mut Target<'_>) {
        let here = Source::Here(self.here());
        self.start += target.take(here, here.len());
    }

    /// Takes back what was moved out, and what has come behind it.
    pub(crate) fn take_back(&mut self, bytes: &[u8]) {
        self.bytes.splice(..self.start, bytes.iter().copied());
        self.start = 0;
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
        self.note_come(self.bytes.len() - before);
        self.ended |= ended?;
        Ok(())
    }

    /// Notes that so many bytes have come.
    pub(crate) fn note_come(&mut self, count: usize) {
        self.coming = self.coming.map(|coming| coming.saturating_sub(count as u64));
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

    fn want(body: &mut Body, needed: u64) -> Option<u32> {
        want_by(body, needed, Credit::SOCKET)
    }

    fn want_by(body: &mut Body, needed: u64, credit: Credit) -> Option<u32> {
        let amount = body.next_part(needed, credit);
        amount.inspect(|amount| body.note_asked(*amount))
    }

    fn feed(body: &mut Body, payload: &[u8], last: bool) {
        body.feed(Source::Here(payload), last, &mut Target::none());
    }

    #[test]
    fn much_is_asked_for_in_two_parts_and_never_beyond_the_length() {
        let mut body = Body::new(BodyLength::Known(400_000), b"");
        assert_eq!(want(&mut body, 400_000), Some(131_072));
        assert_eq!(want(&mut body, 400_000), Some(131_072));
        assert_eq!(want(&mut body, 400_000), None, "256 KiB are on their way");
        feed(&mut body, &[0; 131_072], false);
        assert_eq!(want(&mut body, 268_928), Some(131_072));
        feed(&mut body, &[0; 131_072], false);
        feed(&mut body, &[0; 131_072], false);
        assert_eq!(want(&mut body, 6_784), Some(6_784));
        assert_eq!(want(&mut body, 6_784), None);
        assert!(!body.ended);
        feed(&mut body, &[0; 6_784], false);
        assert!(body.ended);
        assert_eq!((want(&mut body, 5), body.here().len()), (None, 400_000));
    }

    #[test]
    fn little_is_asked_for_beyond_what_is_needed() {
        let mut body = Body::new(BodyLength::Chunked, b"");
        assert_eq!(want(&mut body, 1), Some(65_536));
        assert_eq!(want(&mut body, 1), None);
        let mut body = Body::new(BodyLength::Chunked, b"");
        assert_eq!(want(&mut body, 100_000), Some(100_000));
        assert_eq!(want(&mut body, 100_000), None);
    }

    #[test]
    fn a_short_answer_makes_room_for_the_next_question() {
        let mut body = Body::new(BodyLength::Known(10), b"ab");
        assert_eq!(want(&mut body, 3), Some(8));
        assert_eq!(want(&mut body, 3), None);
        feed(&mut body, b"c", false);
        assert_eq!(want(&mut body, 2), Some(7));
        feed(&mut body, b"defghijklm", false);
        assert!(body.ended);
        assert_eq!(body.take(3), b"abc");
        assert_eq!(body.take(20), b"defghij");
    }

    #[test]
    fn a_chunked_body_ends_with_its_last_frame() {
        let mut body = Body::new(BodyLength::Chunked, b"");
        assert_eq!(want(&mut body, u64::MAX), Some(131_072));
        feed(&mut body, b"abc", false);
        assert!(!body.ended);
        feed(&mut body, b"", true);
        assert!(body.ended);
        assert_eq!(want(&mut body, u64::MAX), None);
    }

    #[test]
    fn by_shared_memory_more_is_on_its_way() {
        let mut body = Body::new(BodyLength::Known(1 << 20), b"");
        for left in [3, 2] {
            assert_eq!(want_by(&mut body, left << 18, Credit::AREA), Some(1 << 18));
            assert_eq!(want_by(&mut body, left << 18, Credit::AREA), Some(1 << 18));
            assert_eq!(want_by(&mut body, left << 18, Credit::AREA), None);
            assert_eq!(want(&mut body, left << 18), None, "more than the socket may bring");
            feed(&mut body, &[0; 1 << 18], false);
            feed(&mut body, &[0; 1 << 18], false);
        }
        assert!(body.ended);
    }

    #[test]
    fn what_is_read_at_once_goes_where_it_is_wanted_and_the_rest_stays() {
        let mut body = Body::new(BodyLength::Known(12), b"abc");
        assert_eq!(
            (body.length_of(9), body.length_of(3), body.length_of(20)),
            (Some(9), None, Some(12))
        );
        let mut room = [std::mem::MaybeUninit::uninit(); 9];
        let mut target = Target::new(&mut room);
        body.move_to(&mut target);
        assert_eq!((target.left(), body.here().len()), (6, 0));
        body.feed(Source::Here(b"defgh"), false, &mut target);
        assert_eq!((target.left(), body.ended), (1, false));
        body.feed(Source::Here(b"ijklmn"), false, &mut target);
        assert_eq!(
            (target.filled(), body.here(), body.ended),
            (&b"abcdefghi"[..], &b"jkl"[..], true)
        );
        assert_eq!(body.length_of(20), None, "all is here");
        body.take_back(b"ghi");
        assert_eq!(body.take(20), b"ghijkl");
        assert_eq!(Body::new(BodyLength::Chunked, b"").length_of(9), None);
        assert_eq!(Body::new(BodyLength::Known(LARGEST_ROOM + 1), b"").length_of(usize::MAX), None);
    }

    #[test]
    fn no_body_asks_for_nothing() {
        let mut body = Body::new(BodyLength::Known(0), b"");
        assert!(body.ended);
        assert_eq!(want(&mut body, 1), None);
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
