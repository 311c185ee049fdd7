//! `cargo xtask compat`: the compatibility cases, on the original and on Pinion.

use clap::{Args, ValueEnum};

use crate::failure::Result;
use crate::{dist, run, say};
use pinion_testbed::packages;

/// Which cases to run, and on what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server module to run the cases on
    #[arg(long, value_enum, default_value_t = On::Both)]
    on: On,
    /// Only the cases whose name contains this
    filter: Option<String>,
    /// What follows goes to the test runner, e.g. -- --list
    #[arg(last = true)]
    runner: Vec<String>,
}

/// The server module that cases run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum On {
    /// The original, from PyPI
    ModWsgi,
    /// This project's, from target/dist
    Pinion,
    /// First the one, then the other
    Both,
}

/// Runs the cases.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure(packages::APACHE)?;
    if options.on != On::ModWsgi {
        dist::build()?;
    }
    let names: &[&str] = match options.on {
        On::ModWsgi => &["mod_wsgi"],
        On::Pinion => &["pinion"],
        On::Both => &["mod_wsgi", "pinion"],
    };
    for name in names {
        say::step(format_args!("compatibility cases on {name}"));
        let mut command = run::cargo(["test", "--package", "pinion-compat", "--"]);
        command.env("PINION_COMPAT_ON", name).args(&options.filter).args(&options.runner);
        run::shown(&mut command)?;
    }
    Ok(())
}
