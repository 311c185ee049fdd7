//! What the worker's own front door does without the application: files, the health path, proxies.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use pinion_testbed::http::Answer;
use pinion_wire::message::http::{HttpSpec, ProxySpec, StaticSpec};
use pinion_wire::message::{Rein, StopReason};

use super::http::{Server, request};
use super::https;

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(20);

/// A folder of files at `/static`.
pub(super) struct Site {
    folder: tempfile::TempDir,
    pub(super) server: Server,
}

impl Site {
    fn start(python: &Path) -> Self {
        Self::start_with(python, "/static", None, |_| {})
    }

    pub(super) fn start_with(
        python: &Path,
        prefix: &str,
        log: Option<OwnedFd>,
        change: impl FnOnce(&mut HttpSpec),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Of yesterday, so that dates are sent.
        for (name, text) in [
            ("site/hello.txt", "Hello, file!"),
            ("site/app.js", "let the_whole_script;"),
            ("site/app.js.br", "brotli"),
            ("site/app.js.gz", "gzipped"),
            ("site/docs/index.html", "<p>index"),
            ("site/.env", "SECRET"),
            ("site/bare/a.txt", "a"),
            ("beside.txt", "SECRET"),
        ] {
            write(&folder.path().join(name), text.as_bytes());
        }
        let site = folder.path().join("site");
        let server = Server::start_with(python, log, |_, http| {
            let folder = site.to_str().unwrap().to_owned();
            http.statics = vec![StaticSpec { prefix: prefix.to_owned(), folder, file: None }];
            change(http);
        });
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("site").join(name)
    }

    fn ask(&self, method: &str, path: &str, fields: &str) -> Reply {
        let mut connection = self.server.connect();
        connection.send(request(method, path, fields, b"")).unwrap();
        Reply(connection.answer(method).unwrap())
    }

    fn get(&self, path: &str, fields: &str) -> Reply {
        self.ask("GET", path, fields)
    }
}

/// Writes a file of yesterday.
fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    File::options().write(true).open(path).unwrap().set_modified(yesterday).unwrap();
}

struct Reply(Answer);

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.0.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(std::str::from_utf8(&found.1).unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0.body).unwrap()
    }

    /// Status and body.
    fn seen(&self) -> (u16, &str) {
        (self.0.status, self.text())
    }
}

pub(super) fn files(python: &Path) {
    let site = Site::start(python);
    let reply = site.get("/static/hello.txt", "");
    assert_eq!(reply.seen(), (200, "Hello, file!"));
    let names: Vec<_> = reply.0.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Content-Length",
            "Content-Type",
            "Last-Modified",
            "Accept-Ranges",
            "ETag",
            "Vary",
            "Server",
            "Date"
        ]
    );
    assert_eq!(reply.header("Content-Type"), Some("text/plain; charset=utf-8"));
    let head = site.ask("HEAD", "/static/hello.txt", "");
    assert_eq!((head.seen(), head.header("Content-Length")), ((200, ""), Some("12")));
    assert_eq!(head.header("ETag"), reply.header("ETag"));
    for (method, path, status) in [
        ("OPTIONS", "/static/hello.txt", 204),
        ("POST", "/static/hello.txt", 405),
        ("GET", "/static/missing", 404),
        ("HEAD", "/static/missing", 404),
        ("GET", "/static/bare", 404),
        ("GET", "/static/bare/", 404),
        ("GET", "/static", 404),
    ] {
        let reply = site.ask(method, path, "");
        assert_eq!(reply.0.status, status, "{method} {path}");
        let allow = [204, 405].contains(&status).then_some("GET, HEAD, OPTIONS");
        assert_eq!(reply.header("Allow"), allow);
    }
    let reply = site.get("/static/docs?a=b", "");
    assert_eq!((reply.0.status, reply.header("Location")), (301, Some("/static/docs/?a=b")));
    assert_eq!(site.get("/static/docs/", "").seen(), (200, "<p>index"));
    // The application has the rest.
    assert_eq!(site.get("/statics", "").0.status, 500);
    assert_eq!(site.server.text("/hello"), "Hello, world!");
    // Neither a body that nobody wants nor HTTP/1.0 is in the way.
    let mut connection = site.server.connect();
    for (method, status) in [("GET", 200), ("POST", 405), ("GET", 200)] {
        let fields = "Content-Length: 5\r\n";
        connection.send(request(method, "/static/hello.txt", fields, b"12345")).unwrap();
        assert_eq!(connection.answer(method).unwrap().status, status);
    }
    connection.send("GET /static/hello.txt HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(connection.answer("GET").unwrap().body, b"Hello, file!");
    assert_eq!(connection.rest(), b"");
}

