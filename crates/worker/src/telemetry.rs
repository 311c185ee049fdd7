//! The thread that reports to a receiver of telemetry (`WSGITelemetryService`). It never takes the GIL, so
//! reports come whatever Python does; and it never waits for the receiver.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pinion_unix::clock;
use pinion_unix::usage::{Usage, usage};
use pinion_wire::message::TelemetrySpec;
use pinion_wire::telemetry::{Datagram, Field, Kind};
use pinion_wsgi::metrics::{Distribution, Interval, PHASES};
use pyo3::prelude::*;

use crate::collector;
use crate::environ::VERSION;
use crate::metrics::{SlowRequest, seconds};
use crate::worker::{Stage, Worker};

/// How many reports in a row may fail before somebody is told: the receiver may be starting.
const PATIENCE: u32 = 30;
/// Threads beyond these are summed up but not listed: a datagram has to fit.
const MOST_LISTED: usize = 1024;

/// Where reports go, and what is the same in all of them.
pub(crate) struct Reporter {
    spec: TelemetrySpec,
    target: PathBuf,
    socket: UnixDatagram,
    number: AtomicU32,
    failures: AtomicU32,
    started: Instant,
    identity: Identity,
}

struct Identity {
    python: String,
    host: String,
    group: String,
    application: String,
    mpm: String,
    switch_interval: f64,
}

/// Starts to report, where the process is to.
pub(crate) fn start(py: Python<'_>, worker: &'static Worker) -> PyResult<()> {
    let Some(spec) = worker.spec.group.telemetry.clone() else { return Ok(()) };
    if worker.spec.group.threads == 0 {
        return Ok(());
    }
    let identity = Identity {
        python: Python::version_str().split(' ').next().unwrap_or_default().to_owned(),
        host: nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        group: worker.spec.group.name.clone(),
        application: worker.spec.application_group.clone(),
        mpm: worker.spec.apache.mpm_name.clone(),
        switch_interval: py.import("sys")?.call_method0("getswitchinterval")?.extract()?,
    };
    let socket =
        UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => {
            let target = &spec.socket;
            worker.log(WARNING, &format!("WSGI0132: Telemetry reporter could not open target 'unix:{target}'; metrics will not be sent. ({error})"));
            return Ok(());
        }
    };
    let reporter = Reporter {
        target: PathBuf::from(&spec.socket),
        spec,
        socket,
        number: AtomicU32::new(0),
        failures: AtomicU32::new(0),
        started: Instant::now(),
        identity,
    };
    if worker.reporter.set(reporter).is_err() {
        return Ok(());
    }
    collector::watch(py)?;
    worker.monitor.look_at_collector();
    let builder = thread::Builder::new().name("pinion-telemetry".to_owned());
    if let Err(error) = builder.spawn(move || report(worker)) {
        worker.log(WARNING, &format!("WSGI0133: Unable to create telemetry reporter thread; metrics will not be sent. ({error})"));
    }
    Ok(())
}

/// Apache's level for warnings.
const WARNING: u8 = 4;

fn report(worker: &'static Worker) {
    let Some(reporter) = worker.reporter.get() else { return };
    reporter.send(worker, &reporter.started());
    let interval = Duration::from_millis(reporter.spec.interval.max(1));
    let mut used = usage();
    let mut next = Instant::now() + interval;
    loop {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if worker.stage() == Stage::Ended {
            return;
        }
        let before = std::mem::replace(&mut used, usage());
        reporter.tick(worker, &before, &used);
        next += interval;
    }
}

impl Reporter {
    /// The process was told to end.
    pub(crate) fn stopping(&self, worker: &Worker) {
        let mut datagram = self.datagram(Kind::Stopping);
        self.identify(&mut datagram);
        datagram.text(Field::ShutdownReason, worker.reason().as_str().as_bytes());
        let active = worker.metrics.state().ledger.active();
        datagram.count(Field::ActiveRequestsAtDecision, active as u64);
        self.send(worker, &datagram);
    }

    /// The process ends: the last report, whatever the thread does.
    pub(crate) fn stopped(&self, worker: &Worker) {
        let mut datagram = self.datagram(Kind::Stopped);
        self.identify(&mut datagram);
        let state = worker.metrics.state();
        let (active, ended) = (state.ledger.active(), state.ledger.ended().sum());
        drop(state);
        datagram.text(Field::ShutdownReason, worker.reason().as_str().as_bytes());
        datagram.number(Field::ProcessUptime, self.started.elapsed().as_secs_f64());
        datagram.count(Field::LifetimeRequestCount, ended);
        datagram.count(Field::ActiveRequestsAtExit, active as u64);
        datagram.count(Field::GracefulDrain, u64::from(active == 0));
        self.send(worker, &datagram);
    }

    fn datagram(&self, kind: Kind) -> Datagram {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let stamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Datagram::new(kind, std::process::id(), number, stamp.as_secs_f64())
    }

