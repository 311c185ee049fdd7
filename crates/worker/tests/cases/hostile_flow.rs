//! Attacks by how much, how fast and in which order clients send and receive.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pinion_testbed::raw::{Connection, Framing};
use pinion_wire::message::http::HttpTimes;

use super::hostile::{Siege, memory, until};
use super::http::request;

/// So little room that the system can take no whole answer of a few hundred KiB.
const NARROW: Option<usize> = Some(4096);

fn narrow(siege: &Siege) -> Connection {
    Connection::from(Ipv4Addr::LOCALHOST, NARROW, siege.server.port).unwrap()
}

fn hello() -> Vec<u8> {
    request("GET", "/hello", "", b"")
}

/// A request that runs until the path it returns is there.
fn occupy(siege: &Siege, connection: &mut Connection, name: &str) -> std::path::PathBuf {
    let go = siege.server.worker.folder.path().join(name);
    let path = format!("/wait?path={}", go.display());
    connection.send(request("GET", &path, "", b"")).unwrap();
    until("it runs", || siege.running() > 0);
    go
}

fn free(go: &Path, connection: &mut Connection) {
    std::fs::write(go, "").unwrap();
    assert_eq!(connection.answer("GET").unwrap().body, b"waited");
}

/// More requests at once than one receive takes, all of them there before the first is looked at: nothing tells of them again.
pub(super) fn a_long_pipeline_is_served_to_its_end(python: &Path) {
    let siege = Siege::lay(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { head: 0, body: 0, idle: 0 };
    });
    let mut busy = siege.server.connect();
    let mut many = siege.server.connect();
    many.send(hello()).unwrap();
    assert_eq!(many.answer("GET").unwrap().status, 200);
    let go = occupy(&siege, &mut busy, "go");
    many.send(hello().repeat(2000)).unwrap();
    free(&go, &mut busy);
    for number in 0..2000 {
        assert_eq!(many.answer("GET").unwrap().body, b"Hello, world!", "{number}");
    }
    drop((busy, many));
    siege.is_survived();
}

pub(super) fn a_pipeline_keeps_nobody_from_being_served(python: &Path) {
    let siege = Siege::lay(python, |spec, _| spec.group.threads = 1);
    let (over, served) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let mut sender = siege.server.connect();
        let mut reader = sender.try_clone().unwrap();
        let (over, served) = (&over, &served);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                sender.send(hello().repeat(500)).unwrap();
            }
            sender.half_close().unwrap();
        });
        let reader = scope.spawn(move || {
            while reader.answer("GET").is_ok() {
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
        until("it is served", || served.load(Ordering::Relaxed) > 0);
        for _ in 0..5 {
            assert_eq!(siege.server.text("/hello"), "Hello, world!");
        }
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        let served = served.load(Ordering::Relaxed);
        assert!(served.is_multiple_of(500), "{served}");
    });
    siege.is_survived();
}

/// Each piece ends in the middle of a request, so that what was received is never used up.
pub(super) fn a_pipeline_without_a_gap_takes_no_memory(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let fields = format!("X-Long: {}\r\n", "x".repeat(30_000));
    let (whole, mut client) = (request("GET", "/hello", &fields, b""), siege.server.connect());
    let (first, second) = whole.split_at(20_000);
    let (before, total) = (memory(siege.server.worker.pid), 2000);
    client.send(first).unwrap();
    for _ in 0..total {
        client.send([second, first].concat()).unwrap();
        assert_eq!(client.answer("GET").unwrap().status, 200);
    }
    let now = memory(siege.server.worker.pid);
    let sent = (total * whole.len()) as u64;
    assert!(now < before + sent / 4, "{before} bytes before, {now} behind {sent}");
    drop(client);
    siege.is_survived();
}

/// One that does not read is not read from, however much it asks.
pub(super) fn who_does_not_read_is_not_served_on(python: &Path) {
    let siege = Siege::lay(python, |_, http| http.times.body = 500);
    let mut deaf = narrow(&siege);
    let many = request("GET", "/blocks?count=4", "", b"").repeat(1000);
    // Either nothing more is taken, or the connection has ended: both end the call.
    let mut sent = 0;
    while sent < 100_000_000 && deaf.send(&many).is_ok() {
        sent += many.len();
    }
    assert!(sent < 100_000_000, "the server takes requests without end");
    siege.is_survived();
}

