//! Runs programs that talk to the terminal themselves.

use std::path::Path;
use std::process::Command;

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
    fn a_missing_program_is_named() {
        let failure = shown(&mut Command::new("/no/such/program")).unwrap_err();
        assert!(failure.to_string().starts_with("cannot start program"), "{failure}");
    }
}
