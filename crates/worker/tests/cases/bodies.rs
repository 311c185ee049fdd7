use std::path::Path;

use pinion_wire::Kind;
use pinion_wire::answer::{End, decode_want};
use pinion_wire::frame::{self, BODY_LAST};
use pinion_wire::request::{BodyLength, RequestWriter, Target};

use crate::suite::{Upload, Worker, clock};

const LINES: &[u8] = b"line1\nline2\nline3 long\nfour\nfive";
/// What `/pieces` makes of [`LINES`].
const PIECES: &str = "[b'lin', b'e1\\n', b'li', [b'ne2\\n'], [b'line3 long\\n', b'four\\n', b'five'], b'', b'', b'']";

pub(crate) fn inline(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    assert_eq!(front.post("/echo", Upload::Inline(LINES)).body, LINES);
    assert_eq!(front.post("/pieces", Upload::Inline(LINES)).text(), PIECES);
    assert_eq!(front.post("/echo", Upload::Inline(b"")).body, b"");
}

pub(crate) fn pieces(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    for told in [true, false] {
        let single: Vec<&[u8]> = LINES.chunks(1).collect();
        assert_eq!(front.post("/pieces", Upload::Pieces(single, told)).text(), PIECES);
        assert_eq!(front.post("/echo", Upload::Pieces(vec![LINES], told)).body, LINES);
    }
    assert_eq!(front.get("/hello").end, Some(End::Complete));
}

pub(crate) fn long(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let body = vec![b'x'; 5_000_000];
    for told in [true, false] {
        let answer = front.post("/count", Upload::Pieces(vec![&body], told));
        assert_eq!(answer.text(), "5000000");
    }
    let inline = vec![b'y'; 200_000];
    assert_eq!(front.post("/echo", Upload::Inline(&inline)).body, inline);
}

pub(crate) fn chunked(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.post("/echo", Upload::Pieces(vec![b"one", b"two", b""], false));
    assert_eq!(answer.text(), "onetwo");
    assert_eq!(front.post("/echo", Upload::Pieces(vec![b""], false)).text(), "");
}

pub(crate) fn failing(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.post("/failing_read", Upload::Fails(b"begin"));
    let words = "Apache/mod_wsgi request data read error: the client has gone.";
    assert_eq!(answer.text(), format!("OSError: {words}"));
    let answer = front.post("/echo", Upload::Fails(b""));
    assert_eq!(answer.end, Some(End::BodyFailed));
    assert!(answer.log().contains(words), "{}", answer.log());
    assert_eq!(front.get("/hello").end, Some(End::Complete));
}

pub(crate) fn unread(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    front.send("POST", "/hello", BodyLength::Known(10), b"");
    assert_eq!(front.answer(&mut Vec::new()).end, Some(End::Complete));
    // An answer to a Want that comes too late.
    let mut late = Vec::new();
    frame::push(&mut late, Kind::Body, 0, 1, b"01234");
    frame::push(&mut late, Kind::Body, BODY_LAST, 1, b"56789");
    front.send_bytes(&late);
    assert_eq!(front.get("/hello").text(), "Hello, world!");
}

pub(crate) fn read_beyond_the_end(python: &Path) {
    for threads in [1, 3] {
        let mut worker = Worker::ready(python, |_, spec| spec.group.threads = threads);
        let go = worker.folder.path().join("go");
        let mut front = worker.connect();
        let path = format!("/late_read?path={}", go.display());
        front.send("POST", &path, BodyLength::Known(1), b"");
        front.frame_of(Kind::Want);
        std::fs::write(go, "").unwrap();
        assert_eq!(front.answer(&mut Vec::new()).text(), "waited");
        let mut late = Vec::new();
        frame::push(&mut late, Kind::Body, BODY_LAST, 1, b"x");
        front.send_bytes(&late);
        assert_eq!(front.get("/hello").text(), "Hello, world!");
    }
}

pub(crate) fn garbled(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut other = Vec::new();
    frame::push(&mut other, Kind::Request, 0, 1, b"");
    other[4] = 99;
    let mut data = Vec::new();
    frame::push(&mut data, Kind::Data, 0, 1, b"x");
    let mut empty = Vec::new();
    frame::push(&mut empty, Kind::Request, 0, 1, b"too short");
    let mut stray = Vec::new();
    let target = Target {
        script: b"/app.wsgi",
        callable: b"application",
        process_group: b"other",
        application_group: b"app|/x",
    };
    RequestWriter::new(&mut stray, target, BodyLength::Known(0)).finish(b"");
    RequestWriter::stamp(&mut stray, 1, clock());
    for (bytes, reason) in [
        (other, "protocol version 99"),
        (data, "unexpected frame Data"),
        (empty, "cut short"),
        (stray, "process group 'other', application group 'app|/x', came to the wrong worker"),
    ] {
        let mut front = worker.connect();
        front.send_bytes(&bytes);
        assert!(front.frame().is_none());
        assert!(worker.log("closed").contains(reason));
    }
    // A frame cut short by the end of the connection, and one that comes slowly.
    let front = worker.connect();
    front.send_bytes(&[5, 0, 0, 0, 1]);
    drop(front);
    let mut front = worker.connect();
    let mut slow = Vec::new();
    frame::push(&mut slow, Kind::Body, 0, 1, b"skipped");
    for byte in slow {
        front.send_bytes(&[byte]);
    }
    assert_eq!(front.get("/hello").text(), "Hello, world!");
    // While much is needed, at most 256 KiB are asked for.
    front.send("POST", "/count", BodyLength::Known(1_000_000), b"");
    let asked = decode_want(&front.frame_of(Kind::Want)).unwrap()
        + decode_want(&front.frame_of(Kind::Want)).unwrap();
    assert_eq!(asked, 256 * 1024);
}
