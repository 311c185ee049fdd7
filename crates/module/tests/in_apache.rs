//! The module inside a real Apache, with this program in the place of the manager and the workers:
//! it says what it was told, and answers requests with what they brought.

mod manager;

use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use pinion_testbed::http::{self, Answer, Client};
use pinion_testbed::raw::{self, Connection};
use pinion_testbed::{Apache, Mpm, Site};

type Outcome = Result<(), Failed>;

const SOON: Duration = Duration::from_secs(30);

/// Where cargo leaves the module that it builds for tests: beside this program.
fn module() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    let folder = test.parent().expect("the program is in a folder");
    folder.join("libmod_pinion.so")
}

/// A site with the module, an installation in which `bin/pinion` is this program, and a script.
fn site() -> Result<Site, Failed> {
    let mut site = Site::bare()?;
    let root = site.root().to_owned();
    site.folder("bin")?;
    site.folder("lib/pinion")?;
    std::os::unix::fs::symlink(std::env::current_exe()?, root.join("bin/pinion"))?;
    site.write("app/hello.wsgi", "application = None\n")?;
    let (module, root) = (module(), root.display());
    site.config(format!("LoadModule wsgi_module {}\nPinionPrefix {root}\n", module.display()));
    Ok(site)
}

fn script(site: &Site) -> String {
    site.root().join("app/hello.wsgi").display().to_string()
}

fn mounted(options: &str) -> Result<Apache, Failed> {
    let mut site = site()?;
    let script = script(&site);
    site.config("WSGIDaemonProcess web processes=2 threads=3\nWSGIProcessGroup web\n");
    site.config(format!("WSGIScriptAlias /app {script} {options}\n"));
    Ok(site.start()?)
}

/// Fails with `whole` unless it holds `part`.
fn holds(whole: &str, part: &str) -> Outcome {
    if whole.contains(part) { Ok(()) } else { Err(format!("no `{part}` in:\n{whole}").into()) }
}

fn get(apache: &Apache, path: &str) -> Result<Answer, Failed> {
    Ok(http::get(&apache.url(path))?)
}

fn the_configuration_reaches_the_manager() -> Outcome {
    let apache = mounted("application-group=%{GLOBAL}")?;
    let told = apache.log().wait_for("configured: ", SOON)?;
    for part in [
        "generation: 1",
        "name: \"web\"",
        "processes: 2, threads: 3, multiprocess: true",
        "name: \"\"",
        "preload: [MountKey",
    ] {
        holds(&told, part)?;
    }
    holds(&told, &format!("library: \"{}/lib/pinion\"", apache.root().display()))
}

fn a_request_reaches_a_worker_and_its_answer_the_client() -> Outcome {
    let apache = mounted("callable-object=other")?;
    let answer = get(&apache, "/app//x?q=1")?;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header_all("Set-Cookie"), ["a=1", "b=2"]);
    let text = answer.text();
    for part in [
        "callable=other\n",
        "process_group=web\n",
        &format!("application_group=localhost:{}|/app\n", apache.port()),
        "SCRIPT_NAME=/app\n",
        "PATH_INFO=/x\n",
        "QUERY_STRING=q=1\n",
        "REQUEST_METHOD=GET\n",
        "wsgi.url_scheme=http\n",
    ] {
        holds(&text, part)?;
    }
    holds(&text, &format!("script={}\n", script(apache.site())))?;
    for name in ["PATH=", "GATEWAY_INTERFACE=", "SERVER_SIGNATURE=", "HTTP_AUTHORIZATION="] {
        assert!(!text.lines().any(|line| line.starts_with(name)), "{name} in {text}");
    }
    Ok(())
}

fn authorization_is_shown_where_it_is_allowed() -> Outcome {
    let apache = mounted("pass-authorization=On")?;
    let headers = [("Authorization", "Basic eA==")];
    let answer = Client::default().send("GET", &apache.url("/app"), &headers, b"")?;
    holds(&answer.text(), "HTTP_AUTHORIZATION=Basic eA==\n")
}

