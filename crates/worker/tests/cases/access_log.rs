//! The access log of the worker's own front door.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use pinion_wire::message::http::AccessFormat;
use pinion_wire::message::{Rein, StopReason};

use super::door::Site;
use super::http::{Server, request};

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(20);

/// An access log in a file.
struct Log(tempfile::NamedTempFile);

impl Log {
    fn new() -> Self {
        Self(tempfile::NamedTempFile::new().unwrap())
    }

    fn descriptor(&self) -> Option<OwnedFd> {
        Some(File::options().append(true).open(self.0.path()).unwrap().into())
    }

    /// Its lines, once there are so many.
    fn lines(&self, count: usize) -> Vec<String> {
        let end = Instant::now() + SOON;
        loop {
            let text = fs::read_to_string(self.0.path()).unwrap();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            if text.ends_with('\n') && lines.len() >= count {
                assert_eq!(lines.len(), count, "{text}");
                return lines;
            }
            assert!(Instant::now() < end, "{text}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A line without its time and the worker's own numbers.
fn without_time(line: &str) -> String {
    let (before, rest) = line.split_once('[').unwrap();
    let (time, behind) = rest.split_once(']').unwrap();
    assert_eq!(time.len(), "06/Nov/1994:08:49:37 +0000".len(), "{line}");
    format!("{before}[]{behind}")
}

pub(super) fn formats(python: &Path) {
    for format in [AccessFormat::Common, AccessFormat::Combined, AccessFormat::Json] {
        let log = Log::new();
        let mut site = Site::start_with(python, "/static", log.descriptor(), |http| {
            http.access_log = Some(format);
            http.health = Some("/healthz".to_owned());
        });
        let mut connection = site.server.connect();
        let fields = "User-Agent: test/1\r\nReferer: http://r.example/\r\n";
        for (method, path) in [
            ("GET", "/hello?a=b"),
            ("GET", "/healthz"),
            ("GET", "/static/hello.txt"),
            ("HEAD", "/static/hello.txt"),
            ("GET", "/static/%6eone"),
            ("GET", "/generator"),
            ("GET", "/file"),
        ] {
            connection.send(request(method, path, fields, b"")).unwrap();
            connection.answer(method).unwrap();
        }
        connection.send("NONSENSE\r\n\r\n").unwrap();
        assert_eq!(connection.answer("GET").unwrap().status, 400);
        let size =
            fs::metadata(site.server.worker.folder.path().join("app.wsgi")).unwrap().len() - 10;
        let expected = [
            ("GET", "/hello?a=b", 200, 13),
            ("GET", "/static/hello.txt", 200, 12),
            ("HEAD", "/static/hello.txt", 200, 0),
            ("GET", "/static/%6eone", 404, 14),
            ("GET", "/generator", 200, 6),
            ("GET", "/file", 200, size),
        ];
        // What was answered last is written before the worker ends.
        site.server.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
        site.server.worker.wait();
        let lines = log.lines(expected.len() + 1);
        let pid = site.server.worker.pid;
        for (line, (method, path, status, bytes)) in lines.iter().zip(expected) {
            let dash = if bytes == 0 { "-".to_owned() } else { bytes.to_string() };
            let common = format!("127.0.0.1 - - [] \"{method} {path} HTTP/1.1\" {status} {dash}");
            match format {
                AccessFormat::Common => assert_eq!(without_time(line), common),
                AccessFormat::Combined => {
                    let expected = format!("{common} \"http://r.example/\" \"test/1\"");
                    assert_eq!(without_time(line), expected);
                }
                AccessFormat::Json => {
                    let end = line.split_once("\"peer\":").unwrap().1;
                    let (start, numbers) = end.split_once(",\"duration_us\":").unwrap();
                    let expected = format!(
                        "\"127.0.0.1\",\"user\":null,\"host\":\"h.example\",\"method\":\"{method}\",\
                        \"target\":\"{path}\",\"protocol\":\"HTTP/1.1\",\"referer\":\"http://r.example/\",\
                        \"user_agent\":\"test/1\",\"status\":{status},\"bytes\":{bytes}"
                    );
                    assert_eq!(start, expected);
                    assert!(numbers.ends_with(&format!(",\"pid\":{pid}}}")), "{line}");
                }
            }
        }
        let last = lines.last().unwrap();
        assert!(last.contains("NONSENSE") && last.contains("400"), "{last}");
    }
}

pub(super) fn hostile_clients(python: &Path) {
    let log = Log::new();
    let server = Server::start_with(python, log.descriptor(), |_, http| {
        http.access_log = Some(AccessFormat::Combined);
        http.times.head = 300;
    });
    let forged = "x\" 200 1 \"-\" \"-\" 10.0.0.1 - - \\\t\u{e9}\u{1b}";
    let fields = format!("User-Agent: {}\r\n", forged.replace('\u{1b}', ""));
    let mut connection = server.connect();
    connection.send(request("GET", "/hello?\"x\"", &fields, b"")).unwrap();
    assert_eq!(connection.answer("GET").unwrap().status, 200);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /slow HTTP/1.1\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut connection = server.connect();
        connection.send(bytes).unwrap();
        assert!(connection.answer("GET").unwrap().status >= 400, "{}", bytes.escape_ascii());
    }
    // Each client has its answer before its line is written, so that the order is anybody's.
    let lines = log.lines(6).iter().map(|line| without_time(line)).collect::<Vec<_>>();
    let expected = r#"127.0.0.1 - - [] "GET /hello?\"x\" HTTP/1.1" 200 13 "-" "x\" 200 1 \"-\" \"-\" 10.0.0.1 - - \\\t\xc3\xa9""#;
    assert!(lines.iter().any(|line| line == expected), "{lines:#?}");
    for (request, status) in [
        (r"\x16\x03\x01\x02\x00\x01\x00", 400),
        ("GET / HTTP/1.1", 400),
        ("GET /%zz HTTP/1.1", 400),
        ("GET /slow HTTP/1.1", 408),
        ("POST /echo HTTP/1.1", 400),
    ] {
        let start = format!("127.0.0.1 - - [] \"{request}\" {status} ");
        assert!(lines.iter().any(|line| line.starts_with(&start)), "{start}: {lines:#?}");
    }
}

/// The application has run to its end, and that is what is logged.
pub(super) fn gone_clients(python: &Path) {
    let log = Log::new();
    let server = Server::start_with(python, log.descriptor(), |_, http| {
        http.access_log = Some(AccessFormat::Common);
    });
    let go = server.worker.folder.path().join("go");
    let mut gone = server.connect();
    gone.send(request("GET", &format!("/wait?path={}", go.display()), "", b"")).unwrap();
    server.worker.log("waiting");
    gone.reset().unwrap();
    std::fs::write(go, "").unwrap();
    let lines = log.lines(1);
    assert!(without_time(&lines[0]).ends_with(" HTTP/1.1\" 200 6"), "{lines:?}");
}

pub(super) fn unread_log(python: &Path) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut server = Server::start_with(python, Some(writer.into()), |_, http| {
        http.access_log = Some(AccessFormat::Combined);
    });
    let agent = "x".repeat(7000);
    let fields = format!("User-Agent: {agent}\r\n");
    let mut connection = server.connect();
    // More than the pipe takes, and than the worker keeps: requests go on all the same.
    for _ in 0..2500 {
        connection.send(request("GET", "/hello", &fields, b"")).unwrap();
        assert_eq!(connection.answer("GET").unwrap().status, 200);
    }
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    drop(connection);
    server.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    server.worker.wait();
    let text = reading.join().unwrap();
    // Each line was written, or it was told that it was lost.
    let mut known = text.lines().count();
    while known < 2500 {
        let told = server.worker.log("lines of the access log are lost");
        known += told.split_once(' ').unwrap().0.parse::<usize>().unwrap();
    }
    assert_eq!(known, 2500);
    for line in text.lines() {
        assert!(line.len() < 4096 && line.ends_with("xxx...\""), "{line}");
        assert!(without_time(line).starts_with("127.0.0.1 - - [] \"GET /hello HTTP/1.1\" 200 13"));
    }
}
