use std::fs;
use std::path::Path;

use pinion_unix::process::ExitCause;
use pinion_unix::signals::Signal;
use pinion_wire::Kind;
use pinion_wire::answer::End;
use pinion_wire::message::{self, Bit, Rein, RetireReason, StopReason};
use pinion_wire::request::BodyLength;

use crate::suite::{Worker, clock};

const EXITED: ExitCause = ExitCause::Status(0);

/// A script that answers with the value of this expression.
fn telling(imports: &str, expression: &str) -> String {
    format!(
        "{imports}\ndef application(environ, start_response):\n    start_response('200 OK', [])\n    return [str({expression}).encode()]\n"
    )
}

pub(crate) fn python_path(python: &Path) {
    let mut worker = Worker::ready(python, |folder, spec| {
        for name in ["first", "second", "linked"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        fs::write(folder.join("first/in_first.py"), "value = 1\n").unwrap();
        fs::write(folder.join("second/in_first.py"), "value = 2\n").unwrap();
        let linked = folder.join("linked");
        fs::write(folder.join("second/linked.pth"), linked.display().to_string()).unwrap();
        fs::write(linked.join("in_linked.py"), "value = 3\n").unwrap();
        // An editable install: a finder that a .pth file imports.
        let finder = "import sys, types\n\
            class Finder:\n\
            \x20   def find_spec(self, name, path=None, target=None):\n\
            \x20       if name == 'editable':\n\
            \x20           from importlib.machinery import ModuleSpec\n\
            \x20           return ModuleSpec(name, self)\n\
            \x20   def create_module(self, spec): return None\n\
            \x20   def exec_module(self, module): module.value = 4\n\
            sys.meta_path.append(Finder())\n";
        fs::write(folder.join("first/finder.py"), finder).unwrap();
        fs::write(folder.join("first/editable.pth"), "import finder\n").unwrap();
        let imports = "import sys, in_first, in_linked, editable";
        let values = "[in_first.value, in_linked.value, editable.value] + [p.rsplit('/', 1)[1] for p in sys.path[:3]]";
        fs::write(folder.join("app.wsgi"), telling(imports, values)).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        spec.group.python_path = vec![path("first"), path("second")];
    });
    let text = worker.connect().get("/").text();
    assert_eq!(text, "[1, 3, 4, 'first', 'second', 'linked']");
}

/// A worker core of another build would read other things than what was written.
pub(crate) fn another_build(python: &Path) {
    let (mut worker, spec) = Worker::exec(python, &[], |_, _| {});
    let mut bytes = message::encode(&Rein::Start(Box::new(spec))).unwrap();
    bytes[1] ^= 1;
    worker.tell_bytes(&bytes, None);
    assert_eq!(worker.wait(), ExitCause::Status(2));
    let said = worker.output();
    assert!(said.contains("are of different builds of Pinion"), "{said}");
    assert!(said.contains("\nhint: install the program, its lib/pinion"), "{said}");
    assert_eq!(said.matches("hint: ").count(), 1, "{said}");
}

pub(crate) fn load_failure(python: &Path) {
    for (source, last) in [
        ("raise RuntimeError('no database')\n", "RuntimeError: no database"),
        ("import sys; sys.exit(2)\n", "SystemExit: 2"),
        ("x = (\n", "SyntaxError"),
    ] {
        let mut worker = Worker::start(python, |folder, _| {
            fs::write(folder.join("app.wsgi"), source).unwrap();
        });
        let Bit::LoadFailed { reason, warmup: false, mtime, script } = worker.bit() else {
            panic!("it loads: {source}");
        };
        assert!(reason.contains(last), "{reason}");
        assert!(!reason.contains("pinion_worker"), "no frame of ours: {reason}");
        assert!(mtime > 0 && script.ends_with(b"app.wsgi"));
        assert_eq!(worker.wait(), ExitCause::Status(1));
    }
}

pub(crate) fn missing_callable(python: &Path) {
    let mut worker = Worker::ready(python, |folder, _| {
        fs::write(folder.join("app.wsgi"), "x = 1\n").unwrap();
    });
    let answer = worker.connect().get("/");
    assert_eq!((answer.status, answer.end), (None, Some(End::NoCallable)));
    let log = answer.log();
    assert!(log.contains("does not contain WSGI application 'application'."), "{log}");
}

pub(crate) fn late_load(python: &Path) {
    let mut worker = Worker::ready(python, |folder, spec| {
        fs::write(folder.join("other.odd"), telling("", "__name__ + __file__")).unwrap();
        fs::write(folder.join("broken.wsgi"), "raise ValueError('first')\n").unwrap();
        spec.mounts.clear();
    });
    let mut front = worker.connect();
    let path = |name: &str| worker.folder.path().join(name).into_os_string().into_encoded_bytes();
    let mut ask = |name: &str| {
        front.send_to(&path(name), "GET", "/", BodyLength::Known(0), b"", clock());
        front.answer(&mut Vec::new())
    };
    assert!(ask("other.odd").text().ends_with("other.odd"));
    let Bit::Loaded { script, mtime } = worker.bit() else { panic!("not loaded") };
    assert!(script.ends_with(b"other.odd") && mtime > 0);
    let first = ask("broken.wsgi");
    assert_eq!((first.status, first.end), (None, Some(End::NotLoaded)));
    assert!(first.log().contains("Traceback") && first.log().contains("ValueError: first"));
    let second = ask("broken.wsgi");
    assert_eq!(second.end, Some(End::NotLoaded));
    assert_eq!(second.logs.len(), 1);
    assert!(second.log().contains("ValueError: first"), "{}", second.log());
    fs::write(worker.folder.path().join("broken.wsgi"), "raise ValueError('second')\n").unwrap();
    assert_eq!(ask("broken.wsgi").end, Some(End::NotLoaded));
    let retire = Bit::Retire { reason: RetireReason::LoadAgain };
    assert_eq!(worker.bit(), retire);
}

pub(crate) fn warmup(python: &Path) {
    let seen = telling(
        "SEEN = []",
        "(SEEN.append(environ['PATH_INFO'] + environ.get('SERVER_NAME', '')), SEEN)",
    );
    let mut worker = Worker::ready(python, |folder, spec| {
        fs::write(folder.join("app.wsgi"), &seen).unwrap();
        spec.group.warmup = vec!["/one?x=1".to_owned(), "/two".to_owned()];
    });
    let text = worker.connect().get("/real").text();
    assert!(text.contains("'/oneserver.example', '/twoserver.example', '/real"), "{text}");
    for (source, reason) in [
        ("def application(e, s):\n    raise KeyError('cold')\n", "KeyError: 'cold'"),
        ("def application(e, s):\n    s('503 No', [])\n    return []\n", "answered 503"),
    ] {
        let worker = Worker::start(python, |folder, spec| {
            fs::write(folder.join("app.wsgi"), source).unwrap();
            spec.group.warmup = vec!["/".to_owned()];
        });
        let failed = worker.bit_like(|bit| matches!(bit, Bit::LoadFailed { .. }));
        let Bit::LoadFailed { reason: given, warmup: true, .. } = failed else {
            panic!("{failed:?}");
        };
        assert!(given.contains(reason), "{given}");
    }
}

pub(crate) fn concurrent(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let go = worker.folder.path().join("go");
    let path = format!("/wait?path={}", go.display());
    let mut fronts: Vec<_> = (0..3).map(|_| worker.connect()).collect();
    for front in &mut fronts {
        front.send("GET", &path, BodyLength::Known(0), b"");
        assert_eq!(front.frame_of(Kind::Log), b"waiting");
    }
    let mut begun = worker.begun();
    begun.sort_by_key(|one| one.connection);
    let numbers: Vec<_> = begun.iter().map(|one| (one.connection, one.seq)).collect();
    assert_eq!(numbers, [(1, 1), (2, 1), (3, 1)]);
    assert!(begun.iter().all(|one| one.line == "GET /mount/wait"), "{begun:?}");
    fs::write(go, "").unwrap();
    for front in &mut fronts {
        assert_eq!(front.answer(&mut Vec::new()).text(), "waited");
    }
    // A thread takes its note off before it looks for the next request.
    for front in &mut fronts {
        front.get("/hello");
    }
    assert!(worker.begun().iter().all(|one| one.line != "GET /mount/wait"));
}

pub(crate) fn one_thread(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.threads = 1);
    let mut fronts: Vec<_> = (0..8).map(|_| worker.connect()).collect();
    for _ in 0..20 {
        for front in &mut fronts {
            front.send("GET", "/per_thread", BodyLength::Known(0), b"");
        }
        for front in &mut fronts {
            let text = front.answer(&mut Vec::new()).text();
            assert!(text.starts_with("mod_wsgi-1 "), "{text}");
        }
    }
    assert_eq!(fronts[0].get("/per_thread").text(), "mod_wsgi-1 161");
    assert!(fronts[0].get("/environ").text().contains("wsgi.multithread=False"));
}

