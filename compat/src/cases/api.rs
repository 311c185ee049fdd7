//! The modules `mod_wsgi` and `apache`, events, and metrics.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use serde_json::{Value, json as literal};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) fn suites() -> Vec<Suite> {
    vec![
        common(Suite::new("api_daemon", daemon)).case("daemon_times", daemon_times),
        common(Suite::new("api_embedded", embedded)).case("embedded_times", embedded_times),
        metrics(Suite::new("metrics_daemon", daemon)),
        metrics(Suite::new("metrics_embedded", embedded)),
    ]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("attributes_of_mod_wsgi", attributes_of_mod_wsgi)
        .case("attributes_of_apache", attributes_of_apache)
        .case("request_timeout_is_a_base_exception", request_timeout_class)
        .case("request_data_needs_a_request", request_data_needs_a_request)
        .case("request_data_is_shared", request_data_is_shared)
        .case("events_of_a_request", events_of_a_request)
        .case("request_started_says", request_started_says)
        .case("response_started_says", response_started_says)
        .case("request_finished_says", request_finished_says)
        .case("request_finished_counts", request_finished_counts)
        .case("request_exception_says", request_exception_says)
        .case("request_timeout_is_no_exception_event", request_timeout_event)
        .case("subscribers_change_environ_and_application", subscribers_change)
        .case("returned_dicts_are_merged", returned_dicts_are_merged)
        .case("broken_subscriber_is_logged", broken_subscriber)
        .case("subscribing_needs_a_callback", subscribing_needs_a_callback)
}

fn metrics(suite: Suite) -> Suite {
    suite
        .case("metrics_need_recording", metrics_need_recording)
        .case("request_metrics_says", request_metrics_says)
        .case("request_metrics_counts", request_metrics_counts)
        .case("process_metrics_says", process_metrics_says)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess api threads=1 processes=1");
    describe(site, "api")
}

fn embedded(site: &mut Site) -> Outcome {
    site.one_child();
    describe(site, "%{GLOBAL}")
}

fn describe(site: &mut Site, group: &str) -> Outcome {
    let script = super::app(site, "api.wsgi")?;
    site.config(format!(
        "WSGIScriptAlias / {} process-group={group} application-group=%{{GLOBAL}}",
        script.display()
    ));
    Ok(())
}

/// Held by cases that must be alone with their site.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    // A case that failed while it was alone has left nothing behind.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for a path, and returns the events of that request: name and content.
fn events(context: &Context, path: &str, body: &[u8]) -> Result<Vec<(String, Value)>, Failed> {
    let _alone = alone();
    context.json("/heard")?;
    if body.is_empty() {
        context.get(path)?;
    } else {
        context.post(path, body)?;
    }
    let mut heard: Vec<(String, Value)> = Vec::new();
    // The answer may be here before the last event.
    eventually("request_finished", || {
        let more = context.json("/heard")?;
        let events = more.as_array().ok_or("no list")?;
        let pair = |event: &Value| (event[0].as_str().unwrap_or("").to_owned(), event[1].clone());
        heard.extend(events.iter().map(pair));
        let id = first(&heard, path).map(|event| event["request_id"].clone());
        let Some(id) = id else { return Ok(None) };
        let own: Vec<_> =
            heard.iter().filter(|(_, event)| event["request_id"] == id).cloned().collect();
        Ok(own.iter().any(|(name, _)| name == "request_finished").then_some(own))
    })
}

/// The event that a request for this path started.
fn first<'a>(heard: &'a [(String, Value)], path: &str) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap_or(path);
    let of = |event: &Value| {
        event["request_environ"][1]["PATH_INFO"] == path || {
            let shown = event["request_environ"][1].as_str().unwrap_or("");
            shown.contains(&format!("'PATH_INFO': '{path}'"))
        }
    };
    heard
        .iter()
        .find(|(name, event)| name == "request_started" && of(event))
        .map(|(_, event)| event)
}

fn event(events: &[(String, Value)], name: &str) -> Result<Value, Failed> {
    let found = events.iter().find(|(given, _)| given == name);
    Ok(found.ok_or_else(|| format!("no {name} in {events:?}"))?.1.clone())
}

fn kinds(event: &Value, expected: &[(&str, &str)]) {
    for (key, kind) in expected {
        assert_eq!(event[*key][0], *kind, "{key} of {event}");
    }
}

