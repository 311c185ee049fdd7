//! How a plan fails.

use std::path::PathBuf;

use pinion_config::Code;
use thiserror::Error;

use crate::account::AccountError;
use crate::apache::ApacheError;
use crate::env::EnvError;
use crate::error::{Advice, DeployError, FileError};
use crate::tool::ToolError;

/// Why a plan cannot be made, or a step of it cannot be done.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Apache.
    #[error(transparent)]
    Apache(#[from] ApacheError),
    /// A virtualenv.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// An account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A command.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// What another module says.
    #[error("{}", .0.problem())]
    Other(DeployError),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Another run holds the lock.
    #[error("another run of pinion uses {}", folder.display())]
    Busy {
        /// The store's folder.
        folder: PathBuf,
    },
    /// A record or journal that cannot be understood.
    #[error("{} cannot be understood: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No rights for what the plan does.
    #[error("{} cannot be written by {user}", path.display())]
    NoRights {
        /// The folder, or the nearest one that is there.
        path: PathBuf,
        /// Who runs this.
        user: String,
    },
    /// A place to write that is another's, and that others may count on.
    #[error("the application writes to {}, which is not {user}'s", path.display())]
    Anothers {
        /// The folder or file.
        path: PathBuf,
        /// The application's user.
        user: String,
    },
    /// A configuration of that name that somebody else made.
    #[error("{} is there, differs, and was not made by pinion", .0.display())]
    SiteTaken(PathBuf),
    /// The site's port is another program's.
    #[error("port {port} is in use, and not by this Apache")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// No address to ask.
    #[error("Apache listens on no port that the site answers on")]
    NoPort,
    /// The module is not where it is looked for.
    #[error("Apache has no wsgi_module, and {} does not exist", .0.display())]
    NoModule(PathBuf),
    /// The site does not answer as it should.
    #[error("{url} answers {answer}{cause}")]
    Failing {
        /// The address.
        url: String,
        /// What came.
        answer: String,
        /// What Apache's error log says, after a line break; may be empty.
        cause: String,
    },
    /// A site that is not known.
    #[error("no site {site} was deployed to {}", folder.display())]
    NotDeployed {
        /// The name.
        site: String,
        /// Where its record would be.
        folder: PathBuf,
    },
    /// What only a person can do.
    #[error("one step is left to you: {what}")]
    Left {
        /// The step.
        what: String,
    },
    /// Putting things back did not succeed everywhere.
    #[error("not all could be put back:\n{0}")]
    NotUndone(String),
}

impl From<DeployError> for PlanError {
    fn from(error: DeployError) -> Self {
        Self::Other(error)
    }
}

impl PlanError {
    /// Whether somebody asked to stop.
    pub fn is_interruption(&self) -> bool {
        matches!(
            self,
            Self::Interrupted
                | Self::Tool(ToolError::Interrupted { .. })
                | Self::Env(EnvError::Tool(ToolError::Interrupted { .. }))
                | Self::Apache(ApacheError::Tool(ToolError::Interrupted { .. }))
        )
    }
}

impl Advice for PlanError {
    fn code(&self) -> Code {
        match self {
            Self::Apache(error) => error.code(),
            Self::Env(error) => error.code(),
            Self::File(error) => error.code(),
            Self::Account(error) => error.code(),
            Self::Tool(error) => error.code(),
            Self::Other(error) => error.code(),
            Self::Interrupted => Code::Interrupted,
            Self::Busy { .. } => Code::AnotherRun,
            Self::Record { .. } => Code::RecordBroken,
            Self::NoRights { .. } => Code::NoRights,
            Self::Anothers { .. } => Code::PlaceAnothers,
            Self::SiteTaken(_) => Code::SiteTaken,
            Self::PortTaken { .. } | Self::NoPort => Code::PortTaken,
            Self::NoModule(_) => Code::NoModule,
            Self::Failing { .. } => Code::SiteFails,
            Self::NotDeployed { .. } => Code::NoSuchSite,
            Self::Left { .. } => Code::StepLeft,
            Self::NotUndone(_) => Code::NotUndone,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Apache(error) => error.hint(),
            Self::Env(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Account(error) => error.hint(),
            Self::Tool(error) => error.hint(),
            Self::Other(error) => error.hint(),
            Self::Interrupted => "run the same command again".to_owned(),
            Self::Busy { .. } => "wait until it ends".to_owned(),
            Self::Record { path, .. } => {
                format!(
                    "it was not changed; move {} away if it is no longer needed",
                    path.display()
                )
            }
            Self::NoRights { .. } => "run the same command with sudo".to_owned(),
            Self::Anothers { path, user } => format!(
                "name a folder of its own, or give it away: sudo chown {user} {}",
                crate::tool::quoted(path.as_os_str())
            ),
            Self::SiteTaken(path) => {
                format!(
                    "move it away, or choose another name with --name: mv {0} {0}.old",
                    path.display()
                )
            }
            Self::PortTaken { port } => format!("see who has it: ss -ltnp 'sport = :{port}'"),
            Self::NoPort => "add a Listen directive, or choose another port with --port".to_owned(),
            Self::NoModule(_) => {
                "install Pinion's module, or load mod_wsgi: a2enmod wsgi".to_owned()
            }
            Self::Failing { cause, .. } if cause.is_empty() => {
                "look at the end of Apache's error log".to_owned()
            }
            Self::Failing { .. } => "mend it, and run the same command again".to_owned(),
            Self::NotDeployed { .. } => "check --name and --apache-config".to_owned(),
            Self::Left { .. } => "then run the same command again".to_owned(),
            Self::NotUndone(_) => "do it by hand: the lines name what is left".to_owned(),
        }
    }
}

impl Advice for ToolError {
    fn code(&self) -> Code {
        match self {
            Self::Interrupted { .. } => Code::Interrupted,
            Self::Start { .. } | Self::Failed { .. } => Code::CommandFailed,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Interrupted { .. } => "run the same command again".to_owned(),
            Self::Start { .. } => "check that it is installed".to_owned(),
            Self::Failed { .. } => "mend what the command says, and run it again".to_owned(),
        }
    }
}

impl Advice for AccountError {
    fn code(&self) -> Code {
        Code::AccountUnknown
    }

    fn hint(&self) -> String {
        match self {
            Self::NoUser(name) => {
                format!("choose another with --user, or add it: adduser --system {name}")
            }
            Self::NoGroup(name) => {
                format!("choose another with --group, or add it: addgroup --system {name}")
            }
        }
    }
}