pub(crate) fn expired(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.timeouts.queue = 1000);
    let mut front = worker.connect();
    let script = worker.folder.path().join("app.wsgi").into_os_string().into_encoded_bytes();
    for (ago_ms, end) in [(900_000, End::Expired), (0, End::Complete)] {
        let queued = clock().saturating_sub(ago_ms * 1_000_000).max(1);
        front.send_to(&script, "GET", "/hello", BodyLength::Known(0), b"", queued);
        let answer = front.answer(&mut Vec::new());
        assert_eq!((answer.end, answer.status.is_some()), (Some(end), end == End::Complete));
    }
}

pub(crate) fn maximum_requests(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.maximum_requests = 3);
    let mut front = worker.connect();
    for _ in 0..5 {
        assert_eq!(front.get("/hello").end, Some(End::Complete));
    }
    assert_eq!(worker.bit(), Bit::Retire { reason: RetireReason::MaximumRequests });
    worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    // Nothing else was said but what the application prints as it leaves.
    assert_eq!(worker.bit(), Bit::Log { level: 3, text: "atexit ran".to_owned() });
}

pub(crate) fn stop_while_busy(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let go = worker.folder.path().join("go");
    let mut busy = worker.connect();
    let mut idle = worker.connect();
    busy.send("GET", &format!("/wait?path={}", go.display()), BodyLength::Known(0), b"");
    assert_eq!(busy.frame_of(Kind::Log), b"waiting");
    worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    // What comes late is served as well, while the other runs.
    assert_eq!(idle.get("/hello").end, Some(End::Complete));
    fs::write(go, "").unwrap();
    assert_eq!(busy.answer(&mut Vec::new()).text(), "waited");
    assert_eq!(worker.log("atexit"), "atexit ran");
    assert_eq!(worker.wait(), EXITED);
    assert!(idle.frame().is_none());
    assert_eq!(worker.output(), "");
}

