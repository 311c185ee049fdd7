//! How the deployment commands fail: what is wrong and where, what was expected, what to do; and
//! how a command ends.
//!
//! Each module has an error enum of its own whose text names the file, the option or the line and
//! what was expected. It implements [`Advice`] for the code and the hint, and `?` turns it into a
//! [`DeployError`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pinion_config::Code;
use thiserror::Error;

/// What an error knows besides its text.
pub trait Advice: std::error::Error + Send + Sync + 'static {
    /// The condition's code in the registry.
    fn code(&self) -> Code;
    /// What to do, best as the exact command; empty when the text says it all.
    fn hint(&self) -> String;
}

/// Any error of the deployment commands.
///
/// Displayed as one line, or two with the hint: `PIN0502: …` and `hint: …`.
pub struct DeployError(Box<dyn Advice>);

impl DeployError {
    /// The condition's code.
    pub fn code(&self) -> Code {
        self.0.code()
    }

    /// What is wrong, without code and hint.
    pub fn problem(&self) -> String {
        self.0.to_string()
    }

    /// What to do; empty when the problem says it all.
    pub fn hint(&self) -> String {
        self.0.hint()
    }
}

impl<E: Advice> From<E> for DeployError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for DeployError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.0)?;
        let hint = self.hint();
        if hint.is_empty() { Ok(()) } else { write!(f, "\nhint: {hint}") }
    }
}

impl fmt::Debug for DeployError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The result of what may fail for the operator.
pub type Result<T, E = DeployError> = std::result::Result<T, E>;

/// A file or folder that the system refuses to read or write.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {reason}", path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    reason: std::io::Error,
}

impl FileError {
    /// For `map_err`: `action` is what was tried, such as `read`.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |reason| Self { action, path: path.to_owned(), reason }
    }

    /// The same of `path`, which is what a person calls the file.
    pub(crate) fn about(self, path: &Path) -> Self {
        Self { path: path.to_owned(), ..self }
    }
}

impl Advice for FileError {
    fn code(&self) -> Code {
        Code::FileRefused
    }

    fn hint(&self) -> String {
        match self.reason.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                format!("run it as a user who may {} there, such as with sudo", self.action)
            }
            std::io::ErrorKind::NotFound => "check the path".to_owned(),
            _ => String::new(),
        }
    }
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All that was asked for is done.
    Done = 0,
    /// Something needs a person: a file that was left as it is, or warnings where they count.
    Attention = 1,
    /// It failed, or the command line was not understood.
    Failed = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
