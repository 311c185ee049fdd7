//! Loading anew: on SIGHUP, and with `--reload` when a file changes.

use std::time::Duration;

use pinion_testbed::load::Load;
use pinion_testbed::wait_until;
use pinion_unix::signals::Signal;

use crate::world::{LIMIT, Project, Serving};

/// Answers with a variable and a module's word.
const APP: &str = r#"
import os
import words

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(os.environ.get("SHOP", "none") + " " + words.WORD).encode()]
"#;

fn project() -> Project {
    Project::new(&[("app.py", APP), ("words.py", "WORD = 'one'\n")])
}

const TARGET: &str = "app:application";

#[track_caller]
fn becomes(serving: &Serving, text: &str) {
    let same = || serving.get("/").text() == text;
    assert!(wait_until(LIMIT, same), "not {text:?}:\n{}", serving.log());
}

#[test]
fn sighup_takes_over_files_options_and_logs() {
    let project = project();
    project.write("pinion.toml", "[serve]\nenv-file = 'vars'\naccess-log = 'access'\n");
    project.write("vars", "SHOP=old\n");
    let mut serving = project.serve(&[TARGET]);
    assert_eq!(serving.get("/").text(), "old one");
    let workers = serving.workers();
    assert!(wait_until(LIMIT, || project.read("access").contains("GET / HTTP/1.1")));
    std::fs::rename(project.path("access"), project.path("access.1")).unwrap();
    project.write("vars", "SHOP=new\n");
    // Not as long as before: Python takes a module of the same second and length for unchanged.
    project.write("words.py", "WORD = 'second'\n");
    serving.signal(Signal::SIGHUP);
    becomes(&serving, "new second");
    assert!(wait_until(LIMIT, || project.read("access").contains("GET / HTTP/1.1")), "a new file");
    assert!(wait_until(LIMIT, || workers.iter().all(|worker| !worker.alive())));
    serving.stop();
}

#[test]
fn sighup_under_load_loses_nothing() {
    let project = project();
    let mut serving = project.serve(&[TARGET, "--processes", "2"]);
    serving.wait_for_times("ready, Python", 2);
    let load = Load::get(serving.port(), "/", 8, Duration::from_secs(4));
    let (report, ()) = load.run_while(|| {
        for generation in 2..=4 {
            serving.signal(Signal::SIGHUP);
            serving.wait_for(&format!("configuration {generation} taken over"));
            // Two workers at the start, and two for each reload.
            serving.wait_for_times("ready, Python", 2 * generation);
        }
    });
    assert_eq!(report.failures, [], "of {} requests", report.requests);
    assert_eq!(report.statuses, [(200, report.requests)].into());
    serving.stop();
}

#[test]
fn a_reload_that_is_not_in_order_changes_nothing() {
    let project = project();
    project.write("pinion.toml", "[serve]\nenv = ['SHOP=old']\n");
    let mut serving = project.serve(&[TARGET]);
    let workers = serving.workers();
    project.write("pinion.toml", "[serve]\nenv = ['SHOP=new']\nthreads = 'many'\n");
    serving.signal(Signal::SIGHUP);
    serving.wait_for("pinion: PIN0910: the reload is refused, all goes on as before");
    let log = serving.log();
    assert!(log.contains("pinion.toml:3: threads: \"many\" is not a whole number"), "{log}");
    assert_eq!(serving.get("/").text(), "old one");
    assert_eq!(serving.workers(), workers);
    project.write("pinion.toml", "[serve]\nenv = ['SHOP=new']\nbind = ':1'\npid-file = 'x'\n");
    serving.signal(Signal::SIGHUP);
    becomes(&serving, "new one");
    let log = serving.log();
    assert!(
        log.contains("PIN0911: --pid-file has changed, which takes effect with a new start"),
        "{log}"
    );
    assert!(!log.contains("--bind has changed"), "the command line's counts: {log}");
    serving.stop();
}

