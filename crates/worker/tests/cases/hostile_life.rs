//! Attacks by time and by ends: clients that are slow, reset their connections, or ask for what does not end; and what applications
//! do with connections that are none of their business.

use std::path::Path;

use pinion_testbed::raw::Connection;
use pinion_wire::message::StartSpec;
use pinion_wire::message::http::{HttpSpec, HttpTimes};

use super::hostile::{Siege, until};
use super::http::request;
use crate::suite::has_ended;

/// Little time for everything.
pub(super) fn hasty(spec: &mut StartSpec, http: &mut HttpSpec) {
    spec.group.threads = 2;
    http.times = HttpTimes { head: 300, body: 300, idle: 300 };
}

/// Sends the same piece again and again, quicker than any single piece would be too late, until the server has had enough.
pub(super) fn drip(client: &mut Connection, piece: &[u8]) {
    until("it is ended", || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        client.send(piece).is_err()
    });
}

/// What slow clients begin with, and what they send now and then behind it.
pub(super) fn slow() -> Vec<(Vec<u8>, &'static [u8])> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let expecting = "Expect: 100-continue\r\nContent-Length: 500000\r\n";
    let much = |fields: &str| request("POST", "/count", fields, &[b'x'; 200_000]);
    let begun = [&b"30d40\r\n"[..], &[b'x'; 200_000], b"\r\n"].concat();
    let in_chunks = |rest: &[u8]| [&request("POST", "/count", chunked, &begun), rest].concat();
    vec![
        (b"GET /hello HTTP/1.1\r\nHost: h\r\nX: ".to_vec(), &b"x"[..]),
        (b"GET /hello HTTP/1.1\r\nHost: h\r\n".to_vec(), b"X: y\r\n"),
        (b"\r\n".to_vec(), b"\r\n"),
        (request("POST", "/echo", "Content-Length: 5000\r\n", b""), b"x"),
        (request("POST", "/echo", chunked, b""), b"1\r\nx\r\n"),
        (request("POST", "/echo", chunked, b"1;"), b"x"),
        (request("POST", "/echo", chunked, b"0\r\n"), b"X: y\r\n"),
        // The application has begun to read what comes so slowly.
        (request("POST", "/count", expecting, b""), b"x"),
        (much("Content-Length: 500000\r\n"), b"x"),
        (in_chunks(b""), b"1\r\nx\r\n"),
        (in_chunks(b"1;"), b"x"),
        (in_chunks(b"0\r\n"), b"X: y\r\n"),
    ]
}

/// One byte now and then does not keep a connection, wherever it is put.
pub(super) fn slow_senders_are_ended(python: &Path) {
    let siege = Siege::lay(python, hasty);
    std::thread::scope(|scope| {
        for (bytes, piece) in slow() {
            let siege = &siege;
            scope.spawn(move || {
                let mut client = siege.server.connect();
                client.send(bytes).unwrap();
                drip(&mut client, piece);
            });
        }
    });
    siege.is_survived();
}

/// Resets connections at each stage of a request, and within the answer and behind it.
pub(super) fn reset_at_each_stage(connect: impl Fn() -> Connection) {
    let ask = |bytes: &[u8]| {
        let mut client = connect();
        client.send(bytes).unwrap();
        client
    };
    let get = |path: &str| request("GET", path, "", b"");
    // Before a request, within its head, within its body, with more behind it.
    connect().reset().unwrap();
    ask(b"GET /hello HT").reset().unwrap();
    ask(&request("POST", "/echo", "Content-Length: 5\r\n", b"123")).reset().unwrap();
    ask(&request("POST", "/echo", "Transfer-Encoding: chunked\r\n", b"5\r\n123")).reset().unwrap();
    ask(&get("/hello").repeat(20)).reset().unwrap();
    // While a long answer is sent, of one block, of many, of a file.
    for path in ["/big", "/blocks?count=100", "/file", "/generator"] {
        let mut client = ask(&get(path));
        client.head("GET").unwrap();
        client.reset().unwrap();
    }
    // Behind the answer.
    let mut client = ask(&get("/hello"));
    client.answer("GET").unwrap();
    client.reset().unwrap();
}

