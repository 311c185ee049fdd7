//! What is counted of this process's requests, while anybody wants to know.
//!
//! While nobody does, a request costs two looks at an atomic. The lock is held for a few instructions,
//! by serving threads and by who reads; never while Python code can run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pinion_unix::{clock, usage};
use pinion_wire::message::StartSpec;
use pinion_wire::request::RequestRef;
use pinion_wsgi::metrics::{Finished, Ledger, PHASES, Phase, Traffic};
use pyo3::prelude::*;

/// The most reports of slow requests that wait for the reporter.
const MOST_SLOW: usize = 256;

/// What is counted.
pub(crate) struct Metrics {
    on: AtomicBool,
    /// Requests that run for longer are kept one by one; nanoseconds.
    slow: Option<u64>,
    user_agent: bool,
    state: Mutex<State>,
}

/// What the lock guards.
pub(crate) struct State {
    /// The counts.
    pub(crate) ledger: Ledger,
    /// What each thread runs, where slow requests are kept.
    running: Vec<Option<SlowRequest>>,
    slow: Vec<SlowRequest>,
}

/// A request, for a report of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlowRequest {
    /// Whether it has ended.
    pub(crate) ended: bool,
    /// The thread's number, from 1.
    pub(crate) thread: usize,
    /// When the server got it: seconds since 1970.
    pub(crate) started: f64,
    /// When this process took it, nanoseconds.
    arrived: u64,
    /// How long it took so far.
    pub(crate) elapsed: u64,
    /// What is known of its times and traffic.
    pub(crate) finished: Finished,
    /// How many requests ran in this process when it began.
    pub(crate) active_at_start: usize,
    /// The same when it ended; 0 before.
    pub(crate) active_at_end: usize,
    /// The values of [`DETAILS`].
    pub(crate) details: [Vec<u8>; DETAILS.len()],
}

/// What a report takes from the environ, in the order of [`SlowRequest::details`]; the last one only when it is wanted.
pub(crate) const DETAILS: [&[u8]; 10] = [
    b"mod_wsgi.request_id",
    b"mod_wsgi.server_pid",
    b"REQUEST_METHOD",
    b"wsgi.url_scheme",
    b"HTTP_HOST",
    b"SCRIPT_NAME",
    b"PATH_INFO",
    b"SERVER_PROTOCOL",
    b"REMOTE_ADDR",
    b"HTTP_USER_AGENT",
];

impl Metrics {
    /// Nothing counted yet; counting begins at once where the process reports to a receiver.
    pub(crate) fn new(spec: &StartSpec) -> Self {
        let telemetry = spec.group.telemetry.as_ref();
        let threads = spec.group.threads as usize;
        Self {
            on: AtomicBool::new(telemetry.is_some()),
            slow: telemetry.and_then(|one| one.slow_requests).map(|millis| millis * 1_000_000),
            user_agent: telemetry.is_some_and(|one| one.user_agent),
            state: Mutex::new(State {
                ledger: Ledger::new(threads, clock::monotonic_ns()),
                running: vec![None; threads],
                slow: Vec::new(),
            }),
        }
    }

    /// Counts from now on.
    pub(crate) fn turn_on(&self) {
        self.on.store(true, Ordering::Release);
    }

    fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// The time, while requests are counted; else 0.
    pub(crate) fn clock(&self) -> u64 {
        if self.is_on() { clock::monotonic_ns() } else { 0 }
    }

    /// The counts. Whoever holds them must not call Python.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request's waiting is counted with, while requests are.
    pub(crate) fn meter(&self) -> Option<Box<Meter>> {
        self.is_on().then(Box::default)
    }

    /// A request begins that arrived at `arrived`, by [`Metrics::clock`], on thread number `thread` from 0.
    pub(crate) fn begin(
        &self,
        thread: usize,
        arrived: u64,
        request: &RequestRef<'_>,
    ) -> Option<Watch> {
        if arrived == 0 || !self.is_on() {
            return None;
        }
        let (now, cpu) = (clock::monotonic_ns(), usage::thread_cpu_ns());
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let queued = epoch - seconds(now.saturating_sub(request.queued_ns));
        let mut details: [Vec<u8>; DETAILS.len()] = Default::default();
        let mut started = queued;
        for (name, value) in request.environ() {
            if name == b"mod_wsgi.request_start" {
                started = text(value).unwrap_or(queued);
            } else if self.slow.is_some()
                && let Some(place) = DETAILS.iter().position(|wanted| *wanted == name)
            {
                details[place] = value.to_vec();
            }
        }
        if !self.user_agent {
            details[DETAILS.len() - 1].clear();
        }
        let mut phases = [0; PHASES];
        phases[Phase::Server as usize] = ((queued - started).max(0.0) * 1e9) as u64;
        phases[Phase::Queue as usize] = arrived.saturating_sub(request.queued_ns);
        phases[Phase::Daemon as usize] = now.saturating_sub(arrived);
        let mut state = self.state();
        state.ledger.begin(thread, arrived);
        if self.slow.is_some() {
            let finished = Finished { phases, ..Finished::default() };
            let active_at_start = state.ledger.active();
            state.running[thread] = Some(SlowRequest {
                thread: thread + 1,
                started,
                arrived,
                finished,
                active_at_start,
                details,
                ..SlowRequest::default()
            });
        }
        Some(Watch { thread, called: now, cpu, phases })
    }

