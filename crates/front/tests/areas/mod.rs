#![expect(clippy::unwrap_used, reason = "in a test, a panic says where it went wrong")]

//! What the front door does with memory that workers share, and with such as they must not.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering},
};

use pinion_front::{Outcome, Trouble};
use pinion_unix::area::{Area, Layout};
use pinion_wire::{
    FrameError, Kind,
    answer::{self, End},
    area::{Part, SLOT, SLOTS},
    frame::{self, BODY_LAST, DATA_FLUSH, DATA_STAYS, IN_AREA, REQUEST_TAKES_AREA},
};

use super::{
    NO_TIMEOUTS, alive,
    staff::{Line, Notes, serve, stage},
};

const LAYOUT: Layout = Layout { slots: SLOTS, size: SLOT };

/// Whether a slot is free: a worker has marked it when it gave it away.
fn is_free(area: &Area, slot: u32) -> bool {
    area.word(slot as usize).unwrap().load(Ordering::SeqCst) == 0
}

fn put(area: &Area, slot: u32, bytes: &[u8]) -> [u8; Part::SIZE] {
    area.word(slot as usize).unwrap().store(1, Ordering::SeqCst);
    area.slot(slot as usize, SLOT).unwrap().fill(0, bytes);
    Part { length: bytes.len() as u32, slot }.encode()
}

fn offer(line: &Line, seq: u32, area: &OwnedFd) {
    let mut frames = Vec::new();
    answer::push_head(&mut frames, seq, 200, b"OK", []);
    frame::push(&mut frames, Kind::Area, 0, seq, b"");
    line.send_file(&frames, area);
}

/// What comes of a request whose worker does this.
fn outcome(
    notes: &mut Notes,
    play: impl Fn(&Line, u32) + Send + Sync + 'static,
) -> Result<(), Trouble> {
    let play = move |_, line: Line| {
        while let Some((header, _)) = line.receive() {
            assert!(header.flags & REQUEST_TAKES_AREA != 0);
            play(&line, header.seq);
        }
    };
    match serve(&stage(NO_TIMEOUTS, play, alive), false, notes) {
        Outcome::Trouble(trouble) => Err(trouble),
        Outcome::Done(_) | Outcome::ClientGone => Ok(()),
    }
}

#[test]
fn blocks_in_an_area_are_handed_on_in_order_and_their_slots_are_free_then() {
    let (area, fd) = Area::create(c"test", LAYOUT).unwrap();
    let area = Arc::new(area);
    let shared = Arc::clone(&area);
    let play = move |line: &Line, seq: u32| {
        offer(line, seq, &fd);
        let first = put(&shared, 31, &[b'a'; SLOT]);
        line.frame(Kind::Data, IN_AREA | DATA_FLUSH, seq, &first);
        line.frame(Kind::Data, 0, seq, b"between");
        let mut rest = Vec::new();
        frame::push(&mut rest, Kind::Data, IN_AREA, seq, &put(&shared, 0, b"end"));
        frame::push(&mut rest, Kind::End, End::Complete as u16, seq, b"");
        line.send(&rest);
    };
    let mut notes = Notes::default();
    outcome(&mut notes, play).unwrap();
    assert_eq!((notes.body.len(), notes.flushes, notes.last), (SLOT + 10, 1, true));
    assert!(notes.body[..SLOT].iter().all(|byte| *byte == b'a'));
    assert!(notes.body.ends_with(b"betweenend"));
    assert!(is_free(&area, 31) && is_free(&area, 0));
}

#[test]
fn what_stays_in_an_area_is_handed_on_together_and_stays() {
    let (area, fd) = Area::create(c"test", LAYOUT).unwrap();
    let area = Arc::new(area);
    let shared = Arc::clone(&area);
    let play = move |line: &Line, seq: u32| {
        let mut frames = Vec::new();
        let mut push = |kind, flags, payload: &[u8]| {
            frame::push(&mut frames, kind, flags, seq, payload);
        };
        offer(line, seq, &fd);
        let stays = IN_AREA | DATA_STAYS;
        let parts = [b"ab", b"cd"].map(|part| put(&shared, u32::from(part[0]), part));
        for flags in [0, DATA_FLUSH, 0] {
            push(Kind::Data, stays, &parts[0]);
            push(Kind::Data, stays | flags, &parts[1]);
        }
        push(Kind::Data, IN_AREA, &put(&shared, 1, b"goes"));
        (0..10).for_each(|_| push(Kind::Data, stays, &parts[0]));
        push(Kind::End, End::Complete as u16, b"");
        line.send(&frames);
    };
    let mut notes = Notes::default();
    outcome(&mut notes, play).unwrap();
    let expected = [&b"abcd".repeat(3)[..], b"goes", &b"ab".repeat(10)].concat();
    assert_eq!((notes.body, notes.flushes, notes.last), (expected, 1, true));
    // Of the first four, the last are to leave at once; what goes is alone; no more than eight are together.
    assert_eq!(notes.together, [4, 2, 1, 8, 2]);
    assert!(is_free(&area, 1) && !is_free(&area, b'a'.into()) && !is_free(&area, b'c'.into()));
}

