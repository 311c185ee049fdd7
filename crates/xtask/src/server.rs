//! The two servers that commands can run on.

use std::fmt;

use clap::ValueEnum;
use pinion_testbed::Server;

use crate::dist;
use crate::failure::Result;

/// A server module, as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Which {
    /// The original, from PyPI
    ModWsgi,
    /// This project's, built and staged first
    Pinion,
}

impl Which {
    /// Builds or installs it; `PINION_DIST` names a Pinion that is staged already.
    pub(crate) fn prepare(self) -> Result<Server> {
        match self {
            Self::ModWsgi => Ok(Server::mod_wsgi()?),
            Self::Pinion if std::env::var_os("PINION_DIST").is_some() => Ok(Server::pinion()?),
            Self::Pinion => Ok(Server::pinion_at(&dist::build()?)?),
        }
    }

    /// `mod_wsgi` or `pinion`, as the test runner and the command line name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ModWsgi => "mod_wsgi",
            Self::Pinion => "pinion",
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ModWsgi => "mod_wsgi",
            Self::Pinion => "Pinion",
        })
    }
}

/// One server, or both beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum On {
    /// The original, from PyPI
    ModWsgi,
    /// This project's, built and staged first
    Pinion,
    /// Both
    #[default]
    Both,
}

impl On {
    /// The servers, the original first.
    pub(crate) fn servers(self) -> &'static [Which] {
        match self {
            Self::ModWsgi => &[Which::ModWsgi],
            Self::Pinion => &[Which::Pinion],
            Self::Both => &[Which::ModWsgi, Which::Pinion],
        }
    }
}
