//! Memory for bulk bytes that two processes share.

use std::ffi::CStr;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::libc;

use crate::system::check;

/// The seals without which no area is mapped: the file keeps its length, and nobody can change that.
const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// What an area is made of: a word for each slot, and the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many slots.
    pub slots: usize,
    /// The length of a slot in bytes, a multiple of a page.
    pub size: usize,
}

impl Layout {
    /// What comes before the slots, in bytes: a page.
    const HEAD: usize = 4096;

    /// The length of the whole area in bytes.
    fn length(self) -> io::Result<usize> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let fits = self.slots <= Self::HEAD / size_of::<AtomicU64>();
        let pages = self.size.is_multiple_of(Self::HEAD) && self.size > 0 && self.slots > 0;
        let slots = self.slots.checked_mul(self.size).filter(|_| fits && pages);
        slots.and_then(|slots| slots.checked_add(Self::HEAD)).ok_or_else(invalid)
    }
}

/// Which file an area is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    /// Of an open file.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let status = nix::sys::stat::fstat(fd)?;
        Ok(Self { device: status.st_dev, number: status.st_ino })
    }
}

/// Memory that this process and another one share, an anonymous file (memfd) whose length is sealed.
///
/// The other process may write to it at any time, so no reference to its bytes is ever made: they are copied, or handed on as an
/// address ([`Outside`]). A child that this process forks does not get it.
#[derive(Debug)]
pub struct Area {
    address: NonNull<u8>,
    layout: Layout,
    length: usize,
}

// SAFETY: the mapping belongs to no thread; its words are atomics, and its bytes are only copied.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// Makes an area, all zero, and the descriptor to hand to another process. `name` is what `/proc/PID/maps` shows.
    ///
    /// # Errors
    /// `InvalidInput` for a layout that cannot be; what the system refuses: too little memory, too many descriptors.
    pub fn create(name: &CStr, layout: Layout) -> io::Result<(Self, OwnedFd)> {
        let length = layout.length()?;
        let fd = memory_file(name)?;
        let size = libc::off_t::try_from(length).map_err(io::Error::other)?;
        // SAFETY: an open descriptor and a length.
        check(unsafe { libc::ftruncate(fd.as_raw_fd(), size) })?;
        // SAFETY: an open descriptor and flags.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, SEALS) })?;
        Ok((Self::map(&fd, layout, length)?, fd))
    }

    /// Maps an area that another process made.
    ///
    /// # Errors
    /// `InvalidData` when `fd` is no sealed memory of this layout; what the system refuses.
    pub fn from_fd(fd: &OwnedFd, layout: Layout) -> io::Result<Self> {
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidData, text);
        let length = layout.length()?;
        // Unsealed, the other process could shorten the file, and a look at it would end this one by SIGBUS.
        // SAFETY: an open descriptor.
        let seals = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) })
            .map_err(|_| invalid("not an area"))?;
        if seals & SEALS != SEALS {
            return Err(invalid("area whose length is not sealed"));
        }
        // Huge pages are from a pool that may be empty: a look at one that is not there would end in SIGBUS as well.
        if nix::sys::statfs::fstatfs(fd)?.filesystem_type() != nix::sys::statfs::TMPFS_MAGIC {
            return Err(invalid("area of another kind of memory"));
        }
        if usize::try_from(nix::sys::stat::fstat(fd)?.st_size).ok() != Some(length) {
            return Err(invalid("area of another length"));
        }
        Self::map(fd, layout, length)
    }

    fn map(fd: &OwnedFd, layout: Layout, length: usize) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory in use.
        let address = unsafe {
            libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address =
            NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mmap gave 0"))?;
        let area = Self { address, layout, length };
        // SAFETY: the mapping is this value's own; what changes is what a forked child gets of it.
        check(unsafe { libc::madvise(address.as_ptr().cast(), length, libc::MADV_DONTFORK) })?;
        Ok(area)
    }

    /// The word of a slot, where there is such a slot.
    #[must_use]
    pub fn word(&self, slot: usize) -> Option<&AtomicU64> {
        self.words().get(slot)
    }

    /// The words of all slots.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping begins with this many words ([`Layout::length`] checks that they fit, and the file's length is sealed),
        // is aligned to a page, lives as long as `self`, and all bytes are values of u64.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.layout.slots) }
    }

    /// The first `length` bytes of a slot, where there is such a slot and it has that many.
    #[must_use]
    pub fn slot(&self, slot: usize, length: usize) -> Option<Outside<'_>> {
        if slot >= self.layout.slots || length > self.layout.size {
            return None;
        }
        let offset = Layout::HEAD + slot * self.layout.size;
        // SAFETY: slot and length were checked, so this is inside of the mapping.
        let start = unsafe { self.address.add(offset) };
        Some(Outside { start, length, area: PhantomData })
    }

    /// Gives the memory of a slot back to the system; the slot is all zero then. Does nothing where there is no such slot.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn give_back(&self, slot: usize) -> io::Result<()> {
        let Some(outside) = self.slot(slot, self.layout.size) else { return Ok(()) };
        let start = outside.start.as_ptr().cast();
        // SAFETY: the range is inside of the mapping and made of whole pages.
        check(unsafe { libc::madvise(start, outside.length, libc::MADV_REMOVE) }).map(drop)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no `Outside` and no reference to a word outlives `self`.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.length) };
    }
}

