//! Scripts that change, that cannot be loaded, and that are mended.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use pinion_testbed::http::Answer;
use std::path::Path;
use std::time::{Duration, SystemTime};

pub(super) fn suites() -> Vec<Suite> {
    let daemon = common(Suite::new("reload_daemon", daemon))
        .case("changed_script_gets_a_new_process", changed_script_gets_a_new_process)
        .case("touched_script_gets_a_new_process", touched_script_gets_a_new_process)
        .case("loading_is_told_at_level_info", loading_is_told)
        .case("the_request_that_notices_gets_the_new_code", noticing_request)
        .case("broken_change_keeps_the_old_code", broken_change_keeps_the_old_code)
        .only_pinion("mod_wsgi answers 500 until the script is mended");
    vec![daemon, common(Suite::new("reload_embedded", embedded))]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("changed_script_is_loaded_again", changed_script)
        .case("older_time_counts_as_a_change", older_time)
        .case("no_request_fails_meanwhile", no_request_fails)
        .case("reloading_off_keeps_the_script", reloading_off)
        .case("syntax_error_is_500_with_traceback", syntax_error)
        .case("import_error_is_500_with_traceback", import_error)
        .case("sys_exit_while_loading_is_500", sys_exit_while_loading)
        .case("mended_script_recovers", mended_script)
        .case("vanished_script_is_404", vanished_script)
        .case("reload_required_is_asked_with_the_path", reload_required_path)
        .case("reload_required_loads_anew", reload_required)
        .case("reload_required_that_raises_changes_nothing", reload_required_raises)
        .case("reload_required_is_not_asked_with_reloading_off", reload_required_off)
        .case("script_without_mtime_is_loaded_anew", without_mtime)
        .case("scripts_know_their_mtime", known_mtime)
}

fn daemon(site: &mut Site) -> Outcome {
    site.log_level("warn wsgi:info");
    site.config("WSGIDaemonProcess reload threads=3\nWSGIDaemonProcess alone threads=2");
    site.config("WSGIDaemonProcess alone2 threads=2\nWSGIDaemonProcess alone3 threads=2");
    site.config("WSGIDaemonProcess wish threads=2\nWSGIDaemonProcess strip threads=2");
    site.config("WSGIDaemonProcess several processes=3 threads=2");
    site.config("WSGIDaemonProcess fresh threads=2\nWSGIProcessGroup reload");
    for (name, group) in [
        ("process", "alone"),
        ("touched", "alone2"),
        ("kept", "alone3"),
        ("smooth", "fresh"),
        ("wishing", "wish"),
        ("stripped", "strip"),
        ("noticed", "several"),
    ] {
        site.config(format!("<Location /{name}.wsgi>\nWSGIProcessGroup {group}\n</Location>"));
    }
    scripts(site)
}

fn embedded(site: &mut Site) -> Outcome {
    // Each child loads the script for itself, and so would not know the code that another keeps.
    site.one_child();
    scripts(site)
}

fn scripts(site: &mut Site) -> Outcome {
    let script = super::app(site, "version.wsgi")?;
    let text = std::fs::read_to_string(&script)?;
    for name in [
        "changed", "older", "smooth", "off", "mended", "vanished", "process", "touched", "kept",
        "told", "noticed",
    ] {
        site.write(&format!("scripts/{name}.wsgi"), &text)?;
    }
    let wishing = super::app(site, "wishing.wsgi")?;
    let wishing = std::fs::read_to_string(&wishing)?;
    for name in ["asked", "wishing", "raising", "unasked", "stripped", "known"] {
        site.write(&format!("scripts/{name}.wsgi"), &wishing)?;
    }
    site.writable_folder("flags")?;
    site.write("scripts/syntax.wsgi", "def application(:\n")?;
    site.write("scripts/import.wsgi", "import compat_no_such_module\n")?;
    site.write("scripts/exit.wsgi", "import sys\nsys.exit(3)\n")?;
    site.write("scripts/broken.wsgi", "raise ValueError('compat: broken at first')\n")?;
    site.config(format!(
        "WSGIScriptAlias / {}/scripts/\n\
         <Location /off.wsgi>\nWSGIScriptReloading Off\n</Location>\n\
         <Location /unasked.wsgi>\nWSGIScriptReloading Off\n</Location>",
        site.root().display()
    ));
    Ok(())
}

/// Replaces the script as an editor or a deployment does: a new file in its place.
fn rewrite(context: &Context, name: &str, text: &str) -> Outcome {
    let script = context.path(&format!("scripts/{name}.wsgi"));
    let part = script.with_extension("part");
    std::fs::write(&part, text)?;
    // The kernel's own clock for files ticks coarsely: two quick changes could get the same time.
    set_time(&part, SystemTime::now())?;
    std::fs::rename(&part, &script)?;
    Ok(())
}

