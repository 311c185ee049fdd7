//! Numbers that look random and are the same each time, so that what fails once fails again.

use std::ops::Range;

use pinion_testbed::raw::Connection;

/// Dice (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    /// Those of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Cuts so many bytes into `count` pieces at most.
    pub(crate) fn pieces(&mut self, length: usize, count: usize) -> Vec<Range<usize>> {
        let mut cuts: Vec<_> = (1..count).map(|_| self.below(length + 1)).collect();
        cuts.extend([0, length]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| pair[0]..pair[1]).filter(|piece| !piece.is_empty()).collect()
    }

    /// Sends bytes in pieces.
    pub(crate) fn send(&mut self, client: &mut Connection, bytes: &[u8]) {
        for piece in self.pieces(bytes.len(), 5) {
            client.send(&bytes[piece]).unwrap();
        }
    }
}
