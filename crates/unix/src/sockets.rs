//! Socket pairs, messages, streams, and descriptors that travel.
//!
//! All descriptors made or received here have close-on-exec set, and no call raises `SIGPIPE`.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::libc;

use crate::system::{check, check_len, retry};

mod travel;

use travel::{Ancillary, MAX_DESCRIPTORS};

/// Whether a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Fail with `WouldBlock` instead.
    No,
    /// Wait, for as long as [`set_timeouts`] allows.
    Yes,
}

impl Wait {
    fn flag(self) -> libc::c_int {
        match self {
            Self::No => libc::MSG_DONTWAIT,
            Self::Yes => 0,
        }
    }
}

/// What kind of Unix socket a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// A stream.
    Stream,
    /// Messages, in order, over a connection.
    SeqPacket,
    /// Another, or another family.
    Other,
}

/// Two connected stream sockets.
///
/// # Errors
/// Too many descriptors.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(libc::SOCK_STREAM)
}

/// Two connected sockets that keep the bounds of messages. A message of no bytes cannot be told from the
/// end and must not be sent.
///
/// # Errors
/// Too many descriptors.
pub fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(libc::SOCK_SEQPACKET)
}

fn pair(kind: libc::c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for the two descriptors.
    check(unsafe {
        libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr())
    })?;
    // SAFETY: the call has just made both, so nobody else owns them.
    let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((own(fds[0]), own(fds[1])))
}

/// A pipe: its reading end, which does not block, and its writing end.
///
/// # Errors
/// Too many descriptors.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for the two descriptors.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the call has just made both, so nobody else owns them.
    let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: a descriptor of this function's own.
    check(unsafe { libc::fcntl(fds[0], libc::F_SETFL, libc::O_NONBLOCK) })?;
    Ok((own(fds[0]), own(fds[1])))
}

/// What kind of Unix socket `fd` is.
///
/// # Errors
/// When it is no socket at all.
pub fn socket_kind(fd: BorrowedFd<'_>) -> io::Result<SocketKind> {
    let option = |name| {
        let mut value: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        let place = (&raw mut value).cast();
        // SAFETY: `place` has room for the `length` bytes of an int.
        check(unsafe {
            libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, place, &raw mut length)
        })
        .map(|_| value)
    };
    Ok(match (option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?) {
        (libc::AF_UNIX, libc::SOCK_STREAM) => SocketKind::Stream,
        (libc::AF_UNIX, libc::SOCK_SEQPACKET) => SocketKind::SeqPacket,
        _ => SocketKind::Other,
    })
}

/// Sends one message on a seqpacket socket with these descriptors.
///
/// # Errors
/// `InvalidInput` for an empty message or too many descriptors; what the system refuses: a message
/// longer than the socket's buffer, nobody on the other side.
pub fn send_message(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
    wait: Wait,
) -> io::Result<()> {
    if bytes.is_empty() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut ancillary = Ancillary::<MAX_DESCRIPTORS>::carrying(descriptors)?;
    send_raw(fd, &[IoSlice::new(bytes)], &mut ancillary, wait).map(drop)
}

/// Receives one message of a seqpacket socket into `out` (replacing what it holds) and the descriptors
/// that came with it. No bytes mean that the other side has gone.
///
/// # Errors
/// `TimedOut` when nothing comes within `timeout` (`None`: for ever; 0: do not wait); what the system
/// refuses. When another reader of the same socket takes the message first: `WouldBlock`.
pub fn recv_message(
    fd: BorrowedFd<'_>,
    out: &mut Vec<u8>,
    timeout: Option<Duration>,
) -> io::Result<Vec<OwnedFd>> {
    if !readable(fd, timeout)? {
        return Err(io::Error::from(io::ErrorKind::TimedOut));
    }
    let peek = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: nothing is written to a buffer of no length; MSG_TRUNC makes the call tell the message's.
    let length =
        retry(|| check_len(unsafe { libc::recv(fd.as_raw_fd(), std::ptr::null_mut(), 0, peek) }))?;
    out.clear();
    let mut ancillary = Ancillary::<MAX_DESCRIPTORS>::empty();
    recv_spare(fd, out, length.max(1), &mut ancillary, Wait::No)?;
    Ok(ancillary.take())
}

