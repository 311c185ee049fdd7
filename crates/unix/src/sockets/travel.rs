//! Descriptors as ancillary data of a message.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;

/// The most descriptors that Linux lets travel with one message (its `SCM_MAX_FD`).
pub(super) const MAX_DESCRIPTORS: usize = 253;

const HEADER: usize = size_of::<libc::cmsghdr>();

/// A message header that names nothing yet.
pub(super) fn header() -> libc::msghdr {
    // SAFETY: msghdr is made of pointers and integers, for all of which zero is a value.
    unsafe { std::mem::zeroed() }
}

/// Room for one control message with up to `N` descriptors, laid out as cmsg(3) says: a header, which is a multiple
/// of the machine word, and right behind it the numbers.
#[repr(C)]
pub(super) struct Ancillary<const N: usize> {
    header: libc::cmsghdr,
    numbers: [RawFd; N],
    /// How many of `numbers` are set; after receiving, those are owned by this value.
    count: usize,
}

impl<const N: usize> Ancillary<N> {
    /// Without descriptors.
    pub(super) fn empty() -> Self {
        // SAFETY: cmsghdr is made of integers.
        let header = unsafe { std::mem::zeroed() };
        Self { header, numbers: [-1; N], count: 0 }
    }

    /// With descriptors to send.
    pub(super) fn carrying(descriptors: &[BorrowedFd<'_>]) -> io::Result<Self> {
        let mut this = Self::empty();
        let Some(numbers) = this.numbers.get_mut(..descriptors.len()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
        };
        for (place, descriptor) in numbers.iter_mut().zip(descriptors) {
            *place = descriptor.as_raw_fd();
        }
        this.count = descriptors.len();
        this.header.cmsg_level = libc::SOL_SOCKET;
        this.header.cmsg_type = libc::SCM_RIGHTS;
        this.header.cmsg_len = HEADER + this.count * size_of::<RawFd>();
        Ok(this)
    }

    /// Lets `header` name what is to be sent.
    pub(super) fn attach(&mut self, header: &mut libc::msghdr) {
        if self.count > 0 {
            header.msg_control = std::ptr::from_mut(self).cast();
            header.msg_controllen = self.header.cmsg_len;
        }
    }

    /// Lets `header` name the room for what is received: for N descriptors, not what padding might hold besides.
    pub(super) fn attach_room(&mut self, header: &mut libc::msghdr) {
        header.msg_control = std::ptr::from_mut(self).cast();
        header.msg_controllen = HEADER + N * size_of::<RawFd>();
    }

    /// Notes what has come with a message that was received into this room.
    pub(super) fn received(&mut self, header: &libc::msghdr) {
        let is_descriptors = header.msg_controllen >= HEADER
            && self.header.cmsg_level == libc::SOL_SOCKET
            && self.header.cmsg_type == libc::SCM_RIGHTS;
        if is_descriptors {
            let bytes = self.header.cmsg_len.saturating_sub(HEADER);
            self.count = (bytes / size_of::<RawFd>()).min(N);
        }
    }

    /// The descriptors that were received.
    pub(super) fn take(mut self) -> Vec<OwnedFd> {
        let count = std::mem::take(&mut self.count);
        self.numbers[..count].iter().map(|number| own(*number)).collect()
    }

    /// The first descriptor that was received; the others are closed.
    pub(super) fn take_one(mut self) -> Option<OwnedFd> {
        let count = std::mem::take(&mut self.count);
        let mut received = self.numbers[..count].iter().map(|number| own(*number));
        let first = received.next();
        received.for_each(drop);
        first
    }
}

/// To be called once for each number that [`Ancillary::received`] has counted.
fn own(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel has made this descriptor for this process with the message, and `count` is
    // taken to zero before, so nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(number) }
}
