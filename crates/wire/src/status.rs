//! The page on which a worker notes what each of its threads has begun, for the manager to read while
//! the worker runs and after it died.
//!
//! The worker is the application's own process, so the manager believes nothing here beyond what is
//! said about the worker's own requests.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many threads have a place on the page. More threads run, unnoted.
pub const THREADS: usize = 256;
/// How many bytes of a request's line are kept.
pub const LINE: usize = 240;

const LINE_WORDS: usize = LINE / 8;
const WORDS_PER_THREAD: usize = 2 + LINE_WORDS;

/// Behind the threads: when Python's lock was had last, and when there was something to do last.
const BEAT_AT: usize = THREADS * WORDS_PER_THREAD;
const ACTIVE_AT: usize = BEAT_AT + 1;
/// Behind those: how many connections a front door inside the worker has.
const OPEN_AT: usize = ACTIVE_AT + 1;

/// Length of the page in words.
pub const WORDS: usize = OPEN_AT + 1;

/// How often a worker takes Python's lock when `deadlock` milliseconds without it are too long; `None` where that is 0.
#[must_use]
pub fn beat_interval_ms(deadlock: u64) -> Option<u64> {
    (deadlock > 0).then(|| (deadlock / 10).clamp(100, 10_000))
}

/// What a thread has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The connection's number, as in the worker's Welcome.
    pub connection: u32,
    /// The request's sequence on that connection.
    pub seq: u32,
    /// When it began, nanoseconds of `CLOCK_MONOTONIC`.
    pub since_ns: u64,
    /// The request's method and path, cut to [`LINE`] bytes.
    pub line: String,
}

/// The page.
#[derive(Clone, Copy, Debug)]
pub struct StatusPage<'a> {
    words: &'a [AtomicU64],
}

impl<'a> StatusPage<'a> {
    /// Wraps the page's words; `None` when there are fewer than [`WORDS`].
    #[must_use]
    pub fn new(words: &'a [AtomicU64]) -> Option<Self> {
        Some(Self { words: words.get(..WORDS)? })
    }

    fn thread(&self, thread: usize) -> Option<&'a [AtomicU64]> {
        let at = thread * WORDS_PER_THREAD;
        (thread < THREADS).then(|| &self.words[at..at + WORDS_PER_THREAD])
    }

    /// Notes that `thread` begins a request. `since_ns` must not be 0; the parts of `line` are
    /// written one behind the other.
    pub fn begin(&self, thread: usize, connection: u32, seq: u32, since_ns: u64, line: &[&[u8]]) {
        let Some(words) = self.thread(thread) else { return };
        let (mut text, mut length) = ([0; LINE], 0);
        for part in line {
            let fitting = part.len().min(LINE - length);
            text[length..length + fitting].copy_from_slice(&part[..fitting]);
            length += fitting;
        }
        // With a zero behind it, if there is room for one.
        let (filled, _) = text.as_chunks::<8>();
        for (word, bytes) in words[2..].iter().zip(filled).take(length / 8 + 1) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
        words[1].store(u64::from(connection) << 32 | u64::from(seq), Ordering::Relaxed);
        words[0].store(since_ns, Ordering::Release);
    }

    /// Notes that `thread` is done with its request.
    pub fn end(&self, thread: usize) {
        if let Some(words) = self.thread(thread) {
            words[0].store(0, Ordering::Release);
        }
    }

    /// What `thread` has begun and not ended.
    #[must_use]
    pub fn read(&self, thread: usize) -> Option<Begun> {
        let words = self.thread(thread)?;
        let since_ns = words[0].load(Ordering::Acquire);
        if since_ns == 0 {
            return None;
        }
        let request = words[1].load(Ordering::Relaxed);
        let bytes: Vec<u8> = words[2..]
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .take_while(|byte| *byte != 0)
            .collect();
        let line = bytes.escape_ascii().to_string();
        Some(Begun { connection: (request >> 32) as u32, seq: request as u32, since_ns, line })
    }

    /// Notes that Python's lock was had at `now_ns`.
    pub fn beat(&self, now_ns: u64) {
        self.words[BEAT_AT].store(now_ns, Ordering::Release);
    }

    /// When Python's lock was had last, in nanoseconds of `CLOCK_MONOTONIC`; 0 before it was.
    #[must_use]
    pub fn last_beat(&self) -> u64 {
        self.words[BEAT_AT].load(Ordering::Acquire)
    }

    /// Notes that there was something to do at `now_ns`.
    pub fn be_active(&self, now_ns: u64) {
        self.words[ACTIVE_AT].store(now_ns, Ordering::Release);
    }

    /// When there was something to do last, in nanoseconds of `CLOCK_MONOTONIC`; 0 before there was.
    #[must_use]
    pub fn last_active(&self) -> u64 {
        self.words[ACTIVE_AT].load(Ordering::Acquire)
    }

    /// Notes how many connections a front door inside the worker has.
    pub fn set_open(&self, connections: u64) {
        self.words[OPEN_AT].store(connections, Ordering::Release);
    }

    /// How many connections a front door inside the worker has.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.words[OPEN_AT].load(Ordering::Acquire)
    }

    /// Everything that is begun and not ended.
    #[must_use]
    pub fn all(&self) -> Vec<Begun> {
        (0..THREADS).filter_map(|thread| self.read(thread)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<AtomicU64> {
        (0..WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn what_was_begun_can_be_read_until_it_ends() {
        let words = page();
        let page = StatusPage::new(&words).unwrap();
        assert_eq!(page.all(), []);
        page.begin(2, 7, 9, 1234, &[b"GET", b" ", b"/report"]);
        let begun = Begun { connection: 7, seq: 9, since_ns: 1234, line: "GET /report".to_owned() };
        assert_eq!(page.all(), std::slice::from_ref(&begun));
        page.end(2);
        assert_eq!(page.read(2), None);
        page.begin(2, 7, 10, 1235, &[b"GET /"]);
        assert_eq!(page.read(2).unwrap().line, "GET /");
    }

    #[test]
    fn signs_of_life_stand_beside_the_threads() {
        let words = page();
        let page = StatusPage::new(&words).unwrap();
        page.begin(THREADS - 1, 1, 1, 1, &[&[b'x'; 1000]]);
        assert_eq!((page.last_beat(), page.last_active()), (0, 0));
        page.beat(5);
        page.be_active(6);
        assert_eq!((page.last_beat(), page.last_active()), (5, 6));
        assert_eq!((beat_interval_ms(0), beat_interval_ms(300_000)), (None, Some(10_000)));
    }

    #[test]
    fn a_long_or_odd_line_is_cut_and_escaped() {
        let words = page();
        let page = StatusPage::new(&words).unwrap();
        page.begin(0, 1, 1, 1, &[&[b'x'; 1000]]);
        assert_eq!(page.read(0).unwrap().line.len(), LINE);
        page.begin(0, 1, 1, 1, &[b"GET /\n\xff"]);
        assert_eq!(page.read(0).unwrap().line, "GET /\\n\\xff");
        page.begin(THREADS, 1, 1, 1, &[b"no place"]);
        assert_eq!(page.read(THREADS), None);
    }
}
