//! Long blocks that an application sends again and again.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use pinion_testbed::wait_until;
use pinion_wire::Kind;
use pinion_wire::answer::End;
use pinion_wire::area::{Part, SLOT, SLOTS};
use pinion_wire::request::BodyLength;

use crate::suite::{Answer, Front, Worker};

/// How many blocks the application keeps, of which length.
const BLOCKS: (u8, usize) = (12, 600_000);

fn front(worker: &mut Worker) -> Front {
    let mut front = worker.connect();
    front.take_areas();
    front
}

fn get(front: &mut Front, which: u8, way: &str) -> Answer {
    let answer = front.get(&format!("/standing?which={which}&way={way}"));
    assert_eq!(answer.end, Some(End::Complete));
    let repeated = if way == "yielded" { 2 } else { 1 };
    let (length, behind) = match way {
        "cut" => (300_000, ""),
        "before" => (BLOCKS.1, "end"),
        _ => (BLOCKS.1 * repeated, ""),
    };
    let (block, rest) = answer.body.split_at(length);
    assert!(block.iter().all(|byte| *byte == b'a' + which) && rest == behind.as_bytes());
    answer
}

/// Has a block sent until it stays.
fn until_it_stays(front: &mut Front, which: u8) -> Vec<Part> {
    // The first time it may be that the front door has no area yet.
    let mut answers = (0..3).map(|_| get(front, which, "alone").staying);
    answers.find(|staying| !staying.is_empty()).expect("a block that stays")
}

pub(crate) fn answers(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut first = worker.connect();
    for _ in 0..3 {
        assert_eq!(get(&mut first, 0, "alone").shared, 0, "it takes no areas");
    }
    let mut first = front(&mut worker);
    let parts = until_it_stays(&mut first, 0);
    let lengths: Vec<_> = parts.iter().map(|part| part.length as usize).collect();
    assert_eq!(lengths, [SLOT, SLOT, BLOCKS.1 - 2 * SLOT]);
    assert_eq!(get(&mut first, 0, "before").staying, parts);
    let cut = get(&mut first, 0, "cut").staying;
    assert_eq!((cut[0], cut[1].slot, cut[1].length), (parts[0], parts[1].slot, 37_856));
    assert_eq!(cut.len(), 2);
    assert_eq!(get(&mut first, 0, "yielded").staying, [&parts[..], &parts].concat());
    let mut second = front(&mut worker);
    assert_eq!(until_it_stays(&mut second, 0), parts, "the same for all");
    first.send("HEAD", "/standing?which=0&way=alone", BodyLength::Known(0), b"");
    let head = first.answer(&mut Vec::new());
    assert_eq!((head.body.len(), head.shared, head.end), (0, 0, Some(End::Complete)));
    // What is made for each answer goes by and by.
    for _ in 0..3 {
        let made = first.get("/big");
        assert_eq!((made.body.len(), made.staying.len()), (3_050_010, 0));
    }
}

pub(crate) fn many(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let (mut reader, mut others) = (front(&mut worker), [front(&mut worker), front(&mut worker)]);
    let read = until_it_stays(&mut reader, 0);
    // The reader has not sent its next request: what it was told to read stays as it is.
    let mut standing = HashSet::new();
    for round in 0..6 {
        for which in 1..BLOCKS.0 {
            let staying = until_it_stays_or_not(&mut others[round % 2], which);
            standing.extend(staying.iter().map(|part| part.slot));
            let mut bytes = Vec::new();
            read.iter().for_each(|part| reader.read(*part, &mut bytes));
            assert!(bytes.len() == BLOCKS.1 && bytes.iter().all(|byte| *byte == b'a'));
        }
    }
    assert!(read.iter().all(|part| !standing.contains(&part.slot)), "{read:?}");
    assert!(!standing.is_empty() && standing.len() < SLOTS / 2, "{}", standing.len());
    get(&mut reader, 0, "alone");
    // Whoever dies reads no more.
    drop(reader);
    for which in 0..BLOCKS.0 {
        until_it_stays(&mut others[0], which);
    }
}

/// Has a block sent several times.
fn until_it_stays_or_not(front: &mut Front, which: u8) -> Vec<Part> {
    (0..3).map(|_| get(front, which, "alone").staying).max_by_key(Vec::len).unwrap()
}

pub(crate) fn let_go(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = front(&mut worker);
    let references = |front: &mut Front| front.get("/standing_references").text();
    let before = references(&mut front);
    until_it_stays(&mut front, 0);
    assert_ne!(references(&mut front), before);
    // Nobody sends anything long for a while.
    assert!(wait_until(Duration::from_secs(60), || references(&mut front) == before));
}

pub(crate) fn idle(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut idle: Vec<_> = (1..BLOCKS.0).map(|_| front(&mut worker)).collect();
    for (one, which) in idle.iter_mut().zip(1..) {
        until_it_stays_or_not(one, which);
    }
    // None of them says that it has read what it was told of.
    let mut busy = front(&mut worker);
    until_it_stays(&mut busy, 0);
}

pub(crate) fn nobody(python: &Path) {
    let (mut worker, folder) = (Worker::ready(python, |_, _| {}), tempfile::tempdir().unwrap());
    let mut other = front(&mut worker);
    until_it_stays(&mut other, 0);
    for which in 1..6 {
        let mut gone = front(&mut worker);
        until_it_stays(&mut gone, which);
        let path = folder.path().join(which.to_string());
        let ask = format!("/standing_for_nobody?which={which}&path={}", path.display());
        gone.send("GET", &ask, BodyLength::Known(0), b"");
        gone.frame_of(Kind::Data);
        drop(gone);
        fs::write(path, b"").unwrap();
    }
    // When nothing long was sent for a while, all slots are free.
    assert!(wait_until(Duration::from_secs(60), || {
        other.get("/standing_references");
        other.taken() == 0
    }));
}

pub(crate) fn replaced(python: &Path) {
    let (mut worker, folder) = (Worker::ready(python, |_, _| {}), tempfile::tempdir().unwrap());
    let [mut reader, mut lost, mut other] = [(); 3].map(|()| front(&mut worker));
    until_it_stays(&mut reader, 1);
    lost.shared.keeps = true;
    while lost.get("/big").shared > 0 && lost.taken() < SLOTS / 2 + 12 {}
    // The worker ends that connection, so its slots are lost, as many as a new area is made for.
    lost.send_bytes(&[0xff; 64]);
    while lost.frame().is_some() {}
    let path = folder.path().join("go on");
    let ask = format!("/standing_and_late_write?path={}", path.display());
    reader.send("GET", &ask, BodyLength::Known(0), b"");
    // Its head and its last block wait in the worker until the file is there.
    other.shared.keeps = true;
    assert!(wait_until(Duration::from_secs(60), || {
        other.get("/big");
        other.shared.offers > 1
    }));
    fs::write(path, b"").unwrap();
    let answer = reader.answer(&mut Vec::new());
    assert_eq!((answer.end, answer.body.len()), (Some(End::Complete), 1 + BLOCKS.1 + 1_000_000));
    assert!(answer.body[1..=BLOCKS.1].iter().all(|byte| *byte == b'b'));
    assert!(answer.body[1 + BLOCKS.1..].iter().all(|byte| *byte == b'z'));
    assert_eq!(reader.shared.offers, 2);
}
