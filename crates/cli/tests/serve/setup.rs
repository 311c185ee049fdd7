//! `--setup`: the project's own virtualenv.

use std::fs;

use crate::world::Project;

/// Says from which virtualenv it runs, and what its dependency says.
const APP: &str = r#"
import sys
import trinket

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(sys.prefix + " " + trinket.WORD).encode()]
"#;

/// A project that requires a package from a folder beside it, so that nothing is downloaded.
fn project() -> Project {
    let project = Project::new(&[
        ("app.wsgi", APP),
        ("trinket/pyproject.toml", PACKAGE),
        ("trinket/build_trinket.py", BACKEND),
        ("requirements.txt", "./trinket\n"),
        ("prepare.py", "import trinket\nopen('prepared', 'a').write(trinket.WORD + '\\n')\n"),
    ]);
    project.env("PIP_NO_INDEX", "1")
}

const PACKAGE: &str = r#"
[project]
name = "trinket"
version = "1"

[build-system]
requires = []
build-backend = "build_trinket"
backend-path = ["."]
"#;

/// A build backend that needs no other package: it makes a wheel of one module.
const BACKEND: &str = r#"
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "trinket-1-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        wheel.writestr("trinket.py", "WORD = 'shiny'\n")
        wheel.writestr("trinket-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: trinket\nVersion: 1\n")
        wheel.writestr("trinket-1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("trinket-1.dist-info/RECORD", "")
    return name
"#;

const ARGUMENTS: [&str; 3] = ["--setup", "--setup-command", "python prepare.py"];

#[test]
fn a_virtualenv_is_made_once_and_again_when_the_requirements_change() {
    let project = project();
    let mut serving = project.serve(&ARGUMENTS);
    let venv = project.path(".venv");
    assert_eq!(serving.get("/").text(), format!("{} shiny", venv.display()));
    serving.stop();
    let log = project.settled(&serving.log());
    let run: Vec<_> = log.lines().filter(|line| line.starts_with("$ ")).collect();
    assert_eq!(
        run,
        [
            "$ /usr/bin/python3 -m venv --clear /FOLDER/.venv",
            "$ /FOLDER/.venv/bin/python -m pip install --disable-pip-version-check -r /FOLDER/requirements.txt",
            "$ python prepare.py",
        ]
    );
    assert_eq!(project.read("prepared"), "shiny\n");

    let mut serving = project.serve(&ARGUMENTS);
    serving.stop();
    assert!(!serving.log().contains("$ "), "{}", serving.log());

    project.write("requirements.txt", "# a change\n./trinket\n");
    let mut serving = project.serve(&ARGUMENTS);
    serving.stop();
    let log = serving.log();
    assert!(log.contains(" -m pip install ") && !log.contains("-m venv"), "{log}");
    assert_eq!(project.read("prepared"), "shiny\n", "once");
}

#[test]
fn a_command_that_fails_is_shown_and_tried_again() {
    let project = project();
    project.write("prepare.py", "print('no database')\nraise SystemExit(3)\n");
    let said = project.said(&ARGUMENTS);
    assert!(
        said.ends_with(
            "no database\npinion: PIN0914: `python prepare.py` failed (exit status: 3)\n\
             hint: mend what it says above, and start again\nexit status: 2\n"
        ),
        "{said}"
    );
    project.write("prepare.py", "");
    let mut serving = project.serve(&ARGUMENTS);
    serving.stop();
    let log = serving.log();
    assert!(log.contains("$ python prepare.py") && !log.contains("pip install"), "{log}");
}

#[test]
fn what_cannot_be_installed_is_tried_again() {
    let project = project();
    project.write("requirements.txt", "no-such-package-at-all\n");
    let said = project.said(&["--setup"]);
    assert!(said.contains("No matching distribution found for no-such-package-at-all"), "{said}");
    assert!(said.contains("pinion: PIN0914: `/FOLDER/.venv/bin/python -m pip install "), "{said}");
    project.write("requirements.txt", "./trinket\n");
    let mut serving = project.serve(&["--setup"]);
    serving.stop();
    // A virtualenv that is broken is made anew.
    fs::write(project.path(".venv/pyvenv.cfg"), "home = /nowhere\n").unwrap();
    let mut serving = project.serve(&["--setup"]);
    serving.stop();
    assert!(serving.log().contains("-m venv --clear"), "{}", serving.log());
}
