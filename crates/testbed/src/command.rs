//! Running a command to its end, with its output kept for the error.

use crate::Error;
use std::process::{Command, Stdio};

/// How a command ended, and what it wrote.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Whether the exit status was 0.
    pub success: bool,
    /// The exit status in words.
    pub status: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Standard output, then standard error.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Runs `command` to its end and returns what it wrote; a non-zero status is no error.
///
/// # Errors
/// The command could not be started.
pub fn run_quietly(command: &mut Command) -> Result<Finished, Error> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!("running `{}`", line(command))))?;
    Ok(Finished {
        success: output.status.success(),
        status: output.status.to_string(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `command` to its end and returns its standard output.
///
/// # Errors
/// The command could not be started, or its exit status was not 0.
pub fn run(command: &mut Command) -> Result<String, Error> {
    let finished = run_quietly(command)?;
    if finished.success {
        return Ok(finished.stdout);
    }
    Err(Error::Command {
        command: line(command),
        status: finished.status.clone(),
        output: finished.output(),
    })
}

/// The command line, for a person to read.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
