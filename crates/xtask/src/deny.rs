//! `cargo xtask deny`: licences and advisories of the dependencies.

use clap::Args;

use crate::failure::{Failure, Result};
use crate::{run, say};

/// What to check, and with what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Use no network: skip the advisories, whose database has to be fetched
    #[arg(long)]
    offline: bool,
}

/// Runs cargo-deny with the workspace's `deny.toml`.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !installed() {
        return Err(Failure::wrong(
            "cargo-deny is not installed, so licences and advisories were not checked",
            "cargo install --locked cargo-deny",
        ));
    }
    if options.offline {
        run::shown(&mut run::cargo(["deny", "--offline", "check", "licenses", "bans", "sources"]))
    } else {
        run::shown(&mut run::cargo(["deny", "check"]))
    }
}

/// The offline checks where cargo-deny is there; otherwise says that they were left out.
pub(crate) fn run_if_installed() -> Result<()> {
    if installed() {
        return run(&Options { offline: true });
    }
    say::line("skipped: cargo-deny is not installed");
    Ok(())
}

fn installed() -> bool {
    run::succeeds(&mut run::cargo(["deny", "--version"]))
}
