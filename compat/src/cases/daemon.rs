//! WSGIDaemonProcess: what a group is by default, and what each option changes.

use super::is_root;
use crate::context::{SOON, eventually};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::raw::Connection;
use pinion_testbed::{Site, python, venv, wait_until};
use serde_json::{Value, json as literal};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// An uncompressed zip that holds `zipped_egg.py`.
const ZIPPED_EGG: &[u8] = include_bytes!("../../apps/zipped-1.0.egg");

pub(super) fn suites() -> Vec<Suite> {
    vec![options(Suite::new("daemon", site)), limits(Suite::new("daemon_limits", limited))]
}

fn options(suite: Suite) -> Suite {
    suite
        .case("default_is_one_process_of_15_threads", fifteen_threads)
        .case("default_flags", default_flags)
        .case("default_user_and_home", default_user_and_home)
        .case("sys_argv_is_one_word", sys_argv_is_one_word)
        .case("processes", processes)
        .case("processes_1_is_multiprocess_all_the_same", processes_1)
        .case("threads_1_is_no_multithread", threads_1)
        .case("user_and_group", user_and_group)
        .case("user_alone_keeps_apaches_group", user_alone)
        .case("supplementary_groups", supplementary_groups)
        .case("home_is_folder_and_path", home)
        .case("umask", umask)
        .case("lang_and_locale", lang_and_locale)
        .case("display_name", display_name)
        .case("display_name_of_the_group", display_name_of_the_group)
        .case("python_path_comes_first_with_pth", python_path)
        .case("python_path_finds_eggs", python_path_eggs)
        .case("python_eggs", python_eggs)
        .case("python_home_is_a_virtualenv", python_home)
        .case("python_home_with_python_path", python_home_with_path)
        .case("python_home_is_an_executable", python_home_executable)
        .only_pinion("mod_wsgi takes a virtualenv's folder only")
        .case("timeouts_and_backlog_are_accepted", timeouts_are_accepted)
        .case("state_stays_between_requests", state_stays)
        .case("module_is_in_sys_modules", module_is_in_sys_modules)
        .case("env_option", env_option)
        .only_pinion("the option is Pinion's own")
        .case("env_file_option", env_file_option)
        .only_pinion("the option is Pinion's own")
        .case("warmup_requests_come_first", warmup)
        .only_pinion("the option is Pinion's own")
        .case("cprofile_in_a_request", cprofile)
        .only_pinion("hangs for ever in mod_wsgi 6.1.1's daemons on Python 3.11")
}

fn limits(suite: Suite) -> Suite {
    suite
        .case("maximum_requests_replaces_the_process", maximum_requests)
        .case("maximum_requests_are_exact_with_one_thread", maximum_requests_are_exact)
        .only_original("Pinion's old worker serves until the new one is ready")
        .case("restart_interval_replaces_the_process", restart_interval)
        .case("request_timeout_ends_a_hung_request", request_timeout)
        .case("request_timeout_ends_an_endless_loop", endless_loop)
        .case("request_timeout_is_504_in_time", request_timeout_in_time)
        .only_pinion("mod_wsgi answers 502 after request-timeout and shutdown-timeout")
        .case("queue_timeout_is_504", queue_timeout)
        .case("queue_timeout_is_504_in_time", queue_timeout_in_time)
        .only_pinion("mod_wsgi notices only when a thread takes the request")
}

