//! What the configuration says of Python itself, and how a process of the application ends.

use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::{Apache, Server, Site, run};
use serde_json::{Value, json as literal};
use std::process::Command;

pub(super) fn suites() -> Vec<Suite> {
    vec![
        Suite::new("settings", set)
            .case("optimize", optimize)
            .case("warnings_are_options", warnings_are_options)
            .case("warnings_as_errors_raise", warnings_raise)
            .case("hash_seed", hash_seed)
            .case("dont_write_bytecode", dont_write_bytecode)
            .case("switch_interval_of_a_daemon", switch_interval_daemon)
            .case("switch_interval_embedded", switch_interval_embedded)
            .case("switch_interval_is_for_groups_without_the_option", switch_interval_others)
            .case("interpreter_options_python_path", options_python_path)
            .case("interpreter_options_restrict", options_restrict)
            .case("per_interpreter_gil_is_accepted", per_interpreter_gil)
            .case("script_is_a_module", script_is_a_module),
        Suite::new("settings_default", unset)
            .case("no_optimisation", not_optimized)
            .case("bytecode_is_written", bytecode_is_written)
            .case("signals_are_restricted", signals_are_restricted)
            .case("scripts_load_in_the_main_thread", main_thread)
            .case("argv_and_main", argv_and_main),
        Suite::alone("settings_alone")
            .solo("signals_reach_subscribers", signals_reach_subscribers)
            .solo("stop_is_told_before_threads_and_atexit", stop_is_told)
            .solo("stop_without_destroying", stop_without_destroying)
            .solo("embedded_stop_is_told", embedded_stop_is_told)
            .solo("bytecode_default_leaves_pyc", bytecode_default)
            .solo("bytecode_off_leaves_none", bytecode_off)
            .solo("signal_restriction_can_be_lifted", signal_restriction_off)
            .solo("free_threading_is_refused", free_threading)
            .solo("free_threading_is_of_processes", free_threading_of_a_group),
        Suite::alone("settings_refused")
            .solo("flags", refused_flags)
            .solo("optimize", refused_optimize)
            .solo("hash_seed", refused_hash_seed)
            .solo("switch_interval", refused_switch_interval)
            .solo("interpreter_options", refused_interpreter_options)
            .solo("apache_request", pass_apache_request)
            .only_pinion(
                "mod_wsgi passes a capsule to embedded applications, which live in Apache",
            ),
    ]
}

const BASE: &str = "WSGIDaemonProcess one processes=1 threads=1 switch-interval=0.003\n\
    WSGIDaemonProcess two processes=1 threads=1\n";

fn mounts(site: &mut Site) -> Result<String, Failed> {
    let script = super::app(site, "settings.wsgi")?;
    let notes = site.writable_folder("notes")?;
    let source = std::fs::read_to_string(&script)?;
    std::fs::write(
        &script,
        source.replace("where to note", &notes.join("of").display().to_string()),
    )?;
    let script = script.display();
    Ok(format!(
        "{BASE}WSGIScriptAlias /one {script} process-group=one application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias /two {script} process-group=two application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias /sub {script} process-group=two application-group=sub\n\
         WSGIScriptAlias /embedded {script} process-group=%{{GLOBAL}} application-group=%{{GLOBAL}}\n"
    ))
}

fn set(site: &mut Site) -> Outcome {
    site.one_child();
    let mounts = mounts(site)?;
    let folder = site.folder("extra")?;
    site.config(format!(
        "{mounts}WSGIPythonOptimize 1\nWSGIPythonWarnings error::DeprecationWarning\n\
         WSGIPythonWarnings ignore::FutureWarning\nWSGIPythonHashSeed 7\nWSGIDontWriteBytecode On\n\
         WSGISwitchInterval 0.002\nWSGIDestroyInterpreter On\nWSGIPerInterpreterGIL Off\n\
         WSGIFreeThreading Off\nWSGIPassApacheRequest Off\nWSGIRestrictSignal On\n\
         <WSGIInterpreterOptions process-group=two application-group=sub>\n\
         WSGIPythonPath {extra}\nWSGIRestrictStdout On\n</WSGIInterpreterOptions>",
        extra = folder.display()
    ));
    Ok(())
}

