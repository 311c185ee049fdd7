use std::path::Path;

use pinion_unix::process::ExitCause;
use pinion_unix::signals::Signal;
use pinion_wire::area::{Part, SHORT, SLOT, SLOTS};
use pinion_wire::frame::{self, BODY_LAST, IN_AREA};
use pinion_wire::request::BodyLength;
use pinion_wire::{Kind, answer::End};

use crate::suite::{Answer, Front, Upload, Worker};

/// How many pieces of the longest block of `/big` fit in slots.
const PIECES: usize = 3_000_000_usize.div_ceil(SLOT);

fn is_big(answer: &Answer) -> bool {
    answer.end == Some(End::Complete)
        && answer.body.len() == 3_050_010
        && answer.body[..3_000_000].iter().all(|byte| *byte == b'a')
        && answer.body[3_000_010..].iter().all(|byte| *byte == b'c')
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|number| b'a' + (number % 23) as u8).collect()
}

pub(crate) fn answers(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.get("/big");
    assert_eq!((is_big(&answer), answer.shared), (true, 0));
    front.take_areas();
    for _ in 0..10 {
        let answer = front.get("/big");
        assert_eq!((is_big(&answer), answer.shared, front.shared.offers), (true, PIECES, 1));
    }
    // One area, whoever asks.
    let mut other = worker.connect();
    other.take_areas();
    assert_eq!((is_big(&other.get("/big")), other.shared.offers), (true, 1));
    let mut head = |method: &str, path: &str| {
        front.send(method, path, BodyLength::Known(0), b"");
        let answer = front.answer(&mut Vec::new());
        (answer.body.len(), answer.shared, answer.end)
    };
    assert_eq!(head("HEAD", "/big"), (0, 0, Some(End::Complete)));
    assert_eq!(head("GET", "/long_cut"), (SHORT + 1, 1, Some(End::Complete)));
    assert_eq!(head("GET", "/long_short"), (SHORT + 1, 1, Some(End::Truncated)));
    assert_eq!(head("GET", "/fork_long"), (2 * (SHORT + 1) + 1, 2, Some(End::Complete)));
}

pub(crate) fn without_room(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let (mut front, mut other) = (worker.connect(), worker.connect());
    front.take_areas();
    other.take_areas();
    front.shared.keeps = true;
    for shared in [PIECES; SLOTS / PIECES].into_iter().chain([SLOTS % PIECES, 0]) {
        let answer = front.get("/big");
        assert_eq!((is_big(&answer), answer.shared), (true, shared));
        assert_eq!(answer.blocks.iter().sum::<usize>(), 3_050_010);
    }
    let answer = other.get("/big");
    assert_eq!((is_big(&answer), answer.shared), (true, 0));
    let body = pattern(1_000_000);
    let answer = front.post("/echo", Upload::Pieces(vec![&body], true));
    assert_eq!((answer.body == body, answer.shared), (true, 0));
    front.let_go();
    let answer = other.get("/big");
    assert_eq!((is_big(&answer), answer.shared), (true, PIECES));
}

pub(crate) fn lost(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let (mut front, mut other) = (worker.connect(), worker.connect());
    front.take_areas();
    other.take_areas();
    other.get("/big");
    front.shared.keeps = true;
    for _ in 0..SLOTS.div_ceil(PIECES) {
        front.get("/big");
    }
    assert_eq!(other.get("/big").shared, 0, "the other one has all");
    // It ends, as a process that is killed does.
    drop(front);
    for _ in 0..1000 {
        let answer = other.get("/big");
        assert!(is_big(&answer));
        if answer.shared > 0 {
            assert_eq!((answer.shared, other.shared.offers), (PIECES, 1));
            return;
        }
    }
    panic!("no slot came back");
}

pub(crate) fn bodies(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    front.take_areas();
    let body = pattern(3_000_000);
    for told in [true, false] {
        let whole = front.post("/echo", Upload::Pieces(vec![&body], told));
        assert!(whole.body == body && whole.wants_in_area >= PIECES, "{}", whole.wants_in_area);
        let pieces = body.chunks(30_011).collect();
        assert!(front.post("/echo", Upload::Pieces(pieces, told)).body == body);
        let answer = front.post("/count", Upload::Pieces(vec![&body], told));
        assert_eq!(answer.text(), "3000000");
    }
    // More than is taken memory for before it is here.
    let long = pattern(5_000_000);
    assert!(front.post("/echo", Upload::Pieces(vec![&long], true)).body == long);
    assert_eq!(front.get("/hello").end, Some(End::Complete));
}

fn begin(front: &mut Front, path: &str) -> Vec<(Kind, u16, Vec<u8>)> {
    front.send("POST", path, BodyLength::Known(1_000_000), b"");
    Vec::new()
}

pub(crate) fn failing_bodies(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    front.take_areas();
    let words = "OSError: Apache/mod_wsgi request data read error";
    for _ in 0..SLOTS {
        let mut body = begin(&mut front, "/failing_read");
        body.push((Kind::BodyFailed, 0, b"the client has gone".to_vec()));
        body.push((Kind::Body, 0, pattern(100_000)));
        let answer = front.answer(&mut body);
        assert_eq!(answer.text(), format!("{words}: the client has gone."));
    }
    // What was read before is still there.
    let mut body = begin(&mut front, "/read_after_failing");
    body.push((Kind::BodyFailed, 0, b"gone".to_vec()));
    body.push((Kind::Body, 0, pattern(100_000)));
    assert_eq!(front.answer(&mut body).text(), "100000 True");
    // All slots came back.
    assert_eq!(front.get("/big").shared, PIECES);
    let elsewhere = Part { length: 1, slot: SLOTS as u32 - 1 }.encode();
    for payload in [&elsewhere[..], &elsewhere[..7]] {
        begin(&mut front, "/failing_read");
        let mut wrong = Vec::new();
        frame::push(&mut wrong, Kind::Body, IN_AREA, front.seq(), payload);
        frame::push(&mut wrong, Kind::Body, BODY_LAST, front.seq(), b"");
        front.send_bytes(&wrong);
        let answer = front.answer(&mut Vec::new());
        assert!(answer.text().starts_with(words), "{}", answer.text());
    }
    assert_eq!(front.get("/hello").end, Some(End::Complete));
}

pub(crate) fn death(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    front.take_areas();
    front.get("/big");
    front.send("GET", "/big", BodyLength::Known(0), b"");
    let payload = front.frame_of(Kind::Data);
    worker.signal(Signal::SIGKILL);
    assert!(matches!(worker.wait(), ExitCause::Signal { .. }));
    // What it has left behind can still be read.
    let mut bytes = Vec::new();
    assert_eq!(front.fetch(&payload, &mut bytes), SLOT);
    assert!(bytes.iter().all(|byte| *byte == b'a'));
    while front.frame().is_some() {}
}
