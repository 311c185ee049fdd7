//! Attacks by HTTP/2, frame by frame: what is no HTTP/2, floods of what is, and streams that are half closed or stand still.

use std::path::Path;

use super::hostile::until;
use super::hostile_ways::Ways;
use crate::suite::raw_h2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PRIORITY,
    PUSH_PROMISE, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, field, field_to_keep, fields, frame,
    kept,
};

/// Error codes (RFC 9113, section 7).
const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const COMPRESSION: u32 = 9;

/// What has to become of what is sent.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The connection ends, with one of these codes where it is told, or with that of a broken rule.
    Connection(&'static [u32]),
    /// Stream 1 ends with one of these codes, and others go on, unless it is the whole connection that ends.
    Stream(&'static [u32]),
    /// Stream 1 is answered, and others go on.
    Answered,
}

use Fate::{Answered, Connection, Stream};

/// What is sent, and what has to become of it.
type Attack = (&'static str, Vec<u8>, Fate);

/// A GET on stream 1 with these fields behind its own.
fn get(more: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields("GET", "/hello", more))
}

/// The head of a POST on stream 1, whose body follows.
fn post(more: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &fields("POST", "/echo", more))
}

/// A head on stream 1 of these fields alone.
fn only(all: &[(&str, &str)]) -> Vec<u8> {
    let block: Vec<u8> =
        all.iter().flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes())).collect();
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)
}

/// Frames where they may not be, or as they may not be.
fn frames() -> Vec<Attack> {
    let head = fields("GET", "/hello", &[]);
    let end = END_HEADERS | END_STREAM;
    vec![
        ("a frame that nobody knows", [frame(0xfa, 0xff, 1, b"x"), get(&[])].concat(), Answered),
        (
            "a setting that nobody knows",
            [frame(SETTINGS, 0, 0, &[0xfa, 0, 0, 0, 0, 1]), get(&[])].concat(),
            Answered,
        ),
        (
            "a head that ends in a second frame",
            [
                frame(HEADERS, END_STREAM, 1, &head[..9]),
                frame(CONTINUATION, END_HEADERS, 1, &head[9..]),
            ]
            .concat(),
            Answered,
        ),
        ("data of no stream", frame(DATA, END_STREAM, 0, b"x"), Connection(&[PROTOCOL])),
        (
            "data of a stream that never began",
            frame(DATA, END_STREAM, 1, b"x"),
            Connection(&[PROTOCOL, STREAM_CLOSED]),
        ),
        ("a head of no stream", frame(HEADERS, end, 0, &head), Connection(&[PROTOCOL])),
        (
            "a head of a stream of the server's",
            frame(HEADERS, end, 2, &head),
            Connection(&[PROTOCOL]),
        ),
        (
            "a stream behind a later one",
            [frame(HEADERS, end, 7, &head), frame(HEADERS, end, 1, &head)].concat(),
            Connection(&[PROTOCOL, STREAM_CLOSED]),
        ),
        (
            "another frame within a head",
            [frame(HEADERS, END_STREAM, 1, &head[..9]), frame(PING, 0, 0, &[0; 8])].concat(),
            Connection(&[PROTOCOL]),
        ),
        (
            "another stream's rest of a head",
            [
                frame(HEADERS, END_STREAM, 1, &head[..9]),
                frame(CONTINUATION, END_HEADERS, 3, &head[9..]),
            ]
            .concat(),
            Connection(&[PROTOCOL]),
        ),
        (
            "the rest of no head",
            frame(CONTINUATION, END_HEADERS, 1, &head),
            Connection(&[PROTOCOL]),
        ),
        ("a promise", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), Connection(&[PROTOCOL])),
        ("a frame that is too long", frame(DATA, 0, 1, &[0; 16_385]), Connection(&[FRAME_SIZE])),
        ("a PING that is too short", frame(PING, 0, 0, &[0; 7]), Connection(&[FRAME_SIZE])),
        ("a PING of a stream", frame(PING, 0, 1, &[0; 8]), Connection(&[PROTOCOL])),
        ("settings that are cut short", frame(SETTINGS, 0, 0, &[0; 5]), Connection(&[FRAME_SIZE])),
        ("settings of a stream", frame(SETTINGS, 0, 1, b""), Connection(&[PROTOCOL])),
        (
            "an acknowledgement with settings",
            frame(SETTINGS, ACK, 0, &[0; 6]),
            Connection(&[FRAME_SIZE]),
        ),
        (
            "a window of 2 GB",
            frame(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
            Connection(&[FLOW_CONTROL]),
        ),
        (
            "frames of less than they must be",
            frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0x3f, 0xff]),
            Connection(&[PROTOCOL]),
        ),
        (
            "a push that is neither on nor off",
            frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]),
            Connection(&[PROTOCOL]),
        ),
        (
            "more window than there can be",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            Connection(&[FLOW_CONTROL]),
        ),
        ("no more window at all", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), Connection(&[PROTOCOL])),
        (
            "window of a stream that never began",
            frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
            Connection(&[PROTOCOL]),
        ),
        (
            "the end of a stream that never began",
            frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]),
            Connection(&[PROTOCOL]),
        ),
        ("the end of no stream", frame(RST_STREAM, 0, 0, &[0, 0, 0, 8]), Connection(&[PROTOCOL])),
        ("padding of more than there is", frame(DATA, 8, 1, &[9, 0]), Connection(&[PROTOCOL])),
        (
            "a field of a table that is empty",
            frame(HEADERS, end, 1, &[0xff, 0xff, 0x7f]),
            Connection(&[COMPRESSION]),
        ),
        (
            "a number that never ends",
            frame(HEADERS, end, 1, &[0xff; 32]),
            Connection(&[COMPRESSION]),
        ),
        (
            "a text that is cut short",
            frame(HEADERS, end, 1, &[0, 5, b'a']),
            Connection(&[COMPRESSION]),
        ),
        (
            "a text that is no Huffman code",
            frame(HEADERS, end, 1, &[0, 0x84, 0xff, 0xff, 0xff, 0xff, 0]),
            Connection(&[COMPRESSION]),
        ),
        (
            "a table of 4 GB",
            frame(HEADERS, end, 1, &[0x3f, 0xe1, 0xff, 0xff, 0xff, 0x0f]),
            Connection(&[COMPRESSION]),
        ),
    ]
}

