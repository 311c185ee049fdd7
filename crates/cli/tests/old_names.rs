//! `paster modwsgi_deploy` and `gearbox modwsgi-deploy`: the package of the staged tree in a virtualenv with the real tools.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pinion_testbed::venv::{self, Venv};
use pinion_testbed::{Finished, Server, python, run_quietly};

/// A virtualenv as a project's: paster, gearbox and the package.
struct Tools {
    venv: Venv,
    prefix: PathBuf,
}

fn tools() -> &'static Tools {
    static TOOLS: OnceLock<Tools> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let prefix = Server::pinion().unwrap().module().ancestors().nth(2).unwrap().to_owned();
        let package = prefix.join("lib/pinion/pinion-deploy");
        let packages = ["PasteScript==3.7.*", "gearbox==0.5.*", "setuptools<82", "flit_core"];
        let venv = venv::ensure("old-names", &python::system().unwrap(), &packages).unwrap();
        let package = package.to_str().unwrap();
        // What is staged now, whatever an earlier run has installed.
        let again =
            ["--force-reinstall", "--no-deps", "--no-index", "--no-build-isolation", package];
        venv::install(&venv, &again).unwrap();
        Tools { venv, prefix }
    })
}

const BOTH: [[&str; 2]; 2] = [["paster", "modwsgi_deploy"], ["gearbox", "modwsgi-deploy"]];

/// Runs one of the tools' commands in a folder; `change` sets variables.
fn run(
    [tool, command]: [&str; 2],
    arguments: &[&str],
    folder: &Path,
    change: impl FnOnce(&mut Command),
) -> Finished {
    let venv = &tools().venv;
    let mut process = Command::new(venv.bin(tool));
    process.arg(command).args(arguments).current_dir(folder);
    process
        .env_remove("PINION")
        .env("PATH", format!("{}:/usr/bin:/bin", venv.home.join("bin").display()));
    change(&mut process);
    run_quietly(&mut process).unwrap()
}

/// A program that says what it was given.
fn echo(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_argument_and_the_exit_status_are_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("pinion");
    echo(&program);
    let arguments =
        ["--mount", "/", "-q", "-o", "a b", "--no-test", "--virtualhost=x.test", "--logging"];
    for tool in BOTH {
        let said = run(tool, &arguments, folder.path(), |command| {
            command.env("PINION", &program);
        });
        assert_eq!(
            (said.stdout.as_str(), said.status.as_str()),
            (
                "<deploy><--mount></><-q><-o><a b><--no-test><--virtualhost=x.test><--logging>",
                "exit status: 7"
            ),
            "{tool:?} {}",
            said.stderr
        );
    }
}

#[test]
fn the_program_is_found_in_path_too() {
    let folder = tempfile::tempdir().unwrap();
    echo(&folder.path().join("bin/pinion"));
    for tool in BOTH {
        let said = run(tool, &[], folder.path(), |command| {
            command.env("PATH", folder.path().join("bin").display().to_string() + ":/usr/bin:/bin");
        });
        assert_eq!(said.stdout, "<deploy>", "{tool:?} {}", said.stderr);
    }
}

#[test]
fn a_program_that_is_not_there_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let bin = tools().venv.home.join("bin").display().to_string();
    for tool in BOTH {
        let said = run(tool, &[], folder.path(), |_| {});
        let expected = format!(
            "pinion-deploy: the pinion program was not found: not with this package, not in {bin}, not in PATH\n\
             hint: install Pinion, or set PINION to the path of its program, such as /opt/pinion/bin/pinion\n"
        );
        assert_eq!(
            (said.stderr.as_str(), said.status.as_str()),
            (expected.as_str(), "exit status: 2")
        );
        let said = run(tool, &[], folder.path(), |command| {
            command.env("PINION", "/no/such/pinion");
        });
        let expected = "pinion-deploy: PINION names /no/such/pinion, which is not a program\n\
                        hint: set it to the path of the pinion program, or unset it\n";
        assert_eq!((said.stderr.as_str(), said.status.as_str()), (expected, "exit status: 2"));
    }
}

#[test]
fn both_run_pinion_deploy_itself() {
    let folder = tempfile::tempdir().unwrap();
    let program = tools().prefix.join("bin/pinion");
    let direct = run_quietly(Command::new(&program).args(["deploy", "--help"])).unwrap();
    assert!(direct.success && direct.stdout.contains("--mount-point"), "{}", direct.output());
    for tool in BOTH {
        let said = run(tool, &["--help"], folder.path(), |command| {
            command.env("PINION", &program);
        });
        assert_eq!(said.stdout, direct.stdout, "{tool:?} {}", said.stderr);
        // No project is here, and both say so as pinion does.
        let said = run(tool, &[], folder.path(), |command| {
            command.env("PINION", &program);
        });
        assert!(said.stderr.starts_with("pinion: PIN0501: no project in "), "{}", said.output());
        assert_eq!(said.status, "exit status: 2");
    }
}

#[test]
fn the_program_of_the_same_installation_is_used_without_being_named() {
    let folder = tempfile::tempdir().unwrap();
    let package = tools().prefix.join("lib/pinion/pinion-deploy");
    let code = "import pinion_deploy; print(pinion_deploy.find())";
    let mut python = Command::new(tools().venv.python());
    python.args(["-B", "-c", code]).current_dir(folder.path()).env("PYTHONPATH", package);
    let said = run_quietly(python.env_remove("PINION")).unwrap();
    let expected = tools().prefix.join("bin/pinion").display().to_string();
    assert_eq!(said.stdout.trim_end(), expected, "{}", said.stderr);
}