fn attributes_of_mod_wsgi(context: &Context) -> Outcome {
    let modules = context.json("/modules")?;
    let module = &modules["mod_wsgi"];
    kinds(
        module,
        &[
            ("version", "tuple"),
            ("process_group", "str"),
            ("application_group", "str"),
            ("maximum_processes", "int"),
            ("threads_per_process", "int"),
            ("active_requests", "dict"),
            ("event_callbacks", "list"),
            ("shutdown_callbacks", "list"),
            ("signal_callbacks", "list"),
            ("FileWrapper", "type"),
            ("LogHandler", "type"),
            ("RequestTimeout", "type"),
        ],
    );
    assert_eq!(module["version"][1], literal!([6, 1, 1]));
    for name in [
        "subscribe_events",
        "subscribe_shutdown",
        "subscribe_signals",
        "request_data",
        "request_metrics",
        "process_metrics",
        "start_recording_metrics",
    ] {
        assert!(module.get(name).is_some(), "{name} is missing");
    }
    assert_eq!(modules["returned"], true);
    assert_eq!(modules["wrapper"], true);
    assert_eq!(modules["names"], literal!(["mod_wsgi", "mod_wsgi"]));
    Ok(())
}

fn attributes_of_apache(context: &Context) -> Outcome {
    let apache = context.json("/modules")?["apache"].clone();
    kinds(
        &apache,
        &[
            ("version", "tuple"),
            ("description", "str"),
            ("build_date", "str"),
            ("mpm_name", "str"),
            ("maximum_processes", "int"),
            ("threads_per_process", "int"),
        ],
    );
    assert_eq!(apache["version"][1][0], 2);
    let description = apache["description"][1].as_str().unwrap_or("");
    assert!(description.starts_with("Apache/2.4."), "{description}");
    let mpm = context.apache.site().chosen_mpm().name();
    assert_eq!(apache["mpm_name"][1], mpm.trim_start_matches("mpm_"));
    Ok(())
}

fn request_timeout_class(context: &Context) -> Outcome {
    let bases = context.json("/modules")?["timeout"].clone();
    assert_eq!(bases, literal!(["RequestTimeout", "BaseException", "object"]));
    assert_eq!(context.status("/timeout")?, 504);
    Ok(())
}

fn request_data_needs_a_request(context: &Context) -> Outcome {
    let loading = context.json("/modules")?["loading"].clone();
    assert_eq!(loading, "RuntimeError: no active request for thread");
    assert_eq!(context.json("/thread_data")?, literal!(["RuntimeError"]));
    Ok(())
}

fn request_data_is_shared(context: &Context) -> Outcome {
    assert_eq!(context.json("/data")?["heard"], true);
    let events = events(context, "/data", b"")?;
    let started = event(&events, "request_started")?;
    assert_eq!((&started["same"][1], &started["listed"][1]), (&literal!(true), &literal!(true)));
    let finished = event(&events, "request_finished")?;
    assert_eq!((&finished["heard"][1], &finished["at_end"][1]), (&literal!(true), &literal!(true)));
    Ok(())
}

fn events_of_a_request(context: &Context) -> Outcome {
    let events = events(context, "/plain", b"")?;
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["request_started", "response_started", "request_finished"]);
    Ok(())
}

fn request_started_says(context: &Context) -> Outcome {
    let started = event(&events(context, "/plain", b"")?, "request_started")?;
    kinds(
        &started,
        &[
            ("request_id", "str"),
            ("thread_id", "int"),
            ("server_pid", "int"),
            ("daemon_connects", "int"),
            ("daemon_restarts", "int"),
            ("request_start", "float"),
            ("queue_start", "float"),
            ("daemon_start", "float"),
            ("application_start", "float"),
            ("application_object", "function"),
            ("callable_object", "str"),
            ("request_environ", "dict"),
            ("request_data", "dict"),
        ],
    );
    assert_eq!(started["callable_object"][1], "application");
    assert_eq!(started["daemon_restarts"][1], 0);
    let (received, called) = (&started["request_start"][1], &started["application_start"][1]);
    assert!(received.as_f64() <= called.as_f64(), "{received} {called}");
    Ok(())
}

fn daemon_times(context: &Context) -> Outcome {
    let started = event(&events(context, "/plain", b"")?, "request_started")?;
    let time = |key: &str| started[key][1].as_f64().unwrap_or(0.0);
    let order = [time("request_start"), time("queue_start"), time("daemon_start")];
    assert!(order[0] > 1e9 && order.is_sorted(), "{order:?}");
    assert_eq!(started["daemon_connects"][1], 1);
    Ok(())
}

fn embedded_times(context: &Context) -> Outcome {
    let started = event(&events(context, "/plain", b"")?, "request_started")?;
    assert_eq!(started["queue_start"], literal!(["float", 0.0]));
    assert_eq!(started["daemon_start"], literal!(["float", 0.0]));
    assert_eq!(started["daemon_connects"][1], 0);
    Ok(())
}

