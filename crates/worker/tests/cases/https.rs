//! The worker's own front door behind TLS: HTTP/1.1.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;

use pinion_testbed::raw::Connection;
use pinion_testbed::tls::{self, Identity, Settings};
use pinion_wire::message::http::{HttpSpec, HttpTimes, TlsSpec};
use pinion_wire::message::{Bit, Rein, StartSpec, StopReason};

use super::http::{self, request};
use crate::suite::Worker;

/// A worker whose front door speaks TLS.
pub(super) struct Server {
    pub(super) inner: http::Server,
    pub(super) identity: Identity,
    settings: Settings,
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
        let identity = Identity::new().unwrap();
        let inner = http::Server::start_with(python, log, |spec, http| {
            encrypt(http, &identity.certificate, &identity.key);
            change(spec, http);
        });
        let settings = identity.client(&["http/1.1"]).unwrap();
        Self { inner, identity, settings }
    }

    fn plain(python: &Path) -> Self {
        Self::start(python, |_, _| {})
    }

    pub(super) fn connect(&self) -> Connection {
        self.connect_with(&self.settings)
    }

    fn connect_with(&self, settings: &Settings) -> Connection {
        Connection::open_tls(self.inner.port, settings).unwrap()
    }

    /// One request on a connection of its own: status and body.
    fn ask(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut connection = self.connect();
        connection.send(request(method, path, fields, body)).unwrap();
        let answer = connection.answer(method).unwrap();
        (answer.status, answer.body)
    }
}

fn encrypt(http: &mut HttpSpec, certificate: &str, key: &str) {
    http.listeners[0].tls = true;
    let (certificates, key) = (certificate.as_bytes().to_vec(), key.as_bytes().to_vec());
    http.tls = Some(TlsSpec { certificates, key });
}

pub(super) fn hello(python: &Path) {
    let server = Server::plain(python);
    let all = [&rustls::version::TLS12, &rustls::version::TLS13];
    for (protocols, version, spoken) in [
        (&[][..], &all[..], None),
        (&["http/1.1"], &all[..1], Some("http/1.1")),
        (&["other", "http/1.1"], &all[1..], Some("http/1.1")),
    ] {
        let settings = server.identity.client_of(protocols, version).unwrap();
        for again in [false, true] {
            let mut connection = server.connect_with(&settings);
            let stream = connection.tls().unwrap();
            assert_eq!(
                (tls::protocol(stream).as_deref(), tls::is_resumed(stream)),
                (spoken, again)
            );
            for _ in 0..3 {
                connection.send(request("GET", "/hello", "", b"")).unwrap();
                let answer = connection.answer("GET").unwrap();
                assert_eq!((answer.status, &answer.body[..]), (200, &b"Hello, world!"[..]));
            }
            connection.send(request("HEAD", "/hello", "Connection: close\r\n", b"")).unwrap();
            assert_eq!(connection.answer("HEAD").unwrap().status, 200);
            // The end is told, so this is no error.
            assert_eq!(connection.whole_rest().unwrap(), b"");
        }
    }
    let environ = String::from_utf8(server.ask("GET", "/environ", "", b"").1).unwrap();
    let port = format!("SERVER_PORT='{}'", server.inner.port);
    for line in ["wsgi.url_scheme='https'", "HTTPS='on'", "SERVER_PROTOCOL='HTTP/1.1'", &port] {
        assert!(environ.lines().any(|found| found == line), "{line}: {environ}");
    }
    let other = server.identity.client(&["other"]).unwrap();
    Connection::open_tls(server.inner.port, &other).expect_err("nothing in common");
}