fn version(context: &Context, version: &str) -> Result<String, Failed> {
    let text = std::fs::read_to_string(context.path("apps/version.wsgi"))?;
    Ok(text.replace("\"one\"", &format!("\"{version}\"")))
}

fn ask(context: &Context, name: &str) -> Result<Answer, Failed> {
    let answer = context.get(&format!("/{name}.wsgi"))?;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    Ok(answer)
}

/// Asks until the script answers with that version; each answer on the way must be 200.
fn until(context: &Context, name: &str, expected: &str) -> Result<Answer, Failed> {
    eventually(expected, || {
        let answer = ask(context, name)?;
        Ok((answer.text() == expected).then_some(answer))
    })
}

fn changed_script(context: &Context) -> Outcome {
    assert_eq!(ask(context, "changed")?.text(), "one");
    for next in ["two", "three"] {
        rewrite(context, "changed", &version(context, next)?)?;
        until(context, "changed", next)?;
    }
    Ok(())
}

/// Whatever the other processes still have.
fn noticing_request(context: &Context) -> Outcome {
    assert_eq!(ask(context, "noticed")?.text(), "one");
    for number in 0..8 {
        let next = format!("version {number}");
        rewrite(context, "noticed", &version(context, &next)?)?;
        assert_eq!(ask(context, "noticed")?.text(), next);
        // Until all of them have it: then the next change finds as many with old code.
        until_settled(context)?;
    }
    Ok(())
}

/// Until the processes do not change any more.
fn until_settled(context: &Context) -> Outcome {
    let mut before = Vec::new();
    eventually("the processes to stay", || {
        std::thread::sleep(Duration::from_millis(150));
        let now = context.apache.processes();
        let same = now == before;
        before = now;
        Ok(same.then_some(()))
    })
}

fn set_time(script: &Path, time: SystemTime) -> Outcome {
    Ok(std::fs::File::options().write(true).open(script)?.set_modified(time)?)
}

fn older_time(context: &Context) -> Outcome {
    assert_eq!(ask(context, "older")?.text(), "one");
    let script = context.path("scripts/older.wsgi");
    std::fs::write(&script, version(context, "two")?)?;
    set_time(&script, SystemTime::now() - Duration::from_secs(86_400))?;
    until(context, "older", "two").map(drop)
}

fn no_request_fails(context: &Context) -> Outcome {
    ask(context, "smooth")?;
    std::thread::scope(|scope| -> Outcome {
        let asking: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| -> Result<usize, String> {
                    let mut asked = 0;
                    while asked < 150 {
                        match context.get("/smooth.wsgi") {
                            Ok(answer) if answer.status == 200 => asked += 1,
                            Ok(answer) => return Err(format!("status {}", answer.status)),
                            Err(failed) => {
                                return Err(failed.message().unwrap_or("lost").to_owned());
                            }
                        }
                    }
                    Ok(asked)
                })
            })
            .collect();
        for next in ["two", "three", "four"] {
            rewrite(context, "smooth", &version(context, next)?)?;
            until(context, "smooth", next)?;
        }
        for thread in asking {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })
}

fn reloading_off(context: &Context) -> Outcome {
    assert_eq!(ask(context, "off")?.text(), "one");
    rewrite(context, "off", &version(context, "two")?)?;
    for _ in 0..10 {
        assert_eq!(ask(context, "off")?.text(), "one");
    }
    Ok(())
}

fn fails_with(context: &Context, name: &str, parts: &[&str]) -> Outcome {
    let from = context.log().size();
    let answer = context.get(&format!("/{name}.wsgi"))?;
    assert_eq!(answer.status, 500, "{name}");
    assert!(answer.text().contains("Internal Server Error"), "{}", answer.text());
    for part in parts {
        context.log().wait_for_from(from, part, SOON)?;
    }
    Ok(())
}

fn syntax_error(context: &Context) -> Outcome {
    fails_with(context, "syntax", &["SyntaxError", "scripts/syntax.wsgi"])
}

fn import_error(context: &Context) -> Outcome {
    let parts = ["Traceback (most recent call last):", "No module named 'compat_no_such_module'"];
    fails_with(context, "import", &parts)
}

fn sys_exit_while_loading(context: &Context) -> Outcome {
    fails_with(context, "exit", &[])
}