/// Sends a part of `parts` on a stream by one system call, and says how many bytes that were.
///
/// # Errors
/// What the system refuses; `WouldBlock` when the buffer is full and `wait` is no.
pub fn send_some(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], wait: Wait) -> io::Result<usize> {
    if let [bytes] = parts {
        return send_bytes(fd, bytes, wait);
    }
    send_raw(fd, parts, &mut Ancillary::<0>::empty(), wait)
}

/// Sends all of `parts` on a stream. `parts` is used up.
///
/// # Errors
/// `TimedOut` when the send timeout of the socket passes; what the system refuses. Part of the bytes may be sent then.
pub fn send_all(fd: BorrowedFd<'_>, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        let sent = send_some(fd, parts, Wait::Yes).map_err(timed_out)?;
        IoSlice::advance_slices(&mut parts, sent);
    }
    Ok(())
}

/// Sends `bytes` on a stream; `descriptor` travels with the first of them.
///
/// # Errors
/// As [`send_all`]; `InvalidInput` when there are no bytes for it to travel with.
pub fn send_with_fd(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: BorrowedFd<'_>,
) -> io::Result<()> {
    send_with_fds(fd, bytes, &[descriptor])
}

/// Sends `bytes` on a stream; `descriptors` travel with the first of them.
///
/// # Errors
/// As [`send_with_fd`]; `InvalidInput` for more than 253 descriptors.
pub fn send_with_fds(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    if bytes.is_empty() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut ancillary = Ancillary::<MAX_DESCRIPTORS>::carrying(descriptors)?;
    let sent =
        send_raw(fd, &[IoSlice::new(bytes)], &mut ancillary, Wait::Yes).map_err(timed_out)?;
    send_all(fd, &mut [IoSlice::new(&bytes[sent..])])
}

/// Receives from a stream into `buffer` by one system call, and the descriptor that came along; 0 bytes mean the end.
/// Should several have come with one send, the others are closed.
///
/// One call never goes beyond the bytes that were sent with a descriptor, so it brings the descriptor of one send at most; but what
/// was sent before without a descriptor may be received by the same call.
///
/// # Errors
/// What the system refuses; `WouldBlock` when nothing is there and `wait` is no; `TimedOut` when the
/// receive timeout of the socket passes.
pub fn recv_with_fd(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: Wait,
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut ancillary = Ancillary::<1>::empty();
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let received = recv_raw(fd, &mut part, &mut ancillary, wait)?;
    Ok((received, ancillary.take_one()))
}

/// As [`recv_with_fd`], but appends at most `room` bytes to `out`.
///
/// # Errors
/// As [`recv_with_fd`].
pub fn recv_append(
    fd: BorrowedFd<'_>,
    out: &mut Vec<u8>,
    room: usize,
    wait: Wait,
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut ancillary = Ancillary::<1>::empty();
    let received = recv_spare(fd, out, room, &mut ancillary, wait)?;
    Ok((received, ancillary.take_one()))
}

/// Appends at most `room` bytes that a stream has, without waiting and without looking for descriptors: the quickest way to receive. 0
/// bytes mean the end.
///
/// # Errors
/// What the system refuses; `WouldBlock` when nothing is there.
pub fn recv_now(fd: BorrowedFd<'_>, out: &mut Vec<u8>, room: usize) -> io::Result<usize> {
    out.reserve(room);
    let spare = &mut out.spare_capacity_mut()[..room];
    let received = retry(|| {
        // SAFETY: `spare` has room for that many bytes and outlives the call.
        check_len(unsafe {
            transfer(libc::SYS_recvfrom, fd, spare.as_mut_ptr().cast(), room, libc::MSG_DONTWAIT)
        })
    })?;
    // SAFETY: the kernel has written `received` bytes, at most `room`, behind the vector's end.
    unsafe { out.set_len(out.len() + received) };
    Ok(received)
}

