//! Descriptors that this process got from the one that exec'd it.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::libc;

use crate::system::check;

/// Takes over descriptor `number`, which came with exec.
///
/// A descriptor that survived exec has no close-on-exec flag, and all that Rust's standard library
/// or this crate opens has it; so the flag tells what nobody in this process owns yet. It is set here, so a second
/// call for the same number fails.
///
/// # Errors
/// When there is no such descriptor, or it was not inherited. The three standard streams belong to the
/// standard library and are refused.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number <= libc::STDERR_FILENO {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a standard stream"));
    }
    // SAFETY: fcntl with F_GETFD only looks at a number.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not inherited through exec"));
    }
    // SAFETY: the descriptor exists; the flag changes nothing about this process.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) })?;
    // SAFETY: it is open and, lacking close-on-exec, owned by nothing in this process (see above).
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsRawFd, IntoRawFd};

    #[test]
    fn only_what_came_with_exec_is_taken_and_only_once() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(take(file.as_raw_fd()).is_err(), "std's own descriptor");
        assert!(take(2).is_err());
        assert!(take(100_000).is_err());

        let number = file.into_raw_fd();
        // SAFETY: clears the flag of a descriptor that this test has just given up.
        assert_eq!(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }, 0);
        let taken = take(number).unwrap();
        assert_eq!(taken.as_raw_fd(), number);
        assert!(take(number).is_err());
    }
}