fn response_started_says(context: &Context) -> Outcome {
    let response = event(&events(context, "/status", b"")?, "response_started")?;
    assert_eq!(response["response_status"], literal!(["str", "404 Not Found"]));
    let headers = literal!(["list", [["Content-Type", "application/json"]]]);
    assert_eq!(response["response_headers"], headers);
    assert_eq!(response["exception_info"][0], "NoneType");
    kinds(&response, &[("request_id", "str"), ("request_data", "dict")]);
    Ok(())
}

fn request_finished_says(context: &Context) -> Outcome {
    let finished = event(&events(context, "/plain", b"")?, "request_finished")?;
    kinds(
        &finished,
        &[
            ("request_id", "str"),
            ("thread_id", "int"),
            ("server_pid", "int"),
            ("request_start", "float"),
            ("queue_start", "float"),
            ("daemon_start", "float"),
            ("application_finish", "float"),
            ("application_time", "float"),
            ("input_reads", "int"),
            ("input_length", "int"),
            ("input_time", "float"),
            ("output_writes", "int"),
            ("output_length", "int"),
            ("output_time", "float"),
            ("status", "int"),
            ("cpu_user_time", "float"),
            ("cpu_system_time", "float"),
            ("cpu_time", "float"),
            ("gil_wait_time", "float"),
            ("gil_wait_count", "int"),
            ("request_data", "dict"),
        ],
    );
    assert_eq!(finished["status"][1], 200);
    assert!(finished["application_time"][1].as_f64() > Some(0.0), "{finished}");
    Ok(())
}

fn request_finished_counts(context: &Context) -> Outcome {
    let read = event(&events(context, "/read", b"hello")?, "request_finished")?;
    assert_eq!(read["input_length"][1], 5);
    assert!(read["input_reads"][1].as_u64() >= Some(1), "{read}");
    assert_eq!(
        (&read["output_length"][1], &read["output_writes"][1]),
        (&literal!(7), &literal!(1))
    );
    let pieces = event(&events(context, "/pieces", b"")?, "request_finished")?;
    let counted = (&pieces["output_length"][1], &pieces["output_writes"][1], &pieces["status"][1]);
    assert_eq!(counted, (&literal!(21), &literal!(3), &literal!(201)));
    Ok(())
}

fn request_exception_says(context: &Context) -> Outcome {
    let heard = events(context, "/raise", b"")?;
    let names: Vec<_> = heard.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["request_started", "request_exception", "request_finished"]);
    let exception = event(&heard, "request_exception")?;
    kinds(&exception, &[("exception_info", "tuple"), ("request_data", "dict")]);
    assert_eq!(exception["exception"][1], "ValueError compat: raised True");
    assert_eq!(event(&heard, "request_finished")?["status"][1], 500);
    let late = events(context, "/raise_late", b"")?;
    assert_eq!(
        event(&late, "request_exception")?["exception"][1],
        "ValueError compat: raised late True"
    );
    assert_eq!(event(&late, "request_finished")?["status"][1], 200);
    let _alone = alone();
    assert_eq!(context.status("/raise_late")?, 500);
    context.json("/heard").map(drop)
}

fn request_timeout_event(context: &Context) -> Outcome {
    let heard = events(context, "/timeout", b"")?;
    let names: Vec<_> = heard.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["request_started", "request_finished"]);
    assert_eq!(event(&heard, "request_finished")?["status"][1], 504);
    Ok(())
}

fn subscribers_change(context: &Context) -> Outcome {
    assert_eq!(context.json("/seen")?, literal!(["by a subscriber", null]));
    assert_eq!(context.json("/seen?wrap")?, literal!(["by a subscriber", true]));
    Ok(())
}

fn returned_dicts_are_merged(context: &Context) -> Outcome {
    let _alone = alone();
    context.json("/heard")?;
    let heard = context.json("/heard")?;
    let later = heard
        .as_array()
        .and_then(|all| all.iter().find(|event| event[0] == "later response_started").cloned());
    let later = later.ok_or("the second subscriber heard nothing")?;
    assert_eq!(later[1]["merged"][1], "response_started");
    Ok(())
}

fn broken_subscriber(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(context.json("/plain?broken")?, "plain");
    context.log().wait_for_from(from, "ValueError: compat: a broken subscriber", SOON)?;
    let said = context.log().text_from(from);
    let line = "WSGI0112: ValueError exception raised by event callback for 'request_started'.";
    assert!(said.contains(line), "{said}");
    Ok(())
}

fn subscribing_needs_a_callback(context: &Context) -> Outcome {
    assert_eq!(context.json("/refused")?, literal!(["TypeError", "TypeError"]));
    Ok(())
}

