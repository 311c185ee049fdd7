//! Memory, cold starts and graceful restarts of a subject.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use pinion_testbed::http::Client;
use pinion_testbed::{Apache, Error, Server, poll};

use super::calibrate::Rounds;
use super::subject::{Mode, Subject};
use super::usage::{self, Memory};
use crate::failure::Result;
use crate::server::Which;

/// A server that has not answered by then has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// What was measured of a subject's life.
#[derive(Debug)]
pub(super) struct Lifespan {
    /// Whose life.
    pub(super) subject: Subject,
    /// After the load.
    pub(super) memory: Memory,
    /// Milliseconds, one a round.
    pub(super) cold_starts: Vec<f64>,
    /// Milliseconds, one a round.
    pub(super) gracefuls: Vec<f64>,
}

impl Lifespan {
    /// Takes the memory of a server that has worked, and no times yet.
    pub(super) fn after_load(subject: Subject, apache: &Apache) -> Self {
        let in_children = subject == Subject { which: Which::ModWsgi, mode: Mode::Embedded };
        let memory = usage::memory(apache, in_children);
        Self { subject, memory, cold_starts: Vec::new(), gracefuls: Vec::new() }
    }

    /// One round of the times.
    pub(super) fn round(
        &mut self,
        apache: &mut Apache,
        server: &Server,
        rounds: Rounds,
    ) -> Result<()> {
        self.gracefuls.push(graceful(apache)?.as_secs_f64() * 1e3);
        self.cold_starts.push(cold_start(self.subject, server, rounds)?.as_secs_f64() * 1e3);
        Ok(())
    }
}

/// From the start of Apache's process to the application's first answer.
fn cold_start(subject: Subject, server: &Server, rounds: Rounds) -> Result<Duration> {
    let begin = Instant::now();
    let apache = subject.start(server, rounds)?;
    answered(&apache)?;
    Ok(begin.elapsed())
}

/// From the signal to the application's first answer by the new children.
fn graceful(apache: &mut Apache) -> Result<Duration> {
    let from = apache.log().size();
    let begin = Instant::now();
    apache.signal(Signal::SIGUSR1);
    apache.log().wait_for_from(from, "resuming normal operations", LIMIT)?;
    answered(apache)?;
    Ok(begin.elapsed())
}

/// Asks, each time on a new connection, until the application answers.
fn answered(apache: &Apache) -> Result<()> {
    let ask =
        || Client::new(LIMIT).get(&apache.url("/hello")).is_ok_and(|answer| answer.status == 200);
    let came = poll(LIMIT, || ask().then_some(()));
    came.ok_or_else(|| {
        Error::Timeout {
            what: "the application's answer".into(),
            after: LIMIT,
            context: apache.log().tail(),
        }
        .into()
    })
}
