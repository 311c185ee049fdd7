//! What can be wrong with interpreters and virtualenvs.

use std::path::PathBuf;

use pinion_config::Code;
use pinion_config::python_home::HomeError;
use thiserror::Error;

use crate::error::{Advice, FileError};
use crate::tool::ToolError;

/// Why a virtualenv cannot be made or used.
#[derive(Debug, Error)]
pub enum EnvError {
    /// What `--python` names is not there.
    #[error("--python {named}: no such Python; looked for {looked}")]
    NoPython {
        /// As it was given.
        named: String,
        /// Where it was looked for.
        looked: String,
    },
    /// The interpreter cannot be run, or is none.
    #[error("{} cannot be run: {reason}", path.display())]
    NotRunnable {
        /// The interpreter.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Too old for Pinion.
    #[error("{} is Python {found}, and Pinion needs 3.9 or newer", path.display())]
    TooOld {
        /// The interpreter.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// The application's user cannot reach it.
    #[error("{} cannot be used by {user}: {reason}", path.display())]
    Unreachable {
        /// The interpreter or its library.
        path: PathBuf,
        /// The user.
        user: String,
        /// The component that is to blame.
        reason: String,
    },
    /// The virtualenv is there, but broken.
    #[error("the virtualenv {} is broken: {reason}", home.display())]
    Broken {
        /// The virtualenv.
        home: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Something else is in its place.
    #[error("{} is there, and is no virtualenv", .0.display())]
    Occupied(PathBuf),
    /// A virtualenv of another Python than was asked for.
    #[error("the virtualenv {} has Python {found}, not {wanted}", home.display())]
    OtherVersion {
        /// The virtualenv.
        home: PathBuf,
        /// Its version.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The baseline holds packages.
    #[error("the baseline {} is not empty: it has {packages}", home.display())]
    NotEmpty {
        /// The virtualenv.
        home: PathBuf,
        /// The packages' names.
        packages: String,
    },
    /// The interpreter's distribution left `venv` out.
    #[error("{} cannot make virtualenvs: its distribution keeps ensurepip in another package", .0.display())]
    NoVenv(PathBuf),
    /// `uv` was asked for and is not there.
    #[error("uv is not installed")]
    NoUv,
    /// A file that was named is not there.
    #[error("{option} {}: no such file or folder", path.display())]
    NoFile {
        /// The option.
        option: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// pip or uv failed.
    #[error("the project's packages cannot be installed: {source}")]
    Install {
        /// What it said.
        source: ToolError,
        /// Whether only a local folder was allowed.
        no_index: bool,
    },
    /// Another command failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Advice for EnvError {
    fn code(&self) -> Code {
        match self {
            Self::NoPython { .. }
            | Self::NotRunnable { .. }
            | Self::TooOld { .. }
            | Self::Unreachable { .. }
            | Self::NoVenv(_) => Code::PythonUnusable,
            Self::Broken { .. }
            | Self::Occupied(_)
            | Self::OtherVersion { .. }
            | Self::NotEmpty { .. } => Code::VirtualenvUnusable,
            Self::NoUv | Self::NoFile { .. } | Self::Install { .. } => Code::InstallFailed,
            Self::Tool(error) => error.code(),
            Self::File(error) => error.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::NoPython { .. } => {
                "give a path such as /usr/bin/python3.12, or a version that is installed".to_owned()
            }
            Self::NotRunnable { .. } | Self::TooOld { .. } => {
                "name another one with --python".to_owned()
            }
            Self::Unreachable { .. } => {
                "name a Python outside of home folders with --python, such as /usr/bin/python3"
                    .into()
            }
            Self::Broken { home, .. } => {
                format!("remove it, and it is made anew: rm -r {}", home.display())
            }
            Self::Occupied(_) => "remove it, or choose another folder".to_owned(),
            Self::OtherVersion { home, .. } => format!(
                "remove it, and it is made anew: rm -r {}; or leave --python out",
                home.display()
            ),
            Self::NotEmpty { home, .. } => format!(
                "applications would see these packages; make it anew: rm -r {0} && pinion env \
                 baseline --path {0}",
                home.display()
            ),
            Self::NoVenv(_) => "on Debian: apt-get install python3-venv".to_owned(),
            Self::NoUv => "install it, or use --installer pip".to_owned(),
            Self::NoFile { .. } => "check the path".to_owned(),
            Self::Install { no_index: true, .. } => {
                "put a wheel of each package that is missing into the folder of --find-links, of \
                 setuptools too where the project is built by it"
                    .to_owned()
            }
            Self::Install { .. } => "mend what the command says, and run it again".to_owned(),
            Self::Tool(error) => error.hint(),
            Self::File(error) => error.hint(),
        }
    }
}

impl EnvError {
    /// What [`HomeError`] says of a virtualenv that is there.
    pub(super) fn broken(home: &std::path::Path, error: &HomeError) -> Self {
        Self::Broken { home: home.to_owned(), reason: error.to_string() }
    }
}
