//! `threads=0`: processes that run a script of their own and no requests.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Apache, Server, Site};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(super) fn suites() -> Vec<Suite> {
    let suite = Suite::new("service", site)
        .case("script_runs_in_the_main_thread", main_thread)
        .case("script_that_ends_is_started_again", again)
        .case("script_that_raises_is_started_again", raises)
        .case("program_that_ends_is_started_again", program)
        .case("requests_get_504", requests)
        .case("term_raises_system_exit_and_starts_it_again", term)
        .case("script_may_take_signals_over", handler)
        .case("script_may_look_at_the_scoreboard", scoreboard);
    let suite = suite.solo("stop_raises_system_exit", stop);
    let suite = suite
        .solo("stop_ends_the_children_too", children)
        .only_pinion("the original leaves a service's children running")
        .solo("killed_manager_leaves_no_children", killed_manager)
        .only_pinion("the original has no manager")
        .solo("killed_manager_leaves_no_stubborn_service", stubborn)
        .only_pinion("the original has no manager");
    vec![suite]
}

/// Scripts that write lines into a file of their own name.
const SCRIPTS: [(&str, &str); 9] = [
    (
        "stubborn",
        "import signal\n\
         signal.signal(signal.SIGTERM, lambda *_: say('told'))\nsay('start')\n\
         while True: time.sleep(0.1)\n",
    ),
    (
        "parent",
        "child = os.fork()\n\
         if not child: os.execv('/bin/sleep', ['sleep', '600'])\n\
         say('child', child)\n\
         while True: time.sleep(0.1)\n",
    ),
    (
        "metrics",
        "import mod_wsgi\n\
         while not mod_wsgi.server_metrics(): time.sleep(0.1)\n\
         shown = mod_wsgi.server_metrics()\n\
         say('children', len([one for one in shown['processes'] if one['pid']]), shown['thread_limit'] > 0)\n\
         while True: time.sleep(0.1)\n",
    ),
    (
        "main",
        "import threading, mod_wsgi\n\
         say(type(threading.current_thread()).__name__, mod_wsgi.process_group, mod_wsgi.threads_per_process)\n\
         while True: time.sleep(0.1)\n",
    ),
    ("ends", "say('start')\ntime.sleep(0.2)\n"),
    ("raises", "say('start')\nraise RuntimeError('compat: the service fails')\n"),
    ("program", "say('start')\nos.execv('/bin/sleep', ['sleep', '0.5'])\n"),
    (
        "term",
        "say('start')\n\
         try:\n    while True: time.sleep(0.1)\nexcept SystemExit:\n    say('SystemExit')\n    raise\n",
    ),
    (
        "handler",
        "import signal\n\
         def stop(number, frame):\n    say('signal', number)\n    sys.exit()\n\
         signal.signal(signal.SIGTERM, stop)\nsay('start')\n\
         while True: time.sleep(0.1)\n",
    ),
];

fn site(site: &mut Site) -> Outcome {
    site.writable_folder("go")?;
    site.config("Timeout 2");
    let request = super::app(site, "version.wsgi")?;
    for (name, body) in SCRIPTS {
        declare(site, name, body)?;
    }
    site.config(format!("WSGIScriptAlias /main {} process-group=main", request.display()));
    Ok(())
}

