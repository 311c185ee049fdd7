//! `--apache`: the same under a private Apache.

use pinion_testbed::raw::Connection;
use pinion_testbed::tls::Identity;
use pinion_testbed::wait_until;
use pinion_unix::signals::Signal;

use crate::world::{HELLO, LIMIT, Project, Serving};

fn serve(project: &Project, arguments: &[&str]) -> Serving {
    let serving = project.serve(&[&["--apache"], arguments].concat());
    serving.wait_for("ready, Python");
    serving
}

#[test]
fn options_become_directives_and_those_that_cannot_are_told() {
    let project = Project::hello();
    project.write("css/a.css", "");
    let arguments = [
        "--print-config",
        "--bind",
        "127.0.0.1:0",
        "--bind",
        "unix:s",
        "--mount",
        "/shop",
        "--static",
        "/css=css",
        "--access-log",
        "access",
        "--threads",
        "7",
        "--request-timeout",
        "2.5",
        "--trusted-proxies",
        "10.0.0.0/8",
        "--trusted-proxy-headers",
        "X-Forwarded-For",
        "--limit-body",
        "1K",
        "--health",
        "/alive",
        "--reload",
    ];
    let finished = project.run(&arguments);
    assert!(finished.success, "{}", finished.stderr);
    let folder = project.path("");
    let config = finished.stdout.replace(folder.to_str().unwrap().trim_end_matches('/'), "/FOLDER");
    for line in [
        "WSGIScriptAlias /shop /FOLDER/app.wsgi ",
        "Alias /css /FOLDER/css\n",
        "CustomLog /FOLDER/access access\n",
        "WSGITrustedProxies 10.0.0.0/8\n",
        "WSGITrustedProxyHeaders X-Forwarded-For\n",
        "LimitRequestBody 1024\n",
        " threads=7 ",
        " request-timeout=3",
        " home=/FOLDER ",
        "/modules/mod_pinion.so\n",
    ] {
        assert!(config.contains(line), "{line}:\n{config}");
    }
    for line in ["KeepAlive On\n", "KeepAliveTimeout 15000ms\n", "Timeout 30\n"] {
        assert!(config.contains(line), "{line}:\n{config}");
    }
    let rounded =
        "PIN0917: --request-timeout 2.5: Apache takes whole seconds here, so it is 3\nhint: ";
    assert!(finished.stderr.contains(rounded), "{}", finished.stderr);
    let told: Vec<_> = finished.stderr.lines().filter(|line| line.contains("PIN0912")).collect();
    assert_eq!(told.len(), 3, "{}", finished.stderr);
    assert!(told[0].contains("PIN0912: --bind unix:"), "{told:?}");
    assert!(told[1].contains("PIN0912: --health: "), "{told:?}");
    assert!(told[2].contains("PIN0912: --reload: "), "{told:?}");
    assert!(project.litter().is_empty());
}

#[test]
fn it_serves_the_application_and_files_and_logs() {
    let project = Project::new(&[("shop.py", HELLO)]);
    project.write("css/a.css", "body {}");
    let mut serving =
        serve(&project, &["shop:application", "--static", "/css=css", "--access-log", "access"]);
    assert_eq!(serving.get("/").text(), "hello");
    assert_eq!(serving.get("/css/a.css").text(), "body {}");
    assert!(serving.get("/").header("Server").unwrap().starts_with("Apache/"));
    assert!(wait_until(LIMIT, || project
        .read("access")
        .contains("\"GET /css/a.css HTTP/1.1\" 200")));
    serving.stop();
    assert!(project.litter().is_empty());
}

#[test]
fn beside_the_mount_point_there_is_nothing() {
    let project = Project::hello();
    let mut serving = serve(&project, &["--mount", "/shop"]);
    assert!(serving.log().contains("/shop by Apache, Python"), "{}", serving.log());
    assert_eq!((serving.get("/shop").text().as_str(), serving.get("/").status), ("hello", 404));
    serving.stop();
}

#[test]
fn sigterm_lets_a_request_end_and_sighup_takes_over_what_has_changed() {
    let app = r#"
import os, time
def application(environ, start_response):
    gate = os.path.join(os.path.dirname(__file__), "gate")
    if environ["PATH_INFO"] == "/slow":
        open(gate + ".begun", "w").close()
        while not os.path.exists(gate):
            time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(environ["wsgi.multithread"]).encode()]
