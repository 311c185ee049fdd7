//! Scripts that say when they are out of date.

use std::fs;
use std::path::Path;

use pinion_wire::answer::End;

use crate::suite::Worker;

const SCRIPT: &str = r#"
wish, asked = False, []

def reload_required(path):
    asked.append(path)
    if wish is None:
        raise RuntimeError("not to be asked")
    return wish

def application(environ, start_response):
    global wish
    start_response("200 OK", [])
    path = environ["PATH_INFO"]
    if path == "/strip":
        del globals()["__mtime__"]
    elif path != "/":
        wish = eval(path[1:])
    return [repr((type(__mtime__).__name__, len(asked))).encode()]
"#;

pub(crate) fn wishes(python: &Path) {
    let script = |folder: &Path| fs::write(folder.join("app.wsgi"), SCRIPT).unwrap();
    let mut worker = Worker::ready(python, |folder, _| script(folder));
    let mut front = worker.connect();
    assert_eq!(front.get_fresh("/").text(), "('int', 1)");
    assert_eq!(front.get("/").text(), "('int', 1)", "it is not asked where nothing is reloaded");
    assert_eq!(front.get_fresh("/None").text(), "('int', 2)");
    let answer = front.get_fresh("/1");
    assert_eq!(answer.text(), "('int', 3)", "an exception is no wish");
    assert!(answer.log().contains("RuntimeError: not to be asked"), "{}", answer.log());
    let answer = front.get_fresh("/");
    assert_eq!((answer.end, answer.status), (Some(End::Reload), None));
    assert_eq!(front.get_fresh("/").text(), "('int', 4)", "saying so once is enough");

    let mut worker = Worker::ready(python, |folder, _| script(folder));
    let mut front = worker.connect();
    assert_eq!(front.get("/strip").end, Some(End::Failed), "the name is gone");
    assert_eq!(front.get_fresh("/").end, Some(End::Reload));
}
