//! What workers report to PyPI's mod-wsgi-telemetry, as its own API shows it.

use crate::context::eventually;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Apache, Port, Server, Site, http, python, venv};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const RECEIVER: &[&str] = &["mod-wsgi-telemetry==1.1.0"];

pub(super) fn suites() -> Vec<Suite> {
    let reports = Suite::alone("telemetry")
        .solo("receiver_shows_the_workers", receiver_shows_the_workers)
        .solo("requests_are_counted", requests_are_counted)
        .solo("garbage_collector_is_told", garbage_collector_is_told)
        .solo("slow_requests_are_told", slow_requests_are_told)
        .solo("user_agent_is_told_when_asked", user_agent_is_told_when_asked)
        .solo("options_add_up", options_add_up)
        .solo("embedded_processes_report_too", embedded_processes_report_too)
        .solo("ended_processes_say_so", ended_processes_say_so)
        .solo("receiver_may_come_and_go", receiver_may_come_and_go)
        .solo("metrics_are_the_receivers", metrics_are_the_receivers);
    let refused = Suite::alone("telemetry_refused")
        .solo("service", service)
        .solo("options", options)
        .solo("slow_requests", slow_requests)
        .solo("slow_requests_need_no_service", slow_requests_alone)
        .solo("in_a_virtual_host", in_a_virtual_host);
    vec![reports, refused]
}

/// A running receiver; killed when dropped.
struct Receiver {
    child: Child,
    port: Port,
}

impl Receiver {
    fn start(socket: &Path) -> Result<Self, Failed> {
        let venv = venv::ensure("compat-telemetry", &python::system()?, RECEIVER)?;
        let port = Port::take()?;
        let mut command = Command::new(venv.bin("mod_wsgi-telemetry"));
        command.args(["serve", "--socket-mode", "0666", "--http-port", &port.number().to_string()]);
        command.arg("--listen").arg(format!("unix:{}", socket.display()));
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let receiver = Self { child, port };
        eventually("the receiver's API", || Ok(receiver.state().ok()))?;
        Ok(receiver)
    }

    /// All that it knows.
    fn state(&self) -> Result<Value, Failed> {
        let answer = http::get(&format!("http://127.0.0.1:{}/api/state", self.port.number()))?;
        crate::context::json(&answer)
    }

