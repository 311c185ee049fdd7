//! What the front door does with what workers do, and with workers that do what they must not.

mod areas;
mod staff;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use pinion_front::{Outcome, Trouble};
use pinion_wire::{
    FrameError, Header, Kind,
    answer::{self, End, FilePart},
    board::{Board, Claim},
    frame::{
        self, BODY_LAST, DATA_FLUSH, END_UNDER_LOAD, REQUEST_IS_ONE_OF_MANY, REQUEST_MAY_RELOAD,
    },
    message::{InquireReply, Timeouts, Until},
    request::RequestRef,
};
use staff::{Line, Notes, dead, serve, serve_flagged, stage};

const NO_TIMEOUTS: Timeouts = Timeouts {
    restart_interval: 0,
    request: 0,
    queue: 0,
    startup: 0,
    graceful: 0,
    shutdown: 0,
    socket: 0,
    connect: 0,
    interrupt: 0,
    deadlock: 0,
    inactivity: 0,
    eviction: 0,
};

/// Head, one block and the end, as a worker sends them at once.
fn answer(seq: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    answer::push_head(&mut out, seq, 200, b"OK", [(&b"X"[..], &b"y"[..])]);
    frame::push(&mut out, Kind::Data, 0, seq, body);
    frame::push(&mut out, Kind::End, End::Complete as u16, seq, b"");
    out
}

/// Answers every request of a connection.
fn answer_all(line: &Line, body: &[u8]) {
    while let Some((header, payload)) = line.receive() {
        assert!(RequestRef::decode(&payload).is_ok_and(|request| request.queued_ns > 0));
        line.send(&answer(header.seq, body));
    }
}

fn alive(_ended: bool) -> InquireReply {
    InquireReply::Waiting
}

#[test]
fn an_answer_is_handed_on_and_the_connection_used_again() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let play = move |_, line: Line| {
        count.fetch_add(1, Ordering::SeqCst);
        answer_all(&line, b"hello");
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    for _ in 0..10 {
        let mut notes = Notes::default();
        assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
        assert_eq!((notes.status, &notes.body[..], notes.last), (Some(200), &b"hello"[..], true));
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1);
}

