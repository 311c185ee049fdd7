//! Processes that die, graceful restarts, stops, and the three MPMs.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::process::Process;
use pinion_testbed::raw::Connection;
use pinion_testbed::{Apache, Mpm, Server, Site, python, venv};
use serde_json::json as literal;
use std::time::{Duration, Instant};

pub(super) fn suites() -> Vec<Suite> {
    let dying = Suite::new("dying", dying)
        .case("os_exit_is_502", os_exit)
        .case("segmentation_fault_is_502", segmentation_fault)
        .case("abort_is_502", abort)
        .case("killed_while_idle_is_replaced", killed_while_idle)
        .case("killed_while_it_serves_is_502", killed_while_it_serves)
        .case("one_of_two_dies_the_other_serves", one_of_two_dies)
        .case("get_whose_worker_dies_goes_to_another_once", get_goes_to_another)
        .only_pinion("mod_wsgi answers 502")
        .case("post_whose_worker_dies_is_never_repeated", post_is_not_repeated)
        .case("death_is_named_in_the_hosts_log", death_is_named)
        .only_pinion("mod_wsgi says only that the response could not be read")
        .case("segmentation_fault_shows_the_python_stack", python_stack)
        .only_pinion("mod_wsgi shows no stack");
    let lifecycle = Suite::alone("lifecycle")
        .solo("serves_under_event", |server| serves_under(server, Mpm::Event))
        .solo("serves_under_worker", |server| serves_under(server, Mpm::Worker))
        .solo("serves_under_prefork", |server| serves_under(server, Mpm::Prefork))
        .solo("graceful_serves_the_new_configuration", graceful_new_configuration)
        .solo("graceful_keeps_unchanged_groups", graceful_keeps_groups)
        .only_pinion("mod_wsgi restarts all its daemons")
        .solo("graceful_lets_a_request_end", graceful_lets_a_request_end)
        .only_pinion("mod_wsgi kills the daemon after graceful-timeout or at once")
        .solo("stop_leaves_no_process", stop_leaves_no_process)
        .solo("stop_with_a_hung_request_obeys_shutdown_timeout", stop_with_a_hung_request)
        .only_pinion("mod_wsgi takes as long as Apache's own ladder of signals")
        .solo("start_again_on_the_same_port", start_again)
        .solo("several_pythons_beside_each_other", several_pythons)
        .only_pinion("mod_wsgi has the one Python that it was compiled for")
        .solo("killed_manager_is_started_again", killed_manager)
        .only_pinion("mod_wsgi has no manager")
        .solo("killed_apache_leaves_no_worker", killed_apache)
        .only_pinion("mod_wsgi's daemons notice it late, or never")
        .solo("missing_python_home_is_found_by_configtest", missing_python_home)
        .only_pinion("mod_wsgi's configtest says OK, and its daemons die once a second")
        .solo("missing_script_is_found_by_configtest", missing_script)
        .only_pinion("mod_wsgi's configtest says OK")
        .solo("unknown_group_is_found_by_configtest", unknown_group)
        .only_pinion("mod_wsgi finds it when a request comes");
    vec![dying, lifecycle]
}

fn dying(site: &mut Site) -> Outcome {
    let script = super::app(site, "process.wsgi")?;
    site.writable_folder("go")?;
    site.host("first.test", "");
    let mut config = String::new();
    for (name, options) in [
        ("exit", ""),
        ("segv", ""),
        ("abort", ""),
        ("idle", ""),
        ("busy", ""),
        ("named", ""),
        ("stack", ""),
        ("again", "processes=2 threads=1"),
        ("post", ""),
        ("pair", "processes=2 threads=1"),
    ] {
        site.config(format!("WSGIDaemonProcess {name} {options}"));
        config.push_str(&format!(
            "WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}\n",
            script.display()
        ));
    }
    site.host("dying.test", config);
    Ok(())
}

const HOST: &str = "Host: dying.test";

fn status(context: &Context, path: &str) -> Result<u16, Failed> {
    Ok(context.ask("GET", path, &[HOST], b"")?.status)
}

