//! What `scoreboard.h` declares, as far as it is read: the beginnings of its structures.
//!
//! Versions of 2.4 have appended to them, so their sizes say nothing; httpd hands out pointers to single entries.
#![allow(non_camel_case_types, reason = "the names of the C headers")]

use core::ffi::{c_char, c_int, c_long, c_uchar, c_ulong, c_ushort};

use crate::{apr_off_t, apr_time_t, pid_t};

/// `ap_generation_t`.
pub type ap_generation_t = c_int;

/// The beginning of `global_score`.
#[repr(C)]
pub struct global_score {
    /// How many processes the scoreboard has room for.
    pub server_limit: c_int,
    /// How many threads of each.
    pub thread_limit: c_int,
    /// The generation of the processes that serve.
    pub running_generation: ap_generation_t,
    /// When the server was started or restarted.
    pub restart_time: apr_time_t,
}

/// The beginning of `process_score`.
#[repr(C)]
pub struct process_score {
    /// The process; 0 where there is none.
    pub pid: pid_t,
    /// The generation that it belongs to.
    pub generation: ap_generation_t,
    /// Not 0 where it is going down.
    pub quiescing: c_char,
}

/// The beginning of `worker_score`.
#[repr(C)]
pub struct worker_score {
    /// The thread, `apr_os_thread_t`.
    pub tid: c_ulong,
    /// Its number.
    pub thread_num: c_int,
    /// Its process, with some MPMs.
    pub pid: pid_t,
    /// The generation of its process, with some MPMs.
    pub generation: ap_generation_t,
    /// One of `SERVER_DEAD` (0) to `SERVER_IDLE_KILL` (10).
    pub status: c_uchar,
    /// Requests of the connection.
    pub conn_count: c_ushort,
    /// Bytes of the connection.
    pub conn_bytes: apr_off_t,
    /// Requests since the server's start.
    pub access_count: c_ulong,
    /// Bytes since the server's start.
    pub bytes_served: apr_off_t,
    /// Requests since the process's start.
    pub my_access_count: c_ulong,
    /// Bytes since the process's start.
    pub my_bytes_served: apr_off_t,
    /// When its request began.
    pub start_time: apr_time_t,
    /// When its request ended.
    pub stop_time: apr_time_t,
    /// When it did something last.
    pub last_used: apr_time_t,
    /// `struct tms`.
    pub times: [c_long; 4],
    /// The client's address.
    pub client: [c_char; 32],
    /// The request's first line.
    pub request: [c_char; 64],
    /// The virtual host.
    pub vhost: [c_char; 32],
}

unsafe extern "C" {
    /// Whether there is a scoreboard.
    pub fn ap_exists_scoreboard_image() -> c_int;
    /// The server's entry; NULL without a scoreboard.
    pub fn ap_get_scoreboard_global() -> *mut global_score;
    /// A process's entry; NULL for one that is out of range.
    pub fn ap_get_scoreboard_process(process: c_int) -> *mut process_score;
    /// A thread's entry; NULL for one that is out of range.
    pub fn ap_get_scoreboard_worker_from_indexes(
        process: c_int,
        thread: c_int,
    ) -> *mut worker_score;
}
