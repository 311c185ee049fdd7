//! What the command prints: results on standard output, errors on standard error.

use std::fmt::Display;
use std::io::Write as _;

use pinion_deploy::error::{DeployError, Exit};

/// Prints a line of the result. Whoever does not read it to its end, such as `head`, wants no more.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints why the command failed.
#[expect(clippy::print_stderr, reason = "a command says on standard error why it failed")]
pub(crate) fn error(text: impl Display) {
    eprintln!("pinion: {text}");
}

/// How a deployment command ends: as it says, or with its error printed.
pub(crate) fn end(result: Result<Exit, DeployError>) -> Exit {
    result.unwrap_or_else(|failed| {
        error(failed);
        Exit::Failed
    })
}