/// While it takes nothing of its answer, sending does not prolong its time.
pub(super) fn who_does_not_read_gets_no_time_by_sending(python: &Path) {
    let siege = Siege::lay(python, |spec, http| {
        spec.group.threads = 10;
        http.times = HttpTimes { head: 400, body: 400, idle: 400 };
    });
    // The system takes more or less of an answer; of some of these, all that it does not take is kept.
    let ask = |count: usize| {
        let mut deaf = narrow(&siege);
        deaf.send(request("GET", &format!("/blocks?count={count}"), "", b"")).unwrap();
        deaf
    };
    let mut deaf: Vec<_> = (10..90).step_by(6).map(ask).collect();
    until("all are ended", || {
        for one in &mut deaf {
            let _ = one.send(b"G");
        }
        siege.server.worker.open() == 0
    });
    siege.is_survived();
}

/// The application has yielded it, so it is sent, even if there was no room for a moment and the application yields nothing more.
pub(super) fn what_was_yielded_is_sent_when_there_is_room(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let go = siege.server.worker.folder.path().join("go");
    let mut slow = narrow(&siege);
    let path = format!("/blocks?count=400&path={}", go.display());
    slow.send(request("GET", &path, "", b"")).unwrap();
    let mut framing = slow.head("GET").unwrap().framing;
    assert_eq!(framing, Framing::Chunked);
    let mut got = 0;
    while got < 400 * 65536 {
        got += slow.piece(&mut framing).unwrap().unwrap().len();
    }
    assert_eq!(siege.running(), 1);
    std::fs::write(go, "").unwrap();
    assert_eq!(slow.piece(&mut framing).unwrap().unwrap(), b"end");
    drop(slow);
    siege.is_survived();
}

/// The end of the connection is the end of such an answer, and comes when all was taken.
pub(super) fn the_end_comes_right_behind_a_long_answer(python: &Path) {
    let siege = Siege::lay(python, |_, http| http.times = HttpTimes { head: 0, body: 0, idle: 0 });
    let path = "/blocks?count=100";
    for head in [
        format!("GET {path} HTTP/1.0"),
        format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close"),
    ] {
        let mut slow = narrow(&siege);
        slow.send(format!("{head}\r\n\r\n")).unwrap();
        let answer = slow.answer("GET").unwrap();
        assert_eq!(answer.body.len(), 100 * 65536 + 3);
        assert_eq!(slow.rest(), b"");
    }
    siege.is_survived();
}

/// What clients send before they end their sending side, and how long the bodies are that they get: of what was not whole, none.
pub(super) fn half_closed() -> Vec<(Vec<u8>, &'static str, Vec<usize>)> {
    let upload = "Content-Length: 300000\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    vec![
        (hello(), "GET", vec![13]),
        (hello().repeat(3), "GET", vec![13, 13, 13]),
        (request("GET", "/big", "", b""), "GET", vec![3_050_010]),
        (request("GET", "/generator", "", b""), "GET", vec![6]),
        (request("POST", "/echo", "Content-Length: 3\r\n", b"abc"), "POST", vec![3]),
        (request("POST", "/echo", upload, &[b'x'; 300_000]), "POST", vec![300_000]),
        ([hello(), b"GET /hel".to_vec()].concat(), "GET", vec![13]),
        (b"GET /hello HTTP/1.1\r\nHost: h\r\n".to_vec(), "GET", vec![]),
        (request("POST", "/echo", "Content-Length: 3\r\n", b"ab"), "POST", vec![]),
        (request("POST", "/echo", upload, &[b'x'; 200_000]), "POST", vec![]),
        (request("POST", "/echo", chunked, b"2\r\nab\r\n"), "POST", vec![]),
        (Vec::new(), "GET", vec![]),
    ]
}

/// Sends that, has `end` end the sending side, and looks at what comes.
pub(super) fn attempt_half_closed(
    mut client: Connection,
    (bytes, method, bodies): &(Vec<u8>, &str, Vec<usize>),
    end: impl Fn(&mut Connection),
) {
    client.send(bytes).unwrap();
    end(&mut client);
    let shown = bytes[..bytes.len().min(100)].escape_ascii();
    for length in bodies {
        assert_eq!(client.answer(method).unwrap().body.len(), *length, "{shown}");
    }
    assert_eq!(client.rest(), b"", "{shown}");
}

/// A client that ends its sending side gets what it has asked for, and then the end.
pub(super) fn half_closed_clients_get_their_answers(python: &Path) {
    let siege = Siege::lay(python, |_, http| http.times = HttpTimes { head: 0, body: 0, idle: 0 });
    for case in half_closed() {
        attempt_half_closed(narrow(&siege), &case, |client| client.half_close().unwrap());
    }
    siege.is_survived();
}