    /// Looks at its state until `look` finds something.
    fn find<T>(&self, what: &str, look: impl Fn(&Value) -> Option<T>) -> Result<T, Failed> {
        let mut last = Value::Null;
        let found = eventually(what, || {
            last = self.state()?;
            Ok(look(&last))
        });
        found.map_err(|failed| {
            let why = failed.message().unwrap_or_default().to_owned();
            let text: String = last.to_string().chars().take(6000).collect();
            format!("{why}: {text}").into()
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Its own child, which may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An Apache whose applications report to a receiver.
struct Reported {
    apache: Apache,
    receiver: Receiver,
}

fn site(server: &Server, lines: &str) -> Result<Site, Failed> {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "telemetry.wsgi")?;
    let socket = site.root().join("run/telemetry.sock");
    site.config(format!("WSGITelemetryService unix:{} interval=0.5", socket.display()));
    site.config(lines.replace("SCRIPT", &script.display().to_string()));
    Ok(site)
}

const DAEMON: &str = "WSGIDaemonProcess reported processes=2 threads=3\n\
    WSGIScriptAlias / SCRIPT process-group=reported application-group=%{GLOBAL}";

fn reported(server: &Server, lines: &str) -> Result<Reported, Failed> {
    let site = site(server, lines)?;
    let receiver = Receiver::start(&site.root().join("run/telemetry.sock"))?;
    Ok(Reported { apache: site.start()?, receiver })
}

/// The processes of a group.
fn processes<'a>(state: &'a Value, group: &str) -> Vec<&'a Value> {
    let all = state["processes"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|process| process["process_group"] == group).collect()
}

/// The sum of a figure over all samples of a group.
fn total(state: &Value, group: &str, field: &str) -> f64 {
    let samples = processes(state, group).into_iter().filter_map(|one| one["samples"].as_array());
    samples.flatten().filter_map(|sample| sample["fields"][field].as_f64()).sum()
}

fn receiver_shows_the_workers(server: &Server) -> Outcome {
    let reported = reported(server, DAEMON)?;
    assert_eq!(Context { apache: &reported.apache, server }.status("/")?, 200);
    let sample = reported.receiver.find("a sample of both processes", |state| {
        let group = processes(state, "reported");
        let samples = || group.iter().filter_map(|one| one["samples"].as_array()?.last());
        (group.len() == 2 && samples().count() == 2).then(|| samples().next().cloned()).flatten()
    })?;
    let fields = &sample["fields"];
    assert_eq!(fields["request_threads_maximum"], 3, "{fields}");
    assert_eq!(fields["telemetry_interval"], 0.5, "{fields}");
    for figure in ["memory_rss", "memory_max_rss", "sample_period", "switch_interval"] {
        assert!(fields[figure].as_f64().is_some_and(|value| value > 0.0), "{figure}: {fields}");
    }
    for list in ["request_threads_completed", "request_threads_busy_time"] {
        assert_eq!(fields[list].as_array().map(Vec::len), Some(3), "{list}: {fields}");
    }
    assert_eq!(fields["request_time_buckets"].as_array().map(Vec::len), Some(65), "{fields}");
    let state = reported.receiver.state()?;
    assert_eq!(state["decode_errors"], 0, "{state}");
    let process = processes(&state, "reported")[0];
    let version = python::system()?.version.to_string();
    assert!(
        process["python_version"].as_str().is_some_and(|text| text.starts_with(&version)),
        "{process}"
    );
    assert!(
        process["apache_version"].as_str().is_some_and(|text| text.starts_with("Apache/2.4")),
        "{process}"
    );
    assert_eq!(process["mod_wsgi_version"], "6.1.1", "{process}");
    assert_eq!(process["mpm_name"], "event", "{process}");
    let page = http::get(&format!("http://127.0.0.1:{}/", reported.receiver.port.number()))?;
    assert_eq!(page.status, 200);
    Ok(())
}

fn requests_are_counted(server: &Server) -> Outcome {
    let reported = reported(server, DAEMON)?;
    let context = Context { apache: &reported.apache, server };
    for (path, status) in [("/", 200), ("/", 200), ("/missing", 404), ("/broken", 500)] {
        assert_eq!(context.status(path)?, status, "{path}");
    }
    assert_eq!(context.post("/", &[b'x'; 1000])?.status, 200);
    reported.receiver.find("five requests", |state| {
        (total(state, "reported", "request_count") >= 5.0).then_some(())
    })?;
    let state = reported.receiver.state()?;
    let sum = |field: &str| total(&state, "reported", field);
    let classes =
        ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| sum(&format!("status_{class}_total")));
    assert_eq!(classes, [0.0, 3.0, 0.0, 1.0, 1.0], "{state}");
    assert_eq!(sum("request_count"), 5.0, "{state}");
    assert_eq!(sum("input_bytes_total"), 1000.0, "{state}");
    assert_eq!(sum("output_bytes_total"), (100 + 100 + 100 + 400) as f64, "{state}");
    for phase in ["application_time", "request_time"] {
        assert!(sum(phase) > 0.0, "{phase}: {state}");
    }
    Ok(())
}

fn garbage_collector_is_told(server: &Server) -> Outcome {
    let reported = reported(server, &DAEMON.replace("processes=2", "processes=1"))?;
    let context = Context { apache: &reported.apache, server };
    assert_eq!(context.status("/collect")?, 200);
    let is_full = |event: &&Value| event["fields"]["gc_event_generation"] == 2;
    let event = reported.receiver.find("a pass over all generations", |state| {
        processes(state, "reported")
            .into_iter()
            .filter_map(|process| process["gc_events"].as_array())
            .flatten()
            .find(|event| is_full(event) && event["fields"]["gc_event_collected"] != 0)
            .cloned()
    })?;
    let figure = |event: &Value, name: &str| event["fields"][name].as_f64().unwrap_or(-1.0);
    let took = figure(&event, "gc_event_duration");
    assert!(took > 0.0 && took < 10.0, "{event}");
    let began = figure(&event, "gc_event_start_stamp");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    assert!(began > now - 60.0 && began <= now, "{event}");
    let snapshot = reported.receiver.find("the counters after it", |state| {
        let process = processes(state, "reported").into_iter().next()?;
        let ring = process["gc_snapshots"].as_object()?.values().next()?.as_array()?;
        let last = ring.last()?;
        (last["fields"]["gc_collections2"].as_f64()? >= 1.0).then(|| last.clone())
    })?;
    for (name, value) in [("gc_is_enabled", 1.0), ("gc_uncollectable2", 0.0)] {
        assert_eq!(figure(&snapshot, name), value, "{name}: {snapshot}");
    }
    // Python's defaults, and what an interpreter has collected while it came up.
    for name in
        ["gc_threshold0", "gc_threshold1", "gc_threshold2", "gc_collections0", "gc_collected2"]
    {
        assert!(figure(&snapshot, name) >= 1.0, "{name}: {snapshot}");
    }
    for name in ["gc_count0", "gc_count1", "gc_count2", "gc_freeze_count", "gc_dropped_events"] {
        assert!(figure(&snapshot, name) >= 0.0, "{name}: {snapshot}");
    }
    Ok(())
}

