//! The command line: what may be typed, and which module does it.

use clap::{Parser, Subcommand};

use crate::failure::Result;
use crate::{bench, compat, demo, deny, dist, fresh, generate, soak, suite};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build in release mode and stage a relocatable tree in target/dist
    Dist,
    /// Set up what the tests need, check style, and run every test
    Test,
    /// Serve a TurboGears project with sign-in under a private Apache
    Demo(demo::Options),
    /// Run the compatibility cases on mod_wsgi, on Pinion, or on both
    Compat(compat::Options),
    /// Measure mod_wsgi and Pinion side by side
    Bench(bench::Options),
    /// Restart, change and kill at random under load, and count lost requests
    Soak(soak::Options),
    /// Write the reference pages from the tables of directives, options and codes
    Generate(generate::Options),
    /// Try the README's commands in a new Debian with nothing but Rust and Python
    Fresh(fresh::Options),
    /// Check licences and advisories of the dependencies with cargo-deny
    Deny(deny::Options),
}

impl Cli {
    /// Does what was asked for.
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Dist => dist::build().map(drop),
            Command::Test => suite::run(),
            Command::Demo(options) => demo::run(&options),
            Command::Compat(options) => compat::run(&options),
            Command::Bench(options) => bench::run(&options),
            Command::Soak(options) => soak::run(&options),
            Command::Generate(options) => generate::run(&options),
            Command::Fresh(options) => fresh::run(&options),
            Command::Deny(options) => deny::run(&options),
        }
    }
}