/// An answer that has begun is not interrupted by `100 Continue`, which would be taken for a part of it.
pub(super) fn nothing_continues_in_the_middle_of_an_answer(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let mut client = siege.server.connect();
    let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    client.send(request("POST", "/write_and_read", fields, b"")).unwrap();
    let mut framing = client.head("POST").unwrap().framing;
    assert_eq!(client.piece(&mut framing).unwrap().unwrap(), b"begun ");
    client.send(b"12345").unwrap();
    assert_eq!(client.piece(&mut framing).unwrap().unwrap(), b"12345");
    assert_eq!(client.piece(&mut framing).unwrap(), None);
    drop(client);
    siege.is_survived();
}

/// A file behind what was written before is a chunk too, or whoever wrote the file wrote the rest of the answer.
pub(super) fn a_file_behind_other_output_is_framed(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let file = std::fs::read(siege.server.worker.folder.path().join("app.wsgi")).unwrap();
    let mut client = siege.server.connect();
    for _ in 0..2 {
        client.send(request("GET", "/write_and_file", "", b"")).unwrap();
        let answer = client.answer("GET").unwrap();
        assert_eq!(answer.body, [b"begun\n", &file[..]].concat());
    }
    drop(client);
    siege.is_survived();
}

/// A thread that reads a body beyond its request's end gets nothing of the next one, and keeps nobody from being served.
pub(super) fn late_readers_get_nothing(python: &Path) {
    let siege = Siege::lay(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { head: 0, body: 0, idle: 0 };
    });
    let (mut client, go) = (siege.server.connect(), siege.server.worker.folder.path().join("go"));
    let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    let path = format!("/late_read?path={}", go.display());
    client.send(request("POST", &path, fields, b"")).unwrap();
    assert_eq!(client.interim().unwrap(), 100);
    std::fs::write(go, "").unwrap();
    assert_eq!(client.answer("POST").unwrap().body, b"waited");
    // The only thread goes on, whatever the application's thread waits for.
    assert_eq!(siege.server.text("/hello"), "Hello, world!");
    client.send(b"12345").unwrap();
    for _ in 0..10 {
        client.send(request("POST", "/echo", "Content-Length: 3\r\n", b"abc")).unwrap();
        assert_eq!(client.answer("POST").unwrap().body, b"abc");
    }
    drop(client);
    siege.is_survived();
}

/// A client whose request has come in time is not blamed for threads that were busy.
pub(super) fn who_waits_for_a_thread_is_not_too_slow(python: &Path) {
    let siege = Siege::lay(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { head: 300, body: 300, idle: 300 };
    });
    let (mut busy, mut known, mut fresh) =
        (siege.server.connect(), siege.server.connect(), siege.server.connect());
    known.send(hello()).unwrap();
    assert_eq!(known.answer("GET").unwrap().status, 200);
    let mut silent = siege.server.connect();
    until("all are accepted", || siege.server.worker.open() == 4);
    let go = occupy(&siege, &mut busy, "go");
    known.send(hello()).unwrap();
    fresh.send(hello()).unwrap();
    // Its time is over later than that of the others would be.
    assert_eq!(silent.rest(), b"");
    free(&go, &mut busy);
    assert_eq!(known.answer("GET").unwrap().body, b"Hello, world!");
    assert_eq!(fresh.answer("GET").unwrap().body, b"Hello, world!");
    siege.is_survived();
}

/// A body that nobody wants is not received for ever, and nobody waits for its end.
pub(super) fn endless_bodies_end(python: &Path) {
    let siege = Siege::lay(python, |spec, _| spec.group.threads = 1);
    let endless = [&b"10000\r\n"[..], &[b'x'; 65536], b"\r\n"].concat();
    let sent = |head: Vec<u8>, piece: &[u8]| {
        let mut client = siege.server.connect();
        client.send(head).unwrap();
        let (mut sent, mut served) = (0_u64, 0);
        while client.send(piece).is_ok() {
            sent += piece.len() as u64;
            assert!(sent < 1 << 34, "it is received for ever");
            if sent % (1 << 26) < piece.len() as u64 {
                assert_eq!(siege.server.text("/hello"), "Hello, world!");
                served += 1;
            }
        }
        served
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    sent(request("POST", "/hello", chunked, b""), &endless);
    sent(request("POST", "/hello", "Content-Length: 99999999999\r\n", b""), &endless);
    sent(b"no request\r\n\r\n".to_vec(), &endless);
    siege.is_survived();
}
