//! Runs programs that talk to the terminal themselves.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};
use crate::{paths, say};

/// A cargo of the same toolchain, in the workspace's folder.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(paths::root());
    command
}

/// Runs a command after showing its line; its output goes to the terminal.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    say::line(format_args!("$ {line}"));
    let started = command.status();
    let status = started.map_err(|source| Failure::Start { program: line.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { command: line, status: status.to_string() })
}

/// As [`shown`], for a runner of tests; also what its harnesses say of the tests that failed.
pub(crate) fn tests(command: &mut Command) -> (Result<()>, Vec<String>) {
    let line = line_of(command);
    say::line(format_args!("$ {line}"));
    let mut failures = Failures::default();
    let status = command.stdout(Stdio::piped()).spawn().and_then(|mut child| {
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                say::line(format_args!("{line}"));
                failures.note(line);
            }
        }
        child.wait()
    });
    let result = match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Command { command: line, status: status.to_string() }),
        Err(source) => Err(Failure::Start { program: line, source }),
    };
    (result, failures.lines)
}

/// What the harnesses of Rust say behind `failures:`, up to their result.
#[derive(Debug, Default)]
struct Failures {
    lines: Vec<String>,
    is_told: bool,
}

impl Failures {
    fn note(&mut self, line: String) {
        self.is_told |= line == "failures:";
        let is_result = line.starts_with("test result: ");
        if self.is_told {
            self.lines.push(line);
        }
        self.is_told &= !is_result;
    }
}

/// Whether a command can be started and reports success; what it writes is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    pinion_testbed::run(command).is_ok()
}

fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_with_its_status() {
        let failure = shown(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(failure.to_string(), "sh -c exit 3: exit status: 3");
    }

    #[test]
    fn failed_tests_are_told_again() {
        // Not by a command: what it prints would count among the results of this very run.
        let output = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nwhy\n\ntest result: FAILED. 1 passed\nmore";
        let mut failures = Failures::default();
        output.lines().for_each(|line| failures.note(line.to_owned()));
        let told = failures.lines;
        let wanted =
            ["failures:", "", "---- b stdout ----", "why", "", "test result: FAILED. 1 passed"];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_missing_program_is_named() {
        let failure = shown(&mut Command::new("/no/such/program")).unwrap_err();
        assert!(failure.to_string().starts_with("cannot start program"), "{failure}");
    }
}