pub(crate) fn stop_while_loading(python: &Path) {
    let mut worker = Worker::start(python, |folder, _| {
        let source = "import time\nprint('loading')\ntime.sleep(1000)\n";
        fs::write(folder.join("app.wsgi"), source).unwrap();
    });
    worker.log("loading");
    worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    assert_eq!(worker.wait(), EXITED);
}

pub(crate) fn manager_dies(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let go = worker.folder.path().join("go");
    let mut busy = worker.connect();
    busy.send("GET", &format!("/wait?path={}", go.display()), BodyLength::Known(0), b"");
    assert_eq!(busy.frame_of(Kind::Log), b"waiting");
    worker.abandon();
    fs::write(go, "").unwrap();
    assert_eq!(busy.answer(&mut Vec::new()).text(), "waited");
    assert_eq!(worker.wait(), EXITED);
    // The manager cannot be told any more; the text goes where C code's goes.
    assert!(worker.output().contains("atexit ran"));
}

pub(crate) fn manager_dies_stubborn(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.timeouts.graceful = 200);
    let mut busy = worker.connect();
    busy.send("GET", "/stubborn", BodyLength::Known(0), b"");
    assert_eq!(busy.frame_of(Kind::Log), b"stubborn");
    worker.abandon();
    assert_eq!(worker.wait(), EXITED);
    assert!(busy.frame().is_none());
}

pub(crate) fn interrupted(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.threads = 2);
    let go = worker.folder.path().join("go");
    let wait = format!("/wait?path={}", go.display());
    let (mut first, mut second) = (worker.connect(), worker.connect());
    for front in [&mut first, &mut second] {
        front.send("GET", &wait, BodyLength::Known(0), b"");
        assert_eq!(front.frame_of(Kind::Log), b"waiting");
    }
    worker.tell(&Rein::Interrupt { connection: 1, seq: 1 }, None);
    let answer = first.answer(&mut Vec::new());
    assert_eq!((answer.end, answer.status), (Some(End::Interrupted), None));
    assert!(answer.log().contains("Request interrupted by RequestTimeout"), "{}", answer.log());
    // A request that is over interrupts nobody, least of all the next one of its connection.
    worker.tell(&Rein::Interrupt { connection: 1, seq: 1 }, None);
    first.send("GET", &wait, BodyLength::Known(0), b"");
    assert_eq!(first.frame_of(Kind::Log), b"waiting");
    fs::write(go, "").unwrap();
    for front in [&mut first, &mut second] {
        let answer = front.answer(&mut Vec::new());
        assert_eq!((answer.text().as_str(), answer.end), ("waited", Some(End::Complete)));
    }
    assert_eq!(second.get("/raises_timeout").end, Some(End::Interrupted));
}

