//! What can be wrong with Apache.

use std::path::PathBuf;

use pinion_config::Code;
use thiserror::Error;

use crate::error::Advice;
use crate::tool::ToolError;

/// Why Apache cannot be found, asked or changed.
#[derive(Debug, Error)]
pub enum ApacheError {
    /// None of the usual places has one.
    #[error("Apache is not installed: none of {looked} is there")]
    Missing {
        /// The programs looked for.
        looked: String,
    },
    /// The named folder or file holds no configuration.
    #[error("{} is no Apache configuration: expected {expected}", path.display())]
    NoConfiguration {
        /// What was named.
        path: PathBuf,
        /// What should have been there.
        expected: &'static str,
    },
    /// Its `envvars` file cannot be read by a shell.
    #[error("{}: {reason}", path.display())]
    Environment {
        /// The file.
        path: PathBuf,
        /// The shell's words.
        reason: String,
    },
    /// Its configuration has an error; a site cannot be added to it.
    #[error("Apache refuses its configuration in {}:\n{output}", root.display())]
    Refused {
        /// The configuration's folder.
        root: PathBuf,
        /// The command that shows it.
        line: String,
        /// What Apache says.
        output: String,
    },
    /// A command failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// It did not come back after a reload.
    #[error("Apache did not take its new configuration within {seconds} s")]
    NotReloaded {
        /// How long was waited.
        seconds: u64,
    },
}

impl Advice for ApacheError {
    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } | Self::NoConfiguration { .. } => Code::NoApache,
            Self::Environment { .. } | Self::Refused { .. } => Code::ApacheRefuses,
            Self::Tool(error) => error.code(),
            Self::NotReloaded { .. } => Code::ApacheNotReloaded,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => {
                "install it (on Debian: apt-get install apache2), or name its configuration with \
                 --apache-config"
                    .to_owned()
            }
            Self::NoConfiguration { .. } => {
                "name the folder that holds apache2.conf or httpd.conf, or that file".to_owned()
            }
            Self::Environment { path, .. } => format!("try `sh -c '. {}'`", path.display()),
            Self::Refused { line, .. } => format!("mend it until `{line}` says Syntax OK"),
            Self::Tool(error) => error.hint(),
            Self::NotReloaded { .. } => "look at the end of Apache's error log".to_owned(),
        }
    }
}
