//! `<WSGIInterpreterOptions>`: which section holds for which interpreter, and what may stand in one.

use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::{Server, Site};
use serde_json::{Value, json as literal};

pub(super) fn suites() -> Vec<Suite> {
    let layers = Suite::new("interpreters", site)
        .case("more_keys_weigh_more", most_specific)
        .case("later_ones_of_equal_weight_count", later_one)
        .case("embedded_ones_have_the_empty_name", embedded)
        .only_pinion("mod_wsgi 6.1.1 does not heed what it documents here")
        .case("variables_are_expanded_first", expanded)
        .case("paths_add_up", paths_add_up)
        .case("signals_can_be_given_back_to_one", signals)
        .only_pinion("mod_wsgi 6.1.1 does not heed what it documents here");
    let refused = Suite::alone("interpreters_refused")
        .solo("other_directives", other_directives)
        .only_pinion("mod_wsgi 6.1.1 takes them, though it documents an error")
        .solo("switch_interval_is_taken", switch_interval);
    vec![layers, refused]
}

/// Shows how its interpreter is set up. Loaded when the process starts, it may take signals where nothing forbids that.
const SCRIPT: &str = r#"
import json, signal, sys

def handler(*_):
    pass

signal.signal(signal.SIGALRM, handler)

def application(environ, start_response):
    shown = {
        "stdout": type(sys.stdout).__name__, "stdin": type(sys.stdin).__name__,
        "path": [folder.rpartition("/")[2] for folder in sys.path if "/folders/" in folder],
        "handler": signal.getsignal(signal.SIGALRM) is handler,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(shown).encode()]
"#;

fn site(site: &mut Site) -> Outcome {
    let script = site.write("apps/layers.wsgi", SCRIPT)?;
    let script = script.display();
    let root = site.root().display().to_string();
    for name in ["daemon", "all", "group", "both"] {
        site.folder(&format!("folders/{name}"))?;
    }
    site.config(format!(
        "WSGIRestrictStdout On\n\
         WSGIDaemonProcess one threads=1 python-path={root}/folders/daemon\n\
         WSGIDaemonProcess two threads=1\n\
         <WSGIInterpreterOptions process-group=one application-group=both>\n\
         WSGIRestrictStdout On\nWSGIPythonPath {root}/folders/both\n</WSGIInterpreterOptions>\n\
         <WSGIInterpreterOptions>\nWSGIPythonPath {root}/folders/all\n</WSGIInterpreterOptions>\n\
         <WSGIInterpreterOptions process-group=one>\n\
         WSGIRestrictStdout Off\nWSGIPythonPath {root}/folders/group\n</WSGIInterpreterOptions>\n\
         <WSGIInterpreterOptions application-group=late>\nWSGIRestrictStdout On\n</WSGIInterpreterOptions>\n\
         <WSGIInterpreterOptions process-group=\"\">\nWSGIRestrictStdin On\n</WSGIInterpreterOptions>\n\
         <WSGIInterpreterOptions application-group=%{{GLOBAL}}>\nWSGIRestrictSignal Off\n</WSGIInterpreterOptions>"
    ));
    for (mount, group, application) in [
        ("both", "one", "both"),
        ("plain", "one", "plain"),
        ("late", "one", "late"),
        ("other", "two", "other"),
        ("main", "two", "%{GLOBAL}"),
        ("embedded", "%{GLOBAL}", "embedded"),
    ] {
        site.config(format!(
            "WSGIScriptAlias /{mount} {script} process-group={group} application-group={application}"
        ));
    }
    site.config(format!(
        "WSGIScriptAlias /named {script} process-group=one\n\
         <Location /named>\nSetEnv COMPAT_NAME late\nWSGIApplicationGroup %{{ENV:COMPAT_NAME}}\n</Location>"
    ));
    Ok(())
}

fn stdout(context: &Context, mount: &str, expected: &str) -> Outcome {
    assert_eq!(context.json(&format!("/{mount}"))?["stdout"], expected, "{mount}");
    Ok(())
}

fn most_specific(context: &Context) -> Outcome {
    stdout(context, "other", "Restricted")?;
    stdout(context, "plain", "TextIOWrapper")?;
    stdout(context, "both", "Restricted")
}

fn later_one(context: &Context) -> Outcome {
    stdout(context, "late", "Restricted")
}

fn expanded(context: &Context) -> Outcome {
    stdout(context, "named", "Restricted")
}

fn embedded(context: &Context) -> Outcome {
    let stdin = |mount: &str| -> Result<Value, libtest_mimic::Failed> {
        Ok(context.json(&format!("/{mount}"))?["stdin"].clone())
    };
    assert_eq!(stdin("embedded")?, "Restricted");
    assert_ne!(stdin("plain")?, "Restricted");
    Ok(())
}

/// The folders of a section come before those of sections with fewer keys, and all of them before the daemon's.
fn paths_add_up(context: &Context) -> Outcome {
    assert_eq!(context.json("/both")?["path"], literal!(["both", "group", "all", "daemon"]));
    assert_eq!(context.json("/plain")?["path"], literal!(["group", "all", "daemon"]));
    assert_eq!(context.json("/embedded")?["path"], literal!(["all"]));
    Ok(())
}

/// A script that is loaded when the process starts is loaded in the main thread, as Python asks of who takes signals.
fn signals(context: &Context) -> Outcome {
    assert_eq!(context.json("/main")?["handler"], true);
    assert_eq!(context.json("/other")?["handler"], false);
    Ok(())
}

fn section(selectors: &str, inner: &str) -> String {
    format!("<WSGIInterpreterOptions {selectors}>\n{inner}\n</WSGIInterpreterOptions>")
}

fn other_directives(server: &Server) -> Outcome {
    for inner in ["WSGICallableObject x", "WSGIPythonOptimize 1", "WSGIDaemonProcess inner"] {
        super::refused(server, &section("", inner), inner.split(' ').next().unwrap_or(inner))?;
    }
    Ok(())
}

/// Also for an application group that does not say that its GIL is its own.
fn switch_interval(server: &Server) -> Outcome {
    let line = "WSGISwitchInterval 0.001";
    let mut site = Site::new(server)?;
    site.config(section("application-group=one", line));
    site.config(section("application-group=two", &format!("WSGIPerInterpreterGIL On\n{line}")));
    site.config(section("process-group=one", line));
    let tested = site.configtest()?;
    assert!(tested.success, "{}", tested.output());
    Ok(())
}
