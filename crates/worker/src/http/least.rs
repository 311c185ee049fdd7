//! How much must have come before a socket tells of it.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinion_unix::sockets;

/// How much may be awaited of all clients together. The bodies of others are received as they come.
const ALL: usize = 64 * 1024 * 1024;

/// What is awaited of all clients.
static AWAITED_OF_ALL: AtomicUsize = AtomicUsize::new(0);

/// How much must have come before the epoll tells of it, where that is not the first byte.
#[derive(Debug, Default)]
pub(crate) struct Least {
    /// So much; 0 for the first byte.
    bytes: usize,
    /// What that counts for among all clients.
    counted: usize,
}

impl Least {
    /// Whether that is not the first byte.
    pub(crate) fn is_set(&self) -> bool {
        self.bytes > 0
    }

    /// Has the socket tell of so many bytes of `all`; of the first where `bytes` is 1, and where too much is awaited already. Whether it
    /// is as wanted.
    pub(crate) fn set(&mut self, socket: BorrowedFd<'_>, bytes: usize, all: usize) -> bool {
        let is_given = bytes > 1 && self.count(all);
        let given = if is_given { bytes } else { 0 };
        if !is_given {
            self.count(0);
        }
        let changed = given == self.bytes || sockets::set_least(socket, given.max(1)).is_ok();
        self.bytes = given;
        changed && (is_given || bytes <= 1)
    }

    /// Counts for so much among all clients, unless that is too much.
    fn count(&mut self, all: usize) -> bool {
        let before = AWAITED_OF_ALL.fetch_add(all, Ordering::Relaxed);
        let is_too_much = all > self.counted && before - self.counted + all > ALL;
        let (less, counted) = if is_too_much { (all, self.counted) } else { (self.counted, all) };
        AWAITED_OF_ALL.fetch_sub(less, Ordering::Relaxed);
        self.counted = counted;
        !is_too_much
    }
}

impl Drop for Least {
    fn drop(&mut self) {
        AWAITED_OF_ALL.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    #[test]
    fn a_socket_tells_of_enough_and_not_all_have_that_much() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let tells =
            |limit| sockets::readable(socket.as_fd(), Some(Duration::from_millis(limit))).unwrap();
        let (mut least, mut other) = (Least::default(), Least::default());
        assert!(least.set(socket.as_fd(), 1, 0) && !least.is_set());
        assert!(least.set(socket.as_fd(), 6, ALL - 10) && least.is_set());
        client.write_all(b"12345").unwrap();
        assert!(!tells(50));
        client.write_all(b"6").unwrap();
        assert!(tells(5000));
        assert!(least.set(socket.as_fd(), 7, ALL - 10) && !tells(50));
        // Others may have what is left, and more once it is given back.
        assert!(other.count(10) && !other.count(11) && other.count(9));
        assert!(!least.count(ALL));
        assert!(least.set(socket.as_fd(), 1, 0) && !least.is_set() && tells(5000));
        assert!(other.count(ALL) && !least.set(socket.as_fd(), 7, 7) && tells(0));
        drop(other);
        assert!(least.set(socket.as_fd(), 7, 7) && !tells(50));
    }
}
