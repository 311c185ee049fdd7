//! Each attack on where a request ends is refused, or seen as the one request that it is, wherever it is cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod attacks;
mod reader;

use attacks::Fate;
use pinion_http::head::{Limits, parse};
use pinion_http::refusal::Refusal;
use reader::{LIMITS, Seen, read, read_in};

#[test]
fn attacks_have_the_fate_they_deserve() {
    for (name, bytes, fate) in attacks::ALL.iter().copied().flatten() {
        let (requests, refusal) = read(&[bytes, attacks::NEXT].concat());
        match fate {
            Fate::Refused(status) => {
                assert_eq!((requests.len(), refusal.unwrap().status), (0, *status), "{name}");
            }
            Fate::Served(body) => {
                assert_eq!((requests.len(), refusal), (2, None), "{name}");
                assert_eq!(&requests[0].body, body, "{name}");
                assert_eq!(requests[1].target, "/hello?next", "{name}");
            }
        }
    }
}

#[test]
fn where_they_are_cut_changes_nothing() {
    for (name, bytes, _) in attacks::ALL.iter().copied().flatten() {
        let all = [*bytes, attacks::NEXT].concat();
        let whole = read(&all);
        for cut in 1..all.len() {
            assert_same(&whole, &read_in([&all[..cut], &all[cut..]]), name);
        }
        assert_same(&whole, &read_in(all.chunks(1)), name);
    }
}

/// Which of several faults is found first may depend on what has come.
fn assert_same(whole: &Seen, cut: &Seen, name: &str) {
    assert_eq!(whole.0, cut.0, "{name}");
    assert_eq!(whole.1.is_some(), cut.1.is_some(), "{name}");
}

#[test]
fn what_is_too_long_is_refused_as_soon_as_that_shows() {
    let limits = Limits { line: 100, head: 1000, fields: 10 };
    let parse = |text: &str| parse(text.as_bytes(), &limits).map(|head| head.is_some());
    let line = |length: usize| format!("GET /{}", "x".repeat(length));
    assert_eq!(parse(&line(90)), Ok(false));
    assert_eq!(parse(&line(100)), Err(Refusal::LONG_LINE));
    assert_eq!(
        parse(&format!("{} HTTP/1.1\r\nHost: h\r\n\r\n", line(100))),
        Err(Refusal::LONG_LINE)
    );
    let fields = |count: usize| "X: y\r\n".repeat(count);
    let head = |rest: &str| format!("GET / HTTP/1.1\r\nHost: h\r\n{rest}");
    assert_eq!(parse(&head(&format!("{}\r\n", fields(9)))), Ok(true));
    assert_eq!(parse(&head(&format!("{}\r\n", fields(10)))), Err(Refusal::MANY_FIELDS));
    assert_eq!(parse(&head(&fields(11))), Err(Refusal::MANY_FIELDS));
    assert_eq!(parse(&head(&format!("X: {}", "y".repeat(1000)))), Err(Refusal::LONG_HEAD));
    assert_eq!(parse(&head(&"x".repeat(1000))), Err(Refusal::LONG_HEAD));
    assert_eq!(parse(&head(&format!("X: {}\r\n\r\n", "y".repeat(1000)))), Err(Refusal::LONG_HEAD));
}

#[test]
fn a_pipeline_is_seen_in_its_order_wherever_it_is_cut() {
    let pipeline = [
        &b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n",
        b"HEAD /4 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /5 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET /never HTTP/1.1\r\nHost: h\r\n\r\n",
    ]
    .concat();
    for cut in 0..pipeline.len() {
        let (requests, refusal) = read_in([&pipeline[..cut], &pipeline[cut..]]);
        let targets: Vec<_> = requests.iter().map(|request| request.target.as_str()).collect();
        assert_eq!((targets, refusal), (vec!["/1", "/2", "/3", "/4", "/5"], None), "{cut}");
        assert_eq!((&requests[1].body[..], &requests[2].body[..]), (&b"abc"[..], &b"de"[..]));
    }
    assert_eq!(LIMITS.fields, 100);
}
