//! `cargo xtask demo`: a TurboGears project with a database and sign-in, served by a private Apache.

mod ini;
mod project;
mod site;
mod visit;

use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use pinion_testbed::{Apache, packages};

use crate::failure::{Failure, Result};
use crate::say;
use crate::server::Which;
use project::Project;

/// The server without the service: nothing starts on port 80, no configuration is written. It takes
/// the types of files from media-types.
const PACKAGES: &[&str] = &["apache2-bin", "media-types", "python3", "python3-venv"];

/// How to show it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Visit the pages, print each result, and end
    #[arg(long)]
    check: bool,
    /// The server module to serve with
    #[arg(long, value_enum, default_value_t = Which::Pinion)]
    server: Which,
    /// Throw the project of an earlier demo away and begin anew
    #[arg(long)]
    fresh: bool,
}

/// Sets the project up, serves it, and waits for Ctrl-C.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure(PACKAGES)?;
    let project = Project::prepare(options.fresh)?;
    let server = options.server.prepare()?;
    say::step(format_args!("Apache with {}", server.name()));
    let mut apache = site::site(&server, &project)?.start()?;
    // Not earlier: Apache would inherit the mask, and could not be stopped.
    let signals = stop_signals()?;
    let visited = visit::all(&apache, options.check);
    if options.check {
        apache.stop()?;
        return visited;
    }
    visited?;
    describe(&apache, &project);
    signals.wait().map_err(|error| {
        Failure::wrong(format!("cannot wait for Ctrl-C: {error}"), "run it in a terminal")
    })?;
    stop(&mut apache)
}

fn stop_signals() -> Result<SigSet> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block().map_err(|error| {
        Failure::wrong(format!("cannot block SIGINT and SIGTERM: {error}"), "run it in a terminal")
    })?;
    Ok(signals)
}

fn stop(apache: &mut Apache) -> Result<()> {
    let stopped = apache.stop()?;
    say::line(format_args!("stopped in {:.1} s", stopped.took.as_secs_f64()));
    if stopped.left.is_empty() {
        return Ok(());
    }
    let left: Vec<_> = stopped.left.iter().map(|left| left.command.as_str()).collect();
    Err(Failure::wrong(
        format!("processes were left and had to be killed: {}", left.join(", ")),
        "this is a defect: please report it with the error log",
    ))
}

fn describe(apache: &Apache, project: &Project) {
    let root = apache.root().display();
    let folder = project.folder.display();
    say::line(format_args!(
        "
  the project at /           {}
  the project at a mount     {}
  sign in as                 manager / managepass

  Apache's configuration     {root}/httpd.conf
  error log                  {root}/logs/error.log
  the project                {folder}/myapp
  its virtualenv             {folder}/venv
  its configuration          {folder}/production.ini
  its WSGI script            {folder}/apache/myapp.wsgi
  its database               {folder}/data/myapp.db

Ctrl-C stops it.",
        apache.url("/"),
        apache.url(site::MOUNT_POINT),
    ));
}
