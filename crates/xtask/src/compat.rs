//! `cargo xtask compat`: the compatibility cases, on the original and on Pinion.

use clap::Args;
use pinion_testbed::packages;

use crate::failure::Result;
use crate::server::{On, Which};
use crate::{dist, run, say};

/// Which cases to run, and on what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server module to run the cases on
    #[arg(long, value_enum, default_value_t)]
    on: On,
    /// Only the cases whose name contains this
    filter: Option<String>,
    /// What follows goes to the test runner, e.g. -- --list
    #[arg(last = true)]
    runner: Vec<String>,
}

/// Runs the cases.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure(packages::APACHE)?;
    for server in options.on.servers() {
        if *server == Which::Pinion {
            dist::build()?;
        }
        say::step(format_args!("compatibility cases on {server}"));
        let mut command = run::cargo(["test", "--package", "pinion-compat", "--"]);
        command.env("PINION_COMPAT_ON", server.name());
        run::shown(command.args(&options.filter).args(&options.runner))?;
    }
    Ok(())
}
