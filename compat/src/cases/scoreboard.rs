//! `mod_wsgi.server_metrics`: Apache's scoreboard, for those who may look at it.

use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use serde_json::{Value, json as literal};

pub(super) fn suites() -> Vec<Suite> {
    vec![
        common(Suite::new("scoreboard_daemon", daemon))
            .case("the_directive_is_not_for_daemons", daemon_without)
            .case("groups_with_another_user_see_it", another_user),
        common(Suite::new("scoreboard_embedded", embedded)),
        Suite::new("scoreboard_off", off)
            .case("embedded_is_told_nothing", embedded_nothing)
            .case("the_option_is_not_for_embedded", option_elsewhere),
    ]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("types", types)
        .case("children_and_their_requests", children)
        .case("threads_without_a_request_see_it", thread)
        .case("takes_no_arguments", no_arguments)
}

fn mount(site: &mut Site, path: &str, group: &str) -> Outcome {
    let script = super::app(site, "scoreboard.wsgi")?;
    site.config(format!(
        "WSGIScriptAlias {path} {} process-group={group} application-group=%{{GLOBAL}}",
        script.display()
    ));
    Ok(())
}

fn daemon(site: &mut Site) -> Outcome {
    let user = if super::is_root() { "user=games" } else { "" };
    site.config(format!(
        "WSGIServerMetrics On\nExtendedStatus On\n\
         WSGIDaemonProcess on processes=1 threads=2 server-metrics=On\n\
         WSGIDaemonProcess off processes=1 threads=1\n\
         WSGIDaemonProcess other processes=1 threads=1 server-metrics=On {user}"
    ));
    mount(site, "/off", "off")?;
    mount(site, "/other", "other")?;
    mount(site, "/", "on")
}

fn embedded(site: &mut Site) -> Outcome {
    site.config("WSGIServerMetrics On\nExtendedStatus On");
    mount(site, "/", "%{GLOBAL}")
}

fn off(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess on processes=1 threads=1 server-metrics=On\nExtendedStatus On");
    mount(site, "/daemon", "on")?;
    mount(site, "/", "%{GLOBAL}")
}

fn types(context: &Context) -> Outcome {
    let expected = literal!([
        {
            "server_limit": "int", "thread_limit": "int", "running_generation": "int",
            "restart_time": "float", "current_time": "float", "running_time": "int",
            "processes": "list",
        },
        {
            "process_num": "int", "pid": "int", "generation": "int", "quiescing": "bool",
            "workers": "list",
        },
        {
            "thread_num": "int", "generation": "int", "status": "str", "access_count": "int",
            "bytes_served": "int", "start_time": "float", "stop_time": "float",
            "last_used": "float", "client": "str", "request": "str", "vhost": "str",
        },
    ]);
    assert_eq!(context.json("/types")?, expected);
    Ok(())
}

fn list<'v>(value: &'v Value, key: &str) -> Result<&'v Vec<Value>, Failed> {
    Ok(value[key].as_array().ok_or_else(|| format!("no list {key} in {value}"))?)
}

/// Checks what holds for every look at the scoreboard.
fn check(seen: &Value) -> Outcome {
    let processes = list(seen, "processes")?;
    assert_eq!(Some(processes.len() as u64), seen["server_limit"].as_u64());
    for (number, process) in processes.iter().enumerate() {
        assert_eq!(process["process_num"], number);
        let workers = list(process, "workers")?;
        assert_eq!(Some(workers.len() as u64), seen["thread_limit"].as_u64());
        assert!(workers.iter().all(|worker| worker["thread_num"].is_u64()));
    }
    let (from, to) = (seen["restart_time"].as_f64(), seen["current_time"].as_f64());
    assert!(from > Some(1e9) && from <= to, "{from:?} {to:?}");
    Ok(())
}

fn children(context: &Context) -> Outcome {
    let seen = context.json("/look?at=children")?;
    check(&seen)?;
    let running: Vec<&Value> =
        list(&seen, "processes")?.iter().filter(|process| process["pid"] != 0).collect();
    let known = context.apache.processes();
    let is_child = |process: &&Value| known.iter().any(|known| process["pid"] == known.pid);
    assert!(!running.is_empty() && running.iter().all(is_child), "{running:?}");
    let mut workers = Vec::new();
    for process in &running {
        workers.extend(list(process, "workers")?);
    }
    let own = workers.iter().find(|worker| {
        worker["request"].as_str().is_some_and(|line| line.contains("/look?at=children"))
    });
    let own = own.ok_or_else(|| format!("this request is not in {workers:?}"))?;
    assert_eq!(own["status"], "W");
    assert_eq!(own["client"], "127.0.0.1");
    assert!(own["last_used"].as_f64() > seen["restart_time"].as_f64(), "{own}");
    assert!(workers.iter().any(|worker| worker["status"] == "_"), "{workers:?}");
    let unused = list(list(&seen, "processes")?.last().ok_or("no process")?, "workers")?;
    assert!(unused.iter().all(|worker| worker["status"].as_str().is_some_and(|s| s.len() == 1)));
    Ok(())
}

fn thread(context: &Context) -> Outcome {
    check(&context.json("/thread")?)
}

fn no_arguments(context: &Context) -> Outcome {
    assert_eq!(context.json("/refused")?, "TypeError");
    Ok(())
}

fn daemon_without(context: &Context) -> Outcome {
    assert_eq!(context.json("/off/")?, Value::Null);
    Ok(())
}

fn another_user(context: &Context) -> Outcome {
    check(&context.json("/other/")?)
}

fn embedded_nothing(context: &Context) -> Outcome {
    assert_eq!(context.json("/")?, Value::Null);
    Ok(())
}

fn option_elsewhere(context: &Context) -> Outcome {
    check(&context.json("/daemon/")?)
}
