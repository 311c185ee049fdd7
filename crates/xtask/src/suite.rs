//! `cargo xtask test`: everything that has to hold before a change is handed in.

use std::process::Command;

use crate::failure::{Failure, Result};
use crate::{deny, dist, generate, run, say};
use pinion_testbed::packages;

/// Sets up what the tests need, checks style, and runs every test. The runner's count of the
/// compatibility cases, the longest part, comes last.
pub(crate) fn run() -> Result<()> {
    packages::ensure(packages::APACHE)?;
    packages::ensure(&["binutils"])?;
    components()?;
    say::step("style");
    run::shown(&mut run::cargo(["fmt", "--all", "--check"]))?;
    run::shown(&mut run::cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    generate::run(&generate::Options { check: true })?;
    deny::run_if_installed()?;
    say::step("build");
    dist::build()?;
    say::step("tests");
    run::shown(&mut run::cargo(["test", "--workspace", "--doc", "--quiet"]))?;
    run::shown(&mut run::cargo(["test", "--workspace", "--lib", "--bins", "--tests"]))
}

/// rustfmt and clippy: a minimal toolchain lacks them.
fn components() -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if run::succeeds(run::cargo([subcommand]).arg("--version")) {
            continue;
        }
        let mut rustup = Command::new("rustup");
        run::shown(rustup.args(["component", "add", component])).map_err(|failure| {
            Failure::wrong(
                format!("cargo {subcommand} is missing, and cannot be installed: {failure}"),
                format!("install the {component} of this Rust toolchain"),
            )
        })?;
    }
    Ok(())
}
