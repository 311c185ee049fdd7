//! `cargo xtask deny`: licences and advisories of the dependencies.

use clap::Args;

use crate::failure::{Failure, Result};
use crate::{run, say};

/// What may be used.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Use no network: leave out the advisories, and rely on `cargo fetch` having run
    #[arg(long)]
    offline: bool,
}

/// What needs no database from elsewhere.
const LOCAL: [&str; 3] = ["licenses", "bans", "sources"];

/// Runs cargo-deny with the workspace's `deny.toml`.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !installed() {
        return Err(Failure::wrong(
            "cargo-deny is not installed, so licences and advisories were not checked",
            "cargo install --locked cargo-deny",
        ));
    }
    if options.offline {
        run::shown(run::cargo(["deny", "--offline", "check"]).args(LOCAL))
    } else {
        run::shown(&mut run::cargo(["deny", "check"]))
    }
}

/// The checks without advisories, where cargo-deny is there; otherwise says that they were left out.
pub(crate) fn run_if_installed() -> Result<()> {
    if installed() {
        return run::shown(run::cargo(["deny", "check"]).args(LOCAL));
    }
    say::line("skipped: cargo-deny is not installed");
    Ok(())
}

fn installed() -> bool {
    run::succeeds(&mut run::cargo(["deny", "--version"]))
}