/// Heads that would be two different requests to two servers, or none.
fn heads() -> Vec<Attack> {
    let own = [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/hello")];
    let without = |name: &str| {
        let rest: Vec<_> = own.iter().filter(|(known, _)| *known != name).copied().collect();
        only(&rest)
    };
    let body = |flags: u8, bytes: &[u8]| frame(DATA, flags, 1, bytes);
    vec![
        ("chunked", get(&[("transfer-encoding", "chunked")]), Stream(&[PROTOCOL])),
        ("a connection's own field", get(&[("connection", "keep-alive")]), Stream(&[PROTOCOL])),
        ("an upgrade", get(&[("upgrade", "h2c")]), Stream(&[PROTOCOL])),
        ("TE other than trailers", get(&[("te", "gzip")]), Stream(&[PROTOCOL])),
        ("TE of trailers", get(&[("te", "trailers")]), Answered),
        ("a name in capitals", get(&[("X-Name", "y")]), Stream(&[PROTOCOL])),
        ("a name that ends a line", get(&[("x\r\ny", "z")]), Stream(&[PROTOCOL])),
        ("a value that ends a line", get(&[("x", "y\r\nContent-Length: 5")]), Stream(&[PROTOCOL])),
        ("a value with a zero byte", get(&[("x", "y\0z")]), Stream(&[PROTOCOL])),
        ("a name of nothing", get(&[("", "y")]), Stream(&[PROTOCOL])),
        ("no method", without(":method"), Stream(&[PROTOCOL])),
        ("no path", without(":path"), Stream(&[PROTOCOL])),
        ("no scheme", without(":scheme"), Stream(&[PROTOCOL])),
        ("two methods", get(&[(":method", "POST")]), Stream(&[PROTOCOL])),
        ("two paths", get(&[(":path", "/other")]), Stream(&[PROTOCOL])),
        ("a status", get(&[(":status", "200")]), Stream(&[PROTOCOL])),
        ("a pseudo field that nobody knows", get(&[(":other", "x")]), Stream(&[PROTOCOL])),
        (
            "a pseudo field behind others",
            only(&[("x", "y"), own[0], own[1], own[2], own[3]]),
            Stream(&[PROTOCOL]),
        ),
        (
            "less than was told",
            [post(&[("content-length", "5")]), body(END_STREAM, b"abcd")].concat(),
            Stream(&[PROTOCOL]),
        ),
        (
            "more than was told",
            [post(&[("content-length", "3")]), body(END_STREAM, b"abcd")].concat(),
            Stream(&[PROTOCOL]),
        ),
        ("a length and no body", get(&[("content-length", "3")]), Stream(&[PROTOCOL])),
        // Nobody is told of trailers, so what they say does not matter.
        (
            "trailers with a pseudo field",
            [
                post(&[]),
                body(0, b"x"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &field(b":path", b"/x")),
            ]
            .concat(),
            Answered,
        ),
        (
            "trailers that end nothing",
            [post(&[]), body(0, b"x"), frame(HEADERS, END_HEADERS, 1, &field(b"x", b"y"))].concat(),
            Stream(&[PROTOCOL]),
        ),
        (
            "trailers",
            [
                post(&[]),
                body(0, b"x"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &field(b"x", b"y")),
            ]
            .concat(),
            Answered,
        ),
    ]
}

/// Streams one side of which has ended.
fn half_closed() -> Vec<Attack> {
    let body = |flags: u8, bytes: &[u8]| frame(DATA, flags, 1, bytes);
    vec![
        (
            "data behind the end",
            [post(&[]), body(END_STREAM, b"x"), body(0, b"y")].concat(),
            Fate::Connection(&[STREAM_CLOSED]),
        ),
        (
            "data behind a head that was the end",
            [get(&[]), body(END_STREAM, b"y")].concat(),
            Fate::Connection(&[STREAM_CLOSED]),
        ),
        (
            "window behind the end",
            [get(&[]), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9])].concat(),
            Answered,
        ),
        (
            "an end behind the end",
            [post(&[]), body(END_STREAM, b"x"), frame(PRIORITY, 0, 1, &[0; 5])].concat(),
            Answered,
        ),
        ("an end of nothing", [post(&[]), body(END_STREAM, b"")].concat(), Answered),
        (
            "many pieces of nothing",
            [post(&[]), body(0, b"").repeat(50), body(END_STREAM, b"x")].concat(),
            Answered,
        ),
    ]
}