/// As [`recv_now`], to the start of `room`; the bytes that came.
///
/// # Errors
/// As [`recv_now`].
pub fn recv_to<'a>(fd: BorrowedFd<'_>, room: &'a mut [MaybeUninit<u8>]) -> io::Result<&'a [u8]> {
    let received = retry(|| {
        let place = room.as_mut_ptr().cast();
        // SAFETY: pointer and length are those of a slice that outlives the call.
        check_len(unsafe { libc::recv(fd.as_raw_fd(), place, room.len(), libc::MSG_DONTWAIT) })
    })?;
    let came = &room[..received];
    // SAFETY: the kernel has written these bytes.
    Ok(unsafe { std::slice::from_raw_parts(came.as_ptr().cast(), came.len()) })
}

/// How many bytes of a stream have come and were not received.
///
/// # Errors
/// What the system refuses.
pub fn unread(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the call puts one number into the place, which outlives it.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Has a TCP connection count as one that can be read when `bytes` have come: poll and epoll tell of fewer only when it has ended, or when
/// the system keeps no more of it. Receiving without waiting still brings what there is.
///
/// # Errors
/// What the system refuses.
pub fn set_least(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set_option(fd, libc::SO_RCVLOWAT, &bytes)
}

/// Sends what a stream takes of `bytes` without waiting: the quickest way to send. Returns how many bytes that were.
///
/// # Errors
/// What the system refuses; `WouldBlock` when the buffer is full.
pub fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    send_bytes(fd, bytes, Wait::No)
}

fn send_bytes(fd: BorrowedFd<'_>, bytes: &[u8], wait: Wait) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | wait.flag();
    retry(|| {
        let place = bytes.as_ptr().cast_mut().cast();
        // SAFETY: pointer and length are those of a slice that outlives the call, and is only read.
        check_len(unsafe { transfer(libc::SYS_sendto, fd, place, bytes.len(), flags) })
    })
}

/// Has the system hold the last, incomplete segment of what a TCP connection sends, for 200 ms at most, or lets it leave (tcp(7), `TCP_CORK`). When
/// the connection is closed meanwhile, it leaves.
///
/// Not by `MSG_MORE`, whose segments leave without the mark that tells the other side to pass on what it has (RFC 9293, 3.9.1.2).
///
/// # Errors
/// What the system refuses, for sockets of another kind too.
pub fn hold(fd: BorrowedFd<'_>, holds: bool) -> io::Result<()> {
    let holds = libc::c_int::from(holds);
    set_option_at(fd, (libc::IPPROTO_TCP, libc::TCP_CORK), &holds)
}

/// Sends or receives without the C library's own functions: those are places where a thread may be cancelled, which they note and take
/// back for each call by two atomic operations. Nobody cancels threads here.
///
/// # Safety
/// `call` is `SYS_sendto` or `SYS_recvfrom`, and there are `length` bytes at `place`, to be written to where it is the second.
unsafe fn transfer(
    call: libc::c_long,
    fd: BorrowedFd<'_>,
    place: *mut libc::c_void,
    length: usize,
    flags: libc::c_int,
) -> libc::ssize_t {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the caller's promise; there is no address, as on every connected socket.
    let count = unsafe { libc::syscall(call, fd.as_raw_fd(), place, length, flags, none, none) };
    count as libc::ssize_t
}

/// As [`recv_append`], with all descriptors that came along.
///
/// # Errors
/// As [`recv_with_fd`].
pub fn recv_append_fds(
    fd: BorrowedFd<'_>,
    out: &mut Vec<u8>,
    room: usize,
    wait: Wait,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut ancillary = Ancillary::<MAX_DESCRIPTORS>::empty();
    let received = recv_spare(fd, out, room, &mut ancillary, wait)?;
    Ok((received, ancillary.take()))
}

