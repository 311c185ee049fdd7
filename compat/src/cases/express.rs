//! Configurations that PyPI's mod_wsgi-express generates, with their LoadModule line pointed at the server
//! under test.

use crate::Suite;
use crate::context::{eventually, json};
use crate::suite::Outcome;
use libtest_mimic::Failed;
use pinion_testbed::http::{self, Answer};
use pinion_testbed::raw::exchange;
use pinion_testbed::{Express, Port, Running, Server, run};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

pub(super) fn suites() -> Vec<Suite> {
    let express = Suite::alone("express")
        .solo("daemon_mode", daemon_mode)
        .solo("several_processes", several_processes)
        .solo("embedded_mode", embedded_mode)
        .solo("debug_mode", debug_mode)
        .solo("mount_point_and_static_files", mount_point_and_static_files)
        .solo("module_as_entry_point", module_as_entry_point)
        .solo("auth_user_script", auth_user_script)
        .solo("auth_group_and_host_access_scripts", auth_group_and_host_access_scripts)
        .solo("https_port", https_port)
        .solo("trust_proxy", trust_proxy)
        .solo("reload_on_changes", reload_on_changes)
        .solo("changed_script_is_loaded", changed_script_is_loaded)
        .solo("resource_handler_script", resource_handler_script)
        .solo("service_script", service_script)
        .solo("enable_telemetry", enable_telemetry)
        .solo("limits_and_timeouts", limits_and_timeouts);
    vec![express]
}

/// Shows its environ as JSON.
const SHOW: &str = "\
import json, os, sys
def application(environ, start_response):
    shown = {name: str(value) for name, value in environ.items()}
    shown.update(pid=os.getpid(), cwd=os.getcwd(), express=os.environ.get('MOD_WSGI_EXPRESS', ''))
    body = json.dumps(shown).encode()
    start_response('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))])
    return [body]
";

fn show(server: &Server) -> Result<(Express, PathBuf), Failed> {
    let express = Express::new(server)?;
    let script = express.write("show.wsgi", SHOW)?;
    Ok((express, script))
}

fn environ(running: &Running, path: &str) -> Result<Value, Failed> {
    json(&http::get(&running.url(path))?)
}

fn started(server: &Server, options: &[&str]) -> Result<Running, Failed> {
    let (mut express, script) = show(server)?;
    for option in options {
        express.options([option]);
    }
    Ok(express.start(&script)?)
}

/// A request of its own with header lines as written.
fn ask(running: &Running, path: &str, headers: &str) -> Result<Answer, Failed> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    Ok(exchange(running.port(), &head, b"")?)
}

fn daemon_mode(server: &Server) -> Outcome {
    let running = started(server, &[])?;
    let shown = environ(&running, "/some/page?x=1")?;
    for (name, value) in [
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/some/page"),
        ("QUERY_STRING", "x=1"),
        ("mod_wsgi.application_group", ""),
        ("mod_wsgi.request_handler", "wsgi-handler"),
        ("wsgi.multithread", "True"),
        ("wsgi.multiprocess", "False"),
        ("express", "true"),
    ] {
        assert_eq!(shown[name], value, "{name}: {shown}");
    }
    let group = format!("127.0.0.1:{}", running.port());
    assert_eq!(shown["mod_wsgi.process_group"], group, "{shown}");
    assert_eq!(shown["cwd"], running.root().to_string_lossy().as_ref(), "{shown}");
    Ok(())
}

fn several_processes(server: &Server) -> Outcome {
    let running = started(server, &["--processes", "2", "--threads", "3"])?;
    let shown = environ(&running, "/")?;
    assert_eq!(shown["wsgi.multiprocess"], "True", "{shown}");
    Ok(())
}

fn embedded_mode(server: &Server) -> Outcome {
    let running = started(server, &["--embedded-mode"])?;
    let shown = environ(&running, "/page")?;
    assert_eq!(shown["mod_wsgi.process_group"], "", "{shown}");
    assert_eq!((&shown["SCRIPT_NAME"], &shown["PATH_INFO"]), (&"".into(), &"/page".into()));
    Ok(())
}

/// Its Apache serves one connection after the other.
fn debug_mode(server: &Server) -> Outcome {
    let running = started(server, &["--debug-mode"])?;
    assert_eq!(environ(&running, "/page")?["PATH_INFO"], "/page");
    Ok(())
}

fn mount_point_and_static_files(server: &Server) -> Outcome {
    let (mut express, script) = show(server)?;
    let file = express.write("plain.txt", "plain text")?;
    let file = file.to_string_lossy().into_owned();
    express.options(["--mount-point", "/app", "--url-alias", "/plain.txt", &file]);
    let running = express.start(&script)?;
    let shown = environ(&running, "/app/page")?;
    assert_eq!((&shown["SCRIPT_NAME"], &shown["PATH_INFO"]), (&"/app".into(), &"/page".into()));
    assert_eq!(http::get(&running.url("/plain.txt"))?.text(), "plain text");
    Ok(())
}

