//! CPU time and memory of an Apache with all that belongs to it.

use std::fs;
use std::time::{Duration, Instant};

use pinion_testbed::Apache;
use pinion_testbed::process::Process;

/// Linux counts CPU time for programs in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);
/// How long the machine is watched for whether it is at rest.
const WATCH: Duration = Duration::from_millis(100);
/// The longest that its rest is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// CPU time used so far, user and system, by Apache, all its processes, and those that ended and
/// were waited for.
pub(super) fn cpu(apache: &Apache) -> Duration {
    let pids = apache.processes().into_iter().map(|process| process.pid);
    cpu_of(&pids.chain([apache.pid()]).collect::<Vec<_>>())
}

/// CPU time used so far by these processes, and by those that they have waited for.
pub(super) fn cpu_of(pids: &[i32]) -> Duration {
    TICK * pids.iter().copied().filter_map(ticks).sum::<u32>()
}

/// utime, stime, cutime and cstime of `/proc/PID/stat` together.
fn ticks(pid: i32) -> Option<u32> {
    ticks_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn ticks_of(stat: &str) -> Option<u32> {
    // The name may hold spaces and parentheses, so fields count from the last one.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().skip(11).take(4).map(|field| field.parse::<u32>().ok()).sum()
}

/// CPU time used so far by everything on the machine, and by this process's ended children (wrk).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Machine {
    busy: Duration,
    client: Duration,
}

impl Machine {
    /// As it is now.
    pub(super) fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let own = i32::try_from(std::process::id()).ok().and_then(ticks);
        Self { busy: TICK * busy(&stat).unwrap_or(0), client: TICK * own.unwrap_or(0) }
    }

    /// Waits until nobody does much any more, such as a server that still ends what its last client has left; but not for ever.
    pub(super) fn settle() {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let before = Self::now();
            std::thread::sleep(WATCH);
            if before.used_by_others(Duration::ZERO) <= TICK {
                return;
            }
        }
    }

    /// What neither the client nor the servers measured, which took `servers`, have used since.
    pub(super) fn used_by_others(self, servers: Duration) -> Duration {
        let now = Self::now();
        (now.busy - self.busy).saturating_sub(now.client - self.client).saturating_sub(servers)
    }
}

/// user, nice, system, irq and softirq of all processors together.
fn busy(stat: &str) -> Option<u32> {
    let fields: Vec<u32> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    [0, 1, 2, 5, 6].iter().map(|field| fields.get(*field).copied()).sum()
}

/// Memory, in bytes; shared pages count in parts (PSS).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// Apache and all its processes.
    pub(super) whole: u64,
    /// Mean of the processes that run Python.
    pub(super) worker: u64,
    /// How many of those there are.
    pub(super) workers: u64,
}

/// Memory now.
pub(super) fn memory(apache: &Apache, python_in_children: bool) -> Memory {
    let processes = apache.processes();
    let pss = |process: &Process| proportional(process.pid).unwrap_or(0);
    let workers: Vec<u64> = if python_in_children {
        processes.iter().filter(|process| process.parent == apache.pid()).map(pss).collect()
    } else {
        workers(&processes).iter().map(pss).collect()
    };
    let count = workers.len() as u64;
    Memory {
        whole: processes.iter().map(pss).sum::<u64>() + proportional(apache.pid()).unwrap_or(0),
        worker: workers.iter().sum::<u64>().checked_div(count).unwrap_or(0),
        workers: count,
    }
}

/// Those of `processes` that run applications of a process group: they carry its display name, or
/// run Python's own program.
pub(crate) fn workers(processes: &[Process]) -> Vec<Process> {
    let is_python = |process: &Process| {
        fs::read_link(format!("/proc/{}/exe", process.pid)).is_ok_and(|program| {
            program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
        })
    };
    let is_worker = |process: &&Process| process.command.contains("(wsgi:") || is_python(process);
    processes.iter().filter(is_worker).cloned().collect()
}

/// Memory of these processes in bytes: shared pages counted in parts (PSS), and in each (RSS).
pub(super) fn memory_of(pids: &[i32]) -> (u64, u64) {
    let sum = |what| pids.iter().filter_map(|pid| resident(*pid, what)).sum();
    (sum("Pss:"), sum("Rss:"))
}

fn proportional(pid: i32) -> Option<u64> {
    resident(pid, "Pss:")
}

fn resident(pid: i32, what: &str) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix(what))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 10 20 3 4 20 0 1 0 900 0 0";
        assert_eq!(ticks_of(stat), Some(37));
    }

    #[test]
    fn idle_time_is_not_busy() {
        assert_eq!(busy("cpu  1 2 3 1000 500 4 5 600 0 0\ncpu0 1 1 1 1\n"), Some(15));
    }

    #[test]
    fn this_process_has_memory_and_a_clock() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(proportional(pid).unwrap() > 100_000);
        assert!(ticks(pid).is_some());
    }
}