fn is_of_one(frame: &Frame) -> bool {
    frame.kind == GOAWAY || (frame.stream == 1 && [HEADERS, RST_STREAM].contains(&frame.kind))
}

fn attempt(ways: &Ways, (name, bytes, fate): &Attack) {
    let mut raw = ways.raw();
    raw.send_bytes(bytes);
    let found = raw.find(is_of_one);
    match fate {
        Connection(codes) => {
            let told = if found.as_ref().is_some_and(|frame| frame.kind == GOAWAY) {
                found
            } else {
                raw.find(|frame| frame.kind == GOAWAY)
            };
            let code = told.map(|frame| frame.code());
            assert!(
                code.is_none_or(|code| code == PROTOCOL || codes.contains(&code)),
                "{name}: {code:?}"
            );
            while raw.next().is_some() {}
            return;
        }
        Stream(codes) => {
            let Some(found) = found.filter(|frame| frame.kind != GOAWAY) else {
                while raw.next().is_some() {}
                return;
            };
            assert!(found.kind == RST_STREAM && codes.contains(&found.code()), "{name}: {found:?}");
        }
        Answered => assert_eq!(found.map(|frame| frame.kind), Some(HEADERS), "{name}"),
    }
    assert_eq!(raw.get(9, "/hello"), b"Hello, world!", "{name}: others go on");
}