const SLOW: &str = "WSGISlowRequests 1.0\n";

/// The records of slow requests, with that state: 0 while they run, 1 when they have ended.
fn slow(state: &Value, ended: u64) -> Option<Value> {
    let records = state["slow_requests"].as_array()?;
    let entries = records.iter().map(|record| &record["entry"]);
    entries.into_iter().find(|entry| entry["state"] == ended).cloned()
}

fn slow_requests_are_told(server: &Server) -> Outcome {
    let reported = reported(server, &format!("{SLOW}{DAEMON}"))?;
    let context = Context { apache: &reported.apache, server };
    assert_eq!(context.status("/")?, 200);
    let mut waiting = context.send("GET", "/slow?secret=1", &["User-Agent: Probe/1"], b"")?;
    let running = reported.receiver.find("a slow request that runs", |state| slow(state, 0))?;
    assert_eq!(running["path_info"], "/slow", "{running}");
    assert_eq!(running["status"], 0, "{running}");
    assert_eq!(waiting.answer("GET")?.status, 200);
    let ended = reported.receiver.find("a slow request that has ended", |state| slow(state, 1))?;
    for (field, value) in
        [("method", "GET"), ("path_info", "/slow"), ("user_agent", ""), ("peer_ip", "127.0.0.1")]
    {
        assert_eq!(ended[field], value, "{field}: {ended}");
    }
    assert_eq!(ended["status"], 200, "{ended}");
    assert!(ended["duration"].as_f64().is_some_and(|time| time > 2.0), "{ended}");
    assert!(ended["application_time"].as_f64().is_some_and(|time| time > 2.0), "{ended}");
    assert_eq!(ended["output_bytes"], 100, "{ended}");
    // The quick request before it has no record.
    let state = reported.receiver.state()?;
    assert_eq!(state["slow_requests"].as_array().map(Vec::len), Some(1), "{state}");
    Ok(())
}

fn user_agent_is_told_when_asked(server: &Server) -> Outcome {
    let lines = format!("WSGITelemetryOptions +CaptureUserAgent\n{SLOW}{DAEMON}");
    let reported = reported(server, &lines)?;
    let context = Context { apache: &reported.apache, server };
    assert_eq!(context.ask("GET", "/slow", &["User-Agent: Probe/1"], b"")?.status, 200);
    let ended = reported.receiver.find("a slow request that has ended", |state| slow(state, 1))?;
    assert_eq!(ended["user_agent"], "Probe/1", "{ended}");
    Ok(())
}

fn options_add_up(server: &Server) -> Outcome {
    for (options, expected) in [
        ("WSGITelemetryOptions +CaptureUserAgent\nWSGITelemetryOptions -CaptureUserAgent", ""),
        (
            "WSGITelemetryOptions All\nWSGITelemetryOptions None\nWSGITelemetryOptions All",
            "Probe/1",
        ),
    ] {
        let reported = reported(server, &format!("{options}\n{SLOW}{DAEMON}"))?;
        let context = Context { apache: &reported.apache, server };
        assert_eq!(context.ask("GET", "/slow", &["User-Agent: Probe/1"], b"")?.status, 200);
        let ended =
            reported.receiver.find("a slow request that has ended", |state| slow(state, 1))?;
        assert_eq!(ended["user_agent"], expected, "{options}");
    }
    Ok(())
}

