//! The `pinion` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pinion_manager::shell::{self, Channels, ShellError};

/// Python web applications under the Apache HTTP Server.
#[derive(Debug, Parser)]
#[command(name = "pinion", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Manage workers for Apache. Apache's module starts this itself.
    #[command(hide = true)]
    Manager,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Manager => report(Channels::inherit().and_then(shell::run)),
    }
}

#[expect(clippy::print_stderr, reason = "a command says on standard error why it failed")]
fn report(result: Result<(), ShellError>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("pinion: {error}");
    if matches!(error, ShellError::Descriptor { .. }) {
        eprintln!(
            "hint: apache2 with mod_pinion starts the manager; it is not for the command line"
        );
    }
    ExitCode::FAILURE
}
