//! What has come from a client and was not used yet.

use std::time::Duration;

use pinion_http::body::Decoder;

use super::least::Least;

/// The memory that a client may keep while what has come is not used.
const KEPT: usize = 4096;
/// The memory that a thread keeps, to be lent to the next client.
const SPARE: usize = 256 * 1024;

/// What has come and was not used yet.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) bytes: Vec<u8>,
    start: usize,
    pub(super) phase: Phase,
    /// How many requests have come.
    pub(super) seq: u32,
    /// The rest of the running request's body.
    pub(super) decoder: Option<Decoder>,
    /// Whether the client waits to be told to send the body.
    pub(super) must_continue: bool,
    /// Whether the client ends the connection behind the running request.
    pub(super) closes: bool,
    /// When what is being received began, milliseconds.
    pub(super) since: u64,
    /// How long the running request has waited for its body since it was last found to come quickly enough, milliseconds.
    waited: u64,
    /// How much of it had come then.
    counted: u64,
    /// How many bytes are known to hold no end of a head.
    pub(super) seen: usize,
    /// As much came as there was room for: there may be more, of which epoll tells no second time.
    pub(super) is_more: bool,
    /// How many requests were served without looking at other clients.
    pub(super) in_a_row: u32,
    /// Whole requests may be here that wait for a thread.
    pub(super) waits_for_us: bool,
    /// How much the client had taken of what was kept for it when it was looked at last; `None` while nothing is kept.
    pub(super) taken: Option<u64>,
    /// Since when something is kept for it with nobody adding more, milliseconds, and how much it had taken then.
    pub(super) unsent: Option<(u64, u64)>,
    /// How much must have come before the epoll tells of it.
    pub(super) least: Least,
    /// How much of an awaited body lay in the socket when it was looked at last, where it is left there.
    pub(super) lying: Option<usize>,
    /// Since when that was waited for without counting it, milliseconds; 0 before.
    pub(super) lies_since: u64,
    /// The body is received as it comes.
    pub(super) is_cramped: bool,
    /// All of the body has come, though it may lie in the socket.
    pub(super) is_whole: bool,
}

/// What is received next.
#[derive(Debug)]
pub(super) enum Phase {
    /// A request's head.
    Head,
    /// A request's body, as far as it is awaited before a thread takes the request.
    Body(Box<super::arrive::Coming>),
    /// What the running request asks for.
    Running,
    /// The rest of a body that nobody has read, so many bytes at most.
    Rest(u64),
    /// Nothing: what comes is thrown away until the client has seen the answer.
    Linger {
        /// Whatever comes, no longer than until then, milliseconds.
        until: u64,
        /// So many bytes more, at most.
        left: u64,
        /// Whether the client was told that the answer is at its end.
        is_told: bool,
    },
}

impl Phase {
    /// Whether what comes is of no use to anybody.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Rest(_) | Self::Linger { .. })
    }
}

impl Inbound {
    /// Nothing, of a connection that begins `now`.
    pub(super) fn new(now: u64) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            phase: Phase::Head,
            seq: 0,
            decoder: None,
            must_continue: false,
            closes: false,
            since: now,
            waited: 0,
            counted: 0,
            seen: 0,
            is_more: false,
            in_a_row: 0,
            waits_for_us: false,
            taken: None,
            unsent: None,
            least: Least::default(),
            lying: None,
            lies_since: 0,
            is_cramped: false,
            is_whole: false,
        }
    }

    /// What has come and was not used.
    pub(super) fn here(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Passes over bytes at the front.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        self.seen = 0;
        if self.start >= self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Whether an awaited body is left in the socket until enough has come.
    pub(super) fn is_lying(&self) -> bool {
        self.lying.is_some() && matches!(self.phase, Phase::Body(_))
    }

    /// How much of an awaited body has come.
    pub(super) fn has_come(&self, decoder: &Decoder) -> u64 {
        let lying = self.lying.map_or(0, |lying| lying + self.here().len());
        decoder.taken() + lying as u64
    }

    /// Throws away what has come from one that lingers; false when that was too much.
    pub(super) fn throw_away(&mut self) -> bool {
        let here = self.here().len();
        self.consume(here);
        let Phase::Linger { left, .. } = &mut self.phase else { return true };
        let less = left.checked_sub(here as u64);
        *left = less.unwrap_or(0);
        less.is_some()
    }

    /// Whether request number `seq` may still read its body.
    pub(super) fn is_running(&self, seq: u32) -> bool {
        self.seq == seq && matches!(self.phase, Phase::Running)
    }

    /// Forgets what was used: a client that never lets the rest become empty must not make it longer and longer.
    pub(super) fn make_room(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
    }

    /// A request's body begins, of which so many bytes have come already.
    pub(super) fn begin_waiting(&mut self, counted: u64) {
        (self.waited, self.counted) = (0, counted);
    }

    /// The application has waited for its body, so many milliseconds more.
    pub(super) fn note_waited(&mut self, more: u64) {
        self.waited += more;
    }

    /// How long the next piece of the body is waited for, of which `taken` bytes have come, if `patience` milliseconds are the most for one. What has come
    /// quickly buys no more than the same time again: a thread is waiting.
    pub(super) fn body_patience(
        &mut self,
        patience: u64,
        rate: u32,
        taken: u64,
    ) -> Option<Duration> {
        let bought = slowest(rate, 0, taken.saturating_sub(self.counted));
        if self.waited >= patience && bought >= self.waited {
            self.begin_waiting(taken);
        }
        let left = (patience + bought.min(patience)).saturating_sub(self.waited);
        (patience > 0).then(|| Duration::from_millis(patience.min(left)))
    }

    /// Uses a thread's memory, so that receiving needs none of its own.
    pub(super) fn lend(&mut self, spare: &mut Vec<u8>) {
        if spare.capacity() > self.bytes.capacity() {
            spare.clear();
            spare.extend_from_slice(self.here());
            std::mem::swap(spare, &mut self.bytes);
            (*spare, self.start) = (Vec::new(), 0);
        }
    }

    /// Gives memory back that is not needed while more is awaited.
    pub(super) fn give_back(&mut self, spare: &mut Vec<u8>) {
        let (capacity, needed) = (self.bytes.capacity(), self.here().len());
        if capacity <= KEPT || needed > capacity / 2 {
            return;
        }
        let kept = self.here().to_vec();
        let memory = std::mem::replace(&mut self.bytes, kept);
        self.start = 0;
        if spare.capacity() == 0 && capacity <= SPARE {
            *spare = memory;
        }
    }
}

/// How long a body or an answer may take over all, in milliseconds, of which so many bytes have come or gone, where `rate` bytes a second
/// are the fewest, or any number if that is 0.
pub(super) fn slowest(rate: u32, patience: u64, taken: u64) -> u64 {
    let bought = taken.saturating_mul(1_000).checked_div(rate.into());
    patience.saturating_add(bought.unwrap_or(u64::MAX))
}
