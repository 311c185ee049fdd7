//! The scoreboard: what httpd's processes and threads do, as mod_status shows it.

use core::ffi::{c_char, c_int};

use crate::sys;

/// The scoreboard as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scoreboard {
    /// How many processes it has room for (`ServerLimit`).
    pub server_limit: u32,
    /// How many threads of each (`ThreadLimit`).
    pub thread_limit: u32,
    /// Counts graceful restarts.
    pub generation: i32,
    /// When the server was started or restarted, in microseconds since 1970.
    pub restart_time: i64,
}

/// A process's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessScore {
    /// The process; 0 where there is none.
    pub pid: i32,
    /// The generation that it belongs to.
    pub generation: i32,
    /// Whether it takes no more requests.
    pub quiescing: bool,
}

/// A thread's entry. Times are in microseconds since 1970, 0 for never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadScore {
    /// Its number in its process; 0 while it has not been used.
    pub number: i32,
    /// The generation that it belongs to, where the MPM says so.
    pub generation: i32,
    /// What it does: 0 (`SERVER_DEAD`) to 10 (`SERVER_IDLE_KILL`).
    pub status: u8,
    /// Requests since the server's start; without `ExtendedStatus`, this and what follows stay empty.
    pub requests: u64,
    /// Bytes sent since the server's start.
    pub bytes: i64,
    /// When its last request began.
    pub started: i64,
    /// When its last request ended.
    pub stopped: i64,
    /// When it did something last.
    pub last_used: i64,
    /// The last client's address.
    pub client: Vec<u8>,
    /// The beginning of the last request's first line.
    pub request: Vec<u8>,
    /// The beginning of the virtual host's name.
    pub vhost: Vec<u8>,
}

/// What holds for the whole scoreboard; `None` where httpd has none.
#[must_use]
pub fn scoreboard() -> Option<Scoreboard> {
    // SAFETY: httpd may be asked at any time.
    if unsafe { sys::ap_exists_scoreboard_image() } == 0 {
        return None;
    }
    // SAFETY: there is a scoreboard.
    let global = unsafe { sys::ap_get_scoreboard_global() };
    if global.is_null() {
        return None;
    }
    // SAFETY: httpd keeps the scoreboard mapped for as long as a process runs; all is plain numbers, which other
    // processes write: a volatile read takes them as they are.
    let global = unsafe { global.read_volatile() };
    Some(Scoreboard {
        server_limit: u32::try_from(global.server_limit).unwrap_or(0),
        thread_limit: u32::try_from(global.thread_limit).unwrap_or(0),
        generation: global.running_generation,
        restart_time: global.restart_time,
    })
}

impl Scoreboard {
    /// The entry of process number `process`, from 0.
    #[must_use]
    pub fn process(&self, process: u32) -> Option<ProcessScore> {
        let process = index(process, self.server_limit)?;
        // SAFETY: there is a scoreboard, and the number is in its range.
        let score = unsafe { sys::ap_get_scoreboard_process(process) };
        if score.is_null() {
            return None;
        }
        // SAFETY: as in `scoreboard`.
        let score = unsafe { score.read_volatile() };
        Some(ProcessScore {
            pid: score.pid,
            generation: score.generation,
            quiescing: score.quiescing != 0,
        })
    }

    /// The entry of thread number `thread` of process number `process`, both from 0.
    #[must_use]
    pub fn thread(&self, process: u32, thread: u32) -> Option<ThreadScore> {
        let (process, thread) =
            (index(process, self.server_limit)?, index(thread, self.thread_limit)?);
        // SAFETY: there is a scoreboard, and the numbers are in its range.
        let score = unsafe { sys::ap_get_scoreboard_worker_from_indexes(process, thread) };
        if score.is_null() {
            return None;
        }
        // SAFETY: as in `scoreboard`.
        let score = unsafe { score.read_volatile() };
        Some(ThreadScore {
            number: score.thread_num,
            generation: score.generation,
            status: score.status,
            requests: score.access_count,
            bytes: score.bytes_served,
            started: score.start_time,
            stopped: score.stop_time,
            last_used: score.last_used,
            client: text(&score.client),
            request: text(&score.request),
            vhost: text(&score.vhost),
        })
    }
}

fn index(number: u32, limit: u32) -> Option<c_int> {
    c_int::try_from(number).ok().filter(|_| number < limit)
}

/// The text up to its NUL, which may be missing while another process writes.
fn text(field: &[c_char]) -> Vec<u8> {
    field.iter().take_while(|byte| **byte != 0).map(|byte| byte.to_ne_bytes()[0]).collect()
}