/// All of the stacks that the worker writes when it is asked: the main thread's outermost frame is the last.
fn dumped(worker: &Worker) -> String {
    worker.tell(&Rein::DumpStacks, None);
    worker.output_with("in <module>\n")
}

pub(crate) fn stacks(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let go = worker.folder.path().join("go");
    let mut busy = worker.connect();
    busy.send("GET", &format!("/wait?path={}", go.display()), BodyLength::Known(0), b"");
    assert_eq!(busy.frame_of(Kind::Log), b"waiting");
    let stacks = dumped(&worker);
    assert!(stacks.contains("in wait\n") && stacks.contains("in application\n"), "{stacks}");
    worker.signal(Signal::SIGSEGV);
    worker.output_with("Fatal Python error: Segmentation fault");
    assert!(matches!(worker.wait(), ExitCause::Signal { number: 11, .. }));
    assert!(busy.frame().is_none());
}

pub(crate) fn stacks_while_running(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let go = worker.folder.path().join("go");
    let churn = format!("/churn?path={}", go.display());
    let mut busy = [worker.connect(), worker.connect()];
    for front in &mut busy {
        front.send("GET", &churn, BodyLength::Known(0), b"");
        assert_eq!(front.frame_of(Kind::Log), b"churning");
    }
    for _ in 0..100 {
        let stacks = dumped(&worker);
        assert_eq!(stacks.matches("in application\n").count(), 2, "{stacks}");
    }
    fs::write(go, "").unwrap();
    for front in &mut busy {
        assert_eq!(front.answer(&mut Vec::new()).text(), "churned");
    }
}

pub(crate) fn stacks_without_the_lock(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut busy = worker.connect();
    busy.send("GET", "/keeps_the_lock", BodyLength::Known(0), b"");
    assert_eq!(busy.frame_of(Kind::Log), b"keeping it");
    let stacks = dumped(&worker);
    assert!(stacks.contains("in keeps_the_lock\n"), "{stacks}");
    worker.signal(Signal::SIGKILL);
    assert!(matches!(worker.wait(), ExitCause::Signal { number: 9, .. }));
}

pub(crate) fn signals(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    worker.signal(Signal::SIGUSR1);
    let asked = Bit::Retire { reason: RetireReason::Asked };
    assert_eq!(worker.bit_like(|bit| *bit == asked), asked);
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.wait(), EXITED);
}

pub(crate) fn disconnect(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    front.send("GET", "/endless", BodyLength::Known(0), b"");
    front.frame_of(Kind::Data);
    drop(front);
    // The iterable is closed though nobody reads it, and the log knows.
    assert_eq!(worker.log("closed"), "closed");
    let bit = worker.bit_like(|bit| matches!(bit, Bit::Log { level: 7, .. }));
    let Bit::Log { text, .. } = bit else { unreachable!() };
    assert!(text.contains("the client has closed the connection"), "{text}");
    assert_eq!(worker.connect().get("/hello").end, Some(End::Complete));
}

pub(crate) fn abandoned_in_the_queue(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.threads = 1);
    let go = worker.folder.path().join("go");
    let mut busy = worker.connect();
    busy.send("GET", &format!("/wait?path={}", go.display()), BodyLength::Known(0), b"");
    assert_eq!(busy.frame_of(Kind::Log), b"waiting");
    // The request and the end of its connection are both there before the worker looks: it is told of them once.
    let mut queued = worker.connect();
    queued.send("GET", "/endless", BodyLength::Known(0), b"");
    drop(queued);
    fs::write(go, "").unwrap();
    assert_eq!(busy.answer(&mut Vec::new()).text(), "waited");
    assert_eq!(worker.log("closed"), "closed");
    worker.tell(&Rein::Stop(StopReason::Shutdown), None);
    assert_eq!(worker.wait(), EXITED);
}
