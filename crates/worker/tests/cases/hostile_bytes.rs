//! Attacks by what clients send: where a request ends, what it claims to be, and how long it is.

use std::path::Path;

use pinion_testbed::raw::Connection;
use pinion_wire::message::http::HttpLimits;

use super::hostile::{Siege, until};
use super::http::request;

#[path = "../../../http/tests/attacks/mod.rs"]
mod attacks;

use attacks::{Attack, Fate, NEXT};

/// Sends bytes and a request behind them, and looks what becomes of both.
pub(super) fn attempt(
    mut client: Connection,
    (name, bytes, fate): &Attack,
    send: impl Fn(&mut Connection, &[u8]),
) {
    send(&mut client, &[*bytes, NEXT].concat());
    let method = if bytes.starts_with(b"POST") { "POST" } else { "GET" };
    let answer = client.answer(method).unwrap_or_else(|error| panic!("{name}: {error}"));
    match fate {
        Fate::Refused(status) => assert_eq!(answer.status, *status, "{name}"),
        Fate::Served(body) => {
            assert_eq!((answer.status, &answer.body[..]), (200, *body), "{name}");
            assert_eq!(client.answer("GET").unwrap().body, b"Hello, world!", "{name}");
            client.end().unwrap();
        }
    }
    assert_eq!(client.rest(), b"", "{name}");
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Attack> {
    attacks::ALL.iter().copied().flatten()
}

pub(super) fn nothing_is_smuggled(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    for attack in all() {
        attempt(siege.server.connect(), attack, |client, bytes| client.send(bytes).unwrap());
        attempt(siege.server.connect(), attack, |client, bytes| {
            for byte in bytes {
                // One that is refused may be told so, and cut off, before it has sent all.
                if client.send([*byte]).is_err() {
                    break;
                }
            }
        });
    }
    siege.is_survived();
}

/// The application is told of the host that the target names, and of no protocol that it could change to.
pub(super) fn what_is_served_is_what_was_asked(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let mut client = siege.server.connect();
    for (bytes, lines) in [
        (
            &b"GET http://other.example:81/environ?a HTTP/1.1\r\nHost: h\r\nContent_Length: 5\r\nX_Y: z\r\nProxy: evil\r\n\r\n"[..],
            &["HTTP_HOST='other.example:81'", "PATH_INFO='/environ'", "QUERY_STRING='a'"][..],
        ),
        (
            b"GET /environ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            &["HTTP_UPGRADE='websocket'", "HTTP_HOST='h'", "SERVER_PROTOCOL='HTTP/1.1'"],
        ),
    ] {
        client.send(bytes).unwrap();
        let answer = client.answer("GET").unwrap();
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body).unwrap();
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "{line}: {text}");
        }
        for name in ["HTTP_PROXY", "HTTP_X_Y", "CONTENT_LENGTH"] {
            assert!(!text.lines().any(|line| line.starts_with(name)), "{name}: {text}");
        }
    }
    drop(client);
    siege.is_survived();
}

pub(super) fn what_is_too_long_is_refused(python: &Path) {
    let limits = HttpLimits {
        line: 1000,
        head: 5000,
        fields: 20,
        body: 1000,
        connections: 100,
        ..HttpLimits::default()
    };
    let siege = Siege::lay(python, |_, http| http.limits = limits);
    let long = |count: usize| "x".repeat(count);
    let field = |count: usize| format!("X: {}\r\n", long(count));
    for (bytes, status) in [
        (request("GET", &format!("/hello?{}", long(1000)), "", b""), 414),
        (format!("GET /hello?{}", long(3000)).into_bytes(), 414),
        (long(20_000).into_bytes(), 414),
        (request("GET", "/hello", &field(5000), b""), 431),
        (format!("GET /hello HTTP/1.1\r\nHost: h\r\n{}", field(8200)).into_bytes(), 431),
        (format!("GET /hello HTTP/1.1\r\nHost: h\r\nX: {}", long(20_000)).into_bytes(), 431),
        (request("GET", "/hello", &"X: y\r\n".repeat(20), b""), 431),
        (request("POST", "/echo", "Content-Length: 1001\r\n", b""), 413),
        (request("POST", "/echo", "Content-Length: 9223372036854775807\r\n", b""), 413),
        (request("POST", "/echo", "Transfer-Encoding: chunked\r\n", b"3e9\r\n"), 413),
        (request("POST", "/echo", "Transfer-Encoding: chunked\r\n", b"7fffffffffffffff\r\n"), 413),
        (
            request("POST", "/echo", "Transfer-Encoding: chunked\r\n", &b"1\r\nx\r\n".repeat(1001)),
            413,
        ),
        (request("POST", "/echo", "Transfer-Encoding: chunked\r\n", long(5000).as_bytes()), 400),
        (
            request(
                "POST",
                "/echo",
                "Transfer-Encoding: chunked\r\n",
                format!("0\r\n{}", field(1000).repeat(100)).as_bytes(),
            ),
            431,
        ),
    ] {
        let mut client = siege.server.connect();
        // It may be refused before all of it was sent.
        let _ = client.send([&bytes, NEXT].concat());
        let answer = client.answer("GET").unwrap();
        let shown = bytes[..bytes.len().min(80)].escape_ascii();
        assert_eq!(answer.status, status, "{shown}");
        assert_eq!(client.rest(), b"", "{shown}");
    }
    for bytes in [
        request("GET", &format!("/hello?{}", long(900)), "", b""),
        request("GET", "/hello", &field(4800), b""),
        request("GET", "/hello", &"X: y\r\n".repeat(19), b""),
        request("POST", "/hello", "Content-Length: 1000\r\n", &[b'x'; 1000]),
    ] {
        let mut client = siege.server.connect();
        client.send(bytes).unwrap();
        assert_eq!(client.answer("GET").unwrap().status, 200);
    }
    siege.is_survived();
}