fn mended_script(context: &Context) -> Outcome {
    fails_with(context, "broken", &["ValueError: compat: broken at first"])?;
    assert_eq!(context.status("/broken.wsgi")?, 500);
    rewrite(context, "broken", &version(context, "mended")?)?;
    eventually("the mended script", || {
        let answer = context.get("/broken.wsgi")?;
        Ok((answer.status == 200 && answer.text() == "mended").then_some(()))
    })
}

fn vanished_script(context: &Context) -> Outcome {
    ask(context, "vanished")?;
    std::fs::remove_file(context.path("scripts/vanished.wsgi"))?;
    assert_eq!(context.status("/vanished.wsgi")?, 404);
    Ok(())
}

/// When the script was loaded, as long as nothing else is said of it.
fn loaded(context: &Context, name: &str, query: &str) -> Result<String, Failed> {
    let answer = context.get(&format!("/{name}.wsgi{query}"))?;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    Ok(answer.text())
}

fn reload_required_path(context: &Context) -> Outcome {
    loaded(context, "asked", "")?;
    let asked = loaded(context, "asked", "/asked")?;
    assert_eq!(asked, context.path("scripts/asked.wsgi").display().to_string());
    Ok(())
}

fn reload_required(context: &Context) -> Outcome {
    let before = loaded(context, "wishing", "")?;
    assert_eq!(loaded(context, "wishing", "")?, before);
    std::fs::write(context.path("flags/wishing"), "")?;
    let after = loaded(context, "wishing", "")?;
    assert_ne!(after, before, "the very request that finds it out is served by the new code");
    assert_eq!(loaded(context, "wishing", "")?, after);
    Ok(())
}

fn reload_required_raises(context: &Context) -> Outcome {
    let before = loaded(context, "raising", "")?;
    assert_eq!(loaded(context, "raising", "")?, before);
    context.log().wait_for("RuntimeError: compat: not to be asked", SOON)?;
    Ok(())
}

fn reload_required_off(context: &Context) -> Outcome {
    let before = loaded(context, "unasked", "")?;
    std::fs::write(context.path("flags/unasked"), "")?;
    assert_eq!(loaded(context, "unasked", "")?, before);
    Ok(())
}

fn without_mtime(context: &Context) -> Outcome {
    let first = loaded(context, "stripped", "/strip")?;
    let second = loaded(context, "stripped", "")?;
    assert_ne!(first, second);
    assert_eq!(loaded(context, "stripped", "")?, second);
    Ok(())
}

fn known_mtime(context: &Context) -> Outcome {
    let known: u128 = loaded(context, "known", "/mtime")?.parse().map_err(|_| "no number")?;
    let modified = std::fs::metadata(context.path("scripts/known.wsgi"))?.modified()?;
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| "before 1970")?;
    assert_eq!(known, since.as_micros());
    Ok(())
}

fn loading_is_told(context: &Context) -> Outcome {
    ask(context, "told")?;
    let script = context.path("scripts/told.wsgi");
    let group = format!("localhost:{}|/told.wsgi", context.apache.port());
    let line = format!(
        "Loading WSGI script '{}' into sub-interpreter '{group}' of daemon process 'reload'.",
        script.display()
    );
    let line = context.log().wait_for(&line, SOON)?;
    assert!(line.contains("[wsgi:info]"), "{line}");
    Ok(())
}

fn process(context: &Context, name: &str) -> Result<String, Failed> {
    Ok(ask(context, name)?.header("X-Pid").unwrap_or_default())
}

fn changed_script_gets_a_new_process(context: &Context) -> Outcome {
    let before = process(context, "process")?;
    rewrite(context, "process", &version(context, "two")?)?;
    let answer = until(context, "process", "two")?;
    assert_ne!(answer.header("X-Pid").unwrap_or_default(), before);
    Ok(())
}

fn touched_script_gets_a_new_process(context: &Context) -> Outcome {
    let before = process(context, "touched")?;
    let later = SystemTime::now() + Duration::from_secs(5);
    set_time(&context.path("scripts/touched.wsgi"), later)?;
    eventually("another process", || Ok((process(context, "touched")? != before).then_some(())))
}

fn broken_change_keeps_the_old_code(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(ask(context, "kept")?.text(), "one");
    rewrite(context, "kept", "raise ValueError('compat: broken later')\n")?;
    eventually("the traceback of the broken change", || {
        assert_eq!(ask(context, "kept")?.text(), "one");
        Ok(context.log().text_from(from).contains("compat: broken later").then_some(()))
    })?;
    rewrite(context, "kept", &version(context, "two")?)?;
    until(context, "kept", "two").map(drop)
}
