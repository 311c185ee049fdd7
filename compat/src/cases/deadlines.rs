//! `startup-timeout` and `graceful-timeout`: how long a process may take to load, and to finish.

use std::time::{Duration, Instant};

use crate::context::{eventually, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use pinion_testbed::Site;

/// Hangs while it is loaded for the first time.
const SLOW: &str = "
import os, time

starts = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'go', 'loads')
with open(starts, 'a') as file:
    file.write('loading\\n')
with open(starts) as file:
    if len(file.readlines()) == 1:
        time.sleep(300)


def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '6')])
    return [b'loaded']
";

pub(super) fn suites() -> Vec<Suite> {
    vec![
        Suite::new("deadlines", site)
            .case("startup_timeout_replaces_a_process_that_hangs_in_its_script", startup)
            .case("graceful_timeout_ends_a_process_that_does_not_finish", graceful),
    ]
}

fn site(site: &mut Site) -> Outcome {
    site.writable_folder("go")?;
    let slow = site.write("slow.wsgi", SLOW)?;
    let other = super::app(site, "limits.wsgi")?;
    for (name, script, options) in [
        ("slow", slow, "threads=1 startup-timeout=1 shutdown-timeout=1"),
        ("full", other, "threads=2 maximum-requests=2 graceful-timeout=1 shutdown-timeout=1"),
    ] {
        // Not loaded before a request: the original's timer does not run for scripts that are loaded at start.
        site.config(format!(
            "WSGIDaemonProcess {name} {options}\nWSGIScriptAlias /{name} {}\n\
             <Location /{name}>\nWSGIProcessGroup {name}\nWSGIApplicationGroup %{{GLOBAL}}\n</Location>",
            script.display()
        ));
    }
    Ok(())
}

fn startup(context: &Context) -> Outcome {
    eventually(
        "a process that has loaded",
        || Ok((context.status("/slow")? == 200).then_some(())),
    )?;
    let loads = std::fs::read_to_string(context.path("go/loads"))?;
    assert!(loads.lines().count() > 1, "{loads}");
    Ok(())
}

fn graceful(context: &Context) -> Outcome {
    let started = context.path("go/started");
    let begin = Instant::now();
    let path = format!("/full/sleep?seconds=300&started={}", started.display());
    let mut hung = context.send("POST", &path, &["Content-Length: 0"], b"")?;
    eventually("the request to begin", || Ok(started.exists().then_some(())))?;
    // The original counts requests that have ended; without the option there would be 15 seconds for the first.
    let before = json(&context.get("/full/")?)?["pid"].clone();
    assert_eq!(context.status("/full/")?, 200);
    let status = hung.answer("POST")?.status;
    assert!([500, 502, 504].contains(&status), "{status}");
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
    eventually("another process", || {
        let answer = context.get("/full/")?;
        Ok((answer.status == 200 && json(&answer)?["pid"] != before).then_some(()))
    })
}
