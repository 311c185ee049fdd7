//! The commands that need a server, run as a person would run them.
#![forbid(unsafe_code)]

use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The servers share two cores with the load, so one command runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs `cargo xtask` with `arguments`; returns its output, which is shown where it failed.
fn xtask(arguments: &[&str]) -> String {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output();
    let output = output.expect("cargo built the program for this test");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo xtask {}:\n{stdout}{stderr}", arguments.join(" "));
    stdout
}

/// Both mount points, each with its pages and the three cookies of a sign-in.
fn demo(server: &str) {
    let said = xtask(&["demo", "--check", "--server", server]);
    assert_eq!(said.matches("\nok ").count(), 28, "{said}");
    for line in ["POST /login_handler: 302", "POST /myapp/login_handler: 302"] {
        assert!(said.lines().any(|it| it.contains(line) && it.ends_with("3 cookies")), "{said}");
    }
}

#[test]
fn the_demo_works_on_the_original() {
    demo("mod_wsgi");
}

#[test]
fn the_demo_works_on_pinion() {
    demo("pinion");
}

#[test]
fn nothing_is_lost_while_pinion_is_disturbed() {
    let said = xtask(&["soak", "--seconds", "10", "--seed", "7"]);
    assert!(said.contains("\n0 requests lost\n"), "{said}");
}

#[test]
fn pinion_serve_is_measured_beside_another_server() {
    let load = ["--only", "upload", "--connections", "2", "--rounds", "1", "--seconds", "1"];
    let said = xtask(&[&["bench", "serve", "--beside", "waitress"][..], &load].concat());
    for row in
        ["| an upload of 1 MB | 2 | Pinion 1×4 |", "| an upload of 1 MB | 2 | waitress 1×4 |"]
    {
        let row = said.lines().find(|line| line.starts_with(row)).expect(row);
        assert!(row.ends_with("| 0 | 0 |"), "{row}");
    }
    assert!(said.contains("| waitress | ") && said.contains("\n| waitress 1×4 | "), "{said}");
}
