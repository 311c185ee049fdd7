//! The words of a command: progress and results on stdout, failures on stderr.

use std::fmt::Display;
use std::io::{self, Write};

use crate::failure::Failure;

/// Writes one line to stdout. A reader who left (`| head`) is no failure of the command.
pub(crate) fn line(words: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{words}").and_then(|()| out.flush());
}

/// Announces a step of a longer command.
pub(crate) fn step(words: impl Display) {
    line(format_args!("== {words}"));
}

/// Writes a failure to stderr, with its hint on a line of its own.
pub(crate) fn failure(failure: &Failure) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "error: {failure}");
    if let Some(hint) = failure.hint() {
        let _ = writeln!(err, "hint: {hint}");
    }
}