fn declare(site: &mut Site, name: &str, body: &str) -> Outcome {
    let out = site.folder("go")?.join(name);
    let text = format!(
        "import os, sys, time\n\
         def say(*words):\n    with open({out:?}, 'a') as file:\n        print(os.getpid(), *words, file=file)\n\
         {body}"
    );
    let script = site.write(&format!("services/{name}.py"), text)?;
    site.config(format!(
        "WSGIDaemonProcess {name} threads=0 shutdown-timeout=2 server-metrics={}\n\
         WSGIImportScript {} process-group={name} application-group=%{{GLOBAL}}",
        if name == "metrics" { "on" } else { "off" },
        script.display()
    ));
    Ok(())
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The lines of a script, as soon as there are so many.
fn said(context: &Context, name: &str, count: usize) -> Result<Vec<String>, Failed> {
    let file = context.path("go").join(name);
    eventually("the script's words", || {
        let lines = lines(&file);
        Ok((lines.len() >= count).then_some(lines))
    })
}

fn pid(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

fn main_thread(context: &Context) -> Outcome {
    let lines = said(context, "main", 1)?;
    assert!(lines[0].ends_with(" _MainThread main 0"), "{lines:?}");
    Ok(())
}

fn starts_again(context: &Context, name: &str) -> Outcome {
    let lines = said(context, name, 3)?;
    assert!(pid(&lines[0]) != pid(&lines[1]) && pid(&lines[1]) != pid(&lines[2]), "{lines:?}");
    Ok(())
}

fn again(context: &Context) -> Outcome {
    starts_again(context, "ends")
}

fn raises(context: &Context) -> Outcome {
    starts_again(context, "raises")?;
    context.log().wait_for("compat: the service fails", SOON)?;
    Ok(())
}

fn program(context: &Context) -> Outcome {
    starts_again(context, "program")
}

fn requests(context: &Context) -> Outcome {
    assert_eq!(context.status("/main")?, 504);
    Ok(())
}

fn terminate(line: &str) -> Outcome {
    assert!(Command::new("kill").args(["-TERM", pid(line)]).status()?.success());
    Ok(())
}

fn term(context: &Context) -> Outcome {
    terminate(&said(context, "term", 1)?[0])?;
    let lines = said(context, "term", 3)?;
    assert!(lines[1].ends_with("SystemExit") && lines[2].ends_with("start"), "{lines:?}");
    Ok(())
}

fn handler(context: &Context) -> Outcome {
    terminate(&said(context, "handler", 1)?[0])?;
    let lines = said(context, "handler", 3)?;
    assert!(lines[1].ends_with("signal 15") && lines[2].ends_with("start"), "{lines:?}");
    Ok(())
}

fn scoreboard(context: &Context) -> Outcome {
    let lines = said(context, "metrics", 1)?;
    let count = lines[0].split(' ').nth(2).and_then(|count| count.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count > 0) && lines[0].ends_with(" True"), "{lines:?}");
    Ok(())
}

fn stop(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.writable_folder("go")?;
    let [.., term, _] = SCRIPTS;
    declare(&mut site, term.0, term.1)?;
    let mut apache: Apache = site.start()?;
    let file = apache.root().join("go").join(term.0);
    eventually("the script to start", || Ok((!lines(&file).is_empty()).then_some(())))?;
    apache.stop()?;
    assert!(lines(&file).last().is_some_and(|line| line.ends_with("SystemExit")));
    Ok(())
}

fn children(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.writable_folder("go")?;
    let [_, parent, ..] = SCRIPTS;
    declare(&mut site, parent.0, parent.1)?;
    let mut apache: Apache = site.start()?;
    let file = apache.root().join("go").join(parent.0);
    let said = eventually("the script's child", || Ok(lines(&file).pop()))?;
    let child = said.rsplit(' ').next().unwrap_or_default();
    assert!(runs(child), "{said}");
    assert!(apache.stop()?.left.is_empty());
    eventually("the child's end", || Ok((!runs(child)).then_some(())))
}

fn runs(pid: &str) -> bool {
    Path::new("/proc").join(pid).join("exe").exists()
}

/// Kills the manager once the service has said something, waits for the end of the process that `which` finds in that, and for the
/// service to be started again.
fn kills_manager(server: &Server, service: (&str, &str), which: fn(&str) -> &str) -> Outcome {
    let mut site = Site::new(server)?;
    site.writable_folder("go")?;
    declare(&mut site, service.0, service.1)?;
    let mut apache: Apache = site.start()?;
    let file = apache.root().join("go").join(service.0);
    let said = eventually("the service's words", || Ok(lines(&file).pop()))?;
    assert!(runs(pid(&said)) && runs(which(&said)), "{said}");
    let processes = apache.processes();
    let manager = processes.iter().find(|process| process.command.ends_with("pinion manager"));
    manager.ok_or_else(|| format!("no manager: {processes:?}"))?.kill();
    eventually("the end of what the service has left", || {
        Ok((!runs(pid(&said)) && !runs(which(&said))).then_some(()))
    })?;
    // The next manager starts the service anew, and stops it as ever.
    let again = eventually("the service again", || {
        Ok(lines(&file).pop().filter(|line| pid(line) != pid(&said)))
    })?;
    assert!(apache.stop()?.left.is_empty());
    eventually("its end", || Ok((!runs(pid(&again)) && !runs(which(&again))).then_some(())))
}

fn killed_manager(server: &Server) -> Outcome {
    let [_, parent, ..] = SCRIPTS;
    kills_manager(server, parent, |said| said.rsplit(' ').next().unwrap_or_default())
}

fn stubborn(server: &Server) -> Outcome {
    let [stubborn, ..] = SCRIPTS;
    kills_manager(server, stubborn, pid)
}