fn site(site: &mut Site) -> Outcome {
    let script = super::app(site, "process.wsgi")?;
    let python = python::system()?;
    let home = venv::ensure("compat-plain", &python, &[])?;
    site.write("eggs-path/zipped-1.0.egg", ZIPPED_EGG)?;
    site.write("eggs-path/folder-1.0.egg/folder_egg.py", "VALUE = 'from a folder egg'\n")?;
    site.write("eggs-path/easy-install.pth", "./zipped-1.0.egg\n./folder-1.0.egg\n")?;
    let path = site.folder("path")?;
    site.write("path/marked.py", "VALUE = 'by python-path'\n")?;
    site.write("path/extra.pth", format!("{}\n", site.folder("beyond")?.display()))?;
    site.write("beyond/beyond.py", "VALUE = 'by a .pth file'\n")?;
    site.write("second/second.py", "VALUE = 'by the second folder'\n")?;
    site.write("environment", "# comment\nCOMPAT_FILE=from file\nCOMPAT_QUOTED=\"a b\"\n")?;
    site.writable_folder("go")?;
    let (root, home) = (site.root().display().to_string(), home.home.display().to_string());
    let folder = site.folder("homes/own")?;
    let mut groups = vec![
        ("plain", String::new()),
        ("two", "processes=2 threads=1".to_owned()),
        ("one", "processes=1".to_owned()),
        ("single", "threads=1".to_owned()),
        ("home", format!("home={}", folder.display())),
        ("umask", "umask=0027".to_owned()),
        ("lang", "lang=en_US.UTF-8 locale=C.UTF-8".to_owned()),
        ("dname", "display-name=compat-name".to_owned()),
        ("gname", "display-name=%{GROUP}".to_owned()),
        ("path", format!("python-path={}:{root}/second", path.display())),
        ("eggpath", format!("python-path={root}/eggs-path")),
        ("eggs", format!("python-eggs={root}/eggs")),
        ("venv", format!("python-home={home}")),
        ("venvpath", format!("python-home={home} python-path={root}/path")),
        (
            "timeouts",
            "startup-timeout=30 graceful-timeout=5 shutdown-timeout=3 socket-timeout=20 \
             connect-timeout=10 listen-backlog=50 request-timeout=0 queue-timeout=30"
                .to_owned(),
        ),
    ];
    // Only root can give a group's processes to somebody else.
    if is_root() {
        groups.push(("user", "user=games group=games".to_owned()));
        groups.push(("alone", "user=games".to_owned()));
        groups.push(("supp", "user=games group=games supplementary-groups=mail,news".to_owned()));
    }
    if is_pinion(site) {
        groups.push(("exec", format!("python-home={home}/bin/python")));
        groups.push(("env", "env=COMPAT_ONE=1 env=COMPAT_TWO=two=2".to_owned()));
        groups.push(("warm", "warmup=/warm/one warmup=/warm/two".to_owned()));
        groups.push(("envfile", format!("env-file={root}/environment")));
    }
    declare(site, &script, &groups);
    Ok(())
}

fn limited(site: &mut Site) -> Outcome {
    let script = super::app(site, "process.wsgi")?;
    site.writable_folder("go")?;
    let groups = [
        ("max", "threads=1 maximum-requests=3".to_owned()),
        ("max2", "threads=1 maximum-requests=3".to_owned()),
        ("interval", "threads=1 restart-interval=2".to_owned()),
        ("hung", "threads=1 request-timeout=1 shutdown-timeout=1".to_owned()),
        ("hung2", "threads=1 request-timeout=1 shutdown-timeout=1".to_owned()),
        ("loop", "threads=1 request-timeout=1 shutdown-timeout=1".to_owned()),
        ("queue", "threads=1 queue-timeout=1".to_owned()),
        ("queue2", "threads=1 queue-timeout=1".to_owned()),
    ];
    declare(site, &script, &groups);
    Ok(())
}

fn declare(site: &mut Site, script: &Path, groups: &[(&str, String)]) {
    for (name, options) in groups {
        site.config(format!(
            "WSGIDaemonProcess {name} {options}\n\
             WSGIScriptAlias /{name} {} process-group={name} application-group=%{{GLOBAL}}",
            script.display()
        ));
    }
}

fn is_pinion(site: &Site) -> bool {
    site.server().is_some_and(pinion_testbed::Server::is_pinion)
}

/// What the group's process says of itself.
fn about(context: &Context, group: &str) -> Result<Value, Failed> {
    context.json(&format!("/{group}/"))
}

/// Files that waiting requests made, as (process, thread).
fn started(context: &Context, name: &str) -> Result<BTreeSet<(String, String)>, Failed> {
    let prefix = format!("{name}.");
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(context.path("go"))? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if let Some((pid, thread)) =
            file.strip_prefix(&prefix).and_then(|rest| rest.split_once('.'))
        {
            seen.insert((pid.to_owned(), thread.to_owned()));
        }
    }
    Ok(seen)
}

