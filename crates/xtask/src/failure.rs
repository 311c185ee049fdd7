//! What goes wrong in a command, as the person at the terminal needs to hear it.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every step of every command.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A step that could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file or folder could not be read, written, made or removed.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the staged tree could not be put there.
    #[error(transparent)]
    Stage(#[from] pinion_server::installation::stage::StageError),
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program, as it was called.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ran and reported failure.
    #[error("{command}: {status}")]
    Command {
        /// The whole command line.
        command: String,
        /// Its exit status in words.
        status: String,
    },
    /// A server, an environment or a client of the testbed failed.
    #[error(transparent)]
    Testbed(#[from] pinion_testbed::Error),
    /// Something is missing or wrong that the reader can mend.
    #[error("{what}")]
    Wrong {
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: String,
    },
}

impl Failure {
    /// Something wrong, and what to do about it.
    pub(crate) fn wrong(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Wrong { what: what.into(), hint: hint.into() }
    }

    /// Turns an I/O error into one that names `path`.
    pub(crate) fn file(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { path, source }
    }

    /// What the reader should do, where that is known.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Wrong { hint, .. } => Some(hint),
            Self::File { .. }
            | Self::Stage(_)
            | Self::Start { .. }
            | Self::Command { .. }
            | Self::Testbed(_) => None,
        }
    }
}
