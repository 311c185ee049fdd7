//! Attacks on the worker's own front door: what each of them begins with, and what has to hold behind it.

use std::path::Path;
use std::time::{Duration, Instant};

use pinion_wire::message::StartSpec;
use pinion_wire::message::http::HttpSpec;

use super::http::Server;

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(30);
/// How much memory an attack may leave behind: what allocators keep, and nothing that grows with its length.
const GROWTH: u64 = 24 << 20;

/// A server under attack.
pub(super) struct Siege {
    pub(super) server: Server,
    memory: u64,
}

impl Siege {
    /// A server that has served each thread's first requests.
    pub(super) fn lay(python: &Path, change: impl FnOnce(&mut StartSpec, &mut HttpSpec)) -> Self {
        Self::around(Server::start(python, change))
    }

    /// The same around a server that was started otherwise.
    pub(super) fn around(server: Server) -> Self {
        for path in ["/hello", "/big", "/generator", "/hello"] {
            assert_eq!(server.ask("GET", path, "", b"").0, 200);
        }
        let memory = memory(server.worker.pid);
        Self { server, memory }
    }

    /// Asserts that all of the attack is over: a new client is served, no connection is left, the process rests, and has its memory
    /// back.
    pub(super) fn is_survived(&self) {
        self.is_survived_with(GROWTH);
    }

    /// As [`Siege::is_survived`], where the attack may have left so much memory behind.
    pub(super) fn is_survived_with(&self, growth: u64) {
        assert_eq!(self.server.text("/hello"), "Hello, world!");
        until("all connections are closed", || self.server.worker.open() == 0);
        self.is_calm();
        let now = memory(self.server.worker.pid);
        assert!(now <= self.memory + growth, "{} bytes before, {now} behind", self.memory);
    }

    /// Waits until the process does next to nothing for a while, as one does that waits for clients.
    pub(super) fn is_calm(&self) {
        let pid = self.server.worker.pid;
        until("the process rests", || {
            let before = ticks(pid);
            std::thread::sleep(Duration::from_millis(200));
            // Of 20 there are at the usual 100 a second.
            ticks(pid) - before <= 2
        });
    }

    /// How many threads run a request.
    pub(super) fn running(&self) -> usize {
        self.server.worker.begun().len()
    }
}

/// Waits until `condition` holds.
pub(super) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The memory that a process has in use, in bytes.
pub(super) fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// How long a process has run, in the system's ticks.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold blanks: utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