pub(super) fn bodies(python: &Path) {
    let server = Server::plain(python);
    let mut connection = server.connect();
    for size in [0, 1, 1000, 70_000, 300_000, 5_000_000] {
        let body: Vec<u8> = (0..size).map(|number: u32| number as u8).collect();
        let fields = format!("Content-Length: {size}\r\n");
        connection.send(request("POST", "/count", &fields, &body)).unwrap();
        assert_eq!(connection.answer("POST").unwrap().body, size.to_string().into_bytes());
        let chunked = [format!("{size:x}\r\n").as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
        let chunked = if size == 0 { b"0\r\n\r\n".to_vec() } else { chunked };
        connection
            .send(request("POST", "/count", "Transfer-Encoding: chunked\r\n", &chunked))
            .unwrap();
        assert_eq!(connection.answer("POST").unwrap().body, size.to_string().into_bytes());
    }
    connection.send(request("GET", "/big", "", b"")).unwrap();
    let big = connection.answer("GET").unwrap().body;
    assert!(big.len() == 3_050_010 && big[..3_000_000].iter().all(|byte| *byte == b'a'));
    let source = std::fs::read(server.inner.worker.folder.path().join("app.wsgi")).unwrap();
    for (path, expected) in [("/file", &source[10..]), ("/file_part", &source[..7])] {
        connection.send(request("GET", path, "", b"")).unwrap();
        assert_eq!(connection.answer("GET").unwrap().body, expected);
    }
    assert_eq!(server.ask("GET", "/generator", "", b"").1, b"onetwo");
    let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    connection.send(request("POST", "/echo", fields, b"")).unwrap();
    assert_eq!(connection.interim().unwrap(), 100);
    connection.send(b"12345").unwrap();
    assert_eq!(connection.answer("POST").unwrap().body, b"12345");
}

pub(super) fn pipelining(python: &Path) {
    let server = Server::plain(python);
    let mut connection = server.connect();
    let upload = vec![b'x'; 150_000];
    let many = [
        request("GET", "/hello", "", b""),
        request("POST", "/count", "Content-Length: 150000\r\n", &upload),
        request("POST", "/echo", "Transfer-Encoding: chunked\r\n", b"2\r\nde\r\n0\r\n\r\n"),
        request("GET", "/generator", "", b""),
    ];
    for cut in [0, 1, 20, 70, 90, 150_150] {
        let all = many.concat();
        connection.send(&all[..cut]).unwrap();
        connection.send(&all[cut..]).unwrap();
        for (method, body) in [
            ("GET", &b"Hello, world!"[..]),
            ("POST", b"150000"),
            ("POST", b"de"),
            ("GET", b"onetwo"),
        ] {
            assert_eq!(connection.answer(method).unwrap().body, body, "{cut}");
        }
    }
    // More than is received at once, and nothing behind it that would tell of the rest.
    let count = 3000;
    connection.send(request("GET", "/hello", "", b"").repeat(count)).unwrap();
    connection.end().unwrap();
    for _ in 0..count {
        assert_eq!(connection.answer("GET").unwrap().body, b"Hello, world!");
    }
    assert_eq!(connection.whole_rest().unwrap(), b"");
}

pub(super) fn truncated_answers(python: &Path) {
    let server = Server::plain(python);
    for path in ["/too_short", "/raises_between", "/reraised"] {
        for version in ["1.0", "1.1"] {
            let mut connection = server.connect();
            connection.send(format!("GET {path} HTTP/{version}\r\nHost: h\r\n\r\n")).unwrap();
            // Even where the end of the connection is that of the answer, which without TLS would seem whole.
            connection.answer("GET").expect_err(path);
        }
    }
    let mut connection = server.connect();
    connection.send("GET /generator HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(connection.answer("GET").unwrap().body, b"onetwo");
}

pub(super) fn slow_readers(python: &Path) {
    let server = Server::start(python, |spec, _| spec.group.threads = 2);
    let mut slow: Vec<_> = (0..2).map(|_| server.connect()).collect();
    // More than the sockets take, and less than is kept for a client.
    for connection in &mut slow {
        connection.send(request("GET", "/megabyte", "", b"")).unwrap();
    }
    for _ in 0..5 {
        assert_eq!(server.ask("GET", "/hello", "", b"").1, b"Hello, world!");
    }
    for mut connection in slow {
        assert_eq!(connection.answer("GET").unwrap().body.len(), 1_000_000);
        connection.send(request("GET", "/hello", "", b"")).unwrap();
        assert_eq!(connection.answer("GET").unwrap().body, b"Hello, world!");
    }
    drop(server);
    let server = Server::start(python, |spec, http| {
        spec.group.threads = 1;
        http.times.body = 300;
    });
    let mut deaf = server.connect();
    deaf.send(request("GET", "/endless", "", b"")).unwrap();
    server.inner.worker.log("closed");
    assert_eq!(server.ask("GET", "/hello", "", b"").1, b"Hello, world!");
    deaf.whole_rest().expect_err("it was cut off");
}

pub(super) fn no_tls(python: &Path) {
    let server = Server::plain(python);
    let mut plain = Connection::open(server.inner.port).unwrap();
    plain.send(request("GET", "/hello", "", b"")).unwrap();
    let answer = plain.answer("GET").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("HTTPS"), "{}", answer.text());
    assert_eq!(plain.rest(), b"");
    server.inner.worker.log("the client speaks HTTP without TLS");
    let mut garbled = Connection::open(server.inner.port).unwrap();
    garbled.send([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 9]).unwrap();
    assert_eq!(garbled.rest().first(), Some(&0x15), "an alert");
    assert_eq!(server.ask("GET", "/hello", "", b"").0, 200);
}

pub(super) fn stalled(python: &Path) {
    let server = Server::start(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { head: 300, body: 300, idle: 300 };
    });
    let mut silent = Connection::open(server.inner.port).unwrap();
    let mut stalled = Connection::open(server.inner.port).unwrap();
    stalled.send([0x16, 3, 1, 0, 200, 1, 0]).unwrap();
    let mut shaken = server.connect();
    let mut slow_head = server.connect();
    slow_head.send("GET /hello HT").unwrap();
    let mut slow_body = server.connect();
    slow_body.send(request("POST", "/echo", "Content-Length: 10\r\n", b"123")).unwrap();
    assert_eq!(server.ask("GET", "/hello", "", b"").0, 200);
    assert_eq!(slow_head.answer("GET").unwrap().status, 408);
    assert_eq!(slow_body.answer("POST").unwrap().status, 408);
    assert_eq!((silent.rest(), stalled.rest()), (Vec::new(), Vec::new()));
    assert_eq!(shaken.whole_rest().unwrap(), b"", "it is told that the server ends");
    // A client that goes away in the middle.
    let gone = server.connect();
    gone.reset().unwrap();
    let mut gone = server.connect();
    gone.send(request("POST", "/count", "Content-Length: 1000000\r\n", &[b'x'; 200_000])).unwrap();
    gone.reset().unwrap();
    assert_eq!(server.ask("GET", "/hello", "", b"").0, 200);
    while server.inner.worker.open() > 0 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

pub(super) fn bad_pairs(python: &Path) {
    let (own, other) = (Identity::new().unwrap(), Identity::new().unwrap());
    let protected =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (certificate, key, text) in [
        (
            &own.certificate[..],
            &other.key[..],
            "the private key does not belong to the certificate",
        ),
        ("", &own.key, "the certificate file holds no certificate"),
        (&own.certificate, protected, "the private key is protected by a passphrase"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut worker = Worker::start_with(python, &[listener.into()], |_, spec| {
            let mut http = http::front(port);
            encrypt(&mut http, certificate, key);
            spec.group.http = Some(Box::new(http));
        });
        let failed = worker.bit_like(|bit| matches!(bit, Bit::LoadFailed { .. }));
        let Bit::LoadFailed { reason, .. } = failed else { panic!("it starts") };
        assert!(reason.starts_with(text) && reason.contains("\nhint: "), "{reason}");
        worker.wait();
    }
}

pub(super) fn drain(python: &Path) {
    let mut server = Server::plain(python);
    let go = server.inner.worker.folder.path().join("go");
    let mut busy = server.connect();
    busy.send(request("GET", &format!("/wait?path={}", go.display()), "", b"")).unwrap();
    server.inner.worker.log("waiting");
    let mut idle = server.connect();
    idle.send(request("GET", "/hello", "", b"")).unwrap();
    assert_eq!(idle.answer("GET").unwrap().status, 200);
    server.inner.worker.tell(&Rein::Drain, None);
    assert_eq!(idle.whole_rest().unwrap(), b"");
    std::fs::write(go, "").unwrap();
    let answer = busy.answer("GET").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"waited"[..]));
    assert_eq!(busy.whole_rest().unwrap(), b"");
    server.inner.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    server.inner.worker.wait();
}
