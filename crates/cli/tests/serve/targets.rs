//! What can be served, and where from.

use std::net::TcpListener;

use pinion_testbed::frameworks::frameworks;
use pinion_testbed::http;

use crate::world::{HELLO, Project};

const FACTORIES: &str = r#"
def answering(word):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [word.encode()]
    return application

def make(settings, word="none"):
    return answering(word)

def made():
    return answering("made")
"#;

fn text(project: &Project, arguments: &[&str]) -> String {
    let mut serving = project.serve(arguments);
    let text = serving.get("/").text();
    serving.stop();
    text
}

#[test]
fn a_factory_is_called() {
    let project = Project::new(&[("shop.py", FACTORIES)]);
    assert_eq!(text(&project, &["shop:made()"]), "made");
}

#[test]
fn a_section_of_an_ini_file_is_served() {
    let section =
        |name, word| format!("[app:{name}]\npaste.app_factory = shop:make\nword = {word}\n");
    let ini = section("main", "first") + &section("admin", "second");
    let project = Project::new(&[("shop.py", FACTORIES), ("production.ini", &ini)]);
    let python = frameworks().unwrap().home.display().to_string();
    for (target, word) in
        [("config:production.ini", "first"), ("config:production.ini#admin", "second")]
    {
        assert_eq!(text(&project, &[target, "--python", &python]), word);
    }
}

#[test]
fn the_callable_of_a_script_may_have_another_name() {
    let script = HELLO.replace("def application", "def site");
    let project = Project::new(&[("app.wsgi", script.as_str())]);
    assert_eq!(text(&project, &["--callable", "site"]), "hello");
}

#[test]
fn the_virtualenv_of_the_variable_counts_before_the_projects() {
    let script = "import sys\n".to_owned() + &HELLO.replace("b\"hello\"", "sys.prefix.encode()");
    let project = Project::new(&[("app.wsgi", script.as_str())]);
    let python = pinion_testbed::python::system().unwrap();
    for name in ["venv", "other"] {
        let mut make = std::process::Command::new(&python.path);
        let venv = project.path(name);
        pinion_testbed::run(make.args(["-m", "venv", "--without-pip"]).arg(venv)).unwrap();
    }
    assert_eq!(text(&project, &[]), project.path("venv").display().to_string());
    let other = project.path("other").display().to_string();
    assert_eq!(text(&project.env("VIRTUAL_ENV", &other), &[]), other);
}

#[test]
fn an_address_of_the_sixth_version_is_served() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let project = Project::hello();
    let mut serving = project.serve(&["--bind", "[::1]:0"]);
    let log = serving.log();
    let rest = log.split("http://[::1]:").nth(1).unwrap_or_else(|| panic!("{log}"));
    let port: u16 = rest[..rest.find('/').unwrap()].parse().unwrap();
    assert_eq!(http::get(&format!("http://[::1]:{port}/")).unwrap().text(), "hello");
    serving.stop();
}
