//! Functions that the front door calls beside the application.

use std::fs;
use std::path::Path;

use pinion_wire::answer::End;
use pinion_wire::call::{Argument, Returned, Value};
use pinion_wire::request::BodyLength;

use crate::suite::{Front, Worker, clock};

const SCRIPT: &str = r#"
import collections, sys

def arguments(environ, *rest):
    return repr(rest)

def environ(environ):
    return ",".join(sorted(environ)) + environ["PATH_INFO"]

def marked(environ):
    environ["mark"] = "yes"

def mark(environ):
    return environ.get("mark")

def groups(environ):
    return {"staff"}

def generated(environ):
    yield "one"
    yield b"two"
    yield ["three"]

def mapping(environ):
    return collections.OrderedDict(a=1)

def values(environ):
    return [None, True, -5, 2 ** 70, "\u20ac", b"\xff", "\udc80", 1.5]

def talk(environ):
    print("to stderr", file=environ["wsgi.errors"])
    return ""

def fail(environ):
    raise KeyError("lost")

def leave(environ):
    sys.exit(3)

def half(environ):
    yield 1
    raise ValueError("half way")

def endless(environ):
    while True:
        yield "staff"

def huge(environ):
    return "x" * 2 ** 25

number = 5
"#;

fn started(python: &Path) -> (Worker, Front, Vec<u8>) {
    let mut worker = Worker::ready(python, |folder, _| {
        fs::write(folder.join("called.py"), SCRIPT).unwrap();
    });
    let front = worker.connect();
    let script = worker.folder.path().join("called.py").into_os_string().into_encoded_bytes();
    (worker, front, script)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn other(kind: &str) -> Value {
    Value::Other(kind.to_owned())
}

pub(crate) fn values(python: &Path) {
    let (_worker, mut front, script) = started(python);
    let given = vec![
        Argument::None,
        Argument::Latin1(b"caf\xe9".to_vec()),
        Argument::Utf8("caf\u{e9}".as_bytes().to_vec()),
        Argument::Utf8(b"\xff".to_vec()),
        Argument::Bytes(b"\0b".to_vec()),
    ];
    let answer = front.call(&script, &["arguments", "absent"], given);
    assert_eq!(answer.end, Some(End::Called));
    let shown =
        r"(None, 'caf\u{e9}', 'caf\u{e9}', '\udcff', b'\x00b')".replace("\\u{e9}", "\u{e9}");
    assert_eq!(answer.returned, [Returned::One(text(&shown)), Returned::Missing]);

    let functions =
        ["environ", "marked", "mark", "groups", "generated", "mapping", "values", "talk"];
    let answer = front.call(&script, &functions, Vec::new());
    let entries = "PATH_INFO,mod_wsgi.application_group,mod_wsgi.process_group,mod_wsgi.version,wsgi.errors/caf\u{e9}";
    let many =
        [Value::None, Value::Bool(true), Value::Int(-5), other("large int"), text("\u{20ac}")];
    let rest = [Value::Bytes(b"\xff".to_vec()), other("str with surrogates"), other("float")];
    let generated = vec![text("one"), Value::Bytes(b"two".to_vec()), other("list")];
    assert_eq!(
        answer.returned,
        [
            Returned::One(text(entries)),
            Returned::One(Value::None),
            Returned::One(text("yes")),
            Returned::Many(vec![text("staff")]),
            Returned::Many(generated),
            Returned::Many(vec![text("a")]),
            Returned::Many([&many[..], &rest].concat()),
            Returned::One(text("")),
        ]
    );
    assert_eq!(answer.log(), "to stderr");
    // The connection is as good as after a request.
    front.send("GET", "/hello", BodyLength::Known(0), b"");
    assert_eq!(front.answer(&mut Vec::new()).text(), "Hello, world!");
}

pub(crate) fn failures(python: &Path) {
    let (worker, mut front, script) = started(python);
    for (function, line) in [
        ("fail", "KeyError: 'lost'"),
        ("leave", "SystemExit: 3"),
        ("half", "ValueError: half way"),
        ("endless", "ValueError: returned more than the 65536 items that are looked at"),
        ("number", "TypeError: 'int' object is not callable"),
    ] {
        let answer = front.call(&script, &["groups", function, "talk"], Vec::new());
        let before = Returned::Many(vec![text("staff")]);
        assert_eq!(answer.returned, [before, Returned::Raised], "{function}");
        assert!(answer.log().contains(line), "{function}: {}", answer.log());
        assert!(!answer.log().contains("to stderr"), "it went on after {function}");
    }
    let missing = worker.folder.path().join("missing.py").into_os_string().into_encoded_bytes();
    let answer = front.call(&missing, &["groups"], Vec::new());
    assert_eq!((answer.end, answer.returned), (Some(End::NotLoaded), Vec::new()));
    let answer = front.call(&script, &["huge"], Vec::new());
    assert_eq!((answer.end, answer.returned.as_slice()), (Some(End::Failed), &[][..]));
    assert!(answer.log().contains("ValueError: returned 33554"), "{}", answer.log());
    // A request that claims to be a call, and holds none.
    front.send_to(&script, "GET", "/", BodyLength::Known(0), b"", clock());
    assert_eq!(front.answer(&mut Vec::new()).end, Some(End::NoCallable));
}