/// Connections that are reset, at each stage of a request.
pub(super) fn resets_leave_nothing_behind(python: &Path) {
    let siege = Siege::lay(python, |spec, _| spec.group.threads = 3);
    let go = siege.server.worker.folder.path().join("go");
    let ask = |bytes: &[u8]| {
        let mut client = siege.server.connect();
        client.send(bytes).unwrap();
        client
    };
    let get = |path: &str| request("GET", path, "", b"");
    for _ in 0..20 {
        reset_at_each_stage(|| siege.server.connect());
    }
    // While the application runs: it is not disturbed, and nobody else gets its answer.
    let waiting = ask(&get(&format!("/wait?path={}", go.display())));
    until("it runs", || siege.running() > 0);
    waiting.reset().unwrap();
    let endless = ask(&get("/endless"));
    siege.server.worker.log("waiting");
    endless.reset().unwrap();
    siege.server.worker.log("closed");
    std::fs::write(go, "").unwrap();
    until("both are over", || siege.running() == 0);
    siege.is_survived();
}

/// A client whose request runs for too long is told so at that time; what the application does later is lost.
pub(super) fn stuck_requests_are_answered(python: &Path) {
    let siege = Siege::lay(python, |spec, _| {
        spec.group.timeouts.request = 400;
        spec.group.timeouts.interrupt = 200;
    });
    let path = |name: &str| siege.server.worker.folder.path().join(name);
    let mut stuck = siege.server.connect();
    stuck.send(request("GET", &format!("/wait?path={}", path("go").display()), "", b"")).unwrap();
    let mut begun = siege.server.connect();
    let blocks = format!("/blocks?count=1&path={}", path("on").display());
    begun.send(request("GET", &blocks, "", b"")).unwrap();
    let answer = stuck.answer("GET").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (504, &b"504 Gateway Timeout\n"[..]));
    assert!(answer.headers.iter().any(|(name, value)| name == "Connection" && value == b"close"));
    assert_eq!(stuck.rest(), b"");
    assert_eq!(siege.running(), 2);
    // One whose answer has begun gets the rest of it.
    std::fs::write(path("on"), "").unwrap();
    let answer = begun.answer("GET").unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 65_539));
    std::fs::write(path("go"), "").unwrap();
    until("it has returned", || siege.running() == 0);
    drop(begun);
    siege.is_survived();
}

/// What the application keeps of its requests keeps no sockets.
pub(super) fn kept_requests_keep_no_connections(python: &Path) {
    let siege = Siege::lay(python, |_, _| {});
    let descriptors = || {
        let all = std::fs::read_dir(format!("/proc/{}/fd", siege.server.worker.pid)).unwrap();
        all.count()
    };
    let before = descriptors();
    for fields in ["", "Connection: close\r\n"] {
        for _ in 0..100 {
            let (status, body) = siege.server.ask("GET", "/keep_all", fields, b"");
            assert_eq!((status, &body[..]), (200, &b"kept"[..]));
        }
    }
    assert_eq!(siege.server.text("/kept"), "200");
    siege.is_survived();
    assert!(descriptors() <= before + 5, "{before} before, {} behind", descriptors());
}

/// A child of the application holds neither clients nor the port.
pub(super) fn children_hold_no_sockets(python: &Path) {
    let mut siege = Siege::lay(python, |_, _| {});
    let go = siege.server.worker.folder.path().join("go");
    let mut idle = siege.server.connect();
    idle.send(request("GET", "/hello", "", b"")).unwrap();
    assert_eq!(idle.answer("GET").unwrap().status, 200);
    let child: u32 =
        siege.server.text(&format!("/fork_and_hold?path={}", go.display())).parse().unwrap();
    let sockets = || {
        let all = std::fs::read_dir(format!("/proc/{child}/fd")).unwrap();
        let links = all.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    };
    // Not one of the listening socket, the two clients, and what the manager has given.
    until("it has let go", || sockets() == 0);
    siege.server.worker.signal(pinion_unix::signals::Signal::SIGKILL);
    siege.server.worker.wait();
    assert_eq!(idle.rest(), b"");
    Connection::open(siege.server.port).expect_err("nobody listens");
    std::fs::write(go, "").unwrap();
    until("the child is gone", || has_ended(child));
}