#[test]
fn an_application_that_does_not_load_again_leaves_the_old_one() {
    let project = project();
    let mut serving = project.serve(&[TARGET]);
    project.write("words.py", "raise ValueError('broken')\n");
    serving.signal(Signal::SIGHUP);
    serving.wait_for("failed to load anew, the workers of before go on");
    serving.wait_for("ValueError: broken");
    assert_eq!(serving.get("/").text(), "none one");
    // The old ones go on even when one of them dies.
    serving.workers().pop().unwrap().kill();
    project.write("words.py", "WORD = 'three'\n");
    becomes(&serving, "none three");
    serving.stop();
}

#[test]
fn a_change_is_loaded_and_a_broken_one_is_shown_while_the_old_one_serves() {
    let project = project();
    let mut serving = project.serve(&[TARGET, "--reload"]);
    assert_eq!(serving.get("/").text(), "none one");
    project.write("words.py", "WORD = 'second'\n");
    becomes(&serving, "none second");
    project.write("words.py", "WORD = broken_edit\n");
    serving.wait_for("NameError: name 'broken_edit' is not defined");
    serving.wait_for("failed to load anew, the workers of before go on");
    assert_eq!(serving.get("/").text(), "none second");
    project.write("words.py", "WORD = 'mended'\n");
    becomes(&serving, "none mended");
    serving.stop();
}

/// Dates itself, once, as a file that is written just behind the beginning of its load, where the system's clock ticks every 10 ms.
const DATED: &str = r#"
import os
import sys

WORD = "dated"
frame = sys._getframe()
while "begun" not in frame.f_locals:
    frame = frame.f_back
mark = os.path.join(os.path.dirname(__file__), "mark")
if not os.path.exists(mark):
    open(mark, "w").close()
    os.utime(__file__, ns=2 * (frame.f_locals["begun"] - 8000000,))
"#;

#[test]
fn a_change_is_seen_though_its_time_is_before_the_load() {
    let project = project();
    project.write("words.py", DATED);
    let mut serving = project.serve(&[TARGET, "--reload"]);
    serving.wait_for("words.py has changed");
    serving.wait_for_times("ready, Python", 2);
    assert_eq!(serving.get("/").text(), "none dated");
    serving.stop();
}

#[test]
fn modules_from_elsewhere_count_once_they_are_loaded_and_a_watched_folder_always() {
    let (elsewhere, watched) = (Project::new(&[]), Project::new(&[("x.py", "")]));
    elsewhere.write("words.py", "WORD = 'one'\n");
    let path = elsewhere.path("");
    // What `/` answers, once the thread that looks at files has begun to.
    let watching = "\nanswer = application\n\ndef application(environ, start_response):\n    \
                    names = [thread.name for thread in threading.enumerate()]\n    \
                    body = answer(environ, start_response)\n    \
                    return body if 'pinion-reload watching' in names else [b'not yet']\n";
    let path = path.display().to_string();
    let app = format!("import sys, threading\nsys.path.insert(0, {path:?})\n{APP}{watching}");
    let project = Project::new(&[("app.py", app.as_str())]);
    let folder = watched.path("").display().to_string();
    let mut serving = project.serve(&[TARGET, "--reload", "--watch", &folder]);
    becomes(&serving, "none one");
    elsewhere.write("words.py", "WORD = 'second'\n");
    becomes(&serving, "none second");
    // Nothing has loaded this one.
    watched.write("x.py", "changed = True\n");
    serving.wait_for("x.py has changed");
    serving.wait_for_times("ready, Python", 3);
    serving.stop();
}

#[test]
fn what_does_not_load_at_first_waits_for_a_change() {
    let project = project();
    project.write("words.py", "import no_such_module\n");
    let mut serving = project.start(&[TARGET, "--reload"]);
    serving.wait_for("waiting for a change");
    let log = serving.log();
    assert!(log.contains("pinion: PIN0906: no module no_such_module in "), "{log}");
    project.write("words.py", "WORD = 'here'\n");
    serving.wait_for("serving ");
    assert_eq!(serving.get("/").text(), "none here");
    assert_eq!(serving.log().matches("Traceback").count(), 1, "{}", serving.log());
    serving.stop();
}
