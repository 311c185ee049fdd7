//! What signals do.

use pinion_testbed::raw::Connection;
use pinion_testbed::wait_until;
use pinion_unix::signals::Signal;

use crate::world::{HELLO, LIMIT, Project};

/// Waits in `/slow` until a file is there.
const SLOW: &str = r#"
import os, time

GATE = os.path.join(os.path.dirname(__file__), "gate")

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open(GATE + ".begun", "w").close()
        while not os.path.exists(GATE):
            time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"#;

fn slow() -> Project {
    Project::new(&[("app.wsgi", SLOW)])
}

/// A request that has begun and waits.
fn begin(project: &Project, port: u16) -> Connection {
    let mut connection = Connection::open(port).unwrap();
    connection.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let begun = || project.path("gate.begun").exists();
    assert!(wait_until(LIMIT, begun), "the request was not begun");
    connection
}

#[test]
fn sigterm_lets_a_request_end_and_takes_no_other() {
    let project = slow();
    let mut serving = project.serve(&["--pid-file", "pid", "--bind", "127.0.0.1:0"]);
    assert_eq!(project.read("pid"), format!("{}\n", serving.pid()));
    let port = serving.port();
    let mut connection = begin(&project, port);
    serving.signal(Signal::SIGTERM);
    let refused = || Connection::open(port).is_err();
    assert!(wait_until(LIMIT, refused), "it listens on");
    assert!(!serving.workers().is_empty());
    project.write("gate", "");
    let answer = connection.answer("GET").unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
    assert!(serving.ended().success(), "{}", serving.log());
    assert!(!project.path("pid").exists());
    assert!(project.litter().is_empty());
}

#[test]
fn a_second_sigterm_waits_for_nothing() {
    let project = slow();
    let mut serving = project.serve(&["--shutdown-timeout", "0.5"]);
    let _connection = begin(&project, serving.port());
    let workers = serving.workers();
    serving.signal(Signal::SIGINT);
    let port = serving.port();
    assert!(wait_until(LIMIT, || Connection::open(port).is_err()));
    serving.signal(Signal::SIGTERM);
    assert!(serving.ended().success(), "{}", serving.log());
    assert!(workers.iter().all(|worker| !worker.alive()));
}

#[test]
fn graceful_timeout_ends_what_takes_too_long() {
    let project = slow();
    let mut serving = project.serve(&["--graceful-timeout", "0.3", "--shutdown-timeout", "0.5"]);
    let _connection = begin(&project, serving.port());
    serving.stop();
    let log = serving.log();
    assert!(log.contains("has not finished its requests within graceful-timeout=0.300"), "{log}");
    assert!(log.contains("in application"), "with its stack: {log}");
}

#[test]
fn sigterm_while_the_application_loads_ends_it() {
    let project =
        Project::new(&[("app.wsgi", "import time\nopen('begun', 'w').close()\ntime.sleep(600)\n")]);
    let mut serving = project.start(&[]);
    assert!(wait_until(LIMIT, || project.path("begun").exists()));
    serving.stop();
    assert!(!serving.log().contains("serving "));
}

#[test]
fn workers_end_when_the_server_is_killed() {
    let project = Project::hello();
    let mut serving = project.serve(&["--processes", "2"]);
    let workers = serving.workers();
    assert_eq!(workers.len(), 2);
    serving.signal(Signal::SIGKILL);
    assert!(!serving.ended().success());
    assert!(wait_until(LIMIT, || workers.iter().all(|worker| !worker.alive())));
}

#[test]
fn what_a_killed_server_leaves_the_next_one_removes() {
    let project = Project::new(&[("shop.py", HELLO)]);
    let other = project.serve(&["shop:application"]);
    let kept = project.litter();
    let mut killed = project.serve(&["shop:application"]);
    killed.signal(Signal::SIGKILL);
    killed.ended();
    assert_eq!((kept.len(), project.litter().len()), (1, 2));
    let mut next = project.serve(&["shop:application"]);
    assert!(kept.iter().all(|path| path.exists()), "it belongs to a server that runs");
    assert_eq!(project.litter().len(), 2, "one for each server that runs");
    next.stop();
    assert_eq!(project.litter(), kept);
    drop(other);
    project.serve(&["shop:application"]).stop();
    assert!(project.litter().is_empty());
}

#[test]
fn sigusr2_shows_the_python_stacks() {
    let project = slow();
    let mut serving = project.serve(&[]);
    let connection = begin(&project, serving.port());
    serving.signal(Signal::SIGUSR2);
    serving.wait_for("the Python stacks of all workers follow");
    serving.wait_for("in application");
    project.write("gate", "");
    drop(connection);
    serving.stop();
}

#[test]
fn a_worker_that_dies_is_replaced() {
    let project = Project::hello();
    let mut serving = project.serve(&[]);
    let worker = serving.workers().pop().unwrap();
    worker.kill();
    serving.wait_for("killed by SIGKILL");
    serving.wait_for_times("ready, Python", 2);
    assert_eq!(serving.get("/").text(), "hello");
    serving.stop();
}

#[test]
fn a_pid_file_of_a_living_process_is_refused_and_a_stale_one_is_not() {
    let project = Project::hello();
    let own = std::process::id();
    project.write("pid", &format!("{own}\n"));
    assert_eq!(
        project.said(&["--pid-file", "pid", "--bind", "127.0.0.1:0"]),
        format!(
            "pinion: PIN0908: /FOLDER/pid: process {own} runs\n\
             hint: end it (kill {own}), or remove the file if that is another program\nexit status: 4\n"
        )
    );
    assert_eq!(project.read("pid"), format!("{own}\n"));
    project.write("pid", "99999999\n");
    let mut serving = project.serve(&["--pid-file", "pid"]);
    serving.stop();
    assert!(!project.path("pid").exists());
}

#[test]
fn one_line_tells_where_it_serves() {
    let project = Project::new(&[("shop.py", HELLO)]);
    let mut serving = project.serve(&["shop:application", "--processes", "2", "--threads", "1"]);
    let log = serving.log();
    let line = log.lines().find(|line| line.starts_with("serving ")).unwrap();
    let python = pinion_testbed::python::system().unwrap().version;
    let port = serving.port();
    assert_eq!(
        line,
        format!(
            "serving WSGI application shop:application on http://127.0.0.1:{port}/ by Python {python} (/usr/bin/python3), \
             2 processes of 1 thread"
        )
    );
    serving.stop();
    assert_eq!(serving.log().matches("serving ").count(), 1);
}
