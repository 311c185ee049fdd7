//! The worker's own front door: requests over real sockets.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use pinion_testbed::http::Answer;
use pinion_testbed::raw::Connection;
use pinion_wire::message::http::{HttpLimits, HttpSpec, HttpTimes, ListenerSpec, ProxySpec};
use pinion_wire::message::{Bit, Rein, StartSpec, StopReason};

use crate::suite::Worker;

/// A worker with a front door on a port of its own.
pub(super) struct Server {
    pub(super) worker: Worker,
    pub(super) port: u16,
}

/// A front door as `pinion serve` asks for it when nothing is said.
pub(super) fn front(port: u16) -> HttpSpec {
    HttpSpec {
        generation: 1,
        listeners: vec![ListenerSpec { name: "127.0.0.1".to_owned(), port, tls: false }],
        access_log: None,
        mount: String::new(),
        statics: Vec::new(),
        health: None,
        proxies: ProxySpec::default(),
        limits: HttpLimits::default(),
        times: HttpTimes::default(),
        tls: None,
        watch: None,
    }
}

impl Server {
    pub(super) fn start(python: &Path, change: impl FnOnce(&mut StartSpec, &mut HttpSpec)) -> Self {
        Self::start_with(python, None, change)
    }

    /// As [`Server::start`], with a descriptor for the access log.
    pub(super) fn start_with(
        python: &Path,
        log: Option<OwnedFd>,
        change: impl FnOnce(&mut StartSpec, &mut HttpSpec),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let descriptors: Vec<_> = [OwnedFd::from(listener)].into_iter().chain(log).collect();
        let worker = Worker::ready_with(python, &descriptors, |_, spec| {
            let mut http = front(port);
            change(spec, &mut http);
            spec.group.http = Some(Box::new(http));
        });
        Self { worker, port }
    }

    pub(super) fn plain(python: &Path) -> Self {
        Self::start(python, |_, _| {})
    }

    pub(super) fn connect(&self) -> Connection {
        Connection::open(self.port).unwrap()
    }

    /// One request on a connection of its own: status and body.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        let mut connection = self.connect();
        connection.send(request(method, path, fields, body)).unwrap();
        let answer = connection.answer(method).unwrap();
        (answer.status, answer.body)
    }

    pub(super) fn text(&self, path: &str) -> String {
        String::from_utf8(self.ask("GET", path, "", b"").1).unwrap()
    }
}

pub(super) fn request(method: &str, path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: h.example\r\n{fields}\r\n");
    [head.as_bytes(), body].concat()
}

pub(super) fn hello(python: &Path) {
    let server = Server::plain(python);
    let mut connection = server.connect();
    for _ in 0..3 {
        connection.send(request("GET", "/hello", "", b"")).unwrap();
        let answer = connection.answer("GET").unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"Hello, world!"[..]));
        let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Content-Type", "Content-Length", "Server", "Date"]);
    }
    connection.send(request("HEAD", "/hello", "", b"")).unwrap();
    let answer = connection.answer("HEAD").unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let length = answer.headers.iter().find(|(name, _)| name == "Content-Length");
    assert_eq!(length.unwrap().1, b"13");
    connection.send(request("GET", "/hello", "Connection: close\r\n", b"")).unwrap();
    assert_eq!(connection.answer("GET").unwrap().body, b"Hello, world!");
    assert_eq!(connection.rest(), b"");
}

