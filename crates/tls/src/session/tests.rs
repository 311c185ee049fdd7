use super::*;
use crate::config::settings;
use pinion_testbed::tls::{self, Identity};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

const LIMIT: Option<Duration> = Some(Duration::from_secs(20));

/// Both ends of a connection; the server's does not block.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(LIMIT).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    (client, server)
}

fn of(identity: &Identity, protocols: &[&[u8]]) -> Settings {
    settings(identity.certificate.as_bytes(), identity.key.as_bytes(), protocols).unwrap()
}

/// Receives until `enough`, the end, or a failure.
fn receive(
    session: &mut Session,
    socket: &TcpStream,
    enough: impl Fn(&Session, &[u8]) -> bool,
) -> Result<(Came, Vec<u8>), Failure> {
    let mut out = Vec::new();
    while !enough(session, &out) {
        match session.receive(socket.as_fd(), &mut out)? {
            Came::Some => {}
            Came::Ended => return Ok((Came::Ended, out)),
            Came::Nothing if enough(session, &out) => break,
            Came::Nothing => assert!(sockets::readable(socket.as_fd(), LIMIT).unwrap(), "in time"),
        }
    }
    Ok((Came::Some, out))
}

fn shaken(session: &Session, _: &[u8]) -> bool {
    !session.is_handshaking()
}

#[test]
fn hands_are_shaken_and_bytes_go_both_ways() {
    let identity = Identity::new().unwrap();
    let settings = of(&identity, &[b"one", b"two"]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (client, server) = pair();
        let trusting = identity.client_of(&["three", "two"], &[version]).unwrap();
        thread::scope(|scope| {
            let client = scope.spawn(move || {
                let mut stream = tls::shake(&trusting, client).unwrap();
                assert_eq!(tls::protocol(&stream).as_deref(), Some("two"));
                stream.write_all(&[b'x'; 100_000]).unwrap();
                let mut answer = String::new();
                // Ends without an error, since the end was told.
                stream.read_to_string(&mut answer).unwrap();
                answer
            });
            let mut session = Session::new(settings.clone()).unwrap();
            let (came, received) =
                receive(&mut session, &server, |_, out| out.len() == 100_000).unwrap();
            assert!(came == Came::Some && received.iter().all(|byte| *byte == b'x'));
            assert_eq!(session.protocol(), Some(&b"two"[..]));
            let parts = [&b"head "[..], b"", b"body"].map(IoSlice::new);
            assert_eq!(session.send(server.as_fd(), &parts).unwrap(), 9);
            session.end(server.as_fd());
            assert!(!session.is_pending());
            assert_eq!(client.join().unwrap(), "head body");
        });
    }
}

#[test]
fn a_connection_that_is_cut_is_seen_to_be() {
    let identity = Identity::new().unwrap();
    let (client, server) = pair();
    let trusting = identity.client(&[]).unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            let mut stream = tls::shake(&trusting, client).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap_err().kind()
        });
        let mut session = Session::new(of(&identity, &[])).unwrap();
        receive(&mut session, &server, shaken).unwrap();
        session.send(server.as_fd(), &[IoSlice::new(b"half")]).unwrap();
        server.shutdown(Shutdown::Both).unwrap();
        assert_eq!(client.join().unwrap(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn what_comes_byte_by_byte_is_the_same() {
    let identity = Identity::new().unwrap();
    let (client, middle) = pair();
    let (mut relay, server) = pair();
    let trusting = identity.client(&[]).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut stream = tls::shake(&trusting, client).unwrap();
            stream.write_all(b"some words").unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            // One that is dropped before it has read all takes back what is on its way.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let mut back = relay.try_clone().unwrap();
        let mut forth = middle.try_clone().unwrap();
        forth.set_nonblocking(false).unwrap();
        scope.spawn(move || {
            relay.set_nodelay(true).unwrap();
            for byte in io::BufReader::new(middle).bytes() {
                match byte {
                    Ok(byte) => relay.write_all(&[byte]).unwrap(),
                    Err(_) => return,
                }
            }
        });
        scope.spawn(move || {
            let _ = io::copy(&mut back, &mut forth);
            forth.shutdown(Shutdown::Both)
        });
        let mut session = Session::new(of(&identity, &[])).unwrap();
        let (came, received) = receive(&mut session, &server, |_, _| false).unwrap();
        assert_eq!((came, &received[..]), (Came::Ended, &b"some words"[..]));
        server.shutdown(Shutdown::Both).unwrap();
    });
}