fn unset(site: &mut Site) -> Outcome {
    let mounts = mounts(site)?;
    site.config(mounts);
    Ok(())
}

fn optimize(context: &Context) -> Outcome {
    for path in ["/one/", "/embedded/", "/sub/"] {
        assert_eq!(context.json(path)?["optimize"], 1, "{path}");
    }
    Ok(())
}

fn not_optimized(context: &Context) -> Outcome {
    assert_eq!(context.json("/one/")?["optimize"], 0);
    Ok(())
}

fn warnings_are_options(context: &Context) -> Outcome {
    let expected = literal!(["error::DeprecationWarning", "ignore::FutureWarning"]);
    for path in ["/one/", "/embedded/"] {
        assert_eq!(context.json(path)?["warnings"], expected, "{path}");
    }
    Ok(())
}

fn warnings_raise(context: &Context) -> Outcome {
    assert_eq!(context.json("/one/warn")?, "!DeprecationWarning: compat: warned");
    Ok(())
}

fn hash_seed(context: &Context) -> Outcome {
    let (one, two) = (context.json("/one/")?, context.json("/two/")?);
    assert_ne!(one["pid"], two["pid"]);
    assert_eq!(one["hash"], two["hash"]);
    assert_eq!(one["seed"], Value::Null);
    Ok(())
}

fn dont_write_bytecode(context: &Context) -> Outcome {
    assert_eq!(context.json("/one/")?["dont_write_bytecode"], true);
    Ok(())
}

fn bytecode_is_written(context: &Context) -> Outcome {
    assert_eq!(context.json("/one/")?["dont_write_bytecode"], false);
    Ok(())
}

fn switch_interval_daemon(context: &Context) -> Outcome {
    assert_eq!(context.json("/one/")?["switch_interval"], 0.003);
    Ok(())
}

fn switch_interval_embedded(context: &Context) -> Outcome {
    assert_eq!(context.json("/embedded/")?["switch_interval"], 0.002);
    Ok(())
}

fn switch_interval_others(context: &Context) -> Outcome {
    assert_eq!(context.json("/two/")?["switch_interval"], 0.002);
    Ok(())
}

fn options_python_path(context: &Context) -> Outcome {
    let extra = context.path("extra").display().to_string();
    assert_eq!(context.json("/sub/")?["path"][0], extra.as_str());
    let other = context.json("/one/")?["path"].to_string();
    assert!(!other.contains(&extra), "{other}");
    Ok(())
}

fn options_restrict(context: &Context) -> Outcome {
    assert_eq!(context.json("/sub/")?["stdout"], "Restricted");
    assert_eq!(context.json("/one/")?["stdout"], "TextIOWrapper");
    Ok(())
}

fn per_interpreter_gil(context: &Context) -> Outcome {
    assert_eq!(context.json("/sub/")?["group"], "sub");
    Ok(())
}

fn script_is_a_module(context: &Context) -> Outcome {
    let about = context.json("/one/")?;
    let name = about["name"].as_str().unwrap_or("");
    assert!(name.starts_with("_mod_wsgi_") && name.len() == 42, "{name}");
    assert_eq!(about["spec"], name);
    assert_eq!(about["package"], Value::Null);
    assert_eq!(about["file"], context.path("apps/settings.wsgi").display().to_string());
    Ok(())
}

fn argv_and_main(context: &Context) -> Outcome {
    let about = context.json("/one/")?;
    assert_eq!(about["argv"].as_array().map(Vec::len), Some(1));
    let names = about["main_names"].to_string();
    assert!(!names.contains("pinion") && names.contains("__name__"), "{names}");
    assert_eq!(about["callable"], true);
    Ok(())
}