    fn identify(&self, datagram: &mut Datagram) {
        datagram.text(Field::Hostname, self.identity.host.as_bytes());
        datagram.text(Field::ProcessGroup, self.identity.group.as_bytes());
        datagram.count(Field::ProcessParentPid, std::os::unix::process::parent_id().into());
        if !self.identity.application.is_empty() {
            datagram.text(Field::InterpreterName, self.identity.application.as_bytes());
        }
    }

    fn versions(&self, datagram: &mut Datagram) {
        let (major, minor, patch) = VERSION;
        let version = format!("{major}.{minor}.{patch}");
        datagram.text(Field::ModWsgiVersion, version.as_bytes());
        datagram.text(Field::PythonVersion, self.identity.python.as_bytes());
        datagram.text(Field::ApacheVersion, self.spec.server_version.as_bytes());
        if !self.identity.mpm.is_empty() {
            datagram.text(Field::MpmName, self.identity.mpm.as_bytes());
        }
    }

    fn started(&self) -> Datagram {
        let mut datagram = self.datagram(Kind::Started);
        self.identify(&mut datagram);
        self.versions(&mut datagram);
        datagram
    }

    fn tick(&self, worker: &Worker, before: &Usage, used: &Usage) {
        let now = clock::monotonic_ns();
        let mut state = worker.metrics.state();
        let interval = state.ledger.take(now);
        let slow = worker.metrics.take_slow(&mut state, now);
        drop(state);
        self.send(worker, &self.sample(worker, &interval, before, used));
        for request in &slow {
            self.send(worker, &self.slow_request(request));
        }
        self.collector(worker);
    }

    /// What the garbage collector has done. This thread never takes Python's lock: the counters are those that another has
    /// read since the last report, if it could. The process says whose they are: it has one interpreter, and the receiver (1.1) fails
    /// to show reports of this kind with text in them.
    fn collector(&self, worker: &Worker) {
        let collector::Report { counters, passes, dropped } = collector::take();
        worker.monitor.look_at_collector();
        if let Some(counters) = counters {
            let mut datagram = self.datagram(Kind::GcSnapshot);
            for (nth, count) in (0..).zip(counters.generations.as_flattened()) {
                datagram.nth_count(Field::GcCount0, nth, *count);
            }
            datagram.count(Field::GcIsEnabled, counters.is_enabled.into());
            datagram.count(Field::GcFreezeCount, counters.frozen);
            datagram.count(Field::GcDroppedEvents, dropped);
            self.send(worker, &datagram);
        }
        for pass in passes {
            let mut datagram = self.datagram(Kind::GcEvent);
            datagram.number(Field::GcEventStartStamp, pass.began);
            datagram.number(Field::GcEventDuration, seconds(pass.took));
            datagram.count(Field::GcEventGeneration, pass.generation);
            datagram.count(Field::GcEventCollected, pass.collected);
            datagram.count(Field::GcEventUncollectable, pass.uncollectable);
            self.send(worker, &datagram);
        }
    }

    fn sample(
        &self,
        worker: &Worker,
        interval: &Interval,
        before: &Usage,
        used: &Usage,
    ) -> Datagram {
        let mut datagram = self.datagram(Kind::Request);
        self.identify(&mut datagram);
        self.versions(&mut datagram);
        let period = seconds(interval.period.max(1));
        datagram.number(Field::SamplePeriod, period);
        datagram.number(Field::TelemetryInterval, self.spec.interval as f64 / 1e3);
        let threshold = self.spec.slow_requests.unwrap_or(0);
        datagram.number(Field::SlowRequestsThreshold, threshold as f64 / 1e3);
        datagram.number(Field::SwitchInterval, self.identity.switch_interval);
        datagram.count(Field::RequestCount, interval.completed);
        datagram.number(Field::RequestThroughput, interval.completed as f64 / period);
        let threads = worker.spec.group.threads;
        let capacity = period * f64::from(threads.max(1));
        datagram.number(Field::CapacityUtilization, (seconds(interval.busy()) / capacity).min(1.0));
        let rate = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64() / period;
        let (user, system) = (rate(used.user, before.user), rate(used.system, before.system));
        datagram.number(Field::CpuUserUtilization, user);
        datagram.number(Field::CpuSystemUtilization, system);
        datagram.number(Field::CpuUtilization, user + system);
        datagram.count(Field::MemoryRss, used.resident);
        datagram.count(Field::MemoryMaxRss, used.most_resident);
        datagram.count(Field::RequestThreadsMaximum, threads.into());
        datagram.count(Field::RequestThreadsStarted, threads.into());
        datagram.count(Field::RequestThreadsActive, interval.active_threads() as u64);
        requests(&mut datagram, interval);
        listed_threads(&mut datagram, interval);
        datagram
    }