#[test]
fn http_without_tls_is_told_where_it_is() {
    let (mut client, server) = pair();
    let mut session = Session::new(of(&Identity::new().unwrap(), &[])).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let failure = receive(&mut session, &server, shaken).unwrap_err();
    assert_eq!(failure.to_string(), "the client speaks HTTP without TLS");
    client.write_all(b"more").unwrap();
    let (_, thrown_away) = receive(&mut session, &server, |_, out| !out.is_empty()).unwrap();
    assert_eq!(thrown_away, b"more");
    assert!(session.send(server.as_fd(), &[IoSlice::new(b"secret")]).is_err());
    session.end(server.as_fd());
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 ") && body.ends_with('\n'));
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
}

#[test]
fn what_is_no_tls_gets_an_alert() {
    let (mut client, server) = pair();
    let mut session = Session::new(of(&Identity::new().unwrap(), &[])).unwrap();
    client.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 9]).unwrap();
    let failure = receive(&mut session, &server, shaken).unwrap_err();
    assert!(matches!(failure, Failure::Tls(_)), "{failure}");
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.first(), Some(&0x15), "an alert");
}

#[test]
fn a_client_that_has_no_protocol_in_common_is_refused() {
    let identity = Identity::new().unwrap();
    let (client, server) = pair();
    let trusting = identity.client(&["other"]).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || tls::shake(&trusting, client).unwrap_err());
        let mut session = Session::new(of(&identity, &[b"one"])).unwrap();
        receive(&mut session, &server, shaken).unwrap_err();
    });
}

#[test]
fn a_client_that_takes_nothing_is_held_little_for() {
    let identity = Identity::new().unwrap();
    let (client, server) = pair();
    let trusting = identity.client(&[]).unwrap();
    thread::scope(|scope| {
        let shaker = scope.spawn(move || tls::shake(&trusting, client).unwrap());
        let mut session = Session::new(of(&identity, &[])).unwrap();
        receive(&mut session, &server, shaken).unwrap();
        let mut client = shaker.join().unwrap();
        let block = vec![b'x'; 1 << 20];
        let mut sent = 0;
        let error = loop {
            match session.send(server.as_fd(), &[IoSlice::new(&block)]) {
                Ok(taken) => {
                    assert!(taken <= MOST_PENDING);
                    sent += taken;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(session.is_pending());
        scope.spawn(move || {
            while session.is_pending() {
                assert!(sockets::writable(server.as_fd(), LIMIT).unwrap());
                let _ = session.push(server.as_fd());
            }
            session.end(server.as_fd());
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), sent);
    });
}

#[test]
fn files_are_sent_from_where_it_was_asked() {
    let identity = Identity::new().unwrap();
    let (client, server) = pair();
    let trusting = identity.client(&[]).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    let text: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    file.write_all(&text).unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            let mut stream = tls::shake(&trusting, client).unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            received
        });
        let mut session = Session::new(of(&identity, &[])).unwrap();
        receive(&mut session, &server, shaken).unwrap();
        let (mut offset, end) = (10, 150_000);
        while offset < end {
            match session.send_file(server.as_fd(), file.as_fd(), offset, end - offset) {
                Ok(taken) => offset += taken as u64,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    sockets::writable(server.as_fd(), LIMIT).unwrap();
                }
            }
        }
        assert_eq!(session.send_file(server.as_fd(), file.as_fd(), 200_000, 5).unwrap(), 0);
        session.end(server.as_fd());
        assert_eq!(client.join().unwrap(), text[10..150_000]);
    });
}

#[test]
fn sessions_are_resumed() {
    let identity = Identity::new().unwrap();
    let settings = of(&identity, &[]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let trusting = identity.client_of(&[], &[version]).unwrap();
        for again in [false, true] {
            let (client, server) = pair();
            thread::scope(|scope| {
                let trusting = &trusting;
                scope.spawn(move || {
                    let mut stream = tls::shake(trusting, client).unwrap();
                    assert_eq!(tls::is_resumed(&stream), again);
                    // What brings the tickets along.
                    stream.read_to_end(&mut Vec::new()).unwrap();
                });
                let mut session = Session::new(settings.clone()).unwrap();
                receive(&mut session, &server, shaken).unwrap();
                session.end(server.as_fd());
                drop(server);
            });
        }
    }
}