/// Begins so many requests that wait for [`release`].
fn wait(context: &Context, group: &str, count: usize) -> Result<Vec<Connection>, Failed> {
    let go = context.path("go");
    let path = format!("/{group}/wait?started={0}/{group}&go={0}/{group}-go", go.display());
    (0..count).map(|_| context.send("GET", &path, &[], b"")).collect()
}

/// Lets the waiting requests answer, and checks that all do.
fn release(context: &Context, group: &str, waiting: Vec<Connection>) -> Outcome {
    std::fs::write(context.path("go").join(format!("{group}-go")), "")?;
    for mut connection in waiting {
        assert_eq!(connection.answer("GET")?.status, 200);
    }
    Ok(())
}

fn fifteen_threads(context: &Context) -> Outcome {
    let waiting = wait(context, "plain", 18)?;
    eventually("15 requests at a time", || {
        Ok((started(context, "plain")?.len() >= 15).then_some(()))
    })?;
    // The other three stay in the queue: that they do not begin can only be seen by waiting a little.
    let more = wait_until(Duration::from_millis(300), || {
        started(context, "plain").is_ok_and(|seen| seen.len() > 15)
    });
    assert!(!more, "more than 15 requests at a time");
    let processes: BTreeSet<_> =
        started(context, "plain")?.into_iter().map(|(pid, _)| pid).collect();
    assert_eq!(processes.len(), 1);
    release(context, "plain", waiting)
}

fn default_flags(context: &Context) -> Outcome {
    let about = about(context, "eggs")?;
    assert_eq!(about["multithread"], true);
    assert_eq!(about["multiprocess"], false);
    Ok(())
}

fn default_user_and_home(context: &Context) -> Outcome {
    let about = about(context, "eggs")?;
    if is_root() {
        assert_eq!(about["uid"], 33);
        assert_eq!(about["gid"], 33);
        assert_eq!(about["groups"], literal!([33]));
        assert_eq!(about["home"], "/var/www");
    }
    assert_eq!(about["cwd"], "/");
    assert_eq!(about["umask"], 0o022);
    Ok(())
}

fn sys_argv_is_one_word(context: &Context) -> Outcome {
    assert_eq!(about(context, "eggs")?["argv"], literal!(["mod_wsgi"]));
    Ok(())
}

fn processes(context: &Context) -> Outcome {
    let waiting = wait(context, "two", 2)?;
    eventually("two processes at a time", || {
        let seen = started(context, "two")?;
        let processes: BTreeSet<_> = seen.iter().map(|(pid, _)| pid).collect();
        Ok((processes.len() == 2).then_some(()))
    })?;
    release(context, "two", waiting)?;
    let about = about(context, "two")?;
    assert_eq!(
        (&about["multiprocess"], &about["multithread"]),
        (&literal!(true), &literal!(false))
    );
    Ok(())
}

fn processes_1(context: &Context) -> Outcome {
    assert_eq!(about(context, "one")?["multiprocess"], true);
    Ok(())
}

fn threads_1(context: &Context) -> Outcome {
    assert_eq!(about(context, "single")?["multithread"], false);
    Ok(())
}

fn user_and_group(context: &Context) -> Outcome {
    if is_root() {
        let about = about(context, "user")?;
        assert_eq!((&about["uid"], &about["gid"]), (&literal!(5), &literal!(60)));
        assert_eq!(about["home"], "/usr/games");
    }
    Ok(())
}

fn user_alone(context: &Context) -> Outcome {
    if is_root() {
        let about = about(context, "alone")?;
        assert_eq!((&about["uid"], &about["gid"]), (&literal!(5), &literal!(33)));
        assert_eq!(about["cwd"], "/usr/games");
    }
    Ok(())
}

fn supplementary_groups(context: &Context) -> Outcome {
    if is_root() {
        assert_eq!(about(context, "supp")?["groups"], literal!([8, 9, 60]));
    }
    Ok(())
}

fn home(context: &Context) -> Outcome {
    let about = about(context, "home")?;
    let folder = context.path("homes/own").display().to_string();
    assert_eq!(about["cwd"], folder.as_str());
    assert_eq!(about["path"][0], folder.as_str());
    if is_root() {
        assert_eq!(about["home"], "/var/www");
    }
    Ok(())
}