    fn slow_request(&self, request: &SlowRequest) -> Datagram {
        let mut datagram = self.datagram(Kind::SlowRequest);
        datagram.count(Field::SlowRecordState, request.ended.into());
        datagram.number(Field::SlowStartStamp, request.started);
        datagram.number(Field::SlowDuration, seconds(request.elapsed));
        datagram.count(Field::SlowThreadId, request.thread as u64);
        let [id, server, method, scheme, host, script, path, protocol, peer, agent] =
            &request.details;
        for (field, value) in [
            (Field::SlowLogId, id),
            (Field::SlowMethod, method),
            (Field::SlowScheme, scheme),
            (Field::SlowHostname, host),
            (Field::SlowScriptName, script),
            (Field::SlowPathInfo, path),
            (Field::SlowProtocol, protocol),
            (Field::SlowPeerIp, peer),
        ] {
            datagram.text(field, value);
        }
        if self.spec.user_agent {
            datagram.text(Field::SlowUserAgent, agent);
        }
        let server = str::from_utf8(server).ok().and_then(|text| text.parse().ok());
        datagram.count(Field::SlowServerPid, server.unwrap_or(0));
        slow_figures(&mut datagram, request);
        datagram
    }

    fn send(&self, worker: &Worker, datagram: &Datagram) {
        match self.socket.send_to(datagram.bytes(), &self.target) {
            Ok(_) => self.failures.store(0, Ordering::Relaxed),
            // A receiver that is too slow loses reports, and sees by their numbers that it did.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => {
                if self.failures.fetch_add(1, Ordering::Relaxed) + 1 == PATIENCE {
                    let target = self.target.display();
                    worker.log(
                        WARNING,
                        &format!("PIN0216: telemetry does not reach unix:{target}: {error}; hint: start the receiver, and let the group's user write to its socket"),
                    );
                }
            }
        }
    }
}

/// Times and sums of the requests that ended.
fn requests(datagram: &mut Datagram, interval: &Interval) {
    for (nth, distribution) in (0..PHASES as u16).zip(&interval.phases) {
        let Distribution { sum, least, most, buckets } = distribution;
        let mean = seconds(*sum) / interval.completed.max(1) as f64;
        datagram.nth_number(Field::ServerTime, nth, mean);
        if interval.completed > 0 {
            datagram.nth_number(Field::ServerTimeMin, nth, seconds(*least));
            datagram.nth_number(Field::ServerTimeMax, nth, seconds(*most));
        }
        datagram.nth_counts(Field::ServerTimeBuckets, nth, buckets);
    }
    let traffic = &interval.traffic;
    datagram.count(Field::InputBytesTotal, traffic.input_bytes);
    datagram.count(Field::InputReadsTotal, traffic.input_reads);
    datagram.count(Field::OutputBytesTotal, traffic.output_bytes);
    datagram.count(Field::OutputWritesTotal, traffic.output_writes);
    for (nth, count) in (0..).zip(interval.classes) {
        datagram.nth_count(Field::Status1xxTotal, nth, count);
    }
}

fn listed_threads(datagram: &mut Datagram, interval: &Interval) {
    let threads = &interval.threads[..interval.threads.len().min(MOST_LISTED)];
    let completed: Vec<u32> = threads.iter().map(|thread| thread.completed).collect();
    datagram.nth_counts(Field::RequestThreadsCompleted, 0, &completed);
    datagram.numbers(Field::RequestThreadsBusyTime, threads.iter().map(|one| seconds(one.busy)));
    datagram.numbers(Field::RequestThreadsCpuTime, threads.iter().map(|one| seconds(one.cpu)));
    let current = threads.iter().map(|one| seconds(one.current));
    datagram.numbers(Field::RequestThreadsCurrentElapsed, current);
    let longest = threads.iter().map(|one| seconds(one.longest));
    datagram.numbers(Field::RequestThreadsMaxDuration, longest);
}

fn slow_figures(datagram: &mut Datagram, request: &SlowRequest) {
    let [server, queue, daemon, application, _, gil, input, output] =
        request.finished.phases.map(seconds);
    let traffic = &request.finished.traffic;
    for (field, value) in [
        (Field::SlowServerTime, server),
        (Field::SlowQueueTime, queue),
        (Field::SlowDaemonTime, daemon),
        (Field::SlowApplicationTime, application),
        (Field::SlowGilWaitTime, gil),
        (Field::SlowInputReadTime, input),
        (Field::SlowOutputWriteTime, output),
        (Field::SlowCpuUserTime, seconds(request.finished.cpu)),
        (Field::SlowCpuSystemTime, 0.0),
    ] {
        datagram.number(field, value);
    }
    for (field, value) in [
        (Field::SlowGilWaitCount, traffic.gil_waits),
        (Field::SlowInputBytes, traffic.input_bytes),
        (Field::SlowInputReads, traffic.input_reads),
        (Field::SlowOutputBytes, traffic.output_bytes),
        (Field::SlowOutputWrites, traffic.output_writes),
        (Field::SlowStatus, request.finished.status.into()),
        (Field::SlowActiveAtStart, request.active_at_start as u64),
        (Field::SlowActiveAtCompletion, request.active_at_end as u64),
    ] {
        datagram.count(field, value);
    }
}
