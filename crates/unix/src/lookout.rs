//! Looking for something again and again without going to sleep.
//!
//! To wake a thread costs more than many a request, where a processor has to be woken as well. So a thread that will find soon what it waits
//! for stays awake, as long as nobody else has a use for its processor.

use std::time::{Duration, Instant};

/// Between two looks is less than a microsecond, unless somebody else has had the processor.
const TURN: Duration = Duration::from_micros(30);
/// Who computes has it for longer, up to the scheduler's slice.
const LONG_TURN: Duration = Duration::from_micros(500);
/// How many occasions go by behind a look in vain.
pub const REST: u8 = 8;
/// How many go by where others need the processor. To let them have it costs a turn at the scheduler's, and to do so again and again was seen to
/// keep a thread waiting for 50 ms.
const LONG_REST: u8 = 250;

/// Nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vain {
    /// How many of the next occasions are to go by without a look.
    pub rest: u8,
}

/// Calls `find` again and again until it finds something, for `limit`, or until others need this processor.
///
/// One short turn of somebody else's is none of that: it may be the one who is waited for.
///
/// # Errors
/// Nothing was found.
pub fn look<T>(limit: Duration, mut find: impl FnMut() -> Option<T>) -> Result<T, Vain> {
    let start = Instant::now();
    let (mut before, mut turns) = (start, 0);
    loop {
        if let Some(found) = find() {
            return Ok(found);
        }
        std::thread::yield_now();
        let now = Instant::now();
        let gap = now - before;
        turns += u32::from(gap > TURN);
        if turns > 1 || gap > LONG_TURN {
            return Err(Vain { rest: LONG_REST });
        }
        if now - start >= limit {
            return Err(Vain { rest: REST });
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_it_finds() {
        let mut looks = 0;
        let found = look(Duration::from_secs(60), || {
            looks += 1;
            (looks == 1).then_some(7)
        });
        assert_eq!((found, looks), (Ok(7), 1));
    }

    #[test]
    fn it_looks_once_at_least() {
        let mut looks = 0;
        let vain = look(Duration::ZERO, || {
            looks += 1;
            None::<()>
        });
        assert_eq!(looks, 1);
        assert!(vain.is_err());
    }

    /// How a look ends, and how many it takes, that loses the processor for `gap` at each.
    fn beside_others(gap: Duration) -> (Vain, u32) {
        let mut looks = 0;
        let vain = look(Duration::from_secs(60), || {
            looks += 1;
            let start = Instant::now();
            while start.elapsed() < gap {}
            None::<()>
        });
        (vain.unwrap_err(), looks)
    }

    #[test]
    fn it_gives_way_to_who_has_the_processor_for_long() {
        assert_eq!(beside_others(2 * LONG_TURN), (Vain { rest: LONG_REST }, 1));
    }

    #[test]
    fn one_short_turn_of_others_does_not_end_it() {
        // Where this machine is busy, it may be taken for a long one now and then.
        let looks = (0..20).map(|_| beside_others(2 * TURN)).map(|(vain, looks)| {
            assert_eq!(vain, Vain { rest: LONG_REST });
            looks
        });
        assert_eq!(looks.max(), Some(2));
    }
}