fn bodies_are_read_when_they_are_wanted() -> Outcome {
    let apache = mounted("")?;
    let body: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    for length in [0, 1, 16 * 1024, 16 * 1024 + 1, body.len()] {
        let answer = http::post(&apache.url("/app/echo"), &body[..length])?;
        assert_eq!(answer.body, body[..length], "{length} bytes");
    }
    let head = "POST /app/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let refused = raw::exchange(apache.port(), head, b"1\r\nx\r\n0\r\n\r\n")?;
    assert_eq!(refused.status, 411);
    Ok(())
}

fn an_answer_that_breaks_off_is_seen_to_be_cut() -> Outcome {
    let apache = mounted("")?;
    let mut connection = Connection::open(apache.port())?;
    connection.send("GET /app/cut HTTP/1.1\r\nHost: x\r\n\r\n")?;
    assert!(connection.answer("GET").is_err());
    assert_eq!(get(&apache, "/app/fail")?.status, 500);
    assert_eq!(get(&apache, "/app/ok")?.status, 200);
    Ok(())
}

fn aliases_are_tried_in_their_order() -> Outcome {
    let mut site = site()?;
    let script = script(&site);
    let folder = site.root().join("app").display().to_string();
    site.write("htdocs/static/file.txt", "plain")?;
    let htdocs = site.root().join("htdocs").display().to_string();
    site.module("alias");
    site.config(format!(
        "WSGIScriptAliasMatch ^/match/(\\w+) {folder}/$1.wsgi\n\
         WSGIScriptAlias /folder/ {folder}/\n\
         WSGIScriptAlias / {script}\n\
         Alias /static {htdocs}/static\n\
         <Location /folder>\nWSGIApplicationGroup %{{GLOBAL}}\n</Location>\n"
    ));
    site.host("other.test", "");
    site.host("own.test", format!("WSGIScriptAlias /match {script} callable-object=own\n"));
    let apache = site.start()?;
    holds(&get(&apache, "/match/hello/x")?.text(), "SCRIPT_NAME=/match/hello\n")?;
    assert_eq!(get(&apache, "/match/absent")?.status, 404);
    let folder = get(&apache, "/folder/hello.wsgi/a/b")?.text();
    holds(&folder, "SCRIPT_NAME=/folder/hello.wsgi\n")?;
    holds(&folder, "PATH_INFO=/a/b\n")?;
    holds(&folder, "application_group=\n")?;
    let root = get(&apache, "/any/where")?.text();
    holds(&root, "SCRIPT_NAME=\n")?;
    holds(&root, "PATH_INFO=/any/where\n")?;
    assert_eq!(get(&apache, "/static/file.txt")?.text(), "plain", "Alias comes first");
    let own = "GET /match/hello HTTP/1.1\r\nHost: own.test\r\n\r\n";
    let own = raw::exchange(apache.port(), own, b"")?.text();
    holds(&own, "callable=own\n")?;
    holds(&own, "PATH_INFO=/hello\n")
}

fn a_handler_without_alias_needs_exec_cgi() -> Outcome {
    let mut site = site()?;
    let folder = site.root().join("app").display().to_string();
    site.module("alias").module("mime");
    site.config(format!("Alias /app {folder}\nAddHandler wsgi-script .wsgi\n"));
    let mut apache = site.start()?;
    assert_eq!(get(&apache, "/app/hello.wsgi")?.status, 403);
    apache.site_mut().config(format!("<Directory {folder}>\nOptions +ExecCGI\n</Directory>\n"));
    apache.site().write_configuration()?;
    apache.graceful()?;
    holds(&get(&apache, "/app/hello.wsgi/x")?.text(), "SCRIPT_NAME=/app/hello.wsgi\n")
}

