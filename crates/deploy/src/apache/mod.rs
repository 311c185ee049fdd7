//! Apache installations: finding one, asking it what it is configured to do, and changing that.

mod control;
mod error;
mod facts;
mod find;
mod listen;

pub use control::Switch;
pub(crate) use control::{DEBIAN_NOTES, read_from};
pub use error::ApacheError;
pub use facts::Facts;
pub use find::find;
pub use listen::{Listen, port_owner};

use std::path::{Path, PathBuf};

/// An Apache that a site is deployed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apache {
    /// The server's program, such as `/usr/sbin/apache2`.
    pub program: PathBuf,
    /// The folder of the configuration, which is the `ServerRoot`: `/etc/apache2` on Debian.
    pub root: PathBuf,
    /// The main configuration file.
    pub config: PathBuf,
    /// How a site becomes part of the configuration.
    pub sites: Sites,
    /// Whether it is the system's own, not one that was named.
    pub system: bool,
    /// What the `envvars` file sets, for the configuration's `${NAME}`s.
    environment: Vec<(String, String)>,
}

/// How a site becomes part of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sites {
    /// Debian's: `sites-available/NAME.conf`, enabled by `a2ensite`.
    Debian,
    /// A folder whose `*.conf` files the main configuration includes, such as `conf.d`.
    Folder(PathBuf),
    /// No folder for sites: a person adds an `Include`.
    ByHand,
}

impl Apache {
    /// Where the site's configuration goes; `None` where a person has to include it.
    pub fn site_file(&self, name: &str) -> Option<PathBuf> {
        match &self.sites {
            Sites::Debian => Some(self.root.join(format!("sites-available/{name}.conf"))),
            Sites::Folder(folder) => Some(folder.join(format!("{name}.conf"))),
            Sites::ByHand => None,
        }
    }

    /// Where records of what was deployed to it are kept.
    pub fn state_folder(&self) -> PathBuf {
        if self.system { PathBuf::from("/var/lib/pinion") } else { self.root.join("pinion") }
    }

    /// The account of its children where the configuration does not tell.
    pub fn usual_account(&self) -> &'static str {
        let debian = self.sites == Sites::Debian || self.root == Path::new("/etc/apache2");
        if debian { "www-data" } else { "apache" }
    }
}
