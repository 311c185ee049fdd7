//! Numbers that look random and repeat with their seed (SplitMix64).

use std::time::{SystemTime, UNIX_EPOCH};

/// A sequence of numbers.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A seed that no other run has.
    pub(crate) fn seed() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    }

    /// The sequence of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, below `bound`; zero where that is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(bound).unwrap_or(0)
    }

    /// The next number, as an index of something with `length` places.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// Puts things into another order.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for unsettled in (2..=things.len()).rev() {
            things.swap(unsettled - 1, self.index(unsettled));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers_and_they_spread() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            (0..300).map(|_| random.below(3)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        for number in 0..3 {
            assert!(numbers(1).iter().filter(|drawn| **drawn == number).count() > 60);
        }
    }

    #[test]
    fn each_thing_comes_to_each_place() {
        let mut random = Random::new(1);
        let mut counts = [[0; 4]; 4];
        for _ in 0..400 {
            let mut things = [0, 1, 2, 3];
            random.shuffle(&mut things);
            things.iter().enumerate().for_each(|(place, thing)| counts[place][*thing] += 1);
        }
        assert!(counts.iter().flatten().all(|count| (60..140).contains(count)), "{counts:?}");
    }
}
