use std::path::Path;

use pinion_wire::answer::End;
use pinion_wire::request::BodyLength;

use crate::suite::{Worker, is_free_threaded};

pub(crate) fn hello(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    for _ in 0..3 {
        let answer = front.get("/hello");
        assert_eq!((answer.status, answer.text().as_str()), (Some(200), "Hello, world!"));
        assert_eq!(answer.header("Content-Length"), Some("13"));
        assert_eq!(answer.end, Some(End::Complete));
        assert_eq!(answer.logs, [""; 0]);
    }
    front.send("HEAD", "/hello", BodyLength::Known(0), b"");
    let answer = front.answer(&mut Vec::new());
    assert_eq!((answer.status, answer.body.len()), (Some(200), 0));
    assert_eq!((answer.header("Content-Length"), answer.end), (Some("13"), Some(End::Complete)));
}

pub(crate) fn environ(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let text = worker.connect().get("/environ").text();
    for line in [
        "PATH_INFO='/environ'",
        "SCRIPT_NAME='/mount'",
        "HTTP_X_LATIN='caf\u{c3}\u{a9}'",
        "wsgi.version=(1, 0)",
        "wsgi.url_scheme='https'",
        "wsgi.multithread=True",
        "wsgi.multiprocess=True",
        "wsgi.run_once=False",
        "wsgi.input_terminated=True",
        "wsgi.file_wrapper=<class 'mod_wsgi.FileWrapper'>",
        "mod_wsgi.version=(6, 1, 1)",
        "mod_wsgi.process_group='group'",
        "mod_wsgi.application_group='app|/x'",
        "mod_wsgi.request_start=1000.5",
        "apache.version=(2, 4, 71)",
    ] {
        assert!(text.lines().any(|given| given == line), "{line}\n{text}");
    }
    for key in ["wsgi.input=", "wsgi.errors=", "mod_wsgi.thread_id=", "mod_wsgi.queue_start=1"] {
        assert!(text.contains(&format!("\n{key}")), "{key}\n{text}");
    }
}

pub(crate) fn process(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let text = worker.connect().get("/process").text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["['mod_wsgi']", "None"]);
    assert!(!lines[2].contains("library"), "no folder of Pinion's is left: {}", lines[2]);
    assert!(lines[3].starts_with("_mod_wsgi_") && lines[3].len() == 10 + 32, "{}", lines[3]);
    let rest = ["True", "(6, 1, 1)", "'group'", "'app|/x'", "ModuleNotFoundError"];
    assert_eq!(lines[4..], rest);
}

pub(crate) fn lock(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let expected = if is_free_threaded(python) { "False" } else { "True" };
    assert_eq!(worker.connect().get("/lock").text(), expected);
}

/// Each answer and each log is its own request's, whatever the threads do at the same time.
pub(crate) fn many_at_once(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.threads = 4);
    let fronts: Vec<_> = (0..6).map(|_| worker.connect()).collect();
    std::thread::scope(|scope| {
        for (number, mut front) in fronts.into_iter().enumerate() {
            scope.spawn(move || {
                for round in 0..150 {
                    let mark = format!("{number}-{round}");
                    let answer = front.get(&format!("/busy?{mark}"));
                    assert_eq!(answer.text(), mark.repeat(50));
                    assert_eq!(answer.logs, [format!("busy {mark}")]);
                }
            });
        }
    });
}

