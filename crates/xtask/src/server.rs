//! The two servers that commands can run on.

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
    /// Builds or installs it.
    pub(crate) fn prepare(self) -> Result<Server> {
        match self {
            Self::ModWsgi => Ok(Server::mod_wsgi()?),
            Self::Pinion => Ok(Server::pinion_at(&dist::build()?)?),
        }
    }
}
