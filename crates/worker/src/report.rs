//! Metrics for applications that report them: `mod_wsgi.request_metrics` and `process_metrics`.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use pinion_unix::clock;
use pinion_unix::usage::{Usage, usage};
use pinion_wsgi::metrics::{Interval, Phase, ThreadInterval};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::events;
use crate::metrics::seconds;
use crate::worker::Worker;

/// When the interval began that the next report is about, once something is recorded.
static BEGUN: Mutex<Option<Begun>> = Mutex::new(None);

#[derive(Clone, Copy, Debug)]
struct Begun {
    /// In seconds since 1970.
    at: f64,
    /// What the process had used then.
    used: Usage,
}

impl Begun {
    fn now() -> Self {
        Self { at: now(), used: usage() }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The interval that `next` ends, if one had begun.
fn replace(next: Option<Begun>) -> Option<Begun> {
    // Nothing that runs while this is held can panic or wait.
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    match next {
        Some(next) if begun.is_some() => begun.replace(next),
        _ => *begun,
    }
}

/// Records requests from now on. The receiver of telemetry, if there is one, stays the only reader.
pub(crate) fn start(worker: &Worker) {
    if worker.reporter.get().is_some() {
        return;
    }
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    if begun.is_none() {
        worker.metrics.state().ledger.take(clock::monotonic_ns());
        *begun = Some(Begun::now());
        events::measure(worker);
    }
}

/// The phases by their names in reports, and whether only applications with a process group have them.
const PHASES: [(Phase, &str, bool); 8] = [
    (Phase::Server, "server_time", false),
    (Phase::Queue, "queue_time", true),
    (Phase::Daemon, "daemon_time", true),
    (Phase::Application, "application_time", false),
    (Phase::Request, "request_time", false),
    (Phase::GilWait, "gil_wait_time", false),
    (Phase::InputRead, "input_read_time", false),
    (Phase::OutputWrite, "output_write_time", false),
];

/// What was recorded since the last call, which begins the next interval; none while nothing is recorded.
pub(crate) fn requests<'py>(
    py: Python<'py>,
    worker: &Worker,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let next = Begun::now();
    let Some(begun) = replace(Some(next)) else { return Ok(None) };
    let interval = worker.metrics.state().ledger.take(clock::monotonic_ns());
    let report = PyDict::new(py);
    report.set_item("pid", std::process::id())?;
    report.set_item("start_time", begun.at)?;
    report.set_item("stop_time", next.at)?;
    report.set_item("sample_period", next.at - begun.at)?;
    report_rates(&report, &begun, &next)?;
    report_memory(&report, &next.used)?;
    report_counts(&report, &interval)?;
    report_threads(&report, &interval)?;
    let embedded = worker.spec.group.name.is_empty();
    for (phase, name, daemons) in PHASES {
        report_phase(&report, &interval, phase, name, daemons && embedded)?;
    }
    Ok(Some(report))
}

/// How much of a processor was used, by names of before and after 6.0.
fn report_rates(report: &Bound<'_, PyDict>, begun: &Begun, next: &Begun) -> PyResult<()> {
    let period = next.at - begun.at;
    let rate = |seconds: f64| if period > 0.0 { seconds / period } else { 0.0 };
    let user = next.used.user.saturating_sub(begun.used.user).as_secs_f64();
    let system = next.used.system.saturating_sub(begun.used.system).as_secs_f64();
    for (names, value) in [
        (["cpu_user_utilization", "cpu_user_time"], user),
        (["cpu_system_utilization", "cpu_system_time"], system),
        (["cpu_utilization", "cpu_time"], user + system),
    ] {
        for name in names {
            report.set_item(name, rate(value))?;
        }
    }
    Ok(())
}

fn report_memory(report: &Bound<'_, PyDict>, used: &Usage) -> PyResult<()> {
    report.set_item("memory_max_rss", used.most_resident)?;
    report.set_item("memory_rss", used.resident)
}

fn report_counts(report: &Bound<'_, PyDict>, interval: &Interval) -> PyResult<()> {
    let period = seconds(interval.period);
    let rate = if period > 0.0 { interval.completed as f64 / period } else { 0.0 };
    report.set_item("request_count", interval.completed)?;
    report.set_item("request_throughput", rate)?;
    for (class, count) in interval.classes.iter().enumerate() {
        report.set_item(format!("status_{}xx", class + 1), count)?;
    }
    let traffic = &interval.traffic;
    report.set_item("input_reads", traffic.input_reads)?;
    report.set_item("input_bytes", traffic.input_bytes)?;
    report.set_item("output_writes", traffic.output_writes)?;
    report.set_item("output_bytes", traffic.output_bytes)?;
    report.set_item("gil_wait_count", traffic.gil_waits)
}

fn report_threads(report: &Bound<'_, PyDict>, interval: &Interval) -> PyResult<()> {
    let threads = &interval.threads;
    let times = |time: fn(&ThreadInterval) -> u64| {
        threads.iter().map(|thread| seconds(time(thread))).collect::<Vec<_>>()
    };
    let completed: Vec<u32> = threads.iter().map(|thread| thread.completed).collect();
    let capacity = seconds(interval.period) * threads.len() as f64;
    let used = if capacity > 0.0 { seconds(interval.busy()) / capacity } else { 0.0 };
    report.set_item("capacity_utilization", used)?;
    report.set_item("request_threads_maximum", threads.len())?;
    report.set_item("request_threads_started", threads.len())?;
    report.set_item("request_threads_active", interval.active_threads())?;
    report.set_item("request_threads_completed", &completed)?;
    report.set_item("request_threads_buckets", completed)?;
    report.set_item("request_threads_busy_time", times(|thread| thread.busy))?;
    report.set_item("request_threads_cpu_time", times(|thread| thread.cpu))?;
    report.set_item("request_threads_current_elapsed", times(|thread| thread.current))?;
    report.set_item("request_threads_max_duration", times(|thread| thread.longest))
}

fn report_phase(
    report: &Bound<'_, PyDict>,
    interval: &Interval,
    phase: Phase,
    name: &str,
    unknown: bool,
) -> PyResult<()> {
    let times = &interval.phases[phase as usize];
    let buckets = if unknown { [0; pinion_wsgi::metrics::BUCKETS] } else { times.buckets };
    let mean = seconds(times.sum) / interval.completed.max(1) as f64;
    let range = (!unknown && interval.completed > 0).then_some((times.least, times.most));
    let (least, most) = range.unzip();
    report.set_item(name, (!unknown).then_some(mean))?;
    report.set_item(format!("{name}_buckets"), buckets)?;
    report.set_item(format!("{name}_min_us"), least.map(|nanos| nanos / 1000))?;
    report.set_item(format!("{name}_max_us"), most.map(|nanos| nanos / 1000))
}

/// What this process has done since it started; none while nothing is recorded.
pub(crate) fn process<'py>(
    py: Python<'py>,
    worker: &Worker,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    if replace(None).is_none() {
        return Ok(None);
    }
    let (now, restarted, used) = (now(), worker.started(), usage());
    let (busy, active) = {
        let state = worker.metrics.state();
        (state.ledger.busy(), state.ledger.active())
    };
    let (user, system) = (used.user.as_secs_f64(), used.system.as_secs_f64());
    let report = PyDict::new(py);
    report.set_item("pid", std::process::id())?;
    report.set_item("request_busy_time", seconds(busy))?;
    report.set_item("request_count", worker.served())?;
    report_memory(&report, &used)?;
    report.set_item("cpu_user_time", user)?;
    report.set_item("cpu_system_time", system)?;
    report.set_item("cpu_time", user + system)?;
    report.set_item("restart_time", restarted)?;
    report.set_item("current_time", now)?;
    report.set_item("running_time", (now - restarted) as u64)?;
    report.set_item("request_threads", worker.spec.group.threads)?;
    report.set_item("active_requests", active)?;
    let threads = PyList::empty(py);
    for (place, served) in worker.posts.served().into_iter().enumerate() {
        let thread = PyDict::new(py);
        thread.set_item("thread_id", place + 1)?;
        thread.set_item("request_count", served)?;
        threads.append(thread)?;
    }
    report.set_item("threads", threads)?;
    Ok(Some(report))
}