fn signals_are_restricted(context: &Context) -> Outcome {
    assert_eq!(context.json("/one/signal")?, literal!(["True", true]));
    Ok(())
}

fn main_thread(context: &Context) -> Outcome {
    assert_eq!(context.json("/one/")?["main"], true);
    Ok(())
}

/// A site of its own with the script at `/one` and the like.
fn alone(server: &Server, config: &str) -> Result<Apache, Failed> {
    let mut site = Site::new(server)?;
    site.one_child();
    let mounts = mounts(&mut site)?;
    site.config(mounts);
    site.config(config);
    Ok(site.start()?)
}

/// What the process has noted, once it holds `part`.
fn notes(apache: &Apache, pid: &Value, part: &str) -> Result<String, Failed> {
    let file = apache.root().join(format!("notes/of.{pid}"));
    eventually(&format!("{part} in the notes"), || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        Ok(text.contains(part).then_some(text))
    })
}

fn ask(apache: &Apache, server: &Server, path: &str) -> Result<Value, Failed> {
    Context { apache, server }.json(path)
}

fn send(pid: &Value, signal: &str) -> Outcome {
    run(Command::new("kill").args(["-s", signal, &pid.to_string()]))?;
    Ok(())
}

fn signals_reach_subscribers(server: &Server) -> Outcome {
    let apache = alone(server, "")?;
    let pid = ask(&apache, server, "/two/")?["pid"].clone();
    for (signal, name, number) in [("HUP", "SIGHUP", 1), ("USR2", "SIGUSR2", 12)] {
        send(&pid, signal)?;
        let event = format!("[('signame', '{name}'), ('signum', {number})]");
        let text = notes(&apache, &pid, &format!("signal {event}"))?;
        assert!(text.contains(&format!("event process_signal {event}")), "{text}");
    }
    assert_eq!(ask(&apache, server, "/two/")?["pid"], pid);
    Ok(())
}

fn stop_is_told(server: &Server) -> Outcome {
    let mut apache = alone(server, "")?;
    let pid = ask(&apache, server, "/two/")?["pid"].clone();
    apache.stop()?;
    let text = notes(&apache, &pid, "atexit")?;
    let reason = "[('shutdown_reason', 'shutdown_signal')]";
    let expected = format!("event process_stopping {reason}\nshutdown process_stopping {reason}\n");
    assert!(text.starts_with(&expected), "{text}");
    // Where httpd sends its signal a second time before the daemon has ended, mod_wsgi tells both subscribers twice and waits for no thread.
    let twice = !server.is_pinion() && text.matches(&expected).count() > 1;
    assert!(twice || text.contains("\nthread\n"), "{text}");
    Ok(())
}

fn stop_without_destroying(server: &Server) -> Outcome {
    let mut apache = alone(server, "WSGIDestroyInterpreter Off")?;
    let pid = ask(&apache, server, "/two/")?["pid"].clone();
    apache.stop()?;
    let text = notes(&apache, &pid, "shutdown process_stopping")?;
    assert!(!text.contains("atexit"), "{text}");
    Ok(())
}

fn embedded_stop_is_told(server: &Server) -> Outcome {
    let mut apache = alone(server, "")?;
    let pid = ask(&apache, server, "/embedded/")?["pid"].clone();
    apache.stop()?;
    let text = notes(&apache, &pid, "atexit")?;
    assert!(text.contains("event process_stopping [('shutdown_reason', '')]"), "{text}");
    Ok(())
}

/// Whether importing a module leaves bytecode behind.
fn leaves_bytecode(server: &Server, config: &str) -> Result<bool, Failed> {
    let mut site = Site::new(server)?;
    let folder = site.writable_folder("modules")?;
    site.write("modules/compat_imported.py", "VALUE = 1\n")?;
    let script = site.write(
        "apps/imports.wsgi",
        "import compat_imported\ndef application(environ, start_response):\n    \
         start_response('200 OK', [])\n    return [b'done']\n",
    )?;
    site.config(format!(
        "WSGIDaemonProcess one python-path={}\nWSGIScriptAlias / {} process-group=one \
         application-group=%{{GLOBAL}}\n{config}",
        folder.display(),
        script.display()
    ));
    let apache = site.start()?;
    assert_eq!(Context { apache: &apache, server }.get("/")?.text(), "done");
    Ok(folder.join("__pycache__").exists())
}