fn module_as_entry_point(server: &Server) -> Outcome {
    let mut express = Express::new(server)?;
    express.write("shown.py", SHOW)?;
    let folder = express.root().to_string_lossy().into_owned();
    express.options(["--application-type", "module", "--python-path", &folder]);
    let running = express.start(&PathBuf::from("shown"))?;
    assert_eq!(environ(&running, "/page")?["PATH_INFO"], "/page");
    Ok(())
}

const USERS: &str = "\
def check_password(environ, user, password):
    if user == 'grace':
        return password == 'hopper'
    return None
def groups_for_user(environ, user):
    return ['wsgi'] if user == 'grace' else []
def allow_access(environ, host):
    return environ['REQUEST_URI'] != '/forbidden'
";
/// grace:hopper.
const GRACE: &str = "Authorization: Basic Z3JhY2U6aG9wcGVy\r\n";
/// grace:wrong.
const WRONG: &str = "Authorization: Basic Z3JhY2U6d3Jvbmc=\r\n";

fn auth_user_script(server: &Server) -> Outcome {
    let (mut express, script) = show(server)?;
    let users = express.write("users.wsgi", USERS)?.to_string_lossy().into_owned();
    express.options(["--auth-user-script", &users]);
    let running = express.start(&script)?;
    assert_eq!(ask(&running, "/", "")?.status, 401);
    assert_eq!(ask(&running, "/", WRONG)?.status, 401);
    let shown = json(&ask(&running, "/", GRACE)?)?;
    assert_eq!(shown["REMOTE_USER"], "grace", "{shown}");
    Ok(())
}

fn auth_group_and_host_access_scripts(server: &Server) -> Outcome {
    let (mut express, script) = show(server)?;
    let users = express.write("users.wsgi", USERS)?.to_string_lossy().into_owned();
    express.options(["--auth-user-script", &users, "--auth-group-script", &users]);
    express.options(["--host-access-script", &users]);
    let running = express.start(&script)?;
    assert_eq!(ask(&running, "/", "")?.status, 401);
    assert_eq!(ask(&running, "/", GRACE)?.status, 200);
    assert_eq!(ask(&running, "/forbidden", GRACE)?.status, 403);
    Ok(())
}

fn https_port(server: &Server) -> Outcome {
    let (mut express, script) = show(server)?;
    let certificate = express.root().join("site");
    let path = |ending: &str| certificate.with_extension(ending);
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl
        .args(["-subj", "/CN=site.test", "-keyout"])
        .arg(path("key"))
        .arg("-out")
        .arg(path("crt"));
    run(&mut openssl)?;
    let port = Port::take()?;
    let number = port.number().to_string();
    express.options(["--https-port", &number, "--server-name", "site.test"]);
    express.options(["--ssl-certificate", &certificate.to_string_lossy()]);
    let running = express.start(&script)?;
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--insecure", "--resolve"]);
    curl.arg(format!("site.test:{number}:127.0.0.1"))
        .arg(format!("https://site.test:{number}/page"));
    let shown: Value = serde_json::from_str(&run(&mut curl)?)?;
    assert_eq!(shown["wsgi.url_scheme"], "https", "{shown}");
    assert_eq!(shown["SERVER_PORT"], number.as_str(), "{shown}");
    let plain = "GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n";
    let plain = json(&exchange(running.port(), plain, b"")?)?;
    assert_eq!(plain["wsgi.url_scheme"], "http", "{plain}");
    Ok(())
}

fn trust_proxy(server: &Server) -> Outcome {
    let trusted = started(
        server,
        &[
            "--trust-proxy-header",
            "X-Forwarded-For",
            "--trust-proxy-header",
            "X-Forwarded-Proto",
            "--trust-proxy",
            "127.0.0.1",
        ],
    )?;
    let headers = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    let shown = json(&ask(&trusted, "/", headers)?)?;
    assert_eq!(shown["REMOTE_ADDR"], "192.0.2.7", "{shown}");
    assert_eq!(shown["wsgi.url_scheme"], "https", "{shown}");
    let stranger = started(
        server,
        &["--trust-proxy-header", "X-Forwarded-For", "--trust-proxy", "192.0.2.1"],
    )?;
    let shown = json(&ask(&stranger, "/", headers)?)?;
    assert_eq!(shown["REMOTE_ADDR"], "127.0.0.1", "{shown}");
    Ok(())
}

/// A page that is made by another module of the application.
const WORDS: &str = "\
import os, words
def application(environ, start_response):
    body = ('%s %d' % (words.WORD, os.getpid())).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

/// What the page says, once it is served.
fn word(running: &Running) -> Result<Option<String>, Failed> {
    let answer = http::get(&running.url("/"))?;
    let text = answer.text();
    Ok((answer.status == 200).then(|| text.split(' ').next().unwrap_or_default().to_owned()))
}