fn groups_are_kept_to_their_hosts() -> Outcome {
    let mut site = site()?;
    let script = script(&site);
    site.module("env").config("WSGIRestrictEmbedded On\n");
    site.host(
        "own.test",
        format!("WSGIDaemonProcess own\nWSGIScriptAlias / {script} process-group=own\n"),
    );
    site.host(
        "other.test",
        format!(
            "WSGIScriptAlias / {script} process-group=%{{ENV:G}}\nSetEnv G own\n\
             <Location /none>\nSetEnv G %{{GLOBAL}}\n</Location>\n"
        ),
    );
    let apache = site.start()?;
    let ask = |host: &str, path: &str| {
        raw::exchange(apache.port(), &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"), b"")
    };
    assert_eq!(ask("own.test", "/")?.status, 200);
    assert_eq!(ask("other.test", "/")?.status, 500);
    apache.host_log("other.test").wait_for("WSGI0152: Daemon process called", SOON)?;
    assert_eq!(ask("other.test", "/none")?.status, 500);
    apache.host_log("other.test").wait_for("WSGI0143", SOON)?;
    Ok(())
}

fn a_manager_that_dies_is_replaced() -> Outcome {
    let apache = mounted("")?;
    let log = apache.log();
    log.wait_for("configured: ", SOON)?;
    let first = http::get(&apache.url("/app"))?.text();
    let from = log.size();
    // Once it has lived long enough, its successor is not put off.
    assert!(http::get(&apache.url("/app/die")).is_ok());
    log.wait_for_from(from, "PIN0402", SOON)?;
    log.wait_for_from(from, "configured: ", SOON)?;
    assert_eq!(get(&apache, "/app")?.status, 200, "{first}");
    Ok(())
}

fn a_restart_keeps_the_manager() -> Outcome {
    let mut apache = mounted("")?;
    let log = apache.log();
    log.wait_for("generation: 1", SOON)?;
    let manager =
        |text: &str| text.lines().find_map(|l| l.strip_prefix("manager=").map(str::to_owned));
    let before = manager(&get(&apache, "/app")?.text());
    apache.graceful()?;
    log.wait_for("generation: 2", SOON)?;
    assert_eq!(manager(&get(&apache, "/app")?.text()), before);
    let stopped = apache.stop()?;
    assert!(stopped.left.is_empty(), "{:?}", stopped.left);
    holds(&log.text(), "manager: told to stop")
}

fn every_mpm_serves() -> Outcome {
    for mpm in [Mpm::Event, Mpm::Worker, Mpm::Prefork] {
        let mut site = site()?;
        let script = script(&site);
        site.mpm(mpm).config(format!("WSGIScriptAlias / {script}\n"));
        let apache = site.start()?;
        assert_eq!(get(&apache, "/x")?.status, 200, "{mpm:?}");
    }
    Ok(())
}

fn configtest_names_what_is_wrong() -> Outcome {
    for (line, code, part) in [
        ("WSGIDaemonProcess web processes=3x", "PIN0012", "processes=3x"),
        ("WSGIDaemonProcess web thread=3", "PIN0011", "threads"),
        ("WSGIScriptAlias /x /no/such.wsgi", "WSGI0135", "/no/such.wsgi"),
        ("WSGIScriptAliasMatch ( /x", "PIN0014", "hint:"),
        ("WSGIProcessGroup nobody", "WSGI0150", "nobody"),
        ("WSGIPassAuthorization maybe", "PIN0003", "On"),
        ("PinionPrefix /nowhere", "PIN0119", "bin/pinion"),
    ] {
        let mut site = site()?;
        site.config(format!("{line}\n"));
        let tested = site.configtest()?;
        assert!(!tested.success, "{line} is taken");
        holds(&tested.output(), code)?;
        holds(&tested.output(), part)?;
        assert_eq!(tested.output().matches(code).count(), 1, "{}", tested.output());
    }
    let mut site = site()?;
    let script = script(&site);
    site.config(format!("WSGIScriptAlias /x {script}\n"));
    let tested = site.configtest()?;
    assert!(tested.success, "{}", tested.output());
    Ok(())
}

macro_rules! trials {
    ($($name:ident)*) => { vec![$(Trial::test(stringify!($name), $name)),*] };
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("manager") {
        return manager::run();
    }
    let absent = !Path::new("/usr/sbin/apache2").exists();
    let trials = trials![
        the_configuration_reaches_the_manager
        a_request_reaches_a_worker_and_its_answer_the_client
        authorization_is_shown_where_it_is_allowed
        bodies_are_read_when_they_are_wanted
        an_answer_that_breaks_off_is_seen_to_be_cut
        aliases_are_tried_in_their_order
        a_handler_without_alias_needs_exec_cgi
        groups_are_kept_to_their_hosts
        a_manager_that_dies_is_replaced
        a_restart_keeps_the_manager
        every_mpm_serves
        configtest_names_what_is_wrong
    ];
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(absent)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
