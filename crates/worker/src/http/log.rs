//! The access log. Serving threads put lines together and never wait for whoever reads them: a thread of the log's own writes what
//! has come together in a moment, by as few calls as there can be.
//!
//! A line is never written in parts between those of another worker: a file is opened for appending, and a pipe takes what is no longer
//! than `PIPE_BUF` in one piece. A worker that is killed takes the lines of the last moment with it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::stat::{SFlag, fstat};
use pinion_http::access::{LONGEST, Lines, Record, Room, Stamp, whole_lines};
use pinion_unix::clock;
use pinion_wire::message::http::AccessFormat;

use crate::worker::Worker;

/// How long lines are gathered.
const MOMENT: Duration = Duration::from_millis(10);
/// How many bytes of lines may wait; more are lost.
const MOST: usize = 1024 * 1024;
/// How long a worker that ends waits for its last lines to be written.
const LAST: Duration = Duration::from_secs(1);

/// The access log.
pub(super) struct AccessLog {
    descriptor: OwnedFd,
    lines: Lines,
    /// The most bytes of one write.
    longest: usize,
    pid: u32,
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread is writing.
    is_busy: bool,
    /// How many lines were lost since somebody was told.
    lost: u64,
}

/// What a thread writes lines with.
#[derive(Debug)]
pub(super) struct Scribe {
    line: Vec<u8>,
    stamp: Stamp,
}

impl Default for Scribe {
    fn default() -> Self {
        Self { line: Vec::new(), stamp: Stamp::new(0, 0) }
    }
}

impl AccessLog {
    /// A log in this format.
    pub(super) fn new(descriptor: OwnedFd, format: AccessFormat) -> Self {
        let is_file = |mode| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        let is_file = fstat(&descriptor).is_ok_and(|stat| is_file(stat.st_mode));
        let (room, longest) =
            if is_file { (Room::FILE, usize::MAX) } else { (Room::PIPE, LONGEST) };
        Self {
            descriptor,
            lines: Lines { format, room },
            longest,
            pid: std::process::id(),
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Notes a request that was begun at `begun`, nanoseconds of the monotonic clock, and has been answered now.
    pub(super) fn note(&self, scribe: &mut Scribe, record: Record<'_>, begun: u64) {
        let took = Duration::from_nanos(clock::monotonic_ns().saturating_sub(begun));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = now.saturating_sub(took);
        let record = Record {
            micros: start.subsec_micros(),
            duration: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            pid: self.pid,
            ..record
        };
        scribe.line.clear();
        let stamp = scribe.stamp.at(start.as_secs(), clock::zone_offset);
        self.lines.push(&record, stamp, &mut scribe.line);
        self.add(&scribe.line);
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > MOST {
            state.lost += 1;
            return;
        }
        let is_first = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if is_first {
            self.filled.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread.
    pub(super) fn start(&'static self, worker: &'static Worker) -> io::Result<()> {
        let builder = std::thread::Builder::new().name("pinion-access-log".to_owned());
        builder.spawn(move || self.keep(worker)).map(drop)
    }

    fn keep(&self, worker: &Worker) {
        let mut batch = Vec::new();
        loop {
            let is_empty = |state: &mut State| state.waiting.is_empty();
            let waited = self.filled.wait_while(self.state(), is_empty);
            drop(waited);
            std::thread::sleep(MOMENT);
            let mut state = self.state();
            batch.clear();
            std::mem::swap(&mut batch, &mut state.waiting);
            state.is_busy = true;
            let lost = std::mem::take(&mut state.lost);
            drop(state);
            complain(worker, &self.write(&batch), lost);
            self.state().is_busy = false;
            self.emptied.notify_all();
        }
    }

    /// Writes lines; the number of those that were not written, and why.
    fn write(&self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut rest = lines;
        while !rest.is_empty() {
            let end = whole_lines(rest, self.longest);
            match nix::unistd::write(&self.descriptor, &rest[..end]) {
                Ok(written) => rest = &rest[written..],
                Err(nix::errno::Errno::EINTR) => {}
                // A descriptor that others have made non-blocking.
                Err(nix::errno::Errno::EAGAIN) => {
                    let _ = pinion_unix::sockets::writable(
                        std::os::fd::AsFd::as_fd(&self.descriptor),
                        None,
                    );
                }
                Err(error) => {
                    let lost = rest.iter().filter(|byte| **byte == b'\n').count();
                    return Err((lost, error.into()));
                }
            }
        }
        Ok(())
    }

    /// Waits for what has been noted to be written, a moment at most.
    pub(super) fn finish(&self) {
        let is_left = |state: &mut State| state.is_busy || !state.waiting.is_empty();
        drop(self.emptied.wait_timeout_while(self.state(), LAST, is_left));
    }
}

fn complain(worker: &Worker, written: &Result<(), (usize, io::Error)>, lost: u64) {
    if let Err((lost, error)) = written {
        worker.log(3, &format!("cannot write the access log, {lost} lines are lost: {error}"));
    }
    if lost > 0 {
        worker.log(
            4,
            &format!("{lost} lines of the access log are lost: whoever reads it is too slow"),
        );
    }
}
