//! Pages of atomic words that processes share.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::libc;

use crate::system::check;

/// A page of atomic words in an anonymous file (memfd) whose size is sealed.
#[derive(Debug)]
pub struct SharedWords {
    address: NonNull<AtomicU64>,
    words: usize,
    fd: OwnedFd,
}

// SAFETY: the page is only ever reached through shared references to atomics.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Makes a page of `words` words, all zero. `name` is what `/proc/PID/maps` shows.
    ///
    /// # Errors
    /// What the system refuses: too little memory, too many descriptors; a length of 0.
    pub fn create(name: &std::ffi::CStr, words: usize) -> io::Result<Self> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name ends with NUL.
        let fd = check(unsafe { libc::memfd_create(name.as_ptr(), flags) })?;
        // SAFETY: the call has just made it, so nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let length = libc::off_t::try_from(byte_length(words)?).map_err(io::Error::other)?;
        // SAFETY: an open descriptor and a length.
        check(unsafe { libc::ftruncate(fd.as_raw_fd(), length) })?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: an open descriptor and flags.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
        Self::map(fd, words)
    }

    /// Maps a page that another process made.
    ///
    /// # Errors
    /// `InvalidData` when `fd` is no sealed page of `words` words; what the system refuses.
    pub fn from_fd(fd: OwnedFd, words: usize) -> io::Result<Self> {
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidData, text);
        // Unsealed, another process could shorten the file, and a look at it would end this one by SIGBUS.
        // SAFETY: an open descriptor.
        let seals = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) })
            .map_err(|_| invalid("not a shared page"))?;
        if seals & libc::F_SEAL_SHRINK == 0 {
            return Err(invalid("shared page whose size is not sealed"));
        }
        let file = std::fs::File::from(fd);
        if usize::try_from(file.metadata()?.len()).ok() != Some(byte_length(words)?) {
            return Err(invalid("shared page of another size"));
        }
        Self::map(file.into(), words)
    }

    fn map(fd: OwnedFd, words: usize) -> io::Result<Self> {
        let length = byte_length(words)?;
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
        Ok(Self { address, words, fd })
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has this many words (the file's size was checked and is sealed), is aligned to a
        // page, lives as long as `self`, and zeroed or foreign bytes are all values of u64.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.words) }
    }

    /// The descriptor, to hand to another process.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.words * size_of::<u64>()) };
    }
}

fn byte_length(words: usize) -> io::Result<usize> {
    words
        .checked_mul(size_of::<u64>())
        .filter(|length| *length > 0)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::SeqCst;

    #[test]
    fn two_mappings_show_the_same_words() {
        let first = SharedWords::create(c"test", 1000).unwrap();
        let second = SharedWords::from_fd(first.fd().try_clone_to_owned().unwrap(), 1000).unwrap();
        first.words()[999].store(7, SeqCst);
        assert_eq!(second.words()[999].load(SeqCst), 7);
        drop(first);
        assert_eq!(second.words()[999].load(SeqCst), 7);
    }

    #[test]
    fn a_page_of_another_size_or_kind_is_refused() {
        let page = SharedWords::create(c"test", 10).unwrap();
        let fd = || page.fd().try_clone_to_owned().unwrap();
        assert!(SharedWords::from_fd(fd(), 11).is_err());
        assert!(SharedWords::from_fd(fd(), 9).is_err());
        assert!(std::fs::File::from(fd()).set_len(0).is_err(), "the size is sealed");
        assert!(SharedWords::from_fd(tempfile::tempfile().unwrap().into(), 10).is_err());
        assert!(SharedWords::create(c"test", 0).is_err());
    }
}
