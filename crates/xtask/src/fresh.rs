//! `cargo xtask fresh`: the README's commands in a Debian with nothing but Rust and Python.

mod root;
mod visit;

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::signal::Signal;
use pinion_testbed::{packages, process, wait_until};

use crate::failure::{Failure, Result};
use crate::{run, say};
use root::Root;

/// What makes the root, and what enters it.
const PACKAGES: &[&str] = &["debootstrap", "util-linux"];
/// Where the first command serves, when nothing is said.
const ADDRESS: &str = "127.0.0.1:8000";
/// The longest that building and setting up may take.
const LIMIT: Duration = Duration::from_secs(3600);
/// The longest that the server may take to end.
const END: Duration = Duration::from_secs(60);

/// What to try.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Then run `cargo xtask test` there too, which takes long
    #[arg(long)]
    test: bool,
}

/// Makes a root, and does there what the README says.
pub(crate) fn run(options: &Options) -> Result<()> {
    if std::net::TcpStream::connect(ADDRESS).is_ok() {
        return Err(Failure::wrong(
            format!("{ADDRESS} is in use, where the README's first command serves"),
            "end who uses it",
        ));
    }
    packages::ensure(PACKAGES)?;
    let root = Root::make()?;
    serve(&root)?;
    if options.test {
        run::shown(&mut root.command("cargo xtask test"))?;
    }
    Ok(())
}

/// The first command, until its pages were seen; then Ctrl-C.
fn serve(root: &Root) -> Result<()> {
    let line = "cargo run --release -- serve examples/turbogears";
    say::step(format_args!("$ {line}"));
    let begin = Instant::now();
    let started = root.command(line).spawn();
    let mut child =
        started.map_err(|source| Failure::Start { program: "unshare".to_owned(), source })?;
    let mut ended = None;
    let answers = wait_until(LIMIT, || {
        ended = child.try_wait().ok().flatten();
        ended.is_some() || visit::answers(ADDRESS)
    });
    if let Some(status) = ended {
        return Err(Failure::Command { command: line.to_owned(), status: status.to_string() });
    }
    let seen = if answers {
        say::line(format_args!("answers after {:.0} s", begin.elapsed().as_secs_f64()));
        visit::all(ADDRESS)
    } else {
        Err(Failure::wrong(format!("no answer within {LIMIT:?}"), "see its words above"))
    };
    // The only child of `unshare` is the first process of the root.
    let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
    let first = process::descendants(pid).into_iter().find(|process| process.parent == pid);
    if let Some(first) = &first {
        first.signal(Signal::SIGINT);
    }
    let mut status = None;
    wait_until(END, || {
        status = child.try_wait().ok().flatten();
        status.is_some()
    });
    seen?;
    match status {
        Some(status) if status.success() => {
            say::line("Ctrl-C ended it with status 0");
            Ok(())
        }
        Some(status) => Err(Failure::Command {
            command: line.to_owned(),
            status: format!("{status} after Ctrl-C (signal {:?})", status.signal()),
        }),
        None => {
            // With it goes all that runs in the root.
            let _ = child.kill();
            let _ = child.wait();
            Err(Failure::wrong(format!("it still ran {END:?} after Ctrl-C"), "report this"))
        }
    }
}
