//! Attacks by numbers: connections that do nothing, more connections than there may be, and no descriptors.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pinion_testbed::raw::Connection;
use pinion_wire::message::http::HttpTimes;

use super::hostile::{Siege, memory, until};
use super::http::request;

/// How many connections do nothing.
const MANY: u64 = 10_000;
/// How much memory of the worker's each of them may cost, in bytes.
const EACH: u64 = 4096;

/// The cases with each Python run at the same time, and this process has only so many descriptors.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How many connections this process can have, up to [`MANY`].
fn room() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = MANY + 1000;
    // Who may raises both.
    if setrlimit(Resource::RLIMIT_NOFILE, wanted.max(hard), wanted.max(hard)).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    }
    MANY.min(hard.max(2000) - 1000)
}

/// They cost little memory and no time, and others are served as before.
pub(super) fn ten_thousand_idle_connections_are_kept(python: &Path) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let many = room();
    let siege = Siege::lay(python, |_, http| http.times = HttpTimes { head: 0, body: 0, idle: 0 });
    let before = memory(siege.server.worker.pid);
    let hello = request("GET", "/hello", "", b"");
    let mut idle = Vec::new();
    for number in 0..many {
        let address = Ipv4Addr::new(127, 0, 1, 1 + (number % 20) as u8);
        let mut client = Connection::from(address, None, siege.server.port).unwrap();
        match number % 3 {
            0 => {}
            // One that came in two parts, of which the first had to be kept.
            1 => {
                client.send(&hello[..10]).unwrap();
                client.send(&hello[10..]).unwrap();
                assert_eq!(client.answer("GET").unwrap().status, 200);
            }
            _ => client.send(&hello[..10]).unwrap(),
        }
        idle.push(client);
    }
    until("all are accepted", || siege.server.worker.open() == many);
    siege.is_calm();
    let now = memory(siege.server.worker.pid);
    assert!(now < before + many * EACH + (8 << 20), "{before} before, {now} with {many}");
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(siege.server.text("/hello"), "Hello, world!");
    }
    assert!(start.elapsed().as_secs() < 10, "others wait: {:?}", start.elapsed());
    // Each of them is served still.
    for client in idle.iter_mut().skip(2).step_by(300) {
        client.send(&hello[10..]).unwrap();
        assert_eq!(client.answer("GET").unwrap().status, 200);
    }
    drop(idle);
    siege.is_survived();
}

/// What is beyond the limit waits, and is served when others leave.
pub(super) fn connections_beyond_the_limit_wait(python: &Path) {
    let siege = Siege::lay(python, |_, http| {
        http.limits.connections = 5;
        http.times = HttpTimes { head: 0, body: 0, idle: 0 };
    });
    let hello = request("GET", "/hello", "", b"");
    until("those from before are gone", || siege.server.worker.open() == 0);
    let mut inside: Vec<_> = (0..5).map(|_| siege.server.connect()).collect();
    until("they are accepted", || siege.server.worker.open() == 5);
    let mut outside: Vec<_> = (0..20).map(|_| siege.server.connect()).collect();
    for client in &mut outside {
        client.send(&hello).unwrap();
    }
    siege.server.worker.log("others wait");
    siege.is_calm();
    for client in &mut inside {
        client.send(&hello).unwrap();
        assert_eq!(client.answer("GET").unwrap().status, 200);
    }
    assert!(siege.server.worker.open() <= 6);
    drop(inside);
    for mut client in outside {
        assert_eq!(client.answer("GET").unwrap().status, 200);
    }
    siege.is_survived();
}

/// Where the application uses up all descriptors, nobody is lost, and nothing is tried again and again.
pub(super) fn without_descriptors_clients_wait(python: &Path) {
    let siege = Siege::lay(python, |_, http| http.limits.connections = 100);
    let go = siege.server.worker.folder.path().join("go");
    let mut hoarder = siege.server.connect();
    let path = format!("/descriptors?path={}", go.display());
    hoarder.send(request("GET", &path, "", b"")).unwrap();
    siege.server.worker.log("holding");
    let mut waiting: Vec<_> = (0..10).map(|_| siege.server.connect()).collect();
    for client in &mut waiting {
        client.send(request("GET", "/hello", "", b"")).unwrap();
    }
    siege.server.worker.log("others wait");
    siege.is_calm();
    std::fs::write(go, "").unwrap();
    assert_eq!(hoarder.answer("GET").unwrap().body, b"let go");
    for client in &mut waiting {
        assert_eq!(client.answer("GET").unwrap().body, b"Hello, world!");
    }
    drop((hoarder, waiting));
    siege.is_survived_with(96 << 20);
}
