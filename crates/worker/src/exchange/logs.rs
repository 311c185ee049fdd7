//! What a request logs, and where to.

use std::sync::MutexGuard;

use pinion_wire::Kind;
use pinion_wire::answer::{self, LogRef};
use pyo3::prelude::*;

use super::{ERROR, Exchange, Peer, Place, State};
use crate::worker::worker;

impl Exchange {
    /// Takes text that the application writes; whole lines are sent at once, for the worker may die any moment.
    /// False when the request is over.
    pub(crate) fn write(&self, py: Python<'_>, place: Place, text: &[u8]) -> bool {
        if !self.is_open() {
            return false;
        }
        let mut state = self.state(py);
        let State { response, lines, .. } = &mut *state;
        let before = response.logged();
        lines[place as usize].write(text, |line| response.push_log(ERROR, line));
        if response.logged() > before {
            self.flush_logs(py, state);
        }
        true
    }

    /// Ends the unfinished line of a place.
    pub(crate) fn flush_line(&self, py: Python<'_>, place: Place) {
        let mut state = self.state(py);
        let State { response, lines, .. } = &mut *state;
        let before = response.logged();
        lines[place as usize].finish(|line| response.push_log(ERROR, line));
        if response.logged() > before {
            self.flush_logs(py, state);
        }
    }

    fn flush_logs(&self, py: Python<'_>, mut state: MutexGuard<'_, State>) {
        let response = &mut state.response;
        if let Some(logs) = response.take_logs() {
            drop(state);
            return log_elsewhere(py, &logs);
        }
        match self.peer().filter(|_| !self.is_gone()) {
            Some(Peer::Front(_)) => {
                // When the front door has gone, so has the log of its virtual host.
                let _ = self.flush(py, response);
            }
            _ => {
                let frames = std::mem::take(&mut response.frames);
                drop(state);
                log_elsewhere(py, &frames);
            }
        }
    }

    /// Adds many lines to what is sent next. Without a front door, they are kept ([`Exchange::take_trouble`]).
    pub(crate) fn log(&self, py: Python<'_>, level: u8, text: &str) {
        let mut state = self.state(py);
        if !self.has_peer() {
            state.trouble.push_str(text);
            state.trouble.push('\n');
            return;
        }
        for line in text.lines() {
            state.response.push_log(level, line.as_bytes());
        }
    }

    /// As [`Exchange::log`], at once, with the line of source where it was logged.
    pub(crate) fn log_now(&self, py: Python<'_>, level: u8, place: answer::Place<'_>, text: &str) {
        if !self.has_peer() {
            return self.log(py, level, text);
        }
        let mut state = self.state(py);
        for line in text.lines() {
            state.response.push_placed_log(level, place, line.as_bytes());
        }
        self.flush_logs(py, state);
    }

    /// What was logged about a request that has no front door.
    pub(crate) fn take_trouble(&self, py: Python<'_>) -> String {
        std::mem::take(&mut self.state(py).trouble)
    }
}

/// Logs the Log frames among `frames` without the front door.
pub(super) fn log_elsewhere(py: Python<'_>, mut frames: &[u8]) {
    let Some(worker) = worker() else { return };
    py.detach(|| {
        while let Ok(Some((header, payload, used))) = pinion_wire::Header::split(frames) {
            if let (Kind::Log, Ok(log)) = (header.kind, LogRef::decode(header.flags, payload)) {
                worker.log(log.level, &String::from_utf8_lossy(log.text));
            }
            frames = &frames[used..];
        }
    });
}