fn embedded_processes_report_too(server: &Server) -> Outcome {
    let reported = reported(server, "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / SCRIPT")?;
    assert_eq!(Context { apache: &reported.apache, server }.status("/")?, 200);
    reported.receiver.find("a request of an embedded process", |state| {
        (total(state, "", "request_count") >= 1.0).then_some(())
    })
}

/// The lifecycle events of a kind, in the group: the original's Apache children report as well.
fn events(state: &Value, kind: &str) -> Vec<Value> {
    let all = state["lifecycle_events"].as_array().cloned().unwrap_or_default();
    all.into_iter()
        .filter(|event| event["kind"] == kind && event["process_group"] == "reported")
        .collect()
}

fn ended_processes_say_so(server: &Server) -> Outcome {
    let one = "WSGIDaemonProcess reported threads=2 maximum-requests=2\n\
        WSGIScriptAlias / SCRIPT process-group=reported application-group=%{GLOBAL}";
    let reported = reported(server, one)?;
    let context = Context { apache: &reported.apache, server };
    assert_eq!((context.status("/")?, context.status("/")?), (200, 200));
    let find =
        |kind: &str| reported.receiver.find(kind, |state| events(state, kind).first().cloned());
    let started = find("process_started")?;
    assert_eq!(started["process_group"], "reported", "{started}");
    let stopping = find("process_stopping")?;
    assert_eq!(stopping["shutdown_reason"], "maximum_requests", "{stopping}");
    let stopped = find("process_stopped")?;
    assert_eq!(stopped["pid"], stopping["pid"], "{stopped}");
    assert_eq!(stopped["lifetime_request_count"], 2, "{stopped}");
    assert_eq!(stopped["graceful_drain"], 1, "{stopped}");
    Ok(())
}

fn receiver_may_come_and_go(server: &Server) -> Outcome {
    let site = site(server, DAEMON)?;
    let socket = site.root().join("run/telemetry.sock");
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/")?, 200);
    for _ in 0..2 {
        let receiver = Receiver::start(&socket)?;
        receiver
            .find("a sample", |state| (!processes(state, "reported").is_empty()).then_some(()))?;
        drop(receiver);
        assert_eq!(context.status("/")?, 200);
    }
    Ok(())
}

/// Only one of the two has the figures, and the receiver comes first.
fn metrics_are_the_receivers(server: &Server) -> Outcome {
    let apache = site(server, DAEMON)?.start()?;
    let answer = Context { apache: &apache, server }.get("/metrics")?;
    assert_eq!((answer.status, answer.text().as_str()), (200, "None None"));
    Ok(())
}

fn each(server: &Server, name: &str, wrong: &[&str]) -> Outcome {
    wrong
        .iter()
        .try_for_each(|arguments| super::refused(server, &format!("{name} {arguments}"), name))
}

fn service(server: &Server) -> Outcome {
    let wrong = [
        "",
        "udp:localhost:9999",
        "/run/telemetry.sock",
        "unix:/run/t.sock interval=0.4",
        "unix:/run/t.sock interval=0",
        "unix:/run/t.sock interval=-1",
        "unix:/run/t.sock interval=often",
        "unix:/run/t.sock often",
    ];
    each(server, "WSGITelemetryService", &wrong)
}

fn options(server: &Server) -> Outcome {
    let wrong = ["+", "-", "+Everything", "All +CaptureUserAgent", "+CaptureUserAgent None"];
    each(server, "WSGITelemetryOptions", &wrong)
}

fn slow_requests_alone(server: &Server) -> Outcome {
    for seconds in ["2.5", "0"] {
        let mut site = Site::new(server)?;
        site.config(format!("WSGISlowRequests {seconds}"));
        let tested = site.configtest()?;
        assert!(tested.success, "{}", tested.output());
    }
    Ok(())
}

fn slow_requests(server: &Server) -> Outcome {
    each(server, "WSGISlowRequests", &["", "-1"])?;
    // The original reads what is no number as 0, which reports every request.
    each(server, "WSGISlowRequests", if server.is_pinion() { &["soon", "1s"] } else { &[] })
}

fn in_a_virtual_host(server: &Server) -> Outcome {
    for line in
        ["WSGITelemetryService unix:/run/t.sock", "WSGITelemetryOptions All", "WSGISlowRequests 1"]
    {
        let name = line.split(' ').next().unwrap_or(line);
        super::refused(server, &format!("<VirtualHost *:80>\n{line}\n</VirtualHost>"), name)?;
    }
    Ok(())
}
