//! A quick hash of bytes.

use std::hash::{BuildHasherDefault, Hasher};

/// For tables of few, short keys, so that no choice of keys makes lookups slow.
pub(crate) type BuildQuick = BuildHasherDefault<Quick>;

/// Multiplies eight bytes at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quick(u64);

impl Quick {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
    }

    fn write_usize(&mut self, length: usize) {
        self.mix(length as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes its bits from both ends, and the product's low ones are poor.
        self.0 ^ self.0 >> 29
    }
}
