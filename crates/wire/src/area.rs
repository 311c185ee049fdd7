//! Memory that a worker shares with the front doors on its connections, for long blocks of bodies.
//!
//! An area has [`SLOTS`] slots of [`SLOT`] bytes, each with a word of its own. The frames stay on the connection: a
//! [`crate::frame::Kind::Area`] gives the memory to the front door, and a [`Part`] in a frame says which bytes of which slot are meant.
//!
//! A slot is free while its word is 0. Whoever may touch its bytes is the one that must set the word to 0, and nobody else:
//!
//! - A slot with a block of an answer belongs to the front door once the frame has left. It never reads the word.
//! - A slot with a block that several answers have ([`crate::frame::DATA_STAYS`]) stays the worker's. A front door has read it when it
//!   sends the next request on that connection, or closes it.
//! - A slot that waits for a part of a request's body, or has one, stays the worker's: the front door writes bytes before it answers
//!   the [`crate::frame::Kind::Want`], and none after.
//!
//! So what becomes of a connection does not matter to others: a slot that a front door has taken with it is not used again, unless the worker
//! knows that the front door has closed the connection.

use crate::frame::FrameError;
use crate::read::Fields;

/// How many slots an area has.
pub const SLOTS: usize = 128;

/// The length of a slot in bytes.
pub const SLOT: usize = 256 * 1024;

/// Blocks up to this length, in bytes, travel in their frames: a socket is as quick for them.
pub const SHORT: usize = 64 * 1024;

/// Bytes at the start of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many bytes: 1 to [`SLOT`].
    pub length: u32,
    /// The slot's number, below [`SLOTS`].
    pub slot: u32,
}

impl Part {
    /// The length of an encoded part in bytes.
    pub const SIZE: usize = 8;

    /// Encodes the part.
    #[must_use]
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[..4].copy_from_slice(&self.length.to_le_bytes());
        out[4..].copy_from_slice(&self.slot.to_le_bytes());
        out
    }

    /// Reads a payload that is a part.
    ///
    /// # Errors
    /// When it is cut short or too long, or the bytes are not inside a slot.
    pub fn decode(payload: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields(payload);
        let part = Self { length: fields.u32("length")?, slot: fields.u32("slot")? };
        let fits = (1..=SLOT).contains(&(part.length as usize)) && (part.slot as usize) < SLOTS;
        if fits && fields.0.is_empty() { Ok(part) } else { Err(FrameError::Value("part")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_inside_a_slot_is_refused() {
        let (length, slot) = (SLOT as u32, SLOTS as u32 - 1);
        let last = Part { length, slot };
        assert_eq!(Part::decode(&last.encode()), Ok(last));
        for part in [
            Part { length: 0, slot: 0 },
            Part { length: length + 1, slot: 0 },
            Part { length: u32::MAX, slot },
            Part { length: 1, slot: slot + 1 },
            Part { length, slot: u32::MAX },
        ] {
            assert_eq!(Part::decode(&part.encode()), Err(FrameError::Value("part")));
        }
        let mut long = last.encode().to_vec();
        assert_eq!(Part::decode(&long[..7]), Err(FrameError::Short("slot")));
        long.push(0);
        assert_eq!(Part::decode(&long), Err(FrameError::Value("part")));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(payload in any::<Vec<u8>>()) {
            if let Ok(part) = Part::decode(&payload) {
                prop_assert_eq!(&part.encode()[..], &payload[..]);
            }
        }
    }
}
