//! How `pinion serve` ends.

use std::fmt;
use std::process::ExitCode;

use pinion_deploy::error::{Advice, DeployError};

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to end, and has.
    Done = 0,
    /// It could not go on.
    Broken = 1,
    /// The command line, pinion.toml, or what they name is not in order.
    Refused = 2,
    /// The application does not load.
    NotLoaded = 3,
    /// An address or the pid file is another's, or is not for this user.
    Taken = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why it ends, with its exit status.
#[derive(Debug)]
pub struct Failed {
    /// What is said about it.
    pub error: DeployError,
    /// The status.
    pub exit: Exit,
}

impl Failed {
    /// A failure that ends with that status.
    pub fn new(error: impl Into<DeployError>, exit: Exit) -> Self {
        Self { error: error.into(), exit }
    }
}

impl<E: Advice> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::new(error, Exit::Refused)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// The result of what may end the server.
pub type Result<T, E = Failed> = std::result::Result<T, E>;
