//! Signals.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub use nix::sys::signal::Signal;
use nix::sys::signal::{SigHandler, SigSet, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

fn set_of(signals: &[Signal]) -> SigSet {
    signals.iter().copied().collect()
}

/// Blocks `signals` in this thread and those that it starts.
///
/// # Errors
/// What the system refuses.
pub fn block(signals: &[Signal]) -> io::Result<()> {
    Ok(set_of(signals).thread_block()?)
}

/// Lets `signals` through again in this thread.
///
/// # Errors
/// What the system refuses.
pub fn unblock(signals: &[Signal]) -> io::Result<()> {
    Ok(set_of(signals).thread_unblock()?)
}

/// Ignores `signals` in this process; one that starts through [`crate::process::Spawn`] does not inherit that.
///
/// # Errors
/// A signal that cannot be ignored.
pub fn ignore(signals: &[Signal]) -> io::Result<()> {
    for each in signals {
        // SAFETY: ignoring a signal installs no handler, so none can run at a bad moment.
        unsafe { signal(*each, SigHandler::SigIgn) }?;
    }
    Ok(())
}

/// A descriptor from which blocked signals are read.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks `signals` in this thread and makes a descriptor for them.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        block(signals)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self(SignalFd::with_flags(&set_of(signals), flags)?))
    }

    /// The next signal that waits, without blocking.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let Some(info) = self.0.read_signal()? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        Ok(Signal::try_from(number).ok())
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn a_blocked_signal_is_read_from_the_descriptor() {
        let signals = Signals::new(&[Signal::SIGUSR2, Signal::SIGWINCH]).unwrap();
        assert_eq!(signals.next().unwrap(), None);
        raise(Signal::SIGUSR2).unwrap();
        assert_eq!(signals.next().unwrap(), Some(Signal::SIGUSR2));
        assert_eq!(signals.next().unwrap(), None);
        unblock(&[Signal::SIGUSR2, Signal::SIGWINCH]).unwrap();
    }

    #[test]
    fn an_ignored_signal_does_nothing() {
        ignore(&[Signal::SIGHUP]).unwrap();
        raise(Signal::SIGHUP).unwrap();
        assert!(ignore(&[Signal::SIGKILL]).is_err());
    }
}