/// A memory file that can be sealed, and never executed where the system knows how to forbid that.
fn memory_file(name: &CStr) -> io::Result<OwnedFd> {
    let make = |more| {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | more;
        // SAFETY: the name ends with NUL.
        check(unsafe { libc::memfd_create(name.as_ptr(), flags) })
    };
    let fd = make(libc::MFD_NOEXEC_SEAL).or_else(|_| make(0))?;
    // SAFETY: the call has just made it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Bytes of an [`Area`], which another process may change at any time.
///
/// They are copied by the C library's way of copying, which reads each of them as it happens to be: what is copied while somebody
/// writes is a mixture, and nothing worse.
#[derive(Clone, Copy, Debug)]
pub struct Outside<'a> {
    start: NonNull<u8>,
    length: usize,
    area: PhantomData<&'a Area>,
}

impl Outside<'_> {
    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where they are, for as long as the area is mapped. Whoever reads there must not rely on reading the same twice.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// Writes `bytes` from the byte number `at` on, as many as there is room for; how many those were.
    pub fn fill(&self, at: usize, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.length.saturating_sub(at));
        if count > 0 {
            // SAFETY: `at` is below the length, so this is inside of the mapping.
            let start = unsafe { self.start.add(at) };
            // SAFETY: source and target have `count` bytes. They do not overlap: nothing ever borrows a slice of the mapping.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.as_ptr(), count) };
        }
        count
    }

    /// Appends a copy of the bytes.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.length);
        let before = out.len();
        let count = self.copy_to(&mut out.spare_capacity_mut()[..self.length]);
        // SAFETY: `count` bytes behind the vector's end were just written.
        unsafe { out.set_len(before + count) };
    }

    /// Copies the bytes to the start of `out`, as many as there is room for; how many those were.
    pub fn copy_to(&self, out: &mut [std::mem::MaybeUninit<u8>]) -> usize {
        let count = self.length.min(out.len());
        let target = out.as_mut_ptr().cast();
        // SAFETY: source and target have `count` bytes; they do not overlap, as nothing ever borrows a slice of the mapping.
        unsafe { std::ptr::copy_nonoverlapping(self.start.as_ptr(), target, count) };
        count
    }

    /// The bytes behind the first `count`; none where there are not so many.
    #[must_use]
    pub fn behind(&self, count: usize) -> Self {
        let count = count.min(self.length);
        // SAFETY: at most the end of these bytes, which are inside of the mapping.
        let start = unsafe { self.start.add(count) };
        Self { start, length: self.length - count, area: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering::SeqCst;

    const LAYOUT: Layout = Layout { slots: 3, size: 8192 };

    fn sealed(length: i64, seals: libc::c_int) -> OwnedFd {
        let fd = memory_file(c"test").unwrap();
        // SAFETY: an open descriptor and a length.
        check(unsafe { libc::ftruncate(fd.as_raw_fd(), length) }).unwrap();
        // SAFETY: an open descriptor and flags.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) }).unwrap();
        fd
    }

    fn bytes(outside: Outside<'_>) -> Vec<u8> {
        let mut out = b"<".to_vec();
        outside.append_to(&mut out);
        out.split_off(1)
    }

    #[test]
    fn two_mappings_show_the_same_bytes_and_words() {
        let (first, fd) = Area::create(c"test", LAYOUT).unwrap();
        let second = Area::from_fd(&fd, LAYOUT).unwrap();
        assert_eq!(Identity::of(fd.as_fd()).unwrap(), Identity::of(fd.as_fd()).unwrap());
        drop(fd);
        first.word(2).unwrap().store(7, SeqCst);
        assert_eq!(first.slot(2, 8192).unwrap().fill(8190, b"abc"), 2);
        assert_eq!(second.words()[2].load(SeqCst), 7);
        assert!(bytes(second.slot(2, 8192).unwrap()).ends_with(b"\0ab"));
        drop(first);
        let slot = second.slot(2, 8192).unwrap();
        let mut out = [MaybeUninit::new(b'-'); 3];
        assert_eq!(slot.behind(8191).copy_to(&mut out), 1);
        assert_eq!(bytes(slot.behind(8191)), b"b");
        assert!(slot.behind(8192).is_empty() && slot.behind(9000).is_empty());
        assert_eq!(slot.fill(8192, b"x") + slot.fill(usize::MAX, b"x"), 0);
    }

    #[test]
    fn nothing_is_outside_of_an_area() {
        let (area, _) = Area::create(c"test", LAYOUT).unwrap();
        assert!(area.word(3).is_none());
        assert!(area.slot(3, 1).is_none() && area.slot(usize::MAX, 0).is_none());
        assert!(area.slot(0, 8193).is_none() && area.slot(2, usize::MAX).is_none());
        assert_eq!(area.slot(0, 8192).unwrap().len(), 8192);
        for layout in [
            Layout { slots: 0, size: 4096 },
            Layout { slots: 513, size: 4096 },
            Layout { slots: 1, size: 4095 },
            Layout { slots: 1, size: 0 },
            Layout { slots: 2, size: usize::MAX - 4095 },
        ] {
            assert!(Area::create(c"test", layout).is_err(), "{layout:?}");
        }
    }

    #[test]
    fn what_could_be_shortened_or_has_another_length_is_refused() {
        let length = LAYOUT.length().unwrap() as i64;
        assert!(Area::from_fd(&sealed(length, SEALS), LAYOUT).is_ok());
        for seals in [
            0,
            libc::F_SEAL_GROW | libc::F_SEAL_SEAL,
            libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL,
            libc::F_SEAL_SHRINK | libc::F_SEAL_GROW,
        ] {
            assert!(Area::from_fd(&sealed(length, seals), LAYOUT).is_err(), "{seals:x}");
        }
        for length in [0, 4096, length - 1, length + 1, length + 4096] {
            assert!(Area::from_fd(&sealed(length, SEALS), LAYOUT).is_err(), "{length}");
        }
        let file = tempfile::tempfile().unwrap();
        file.set_len(length as u64).unwrap();
        assert!(Area::from_fd(&file.into(), LAYOUT).is_err());
        let (_, pipe) = crate::sockets::pipe().unwrap();
        assert!(Area::from_fd(&pipe, LAYOUT).is_err());
    }

    #[test]
    fn memory_is_given_back() {
        let (area, fd) = Area::create(c"test", LAYOUT).unwrap();
        let held = || nix::sys::stat::fstat(&fd).unwrap().st_blocks;
        area.slot(1, 8192).unwrap().fill(0, &[7; 8192]);
        let before = held();
        area.give_back(1).unwrap();
        area.give_back(3).unwrap();
        assert!(held() < before);
        assert_eq!(bytes(area.slot(1, 8192).unwrap()), [0; 8192]);
    }

    #[test]
    fn a_forked_child_does_not_get_it() {
        let (area, _) = Area::create(c"test", LAYOUT).unwrap();
        let start = area.slot(0, 1).unwrap().as_ptr() as usize;
        let (mut ours, smaps) = (false, std::fs::read_to_string("/proc/self/smaps").unwrap());
        for line in smaps.lines() {
            let from =
                line.split_once('-').and_then(|(from, _)| usize::from_str_radix(from, 16).ok());
            match from {
                Some(from) => ours = from == start - Layout::HEAD,
                None if ours && line.starts_with("VmFlags:") => {
                    return assert!(line.split(' ').any(|flag| flag == "dc"), "{line}");
                }
                None => {}
            }
        }
        panic!("the area is not mapped");
    }
}
