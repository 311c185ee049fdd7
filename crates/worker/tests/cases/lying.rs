//! Bodies that are left in their sockets until enough of them has come.

use std::path::Path;
use std::time::{Duration, Instant};

use pinion_testbed::raw::Connection;
use pinion_wire::message::http::HttpTimes;

use super::http::{Server, request};

const SIZE: usize = 1_000_000;

fn alone(python: &Path, body: u64) -> Server {
    Server::start(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { body, ..HttpTimes::default() };
    })
}

/// Sends the beginning of a body of `SIZE` bytes.
fn begin(server: &Server, path: &str, begun: usize) -> Connection {
    let mut client = server.connect();
    let fields = format!("Content-Length: {SIZE}\r\n");
    client.send(request("POST", path, &fields, &vec![b'x'; begun])).unwrap();
    client
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|number| (number % 127) as u8).collect()
}

/// Whatever lies where, the application gets it, and the next request is found behind it.
pub(super) fn whole(python: &Path) {
    for threads in [1, 3] {
        let server = Server::start(python, |spec, _| spec.group.threads = threads);
        let mut client = server.connect();
        for size in [16_000, 65_536, 82_000, 131_072, 300_000, 1 << 20, (1 << 20) + 1, 5_000_000] {
            let body = pattern(size);
            let sent = request("POST", "/echo", &format!("Content-Length: {size}\r\n"), &body);
            for cut in [sent.len(), sent.len() - 1, size / 2, 100] {
                client.send(&sent[..cut]).unwrap();
                std::thread::sleep(Duration::from_millis(if cut < sent.len() { 20 } else { 0 }));
                client.send(&sent[cut..]).unwrap();
                // Behind one there is another at once.
                client.send(request("GET", "/hello", "", b"")).unwrap();
                assert!(client.answer("POST").unwrap().body == body, "{size} bytes, cut at {cut}");
                assert_eq!(client.answer("GET").unwrap().body, b"Hello, world!");
            }
        }
    }
}

/// Who has sent most of one keeps no thread from others, and has time while more comes.
pub(super) fn slow(python: &Path) {
    let server = alone(python, 600);
    let mut steady = begin(&server, "/count", 700_000);
    let mut silent = begin(&server, "/count", 700_000);
    let start = Instant::now();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(server.text("/hello"), "Hello, world!");
        steady.send(vec![b'x'; 60_000]).unwrap();
    }
    assert_eq!(steady.answer("POST").unwrap().body, SIZE.to_string().into_bytes());
    assert!(start.elapsed() > Duration::from_millis(1_200));
    assert_eq!(silent.answer("POST").unwrap().status, 408);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Who sends just enough to stay alive is ended.
pub(super) fn dripping(python: &Path) {
    let server = Server::start(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { body: 500, ..HttpTimes::default() };
        http.limits.rate = 1_000_000;
    });
    let mut client = begin(&server, "/count", 200_000);
    for _ in 0..40 {
        assert_eq!(server.text("/hello"), "Hello, world!");
        client.send(b"x").unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    // What comes behind the answer is thrown away until the client has seen it.
    assert_eq!(client.answer("POST").unwrap().status, 408);
}

/// Nobody reads one that is here: the connection goes on behind it.
pub(super) fn unread(python: &Path) {
    let server = alone(python, 5_000);
    let mut client = begin(&server, "/hello", SIZE);
    for _ in 0..2 {
        let answer = client.answer("POST").unwrap();
        assert_eq!((&answer.body[..], answer.header("Connection")), (&b"Hello, world!"[..], None));
        client
            .send(request("POST", "/hello", "Content-Length: 100000\r\n", &[b'x'; 100_000]))
            .unwrap();
    }
    assert_eq!(client.answer("POST").unwrap().status, 200);
}

/// What ends within one is seen at once, and leaves nothing behind.
pub(super) fn ended(python: &Path) {
    let server = alone(python, 30_000);
    let half = begin(&server, "/count", 500_000);
    half.half_close().unwrap();
    begin(&server, "/count", 500_000).reset().unwrap();
    drop(begin(&server, "/count", 500_000));
    let start = Instant::now();
    while server.worker.open() > 0 {
        assert!(start.elapsed() < Duration::from_secs(5), "{} are open", server.worker.open());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.ask("POST", "/count", "Content-Length: 3\r\n", b"abc").1, b"3");
}

/// More than may be awaited of all together is received as it comes.
pub(super) fn many(python: &Path) {
    let server = Server::start(python, |spec, _| spec.group.threads = 4);
    let mut clients: Vec<_> = (0..100).map(|_| begin(&server, "/count", 100)).collect();
    assert_eq!(server.text("/hello"), "Hello, world!");
    for client in clients.iter_mut().rev() {
        client.send(vec![b'x'; SIZE - 100]).unwrap();
        assert_eq!(client.answer("POST").unwrap().body, SIZE.to_string().into_bytes());
    }
}