pub(super) fn what_is_no_http2_is_refused(python: &Path) {
    let ways = Ways::lay(python, |_, _| {});
    for attack in frames().iter().chain(&heads()).chain(&half_closed()) {
        attempt(&ways, attack);
    }
    // What comes in place of the preface.
    let mut raw = ways.raw().connection();
    drop(raw.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    raw.rest();
    ways.siege.is_survived();
}

/// Every cut of what is right is right, and of what is wrong, wrong.
pub(super) fn frames_may_be_cut_anywhere(python: &Path) {
    let ways = Ways::lay(python, |_, _| {});
    let right = [post(&[("content-length", "3")]), frame(DATA, END_STREAM, 1, b"abc")].concat();
    for cut in 0..right.len() {
        let mut raw = ways.raw();
        assert!(raw.send_bytes(&right[..cut]) && raw.send_bytes(&right[cut..]));
        assert_eq!(raw.body(1), b"abc", "{cut}");
    }
    let mut raw = ways.raw();
    for byte in &right {
        assert!(raw.send_bytes(&[*byte]));
    }
    assert_eq!(raw.body(1), b"abc");
    drop(raw);
    ways.siege.is_survived();
}

/// How many frames a flood has, if nobody ends it.
const FLOOD: u32 = 20_000;

/// Sends what `make` makes of each number, many at once, until that is enough or the connection has ended. How many were sent.
fn flood(raw: &mut Raw, make: impl Fn(u32) -> Vec<u8>) -> u32 {
    let mut number = 0;
    while number < FLOOD {
        let many: Vec<u8> = (number..number + 50).flat_map(&make).collect();
        if !raw.send_bytes(&many) {
            break;
        }
        number += 50;
    }
    number
}

/// Floods that cost the server more than the client. Their clients read nothing: whatever they are told waits for them.
pub(super) fn floods_are_borne_or_ended(python: &Path) {
    let ways = Ways::lay(python, |spec, http| {
        spec.group.threads = 2;
        http.times.body = 1_000;
    });
    let stream = |number: u32| 2 * number + 1;
    let head = fields("GET", "/hello", &[]);
    let begin = move |number: u32, flags| frame(HEADERS, flags, stream(number), &head);
    let reset = |number: u32| frame(RST_STREAM, 0, stream(number), &[0, 0, 0, 8]);
    let whole = END_HEADERS | END_STREAM;
    type Make<'a> = Box<dyn Fn(u32) -> Vec<u8> + 'a>;
    let floods: [(&str, bool, Make<'_>); 12] = [
        ("requests that are taken back", true, Box::new(|n| [begin(n, whole), reset(n)].concat())),
        (
            "bodies that are taken back",
            true,
            Box::new(|n| [begin(n, END_HEADERS), reset(n)].concat()),
        ),
        (
            "heads that the server must refuse",
            true,
            Box::new(|n| frame(HEADERS, whole, stream(n), &field(b"X", b"y"))),
        ),
        (
            "windows that the server must refuse",
            true,
            Box::new(|n| {
                [begin(n, END_HEADERS), frame(WINDOW_UPDATE, 0, stream(n), &[0; 4])].concat()
            }),
        ),
        (
            "a head without an end",
            true,
            Box::new(|n| match n {
                0 => begin(0, END_STREAM),
                _ => frame(CONTINUATION, 0, 1, &field(b"x", &[b'y'; 1000])),
            }),
        ),
        (
            "a head without an end, of nothing",
            true,
            Box::new(|n| match n {
                0 => begin(0, END_STREAM),
                _ => frame(CONTINUATION, 0, 1, b""),
            }),
        ),
        ("settings", false, Box::new(|_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]))),
        ("pings", false, Box::new(|_| frame(PING, 0, 0, &[0; 8]))),
        ("priorities", false, Box::new(|n| frame(PRIORITY, 0, stream(n), &[0, 0, 0, 0, 9]))),
        ("frames that nobody knows", false, Box::new(|_| frame(0xfa, 0, 0, &[0; 100]))),
        ("windows", false, Box::new(|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))),
        (
            "data of nothing",
            false,
            Box::new(|n| match n {
                0 => begin(0, END_HEADERS),
                _ => frame(DATA, 0, 1, b""),
            }),
        ),
    ];
    for (name, must_end, make) in &floods {
        let mut raw = ways.raw();
        flood(&mut raw, make);
        // Others are served, meanwhile and behind it.
        assert_eq!(ways.siege.server.text("/hello"), "Hello, world!", "{name}");
        if *must_end {
            while raw.next().is_some() {}
        }
        drop(raw);
        until(name, || ways.siege.server.worker.open() == 0);
    }
    ways.siege.is_survived();
}

/// Fields that are short on the wire and long in memory, and more of them than there may be.
pub(super) fn long_heads_cost_no_memory(python: &Path) {
    let ways = Ways::lay(python, |_, _| {});
    let mut raw = ways.raw();
    let long = field_to_keep(b"x", &[b'y'; 4000]);
    // Each of the bytes behind it is a field of 4 KB: 60 MB in one frame.
    let bomb = [fields("GET", "/hello", &[]), long, vec![kept(); 12_000]].concat();
    raw.send(HEADERS, END_HEADERS | END_STREAM, 1, &bomb);
    let found = raw.find(is_of_one);
    assert!(found.is_none_or(|frame| frame.kind != HEADERS || frame.stream == 1));
    drop(raw);
    let mut raw = ways.raw();
    for number in 0..200 {
        let head = [fields("GET", "/hello", &[]), vec![kept(); 1000]].concat();
        let first = [fields("GET", "/hello", &[]), field_to_keep(b"x", &[b'y'; 4000])].concat();
        let block = if number == 0 { first } else { head };
        if !raw.send(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &block) {
            break;
        }
    }
    drop(raw);
    ways.siege.is_survived();
}

