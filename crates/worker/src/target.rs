//! Where a body that is read at once is put together, and where its parts come from.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use pinion_unix::area::Outside;
use pinion_unix::sockets;

/// A part of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// In memory of this process.
    Here(&'a [u8]),
    /// In memory that the front door has as well.
    Outside(Outside<'a>),
}

impl Source<'_> {
    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Here(bytes) => bytes.len(),
            Self::Outside(bytes) => bytes.len(),
        }
    }

    /// The bytes behind the first `count`.
    fn behind(&self, count: usize) -> Self {
        match self {
            Self::Here(bytes) => Self::Here(bytes.get(count..).unwrap_or_default()),
            Self::Outside(bytes) => Self::Outside(bytes.behind(count)),
        }
    }

    /// Appends a copy of at most `most` bytes, but for the first `skipped`.
    pub(crate) fn append_to(&self, skipped: usize, most: usize, out: &mut Vec<u8>) {
        match self.behind(skipped) {
            Self::Here(bytes) => out.extend_from_slice(&bytes[..bytes.len().min(most - skipped)]),
            Self::Outside(bytes) => {
                let before = out.len();
                bytes.append_to(out);
                out.truncate(before.saturating_add(most - skipped));
            }
        }
    }
}

/// Memory that is filled from its start on.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    room: &'a mut [MaybeUninit<u8>],
    filled: usize,
}

impl<'a> Target<'a> {
    /// Memory of which nothing is filled.
    pub(crate) fn new(room: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { room, filled: 0 }
    }

    /// No memory at all.
    pub(crate) fn none() -> Self {
        Self { room: &mut [], filled: 0 }
    }

    /// How many bytes there is room for.
    pub(crate) fn left(&self) -> usize {
        self.room.len() - self.filled
    }

    /// Takes a copy of as many of the first `most` bytes of `source` as there is room for; how many those were.
    pub(crate) fn take(&mut self, source: Source<'_>, most: usize) -> usize {
        let room = &mut self.room[self.filled..];
        let most = most.min(room.len());
        let room = &mut room[..most];
        let taken = match source {
            Source::Outside(bytes) => bytes.copy_to(room),
            Source::Here(bytes) => {
                let count = bytes.len().min(room.len());
                for (place, byte) in room.iter_mut().zip(bytes) {
                    place.write(*byte);
                }
                count
            }
        };
        self.filled += taken;
        taken
    }

    /// Receives as many bytes as there is room for, but for `most` of them, without waiting; those that came.
    ///
    /// # Errors
    /// As [`sockets::recv_now`].
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<&[u8]> {
        let room = &mut self.room[self.filled..];
        let most = most.min(room.len());
        let came = sockets::recv_to(socket, &mut room[..most])?;
        self.filled += came.len();
        Ok(came)
    }

    /// The bytes that are filled.
    pub(crate) fn filled(&self) -> &[u8] {
        let filled = &self.room[..self.filled];
        // SAFETY: `take` and `receive` have written each of the first `filled` bytes.
        unsafe { std::slice::from_raw_parts(filled.as_ptr().cast(), filled.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_unix::area::{Area, Layout};

    #[test]
    fn memory_is_filled_from_either_source() {
        let (area, _) = Area::create(c"test", Layout { slots: 1, size: 4096 }).unwrap();
        let slot = area.slot(0, 5).unwrap();
        slot.fill(0, b"54321");
        let mut room = [MaybeUninit::uninit(); 8];
        let mut target = Target::new(&mut room);
        assert_eq!(target.take(Source::Here(b"abcdef"), 2), 2);
        assert_eq!((target.left(), target.filled()), (6, &b"ab"[..]));
        assert_eq!(target.take(Source::Outside(slot), 4), 4);
        assert_eq!(target.take(Source::Here(b"xyz"), 3), 2);
        assert_eq!((target.left(), target.filled()), (0, &b"ab5432xy"[..]));
        assert_eq!(Target::none().take(Source::Here(b"x"), 1), 0);
    }

    #[test]
    fn a_part_is_appended_without_its_beginning_and_its_end() {
        let (area, _) = Area::create(c"test", Layout { slots: 1, size: 4096 }).unwrap();
        let slot = area.slot(0, 5).unwrap();
        slot.fill(0, b"54321");
        for source in [Source::Here(b"54321"), Source::Outside(slot)] {
            let mut out = b"6".to_vec();
            source.append_to(2, 4, &mut out);
            source.append_to(5, 9, &mut out);
            source.append_to(0, 0, &mut out);
            assert_eq!((out.as_slice(), source.len()), (&b"632"[..], 5));
        }
    }
}
