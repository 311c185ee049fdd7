//! Whether answers leave together.
//!
//! To send to a client that sleeps wakes it, which costs the sender more than anything else about a short request that is not the
//! application's. Where several answers leave together, only the first one does. So while a thread has more requests in its hands, the
//! system holds an answer (`TCP_CORK`, see tcp(7)) until they are served. It has the bytes: whatever becomes of this process, they leave.

/// Requests that take less, in nanoseconds, keep the client awake: nothing is gained.
const LEAST: u64 = 20_000;
/// Those that take more are not worth the delay.
const MOST: u64 = 500_000;
/// No answer is held for longer, but for the request that runs meanwhile.
const LONGEST: u64 = 500_000;
/// A request that takes longer may do so again.
const SLOW: u64 = 1_000_000;
/// Nothing is held during so many requests behind a slow one.
const CAREFUL: u32 = 64;

/// What is known of a worker's requests.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// What they take, in nanoseconds: an average in which each has an eighth of what is left.
    usual: u64,
    /// How many there were since a slow one, up to [`CAREFUL`].
    quick: u32,
    /// When the first answer that is held was sent, nanoseconds of the monotonic clock.
    since: u64,
}

impl Batch {
    /// A request took so many nanoseconds.
    pub(super) fn note(&mut self, took: u64) {
        self.usual = self.usual - self.usual / 8 + took / 8;
        self.quick = if took > SLOW { 0 } else { CAREFUL.min(self.quick + 1) };
    }

    /// Whether the answer of the request noted last may wait for the next one.
    pub(super) fn may_wait(&self) -> bool {
        (LEAST..=MOST).contains(&self.usual) && self.quick >= CAREFUL
    }

    /// An answer is held, perhaps the first one; whether all must leave now.
    pub(super) fn is_over(&mut self, is_first: bool, now: u64) -> bool {
        if is_first {
            self.since = now;
        }
        now.saturating_sub(self.since) >= LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(requests: &[(u32, u64)]) -> bool {
        let mut batch = Batch::default();
        for (count, took) in requests {
            (0..*count).for_each(|_| batch.note(*took));
        }
        batch.may_wait()
    }

    #[test]
    fn answers_of_requests_of_middling_length_wait() {
        assert!(after(&[(100, 60_000)]));
        assert!(after(&[(100, 400_000)]));
        assert!(!after(&[(100, 5_000)]), "the client is awake");
        assert!(!after(&[(100, 900_000)]), "the delay is too long");
    }

    #[test]
    fn a_slow_request_ends_it_for_a_while() {
        assert!(!after(&[(63, 60_000)]));
        assert!(after(&[(64, 60_000)]));
        assert!(!after(&[(100, 60_000), (1, 30_000_000)]));
        assert!(!after(&[(100, 60_000), (1, 1_500_000), (63, 60_000)]));
        assert!(after(&[(100, 60_000), (1, 1_500_000), (64, 60_000)]));
    }

    #[test]
    fn none_waits_for_long() {
        let mut batch = Batch::default();
        assert!(!batch.is_over(true, 1_000_000_000));
        assert!(!batch.is_over(false, 1_000_000_000 + LONGEST - 1));
        assert!(batch.is_over(false, 1_000_000_000 + LONGEST));
        assert!(!batch.is_over(true, 5_000_000_000));
    }
}
