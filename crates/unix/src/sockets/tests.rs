use super::*;

#[test]
fn buffers_grow_and_never_shrink() {
    let (near, far) = stream_pair().unwrap();
    let before = buffer_size(near.as_fd(), libc::SO_SNDBUF).unwrap();
    grow_buffers(near.as_fd(), far.as_fd(), 512).unwrap();
    assert_eq!(buffer_size(near.as_fd(), libc::SO_SNDBUF).unwrap(), before);
    let wanted = u64::try_from(before).unwrap();
    set_option(near.as_fd(), libc::SO_SNDBUF, &4096).unwrap();
    let small = buffer_size(near.as_fd(), libc::SO_SNDBUF).unwrap();
    grow_buffers(near.as_fd(), far.as_fd(), wanted).unwrap();
    assert!(buffer_size(near.as_fd(), libc::SO_SNDBUF).unwrap() > small);
}

#[test]
fn a_side_that_sends_nothing_more_is_seen() {
    let (near, far) = stream_pair().unwrap();
    assert!(!is_half_closed(far.as_fd()).unwrap());
    shutdown(near.as_fd(), Shutdown::Write).unwrap();
    assert!(is_half_closed(far.as_fd()).unwrap());
    assert!(!is_half_closed(near.as_fd()).unwrap());
}
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

