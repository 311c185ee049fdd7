//! The `pinion` command.

#![forbid(unsafe_code)]

mod apply;
mod check;
mod deploy;
mod env;
mod parameters;
mod progress;
mod project;
mod say;
mod serve;
mod undeploy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pinion_manager::guard;
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
    /// Serve an application by HTTP, with nothing else installed.
    Serve(serve::Arguments),
    /// Generate the files that deploy a project under Apache, and say what is missing.
    Deploy(deploy::Arguments),
    /// Make the virtualenvs that a deployment runs in.
    Env(env::Arguments),
    /// Take a deployed site away again.
    Undeploy(undeploy::Arguments),
    /// Examine a deployment, or any configuration for mod_wsgi, without changing it.
    Check(check::Arguments),
    /// Make JSON of Apache's access log. The Apache of `pinion serve --apache` starts this itself.
    #[command(hide = true, name = pinion_server::apache::json::COMMAND)]
    AccessJson {
        /// The file that is appended to; standard output without it.
        file: Option<std::path::PathBuf>,
    },
    /// Manage workers for Apache. Apache's module starts this itself.
    #[command(hide = true)]
    Manager,
    /// Ends services whose manager was killed. The manager starts this itself.
    #[command(hide = true)]
    Guard,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Serve(arguments) => serve::run(&arguments).into(),
        Command::Deploy(arguments) => say::end(deploy::run(&arguments)).into(),
        Command::Env(arguments) => say::end(env::run(&arguments)).into(),
        Command::Undeploy(arguments) => say::end(undeploy::run(&arguments)).into(),
        Command::Check(arguments) => say::end(check::run(&arguments)).into(),
        Command::AccessJson { file } => {
            // Who reads it has gone, or nothing can be written: Apache starts it anew with the next line.
            pinion_server::apache::json::run(file.as_deref())
                .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Command::Manager => report(Channels::inherit().and_then(shell::run)),
        Command::Guard => report(guard::run()),
    }
}

#[expect(clippy::print_stderr, reason = "a command says on standard error why it failed")]
fn report(result: Result<(), ShellError>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("pinion: {error}");
    if matches!(error, ShellError::Descriptor { .. }) {
        eprintln!("hint: apache2 with mod_pinion starts this; it is not for the command line");
    }
    ExitCode::FAILURE
}
