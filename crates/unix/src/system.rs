//! What a system call's result means.

use std::io;
use std::time::Duration;

use nix::libc;

/// The result of a call that says -1 and `errno` on failure.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The result of a call that gives a length, or -1 and `errno`.
pub(crate) fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Calls again as long as a signal interrupts.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A timeout for `poll` and `epoll_wait`: rounded up, so that a wait never ends too early and turns
/// into a busy loop; `None` is for ever.
pub(crate) fn poll_millis(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |limit| {
        libc::c_int::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_rounded_up() {
        assert_eq!(poll_millis(None), -1);
        assert_eq!(poll_millis(Some(Duration::ZERO)), 0);
        assert_eq!(poll_millis(Some(Duration::from_nanos(1))), 1);
        assert_eq!(poll_millis(Some(Duration::from_millis(7))), 7);
        assert_eq!(poll_millis(Some(Duration::MAX)), libc::c_int::MAX);
    }

    #[test]
    fn interrupted_calls_are_made_again() {
        let mut results = vec![Ok(3), Err(io::Error::from(io::ErrorKind::Interrupted))];
        assert_eq!(retry(|| results.pop().unwrap()).unwrap(), 3);
    }
}
