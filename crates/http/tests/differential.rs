//! What is accepted here as a request, another server sees too, with the same method, target, body and end. (Whoever stands in front
//! may read by other rules; whatever two servers read differently, clients can use.)

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod attacks;
mod other;
mod reader;

use proptest::prelude::*;
use proptest::sample::select;

/// What requests are made of, and what makes them wrong.
const PARTS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b HTTP/1.1\r\n",
    b"POST /a HTTP/1.0\r\n",
    b"Host: h\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"content-length:4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding:chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"X: y\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"\0",
    b"\x0b",
    b"abc",
    b"3\r\nabc\r\n",
    b"3;x=y\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"0\r\n",
    b"3",
    b"a",
    b"-",
    b"+",
];

/// A request that is right, or nearly.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> =
        attacks::ALL.iter().flat_map(|all| all.iter().map(|one| one.1)).collect();
    let from_parts = prop::collection::vec(select(PARTS), 1..12).prop_map(|parts| parts.concat());
    let plain = prop::collection::vec(select(&PARTS[3..13]), 0..5).prop_map(|fields| {
        [b"POST /a HTTP/1.1\r\nHost: h\r\n", &fields.concat()[..], b"\r\nabc"].concat()
    });
    prop_oneof![4 => select(known).prop_map(<[u8]>::to_vec), 2 => plain, 1 => from_parts]
}

/// Puts parts of requests in, takes bytes out.
fn spoil(mut bytes: Vec<u8>, changes: Vec<(usize, usize, &'static [u8])>) -> Vec<u8> {
    for (at, gone, part) in changes {
        let at = at % (bytes.len() + 1);
        let end = (at + gone).min(bytes.len());
        bytes.splice(at..end, part.iter().copied());
    }
    bytes
}

/// A target with the path that it has: an absolute one without any has `/` (RFC 9110, 4.2.3), and the other server says so.
fn with_path(mut target: String) -> String {
    if let Some((scheme, rest)) = target.split_once("://")
        && !scheme.contains(['/', '?'])
    {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        if !rest[end..].starts_with('/') {
            target.insert(scheme.len() + "://".len() + end, '/');
        }
    }
    target
}

fn compare(bytes: &[u8]) {
    let (mut ours, _) = reader::read(bytes);
    for request in &mut ours {
        request.target = with_path(std::mem::take(&mut request.target));
    }
    let theirs = other::read(bytes);
    for (number, request) in ours.iter().enumerate() {
        assert_eq!(theirs.get(number), Some(request), "{number} of {}", bytes.escape_ascii());
    }
}

#[test]
fn the_other_server_reads_at_all() {
    let bytes = b"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let requests = other::read(bytes);
    assert_eq!((requests.len(), &requests[0].body[..]), (2, &b"abc"[..]));
    assert_eq!((&requests[0].target[..], &requests[1].method[..]), ("/a?b", "GET"));
    assert_eq!(other::read(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"), []);
}

#[test]
fn absolute_targets_without_a_path_are_read_alike() {
    for target in ["http://h", "http://h?a/b", "http://h:1?", "http://h/a", "http://h+b"] {
        compare(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    }
}

#[test]
fn attacks_are_read_alike() {
    for (_, bytes, _) in attacks::ALL.iter().copied().flatten() {
        compare(&[bytes, attacks::NEXT].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_accepted_is_read_alike(
        first in request(),
        second in request(),
        changes in prop::collection::vec((any::<usize>(), 0..3_usize, select(PARTS)), 0..3),
    ) {
        compare(&spoil([first, second, attacks::NEXT.to_vec()].concat(), changes));
    }
}
