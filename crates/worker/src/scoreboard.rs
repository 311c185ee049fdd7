//! `mod_wsgi.server_metrics`: asking Apache's children for the scoreboard.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinion_unix::sockets::{self, Wait};
use pinion_wire::message;
use pinion_wire::scoreboard::{ASK, Process, Scoreboard, Thread};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::worker::Worker;

/// How long an answer may take. Children of Apache answer at once; there may be none for a moment.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much is received at once.
const PIECE: usize = 64 * 1024;
/// How much an answer may be at most: enough for 20 000 processes of 64 threads.
const MOST: usize = 256 << 20;

/// What stands on Apache's scoreboard; none where this worker may not look at it, or Apache does not tell.
pub(crate) fn report<'py>(
    py: Python<'py>,
    worker: &Worker,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some(questions) = &worker.scoreboard else { return Ok(None) };
    match py.detach(|| ask(questions)) {
        Ok(Some(board)) => server(py, &board).map(Some),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// Asks, and asks again when the child that took the question ended over it.
fn ask(questions: &OwnedFd) -> io::Result<Option<Scoreboard>> {
    for _ in 0..3 {
        let (ours, theirs) = sockets::stream_pair()?;
        sockets::send_message(questions.as_fd(), ASK, &[theirs.as_fd()], Wait::No)?;
        drop(theirs);
        sockets::set_timeouts(ours.as_fd(), Some(PATIENCE), None)?;
        let mut answer = Vec::new();
        while answer.len() < MOST
            && sockets::recv_append(ours.as_fd(), &mut answer, PIECE, Wait::Yes)?.0 > 0
        {}
        if let Ok(board) = message::decode(&answer) {
            return Ok(Some(board));
        }
    }
    Ok(None)
}

/// Seconds since 1970.
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

fn server<'py>(py: Python<'py>, board: &Scoreboard) -> PyResult<Bound<'py, PyDict>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let restarted = seconds(board.restart_time);
    let report = PyDict::new(py);
    report.set_item("server_limit", board.server_limit)?;
    report.set_item("thread_limit", board.thread_limit)?;
    report.set_item("running_generation", board.generation)?;
    report.set_item("restart_time", restarted)?;
    report.set_item("current_time", now)?;
    report.set_item("running_time", (now - restarted) as i64)?;
    let processes = board.processes.iter().enumerate();
    let processes =
        processes.map(|(at, seen)| process(py, at, seen)).collect::<PyResult<Vec<_>>>()?;
    report.set_item("processes", PyList::new(py, processes)?)?;
    Ok(report)
}

fn process<'py>(py: Python<'py>, number: usize, seen: &Process) -> PyResult<Bound<'py, PyDict>> {
    let report = PyDict::new(py);
    report.set_item("process_num", number)?;
    report.set_item("pid", seen.pid)?;
    report.set_item("generation", seen.generation)?;
    report.set_item("quiescing", seen.quiescing)?;
    let threads = seen.threads.iter().map(|seen| thread(py, seen)).collect::<PyResult<Vec<_>>>()?;
    report.set_item("workers", PyList::new(py, threads)?)?;
    Ok(report)
}

fn thread<'py>(py: Python<'py>, seen: &Thread) -> PyResult<Bound<'py, PyDict>> {
    // As environ's: each byte a character.
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let report = PyDict::new(py);
    report.set_item("thread_num", seen.number)?;
    report.set_item("generation", seen.generation)?;
    report.set_item("status", seen.letter())?;
    report.set_item("access_count", seen.requests)?;
    report.set_item("bytes_served", seen.bytes)?;
    report.set_item("start_time", seconds(seen.started))?;
    report.set_item("stop_time", seconds(seen.stopped))?;
    report.set_item("last_used", seconds(seen.last_used))?;
    report.set_item("client", text(&seen.client))?;
    report.set_item("request", text(&seen.request))?;
    report.set_item("vhost", text(&seen.vhost))?;
    Ok(report)
}
