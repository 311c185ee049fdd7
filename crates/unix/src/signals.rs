//! Signals.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub use nix::sys::signal::Signal;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, sigaction, signal};
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

/// Starts a thread to which the system delivers no signal, so that the process's own threads are interrupted by them.
///
/// # Errors
/// What the system refuses.
pub fn spawn_without(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // A thread begins with the mask of the one that starts it.
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    before.thread_set_mask()?;
    started.map(drop)
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

/// Lets the end of a child process interrupt this process's sleep, as no signal does whose
/// disposition is the default one. Reads and writes go on.
///
/// # Errors
/// What the system refuses.
pub fn wake_when_children_end() -> io::Result<()> {
    extern "C" fn nothing(_: std::ffi::c_int) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing, so it may run at any moment.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    Ok(())
}

/// Undoes [`wake_when_children_end`], such as in a forked process.
///
/// # Errors
/// What the system refuses.
pub fn sleep_when_children_end() -> io::Result<()> {
    // SAFETY: the default disposition installs no handler.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
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
    }

    /// Whether this process has a handler for SIGCHLD, as `/proc` tells.
    fn catches_the_end_of_children() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        caught & (1 << (Signal::SIGCHLD as u64 - 1)) != 0
    }

    #[test]
    fn the_end_of_children_is_heard_until_that_is_undone() {
        assert!(!catches_the_end_of_children());
        wake_when_children_end().unwrap();
        assert!(catches_the_end_of_children());
        sleep_when_children_end().unwrap();
        assert!(!catches_the_end_of_children());
    }

    #[test]
    fn a_thread_without_signals_leaves_the_starter_its_own() {
        let (send, receive) = std::sync::mpsc::channel();
        let blocked = || SigSet::thread_get_mask().unwrap().contains(Signal::SIGTERM);
        spawn_without("test", move || send.send(blocked()).unwrap()).unwrap();
        assert!(receive.recv().unwrap());
        assert!(!blocked());
    }

    #[test]
    fn an_ignored_signal_does_nothing() {
        ignore(&[Signal::SIGHUP]).unwrap();
        raise(Signal::SIGHUP).unwrap();
        assert!(ignore(&[Signal::SIGKILL]).is_err());
    }
}
