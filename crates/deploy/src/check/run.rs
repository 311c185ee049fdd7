//! Running a program as the application's user, to its end or to the end of patience.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use pinion_unix::process::{self, Credentials, ExitCause, Spawn, SpawnError};
use pinion_unix::signals::Signal;
use pinion_wire::message::GroupSpec;

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// How; `None` when it was killed because it took too long.
    pub(super) cause: Option<ExitCause>,
    /// Standard output.
    pub(super) output: String,
    /// Standard error.
    pub(super) errors: String,
}

/// Why a program did not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// No file for its output can be had.
    #[error("no temporary file: {0}")]
    Files(#[from] io::Error),
    /// It does not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}

/// How often an end is looked for.
const TICK: Duration = Duration::from_millis(20);

/// Runs a Python file with the interpreter, the rights, the environment and the folder of a group's workers.
///
/// # Errors
/// It does not start.
pub(super) fn python(
    group: &GroupSpec,
    file: &str,
    input: &str,
    patience: Duration,
) -> Result<Ended, RunError> {
    // Files, not pipes: nobody has to read while it runs.
    let mut stdin = tempfile::tempfile()?;
    stdin.write_all(input.as_bytes())?;
    stdin.seek(SeekFrom::Start(0))?;
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut spawn = Spawn::new(&group.python);
    spawn
        .arg(file)
        .folder(group.home.as_deref().unwrap_or("/"))
        .descriptor(0, stdin.as_fd())
        .descriptor(1, stdout.as_fd())
        .descriptor(2, stderr.as_fd())
        .new_session();
    for name in ["PATH", "TZ", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            spawn.env(name, value);
        }
    }
    for (name, value) in &group.env {
        spawn.env(name, value);
    }
    if let Some(identity) = &group.identity {
        let groups = identity.groups.clone();
        spawn.credentials(Credentials { uid: identity.uid, gid: identity.gid, groups });
    }
    let pid = spawn.spawn()?.pid;
    let cause = wait(pid, patience)?;
    Ok(Ended { cause, output: text(&mut stdout), errors: text(&mut stderr) })
}

fn wait(pid: u32, patience: Duration) -> io::Result<Option<ExitCause>> {
    let end = Instant::now() + patience;
    let mut killed = false;
    loop {
        match process::reap(Some(pid))? {
            Some(_) if killed => return Ok(None),
            Some((_, cause)) => return Ok(Some(cause)),
            None if Instant::now() >= end && !killed => {
                process::kill(pid, Signal::SIGKILL)?;
                killed = true;
            }
            None => std::thread::sleep(TICK),
        }
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    // What cannot be read counts as nothing written.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}
