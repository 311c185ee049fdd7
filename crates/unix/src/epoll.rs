//! Waiting for many descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::libc;

use crate::system::{check, check_len, poll_millis};

/// When an epoll tells that a descriptor can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// As long as there is something to read.
    Level,
    /// Once for each arrival; of several waiting threads one is woken.
    Edge,
    /// As [`Trigger::Edge`], and once when there is room to write again.
    EdgeBoth,
    /// Not of what can be read or written, only when the connection is broken.
    Never,
    /// As [`Trigger::Level`]; of several instances that watch the same socket one is woken, or a few.
    Shared,
}

impl Trigger {
    fn events(self) -> u32 {
        const READ: libc::c_int = libc::EPOLLIN | libc::EPOLLRDHUP;
        let events = match self {
            Self::Level => READ,
            Self::Edge => READ | libc::EPOLLET,
            Self::EdgeBoth => READ | libc::EPOLLET | libc::EPOLLOUT,
            Self::Never => libc::EPOLLET,
            // The kernel takes no RDHUP beside it.
            Self::Shared => libc::EPOLLIN | libc::EPOLLEXCLUSIVE,
        };
        events as u32
    }
}

/// A descriptor that became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The token given with the descriptor.
    pub token: u64,
    /// The other side has closed, wholly or its sending half, or the descriptor is broken; bytes may still be there to read.
    pub closed: bool,
}

/// An epoll instance. Descriptors are watched for reading.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// Makes an empty instance.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn new() -> io::Result<Self> {
        // SAFETY: the call takes flags and makes a descriptor.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call has just made it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches `fd`. Closing the last descriptor of its open file ends the watch.
    ///
    /// # Errors
    /// When it is watched already or cannot be waited for.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, trigger: Trigger) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, trigger)
    }

    /// Changes when the watched `fd` is told of; what is ready now is told again.
    ///
    /// # Errors
    /// When it was not added.
    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, trigger: Trigger) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, trigger)
    }

    /// Watches `fd` no longer.
    ///
    /// # Errors
    /// When it was not added.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, Trigger::Level)
    }

    fn control(
        &self,
        operation: libc::c_int,
        fd: BorrowedFd<'_>,
        token: u64,
        trigger: Trigger,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events: trigger.events(), u64: token };
        // SAFETY: two open descriptors and a valid event.
        let result = unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event)
        };
        check(result).map(drop)
    }

    /// Waits for one event. `Ok(None)` when `timeout` (`None`: for ever) passes or a signal comes.
    ///
    /// # Errors
    /// What the system refuses; not a signal.
    pub fn wait_one(&self, timeout: Option<Duration>) -> io::Result<Option<Ready>> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }];
        let count = self.wait_raw(&mut events, timeout)?;
        Ok(events[..count].first().map(ready))
    }

    /// Waits for events and puts up to 64 into `out`, which is cleared first.
    ///
    /// # Errors
    /// What the system refuses; not a signal, with which `out` stays empty.
    pub fn wait(&self, out: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        let count = self.wait_raw(&mut events, timeout)?;
        out.clear();
        out.extend(events[..count].iter().map(ready));
        Ok(())
    }

    fn wait_raw(
        &self,
        events: &mut [libc::epoll_event],
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let room = libc::c_int::try_from(events.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `events` has room for that many.
        let count = unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), room, poll_millis(timeout))
        };
        match check_len(count as libc::ssize_t) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            other => other,
        }
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn ready(event: &libc::epoll_event) -> Ready {
    let closed = (libc::EPOLLHUP | libc::EPOLLRDHUP | libc::EPOLLERR) as u32;
    Ready { token: event.u64, closed: event.events & closed != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sockets::{Wait, recv_with_fd, send_some, stream_pair};

    const NOW: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn an_edge_is_told_once() {
        let (near, far) = stream_pair().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(near.as_fd(), 9, Trigger::Edge).unwrap();
        assert_eq!(epoll.wait_one(NOW).unwrap(), None);
        send_some(far.as_fd(), &[io::IoSlice::new(b"x")], Wait::No).unwrap();
        assert_eq!(epoll.wait_one(None).unwrap(), Some(Ready { token: 9, closed: false }));
        assert_eq!(epoll.wait_one(NOW).unwrap(), None);
        drop(far);
        assert_eq!(epoll.wait_one(None).unwrap(), Some(Ready { token: 9, closed: true }));
    }

    #[test]
    fn a_level_is_told_until_it_was_read() {
        let (near, far) = stream_pair().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(near.as_fd(), 1, Trigger::Level).unwrap();
        send_some(far.as_fd(), &[io::IoSlice::new(b"x")], Wait::No).unwrap();
        let mut events = Vec::new();
        for _ in 0..2 {
            epoll.wait(&mut events, None).unwrap();
            assert_eq!(events, [Ready { token: 1, closed: false }]);
        }
        recv_with_fd(near.as_fd(), &mut [0; 8], Wait::No).unwrap();
        assert_eq!(epoll.wait_one(NOW).unwrap(), None);
        epoll.remove(near.as_fd()).unwrap();
        assert!(epoll.remove(near.as_fd()).is_err());
    }
}
