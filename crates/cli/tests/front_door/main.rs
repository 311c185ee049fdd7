//! What `pinion serve` does beside the application, as somebody who starts it sees it: files, the health path, proxies, and one
//! access log of several workers.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pinion_testbed::http::Answer;
use pinion_testbed::raw::Connection;
use pinion_testbed::{Port, Program, poll, wait_until};
use pinion_unix::signals::Signal;
use serde_json::Value;

/// How long a start may take: the first one builds the worker core.
const START: Duration = Duration::from_secs(600);
/// How long anything else may take.
const SOON: Duration = Duration::from_secs(60);

const APPLICATION: &str = "
def application(environ, start_response):
    names = ('REMOTE_ADDR', 'HTTP_HOST', 'wsgi.url_scheme', 'SCRIPT_NAME', 'PATH_INFO')
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [' '.join(str(environ.get(name)) for name in names).encode()]
";

/// A running server, in a folder of its own.
struct Served {
    folder: tempfile::TempDir,
    port: Port,
    program: Program,
}

impl Served {
    /// Starts it with options, in which relative paths are of the folder.
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::write(at.join("hello.wsgi"), APPLICATION).unwrap();
        fs::create_dir(at.join("public")).unwrap();
        fs::write(at.join("public/app.css"), "body {}").unwrap();
        fs::write(at.join("secret"), "secret").unwrap();
        let port = Port::take().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinion"));
        command.current_dir(at).args(["serve", "hello.wsgi"]).args(options);
        command.arg("--bind").arg(format!("127.0.0.1:{}", port.number()));
        let program = Program::start(&mut command, &at.join("output")).unwrap();
        let mut served = Self { folder, port, program };
        served.until_served();
        served
    }

    fn until_served(&mut self) {
        let served = poll(START, || {
            let ended = self.program.ended();
            assert!(ended.is_none(), "{}", self.output());
            Connection::open(self.port.number()).ok()
        });
        assert!(served.is_some(), "{}", self.output());
    }

    fn output(&self) -> String {
        fs::read_to_string(self.path("output")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ask(&self, path: &str, fields: &str) -> Answer {
        let mut connection = Connection::open(self.port.number()).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: h.example\r\n{fields}\r\n");
        connection.send(head).unwrap();
        connection.answer("GET").unwrap()
    }

    fn end(mut self) {
        self.program.signal(Signal::SIGTERM);
        let status = self.program.wait(SOON).unwrap();
        assert!(status.success(), "{status}: {}", self.output());
    }
}

/// The whole lines of a log, each of them an object. What is behind the last line feed is left out:
/// a reader may see a write of several pages (these lines have two) while the kernel is at it.
fn lines(log: &Path) -> Vec<Value> {
    let text = fs::read(log).unwrap_or_default();
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    text[..whole]
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            serde_json::from_slice(line)
                .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)))
        })
        .collect()
}

#[test]
fn files_health_and_proxies_are_as_the_options_say() {
    let served = Served::start(&[
        "--mount=/app",
        "--static=/static=public",
        "--health=/healthz",
        "--trusted-proxies=127.0.0.0/8",
        "--trusted-proxy-headers=X-Forwarded-For",
        "--trusted-proxy-headers=X-Forwarded-Proto",
        "--access-log=-",
    ]);
    let answer = served.ask("/static/app.css", "");
    assert_eq!((answer.status, answer.text()), (200, "body {}".to_owned()));
    assert_eq!(answer.header("Content-Type").as_deref(), Some("text/css; charset=utf-8"));
    let tag = answer.header("ETag").unwrap();
    let again = served.ask("/static/app.css", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.text()), (304, String::new()));
    for path in ["/static/../secret", "/static/%2e%2e/secret", "/static/..%5csecret", "/secret"] {
        assert_eq!(served.ask(path, "").status, 404, "{path}");
    }
    assert_eq!(served.ask("/healthz", "").text(), "ok\n");
    let fields = "X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    let text = served.ask("/app/x", fields).text();
    assert_eq!(text, "203.0.113.9 h.example https /app /x");
    assert_eq!(served.ask("/app", "").text(), "127.0.0.1 h.example http /app ");
    // The log is between the server's own words on standard output.
    let expected = [
        "127.0.0.1 - - [\"GET /static/app.css HTTP/1.1\" 200 7 \"-\" \"-\"",
        "127.0.0.1 - - [\"GET /static/app.css HTTP/1.1\" 304 - \"-\" \"-\"",
        "127.0.0.1 - - [\"GET /static/%2e%2e/secret HTTP/1.1\" 404 14 \"-\" \"-\"",
        "203.0.113.9 - - [\"GET /app/x HTTP/1.1\" 200 35 \"-\" \"-\"",
    ];
    let seen = || -> BTreeSet<String> {
        let without_time = |line: &str| {
            let (before, rest) = line.split_once('[')?;
            Some(format!("{before}[{}", rest.split_once("] ")?.1))
        };
        served.output().lines().filter_map(without_time).collect()
    };
    let all = wait_until(SOON, || expected.iter().all(|line| seen().contains(*line)));
    assert!(all, "{}", served.output());
    assert!(!served.output().contains("healthz"));
    served.end();
}

#[test]
fn several_workers_write_one_log_and_a_new_one_when_it_was_moved() {
    let options = ["--processes=2", "--threads=2", "--access-log=access.log"];
    let mut served = Served::start(&[&options[..], &["--access-log-format=json"]].concat());
    let (log, moved) = (served.path("access.log"), served.path("access.log.1"));
    let mut asked = 0_usize;
    let agent = format!("User-Agent: {}\r\n", "\"x\u{e9}".repeat(2000));
    let pids = |lines: &[Value]| -> BTreeSet<u64> {
        lines.iter().filter_map(|line| line["pid"].as_u64()).collect()
    };
    let mut round = |served: &Served| {
        std::thread::scope(|scope| {
            for number in 0..8 {
                let agent = &agent;
                // Each on a connection of its own: those of a worker that is replaced end.
                scope.spawn(move || {
                    for turn in 0..25 {
                        let path = format!("/{number}/{turn}");
                        assert_eq!(served.ask(&path, agent).status, 200);
                    }
                });
            }
        });
        asked += 200;
        asked
    };
    // Which worker takes a connection is the kernel's choice.
    let both = wait_until(SOON, || {
        let count = round(&served);
        assert!(wait_until(SOON, || lines(&log).len() == count), "{}", lines(&log).len());
        pids(&lines(&log)).len() == 2
    });
    assert!(both);
    let first = lines(&log);
    let agents: BTreeSet<_> =
        first.iter().map(|line| line["user_agent"].as_str().unwrap()).collect();
    assert_eq!(agents.into_iter().collect::<Vec<_>>(), ["\"x\u{e9}".repeat(2000)]);

    fs::rename(&log, &moved).unwrap();
    served.program.signal(Signal::SIGHUP);
    // Workers that are replaced write to the old file to their end.
    let renewed = wait_until(SOON, || {
        served.until_served();
        round(&served);
        !lines(&log).is_empty()
    });
    assert!(renewed, "{}", served.output());
    let count = round(&served);
    let all = || lines(&log).len() + lines(&moved).len();
    assert!(wait_until(SOON, || all() == count), "{} of {count}", all());
    served.end();
}