fn bytecode_default(server: &Server) -> Outcome {
    assert!(leaves_bytecode(server, "")?);
    Ok(())
}

fn bytecode_off(server: &Server) -> Outcome {
    assert!(!leaves_bytecode(server, "WSGIDontWriteBytecode On")?);
    Ok(())
}

fn signal_restriction_off(server: &Server) -> Outcome {
    let apache = alone(server, "WSGIRestrictSignal Off")?;
    let said = ask(&apache, server, "/two/signal")?;
    // Python itself only lets the main thread do this, which serves no requests.
    let only_main = "!ValueError: signal only works in main thread of the main interpreter";
    assert_eq!(said, literal!([only_main, true]));
    Ok(())
}

fn free_threading(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    let mounts = mounts(&mut site)?;
    site.config(mounts);
    site.config("WSGIFreeThreading On");
    let tested = site.configtest()?;
    if server.is_pinion() {
        assert!(!tested.success && tested.output().contains("WSGI0200"), "{}", tested.output());
    }
    // The applications are served all the same, with a GIL.
    let apache = site.start()?;
    assert_eq!(ask(&apache, server, "/one/")?["optimize"], 0);
    if !server.is_pinion() {
        apache.log().wait_for("WSGI0200", SOON)?;
    }
    Ok(())
}

fn free_threading_of_a_group(server: &Server) -> Outcome {
    let mut site = Site::new(server)?;
    site.config(
        "<WSGIInterpreterOptions application-group=one>\nWSGIFreeThreading On\n</WSGIInterpreterOptions>",
    );
    let tested = site.configtest()?;
    assert!(tested.success && tested.output().contains("WSGI0201"), "{}", tested.output());
    Ok(())
}

fn refused_flags(server: &Server) -> Outcome {
    for directive in [
        "WSGIDontWriteBytecode",
        "WSGIDestroyInterpreter",
        "WSGIPerInterpreterGIL",
        "WSGIFreeThreading",
        "WSGIRestrictSignal",
        "WSGIPassApacheRequest",
    ] {
        super::refused(server, &format!("{directive} maybe"), directive)?;
    }
    Ok(())
}

fn refused_optimize(server: &Server) -> Outcome {
    super::refused(server, "WSGIPythonOptimize", "WSGIPythonOptimize")
}

fn refused_hash_seed(server: &Server) -> Outcome {
    for value in ["maybe", "4294967296"] {
        super::refused(server, &format!("WSGIPythonHashSeed {value}"), "WSGIPythonHashSeed")?;
    }
    Ok(())
}

fn refused_switch_interval(server: &Server) -> Outcome {
    for value in ["0", "-1", "fast"] {
        super::refused(server, &format!("WSGISwitchInterval {value}"), "WSGISwitchInterval")?;
        let line = format!("WSGIDaemonProcess one switch-interval={value}");
        super::refused(server, &line, "switch-interval")?;
    }
    Ok(())
}

fn refused_interpreter_options(server: &Server) -> Outcome {
    for inner in ["WSGISwitchInterval none", "WSGIRestrictStdin maybe"] {
        let section = format!("<WSGIInterpreterOptions>\n{inner}\n</WSGIInterpreterOptions>");
        super::refused(server, &section, "WSGIInterpreterOptions")?;
    }
    let section =
        "<WSGIInterpreterOptions group=x>\nWSGIRestrictStdin On\n</WSGIInterpreterOptions>";
    super::refused(server, section, "WSGIInterpreterOptions")
}

fn pass_apache_request(server: &Server) -> Outcome {
    super::refused(server, "WSGIPassApacheRequest On", "WSGIPassApacheRequest")
}