#[test]
fn pairs_are_what_they_say_and_close_on_exec() {
    let (stream, _a) = stream_pair().unwrap();
    let (packet, _b) = seqpacket_pair().unwrap();
    assert_eq!(socket_kind(stream.as_fd()).unwrap(), SocketKind::Stream);
    assert_eq!(socket_kind(packet.as_fd()).unwrap(), SocketKind::SeqPacket);
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(socket_kind(tcp.as_fd()).unwrap(), SocketKind::Other);
    assert!(socket_kind(std::fs::File::open("/dev/null").unwrap().as_fd()).is_err());
    // SAFETY: only looks at a number.
    assert_eq!(unsafe { libc::fcntl(packet.as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
}

#[test]
fn messages_keep_their_bounds_and_carry_descriptors() {
    let (near, far) = seqpacket_pair().unwrap();
    let (mut kept, given) = UnixStream::pair().unwrap();
    send_message(near.as_fd(), b"one", &[given.as_fd(), given.as_fd()], Wait::No).unwrap();
    send_message(near.as_fd(), &vec![7; 100_000], &[], Wait::No).unwrap();
    drop((near, given));

    let mut bytes = Vec::new();
    let descriptors = recv_message(far.as_fd(), &mut bytes, None).unwrap();
    assert_eq!((&bytes[..], descriptors.len()), (&b"one"[..], 2));
    for descriptor in descriptors {
        // SAFETY: only looks at a number.
        let flags = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags, libc::FD_CLOEXEC);
        UnixStream::from(descriptor).write_all(b"x").unwrap();
    }
    let mut read = Vec::new();
    kept.read_to_end(&mut read).unwrap();
    assert_eq!(read, b"xx");

    assert!(recv_message(far.as_fd(), &mut bytes, None).unwrap().is_empty());
    assert_eq!(bytes, vec![7; 100_000]);
    assert!(recv_message(far.as_fd(), &mut bytes, None).unwrap().is_empty());
    assert!(bytes.is_empty(), "the other side has gone");
}

#[test]
fn a_message_that_does_not_come_times_out() {
    let (near, far) = seqpacket_pair().unwrap();
    let error = recv_message(near.as_fd(), &mut Vec::new(), Some(Duration::from_millis(1)));
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(send_message(far.as_fd(), b"", &[], Wait::No).is_err());
    drop(near);
    let gone = send_message(far.as_fd(), b"x", &[], Wait::No).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn one_read_brings_the_descriptor_of_one_send_at_most() {
    let (near, far) = stream_pair().unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    send_all(near.as_fd(), &mut [IoSlice::new(b"before")]).unwrap();
    send_with_fd(near.as_fd(), b"with", file.as_fd()).unwrap();
    send_with_fd(near.as_fd(), b"with another", file.as_fd()).unwrap();
    send_all(near.as_fd(), &mut [IoSlice::new(b"after")]).unwrap();
    let mut buffer = [0; 100];
    let (received, descriptor) = recv_with_fd(far.as_fd(), &mut buffer, Wait::No).unwrap();
    assert_eq!((&buffer[..received], descriptor.is_some()), (&b"beforewith"[..], true));
    let mut out = b"so far ".to_vec();
    let (received, descriptor) = recv_append(far.as_fd(), &mut out, 100, Wait::No).unwrap();
    assert_eq!((received, &out[..]), (12, &b"so far with another"[..]));
    assert!(descriptor.is_some());
    let (received, descriptor) = recv_with_fd(far.as_fd(), &mut buffer, Wait::No).unwrap();
    assert_eq!((&buffer[..received], descriptor.is_none()), (&b"after"[..], true));
    assert!(send_with_fd(near.as_fd(), b"", file.as_fd()).is_err());
}

#[test]
fn descriptors_that_nobody_asked_for_are_closed() {
    let (near, far) = stream_pair().unwrap();
    let (kept, given) = UnixStream::pair().unwrap();
    let many = vec![given.as_fd(); 5];
    send_with_fds(near.as_fd(), b"x", &many).unwrap();
    let (_, first) = recv_with_fd(far.as_fd(), &mut [0; 8], Wait::No).unwrap();
    send_with_fds(near.as_fd(), b"x", &many).unwrap();
    let (_, all) = recv_append_fds(far.as_fd(), &mut Vec::new(), 8, Wait::No).unwrap();
    assert_eq!(all.len(), 5);
    drop((first, all, given));
    let mut left = Vec::new();
    (&kept).read_to_end(&mut left).unwrap();
    assert_eq!(left, b"", "no descriptor of the pair's other end is open");
}

#[test]
fn more_than_a_buffer_is_sent_whole() {
    let (near, far) = stream_pair().unwrap();
    let (head, body) = (vec![1_u8; 300_000], vec![2_u8; 700_000]);
    let reader = std::thread::spawn(move || {
        let mut out = Vec::new();
        while recv_append(far.as_fd(), &mut out, 65_536, Wait::Yes).unwrap().0 > 0 {}
        out
    });
    let mut parts = [IoSlice::new(&head), IoSlice::new(&[]), IoSlice::new(&body)];
    send_all(near.as_fd(), &mut parts).unwrap();
    drop(near);
    let out = reader.join().unwrap();
    assert_eq!(out.len(), 1_000_000);
    assert!(out[..300_000].iter().all(|byte| *byte == 1));
    assert!(out[300_000..].iter().all(|byte| *byte == 2));
}

#[test]
fn full_and_empty_streams_say_so() {
    let (near, far) = stream_pair().unwrap();
    set_timeouts(near.as_fd(), Some(Duration::from_millis(1)), Some(Duration::ZERO)).unwrap();
    let no = recv_with_fd(near.as_fd(), &mut [0; 8], Wait::No).unwrap_err();
    assert_eq!(no.kind(), io::ErrorKind::WouldBlock);
    let late = recv_with_fd(near.as_fd(), &mut [0; 8], Wait::Yes).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    let full = send_all(near.as_fd(), &mut [IoSlice::new(&vec![0; 1 << 20])]).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::TimedOut);
    let full = send_some(near.as_fd(), &[IoSlice::new(&vec![0; 1 << 20])], Wait::No).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    shutdown(far.as_fd(), Shutdown::Both).unwrap();
    let gone = send_all(near.as_fd(), &mut [IoSlice::new(b"x")]).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn polling_names_those_that_are_ready() {
    let (a, other_a) = stream_pair().unwrap();
    let (b, _other_b) = stream_pair().unwrap();
    let now = Some(Duration::ZERO);
    assert_eq!(poll_readable([a.as_fd(), b.as_fd()], now).unwrap(), [false, false]);
    drop(other_a);
    assert_eq!(poll_readable([a.as_fd(), b.as_fd()], None).unwrap(), [true, false]);
    assert!(!readable(b.as_fd(), now).unwrap());
}

#[test]
fn a_pipe_is_read_without_blocking() {
    let (near, far) = pipe().unwrap();
    let mut near = std::fs::File::from(near);
    let empty = near.read(&mut [0; 8]).unwrap_err();
    assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    std::fs::File::from(far).write_all(b"x").unwrap();
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn who_only_stops_sending_has_not_hung_up() {
    let (near, far) = stream_pair().unwrap();
    assert!(!has_hung_up(near.as_fd()).unwrap());
    shutdown(far.as_fd(), Shutdown::Write).unwrap();
    assert!(is_half_closed(near.as_fd()).unwrap() && !has_hung_up(near.as_fd()).unwrap());
    let copy = far.try_clone().unwrap();
    drop(far);
    assert!(!has_hung_up(near.as_fd()).unwrap());
    drop(copy);
    assert!(has_hung_up(near.as_fd()).unwrap());
}

/// A TCP connection.
fn tcp_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

#[test]
fn what_is_held_leaves_when_it_is_let_go() {
    let (near, mut far) = tcp_pair();
    let mut held = false;
    // The system lets it go by itself after a while, which may be over at the first look.
    for number in 0..20 {
        hold(near.as_fd(), true).unwrap();
        assert_eq!(send_now(near.as_fd(), &[number]).unwrap(), 1);
        held |= !readable(far.as_fd(), Some(Duration::ZERO)).unwrap();
        hold(near.as_fd(), false).unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [number]);
    }
    assert!(held);
    hold(near.as_fd(), true).unwrap();
    assert_eq!(send_now(near.as_fd(), b"the end").unwrap(), 7);
    drop(near);
    let mut rest = String::new();
    far.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "the end");
    assert!(hold(stream_pair().unwrap().0.as_fd(), true).is_err());
}