/// How long receiving and sending may wait; `None` for ever. A duration of 0 is taken as the shortest there is.
///
/// # Errors
/// What the system refuses.
pub fn set_timeouts(
    fd: BorrowedFd<'_>,
    recv: Option<Duration>,
    send: Option<Duration>,
) -> io::Result<()> {
    for (name, limit) in [(libc::SO_RCVTIMEO, recv), (libc::SO_SNDTIMEO, send)] {
        let micros = limit.map_or(0, |limit| limit.as_micros().max(1));
        let value = libc::timeval {
            tv_sec: libc::time_t::try_from(micros / 1_000_000).unwrap_or(libc::time_t::MAX),
            tv_usec: (micros % 1_000_000) as libc::suseconds_t,
        };
        set_option(fd, name, &value)?;
    }
    Ok(())
}

/// Makes the buffers for one direction of a connection, from `from` to `to`, at least `size` bytes large, as far as the
/// system allows. They never become smaller.
///
/// # Errors
/// What the system refuses.
pub fn grow_buffers(from: BorrowedFd<'_>, to: BorrowedFd<'_>, size: u64) -> io::Result<()> {
    let size = libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX);
    for (fd, name) in [(from, libc::SO_SNDBUF), (to, libc::SO_RCVBUF)] {
        // The system's answer is twice what was asked for: it counts its own needs.
        if buffer_size(fd, name)? / 2 < size {
            set_option(fd, name, &size)?;
        }
    }
    Ok(())
}

fn buffer_size(fd: BorrowedFd<'_>, name: libc::c_int) -> io::Result<libc::c_int> {
    let (mut size, mut length) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    let place = (&raw mut size).cast();
    // SAFETY: `place` has `length` bytes, as both options need.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, place, &raw mut length)
    })?;
    Ok(size)
}

/// Closes one half or both halves of a connection for everyone who has the socket.
///
/// # Errors
/// What the system refuses.
pub fn shutdown(fd: BorrowedFd<'_>, how: Shutdown) -> io::Result<()> {
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: an open descriptor and a number.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) }).map(drop)
}

/// Waits until `fd` can be read (or has ended); false when `timeout` passes first.
///
/// # Errors
/// What the system refuses.
pub fn readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let [ready] = poll_readable([fd], timeout)?;
    Ok(ready)
}

/// Waits until one of a few descriptors can be read (or has ended), and says which; none when `timeout` passes first.
///
/// # Errors
/// What the system refuses.
pub fn poll_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled =
        fds.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    poll(&mut polled, timeout)?;
    Ok(polled.map(|entry| entry.revents != 0))
}

/// Whether the other side of a connection sends nothing more.
///
/// # Errors
/// What the system refuses.
pub fn is_half_closed(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut polled = [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 }];
    poll(&mut polled, Some(Duration::ZERO))?;
    Ok(polled[0].revents != 0)
}

/// Whether the other side of a connection has closed it, and sends and receives nothing more; as well where this side was shut down for
/// both directions.
///
/// # Errors
/// What the system refuses.
pub fn has_hung_up(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut polled = [libc::pollfd { fd: fd.as_raw_fd(), events: 0, revents: 0 }];
    poll(&mut polled, Some(Duration::ZERO))?;
    Ok(polled[0].revents & libc::POLLHUP != 0)
}

/// Waits until `fd` can be written to (or is broken); false when `timeout` passes first.
///
/// # Errors
/// What the system refuses.
pub fn writable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let mut polled = [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
    poll(&mut polled, timeout)?;
    Ok(polled[0].revents != 0)
}

/// Sends part of a file on a stream by one system call, without waiting: at most `length` bytes from `offset` on. Returns how many were
/// sent; 0 at the file's end.
///
/// # Errors
/// What the system refuses; `WouldBlock` when the socket does not block and its buffer is full.
pub fn send_file(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    length: u64,
) -> io::Result<usize> {
    let mut offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 30);
    retry(|| {
        // SAFETY: two open descriptors, and a place for the offset that outlives the call.
        check_len(unsafe {
            libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &raw mut offset, length)
        })
    })
}