fn metrics_need_recording(context: &Context) -> Outcome {
    let _alone = alone();
    assert_eq!(context.json("/modules")?["before"], literal!([null, null]));
    assert_eq!(context.json("/record")?, literal!([null, null]));
    assert!(context.json("/process")?.is_object());
    Ok(())
}

const PHASES: [&str; 8] = [
    "server_time",
    "queue_time",
    "daemon_time",
    "application_time",
    "request_time",
    "input_read_time",
    "output_write_time",
    "gil_wait_time",
];

fn request_metrics_says(context: &Context) -> Outcome {
    let _alone = alone();
    context.json("/record")?;
    context.json("/plain")?;
    let metrics = context.json("/requests")?;
    for phase in PHASES {
        let buckets = metrics[format!("{phase}_buckets")].as_array().map_or(0, Vec::len);
        assert_eq!(buckets, 65, "{phase}");
        for key in [phase.to_owned(), format!("{phase}_min_us"), format!("{phase}_max_us")] {
            assert!(metrics.get(&key).is_some(), "{key} in {metrics}");
        }
    }
    // The older name of `request_threads_completed`, and the bounds of the last phase.
    assert_eq!(metrics["request_threads_buckets"], metrics["request_threads_completed"]);
    let daemon = context.json("/modules")?["mod_wsgi"]["process_group"][1] != "";
    for phase in ["queue_time", "daemon_time"] {
        assert_eq!(metrics[phase].is_number(), daemon, "{phase} in {metrics}");
    }
    let threads = metrics["request_threads_maximum"].as_u64().unwrap_or(0);
    for key in ["completed", "buckets", "busy_time", "cpu_time", "current_elapsed", "max_duration"]
    {
        let list = metrics[format!("request_threads_{key}")].as_array().map_or(0, Vec::len);
        assert_eq!(list as u64, threads, "{key}");
    }
    for key in [
        "pid",
        "start_time",
        "stop_time",
        "sample_period",
        "request_count",
        "request_throughput",
        "request_threads_started",
        "request_threads_active",
        "capacity_utilization",
        "gil_wait_count",
        "input_bytes",
        "input_reads",
        "output_bytes",
        "output_writes",
        "status_1xx",
        "status_2xx",
        "status_3xx",
        "status_4xx",
        "status_5xx",
        "cpu_user_utilization",
        "cpu_system_utilization",
        "cpu_utilization",
        "cpu_user_time",
        "cpu_system_time",
        "cpu_time",
        "memory_rss",
        "memory_max_rss",
    ] {
        assert!(metrics[key].is_number(), "{key} in {metrics}");
    }
    Ok(())
}

fn request_metrics_counts(context: &Context) -> Outcome {
    let _alone = alone();
    context.json("/record")?;
    context.json("/requests")?;
    for path in ["/plain", "/plain", "/status", "/raise"] {
        context.get(path)?;
    }
    context.post("/read", b"hello")?;
    // One request at a time is served, so the last one has ended; the one that asks has only begun.
    let metrics = context.json("/requests")?;
    let count = |key: &str| metrics[key].as_u64().unwrap_or(0);
    // What asked for the metrics before ended after it had them.
    assert_eq!(count("request_count"), 6, "{metrics}");
    let classes = ["status_2xx", "status_4xx", "status_5xx"].map(count);
    assert_eq!(classes, [4, 1, 1], "{metrics}");
    assert_eq!(count("input_bytes"), 5);
    let phase: u64 = metrics["application_time_buckets"]
        .as_array()
        .map_or(0, |buckets| buckets.iter().filter_map(Value::as_u64).sum());
    assert_eq!(phase, 6);
    let (start, stop) = (metrics["start_time"].as_f64(), metrics["stop_time"].as_f64());
    assert!(start <= stop, "{metrics}");
    Ok(())
}

fn process_metrics_says(context: &Context) -> Outcome {
    let _alone = alone();
    context.json("/record")?;
    let metrics = context.json("/process")?;
    for key in [
        "pid",
        "restart_time",
        "current_time",
        "running_time",
        "request_count",
        "request_busy_time",
        "request_threads",
        "active_requests",
        "cpu_user_time",
        "cpu_system_time",
        "cpu_time",
        "memory_rss",
        "memory_max_rss",
    ] {
        assert!(metrics[key].is_number(), "{key} in {metrics}");
    }
    let threads = metrics["threads"].as_array().ok_or("no threads")?;
    assert!(threads.iter().all(|thread| thread["thread_id"].is_u64()), "{metrics}");
    let served: u64 = threads.iter().filter_map(|thread| thread["request_count"].as_u64()).sum();
    assert!(served >= 2, "{metrics}");
    assert_eq!(metrics["active_requests"], 1);
    Ok(())
}