pub(crate) fn start_response_errors(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let text = worker.connect().get("/start_errors").text();
    let expected = [
        "TypeError: must be str, not int",
        "TypeError: must be str, not bytes",
        "UnicodeEncodeError: 'latin-1' codec can't encode character '\u{20ac}' in position 4: ordinal not in range(256)",
        "ValueError: status code must be a 3 digit integer: b'20 OK'",
        "ValueError: control character in status reason phrase: b'200 O\\nK'",
        "ValueError: no space following status code: b'200OK'",
        "TypeError: start_response() argument 2 must be list, not tuple",
        "TypeError: start_response() argument 2 must be list, not None",
        "TypeError: each header must be a 2-tuple, not list",
        "ValueError: each header must be a 2-tuple, got length 3",
        "TypeError: must be str, not int",
        "TypeError: must be str, not NoneType",
        "ValueError: control character in header name: b'A\\n'",
        "ValueError: space character in header name: b'A b'",
        "ValueError: header name is empty",
        "ValueError: carriage return/line feed character in header value: b'x\\ny'",
        "RuntimeError: start_response() argument 'exc_info' must be a 3-tuple or None",
        "TypeError: start_response() takes at least 2 arguments (1 given)",
        "TypeError: start_response() takes at most 3 arguments (4 given)",
    ];
    let text = text.replace("\\u20ac", "\u{20ac}");
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

pub(crate) fn blocks(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.get("/generator");
    assert_eq!((answer.text().as_str(), &answer.blocks[..]), ("onetwo", &[3, 3][..]));
    let answer = front.get("/write");
    let again = "writtenRuntimeError: start_response() called more than once without exc_info";
    assert_eq!(answer.text(), format!("{again}TypeError: write() argument must be bytes, not str"));
    let answer = front.get("/big");
    assert_eq!(answer.body.len(), 3_050_010);
    assert_eq!(answer.blocks[..3], [1 << 20, 1 << 20, 3_000_000 - (2 << 20)]);
    assert!(answer.body[..3_000_000].iter().all(|byte| *byte == b'a'));
    assert!(answer.body[3_000_010..].iter().all(|byte| *byte == b'c'));
}

pub(crate) fn heads(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.get("/replaced");
    assert_eq!((answer.status, answer.text().as_str()), (Some(503), "replaced"));
    let answer = front.get("/reraised");
    assert_eq!((answer.status, answer.text().as_str()), (Some(200), "sent"));
    assert_eq!(answer.end, Some(End::Failed));
    assert!(answer.log().contains("KeyError: 'late'"), "{}", answer.log());
}

pub(crate) fn content_length(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.get("/too_long");
    assert_eq!((answer.text().as_str(), answer.end), ("12345", Some(End::Complete)));
    let answer = front.get("/too_short");
    assert_eq!((answer.text().as_str(), answer.end), ("123", Some(End::Truncated)));
    let answer = front.get("/no_content");
    assert_eq!((answer.status, answer.text().as_str()), (Some(204), ""));
    assert_eq!(answer.end, Some(End::Complete));
}

pub(crate) fn files(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let script = std::fs::read(worker.folder.path().join("app.wsgi")).unwrap();
    let answer = front.get("/file");
    assert_eq!(answer.body, script[10..]);
    let length = (script.len() - 10).to_string();
    assert_eq!(answer.header("Content-Length"), Some(length.as_str()));
    let answer = front.get("/file_part");
    assert_eq!((answer.body.as_slice(), answer.end), (&script[..7], Some(End::Complete)));
    let answer = front.get("/no_file");
    assert_eq!((answer.text().as_str(), answer.blocks.len()), ("in memory", 3));
}

pub(crate) fn exceptions(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let started = "start_response() must be called before response content is produced";
    for (path, status, last) in [
        ("/raises", None, "ValueError: oops \u{20ac}"),
        ("/raises_between", Some(200), "ValueError: later"),
        ("/exits", None, "SystemExit: 3"),
        ("/never_started", None, started),
        ("/text", None, "TypeError: response iterable must yield bytes, not str"),
    ] {
        let answer = front.get(path);
        assert_eq!((answer.status, answer.end), (status, Some(End::Failed)), "{path}");
        let log = answer.log();
        assert!(log.starts_with("WSGI017"), "{log}");
        assert!(
            log.contains("app.wsgi' for sub-interpreter 'app|/x' of daemon process 'group'")
                && log.contains(last),
            "{log}"
        );
    }
    let log = front.get("/raises").log();
    assert!(log.contains("Traceback (most recent call last):\n  File "), "{log}");
    assert_eq!(front.get("/hello").end, Some(End::Complete));
}

pub(crate) fn closing(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.get("/closing");
    assert_eq!((answer.text().as_str(), answer.log().as_str()), ("body", "closed"));
    let answer = front.get("/closing_text");
    assert!(answer.log().contains("closed") && answer.end == Some(End::Failed));
}

pub(crate) fn after_the_request(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    front.get("/keep");
    let text = front.get("/use_kept").text();
    let expected = [
        "RuntimeError: read() called on wsgi.input after request completed",
        "RuntimeError: readline() called on wsgi.input after request completed",
        "RuntimeError: readlines() called on wsgi.input after request completed",
        "RuntimeError: iteration of wsgi.input attempted after request completed",
        "RuntimeError: write() called on wsgi.errors after request completed",
        "None",
        "RuntimeError: write() called after request completed",
        "RuntimeError: start_response() called after request completed",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

pub(crate) fn profiler_forks_and_signals(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    assert_eq!(front.get("/profile").text(), "6");
    assert_eq!(front.get("/fork").text(), "status 0");
    assert_eq!(front.get("/fork_terminate").text(), "signal 15");
    let answer = front.get("/fork_exit");
    assert_eq!((answer.text().as_str(), answer.logs.len()), ("status 7", 0));
    assert_eq!(worker.output_with("prints"), "the child prints\n");
    assert_eq!(front.get("/signals").text(), "<built-in function print>");
    assert!(worker.log("Ignoring Python signal handler registration").contains("app.wsgi"));
    let text = front.get("/per_thread").text();
    assert!(text.starts_with("mod_wsgi-"), "{text}");
}