pub(super) fn environ(python: &Path) {
    let server = Server::start(python, |_, http| http.mount = "/app".to_owned());
    let mut connection = server.connect();
    connection.send(request("GET", "/app/environ?a=b", "X-One: \u{e9}\r\n", b"")).unwrap();
    let text = String::from_utf8(connection.answer("GET").unwrap().body).unwrap();
    for line in [
        "SCRIPT_NAME='/app'",
        "PATH_INFO='/environ'",
        "QUERY_STRING='a=b'",
        "REQUEST_METHOD='GET'",
        "REMOTE_ADDR='127.0.0.1'",
        "SERVER_PROTOCOL='HTTP/1.1'",
        "HTTP_HOST='h.example'",
        "wsgi.url_scheme='http'",
        "wsgi.multithread=True",
        "wsgi.input_terminated=True",
        &format!("SERVER_PORT='{}'", server.port),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert_eq!(server.ask("GET", "/other", "", b"").0, 404);
}

/// One thread, so that each environ may be made of the one before.
pub(super) fn environs_in_a_row(python: &Path) {
    let server = Server::start(python, |spec, _| spec.group.threads = 1);
    let mut connection = server.connect();
    let many: Vec<_> = (0..20).map(|number| format!("X-{number}")).collect();
    let with = |value: &str| many.iter().map(|name| (name.clone(), value.to_owned())).collect();
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let long = "x".repeat(12_000);
    let kinds: Vec<Vec<(String, String)>> = vec![
        vec![],
        one("X-One", "1"),
        one("X-One", "2"),
        one("X-One", ""),
        one("X-Two", "1"),
        [one("X-One", "1"), one("X-Two", "2")].concat(),
        [one("X-Two", "2"), one("X-One", "1")].concat(),
        [one("X-One", "1"), one("x-one", "2")].concat(),
        with("1"),
        with("2"),
        one("X-Long", &long),
        one("X-Long", &long[1..]),
        one("X-One", "3"),
        one("Cookie", "a=1"),
        one("Cookie", "a=2"),
        one("Accept", "a"),
        one("Referer", "r"),
        one("Range", "r"),
    ];
    let mut order = 1_u64;
    for round in 0..400 {
        // A fixed sequence without a pattern (the constants of Knuth's MMIX).
        order =
            order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let fields = &kinds[(order >> 33) as usize % kinds.len()];
        let head: String =
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let path = format!("/environ?{round}");
        connection.send(request("GET", &path, &head, b"")).unwrap();
        let text = String::from_utf8(connection.answer("GET").unwrap().body).unwrap();
        let mut wanted = BTreeMap::from([("HTTP_HOST".to_owned(), "h.example".to_owned())]);
        for (name, value) in fields {
            let name = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
            wanted
                .entry(name)
                .and_modify(|all| *all = format!("{all}, {value}"))
                .or_insert(value.clone());
        }
        let entries = text.lines().filter_map(|line| line.split_once('='));
        let entries =
            entries.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
        let (given, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
            entries.partition(|(name, _)| name.starts_with("HTTP_"));
        assert_eq!(given, wanted, "{round}");
        assert_eq!(rest["QUERY_STRING"], round.to_string());
        assert!(rest["mod_wsgi.application_start"].starts_with('1'), "{round}: {text}");
    }
}

pub(super) fn bodies(python: &Path) {
    let server = Server::plain(python);
    for size in [0, 1, 1000, 70_000, 300_000, 5_000_000] {
        let body: Vec<u8> = (0..size).map(|number: u32| number as u8).collect();
        let length = format!("Content-Length: {size}\r\n");
        let (status, counted) = server.ask("POST", "/count", &length, &body);
        assert_eq!((status, counted), (200, size.to_string().into_bytes()));
        let mut chunked = Vec::new();
        for part in body.chunks(40_000) {
            chunked.extend_from_slice(format!("{:x};x=y\r\n", part.len()).as_bytes());
            chunked.extend_from_slice(part);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\nX: y\r\n\r\n");
        let (status, counted) =
            server.ask("POST", "/count", "Transfer-Encoding: chunked\r\n", &chunked);
        assert_eq!((status, counted), (200, size.to_string().into_bytes()));
    }
    let (_, pieces) = server.ask(
        "POST",
        "/pieces",
        "Content-Length: 26\r\n",
        b"abcd\nefg\nhi\njk\nl\nmn\nrest\nx",
    );
    assert_eq!(
        String::from_utf8(pieces).unwrap(),
        "[b'abc', b'd\\n', b'ef', [b'g\\n', b'hi\\n'], [b'jk\\n', b'l\\n', b'mn\\n', b'rest\\n', b'x'], b'', b'', b'']"
    );
}

pub(super) fn unread_bodies(python: &Path) {
    let server = Server::plain(python);
    let mut connection = server.connect();
    // A short one is passed over, and the connection goes on.
    for size in [10, 100_000] {
        let fields = format!("Content-Length: {size}\r\n");
        connection.send(request("POST", "/hello", &fields, &vec![b'x'; size])).unwrap();
        let answer = connection.answer("POST").unwrap();
        assert_eq!((&answer.body[..], answer.header("Connection")), (&b"Hello, world!"[..], None));
    }
    // A long one ends the connection, as the client is told with the answer, which it still sees.
    let fields = "Content-Length: 50000000\r\n";
    connection.send(request("POST", "/hello", fields, &[b'x'; 200_000])).unwrap();
    let answer = connection.answer("POST").unwrap();
    assert_eq!((&answer.body[..], closes(&answer)), (&b"Hello, world!"[..], true));
    assert_eq!(connection.rest(), b"");
}

pub(super) fn continuation(python: &Path) {
    let server = Server::plain(python);
    let mut connection = server.connect();
    let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    connection.send(request("POST", "/echo", fields, b"")).unwrap();
    assert_eq!(connection.interim().unwrap(), 100);
    connection.send(b"12345").unwrap();
    assert_eq!(connection.answer("POST").unwrap().body, b"12345");
    // An application that does not read is not waited for.
    connection.send(request("POST", "/hello", fields, b"")).unwrap();
    let answer = connection.answer("POST").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"Hello, world!"[..]));
    assert!(closes(&answer));
    assert_eq!(connection.rest(), b"");
}

/// Whether an answer says that it is the last of its connection.
fn closes(answer: &Answer) -> bool {
    answer.header("Connection").as_deref() == Some("close")
}

pub(super) fn answers(python: &Path) {
    let server = Server::plain(python);
    assert_eq!(server.text("/generator"), "onetwo");
    assert_eq!(server.text("/too_long"), "12345");
    assert_eq!(server.ask("GET", "/no_content", "", b""), (204, Vec::new()));
    assert_eq!(server.text("/replaced"), "replaced");
    assert_eq!(server.ask("GET", "/big", "", b"").1.len(), 3_050_010);
    assert_eq!(server.text("/no_file"), "in memory");
    let source = std::fs::read(server.worker.folder.path().join("app.wsgi")).unwrap();
    assert_eq!(server.ask("GET", "/file", "", b"").1, source[10..]);
    assert_eq!(server.ask("GET", "/file_part", "", b"").1, source[..7]);
    let behind = server.ask("GET", "/written_and_file", "", b"").1;
    assert_eq!(behind, [b"before", &source[..]].concat());
    assert_eq!(server.ask("GET", "/raises", "", b"").0, 500);
    server.worker.log("ValueError: oops");
    let mut old = server.connect();
    old.send("GET /generator HTTP/1.0\r\n\r\n").unwrap();
    let answer = old.answer("GET").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"onetwo"[..]));
}