fn umask(context: &Context) -> Outcome {
    assert_eq!(about(context, "umask")?["umask"], 0o027);
    Ok(())
}

fn lang_and_locale(context: &Context) -> Outcome {
    let about = about(context, "lang")?;
    assert_eq!(about["lang"], "en_US.UTF-8");
    assert_eq!(about["lc_all"], "C.UTF-8");
    assert_eq!(about["locale"], "C.UTF-8");
    Ok(())
}

fn shows(context: &Context, group: &str, name: &str) -> Outcome {
    let pid = about(context, group)?["pid"].as_i64().ok_or("no pid")?;
    let processes = context.apache.processes();
    let own = processes.iter().find(|process| i64::from(process.pid) == pid);
    let command = own.map(|process| process.command.clone()).unwrap_or_default();
    assert!(command.starts_with(name), "{command:?}");
    Ok(())
}

fn display_name(context: &Context) -> Outcome {
    shows(context, "dname", "compat-name")
}

fn display_name_of_the_group(context: &Context) -> Outcome {
    shows(context, "gname", "(wsgi:gname)")
}

/// The module's VALUE, as the group imports it.
fn value(context: &Context, group: &str, module: &str) -> Result<Value, Failed> {
    let about = context.json(&format!("/{group}/import?module={module}"))?;
    Ok(about["imported_value"].clone())
}

fn python_path(context: &Context) -> Outcome {
    let about = about(context, "path")?;
    let expected = [context.path("path"), context.path("beyond"), context.path("second")];
    for (position, folder) in expected.iter().enumerate() {
        assert_eq!(about["path"][position], folder.display().to_string(), "{}", about["path"]);
    }
    assert_eq!(value(context, "path", "marked")?, "by python-path");
    assert_eq!(value(context, "path", "beyond")?, "by a .pth file");
    assert_eq!(value(context, "path", "second")?, "by the second folder");
    Ok(())
}

fn python_path_eggs(context: &Context) -> Outcome {
    assert_eq!(value(context, "eggpath", "folder_egg")?, "from a folder egg");
    assert_eq!(value(context, "eggpath", "zipped_egg")?, "from a zipped egg");
    Ok(())
}

fn python_eggs(context: &Context) -> Outcome {
    assert_eq!(about(context, "eggs")?["eggs"], context.path("eggs").display().to_string());
    Ok(())
}

/// The virtualenv that the group must run in.
fn environment() -> Result<venv::Venv, Failed> {
    Ok(venv::ensure("compat-plain", &python::system()?, &[])?)
}

fn runs_in(about: &Value, venv: &venv::Venv) -> Outcome {
    assert_eq!(about["prefix"], venv.home.display().to_string());
    let packages = venv.site_packages().display().to_string();
    let path = about["path"].as_array().ok_or("no path")?;
    assert!(path.iter().any(|entry| entry == packages.as_str()), "{path:?}");
    Ok(())
}

fn python_home(context: &Context) -> Outcome {
    let about = about(context, "venv")?;
    let venv = environment()?;
    runs_in(&about, &venv)?;
    assert_eq!(about["executable"], venv.python().display().to_string());
    Ok(())
}

fn python_home_with_path(context: &Context) -> Outcome {
    let about = about(context, "venvpath")?;
    runs_in(&about, &environment()?)?;
    assert_eq!(about["path"][0], context.path("path").display().to_string());
    assert_eq!(value(context, "venvpath", "marked")?, "by python-path");
    Ok(())
}

fn python_home_executable(context: &Context) -> Outcome {
    runs_in(&about(context, "exec")?, &environment()?)
}

fn timeouts_are_accepted(context: &Context) -> Outcome {
    assert_eq!(context.status("/timeouts/")?, 200);
    Ok(())
}

fn state_stays(context: &Context) -> Outcome {
    let count = |group| -> Result<i64, Failed> {
        about(context, group)?["count"].as_i64().ok_or_else(|| "no count".into())
    };
    let first = count("umask")?;
    assert!(count("umask")? > first);
    Ok(())
}

fn module_is_in_sys_modules(context: &Context) -> Outcome {
    assert_eq!(about(context, "eggs")?["own_name_importable"], true);
    Ok(())
}

