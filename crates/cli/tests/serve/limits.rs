//! What limits for clients and for requests do, each by its option.

use std::time::Duration;

use pinion_testbed::load::Load;
use pinion_testbed::raw::{Connection, exchange};
use pinion_testbed::wait_until;

use crate::world::{HELLO, LIMIT, Project};

/// Says which process answers; `/hang` never does.
const APP: &str = r#"
import os, time

def application(environ, start_response):
    while environ["PATH_INFO"] == "/hang":
        time.sleep(0.01)
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
"#;

fn project() -> Project {
    Project::new(&[("app.wsgi", APP)])
}

#[test]
fn what_is_too_long_is_refused() {
    let line = format!("GET /{} HTTP/1.1\r\nHost: x", "a".repeat(400));
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}", "a".repeat(1200));
    let fields = format!("GET / HTTP/1.1\r\nHost: x{}", "\r\nA: b".repeat(20));
    let body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1200";
    let requests = [line.as_str(), &head, &fields, body];
    let project = project();
    for (option, limit, statuses) in [
        ("--limit-line", "300", [414, 200, 200, 200]),
        ("--limit-head", "1000", [200, 431, 200, 200]),
        ("--limit-fields", "15", [200, 200, 431, 200]),
        ("--limit-body", "1000", [200, 200, 200, 413]),
    ] {
        let mut serving = project.serve(&[option, limit]);
        let came = requests.map(|request| {
            let content = if request == body { "x".repeat(1200) } else { String::new() };
            exchange(serving.port(), request, content.as_bytes()).unwrap().status
        });
        assert_eq!(came, statuses, "{option} {limit}");
        serving.stop();
    }
}

#[test]
fn slow_clients_are_ended_each_by_its_own_limit() {
    let project = project();
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\nx";
    for (option, sent, answered, ended) in [
        ("--head-timeout", "GET / HTTP/1.1\r\nHo", None, Some(408)),
        ("--body-timeout", post, None, Some(408)),
        ("--idle-timeout", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(200), None),
    ] {
        let others = ["--head-timeout", "--body-timeout", "--idle-timeout", "--least-rate"];
        let mut arguments: Vec<&str> =
            others.iter().filter(|it| **it != option).flat_map(|it| [*it, "0"]).collect();
        arguments.extend([option, "0.3"]);
        let mut serving = project.serve(&arguments);
        let mut connection = Connection::open(serving.port()).unwrap();
        connection.read_timeout(LIMIT).unwrap();
        connection.send(sent).unwrap();
        for status in [answered, ended].into_iter().flatten() {
            assert_eq!(connection.answer("POST").unwrap().status, status, "{option}");
        }
        assert_eq!(connection.whole_rest().unwrap(), b"", "{option}: it is closed");
        serving.stop();
    }
}

#[test]
fn a_body_that_never_pauses_is_ended_by_its_rate() {
    let project = project();
    let mut serving = project.serve(&["--body-timeout", "2", "--least-rate", "1000000"]);
    let mut connection = Connection::open(serving.port()).unwrap();
    connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
    // Far too little, though more than the default asks for, and not whole before this gives up.
    let piece = [b'x'; 1000];
    assert!(wait_until(LIMIT, || connection.send(piece).is_err()), "{}", serving.log());
    serving.stop();
}

#[test]
fn connections_beyond_the_limit_wait() {
    let project = project();
    let mut serving = project.serve(&["--limit-connections", "1"]);
    let mut first = Connection::open(serving.port()).unwrap();
    let ask = |connection: &mut Connection| {
        connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        connection.answer("GET").unwrap().status
    };
    assert_eq!(ask(&mut first), 200);
    let mut second = Connection::open(serving.port()).unwrap();
    second.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    second.read_timeout(Duration::from_millis(100)).unwrap();
    assert!(second.head("GET").is_err(), "nothing comes while the first one is open");
    assert_eq!(ask(&mut first), 200);
    drop(first);
    second.read_timeout(LIMIT).unwrap();
    assert_eq!(second.answer("GET").unwrap().status, 200);
    drop(second);
    serving.stop();
}

#[test]
fn a_request_that_takes_too_long_is_answered_504_and_its_worker_replaced() {
    let project = project();
    let mut serving = project.serve(&["--request-timeout", "0.5", "--shutdown-timeout", "1"]);
    let pid = || serving.get("/").text();
    let before = pid();
    assert_eq!(serving.get("/hang").status, 504);
    assert!(wait_until(LIMIT, || pid() != before), "{}", serving.log());
    let log = serving.log();
    assert!(log.contains("request-timeout=0.500") && log.contains("in application"), "{log}");
    serving.stop();
}

#[test]
fn an_application_that_loads_too_long_ends_the_server_with_its_stack() {
    let project = Project::new(&[("app.wsgi", "import time\ntime.sleep(600)\n")]);
    let mut serving = project.start(&["--startup-timeout", "0.5", "--shutdown-timeout", "1"]);
    let status = serving.ended();
    let log = serving.log();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("app.wsgi\", line 2 in <module>"), "its stack: {log}");
    let said = "pinion: PIN0907: app.wsgi does not load: not loaded within startup-timeout=0.500\n\
                hint: the stack shows where it was; if it needs the time, give it more with --startup-timeout\n";
    assert!(log.ends_with(said), "{log}");
}

#[test]
fn workers_are_replaced_after_their_requests_and_none_is_lost() {
    let project = project();
    let mut serving = project.serve(&["--maximum-requests", "100", "--processes", "2"]);
    let load = Load::get(serving.port(), "/", 8, Duration::from_secs(4));
    let (report, ()) = load.run_while(|| serving.wait_for_times("ready, Python", 8));
    assert_eq!(report.failures, [], "of {} requests", report.requests);
    assert_eq!(report.statuses, [(200, report.requests)].into());
    assert!(report.requests > 300, "{}", report.requests);
    serving.stop();
}

#[test]
fn workers_warm_up_before_they_serve() {
    let app = format!(
        "import os\n{HELLO}\nanswer = application\n\ndef application(environ, start_response):\n    \
         with open(os.environ['ASKED'], 'a') as file:\n        \
         file.write('%(SCRIPT_NAME)s|%(PATH_INFO)s|%(QUERY_STRING)s\\n' % environ)\n    \
         if environ['PATH_INFO'] == '/broken':\n        raise ValueError('not warm')\n    \
         return answer(environ, start_response)\n"
    );
    let project = Project::new(&[("app.wsgi", app.as_str())]);
    let asked = format!("ASKED={}", project.path("asked").display());
    let mut serving = project.serve(&["--env", &asked, "--warmup", "/a", "--warmup", "/b?c=d"]);
    assert_eq!(project.read("asked"), "|/a|\n|/b|c=d\n", "before it says that it serves");
    serving.stop();
    let said = project.said(&["--env", &asked, "--warmup", "/broken", "--bind", "127.0.0.1:0"]);
    let why = "pinion: PIN0907: app.wsgi does not load: warmup=/broken: ValueError: not warm\n";
    assert!(said.contains(why), "{said}");
    assert!(said.ends_with("exit status: 3\n"), "{said}");
}
