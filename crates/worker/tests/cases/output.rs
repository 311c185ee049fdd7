use std::path::Path;

use pinion_wire::answer::End;

use crate::suite::{Upload, Worker, is_free_threaded};

pub(crate) fn logs(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.get("/prints");
    let expected = ["to stderr \u{20ac} ?", "one", "two", " more", "to stdout", "bytes", "rest"];
    assert_eq!(answer.logs, expected);
    let said = "TypeError: write() argument must be str, not bytes";
    let no_file = "OSError: wsgi.errors log object has no file descriptor";
    assert_eq!(answer.text(), format!("{said}{no_file}"));
    assert_eq!(answer.end, Some(End::Complete));
}

pub(crate) fn outside(python: &Path) {
    let mut worker = Worker::ready(python, |_, _| {});
    let mut front = worker.connect();
    let answer = front.get("/thread_prints");
    assert_eq!((answer.text().as_str(), answer.logs.len()), ("done", 0));
    assert_eq!(worker.log("thread"), "from a thread");
}

pub(crate) fn restricted(python: &Path) {
    let mut worker = Worker::ready(python, |folder, spec| {
        spec.group.restrict_stdout = true;
        spec.group.restrict_stdin = true;
        let source = "import sys\n\
            def attempt(call):\n\
            \x20   try:\n\
            \x20       return repr(call())\n\
            \x20   except OSError as error:\n\
            \x20       return str(error)\n\
            def application(environ, start_response):\n\
            \x20   start_response('200 OK', [])\n\
            \x20   calls = [lambda: sys.stdout.write('x'), lambda: sys.stdin.read(), lambda: sys.stderr.write('x')]\n\
            \x20   return ['\\n'.join(map(attempt, calls)).encode()]\n";
        std::fs::write(folder.join("app.wsgi"), source).unwrap();
    });
    let text = worker.connect().get("/").text();
    let words = "access restricted by mod_wsgi";
    assert_eq!(text, format!("sys.stdout {words}\nsys.stdin {words}\n1"));
}

/// A worker whose application leaves traces on `wsgi.errors`.
fn tracing(python: &Path) -> Worker {
    Worker::ready(python, |folder, spec| {
        // Each thread keeps a stream of its own.
        spec.group.threads = 1;
        std::fs::write(folder.join("app.wsgi"), include_str!("../apps/errors.wsgi")).unwrap();
    })
}

pub(crate) fn errors_begin_anew(python: &Path) {
    let mut worker = tracing(python);
    let mut front = worker.connect();
    let seen = "('utf-8', 'replace', True, False, {}, '<wsgi.errors>')";
    for trace in [
        "same",
        "keep",
        "method",
        "buffer",
        "detach",
        "attribute",
        "names",
        "close",
        "buffer_close",
        "reconfigure",
        "partial",
        "init",
        "init_other",
        "cycle",
        "raise",
        "look",
    ] {
        front.get(&format!("/{trace}"));
        let answer = front.get("/look");
        assert_eq!(answer.text(), seen, "after {trace}");
        assert_eq!(answer.logs, ["\u{20ac} one", "two"], "after {trace}");
    }
}

pub(crate) fn kept_errors_are_over(python: &Path) {
    let mut worker = tracing(python);
    let mut front = worker.connect();
    for trace in ["keep", "method", "same", "same"] {
        front.get(&format!("/{trace}"));
    }
    let answer = front.get("/kept");
    let over = "RuntimeError: write() called on wsgi.errors after request completed";
    assert_eq!(answer.text(), format!("{over}\n{over}"));
    assert!(answer.logs.is_empty(), "{:?}", answer.logs);
}

pub(crate) fn untouched_errors_serve_again(python: &Path) {
    let mut worker = tracing(python);
    let mut front = worker.connect();
    let mut same = |path| {
        front.get(path);
        front.get("/same").text()
    };
    // Without a GIL, nobody can say that no other thread has got hold of the stream.
    assert_eq!(same("/same"), if is_free_threaded(python) { "False" } else { "True" });
    assert_eq!(same("/keep"), "False");
    assert_eq!(same("/partial"), "False");
}

pub(crate) fn what_a_request_was_lent_serves_again(python: &Path) {
    let mut worker = Worker::ready(python, |folder, spec| {
        spec.group.threads = 1;
        std::fs::write(folder.join("app.wsgi"), include_str!("../apps/lent.wsgi")).unwrap();
    });
    let mut front = worker.connect();
    front.get("/same");
    if !is_free_threaded(python) {
        assert_eq!(front.get("/same").text(), "1");
    }
    for _ in 0..3 {
        assert_eq!(front.get("/").text(), "kept");
        front.get("/same");
    }
    front.post("/unread", Upload::Inline(b"of another"));
    let found = "False\nb''\n\
        RuntimeError: start_response() called after request completed\n\
        RuntimeError: write() called after request completed\n\
        RuntimeError: read() called on wsgi.input after request completed";
    assert_eq!(front.get("/use").text(), found);
    assert_eq!(front.post("/use", Upload::Inline(b"mine")).text(), found.replace("b''", "b'mine'"));
}

/// What is dropped with a request's environ may ask for the request's data: that is not the next one's.
pub(super) fn finalizers_leave_nothing(python: &Path) {
    let mut worker = Worker::ready(python, |_, spec| spec.group.threads = 1);
    let mut front = worker.connect();
    for _ in 0..4 {
        assert_eq!(front.get("/haunt").text(), "haunted");
        assert_eq!(front.get("/own_data").text(), "{}");
    }
}