fn reload_on_changes(server: &Server) -> Outcome {
    let mut express = Express::new(server)?;
    express.write("words.py", "WORD = 'before'")?;
    let script = express.write("page.wsgi", WORDS)?;
    let folder = express.root().to_string_lossy().into_owned();
    express.options(["--reload-on-changes", "--python-path", &folder]);
    let running = express.start(&script)?;
    assert_eq!(word(&running)?.as_deref(), Some("before"));
    running.log().wait_for("Starting change monitor", crate::context::SOON)?;
    // Another length: the time of the change may be the same.
    std::fs::write(running.root().join("words.py"), "WORD = 'afterwards'")?;
    eventually("the changed module", || {
        Ok(word(&running)?.filter(|word| word == "afterwards").map(drop))
    })
}

fn changed_script_is_loaded(server: &Server) -> Outcome {
    let express = Express::new(server)?;
    let page = |word: &str| {
        format!(
            "def application(environ, start_response):\n    \
             start_response('200 OK', [('Content-Length', '5')])\n    return [b'{word}']\n"
        )
    };
    let script = express.write("page.wsgi", &page("first"))?;
    let running = express.start(&script)?;
    assert_eq!(word(&running)?.as_deref(), Some("first"));
    std::fs::write(&script, page("later"))?;
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::options().append(true).open(&script)?.set_modified(later)?;
    eventually("the changed script", || {
        Ok(word(&running)?.filter(|word| word == "later").map(drop))
    })
}

fn resource_handler_script(server: &Server) -> Outcome {
    let (mut express, script) = show(server)?;
    let handler = "\
def handle_request(environ, start_response):
    body = ('shouted ' + open(environ['SCRIPT_FILENAME']).read().upper()).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";
    let handler = express.write("shout.wsgi", handler)?.to_string_lossy().into_owned();
    std::fs::create_dir(express.root().join("pages"))?;
    express.write("pages/hello.shout", "hello")?;
    let pages = express.root().join("pages").to_string_lossy().into_owned();
    express.options(["--add-handler", ".shout", &handler, "--document-root", &pages]);
    let running = express.start(&script)?;
    assert_eq!(http::get(&running.url("/hello.shout"))?.text(), "shouted HELLO");
    assert_eq!(environ(&running, "/other")?["PATH_INFO"], "/other");
    Ok(())
}

fn service_script(server: &Server) -> Outcome {
    let (mut express, script) = show(server)?;
    let service = "\
import mod_wsgi, sys, time
print('service of', mod_wsgi.process_group, 'runs', file=sys.stderr)
while True:
    time.sleep(0.1)
";
    let service = express.write("service.py", service)?.to_string_lossy().into_owned();
    express.options(["--service-script", "clock", &service]);
    let running = express.start(&script)?;
    running.log().wait_for("service of service:clock runs", crate::context::SOON)?;
    assert_eq!(environ(&running, "/page")?["PATH_INFO"], "/page");
    Ok(())
}

fn enable_telemetry(server: &Server) -> Outcome {
    let port = Port::take()?;
    let number = port.number().to_string();
    let running = started(
        server,
        &["--enable-telemetry", "--telemetry-ui-port", &number, "--telemetry-interval", "0.5"],
    )?;
    let group = format!("127.0.0.1:{}", running.port());
    assert_eq!(environ(&running, "/page")?["PATH_INFO"], "/page");
    eventually("the worker's sample", || {
        let Ok(answer) = http::get(&format!("http://127.0.0.1:{number}/api/state")) else {
            return Ok(None);
        };
        let state = json(&answer)?;
        let processes = state["processes"].as_array().cloned().unwrap_or_default();
        let shown = processes.iter().any(|process| {
            let sampled = process["samples"].as_array().is_some_and(|samples| !samples.is_empty());
            sampled && process["process_group"] == group.as_str()
        });
        Ok(shown.then_some(()))
    })
}

/// All that express has an option for, away from its default.
fn limits_and_timeouts(server: &Server) -> Outcome {
    let running = started(
        server,
        &[
            "--request-timeout",
            "30",
            "--interrupt-timeout",
            "5",
            "--queue-timeout",
            "10",
            "--inactivity-timeout",
            "600",
            "--eviction-timeout",
            "20",
            "--restart-interval",
            "3600",
            "--cpu-time-limit",
            "600",
            "--maximum-requests",
            "1000",
            "--send-buffer-size",
            "65536",
            "--receive-buffer-size",
            "65536",
            "--header-buffer-size",
            "32768",
            "--response-buffer-size",
            "131072",
            "--response-socket-timeout",
            "30",
            "--response-flush-delay",
            "10",
            "--server-metrics",
            "--chunked-request",
            "--error-override",
            "--compress-responses",
            "--enable-sendfile",
            "--access-log",
            "--switch-interval",
            "0.01",
            "--ignore-activity",
            "/health",
            "--python-warnings",
            "default",
            "--verbose-debugging",
            "--setenv",
            "SHOWN",
            "yes",
        ],
    )?;
    assert_eq!(environ(&running, "/page")?["SHOWN"], "yes");
    Ok(())
}