"#;
    let project = Project::new(&[("app.wsgi", app), ("pinion.toml", "[serve]\nthreads = 2\n")]);
    std::fs::set_permissions(project.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .unwrap();
    let mut serving = serve(&project, &[]);
    assert_eq!(serving.get("/").text(), "True");
    project.write("pinion.toml", "[serve]\nthreads = 'x'\n");
    serving.signal(Signal::SIGHUP);
    serving.wait_for("PIN0910: the reload is refused");
    project.write("pinion.toml", "[serve]\nthreads = 1\n");
    serving.signal(Signal::SIGHUP);
    assert!(wait_until(LIMIT, || serving.get("/").text() == "False"), "{}", serving.log());
    let mut connection = Connection::open(serving.port()).unwrap();
    connection.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(wait_until(LIMIT, || project.path("gate.begun").exists()));
    serving.signal(Signal::SIGTERM);
    let port = serving.port();
    assert!(wait_until(LIMIT, || Connection::open(port).is_err()));
    project.write("gate", "");
    assert_eq!(connection.answer("GET").unwrap().text(), "False");
    assert!(serving.ended().success(), "{}", serving.log());
}

#[test]
fn it_speaks_tls_and_ends_with_its_parent() {
    let identity = Identity::new().unwrap();
    let project = Project::hello();
    project.write("cert.pem", &identity.certificate);
    project.write("key.pem", &identity.key);
    let mut serving = serve(
        &project,
        &["--certificate", "cert.pem", "--key", "key.pem", "--bind", "https://127.0.0.1:0"],
    );
    let log = serving.log();
    let rest = log.split("https://127.0.0.1:").nth(1).unwrap();
    let port = rest[..rest.find('/').unwrap()].parse().unwrap();
    let settings = identity.client(&[]).unwrap();
    let mut connection = Connection::open_tls(port, &settings).unwrap();
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(connection.answer("GET").unwrap().text(), "hello");
    let all = serving.workers();
    assert!(all.len() > 2, "Apache, its child, the manager, the worker: {all:?}");
    serving.signal(Signal::SIGKILL);
    serving.ended();
    assert!(wait_until(LIMIT, || all.iter().all(|process| !process.alive())));
}

#[test]
fn times_without_a_limit_have_none() {
    let project = Project::hello();
    let times = ["idle-timeout", "body-timeout", "head-timeout"].map(|name| format!("--{name}=0"));
    let arguments: Vec<_> = times.iter().map(String::as_str).collect();
    let finished = project.run(&[&["--print-config", "--drain-delay=2"], &arguments[..]].concat());
    let config = finished.stdout;
    for line in [
        "KeepAlive On\n",
        "KeepAliveTimeout 2147483000ms\n",
        "Timeout 2147483\n",
        "RequestReadTimeout header=0 body=0\n",
    ] {
        assert!(config.contains(line), "{line}:\n{config}");
    }
    assert!(finished.stderr.contains("PIN0912: --drain-delay: "), "{}", finished.stderr);
}

#[test]
fn json_is_json_whatever_clients_send() {
    let project = Project::hello();
    let mut serving = serve(&project, &["--access-log", "the log", "--access-log-format", "json"]);
    let mut connection = Connection::open(serving.port()).unwrap();
    let agent = b"User-Agent: \"\\x\xc3\xa9\xff\t\r\n";
    let head = b"GET /a?\"b HTTP/1.1\r\nHost: h.example\r\n";
    connection.send([&head[..], agent, b"Connection: close\r\n\r\n"].concat()).unwrap();
    connection.answer("GET").unwrap();
    assert!(wait_until(LIMIT, || project.read("the log").ends_with('\n')), "{}", serving.log());
    let line = project.read("the log");
    let entry: serde_json::Value = serde_json::from_str(line.trim_end()).unwrap();
    assert_eq!(entry["user_agent"], "\"\\x\u{e9}\u{fffd}", "{line}");
    assert_eq!((&entry["target"], &entry["host"]), (&"/a?\"b".into(), &"h.example".into()));
    assert_eq!((&entry["peer"], &entry["method"]), (&"127.0.0.1".into(), &"GET".into()));
    assert!(entry["status"].is_u64() && entry["duration_us"].is_u64(), "{line}");
    serving.stop();
}

#[test]
fn sigusr2_shows_the_python_stacks() {
    let app = r#"
import os, time
def application(environ, start_response):
    gate = os.path.join(os.path.dirname(__file__), "gate")
    open(gate + ".begun", "w").close()
    while not os.path.exists(gate):
        time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"#;
    let project = Project::new(&[("app.wsgi", app)]);
    std::fs::set_permissions(project.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .unwrap();
    let mut serving = serve(&project, &[]);
    let mut connection = Connection::open(serving.port()).unwrap();
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(wait_until(LIMIT, || project.path("gate.begun").exists()));
    serving.signal(Signal::SIGUSR2);
    serving.wait_for("the Python stacks of all workers follow");
    serving.wait_for("in application");
    project.write("gate", "");
    assert_eq!(connection.answer("GET").unwrap().text(), "done");
    serving.stop();
}