fn pid(context: &Context, path: &str) -> Result<i32, Failed> {
    let about = crate::context::json(&context.ask("GET", path, &[HOST], b"")?)?;
    about["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| "no pid".into())
}

/// A request whose process dies answers 502, and the next one is served by another process.
fn dies(context: &Context, group: &str, action: &str) -> Outcome {
    let before = pid(context, &format!("/{group}/"))?;
    // A POST: a GET whose answer had not begun may be given to another worker, and kill that too.
    let answer =
        context.ask("POST", &format!("/{group}/{action}"), &[HOST, "Content-Length: 0"], b"")?;
    assert_eq!(answer.status, 502);
    recovers(context, group, before)
}

fn recovers(context: &Context, group: &str, before: i32) -> Outcome {
    let after = eventually("a process that answers", || {
        let path = format!("/{group}/");
        Ok(if status(context, &path)? == 200 { Some(pid(context, &path)?) } else { None })
    })?;
    assert_ne!(after, before);
    Ok(())
}

fn os_exit(context: &Context) -> Outcome {
    dies(context, "exit", "exit")
}

fn segmentation_fault(context: &Context) -> Outcome {
    dies(context, "segv", "segfault")
}

fn abort(context: &Context) -> Outcome {
    dies(context, "abort", "abort")
}

fn kill(pid: i32) -> Outcome {
    let process = Process::find(pid).ok_or("the process is gone already")?;
    process.kill();
    eventually("its end", || Ok((!process.alive()).then_some(())))
}

fn killed_while_idle(context: &Context) -> Outcome {
    let before = pid(context, "/idle/")?;
    kill(before)?;
    recovers(context, "idle", before)
}

/// A request that waits in the group until it is told to go on.
fn waiting(context: &Context, group: &str) -> Result<Connection, Failed> {
    let go = context.path("go");
    let path = format!("/{group}/wait?started={0}/{group}&go={0}/{group}-go", go.display());
    let connection = context.send("POST", &path, &[HOST, "Content-Length: 0"], b"")?;
    eventually("the request to begin", || {
        let prefix = format!("{group}.");
        let begun = std::fs::read_dir(&go)?
            .filter_map(Result::ok)
            .any(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        Ok(begun.then_some(()))
    })?;
    Ok(connection)
}

fn killed_while_it_serves(context: &Context) -> Outcome {
    let before = pid(context, "/busy/")?;
    let mut connection = waiting(context, "busy")?;
    kill(before)?;
    assert_eq!(connection.answer("POST")?.status, 502);
    recovers(context, "busy", before)
}

fn one_of_two_dies(context: &Context) -> Outcome {
    let answer = context.ask("POST", "/pair/exit", &[HOST, "Content-Length: 0"], b"")?;
    assert_eq!(answer.status, 502);
    for _ in 0..10 {
        assert_eq!(status(context, "/pair/")?, 200);
    }
    Ok(())
}

/// Path of a request that ends its process the first time, and answers the second time.
fn exit_once(context: &Context, group: &str) -> String {
    let mark = context.path("go").join(format!("{group}-once"));
    format!("/{group}/exit_once?mark={}", mark.display())
}

fn get_goes_to_another(context: &Context) -> Outcome {
    assert_eq!(status(context, "/again/")?, 200);
    assert_eq!(status(context, &exit_once(context, "again"))?, 200);
    // Once only: a request that kills each process it meets ends with 502.
    assert_eq!(status(context, "/again/exit")?, 502);
    Ok(())
}

fn post_is_not_repeated(context: &Context) -> Outcome {
    assert_eq!(status(context, "/post/")?, 200);
    let headers = [HOST, "Content-Length: 0"];
    let answer = context.ask("POST", &exit_once(context, "post"), &headers, b"")?;
    assert_eq!(answer.status, 502);
    Ok(())
}

fn death_is_named(context: &Context) -> Outcome {
    let log = context.apache.host_log("dying.test");
    let before = pid(context, "/named/")?;
    let answer =
        context.ask("POST", "/named/segfault?mark=me", &[HOST, "Content-Length: 0"], b"")?;
    assert_eq!(answer.status, 502);
    let line = log.wait_for("/named/segfault", SOON)?;
    for part in [before.to_string().as_str(), "named", "SIGSEGV", "POST"] {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
    Ok(())
}

fn python_stack(context: &Context) -> Outcome {
    let log = context.apache.host_log("dying.test");
    context.ask("POST", "/stack/segfault", &[HOST, "Content-Length: 0"], b"")?;
    log.wait_for("apps/process.wsgi\", line", SOON)?;
    Ok(())
}

/// A site that serves the process application from a daemon at `/` and embedded at `/embedded`.
fn site(server: &Server, options: &str) -> Result<Site, Failed> {
    let mut site = Site::new(server)?;
    let script = super::app(&site, "process.wsgi")?;
    let script = script.display();
    site.writable_folder("go")?;
    site.config(format!(
        "WSGIDaemonProcess life {options}\n\
         WSGIScriptAlias /embedded {script} process-group=%{{GLOBAL}} application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias / {script} process-group=life application-group=%{{GLOBAL}}"
    ));
    Ok(site)
}

fn serves_under(server: &Server, mpm: Mpm) -> Outcome {
    let mut site = site(server, "threads=4")?;
    site.mpm(mpm);
    let mut apache = site.start()?;
    let context = Context { apache: &apache, server };
    for _ in 0..20 {
        let daemon = context.json("/x")?;
        assert_eq!(daemon["multithread"], true);
        let embedded = context.json("/embedded")?;
        assert_eq!(embedded["multithread"], mpm != Mpm::Prefork);
    }
    let answer = context.post("/x", &[b'b'; 100_000])?;
    assert_eq!(answer.status, 200);
    assert!(apache.stop()?.left.is_empty());
    Ok(())
}

fn graceful_new_configuration(server: &Server) -> Outcome {
    let site = site(server, "threads=2")?;
    let mut apache = site.start()?;
    let script = apache.root().join("apps/process.wsgi");
    assert_eq!(Context { apache: &apache, server }.status("/x")?, 200);
    apache.site_mut().host("localhost", format!("WSGIScriptAlias /fresh {}", script.display()));
    apache.site().write_configuration()?;
    apache.graceful()?;
    let context = Context { apache: &apache, server };
    eventually("the new mount", || {
        let about = context.get("/fresh/y")?;
        Ok((about.status == 200 && about.text().contains("localhost|/fresh")).then_some(()))
    })
}

fn graceful_keeps_groups(server: &Server) -> Outcome {
    let apache = site(server, "threads=2")?.start()?;
    let context = Context { apache: &apache, server };
    let before = context.json("/x")?["pid"].clone();
    for _ in 0..2 {
        apache.graceful()?;
        assert_eq!(context.json("/x")?["pid"], before);
    }
    Ok(())
}

fn graceful_lets_a_request_end(server: &Server) -> Outcome {
    let apache = site(server, "threads=2")?.start()?;
    let context = Context { apache: &apache, server };
    let mut connection = waiting(&context, "")?;
    apache.graceful()?;
    assert_eq!(context.status("/x")?, 200);
    std::fs::write(context.path("go/-go"), "")?;
    assert_eq!(connection.answer("POST")?.status, 200);
    Ok(())
}

fn stop_leaves_no_process(server: &Server) -> Outcome {
    let mut apache = site(server, "processes=2 threads=2")?.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/x")?, 200);
    assert_eq!(context.status("/embedded")?, 200);
    let stopped = apache.stop()?;
    assert!(stopped.left.is_empty(), "{:?}", stopped.left);
    assert!(stopped.took < Duration::from_secs(10), "{:?}", stopped.took);
    Ok(())
}

fn stop_with_a_hung_request(server: &Server) -> Outcome {
    let mut apache = site(server, "threads=2 shutdown-timeout=2")?.start()?;
    let context = Context { apache: &apache, server };
    let _connection = waiting(&context, "")?;
    let begin = Instant::now();
    let stopped = apache.stop()?;
    assert!(stopped.left.is_empty(), "{:?}", stopped.left);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", stopped.took);
    Ok(())
}

fn start_again(server: &Server) -> Outcome {
    let mut apache: Apache = site(server, "threads=2")?.start()?;
    for _ in 0..3 {
        assert_eq!(Context { apache: &apache, server }.status("/x")?, 200);
        assert!(apache.stop()?.left.is_empty());
        apache.restart()?;
    }
    assert_eq!(Context { apache: &apache, server }.status("/x")?, 200);
    Ok(())
}

fn killed_manager(server: &Server) -> Outcome {
    let mut apache = site(server, "processes=2 threads=2")?.start()?;
    let context = Context { apache: &apache, server };
    assert_eq!(context.status("/x")?, 200);
    let before = apache.processes();
    let manager = before.iter().find(|process| process.command.contains("bin/pinion"));
    let manager = manager.ok_or("no process of the name pinion")?.clone();
    let workers = pinion_testbed::process::descendants(manager.pid);
    assert!(!workers.is_empty(), "the manager has no workers");
    manager.kill();
    eventually("the end of the manager's workers", || {
        Ok((!workers.iter().any(Process::alive)).then_some(()))
    })?;
    eventually("an answer again", || Ok((context.status("/x")? == 200).then_some(())))?;
    assert!(apache.stop()?.left.is_empty());
    Ok(())
}

fn killed_apache(server: &Server) -> Outcome {
    let mut apache = site(server, "processes=2 threads=2")?.start()?;
    assert_eq!(Context { apache: &apache, server }.status("/x")?, 200);
    let children: Vec<Process> = apache.processes();
    let workers = children.iter().filter(|process| !process.command.contains("apache2"));
    let workers: Vec<_> = workers.cloned().collect();
    assert!(!workers.is_empty(), "no workers: {children:?}");
    apache.kill();
    eventually("the end of manager and workers", || {
        Ok((!workers.iter().any(Process::alive)).then_some(()))
    })
}

fn several_pythons(server: &Server) -> Outcome {
    let survey = python::survey()?;
    assert!(!survey.found.is_empty());
    let mut site = Site::new(server)?;
    let script = super::app(&site, "process.wsgi")?;
    for interpreter in &survey.found {
        let version = interpreter.version;
        let home = venv::ensure(&format!("compat-{version}"), interpreter, &[])?;
        site.config(format!(
            "WSGIDaemonProcess py{version} python-home={}\n\
             WSGIScriptAlias /py{version} {} process-group=py{version} application-group=%{{GLOBAL}}",
            home.home.display(),
            script.display()
        ));
    }
    let apache = site.start()?;
    let context = Context { apache: &apache, server };
    for interpreter in &survey.found {
        let version = interpreter.version;
        let about = context.json(&format!("/py{version}/x"))?;
        assert_eq!(about["version"], literal!([version.0, version.1]));
        assert!(about["prefix"].as_str().unwrap_or("").contains(&format!("compat-{version}")));
    }
    Ok(())
}

/// The configuration test refuses the lines, with a hint and those words.
fn refused_with(server: &Server, lines: &str, words: &[&str]) -> Outcome {
    let mut site = Site::new(server)?;
    site.config(lines);
    let tested = site.configtest()?;
    let output = tested.output();
    assert!(!tested.success, "accepted: {lines}");
    for word in words.iter().chain(&["hint:"]) {
        assert!(output.contains(word), "`{word}` is not in: {output}");
    }
    Ok(())
}

fn missing_python_home(server: &Server) -> Outcome {
    let lines = "WSGIDaemonProcess x python-home=/srv/compat/none";
    refused_with(server, lines, &["python-home", "/srv/compat/none"])
}

fn missing_script(server: &Server) -> Outcome {
    let lines = "WSGIScriptAlias /x /srv/compat/none.wsgi";
    refused_with(server, lines, &["WSGIScriptAlias", "/srv/compat/none.wsgi"])
}

fn unknown_group(server: &Server) -> Outcome {
    refused_with(server, "WSGIProcessGroup nowhere", &["WSGIProcessGroup", "nowhere"])
}