    /// The request of a watch has ended, with this status (0 for none).
    pub(crate) fn end(&self, watch: Watch, status: u16, meter: Option<&Meter>) {
        let now = clock::monotonic_ns();
        let cpu = usage::thread_cpu_ns().saturating_sub(watch.cpu);
        let mut phases = watch.phases;
        phases[Phase::Application as usize] = now.saturating_sub(watch.called);
        phases[Phase::Request as usize] = phases[..4].iter().sum();
        let mut traffic = Traffic::default();
        if let Some(meter) = meter {
            meter.read(&mut phases, &mut traffic);
        }
        let finished = Finished { phases, cpu, status, traffic };
        let mut state = self.state();
        let active = state.ledger.active();
        state.ledger.end(watch.thread, now, &finished);
        let slow = state.running.get_mut(watch.thread).and_then(Option::take);
        if let (Some(mut slow), Some(limit)) = (slow, self.slow)
            && phases[Phase::Request as usize] >= limit
            && state.slow.len() < MOST_SLOW
        {
            slow.ended = true;
            slow.elapsed = phases[Phase::Request as usize];
            slow.finished = finished;
            slow.active_at_end = active;
            state.slow.push(slow);
        }
    }

    /// The slow requests that have ended since this was asked last, and those that run.
    pub(crate) fn take_slow(&self, state: &mut State, now: u64) -> Vec<SlowRequest> {
        let mut reports = std::mem::take(&mut state.slow);
        let Some(limit) = self.slow else { return reports };
        for running in state.running.iter().flatten() {
            let phases = &running.finished.phases;
            let before = phases[Phase::Server as usize] + phases[Phase::Queue as usize];
            let elapsed = before + now.saturating_sub(running.arrived);
            if elapsed >= limit {
                let mut report = SlowRequest { elapsed, ..running.clone() };
                let known = before + phases[Phase::Daemon as usize];
                report.finished.phases[Phase::Application as usize] = elapsed.saturating_sub(known);
                reports.push(report);
            }
        }
        reports
    }
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn text(value: &[u8]) -> Option<f64> {
    str::from_utf8(value).ok()?.parse().ok()
}

/// One request that is counted when it ends.
pub(crate) struct Watch {
    thread: usize,
    called: u64,
    cpu: u64,
    phases: [u64; PHASES],
}

/// What a request waits for, while it runs.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    input: AtomicU64,
    output: AtomicU64,
    gil: AtomicU64,
    gil_waits: AtomicU64,
    input_bytes: AtomicU64,
    input_reads: AtomicU64,
    output_bytes: AtomicU64,
    output_writes: AtomicU64,
}

/// What a request waits for without the interpreter's lock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// Its body.
    Input,
    /// Its answer's being taken.
    Output,
}

impl Meter {
    /// Runs `wait` without the interpreter's lock, and counts the time of it and of getting the lock back.
    pub(crate) fn time<T: Send>(
        &self,
        py: Python<'_>,
        way: Way,
        wait: impl Send + FnOnce() -> T,
    ) -> T {
        let begun = clock::monotonic_ns();
        let (result, ended) = py.detach(|| (wait(), clock::monotonic_ns()));
        let counter = match way {
            Way::Input => &self.input,
            Way::Output => &self.output,
        };
        counter.fetch_add(ended.saturating_sub(begun), Ordering::Relaxed);
        self.waited_for_gil(clock::monotonic_ns().saturating_sub(ended));
        result
    }

    /// The interpreter's lock was waited for that long.
    pub(crate) fn waited_for_gil(&self, nanos: u64) {
        self.gil.fetch_add(nanos, Ordering::Relaxed);
        self.gil_waits.fetch_add(1, Ordering::Relaxed);
    }

    /// The application has read that much.
    pub(crate) fn note_read(&self, bytes: usize) {
        self.input_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.input_reads.fetch_add(1, Ordering::Relaxed);
    }

    /// The application has given a part of its answer.
    pub(crate) fn note_write(&self, bytes: u64) {
        self.output_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.output_writes.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far: the time of each phase that it counts, and the rest.
    pub(crate) fn totals(&self) -> ([u64; PHASES], Traffic) {
        let (mut phases, mut traffic) = ([0; PHASES], Traffic::default());
        self.read(&mut phases, &mut traffic);
        (phases, traffic)
    }

    fn read(&self, phases: &mut [u64; PHASES], traffic: &mut Traffic) {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        phases[Phase::InputRead as usize] = value(&self.input);
        phases[Phase::OutputWrite as usize] = value(&self.output);
        phases[Phase::GilWait as usize] = value(&self.gil);
        *traffic = Traffic {
            input_bytes: value(&self.input_bytes),
            input_reads: value(&self.input_reads),
            output_bytes: value(&self.output_bytes),
            output_writes: value(&self.output_writes),
            gil_waits: value(&self.gil_waits),
        };
    }
}
