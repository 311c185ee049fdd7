//! Starting, reaping and signalling processes.

use std::fmt;
use std::io;

use nix::libc;

use crate::signals::Signal;
use crate::system::{check, retry};

mod child;
mod spawn;

pub use spawn::{Credentials, Limit, Limits, NotSet, Part, Spawn, SpawnError, Started};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCause {
    /// It exited with this status.
    Status(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number.
        number: i32,
        /// Whether it left a core.
        core: bool,
    },
}

impl fmt::Display for ExitCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(out, "exited with status {status}"),
            Self::Signal { number, core } => {
                match Signal::try_from(*number) {
                    Ok(signal) => write!(out, "killed by {signal}")?,
                    Err(_) => write!(out, "killed by signal {number}")?,
                }
                if *core { write!(out, ", core dumped") } else { Ok(()) }
            }
        }
    }
}

/// Collects a child that has ended: child `pid`, or any where that is `None`. Does not wait; `Ok(None)` when there is none.
///
/// # Errors
/// When `pid` is not a child of this process.
pub fn reap(pid: Option<u32>) -> io::Result<Option<(u32, ExitCause)>> {
    let which = pid.map_or(Ok(-1), to_pid)?;
    let mut status = 0;
    let found = retry(|| {
        // SAFETY: `status` is a valid place to write to.
        check(unsafe { libc::waitpid(which, &raw mut status, libc::WNOHANG) })
    });
    let ended = match found {
        Ok(0) => return Ok(None),
        Ok(ended) => u32::try_from(ended).map_err(io::Error::other)?,
        Err(error) if pid.is_none() && error.raw_os_error() == Some(libc::ECHILD) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let cause = if libc::WIFSIGNALED(status) {
        ExitCause::Signal { number: libc::WTERMSIG(status), core: libc::WCOREDUMP(status) }
    } else {
        ExitCause::Status(libc::WEXITSTATUS(status))
    };
    Ok(Some((ended, cause)))
}

/// A child that has ended and waits to be collected by [`reap`]: until then its number is its own, and its group's too.
/// `None` when there is none.
///
/// # Errors
/// None that a caller could provoke.
pub fn ended() -> io::Result<Option<u32>> {
    // SAFETY: zeroes are a valid value of this structure of numbers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let found = retry(|| {
        // SAFETY: `info` is a valid place to write to.
        check(unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) })
    });
    match found {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
        other => other?,
    };
    // SAFETY: waitid has filled in a child's number, or left the zero that stands for none.
    let pid = unsafe { info.si_pid() };
    Ok(u32::try_from(pid).ok().filter(|pid| *pid > 0))
}

/// Sends a signal to all processes of the group that `leader` has made. That all have gone already is not an error.
///
/// # Errors
/// A group of which this process may signal none, or a `leader` that names none.
pub fn kill_group(leader: u32, signal: Signal) -> io::Result<()> {
    let group = to_pid(leader)?;
    // SAFETY: the call takes numbers; `group` is positive, so it is one group.
    match check(unsafe { libc::killpg(group, signal as libc::c_int) }) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other.map(drop),
    }
}

/// Sends a signal to a process. That it has gone already is not an error.
///
/// # Errors
/// A process that this one may not signal, or a `pid` that names none.
pub fn kill(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = to_pid(pid)?;
    // SAFETY: the call takes numbers; `pid` is positive, so it is one process.
    match check(unsafe { libc::kill(pid, signal as libc::c_int) }) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other.map(drop),
    }
}

/// Whether there is a process of this number.
#[must_use]
pub fn exists(pid: u32) -> bool {
    // SAFETY: the call takes numbers; signal 0 only asks.
    let asked = to_pid(pid).and_then(|pid| check(unsafe { libc::kill(pid, 0) }));
    asked.map_or_else(|error| error.raw_os_error() == Some(libc::EPERM), |_| true)
}

/// Makes this process the leader of a session of its own, so that signals to its former group do not reach it.
///
/// # Errors
/// When it leads a process group already.
pub fn new_session() -> io::Result<()> {
    // SAFETY: the call takes nothing.
    check(unsafe { libc::setsid() }).map(drop)
}

fn to_pid(pid: u32) -> io::Result<libc::pid_t> {
    libc::pid_t::try_from(pid)
        .ok()
        .filter(|pid| *pid > 0)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}
