//! The worker's own front door: HTTP/2.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use pinion_testbed::raw::Connection;
use pinion_testbed::tls;
use pinion_wire::message::http::{AccessFormat, HttpSpec, HttpTimes, ProxySpec, StaticSpec};
use pinion_wire::message::{Rein, StartSpec, StopReason};

use super::http;
use super::https::Server;
use crate::suite::h2::{Answer, Client, piece, request, whole};
use crate::suite::has_ended;

fn start(python: &Path, change: impl FnOnce(&mut StartSpec, &mut HttpSpec)) -> Server {
    Server::start(python, change)
}

fn connect(server: &Server) -> Client {
    Client::open(server.inner.port, &server.identity.client(&["h2", "http/1.1"]).unwrap())
}

/// A client whose connection takes more than its streams do.
fn connect_wide(server: &Server) -> Client {
    let settings = server.identity.client(&["h2"]).unwrap();
    Client::open_with(server.inner.port, &settings, |builder| {
        builder.initial_connection_window_size(10_000_000);
    })
}

fn reason(answer: Result<Answer, h2::Error>) -> Reason {
    let error = answer.unwrap_err();
    error.reason().unwrap_or_else(|| panic!("{error}"))
}

pub(super) fn hello(python: &Path) {
    let server = start(python, |_, http| http.mount = "/app".to_owned());
    let mut client = connect(&server);
    for _ in 0..3 {
        let answer = client.get("/app/hello");
        assert_eq!((answer.status, &answer.body[..]), (200, &b"Hello, world!"[..]));
        let names: Vec<_> = answer.headers.keys().map(http_name).collect();
        assert_eq!(names, ["content-type", "content-length", "server", "date"]);
    }
    let head = client.ask(request("HEAD", "/app/hello", &[])).unwrap();
    assert_eq!(
        (head.status, head.body.len(), &head.headers["content-length"]),
        (200, 0, &"13".parse().unwrap())
    );
    assert_eq!(client.get("/app/no_content").status, 204);
    let cookies: Vec<_> =
        client.get("/app/own_fields").headers.get_all("set-cookie").iter().cloned().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let fields =
        [("cookie", "a=1"), ("cookie", "b=2"), ("x-one", "1"), ("x-one", "2"), ("x_two", "3")];
    let text = client.ask(request("GET", "/app/environ?a=%20b", &fields)).unwrap().text();
    for line in [
        "SCRIPT_NAME='/app'",
        "PATH_INFO='/environ'",
        "QUERY_STRING='a=%20b'",
        "REQUEST_URI='/app/environ?a=%20b'",
        "REMOTE_ADDR='127.0.0.1'",
        "SERVER_PROTOCOL='HTTP/2.0'",
        "HTTP_HOST='h.example'",
        "HTTP_COOKIE='a=1; b=2'",
        "HTTP_X_ONE='1, 2'",
        "wsgi.url_scheme='https'",
        "HTTPS='on'",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(!text.contains("TWO") && !text.contains("CONTENT_LENGTH"), "{text}");
    assert_eq!(client.get("/other").status, 404);
    assert_eq!(server.inner.worker.open(), 1);
    // Beside it, another version is spoken.
    let settings = server.identity.client(&["http/1.1"]).unwrap();
    let mut other = Connection::open_tls(server.inner.port, &settings).unwrap();
    assert_eq!(tls::protocol(other.tls().unwrap()).as_deref(), Some("http/1.1"));
    other.send(http::request("GET", "/app/hello", "", b"")).unwrap();
    assert_eq!(other.answer("GET").unwrap().body, b"Hello, world!");
    drop((client, other));
    while server.inner.worker.open() > 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn http_name(name: &::http::HeaderName) -> String {
    name.as_str().to_owned()
}

pub(super) fn bodies(python: &Path) {
    let server = start(python, |_, _| {});
    let mut client = connect(&server);
    for size in [0, 1, 1000, 70_000, 200_000, 5_000_000] {
        let body: Vec<u8> = (0..size).map(|number: u32| number as u8).collect();
        let length = size.to_string();
        for fields in [&[("content-length", &length[..])][..], &[]] {
            let answer = client.post("/count", fields, &body).unwrap();
            assert_eq!((answer.status, answer.text()), (200, length.clone()));
        }
    }
    let echoed = client.post("/echo", &[], b"some words").unwrap();
    assert_eq!(echoed.text(), "some words");
    // Nobody reads this one.
    let answer = client.post("/hello", &[], &[b'x'; 1_000_000]).unwrap();
    assert_eq!(answer.text(), "Hello, world!");
    let big = client.get("/big").body;
    assert!(big.len() == 3_050_010 && big[..3_000_000].iter().all(|byte| *byte == b'a'));
    assert_eq!(client.get("/generator").text(), "onetwo");
    assert_eq!(client.get("/no_file").text(), "in memory");
    let source = std::fs::read(server.inner.worker.folder.path().join("app.wsgi")).unwrap();
    assert_eq!(client.get("/file").body, source[10..]);
    assert_eq!(client.get("/file_part").body, source[..7]);
    let failed = client.get("/raises");
    assert_eq!((failed.status, &failed.text()[..]), (500, "500 Internal Server Error\n"));
    server.inner.worker.log("ValueError: oops");
}

pub(super) fn streaming(python: &Path) {
    let server = start(python, |_, _| {});
    let mut client = connect(&server);
    // Longer than what is awaited of a body before the application runs.
    let (answer, mut stream) = client.begin(request("POST", "/talk", &[]));
    client.run(async move {
        let first = "x".repeat(200_000) + "\n";
        let mut expected = first.to_uppercase().into_bytes();
        upload_part(&mut stream, first.into_bytes()).await;
        let mut body = answer.await.unwrap().into_body();
        let mut received = Vec::new();
        for line in ["one\n", "two\n"] {
            while received.len() < expected.len() {
                received.extend(piece(&mut body).await.unwrap().unwrap());
            }
            assert!(received == expected, "what was sent is here before more is");
            upload_part(&mut stream, line.into()).await;
            expected.extend(line.to_uppercase().bytes());
        }
        stream.send_data(Bytes::new(), true).unwrap();
        while let Some(part) = piece(&mut body).await {
            received.extend(part.unwrap());
        }
        assert!(received == expected);
    });
}

async fn upload_part(stream: &mut h2::SendStream<Bytes>, part: Vec<u8>) {
    let mut part = Bytes::from(part);
    while !part.is_empty() {
        stream.reserve_capacity(part.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        stream.send_data(part.split_to(room.min(part.len())), false).unwrap();
    }
}

pub(super) fn many_streams(python: &Path) {
    for threads in [1, 4] {
        let server = start(python, |spec, _| spec.group.threads = threads);
        let mut clients: Vec<_> = (0..3).map(|_| connect(&server)).collect();
        for client in &mut clients {
            // More than are served at once.
            let answers: Vec<_> =
                (0..400).map(|_| client.send(request("GET", "/hello", &[]))).collect();
            client.run(async {
                for answer in answers {
                    assert_eq!(whole(answer).await.unwrap().text(), "Hello, world!");
                }
            });
        }
        assert_eq!(clients[0].get("/hello").status, 200);
    }
}

pub(super) fn resets(python: &Path) {
    let mut server = start(python, |spec, http| {
        spec.group.threads = 2;
        http.health = Some("/healthz".to_owned());
    });
    let worker = &mut server.inner.worker;
    let mut client = Client::open(server.inner.port, &server.identity.client(&["h2"]).unwrap());
    // While the application runs: it learns of that as it goes on sending.
    let endless = client.send(request("GET", "/endless", &[]));
    drop(client.run(endless).unwrap());
    client.run_until(|| worker.begun().is_empty());
    worker.log("closed");
    // Before it runs: nobody runs it any more.
    let go = worker.folder.path().join("go");
    let wait = format!("/wait?path={}", go.display());
    let busy = [0, 1].map(|_| client.send(request("GET", &wait, &[])));
    client.run_until(|| worker.begun().len() == 2);
    let many: Vec<_> = (0..15).map(|_| client.send(request("GET", "/prints", &[]))).collect();
    // Answered without the serving threads, and behind what came before.
    assert_eq!(client.get("/healthz").status, 200);
    drop(many);
    assert_eq!(client.get("/healthz").status, 200);
    std::fs::write(go, "").unwrap();
    client.run(async {
        for answer in busy {
            assert_eq!(whole(answer).await.unwrap().text(), "waited");
        }
    });
    assert_eq!(client.get("/hello").status, 200);
    // One who does nothing else is sent away.
    for _ in 0..1000 {
        drop(client.send(request("GET", "/hello", &[])));
    }
    assert_eq!(client.end().unwrap_err().reason(), Some(Reason::ENHANCE_YOUR_CALM));
    worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    let said = worker.last_words();
    assert!(said.contains("waiting") && !said.contains("to stdout"), "{said}");
}

pub(super) fn truncated_answers(python: &Path) {
    let server = start(python, |_, _| {});
    let mut client = connect(&server);
    for path in ["/too_short", "/raises_between", "/reraised"] {
        assert_eq!(reason(client.ask(request("GET", path, &[]))), Reason::INTERNAL_ERROR, "{path}");
        assert_eq!(client.get("/hello").status, 200, "other streams go on");
    }
}

pub(super) fn slow_readers(python: &Path) {
    let server = start(python, |spec, _| spec.group.threads = 1);
    let mut client = connect_wide(&server);
    // It grants no more than the first window, and keeps nobody.
    let mut slow = client.send(request("GET", "/megabyte", &[]));
    let mut body = client.run(async { (&mut slow).await.unwrap().into_body() });
    for _ in 0..5 {
        assert_eq!(client.get("/hello").text(), "Hello, world!");
    }
    client.run(async {
        let mut length = 0;
        while let Some(part) = piece(&mut body).await {
            length += part.unwrap().len();
        }
        assert_eq!(length, 1_000_000);
    });
    drop(server);
    let server = start(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { head: 60_000, body: 300, idle: 60_000 };
    });
    let mut client = connect_wide(&server);
    for path in ["/endless", "/file"] {
        let source = server.inner.worker.folder.path().join("app.wsgi");
        std::fs::File::options()
            .append(true)
            .open(source)
            .unwrap()
            .write_all(&[b'#'; 200_000])
            .unwrap();
        let mut deaf = client.send(request("GET", path, &[]));
        let mut body = client.run(async { (&mut deaf).await.unwrap().into_body() });
        client.run(async {
            while let Some(part) = body.data().await {
                match part {
                    Ok(_) => {}
                    Err(error) => {
                        assert_eq!(error.reason(), Some(Reason::CANCEL), "{error}");
                        return;
                    }
                }
            }
            panic!("it was not given up: {path}");
        });
        assert_eq!(client.get("/hello").text(), "Hello, world!");
    }
    server.inner.worker.log("closed");
    // One that grants all it can and reads nothing.
    let settings = server.identity.client(&["h2"]).unwrap();
    let mut deaf = Client::open_with(server.inner.port, &settings, |builder| {
        builder.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
    });
    let sent = deaf.send(request("GET", "/endless", &[]));
    deaf.run(async { sent.await.unwrap() });
    server.inner.worker.log("closed");
    client.run_until(|| server.inner.worker.open() == 1);
}

pub(super) fn refusals(python: &Path) {
    let server = start(python, |_, http| {
        http.limits.body = 1000;
        http.limits.fields = 10;
        http.limits.line = 200;
        http.limits.head = 8000;
    });
    let mut client = connect(&server);
    let long = format!("/{}", "x".repeat(300));
    let many: Vec<_> = (0..20).map(|number| (format!("x-{number}"), "1")).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (&name[..], *value)).collect();
    for (refused, status) in [
        (request("GET", "/%00", &[]), 400),
        (request("GET", "/%zz", &[]), 400),
        (request("GET", "/", &[("host", "other")]), 400),
        (request("GET", &long, &[]), 414),
        (request("GET", "/hello", &many), 431),
        (request("GET", "/hello", &[("x", &"y".repeat(9000))]), 431),
        (request("GET", "/hello", &[("expect", "x")]), 417),
    ] {
        let uri = refused.uri().clone();
        assert_eq!(client.ask(refused).unwrap().status, status, "{uri}");
    }
    let answer = client.post("/count", &[("content-length", "1001")], &[0; 1001]).unwrap();
    assert_eq!((answer.status, answer.text().ends_with("too long.\n")), (413, true));
    assert_eq!(client.post("/count", &[], &[0; 1001]).unwrap().status, 413);
    assert_eq!(client.post("/count", &[], &[0; 1000]).unwrap().text(), "1000");
    assert_eq!(
        reason(client.post("/count", &[("content-length", "5")], b"1234")),
        Reason::PROTOCOL_ERROR
    );
    assert_eq!(client.get("/hello").status, 200);
}

pub(super) fn slow_clients(python: &Path) {
    let server = start(python, |spec, http| {
        spec.group.threads = 1;
        http.times = HttpTimes { head: 300, body: 300, idle: 300 };
    });
    // It chooses HTTP/2 and says nothing.
    let settings = server.identity.client(&["h2"]).unwrap();
    let mut silent = Connection::open_tls(server.inner.port, &settings).unwrap();
    let mut half = Connection::open_tls(server.inner.port, &settings).unwrap();
    half.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut client = connect(&server);
    let (answer, mut stream) = client.begin(request("POST", "/echo", &[]));
    stream.send_data(Bytes::from_static(b"123"), false).unwrap();
    assert_eq!(client.get("/hello").status, 200, "a slow body keeps no thread");
    assert_eq!(client.run(whole(answer)).unwrap().status, 408);
    let (answer, mut stream) = client.begin(request("POST", "/failing_read", &[]));
    let body = Bytes::from(vec![b'x'; 150_000]);
    let failed = client.run(async move {
        upload_part(&mut stream, body.to_vec()).await;
        whole(answer).await.unwrap()
    });
    assert!(failed.text().contains("Timeout"), "{}", failed.text());
    client.end().unwrap();
    for connection in [&mut silent, &mut half] {
        connection.rest();
    }
    while server.inner.worker.open() > 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(super) fn drain(python: &Path) {
    let mut server = start(python, |_, _| {});
    let go = server.inner.worker.folder.path().join("go");
    let wait = format!("/wait?path={}", go.display());
    let (mut busy, mut idle) = (connect_wide(&server), connect(&server));
    assert_eq!(idle.get("/hello").status, 200);
    let waiting: Vec<_> = (0..3).map(|_| busy.send(request("GET", &wait, &[]))).collect();
    let queued = busy.send(request("GET", "/big", &[]));
    busy.run_until(|| server.inner.worker.begun().len() == 3);
    server.inner.worker.tell(&Rein::Drain, None);
    server.inner.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    idle.end().unwrap();
    std::fs::write(go, "").unwrap();
    busy.run(async {
        for answer in waiting {
            assert_eq!(whole(answer).await.unwrap().text(), "waited");
        }
        assert_eq!(whole(queued).await.unwrap().body.len(), 3_050_010);
    });
    busy.end().unwrap();
    server.inner.worker.wait();
}

pub(super) fn own_answers(python: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let long: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
    std::fs::write(folder.path().join("long.bin"), &long).unwrap();
    let log = folder.path().join("log");
    let descriptor = std::fs::File::options().append(true).create(true).open(&log).unwrap();
    let mut server = Server::start_with(python, Some(descriptor.into()), |_, http| {
        let folder = folder.path().to_str().unwrap().to_owned();
        http.statics = vec![StaticSpec { prefix: "/static".to_owned(), folder, file: None }];
        http.health = Some("/healthz".to_owned());
        http.access_log = Some(AccessFormat::Common);
        http.limits.body = 1000;
        let networks = vec!["127.0.0.1".to_owned()];
        http.proxies = ProxySpec { networks, headers: vec!["X-Forwarded-For".to_owned()] };
    });
    let mut client = connect(&server);
    let answer = client.get("/static/long.bin");
    assert!(answer.status == 200 && answer.body == long);
    let etag = answer.headers["etag"].to_str().unwrap().to_owned();
    let again = client.ask(request("GET", "/static/long.bin", &[("if-none-match", &etag)]));
    assert_eq!(again.unwrap().status, 304);
    let part = client.ask(request("GET", "/static/long.bin", &[("range", "bytes=10-19")])).unwrap();
    assert_eq!((part.status, &part.body[..]), (206, &long[10..20]));
    let head = client.ask(request("HEAD", "/static/long.bin", &[])).unwrap();
    assert_eq!((head.body.len(), &head.headers["content-length"]), (0, &"300000".parse().unwrap()));
    assert_eq!(client.get("/healthz").text(), "ok\n");
    let proxied = [("x-forwarded-for", "192.0.2.7")];
    let environ = client.ask(request("GET", "/environ", &proxied)).unwrap().text();
    assert!(environ.contains("REMOTE_ADDR='192.0.2.7'"), "{environ}");
    assert_eq!(client.ask(request("GET", "/hello", &proxied)).unwrap().status, 200);
    assert_eq!(client.post("/echo", &[], b"abc").unwrap().text(), "abc");
    assert_eq!(client.post("/count", &[("content-length", "1001")], b"").unwrap().status, 413);
    assert_eq!(client.ask(request("GET", "/%00", &[])).unwrap().status, 400);
    client.get("/too_short_is_not_here");
    drop(client);
    server.inner.worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    server.inner.worker.wait();
    let mut text = String::new();
    std::fs::File::open(&log).unwrap().read_to_string(&mut text).unwrap();
    for line in [
        "127.0.0.1 - - \"GET /static/long.bin HTTP/2.0\" 200 300000",
        "127.0.0.1 - - \"GET /static/long.bin HTTP/2.0\" 304 -",
        "127.0.0.1 - - \"GET /static/long.bin HTTP/2.0\" 206 10",
        "127.0.0.1 - - \"HEAD /static/long.bin HTTP/2.0\" 200 -",
        "192.0.2.7 - - \"GET /hello HTTP/2.0\" 200 13",
        "127.0.0.1 - - \"POST /echo HTTP/2.0\" 200 3",
        "127.0.0.1 - - \"GET /%00 HTTP/2.0\" 400 33",
        "127.0.0.1 - - \"GET /too_short_is_not_here HTTP/2.0\" 500 26",
    ] {
        let (peer, rest) = line.split_once(" - - ").unwrap();
        let is_it = |found: &str| found.starts_with(peer) && found.ends_with(rest);
        assert!(text.lines().any(is_it), "{line}: {text}");
    }
    assert!(!text.contains("healthz"), "{text}");
}

/// One that its client has taken back before there was an answer is logged with a status that no answer has.
pub(super) fn taken_back(python: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let descriptor = std::fs::File::options().append(true).create(true).open(&log).unwrap();
    let server = Server::start_with(python, Some(descriptor.into()), |_, http| {
        http.access_log = Some(AccessFormat::Common);
    });
    let go = server.inner.worker.folder.path().join("go");
    let mut client = connect(&server);
    let running = client.send(request("GET", &format!("/wait?path={}", go.display()), &[]));
    client.run_until(|| server.inner.worker.begun().len() == 1);
    drop(running);
    let (unsent, stream) = client.begin(request("POST", "/echo", &[("content-length", "5")]));
    client.get("/hello");
    drop((unsent, stream));
    let logged = |end: &str| {
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines().any(|line| line.contains(end))
    };
    client.run_until(|| logged("\"GET /wait?path=") && logged("\"POST /echo HTTP/2.0\" 499 -"));
    assert!(logged(" HTTP/2.0\" 499 -") && !logged("\" 0 "));
    std::fs::write(go, "").unwrap();
    assert_eq!(client.get("/hello").status, 200);
}

pub(super) fn announced_end(python: &Path) {
    let server = start(python, |_, http| http.health = Some("/healthz".to_owned()));
    let mut before = connect(&server);
    assert_eq!(before.get("/healthz").status, 200);
    server.inner.worker.tell(&Rein::Leave, None);
    let mut after = connect(&server);
    // Each is told behind its next answer.
    for client in [&mut before, &mut after] {
        while client.get("/healthz").status == 200 {}
        while client.ask(request("GET", "/hello", &[])).is_ok() {}
    }
    before.end().unwrap();
    after.end().unwrap();
}

pub(super) fn forked_children(python: &Path) {
    let mut server = start(python, |_, _| {});
    let go = server.inner.worker.folder.path().join("go");
    let (mut asking, mut idle) = (connect(&server), connect(&server));
    assert_eq!(idle.get("/hello").status, 200);
    let child: u32 =
        asking.get(&format!("/fork_and_hold?path={}", go.display())).text().parse().unwrap();
    let sockets = || {
        let all = std::fs::read_dir(format!("/proc/{child}/fd")).unwrap();
        let links = all.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    };
    asking.run_until(|| sockets() == 0);
    server.inner.worker.signal(pinion_unix::signals::Signal::SIGKILL);
    server.inner.worker.wait();
    // Nobody else holds the connections open.
    idle.end().unwrap_err();
    asking.end().unwrap_err();
    std::fs::write(go, "").unwrap();
    while !has_ended(child) {
        std::thread::sleep(Duration::from_millis(2));
    }
}