/// Clients who grant nothing, on all streams that there may be, and ask for more streams than that.
pub(super) fn windows_of_nothing_keep_nobody(python: &Path) {
    let ways = Ways::lay(python, |spec, http| {
        spec.group.threads = 8;
        http.times.body = 400;
    });
    let mut raw = ways.raw();
    assert!(raw.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    assert!(raw.find(|frame| frame.kind == SETTINGS && frame.flags == ACK).is_some());
    for number in 0..128 {
        raw.request(2 * number + 1, "/megabyte");
    }
    raw.request(301, "/hello");
    let refused = raw.find(|frame| frame.stream == 301).unwrap();
    assert_eq!((refused.kind, refused.code()), (RST_STREAM, REFUSED_STREAM));
    // Nobody else waits for them, and each of them ends.
    assert_eq!(ways.siege.server.text("/hello"), "Hello, world!");
    let mut ended = std::collections::BTreeSet::new();
    while ended.len() < 128 {
        match raw.find(|frame| [RST_STREAM, GOAWAY].contains(&frame.kind)) {
            Some(frame) if frame.kind == RST_STREAM => drop(ended.insert(frame.stream)),
            Some(_) => {}
            // All of them at once.
            None => break,
        }
    }
    drop(raw);
    // One byte now and then does not keep them either.
    let mut raw = ways.raw();
    assert!(raw.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    raw.request(1, "/endless");
    until("it is ended", || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let sent = raw.send(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
        !sent || ways.siege.running() == 0
    });
    drop(raw);
    until("its thread is free", || ways.siege.running() == 0);
    ways.siege.is_survived_with(48 << 20);
}

/// One byte now and then, wherever it is put.
pub(super) fn slow_senders_are_ended(python: &Path) {
    let ways = Ways::lay(python, super::hostile_life::hasty);
    let head = fields("GET", "/hello", &[]);
    let long = frame(HEADERS, END_STREAM | END_HEADERS, 1, &field(b"x", &[b'y'; 10_000]));
    let body = post(&[]);
    std::thread::scope(|scope| {
        for (bytes, piece, name) in [
            (Vec::new(), b"\0".to_vec(), "a frame's header, byte by byte"),
            (long[..9].to_vec(), b"x".to_vec(), "a head, byte by byte"),
            (
                frame(HEADERS, END_STREAM, 1, &head),
                frame(CONTINUATION, 0, 1, &[]),
                "a head, frame by frame",
            ),
            (Vec::new(), frame(PING, 0, 0, &[0; 8]), "pings and no request"),
            (Vec::new(), frame(SETTINGS, 0, 0, &[]), "settings and no request"),
        ] {
            let mut raw = ways.raw();
            scope.spawn(move || {
                raw.send_bytes(&bytes);
                let mut client = raw.connection();
                until(name, || {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    client.send(&piece).is_err()
                });
            });
        }
        // A body: the stream ends, by an answer or a reset.
        let mut raw = ways.raw();
        scope.spawn(move || {
            raw.send_bytes(&body);
            until("a body, byte by byte", || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                !raw.send(DATA, 0, 1, b"x")
            });
        });
    });
    ways.siege.is_survived();
}

/// Streams and whole connections that are reset at each stage, beside others that are not disturbed.
pub(super) fn resets_leave_nothing_behind(python: &Path) {
    let ways = Ways::lay(python, |spec, _| spec.group.threads = 3);
    let cancel = |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let ways = &ways;
            scope.spawn(move || {
                for round in 0..10 {
                    let mut raw = ways.raw();
                    let begun = |stream, path: &str, flags| {
                        frame(HEADERS, flags, stream, &fields("GET", path, &[]))
                    };
                    let whole = END_HEADERS | END_STREAM;
                    // Within the body; as the answer is asked for; while it is sent.
                    let within =
                        [begun(1, "/echo", END_HEADERS), frame(DATA, 0, 1, b"abc"), cancel(1)];
                    let asked = [begun(3, "/hello", whole), cancel(3)];
                    let sending = ["/big", "/blocks?count=20", "/generator"];
                    raw.send_bytes(&[within.concat(), asked.concat()].concat());
                    for (path, stream) in sending.iter().zip([5, 7, 9]) {
                        raw.send_bytes(&begun(stream, path, whole));
                        assert!(raw.find(|frame| frame.stream == stream).is_some());
                        raw.send_bytes(&cancel(stream));
                    }
                    assert_eq!(raw.get(11, "/hello"), b"Hello, world!");
                    // The connection, with streams at all these stages.
                    raw.send_bytes(&begun(13, "/big", whole));
                    raw.send_bytes(&begun(15, "/echo", END_HEADERS));
                    if round % 2 == 0 {
                        assert!(raw.find(|frame| frame.stream == 13).is_some());
                    }
                    raw.connection().reset().unwrap();
                }
            });
        }
    });
    until("nothing runs", || ways.siege.running() == 0);
    ways.siege.is_survived();
}