fn env_option(context: &Context) -> Outcome {
    let about = about(context, "env")?;
    assert_eq!(about["environ"]["COMPAT_ONE"], "1");
    assert_eq!(about["environ"]["COMPAT_TWO"], "two=2");
    Ok(())
}

fn env_file_option(context: &Context) -> Outcome {
    let about = about(context, "envfile")?;
    assert_eq!(about["environ"]["COMPAT_FILE"], "from file");
    assert_eq!(about["environ"]["COMPAT_QUOTED"], "a b");
    Ok(())
}

fn warmup(context: &Context) -> Outcome {
    // Two requests of the worker's own, then this one.
    assert_eq!(about(context, "warm")?["count"], 3);
    Ok(())
}

fn cprofile(context: &Context) -> Outcome {
    assert_eq!(context.json("/plain/profile")?["query"]["sum"], 6);
    Ok(())
}

fn pid(context: &Context, group: &str) -> Result<i64, Failed> {
    about(context, group)?["pid"].as_i64().ok_or_else(|| "no pid".into())
}

fn maximum_requests(context: &Context) -> Outcome {
    let first = pid(context, "max")?;
    let mut served = 1;
    eventually("another process", || {
        served += 1;
        Ok((pid(context, "max")? != first).then_some(()))
    })?;
    assert!(served > 3, "replaced after {served} requests");
    Ok(())
}

fn maximum_requests_are_exact(context: &Context) -> Outcome {
    let mut counts = std::collections::BTreeMap::<i64, i64>::new();
    for _ in 0..10 {
        *counts.entry(pid(context, "max2")?).or_default() += 1;
    }
    assert!(counts.len() >= 3 && counts.values().all(|count| *count <= 3), "{counts:?}");
    Ok(())
}

fn restart_interval(context: &Context) -> Outcome {
    let first = pid(context, "interval")?;
    eventually("another process", || Ok((pid(context, "interval")? != first).then_some(())))
}

fn request_timeout(context: &Context) -> Outcome {
    given_up(context, "hung", "sleep")
}

fn endless_loop(context: &Context) -> Outcome {
    given_up(context, "loop", "spin")
}

/// A request that would take 30 s is answered before, and the group serves again.
fn given_up(context: &Context, group: &str, action: &str) -> Outcome {
    let begin = Instant::now();
    let status = context.status(&format!("/{group}/{action}?seconds=30"))?;
    assert!(status == 502 || status == 504, "{status}");
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    let path = format!("/{group}/");
    eventually("an answer again", || Ok((context.status(&path)? == 200).then_some(())))
}

fn request_timeout_in_time(context: &Context) -> Outcome {
    let begin = Instant::now();
    assert_eq!(context.status("/hung2/sleep?seconds=30")?, 504);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(context.status("/hung2/")?, 200);
    Ok(())
}

/// Occupies the group's only thread for so long, and asks once more meanwhile.
fn queued(context: &Context, group: &str, seconds: u32) -> Result<(u16, Duration), Failed> {
    let mark = context.path("go").join(format!("{group}-sleeps"));
    let path = format!("/{group}/sleep?seconds={seconds}&mark={}", mark.display());
    let before = pid(context, group)?;
    let mut busy = context.send("GET", &path, &[], b"")?;
    eventually("the thread to be taken", || Ok(mark.exists().then_some(())))?;
    let begin = Instant::now();
    let status = context.status(&format!("/{group}/"))?;
    let took = begin.elapsed();
    assert_eq!(busy.answer("GET")?.status, 200);
    assert_eq!(pid(context, group)?, before);
    Ok((status, took))
}

fn queue_timeout(context: &Context) -> Outcome {
    let from = context.log().size();
    assert_eq!(queued(context, "queue", 3)?.0, 504);
    context.log().wait_for_from(from, "WSGI0084: ", SOON)?;
    Ok(())
}

fn queue_timeout_in_time(context: &Context) -> Outcome {
    let (status, took) = queued(context, "queue2", 5)?;
    assert_eq!(status, 504);
    assert!(took < Duration::from_millis(2500), "{took:?}");
    Ok(())
}
