//! Under quick requests one thread leads: it serves all of them. Whatever one of them does then, the others are served by other threads.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use pinion_testbed::process;
use pinion_wire::frame::{BODY_LAST, REQUEST_IS_ONE_OF_MANY};
use pinion_wire::message::{Rein, StopReason};
use pinion_wire::request::BodyLength;
use pinion_wire::{Kind, frame};

use super::http::{Server, request};
use crate::suite::{Front, Worker, is_free_threaded};

/// So many times in a row all requests that are here at the same time are served by the same thread.
const ROUNDS: usize = 40;

/// Which threads have served requests that were sent at the same time, one of each front door.
fn at_once(fronts: &mut [Front]) -> Vec<String> {
    let all: Vec<_> = fronts.iter_mut().map(|front| front.next_get("/per_thread")).collect();
    fronts.iter().zip(&all).for_each(|(front, bytes)| front.send_bytes(bytes));
    let answers = fronts.iter_mut().map(|front| front.answer(&mut Vec::new()).text());
    answers.map(|text| text.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Sends quick requests until one thread leads; without a GIL none ever does, and what follows is to hold all the same.
fn lead(python: &Path, fronts: &mut [Front]) {
    if is_free_threaded(python) {
        return;
    }
    let end = Instant::now() + Duration::from_secs(60);
    let (mut leader, mut rounds) = (String::new(), 0);
    while rounds < ROUNDS {
        assert!(Instant::now() < end, "no thread leads");
        let names = at_once(fronts);
        let is_same = names.iter().all(|name| *name == names[0]) && names[0] == leader;
        rounds = if is_same { rounds + 1 } else { 0 };
        leader.clone_from(&names[0]);
    }
}

/// A worker of `threads` threads, of which one leads, and front doors.
fn led(python: &Path, threads: u32) -> (Worker, Vec<Front>) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.threads = threads);
    let mut fronts: Vec<_> = (0..4).map(|_| worker.connect()).collect();
    lead(python, &mut fronts);
    (worker, fronts)
}

/// Requests that wait keep nobody from the others, and when they have ended, one thread leads again.
pub(super) fn requests_that_wait(python: &Path) {
    let (worker, mut fronts) = led(python, 4);
    let mut waiting: Vec<_> = fronts.drain(..3).collect();
    for (number, front) in waiting.iter_mut().enumerate() {
        let go = worker.folder.path().join(number.to_string());
        front.send("GET", &format!("/wait?path={}", go.display()), BodyLength::Known(0), b"");
        for _ in 0..20 {
            assert_eq!(fronts[0].get("/hello").text(), "Hello, world!");
        }
        // Some of them wait while one thread leads those that are left.
        for _ in 0..400 {
            assert_eq!(fronts[0].get("/hello").text(), "Hello, world!");
        }
    }
    for (number, front) in waiting.iter_mut().enumerate() {
        File::create(worker.folder.path().join(number.to_string())).unwrap();
        assert_eq!(front.answer(&mut Vec::new()).text(), "waited");
    }
    fronts.append(&mut waiting);
    lead(python, &mut fronts);
}

/// Under load, the thread that leads waits for its turn and says so, until requests wait for something.
pub(super) fn scheduling(python: &Path) {
    if is_free_threaded(python) {
        // There, no thread leads.
        return;
    }
    let (worker, mut fronts) = led(python, 4);
    let in_turn = || process::threads_in_batch(i32::try_from(worker.pid).unwrap());
    fronts.iter_mut().for_each(|front| front.flag(REQUEST_IS_ONE_OF_MANY));
    let end = Instant::now() + Duration::from_secs(60);
    while !(fronts[0].get("/hello").under_load && in_turn() == 1) {
        assert!(Instant::now() < end, "no thread says that it is under load");
        for _ in 0..20 {
            at_once(&mut fronts);
        }
    }
    let go = worker.folder.path().join("go");
    let mut waiting = fronts.pop().unwrap();
    waiting.send("GET", &format!("/wait?path={}", go.display()), BodyLength::Known(0), b"");
    // The next request is served when another thread leads, or none does.
    fronts[0].get("/hello");
    File::create(go).unwrap();
    assert_eq!(waiting.answer(&mut Vec::new()).text(), "waited");
    while in_turn() > 0 {
        assert!(Instant::now() < end, "a thread waits for its turn for ever");
        fronts.iter_mut().for_each(|front| front.flag(0));
        assert_eq!(fronts[0].get("/hello").text(), "Hello, world!");
    }
    assert!(!fronts[0].get("/hello").under_load);
}

/// Neither does a client that does not send its body.
pub(super) fn a_body_that_does_not_come(python: &Path) {
    let (worker, mut fronts) = led(python, 2);
    let mut slow = fronts.pop().unwrap();
    slow.send("POST", "/count", BodyLength::Known(3), b"");
    for front in &mut fronts {
        for _ in 0..200 {
            assert_eq!(front.get("/hello").text(), "Hello, world!");
        }
    }
    slow.frame_of(Kind::Want);
    let mut bytes = Vec::new();
    frame::push(&mut bytes, Kind::Body, BODY_LAST, slow.seq(), b"abc");
    slow.send_bytes(&bytes);
    assert_eq!(slow.answer(&mut Vec::new()).text(), "3");
    worker.tell(&Rein::Stop(StopReason::Shutdown), None);
}

/// Answers that were to leave together leave when the request behind them takes long, and whatever becomes of the worker.
pub(super) fn answers_leave(python: &Path) {
    for threads in [1, 3] {
        let server = Server::start(python, |spec, _| spec.group.threads = threads);
        let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
        let middling = request("GET", "/middling", "", b"");
        let mut was_quick = false;
        for round in 0..6 {
            for _ in 0..60 {
                clients.iter_mut().for_each(|client| client.send(&middling).unwrap());
                for client in &mut clients {
                    assert_eq!(client.answer("GET").unwrap().body, b"7998000");
                }
            }
            let go = server.worker.folder.path().join(format!("{threads}-{round}"));
            let wait = request("GET", &format!("/wait?path={}", go.display()), "", b"");
            let (last, others) = clients.split_last_mut().unwrap();
            let start = Instant::now();
            others.iter_mut().for_each(|client| client.send(&middling).unwrap());
            last.send(wait).unwrap();
            for client in others {
                assert_eq!(client.answer("GET").unwrap().body, b"7998000");
            }
            was_quick |= start.elapsed() < Duration::from_millis(100);
            File::create(go).unwrap();
            assert_eq!(last.answer("GET").unwrap().body, b"waited");
        }
        // Where another thread lets them go, the system does not have to.
        assert!(was_quick || threads == 1);
        if threads > 1 {
            // Requests beside the one that ends the process may not be over.
            continue;
        }
        let (last, others) = clients.split_last_mut().unwrap();
        others.iter_mut().for_each(|client| client.send(&middling).unwrap());
        last.send(request("GET", "/vanish", "", b"")).unwrap();
        for client in others {
            assert_eq!(client.answer("GET").unwrap().body, b"7998000");
        }
    }
}
