//! Processes as `/proc` shows them.

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::collections::BTreeSet;

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// The process id.
    pub pid: i32,
    /// Its parent's id when it was looked at.
    pub parent: i32,
    /// Start time in clock ticks since boot.
    started: u64,
    /// Its command line, or its name where it has none.
    pub command: String,
}

impl Process {
    /// The living process `pid`; none for a zombie.
    pub fn find(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold spaces and parentheses, so fields count from the last one.
        let (head, tail) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        if matches!(fields.first(), Some(&("Z" | "X"))) {
            return None;
        }
        let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&cmdline).replace('\0', " ").trim().to_owned();
        let name = head.split_once('(').map_or("", |(_, name)| name);
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            command: if command.is_empty() { name.to_owned() } else { command },
        })
    }

    /// Whether this very process still runs.
    pub fn alive(&self) -> bool {
        Self::find(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Sends it a signal, if it is still the same process.
    pub fn signal(&self, signal: Signal) {
        if self.alive() {
            // It may end between the look and the call; then there is nothing left to do.
            let _ = signal::kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Kills it at once, as `kill -9` does, if it is still the same process.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// The effective user's id.
    pub fn user(&self) -> Option<u32> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(format!("/proc/{}", self.pid)).ok().map(|meta| meta.uid())
    }
}

/// How many threads of a process wait for their turn: those with `SCHED_BATCH` (sched(7)), which is 3 in the 41st field of their
/// `stat` (proc(5)). None of a process that has ended.
pub fn threads_in_batch(pid: i32) -> usize {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let waits = |stat: String| {
        let (_, tail) = stat.rsplit_once(") ")?;
        (tail.split(' ').nth(41 - 3) == Some("3")).then_some(())
    };
    let stats =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats.filter_map(waits).count()
}

/// All living processes.
pub fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::find)
        .collect()
}

/// The living descendants of `root`, without itself.
pub fn descendants(root: i32) -> Vec<Process> {
    let processes = all();
    let mut known = BTreeSet::from([root]);
    loop {
        let children: Vec<i32> = processes
            .iter()
            .filter(|process| known.contains(&process.parent) && !known.contains(&process.pid))
            .map(|process| process.pid)
            .collect();
        if children.is_empty() {
            break;
        }
        known.extend(children);
    }
    processes.into_iter().filter(|p| p.pid != root && known.contains(&p.pid)).collect()
}

/// The living processes whose environment holds `NAME=VALUE`, however they were reparented.
pub fn with_environment(name: &str, value: &str) -> Vec<Process> {
    let wanted = format!("{name}={value}");
    all()
        .into_iter()
        .filter(|process| {
            std::fs::read(format!("/proc/{}/environ", process.pid))
                .is_ok_and(|env| env.split(|byte| *byte == 0).any(|v| v == wanted.as_bytes()))
        })
        .collect()
}