#[test]
fn an_answer_may_come_byte_by_byte() {
    let play = |_, line: Line| {
        let Some((header, _)) = line.receive() else { return };
        for byte in answer(header.seq, b"slow") {
            line.send(&[byte]);
        }
        line.receive();
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let mut notes = Notes::default();
    assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
    assert_eq!(notes.body, b"slow");
}

#[test]
fn blocks_larger_than_any_buffer_arrive_whole() {
    let block: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let sent = block.clone();
    let play = move |_, line: Line| answer_all(&line, &sent);
    let stage = stage(NO_TIMEOUTS, play, alive);
    let mut notes = Notes::default();
    assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
    assert!(notes.body == block, "{} bytes came", notes.body.len());
}

#[test]
fn parts_that_are_here_together_are_flushed_once_and_none_waits_for_a_later_one() {
    let play = |_, line: Line| {
        let Some((Header { seq, .. }, _)) = line.receive() else { return };
        let mut out = Vec::new();
        answer::push_head(&mut out, seq, 200, b"OK", []);
        for (flags, part) in [(DATA_FLUSH, b"one,"), (DATA_FLUSH, b"two,"), (0, b"six,")] {
            frame::push(&mut out, Kind::Data, flags, seq, part);
        }
        frame::push(&mut out, Kind::Want, 0, seq, &1_u32.to_le_bytes());
        line.send(&out);
        // The answer comes when all before was handed on.
        line.receive();
        line.frame(Kind::Data, DATA_FLUSH, seq, b"last");
        line.frame(Kind::End, End::Complete as u16, seq, b"");
        line.receive();
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let mut notes = Notes { upload: vec![b"x".to_vec()], ..Notes::default() };
    assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
    assert_eq!((&notes.body[..], notes.joined, notes.flushes), (&b"one,two,six,last"[..], 2, 2));
}

#[test]
fn what_the_worker_says_of_its_load_is_handed_on_and_changes_nothing_else() {
    for load in [END_UNDER_LOAD, 0] {
        let play = move |_, line: Line| {
            while let Some((Header { seq, .. }, _)) = line.receive() {
                let mut out = Vec::new();
                answer::push_head(&mut out, seq, 200, b"OK", []);
                frame::push(&mut out, Kind::Data, 0, seq, b"body");
                frame::push(&mut out, Kind::End, End::Complete as u16 | load, seq, b"");
                line.send(&out);
            }
        };
        let stage = stage(NO_TIMEOUTS, play, alive);
        let mut notes = Notes::default();
        assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
        assert_eq!((&notes.body[..], notes.last), (&b"body"[..], true));
        assert_eq!(notes.under_load, Some(load != 0));
    }
}

#[test]
fn a_request_says_whether_its_worker_has_many() {
    let play = |_, line: Line| {
        while let Some((header, _)) = line.receive() {
            let is_one_of_many = header.flags & REQUEST_IS_ONE_OF_MANY != 0;
            line.send(&answer(header.seq, if is_one_of_many { b"many" } else { b"few" }));
        }
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let board = Board::new(stage.board.words()).unwrap();
    let mut others = Vec::new();
    let said = || {
        let mut notes = Notes::default();
        serve(&stage, true, &mut notes);
        String::from_utf8(notes.body).unwrap()
    };
    // So many others at each of the two workers.
    for (count, expected) in [(0, "few"), (3, "few"), (4, "many"), (9, "many")] {
        while others.len() < 2 * count {
            others.push(Claim::take(board, None, others.len() % 2).unwrap());
        }
        assert_eq!(said(), expected, "{count}");
    }
    others.into_iter().for_each(|claim| claim.release(board, None));
    assert_eq!(said(), "few");
}

#[test]
fn logs_flushes_and_files_are_handed_on_in_order() {
    let play = |_, line: Line| {
        let Some((Header { seq, .. }, _)) = line.receive() else { return };
        line.frame(Kind::Log, 3, seq, b"first");
        let mut head = Vec::new();
        answer::push_head(&mut head, seq, 200, b"OK", []);
        line.send(&head);
        line.frame(Kind::Data, DATA_FLUSH, seq, b"block,");
        let file = tempfile::tempfile().unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"0123456789", 0).unwrap();
        let mut part = Vec::new();
        let payload = FilePart { offset: 2, length: 3 }.encode();
        frame::push(&mut part, Kind::File, 0, seq, &payload);
        line.send_file(&part, &file.into());
        line.frame(Kind::End, End::Complete as u16, seq, b"");
        line.receive();
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let mut notes = Notes::default();
    assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
    assert_eq!((&notes.body[..], notes.flushes), (&b"block,234"[..], 1));
    assert_eq!(notes.log, ["3 first"]);
}

#[test]
fn the_body_is_read_when_it_is_wanted() {
    let play = |_, line: Line| {
        let Some((Header { seq, .. }, _)) = line.receive() else { return };
        let mut body = Vec::new();
        loop {
            line.frame(Kind::Want, 0, seq, &4_u32.to_le_bytes());
            let (header, payload) = line.receive().unwrap();
            assert_eq!((header.kind, header.seq), (Kind::Body, seq));
            body.extend(payload);
            if header.flags & BODY_LAST != 0 {
                break;
            }
        }
        line.send(&answer(seq, &body));
        line.receive();
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let mut notes = Notes { upload: vec![b"abcdef".to_vec(), b"gh".to_vec()], ..Notes::default() };
    assert!(matches!(serve(&stage, false, &mut notes), Outcome::Done(End::Complete)));
    assert_eq!(notes.body, b"abcdefgh");
}

#[test]
fn a_body_that_breaks_off_is_told() {
    let play = |_, line: Line| {
        let Some((Header { seq, .. }, _)) = line.receive() else { return };
        line.frame(Kind::Want, 0, seq, &4_u32.to_le_bytes());
        let (header, payload) = line.receive().unwrap();
        assert_eq!((header.kind, &payload[..]), (Kind::BodyFailed, &b"gone"[..]));
        line.frame(Kind::End, End::BodyFailed as u16, seq, b"");
        line.receive();
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let outcome = serve(&stage, false, &mut Notes::default());
    assert!(matches!(outcome, Outcome::Done(End::BodyFailed)));
}

/// The first worker dies at `point` of a request, the second answers.
fn killed_at(point: fn(&Line, u32), begun: bool, repeatable: bool) -> (Outcome, Notes) {
    let play = move |ordinal, line: Line| {
        if ordinal > 0 {
            return answer_all(&line, b"second");
        }
        if let Some((header, _)) = line.receive() {
            point(&line, header.seq);
        }
    };
    let stage = stage(NO_TIMEOUTS, play, move |_| dead(begun));
    let mut notes = Notes::default();
    let outcome = serve(&stage, repeatable, &mut notes);
    (outcome, notes)
}

#[test]
fn what_was_not_begun_goes_to_another_worker_whatever_it_is() {
    let (outcome, notes) = killed_at(|_, _| {}, false, false);
    assert!(matches!(outcome, Outcome::Done(End::Complete)), "{outcome:?}");
    assert_eq!((&notes.body[..], notes.deaths), (&b"second"[..], 0));
}

#[test]
fn where_nobody_took_it_the_manager_is_asked_anew() {
    let play = |ordinal, line: Line| {
        if ordinal > 0 {
            answer_all(&line, b"second");
        }
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let outcome = serve(&stage, false, &mut Notes::default());
    assert!(matches!(outcome, Outcome::Done(End::Complete)), "{outcome:?}");
    assert_eq!(*stage.acquired.lock().unwrap(), [Until::Ready, Until::Ready]);
}

#[test]
fn what_was_begun_goes_to_another_worker_if_it_may_be_repeated() {
    let (outcome, notes) = killed_at(|_, _| {}, true, true);
    assert!(matches!(outcome, Outcome::Done(End::Complete)), "{outcome:?}");
    assert_eq!((&notes.body[..], notes.deaths), (&b"second"[..], 1));
    let (outcome, notes) = killed_at(|_, _| {}, true, false);
    assert!(matches!(outcome, Outcome::Trouble(Trouble::Died(_))), "{outcome:?}");
    assert_eq!((notes.status, notes.deaths), (None, 1));
}

#[test]
fn what_has_logged_counts_as_begun_whatever_the_manager_knows() {
    let (outcome, _) = killed_at(|line, seq| line.frame(Kind::Log, 3, seq, b"x"), false, false);
    assert!(matches!(outcome, Outcome::Trouble(Trouble::Died(_))), "{outcome:?}");
}

#[test]
fn what_has_answered_is_never_repeated() {
    let point = |line: &Line, seq| {
        let whole = answer(seq, b"half an answer");
        line.send(&whole[..whole.len() - Header::SIZE - 5]);
    };
    let (outcome, notes) = killed_at(point, true, true);
    assert!(matches!(outcome, Outcome::Trouble(Trouble::Died(_))), "{outcome:?}");
    assert_eq!((notes.status, &notes.body[..]), (Some(200), &b"half an a"[..]));
}

#[test]
fn a_request_that_kills_two_workers_gets_no_third() {
    let play = |_, line: Line| drop(line.receive());
    let stage = stage(NO_TIMEOUTS, play, |_| dead(true));
    let mut notes = Notes::default();
    let outcome = serve(&stage, true, &mut notes);
    assert!(matches!(outcome, Outcome::Trouble(Trouble::Died(_))), "{outcome:?}");
    assert_eq!(notes.deaths, 2);
}

/// What comes of a worker that sends `bytes` for an answer.
fn garbled(bytes: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> FrameError {
    let play = move |_, line: Line| {
        if let Some((header, _)) = line.receive() {
            line.send(&bytes(header.seq));
            line.receive();
        }
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    match serve(&stage, true, &mut Notes::default()) {
        Outcome::Trouble(Trouble::Garbled(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_that_may_not_come_end_the_connection() {
    let frame = |kind, seq, payload: &[u8]| {
        let mut out = Vec::new();
        frame::push(&mut out, kind, 0, seq, payload);
        out
    };
    let other = garbled(move |seq| frame(Kind::End, seq + 1, b""));
    assert_eq!(other, FrameError::Value("sequence"));
    assert_eq!(
        garbled(move |seq| frame(Kind::Request, seq, b"")),
        FrameError::Unexpected(Kind::Request)
    );
    assert_eq!(garbled(move |seq| frame(Kind::Head, seq, b"\x01")), FrameError::Short("status"));
    assert_eq!(
        garbled(move |seq| frame(Kind::File, seq, &[0; 16])),
        FrameError::Value("descriptor")
    );
    let none = garbled(move |seq| frame(Kind::Want, seq, &0_u32.to_le_bytes()));
    assert_eq!(none, FrameError::Value("want"));
    let version = garbled(move |seq| {
        let mut out = frame(Kind::End, seq, b"");
        out[4] = 99;
        out
    });
    assert_eq!(version, FrameError::Version(99));
    for kind in [Kind::Welcome, Kind::Refused] {
        let late =
            garbled(move |seq| [frame(Kind::Log, seq, b"begun"), frame(kind, 0, &[0; 8])].concat());
        assert_eq!(late, FrameError::Unexpected(kind));
    }
    let giant =
        garbled(|seq| Header { kind: Kind::Log, flags: 3, seq, len: 9_000_000 }.encode().to_vec());
    assert!(matches!(giant, FrameError::TooLong(_)), "{giant:?}");
}

/// What comes of a worker that never answers, when the manager says this of it.
fn silent(timeouts: Timeouts, word: InquireReply) -> Outcome {
    let play = |_, line: Line| {
        line.receive();
        line.receive();
    };
    let stage = stage(timeouts, play, move |_| word.clone());
    serve(&stage, true, &mut Notes::default())
}

#[test]
fn waiting_ends_when_a_time_is_over() {
    let queue = Timeouts { queue: 10, ..NO_TIMEOUTS };
    let outcome = silent(queue, InquireReply::Waiting);
    assert!(matches!(outcome, Outcome::Trouble(Trouble::QueueTimeout)), "{outcome:?}");
    let request = Timeouts { request: 10, ..NO_TIMEOUTS };
    let outcome = silent(request, InquireReply::Running { since_ms: 11 });
    assert!(matches!(outcome, Outcome::Trouble(Trouble::RequestTimeout)), "{outcome:?}");
    let socket = Timeouts { socket: 10, ..NO_TIMEOUTS };
    let outcome = silent(socket, InquireReply::Running { since_ms: 1 });
    assert!(matches!(outcome, Outcome::Trouble(Trouble::SocketTimeout)), "{outcome:?}");
}

#[test]
fn a_client_that_has_gone_ends_the_exchange() {
    let stage = stage(NO_TIMEOUTS, |_, line| answer_all(&line, b"hello"), alive);
    let mut notes = Notes { hangs_up: true, ..Notes::default() };
    assert!(matches!(serve(&stage, true, &mut notes), Outcome::ClientGone));
    let mut notes = Notes::default();
    assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
}

#[test]
fn one_request_reports_a_changed_script() {
    let stage = stage(NO_TIMEOUTS, |_, line| answer_all(&line, b"hello"), alive);
    for _ in 0..3 {
        // The mount on the board says 6, the requests say 5.
        let board = pinion_wire::board::Board::new(stage.board.words()).unwrap();
        if stage.acquired.lock().unwrap().is_empty() {
            board.mount(0).unwrap().set_loaded_mtime(6);
        }
        let mut notes = Notes::default();
        assert!(matches!(serve(&stage, true, &mut notes), Outcome::Done(End::Complete)));
    }
    assert_eq!(*stage.acquired.lock().unwrap(), [Until::Ready, Until::Changed(5)]);
}

#[test]
fn a_worker_that_wants_its_script_loaded_anew_is_replaced_first() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let play = move |_, line: Line| {
        while let Some((header, _)) = line.receive() {
            let may = header.flags & REQUEST_MAY_RELOAD != 0;
            // One that asks again and again, until it is told to stop asking.
            match (may, count.fetch_add(1, Ordering::SeqCst)) {
                (true, 0..9) => line.frame(Kind::End, End::Reload as u16, header.seq, b""),
                _ => line.send(&answer(header.seq, b"at last")),
            }
        }
    };
    let stage = stage(NO_TIMEOUTS, play, alive);
    let mut notes = Notes::default();
    assert!(matches!(serve_flagged(&stage, &mut notes), Outcome::Done(End::Complete)));
    assert_eq!(notes.body, b"at last");
    let acquired = stage.acquired.lock().unwrap();
    assert_eq!(acquired[..2], [Until::Ready, Until::Replaced { slot: 0, epoch: 1 }]);
    assert_eq!((acquired.len(), asked.load(Ordering::SeqCst)), (7, 7));
}

#[test]
fn a_manager_that_was_started_anew_is_greeted_again() {
    let mut stage = stage(NO_TIMEOUTS, |_, line| answer_all(&line, b"hello"), alive);
    assert_eq!(stage.hellos(), 1);
    stage.forget_children();
    // A mount that is not known yet has the front door ask the manager.
    assert!(matches!(serve(&stage, true, &mut Notes::default()), Outcome::Done(End::Complete)));
    assert_eq!(stage.hellos(), 2);
}