/// Whether a write to `fd` would not wait: files always, pipes and sockets with room.
#[must_use]
pub fn writable_now(fd: BorrowedFd<'_>) -> bool {
    let mut polled = [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
    poll(&mut polled, Some(Duration::ZERO)).is_ok() && polled[0].revents & libc::POLLOUT != 0
}

/// Waits until something of what `polled` names has happened, or `timeout` has passed. As [`transfer`], without the C library's own function.
fn poll(polled: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let mut left = timeout.map(|limit| libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let left = left.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
    let signals = std::ptr::null::<libc::sigset_t>();
    retry(|| {
        let (entries, count) = (polled.as_mut_ptr(), polled.len());
        // SAFETY: `polled` has so many entries, and outlives the call as `left` does. An interrupted call leaves there how much time is left
        // (ppoll(2)). No set of signals is given, and the last argument is its size.
        let ready =
            unsafe { libc::syscall(libc::SYS_ppoll, entries, count, left, signals, 8_usize) };
        check_len(ready as libc::ssize_t)
    })
    .map(drop)
}

fn set_option<T>(fd: BorrowedFd<'_>, name: libc::c_int, value: &T) -> io::Result<()> {
    set_option_at(fd, (libc::SOL_SOCKET, name), value)
}

fn set_option_at<T>(
    fd: BorrowedFd<'_>,
    (level, name): (libc::c_int, libc::c_int),
    value: &T,
) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let place = std::ptr::from_ref(value).cast();
    // SAFETY: `place` has `length` bytes; the callers give each option its own type.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, place, length) }).map(drop)
}

/// A blocking call that met the socket's timeout says `WouldBlock`; callers should not have to know.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        return io::Error::from(io::ErrorKind::TimedOut);
    }
    error
}

fn send_raw<const N: usize>(
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    ancillary: &mut Ancillary<N>,
    wait: Wait,
) -> io::Result<usize> {
    let mut header = travel::header();
    // IoSlice is promised to be laid out as iovec; sendmsg does not write through it.
    header.msg_iov = parts.as_ptr().cast_mut().cast();
    header.msg_iovlen = parts.len().min(libc::UIO_MAXIOV as usize);
    ancillary.attach(&mut header);
    let flags = libc::MSG_NOSIGNAL | wait.flag();
    retry(|| {
        // SAFETY: the header names `parts` and `ancillary`, which both outlive the call.
        check_len(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, flags) })
    })
}

fn recv_raw<const N: usize>(
    fd: BorrowedFd<'_>,
    part: &mut libc::iovec,
    ancillary: &mut Ancillary<N>,
    wait: Wait,
) -> io::Result<usize> {
    let mut header = travel::header();
    header.msg_iov = part;
    header.msg_iovlen = 1;
    let flags = libc::MSG_CMSG_CLOEXEC | wait.flag();
    let received = retry(|| {
        ancillary.attach_room(&mut header);
        // SAFETY: the header names `part`, whose memory the callers borrow mutably, and `ancillary`; both outlive the call.
        check_len(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags) })
    });
    let received = if wait == Wait::Yes { received.map_err(timed_out) } else { received }?;
    ancillary.received(&header);
    Ok(received)
}

fn recv_spare<const N: usize>(
    fd: BorrowedFd<'_>,
    out: &mut Vec<u8>,
    room: usize,
    ancillary: &mut Ancillary<N>,
    wait: Wait,
) -> io::Result<usize> {
    out.reserve(room);
    let spare = &mut out.spare_capacity_mut()[..room];
    let mut part = libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: room };
    let received = recv_raw(fd, &mut part, ancillary, wait)?;
    // SAFETY: the kernel has written `received` bytes, at most `room`, behind the vector's end.
    unsafe { out.set_len(out.len() + received) };
    Ok(received)
}

#[cfg(test)]
mod tests;
