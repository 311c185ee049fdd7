//! Rouses a thread that waits for descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Can be read from when it has been rung, until it is stilled.
#[derive(Debug)]
pub struct Bell(EventFd);

impl Bell {
    /// A still one.
    ///
    /// # Errors
    /// What the system refuses: no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(EventFd::from_value_and_flags(0, flags)?))
    }

    /// Rouses who waits for it, now or later. Once rung, ringing it again changes nothing.
    pub fn ring(&self) {
        // It fails only where it has been rung 2^64 - 2 times since it was still.
        let _ = self.0.write(1);
    }

    /// Whoever waits for it sleeps again.
    pub fn still(&self) {
        // It fails only where it is still already.
        let _ = self.0.read();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sockets::readable;

    #[test]
    fn it_rouses_until_it_is_stilled() {
        let bell = Bell::new().unwrap();
        let rouses = || readable(bell.as_fd(), Some(Duration::ZERO)).unwrap();
        assert!(!rouses());
        bell.ring();
        bell.ring();
        assert!(rouses());
        bell.still();
        assert!(!rouses());
        bell.still();
        assert!(!rouses());
    }

    #[test]
    fn it_rouses_another_thread() {
        let bell = Bell::new().unwrap();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| readable(bell.as_fd(), Some(Duration::from_secs(60))));
            bell.ring();
            assert!(sleeper.join().unwrap().unwrap());
        });
    }
}