pub(super) fn truncated_answers(python: &Path) {
    let server = Server::plain(python);
    for path in ["/too_short", "/raises_between", "/reraised"] {
        let mut connection = server.connect();
        connection.send(request("GET", path, "", b"")).unwrap();
        connection.answer("GET").expect_err(path);
    }
}

pub(super) fn pipelining(python: &Path) {
    let server = Server::plain(python);
    let mut connection = server.connect();
    let many = [
        request("GET", "/hello", "", b""),
        request("POST", "/echo", "Content-Length: 3\r\n", b"abc"),
        request("POST", "/echo", "Transfer-Encoding: chunked\r\n", b"2\r\nde\r\n0\r\n\r\n"),
        request("GET", "/generator", "", b""),
        request("GET", "/hello", "", b""),
    ];
    for cut in [0, 1, 20, 70, 90, 150] {
        let all = many.concat();
        connection.send(&all[..cut]).unwrap();
        connection.send(&all[cut..]).unwrap();
        for (method, body) in [
            ("GET", &b"Hello, world!"[..]),
            ("POST", b"abc"),
            ("POST", b"de"),
            ("GET", b"onetwo"),
            ("GET", b"Hello, world!"),
        ] {
            assert_eq!(connection.answer(method).unwrap().body, body, "{cut}");
        }
    }
    // More than is received at once, and nothing behind it that would tell of the rest.
    let upload = request("POST", "/count", "Content-Length: 150000\r\n", &[b'x'; 150_000]);
    let many = request("GET", "/hello", "", b"").repeat(3000);
    connection.send([upload, many].concat()).unwrap();
    assert_eq!(connection.answer("POST").unwrap().body, b"150000");
    for _ in 0..3000 {
        assert_eq!(connection.answer("GET").unwrap().body, b"Hello, world!");
    }
}

pub(super) fn refusals(python: &Path) {
    let server = Server::start(python, |_, http| http.limits.body = 1000);
    for (bytes, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], 400),
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
        (b"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    ] {
        let mut connection = server.connect();
        connection.send(bytes).unwrap();
        let answer = connection.answer("GET").unwrap();
        assert_eq!(answer.status, status, "{}", bytes.escape_ascii());
        assert_eq!(connection.rest(), b"");
    }
}

