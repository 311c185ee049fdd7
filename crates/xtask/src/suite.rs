//! `cargo xtask test`: everything that has to hold before a change is handed in.

use std::process::Command;

use pinion_testbed::packages;

use crate::failure::{Failure, Result};
use crate::{deny, dist, generate, run, say};

/// Sets up what the tests need, checks style, and runs every test. The runner's count of the
/// compatibility cases, which run on both servers, comes last.
pub(crate) fn run() -> Result<()> {
    packages::ensure(packages::APACHE)?;
    packages::ensure(&["binutils", "curl", "git", "iproute2", "openssl"])?;
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
    let dist = dist::build()?;
    say::step("tests");
    // The tests of the wrappers load it into Apache; `--tests` alone does not build it.
    run::shown(&mut run::cargo(["build", "--package", "pinion-httpd", "--example", "probe"]))?;
    let documentation = run::cargo(["test", "--workspace", "--doc", "--quiet"]);
    let mut units =
        run::cargo(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    units.args(["--exclude", "pinion-compat"]);
    let mut cases = run::cargo(["test", "--workspace", "--test", "compat"]);
    cases.env("PINION_COMPAT_ON", "both");
    // All are run, so that one failure does not hide another.
    let ran = [documentation, units, cases]
        .map(|mut command| run::tests(command.env("PINION_DIST", &dist)));
    conclude(ran)
}

/// Tells at the end what has failed, far above as that may be; the first failure is reported.
fn conclude<const N: usize>(ran: [(Result<()>, Vec<String>); N]) -> Result<()> {
    let (results, told): (Vec<_>, Vec<_>) = ran.into_iter().unzip();
    let result = results.into_iter().collect();
    let told = told.concat();
    if !told.is_empty() {
        say::step("what failed");
        told.iter().for_each(|line| say::line(format_args!("{line}")));
    }
    result
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
