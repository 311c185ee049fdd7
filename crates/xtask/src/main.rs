//! The project's own commands: `cargo xtask <command>`.
#![forbid(unsafe_code)]

mod bench;
mod cli;
mod compat;
mod demo;
mod deny;
mod dist;
mod disturbance;
mod failure;
mod fresh;
mod generate;
mod paths;
mod random;
mod run;
mod say;
mod server;
mod soak;
mod suite;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::failure(&failure);
            ExitCode::FAILURE
        }
    }
}
