//! The raw client reads each kind of body, and tells a body that was cut from a whole one.

#![allow(clippy::unwrap_used, reason = "in a test, a failing helper is a failing test")]

use pinion_testbed::load::Load;
use pinion_testbed::raw::{Connection, Framing};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

/// Answers each connection with those bytes once a request's head came, then closes it.
fn server(answer: &'static [u8], connections: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
        }
    });
    port
}

fn ask(method: &str, answer: &'static [u8]) -> Result<String, String> {
    let mut connection = Connection::open(server(answer, 1)).unwrap();
    connection.send(format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n")).unwrap();
    let answer = connection.answer(method).map_err(|error| error.to_string())?;
    Ok(format!("{} {}", answer.status, answer.text()))
}

#[test]
fn each_framing_is_read() {
    let answers: [(&str, &'static [u8], &str); 6] = [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "200 abc"),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "200 abcd"),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nuntil the end", "200 until the end"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nx", "204 "),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 "),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "200 "),
    ];
    for (method, sent, expected) in answers {
        assert_eq!(ask(method, sent).as_deref(), Ok(expected));
    }
}

#[test]
fn a_cut_body_is_an_error() {
    let cut: [&'static [u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
    ];
    for sent in cut {
        assert!(ask("GET", sent).is_err(), "{}", String::from_utf8_lossy(sent));
    }
}

#[test]
fn pieces_come_as_they_are_sent() {
    let sent =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
    let mut connection = Connection::open(server(sent, 1)).unwrap();
    connection.send("GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut framing = connection.head("GET").unwrap().framing;
    assert_eq!(framing, Framing::Chunked);
    assert_eq!(connection.piece(&mut framing).unwrap().as_deref(), Some(&b"a"[..]));
    assert_eq!(connection.piece(&mut framing).unwrap().as_deref(), Some(&b"bc"[..]));
    assert_eq!(connection.piece(&mut framing).unwrap(), None);
    assert_eq!(connection.piece(&mut framing).unwrap(), None);
}

#[test]
fn a_kept_connection_that_was_closed_is_asked_once_more() {
    let sent = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let load = Load::get(server(sent, 10_000), "/", 1, Duration::from_millis(50));
    let report = load.run();
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    // The server closes each connection after one answer, so each further request is repeated.
    assert_eq!(report.retried, report.requests - 1);
}