pub(super) fn slow_clients(python: &Path) {
    let server = Server::start(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { head: 300, body: 300, idle: 300 };
    });
    let mut slow_head = server.connect();
    slow_head.send("GET /hello HT").unwrap();
    let mut slow_body = server.connect();
    slow_body.send(request("POST", "/echo", "Content-Length: 10\r\n", b"123")).unwrap();
    let mut silent = server.connect();
    // They keep nobody from being served.
    assert_eq!(server.text("/hello"), "Hello, world!");
    assert_eq!(slow_head.answer("GET").unwrap().status, 408);
    assert_eq!(slow_body.answer("POST").unwrap().status, 408);
    assert_eq!(silent.rest(), b"");
    let mut idle = server.connect();
    idle.send(request("GET", "/hello", "", b"")).unwrap();
    assert_eq!(idle.answer("GET").unwrap().status, 200);
    assert_eq!(idle.rest(), b"");
    // One that takes nothing of a long answer ends too.
    let mut deaf = server.connect();
    deaf.send(request("GET", "/endless", "", b"")).unwrap();
    server.worker.log("closed");
    assert_eq!(server.text("/hello"), "Hello, world!");
    drop(deaf);
}

pub(super) fn one_thread(python: &Path) {
    let server = Server::start(python, |spec, _| spec.group.threads = 1);
    let mut connections: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for _ in 0..5 {
        for connection in &mut connections {
            connection.send(request("GET", "/hello", "", b"")).unwrap();
        }
        for connection in &mut connections {
            assert_eq!(connection.answer("GET").unwrap().body, b"Hello, world!");
        }
    }
}

pub(super) fn drain(python: &Path) {
    let mut server = Server::start(python, |_, http| http.limits.connections = 2);
    let go = server.worker.folder.path().join("go");
    let mut idle = server.connect();
    idle.send(request("GET", "/hello", "", b"")).unwrap();
    assert_eq!(idle.answer("GET").unwrap().status, 200);
    let mut busy = server.connect();
    busy.send(request("GET", &format!("/wait?path={}", go.display()), "", b"")).unwrap();
    // That there is no room may be said before that: whoever looks for the next connection need not wait for one.
    let mut said = String::new();
    let mut until = |part: &str, worker: &Worker| {
        while !said.contains(part) {
            said.push_str(&worker.log(""));
        }
    };
    until("waiting", &server.worker);
    // There is no room for this one, but as far as its client knows it is connected.
    let mut waiting = server.connect();
    waiting.send(request("POST", "/echo", "Content-Length: 5\r\n", b"hello")).unwrap();
    until("2 connections are open", &server.worker);

    server.worker.tell(&Rein::Drain, None);
    let answer = waiting.answer("POST").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hello"[..]));
    assert_eq!(waiting.rest(), b"");
    // Soon nobody listens any more, and all but one have gone.
    while Connection::open(server.port).is_ok() || !matches!(server.worker.open(), 1) {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(idle.rest(), b"");
    std::fs::write(go, "").unwrap();
    let answer = busy.answer("GET").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"waited"[..]));
    // Begun before, answered after: the client is told not to ask again here.
    let told = answer.headers.iter().find(|(name, _)| name == "Connection");
    assert_eq!(told.map(|(_, value)| &value[..]), Some(&b"close"[..]));
    assert_eq!(busy.rest(), b"");
    server.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    server.worker.wait();
}

pub(super) fn watched_files(python: &Path) {
    let server = Server::start(python, |spec, http| {
        let script = String::from_utf8(spec.mounts[0].script.clone()).unwrap();
        let folder = Path::new(&script).parent().unwrap();
        std::fs::write(folder.join("settings.ini"), "a").unwrap();
        http.watch = Some(vec![folder.to_str().unwrap().to_owned()]);
    });
    assert_eq!(server.text("/hello"), "Hello, world!");
    let folder = server.worker.folder.path();
    let changed = |name: &str| {
        let bit = server.worker.bit_like(|bit| matches!(bit, Bit::Changed { .. }));
        let Bit::Changed { path, .. } = bit else { panic!("{bit:?}") };
        assert_eq!(Path::new(&path), folder.join(name));
    };
    let touch = |name: &str| {
        let file = std::fs::File::options().write(true).open(folder.join(name)).unwrap();
        let earlier = std::time::SystemTime::now() - Duration::from_secs(1000);
        file.set_modified(earlier).unwrap();
    };
    // The thread may not have looked yet: what it saw first is what it compares with.
    while !server.text("/threads").contains("pinion-reload watching") {}
    touch("app.wsgi");
    changed("app.wsgi");
    touch("settings.ini");
    changed("settings.ini");
    std::fs::write(folder.join("fresh.py"), "").unwrap();
    changed("fresh.py");
    std::fs::remove_file(folder.join("fresh.py")).unwrap();
    changed("fresh.py");
}
