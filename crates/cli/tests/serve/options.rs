//! Which value of an option counts, and what options do.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::world::Project;

/// Answers with a variable of the environment, the working folder, and who it is.
const TELL: &str = r#"
import os, sys

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    lines = [
        os.environ.get("SHOP", "none"),
        os.getcwd(),
        "%d:%d" % (os.getuid(), os.getgid()),
        "%03o" % os.umask(0),
        "%s|%s" % (environ["SCRIPT_NAME"], environ["PATH_INFO"]),
        "%s %s" % (environ["wsgi.multiprocess"], environ["wsgi.multithread"]),
        sys.prefix,
        ",".join(sys.path),
    ]
    return ["\n".join(lines).encode()]
"#;

fn tell(project: &Project, arguments: &[&str], path: &str) -> Vec<String> {
    let mut serving = project.serve(arguments);
    let lines = serving.get(path).text().lines().map(str::to_owned).collect();
    serving.stop();
    lines
}

#[test]
fn the_command_line_counts_before_the_environment_before_the_file() {
    let project = Project::new(&[
        ("app.wsgi", TELL),
        ("pinion.toml", "[serve]\nenv = ['SHOP=file']\nprocesses = 2\n"),
    ]);
    let lines = tell(&project, &[], "/");
    assert_eq!((lines[0].as_str(), lines[5].as_str()), ("file", "True True"));
    let project = project.env("PINION_ENV", "SHOP=environment").env("PINION_PROCESSES", "1");
    let lines = tell(&project, &[], "/");
    assert_eq!((lines[0].as_str(), lines[5].as_str()), ("environment", "False True"));
    let lines = tell(&project, &["--env", "SHOP=line", "--threads", "1"], "/");
    assert_eq!((lines[0].as_str(), lines[5].as_str()), ("line", "False False"));
}

#[test]
fn the_workers_are_in_the_projects_folder_and_import_from_it() {
    let project = Project::new(&[("app.wsgi", TELL), ("data/x", ""), ("vars", "SHOP='a b' # c\n")]);
    let root = project.path("").canonicalize().unwrap();
    let lines = tell(&project, &["--env-file", "vars"], "/");
    assert_eq!(lines[0], "a b");
    assert_eq!(lines[1], root.display().to_string());
    assert_eq!(lines[7].split(',').next().unwrap(), lines[1]);
    let lines = tell(&project, &["--chdir", "data", "--umask", "027"], "/");
    assert_eq!(
        (lines[1].clone(), lines[3].as_str()),
        (root.join("data").display().to_string(), "027")
    );
}

#[test]
fn a_mount_point_is_the_applications_script_name() {
    let project = Project::new(&[("app.wsgi", TELL)]);
    let mut serving = project.serve(&["--mount", "/shop"]);
    let log = serving.log();
    assert!(log.contains("/shop by Python"), "{log}");
    assert_eq!(serving.get("/shop/cart").text().lines().nth(4), Some("/shop|/cart"));
    assert_eq!(serving.get("/cart").status, 404);
    serving.stop();
}

#[test]
fn workers_have_the_rights_of_their_user_and_read_the_script_that_is_made() {
    if pinion_unix::users::effective_uid() != 0 {
        return;
    }
    let project = Project::new(&[("shop.py", TELL)]);
    let nobody = pinion_unix::users::user_by_name("nobody").unwrap().unwrap();
    let lines = tell(&project, &["shop:application", "--user", "nobody"], "/");
    assert_eq!(lines[2], format!("{}:{}", nobody.uid, nobody.gid));
    let lines = tell(&project, &["shop:application", "--user", "nobody", "--group", "#7"], "/");
    assert_eq!(lines[2], format!("{}:7", nobody.uid));
}

#[test]
fn the_projects_virtualenv_runs_it() {
    let project = Project::new(&[("app.wsgi", TELL)]);
    let python = pinion_testbed::python::system().unwrap();
    let venv = project.path(".venv");
    let mut make = std::process::Command::new(&python.path);
    pinion_testbed::run(make.args(["-m", "venv", "--without-pip"]).arg(&venv)).unwrap();
    let mut serving = project.serve(&[]);
    assert_eq!(serving.get("/").text().lines().nth(6), venv.to_str());
    let said = format!("by Python {} ({}), 1 process of 4 threads", python.version, venv.display());
    assert!(serving.log().contains(&said), "{}", serving.log());
    serving.stop();
}

#[test]
fn errors_and_what_the_application_writes_go_to_the_log_as_they_are() {
    let app = format!("import sys\nprint('{{\"a\": 1}}', file=sys.stderr)\n{TELL}");
    let project = Project::new(&[("app.wsgi", app.as_str())]);
    let mut serving = project.serve(&["--log", "errors"]);
    serving.stop();
    assert!(!serving.log().contains("{\"a\": 1}"));
    let log = project.read("errors");
    assert!(log.lines().any(|line| line == "{\"a\": 1}"), "{log}");
    assert_eq!(fs::metadata(project.path("errors")).unwrap().mode() & 0o777, 0o640);
}

#[test]
fn the_access_log_may_be_common() {
    let project = Project::hello();
    let mut serving = project.serve(&["--access-log", "access", "--access-log-format", "common"]);
    serving.get("/a?b");
    serving.stop();
    let log = project.read("access");
    assert!(log.starts_with("127.0.0.1 - - ["), "{log}");
    assert!(log.ends_with("] \"GET /a?b HTTP/1.1\" 200 5\n"), "{log}");
}

#[test]
fn switches_are_taken_back_by_no() {
    let project = Project::new(&[
        ("app.wsgi", "raise ValueError\n"),
        ("pinion.toml", "[serve]\nreload = true\n"),
    ]);
    let said = project.said(&["--no-reload", "--bind", "127.0.0.1:0"]);
    assert!(said.ends_with("exit status: 3\n"), "{said}");
}

#[test]
fn help_names_each_option_and_its_default() {
    let finished = Project::hello().run(&["--help"]);
    assert!(finished.success);
    let help = finished.stdout;
    for words in [
        "--bind <ADDRESS>",
        "[default: 127.0.0.1:8000, or https://127.0.0.1:8443 with a certificate]",
        "--trusted-proxy-headers",
        "pinion.toml",
    ] {
        assert!(help.contains(words), "{words}:\n{help}");
    }
    assert!(!help.contains("--no-reload"), "{help}");
}