#[test]
fn a_slot_is_free_though_the_client_has_gone() {
    let (area, fd) = Area::create(c"test", LAYOUT).unwrap();
    let area = Arc::new(area);
    let shared = Arc::clone(&area);
    let play = move |line: &Line, seq: u32| {
        offer(line, seq, &fd);
        line.frame(Kind::Data, IN_AREA, seq, &put(&shared, 3, b"block"));
    };
    let mut notes = Notes { hangs_up: true, ..Notes::default() };
    outcome(&mut notes, play).unwrap();
    assert!(is_free(&area, 3));
}

#[test]
fn a_body_is_put_where_it_is_wanted() {
    let (area, fd) = Area::create(c"test", LAYOUT).unwrap();
    let play = move |line: &Line, seq: u32| {
        offer(line, seq, &fd);
        let mut body = Vec::new();
        loop {
            let want = Part { length: 4, slot: 5 };
            line.frame(Kind::Want, IN_AREA, seq, &want.encode());
            let (header, payload) = line.receive().unwrap();
            if header.kind == Kind::BodyFailed {
                break;
            }
            assert_eq!((header.kind, header.flags & IN_AREA), (Kind::Body, IN_AREA));
            let part = Part::decode(&payload).unwrap();
            assert_eq!(part.slot, 5);
            area.slot(5, part.length as usize).unwrap().append_to(&mut body);
            if header.flags & BODY_LAST != 0 {
                // Asked once more, it says why there is nothing.
                area.slot(5, 4).unwrap().fill(0, b"kept");
            }
        }
        let mut untouched = Vec::new();
        area.slot(5, 4).unwrap().append_to(&mut untouched);
        assert_eq!(untouched, b"kept");
        line.frame(Kind::Data, 0, seq, &body);
        line.frame(Kind::End, End::Complete as u16, seq, b"");
    };
    let mut notes = Notes { upload: vec![b"abcdef".to_vec(), b"gh".to_vec()], ..Notes::default() };
    outcome(&mut notes, play).unwrap();
    assert_eq!(notes.body, b"abcdefgh");
}

/// What is wrong with what a worker does.
fn fault(play: impl Fn(&Line, u32) + Send + Sync + 'static) -> FrameError {
    match outcome(&mut Notes::default(), play) {
        Err(Trouble::Garbled(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn memory_of_another_kind_is_refused() {
    let file = tempfile::tempfile().unwrap();
    file.set_len((4096 + SLOTS * SLOT) as u64).unwrap();
    let file = OwnedFd::from(file);
    let (_, small) = Area::create(c"test", Layout { slots: SLOTS - 1, size: SLOT }).unwrap();
    for fd in [file, small] {
        assert_eq!(fault(move |line, seq| offer(line, seq, &fd)), FrameError::Value("area"));
    }
    let none = fault(|line, seq| line.frame(Kind::Area, 0, seq, b""));
    assert_eq!(none, FrameError::Value("descriptor"));
}

#[test]
fn bytes_outside_of_an_area_are_refused() {
    let inside = Part { length: 1, slot: 0 }.encode();
    for kind in [Kind::Data, Kind::Want] {
        let none = fault(move |line, seq| line.frame(kind, IN_AREA, seq, &inside));
        assert_eq!(none, FrameError::Value("area"));
        for (length, slot) in [(1, SLOTS), (SLOT + 1, 0), (0, 0), (1, u32::MAX as usize)] {
            let part = Part { length: length as u32, slot: slot as u32 }.encode();
            let (_, fd) = Area::create(c"test", LAYOUT).unwrap();
            let beyond = fault(move |line, seq| {
                offer(line, seq, &fd);
                line.frame(kind, IN_AREA, seq, &part);
            });
            assert_eq!(beyond, FrameError::Value("part"), "{kind:?} {length} {slot}");
            let (_, fd) = Area::create(c"test", LAYOUT).unwrap();
            let behind = fault(move |line, seq| {
                offer(line, seq, &fd);
                let mut frames = Vec::new();
                for part in [inside, part] {
                    frame::push(&mut frames, Kind::Data, IN_AREA | DATA_STAYS, seq, &part);
                }
                line.send(&frames);
            });
            assert_eq!(behind, FrameError::Value("part"), "behind another: {length} {slot}");
        }
    }
    let (_, fd) = Area::create(c"test", LAYOUT).unwrap();
    let of_another_request = fault(move |line, seq| {
        offer(line, seq, &fd);
        line.frame(Kind::Data, IN_AREA, seq + 1, &inside);
    });
    assert_eq!(of_another_request, FrameError::Value("sequence"));
}
