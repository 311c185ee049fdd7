//! Front doors that say that the next request will be here at once ([`REQUEST_NEXT_IS_NEAR`]): a worker's thread looks for it itself, and the
//! epoll does not watch the connection meanwhile. Whatever comes instead, and whenever, nothing is lost.

use std::path::Path;

use pinion_unix::process::ExitCause;
use pinion_wire::answer::End;
use pinion_wire::frame::REQUEST_NEXT_IS_NEAR;
use pinion_wire::message::{Rein, StopReason};

use super::hostile::until;
use super::http::{Server, request};
use crate::suite::{Front, Worker};

/// How many descriptors a process's epoll watches.
fn watched(pid: u32) -> usize {
    let folder = format!("/proc/{pid}/fd");
    let is_epoll = |number: &String| {
        std::fs::read_link(format!("{folder}/{number}"))
            .is_ok_and(|link| link.to_string_lossy() == "anon_inode:[eventpoll]")
    };
    let all = std::fs::read_dir(&folder).unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let info = |number: String| std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
    names
        .filter(is_epoll)
        .map(|number| info(number).unwrap_or_default().matches("tfd:").count())
        .sum()
}

/// A worker with `threads` threads, and front doors of which each says so; how many descriptors are watched while nothing happens.
fn ready(python: &Path, threads: u32, fronts: usize) -> (Worker, Vec<Front>, usize) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.threads = threads);
    let mut fronts: Vec<_> = (0..fronts).map(|_| worker.connect()).collect();
    for front in &mut fronts {
        assert_eq!(front.get("/hello").text(), "Hello, world!");
        front.flag(REQUEST_NEXT_IS_NEAR);
    }
    let before = watched(worker.pid);
    assert!(before >= fronts.len());
    (worker, fronts, before)
}

/// The connection is watched again behind a look in vain, or the request behind it would wait for ever.
pub(super) fn is_watched_again(python: &Path) {
    for threads in [1, 3] {
        let (worker, mut fronts, before) = ready(python, threads, 2);
        for round in 0..30 {
            let front = &mut fronts[round % 2];
            assert_eq!(front.get("/hello").text(), "Hello, world!");
            if round % 3 == 0 {
                until("it is watched again", || watched(worker.pid) == before);
            }
        }
    }
}

/// What is found by looking is served as well where it is not whole yet.
pub(super) fn parts_are_awaited(python: &Path) {
    for threads in [1, 3] {
        let (_worker, mut fronts, _) = ready(python, threads, 1);
        let front = &mut fronts[0];
        let length = front.next_get("/hello").len();
        for cut in [1, 11, 12, 13, length / 2, length - 1] {
            let bytes = front.next_get("/hello");
            front.send_bytes(&bytes[..cut]);
            front.send_bytes(&bytes[cut..]);
            assert_eq!(front.answer(&mut Vec::new()).end, Some(End::Complete), "{cut}");
        }
    }
}

/// A front door that goes away instead is forgotten, and others are served.
pub(super) fn ends_are_noticed(python: &Path) {
    for threads in [1, 3] {
        let (mut worker, mut fronts, before) = ready(python, threads, 3);
        let gone = fronts.pop().unwrap();
        drop(gone);
        let mut gone = fronts.pop().unwrap();
        assert_eq!(gone.get("/hello").text(), "Hello, world!");
        drop(gone);
        until("both are forgotten", || watched(worker.pid) == before - 2);
        assert_eq!(fronts[0].get("/hello").text(), "Hello, world!");
        // Told to stop while a thread may be looking.
        worker.tell(&Rein::Stop(StopReason::Shutdown), None);
        assert_eq!(worker.wait(), ExitCause::Status(0));
    }
}

/// One front door that always asks again at once does not keep the only thread from others.
pub(super) fn others_are_served(python: &Path) {
    let (_worker, mut fronts, _) = ready(python, 1, 2);
    let mut other = fronts.pop().unwrap();
    let near = &mut fronts[0];
    let next = other.next_get("/hello");
    other.send_bytes(&next);
    for _ in 0..20 {
        assert_eq!(near.get("/hello").text(), "Hello, world!");
    }
    assert_eq!(other.answer(&mut Vec::new()).text(), "Hello, world!");
}

/// How many pages a process had to be given since it began.
fn faults(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold blanks: minflt is field 10.
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// A body of a megabyte takes the memory of the one before, whose pages the process has still.
pub(super) fn memory_is_kept(python: &Path) {
    let server = Server::start(python, |spec, _| spec.group.threads = 1);
    let (mut client, body) = (server.connect(), vec![b'x'; 1 << 20]);
    let mut upload = || {
        client.send(request("POST", "/count", "Content-Length: 1048576\r\n", &body)).unwrap();
        assert_eq!(client.answer("POST").unwrap().body, b"1048576");
    };
    (0..5).for_each(|_| upload());
    let before = faults(server.worker.pid);
    (0..40).for_each(|_| upload());
    // 256 for each, where it is given back.
    let faults = faults(server.worker.pid) - before;
    assert!(faults < 40 * 128, "{faults} pages for 40 bodies");
}
