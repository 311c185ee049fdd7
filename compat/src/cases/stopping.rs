//! What `process_stopping` gives as the reason, for each way in which a process comes to its end.

use crate::context::eventually;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use std::process::Command;
use std::time::{Duration, SystemTime};

pub(super) fn suites() -> Vec<Suite> {
    let suite = Suite::new("stopping", site)
        .case("maximum_requests", maximum_requests)
        .case("restart_interval", restart_interval)
        .case("inactivity_timeout", inactivity_timeout)
        .case("request_timeout", request_timeout)
        .case("cpu_time_limit", cpu_time_limit)
        .case("startup_timeout", startup_timeout)
        .case("changed_script", changed_script)
        .case("graceful_signal", |context| signalled(context, "usr1", "USR1", "graceful_signal"))
        .case("eviction_signal", |context| signalled(context, "evicted", "USR1", "eviction_signal"))
        .case("shutdown_signal", |context| signalled(context, "term", "TERM", "shutdown_signal"))
        .case("signal_to_itself", signal_to_itself);
    vec![suite]
}

/// The groups, each of one thread, with what ends their processes.
const GROUPS: [(&str, &str); 11] = [
    ("slow", "startup-timeout=1 shutdown-timeout=3"),
    ("requests", "maximum-requests=2"),
    ("interval", "restart-interval=2"),
    ("idle", "inactivity-timeout=1"),
    ("hung", "request-timeout=1 shutdown-timeout=2"),
    ("cpu", "cpu-time-limit=1"),
    ("changed", ""),
    ("usr1", "graceful-timeout=5"),
    ("evicted", "eviction-timeout=5"),
    ("term", ""),
    ("itself", ""),
];

fn site(site: &mut Site) -> Outcome {
    let text = std::fs::read_to_string(super::app(site, "stopping.wsgi")?)?;
    site.writable_folder("notes")?;
    for (name, options) in GROUPS {
        // A script of its own, so that touching one concerns no other group.
        let script = site.write(&format!("apps/{name}.wsgi"), &text)?;
        if name == "slow" {
            std::fs::write(&script, format!("{text}\nif hangs():\n    time.sleep(30)\n"))?;
            // Not loaded before a request: the original's timer does not run for scripts that are loaded at start.
            site.config(format!(
                "WSGIDaemonProcess {name} threads=1 {options}\nWSGIScriptAlias /{name} {}\n\
                 <Location /{name}>\nWSGIProcessGroup {name}\nWSGIApplicationGroup %{{GLOBAL}}\n</Location>",
                script.display()
            ));
            continue;
        }
        site.config(format!(
            "WSGIDaemonProcess {name} threads=1 {options}\n\
             WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}",
            script.display()
        ));
    }
    Ok(())
}

/// Asks, for the process that answered.
fn ask(context: &Context, group: &str) -> Result<String, Failed> {
    let answer = context.get(&format!("/{group}/"))?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Ok(answer.text())
}

/// Waits until the process has noted why it stops.
fn noted(context: &Context, group: &str, pid: &str, reason: &str) -> Outcome {
    let file = context.path("notes").join(group);
    let mut last = String::new();
    let found = eventually(&format!("{group}: process {pid} to note {reason}"), || {
        last = std::fs::read_to_string(&file).unwrap_or_default();
        Ok(last.contains(&format!("{pid} process_stopping {reason}\n")).then_some(()))
    });
    found.map_err(|failed| format!("{}: {last}", failed.message().unwrap_or_default()).into())
}

fn maximum_requests(context: &Context) -> Outcome {
    let pid = ask(context, "requests")?;
    ask(context, "requests")?;
    noted(context, "requests", &pid, "maximum_requests")
}

fn restart_interval(context: &Context) -> Outcome {
    let pid = ask(context, "interval")?;
    noted(context, "interval", &pid, "restart_interval")
}

fn inactivity_timeout(context: &Context) -> Outcome {
    let pid = ask(context, "idle")?;
    noted(context, "idle", &pid, "inactivity_timeout")
}

fn request_timeout(context: &Context) -> Outcome {
    let pid = ask(context, "hung")?;
    let status = context.status("/hung/sleep")?;
    assert!([500, 502, 504].contains(&status), "{status}");
    noted(context, "hung", &pid, "request_timeout")
}

fn cpu_time_limit(context: &Context) -> Outcome {
    let pid = ask(context, "cpu")?;
    context.get("/cpu/spin")?;
    noted(context, "cpu", &pid, "cpu_time_limit")
}

fn startup_timeout(context: &Context) -> Outcome {
    eventually("a process that has loaded", || {
        Ok((context.get("/slow/")?.status == 200).then_some(()))
    })?;
    let pid = std::fs::read_to_string(context.path("notes/hung.pid"))?;
    noted(context, "slow", pid.trim(), "startup_timeout")
}

fn changed_script(context: &Context) -> Outcome {
    let pid = ask(context, "changed")?;
    let script = std::fs::File::options().append(true).open(context.path("apps/changed.wsgi"))?;
    script.set_modified(SystemTime::now() + Duration::from_secs(5))?;
    eventually("another process", || Ok((ask(context, "changed")? != pid).then_some(())))?;
    noted(context, "changed", &pid, "script_reload")
}

fn signalled(context: &Context, group: &str, signal: &str, reason: &str) -> Outcome {
    let pid = ask(context, group)?;
    assert!(Command::new("kill").args(["-s", signal, &pid]).status()?.success());
    noted(context, group, &pid, reason)
}

/// The documentation's way to have a process replaced by a page of the application.
fn signal_to_itself(context: &Context) -> Outcome {
    let pid = ask(context, "itself")?;
    assert_eq!(context.get("/itself/interrupt")?.text(), pid, "the request itself is answered");
    noted(context, "itself", &pid, "shutdown_signal")?;
    eventually("another process", || {
        let answer = context.get("/itself/")?;
        Ok((answer.status == 200 && answer.text() != pid).then_some(()))
    })
}