/// A pipeline is answered in its order wherever it is cut; behind an error, or the end that the client asks for, nothing is.
pub(super) fn pipelines_are_served_in_order(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let hello = || request("GET", "/hello", "", b"");
    let length = request("POST", "/echo", "Content-Length: 3\r\n", b"abc");
    let chunked =
        request("POST", "/echo", "Transfer-Encoding: chunked\r\n", b"2\r\nde\r\n0\r\n\r\n");
    let unread = request("POST", "/hello", "Content-Length: 3\r\n", b"abc");
    let last = request("GET", "/hello", "Connection: close\r\n", b"");
    let all = [length, hello(), chunked, unread, last, hello(), hello()].concat();
    for cut in 0..all.len() {
        let mut client = siege.server.connect();
        client.send(&all[..cut]).unwrap();
        client.send(&all[cut..]).unwrap();
        for body in [&b"abc"[..], b"Hello, world!", b"de", b"Hello, world!", b"Hello, world!"] {
            assert_eq!(client.answer("POST").unwrap().body, body, "{cut}");
        }
        assert_eq!(client.rest(), b"", "{cut}");
    }
    let refused = [&hello()[..], b"GET /hello HTTP/1.1\nHost: h\r\n\r\n", &hello()].concat();
    let mut client = siege.server.connect();
    client.send(refused).unwrap();
    assert_eq!(client.answer("GET").unwrap().status, 200);
    assert_eq!(client.answer("GET").unwrap().status, 400);
    assert_eq!(client.rest(), b"");
    // An answer that is not whole ends the connection too.
    let mut client = siege.server.connect();
    client.send([request("GET", "/raises_between", "", b""), hello()].concat()).unwrap();
    client.answer("GET").unwrap_err();
    assert!(!client.rest().windows(5).any(|five| five == b"Hello"));
    siege.is_survived();
}

/// All orders in which an expectation, the body and the answer can come.
pub(super) fn expectations_are_met_in_every_order(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let expect = |more: &str| format!("Expect: 100-continue\r\n{more}");
    let known = expect("Content-Length: 5\r\n");
    let chunked = expect("Transfer-Encoding: chunked\r\n");
    let mut client = siege.server.connect();
    // The client waits.
    for (fields, body) in [(&known, &b"12345"[..]), (&chunked, b"5\r\n12345\r\n0\r\n\r\n")] {
        client.send(request("POST", "/echo", fields, b"")).unwrap();
        assert_eq!(client.interim().unwrap(), 100);
        for byte in body {
            client.send([*byte]).unwrap();
        }
        assert_eq!(client.answer("POST").unwrap().body, b"12345");
        // It does not wait, and may or may not be told.
        client.send(request("POST", "/echo", fields, body)).unwrap();
        assert_eq!(client.answer("POST").unwrap().body, b"12345");
        // It does not wait, and another request follows.
        client.send([request("POST", "/echo", fields, body), NEXT.to_vec()].concat()).unwrap();
        assert_eq!(client.answer("POST").unwrap().body, b"12345");
        assert_eq!(client.answer("GET").unwrap().body, b"Hello, world!");
    }
    drop(client);
    // In HTTP/1.0 there is nothing to wait for.
    let old = "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n12345";
    let mut client = siege.server.connect();
    client.send(old).unwrap();
    assert_eq!(client.interim().unwrap(), 200);
    assert_eq!(client.rest(), b"12345");
    // Who is answered without having been told to go on may send the body or the next request: nobody can know.
    for body in [&b""[..], b"12345", b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut client = siege.server.connect();
        client.send(request("POST", "/hello", &known, body)).unwrap();
        assert_eq!(client.answer("POST").unwrap().body, b"Hello, world!");
        assert_eq!(client.rest(), b"");
    }
    // A body that is too long is refused before it is sent.
    let mut client = siege.server.connect();
    client.send(request("POST", "/echo", "Expect: 200-ok\r\nContent-Length: 5\r\n", b"")).unwrap();
    assert_eq!(client.interim().unwrap(), 417);
    // One that goes away instead.
    let mut client = siege.server.connect();
    client.send(request("POST", "/echo", &known, b"")).unwrap();
    assert_eq!(client.interim().unwrap(), 100);
    client.reset().unwrap();
    until("its request is over", || siege.running() == 0);
    siege.is_survived();
}
