//! How a check itself fails: there is nothing to examine, or nothing to examine it with.

use std::path::PathBuf;

use pinion_config::Code;
use pinion_config::apache::ReadError;
use pinion_front::SupervisorError;
use pinion_front::installation::InstallationError;
use thiserror::Error;

use crate::error::Advice;

/// Why nothing was examined.
#[derive(Debug, Error)]
pub enum CheckError {
    /// Nothing is at the path.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A folder that is neither a project nor an Apache's.
    #[error("{} holds neither a project nor Apache's configuration", .0.display())]
    Nothing(PathBuf),
    /// The configuration cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The project has no configuration yet.
    #[error("{} does not exist: the project's files have not been generated", .0.display())]
    NotGenerated(PathBuf),
    /// Pinion's own files are not there.
    #[error("no worker can be started: Pinion's files are not beside this program ({})", .0.display())]
    Installation(PathBuf),
    /// The manager does not start.
    #[error("no worker can be started: {0}")]
    Worker(#[from] SupervisorError),
}

impl CheckError {
    /// What an installation that is not whole means here.
    pub(super) fn installation(program: PathBuf) -> impl FnOnce(InstallationError) -> Self {
        |_where_it_was_looked_for| Self::Installation(program)
    }
}

impl Advice for CheckError {
    fn code(&self) -> Code {
        match self {
            Self::Missing(_) | Self::Nothing(_) | Self::NotGenerated(_) => Code::CheckNothing,
            Self::Read(_) => Code::ConfigurationUnreadable,
            Self::Installation(_) => Code::PrefixInvalid,
            Self::Worker(_) => Code::WorkerStartFailed,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Missing(_) => "check the path".to_owned(),
            Self::Nothing(_) => {
                "name a project's folder, an Apache configuration file, or a folder with apache2.conf or httpd.conf"
                    .to_owned()
            }
            Self::NotGenerated(_) => "run `pinion deploy` first".to_owned(),
            Self::Read(_) => "apachectl configtest says the same".to_owned(),
            Self::Installation(_) => "run the pinion of an installation, PREFIX/bin/pinion".to_owned(),
            Self::Worker(_) => String::new(),
        }
    }
}