pub(super) fn conditions(python: &Path) {
    let site = Site::start(python);
    let first = site.get("/static/hello.txt", "");
    let (tag, date) = (first.header("ETag").unwrap(), first.header("Last-Modified").unwrap());
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for (fields, status) in [
        (format!("If-None-Match: {tag}\r\n"), 304),
        (format!("If-None-Match: \"x\", W/{tag}\r\n"), 304),
        ("If-None-Match: \"x\"\r\n".to_owned(), 200),
        (format!("If-Modified-Since: {date}\r\n"), 304),
        (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {date}\r\n"), 200),
        (format!("If-Match: {tag}\r\n"), 200),
        ("If-Match: \"x\"\r\n".to_owned(), 412),
        (format!("If-Unmodified-Since: {date}\r\n"), 200),
        ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT\r\n".to_owned(), 412),
    ] {
        let reply = site.get("/static/hello.txt", &fields);
        assert_eq!(reply.0.status, status, "{fields}");
        match status {
            200 => assert_eq!(reply.text(), "Hello, file!"),
            304 => assert_eq!((reply.text(), reply.header("ETag")), ("", Some(tag))),
            _ => assert_eq!(reply.text(), "412 Precondition Failed\n"),
        }
    }
    write(&site.path("hello.txt"), b"Another file");
    let reply = site.get("/static/hello.txt", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(reply.seen(), (200, "Another file"));
}

pub(super) fn parts(python: &Path) {
    let site = Site::start(python);
    let whole = (200, None, "Hello, file!");
    for (range, expected) in [
        ("bytes=0-4", (206, Some("bytes 0-4/12"), "Hello")),
        ("bytes=7-", (206, Some("bytes 7-11/12"), "file!")),
        ("bytes=-5", (206, Some("bytes 7-11/12"), "file!")),
        ("bytes=0-0,2-3", whole),
        ("bytes=5-2", whole),
        ("bytes=12-", (416, Some("bytes */12"), "416 Range Not Satisfiable\n")),
    ] {
        let reply = site.get("/static/hello.txt", &format!("Range: {range}\r\n"));
        let found = (reply.0.status, reply.header("Content-Range"), reply.text());
        assert_eq!(found, expected, "{range}");
    }
    let big: Vec<u8> = (0..10_000_000_u32).map(|number| (number / 7) as u8).collect();
    write(&site.path("big.bin"), &big);
    let reply = site.get("/static/big.bin", "");
    assert!(reply.0.body == big, "{}", reply.0.body.len());
    let reply = site.get("/static/big.bin", "Range: bytes=1000001-8000000\r\n");
    assert!(reply.0.body == big[1_000_001..=8_000_000], "{}", reply.0.body.len());
    let first = site.get("/static/hello.txt", "");
    let tag = first.header("ETag").unwrap();
    let asked = |tag: &str| {
        let fields = format!("Range: bytes=0-4\r\nIf-Range: {tag}\r\n");
        site.get("/static/hello.txt", &fields).0.status
    };
    assert_eq!((asked(tag), asked("\"x\"")), (206, 200));
}

pub(super) fn copies(python: &Path) {
    let site = Site::start(python);
    let mut tags = Vec::new();
    for (accepts, coding, text) in [
        ("gzip, br", Some("br"), "brotli"),
        ("gzip", Some("gzip"), "gzipped"),
        ("br;q=0.1, gzip", Some("gzip"), "gzipped"),
        ("zstd, identity", None, "let the_whole_script;"),
    ] {
        let reply = site.get("/static/app.js", &format!("Accept-Encoding: {accepts}\r\n"));
        assert_eq!(reply.header("Content-Encoding"), coding, "{accepts}");
        assert_eq!(reply.seen(), (200, text), "{accepts}");
        assert_eq!(reply.header("Vary"), Some("Accept-Encoding"));
        assert_eq!(reply.header("Content-Type"), Some("text/javascript; charset=utf-8"));
        tags.push(reply.header("ETag").unwrap().to_owned());
    }
    assert_eq!(tags[1], tags[2]);
    tags.dedup();
    assert_eq!(tags.len(), 3, "{tags:?}");
    // A copy of what the file was before.
    fs::write(site.path("app.js"), "newer").unwrap();
    assert_eq!(site.get("/static/app.js", "Accept-Encoding: br\r\n").seen(), (200, "newer"));
}

pub(super) fn elsewhere(python: &Path) {
    let site = Site::start(python);
    let folder = site.folder.path();
    for (name, target) in [
        ("relative", PathBuf::from("../beside.txt")),
        ("absolute", folder.join("beside.txt")),
        ("inside", PathBuf::from("hello.txt")),
        ("parent", PathBuf::from("..")),
        ("docs/up", PathBuf::from("../hello.txt")),
    ] {
        symlink(target, site.path(name)).unwrap();
    }
    nix::unistd::mkfifo(&site.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in [
        "/static/../beside.txt",
        "/static/..%2fbeside.txt",
        "/static/%2e%2e/beside.txt",
        "/static/%252e%252e/beside.txt",
        "/static/docs/../../beside.txt",
        "/static/docs/..%5c..%5cbeside.txt",
        "/static//../beside.txt",
        "/static/./hello.txt",
        "/static/.env",
        "/static/%2eenv",
        "/static/relative",
        "/static/absolute",
        "/static/parent/beside.txt",
        "/static/parent/site/hello.txt",
        "/static/pipe",
        "/static/hello.txt/",
        "/static/hello.txt/x",
        "/static/hello.txt%20",
        "/static/hello.txt::$DATA",
        &format!("/static/{}", "x".repeat(300)),
        &format!("/static{}/beside.txt", "/..".repeat(50)),
        &format!("/static/{}", folder.join("beside.txt").display()),
    ] {
        assert_eq!(site.get(path, "").seen(), (404, "404 Not Found\n"), "{path}");
    }
    assert_eq!(site.get("/static/hello.txt%00", "").0.status, 400);
    for path in [
        "/static/inside",
        "/static/docs/up",
        "/static//docs//../hello.txt",
        "/%73tatic/%68ello.txt",
    ] {
        let expected = if path.contains("..") { 404 } else { 200 };
        assert_eq!(site.get(path, "").0.status, expected, "{path}");
    }
}

pub(super) fn made_anew(python: &Path) {
    let site = Site::start(python);
    let all = site.folder.path().join("site");
    assert_eq!(site.get("/static/hello.txt", "").0.status, 200);
    fs::remove_dir_all(&all).unwrap();
    assert_eq!(site.get("/static/hello.txt", "").0.status, 404);
    write(&all.join("hello.txt"), b"new");
    assert_eq!(site.get("/static/hello.txt", "").seen(), (200, "new"));
    fs::remove_dir_all(&all).unwrap();
    let other = site.folder.path().join("other");
    write(&other.join("hello.txt"), b"other");
    symlink(&other, &all).unwrap();
    assert_eq!(site.get("/static/hello.txt", "").seen(), (200, "other"));
}

pub(super) fn beside(python: &Path) {
    let site = Site::start_with(python, "", None, |_| {});
    assert_eq!(site.get("/hello.txt", "").seen(), (200, "Hello, file!"));
    assert_eq!(site.get("/docs", "").header("Location"), Some("/docs/"));
    assert_eq!(site.get("/hello", "").seen(), (200, "Hello, world!"));
    for path in ["/.env", "/../beside.txt", "/bare/"] {
        // The application, which knows no such path.
        assert_eq!(site.get(path, "").0.status, 500, "{path}");
    }
    let mut connection = site.server.connect();
    let fields = "Content-Length: 3\r\n";
    connection.send(request("POST", "/echo", fields, b"abc")).unwrap();
    assert_eq!(connection.answer("POST").unwrap().body, b"abc");
}

pub(super) fn many(python: &Path) {
    for threads in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a.txt"), &[b'a'; 100]);
        write(&folder.path().join("b.bin"), &[b'b'; 100_000]);
        let server = Server::start(python, |spec, http| {
            spec.group.threads = threads;
            let folder = folder.path().to_str().unwrap().to_owned();
            http.statics = vec![StaticSpec { prefix: "/s".to_owned(), folder, file: None }];
        });
        let mut connection = server.connect();
        // More than is received at once, and more than is sent at once.
        let all = ["/s/a.txt", "/hello", "/s/b.bin", "/s/none"];
        let asked: Vec<u8> = all.iter().flat_map(|path| request("GET", path, "", b"")).collect();
        let mut sender = connection.try_clone().unwrap();
        let sent = std::thread::spawn(move || {
            for _ in 0..600 {
                sender.send(&asked).unwrap();
            }
        });
        for _ in 0..600 {
            for (length, status) in [(100, 200), (13, 200), (100_000, 200), (14, 404)] {
                let answer = connection.answer("GET").unwrap();
                assert_eq!((answer.body.len(), answer.status), (length, status));
            }
        }
        sent.join().unwrap();
    }
}

pub(super) fn slow(python: &Path) {
    let site = Site::start_with(python, "/static", None, |http| http.times.body = 3_000);
    let big: Vec<u8> = (0..30_000_000_u32).map(|number| (number / 11) as u8).collect();
    write(&site.path("big.bin"), &big);
    for fields in ["", "Connection: close\r\n"] {
        let mut connection = site.server.connect();
        connection.send(request("GET", "/static/big.bin", fields, b"")).unwrap();
        let head = connection.head("GET").unwrap();
        let mut framing = head.framing;
        let mut body = Vec::new();
        // Longer than anything takes whose connection is at its end.
        std::thread::sleep(Duration::from_millis(2_500));
        while let Some(piece) = connection.piece(&mut framing).unwrap() {
            body.extend_from_slice(&piece);
        }
        assert!(body == big, "{}", body.len());
        if !fields.is_empty() {
            assert_eq!(connection.rest(), b"");
        }
    }
    // One that takes nothing at all does not stay.
    let mut deaf = site.server.connect();
    deaf.send(request("GET", "/static/big.bin", "", b"")).unwrap();
    let end = Instant::now() + SOON;
    while site.server.worker.open() > 0 {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn files_by_tls(python: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let big: Vec<u8> = (0..5_000_000_u32).map(|number| (number / 7) as u8).collect();
    write(&folder.path().join("short.txt"), b"Hello, file!");
    write(&folder.path().join("big.bin"), &big);
    let server = https::Server::start(python, |_, http| {
        let folder = folder.path().to_str().unwrap().to_owned();
        http.statics = vec![StaticSpec { prefix: "/static".to_owned(), folder, file: None }];
    });
    let mut connection = server.connect();
    for (path, fields, status, body) in [
        ("/static/short.txt", "", 200, &b"Hello, file!"[..]),
        ("/static/big.bin", "", 200, &big),
        ("/static/big.bin", "Range: bytes=1000001-4000000\r\n", 206, &big[1_000_001..=4_000_000]),
        ("/static/../short.txt", "", 404, b"404 Not Found\n"),
        ("/hello", "", 200, b"Hello, world!"),
    ] {
        connection.send(request("GET", path, fields, b"")).unwrap();
        let answer = connection.answer("GET").unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body == body, "{path}: {} bytes", answer.body.len());
    }
}

pub(super) fn health(python: &Path) {
    let mut server = Server::start(python, |_, http| http.health = Some("/healthz".to_owned()));
    let go = server.worker.folder.path().join("go");
    assert_eq!(server.text("/healthz"), "ok\n");
    let mut connection = server.connect();
    for (method, status) in [("HEAD", 200), ("POST", 405), ("GET", 200)] {
        connection.send(request(method, "/healthz?x=y", "", b"")).unwrap();
        assert_eq!(connection.answer(method).unwrap().status, status, "{method}");
    }
    // A probe that is read when connections are to end already.
    let waits = request("GET", &format!("/wait?path={}", go.display()), "", b"");
    let mut busy = server.connect();
    busy.send([waits, request("GET", "/healthz", "", b"")].concat()).unwrap();
    server.worker.log("waiting");
    server.worker.tell(&Rein::Drain, None);
    assert_eq!(connection.rest(), b"");
    fs::write(go, "").unwrap();
    assert_eq!(busy.answer("GET").unwrap().body, b"waited");
    let answer = busy.answer("GET").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (503, &b"draining\n"[..]));
    assert_eq!(busy.rest(), b"");
    server.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    server.worker.wait();
}

pub(super) fn leaving(python: &Path) {
    let mut server = Server::start(python, |_, http| http.health = Some("/healthz".to_owned()));
    assert_eq!(said(&server, "/healthz"), (200, false));
    server.worker.tell(&Rein::Leave, None);
    while said(&server, "/healthz") != (503, true) {}
    // It takes connections all the same.
    assert_eq!(said(&server, "/hello"), (200, true));
    server.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    server.worker.wait();
}

/// The status of an answer, and whether it says that the connection ends.
fn said(server: &Server, path: &str) -> (u16, bool) {
    let mut connection = server.connect();
    connection.send(request("GET", path, "", b"")).unwrap();
    let answer = Reply(connection.answer("GET").unwrap());
    (answer.0.status, answer.header("Connection") == Some("close"))
}

pub(super) fn proxies(python: &Path) {
    let fields = "X-Forwarded-For: 192.0.2.1, 192.0.2.7\r\nX-Forwarded-For: 127.0.0.1\r\n\
        X-Forwarded-Proto: https\r\nX-Forwarded-Host: out.example\r\nX-Forwarded-Port: 443\r\n\
        X-Real-IP: 192.0.2.66\r\n";
    let trusted = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"];
    let plain = ["127.0.0.1", "http", "h.example"];
    let proxied = ["192.0.2.7", "https", "out.example"];
    for (networks, headers, [address, scheme, host], is_shown) in [
        (&["127.0.0.0/8"][..], &trusted[..], proxied, false),
        (&["10.0.0.0/8"], &trusted, plain, false),
        (&["127.0.0.1"], &[], plain, true),
        (&[], &[], plain, true),
    ] {
        let server = Server::start(python, |_, http| {
            let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            http.proxies = ProxySpec { networks: words(networks), headers: words(headers) };
        });
        let mut connection = server.connect();
        connection.send(request("GET", "/environ", fields, b"")).unwrap();
        let text = String::from_utf8(connection.answer("GET").unwrap().body).unwrap();
        let environ: BTreeMap<_, _> =
            text.lines().filter_map(|line| line.split_once('=')).collect();
        let shown = |name: &str| environ.get(name).map(|value| value.trim_matches('\''));
        assert_eq!(shown("REMOTE_ADDR"), Some(address), "{networks:?}");
        assert_eq!(shown("wsgi.url_scheme"), Some(scheme), "{networks:?}");
        assert_eq!(shown("HTTP_HOST"), Some(host), "{networks:?}");
        let port = server.port.to_string();
        let port = if address == plain[0] { &port } else { "443" };
        assert_eq!(shown("SERVER_PORT"), Some(port), "{networks:?}");
        assert_eq!(shown("HTTP_X_REAL_IP").is_some(), is_shown, "{networks:?}");
    }
}
