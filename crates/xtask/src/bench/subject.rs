//! What is measured: a server in a mode.

use std::fmt;
use std::path::Path;

use pinion_testbed::{Apache, Server, Site};

use super::calibrate::Rounds;
use crate::failure::Result;
use crate::server::Which;

/// Where the application runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// No process group is named: Apache's children in mod_wsgi, the implicit group in Pinion.
    Embedded,
    /// A group of `processes` with `threads` each.
    Daemon {
        /// Processes.
        processes: u8,
        /// Threads of each.
        threads: u8,
    },
}

impl Mode {
    /// One process of five threads.
    pub(super) const ONE: Self = Self::Daemon { processes: 1, threads: 5 };
    /// Two processes of fifteen threads.
    pub(super) const TWO: Self = Self::Daemon { processes: 2, threads: 15 };
    /// All modes, in the order of the tables.
    pub(super) const ALL: [Self; 3] = [Self::Embedded, Self::ONE, Self::TWO];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Daemon { processes, threads } => write!(f, "{processes}×{threads}"),
        }
    }
}

/// A server in a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    /// The server.
    pub(super) which: Which,
    /// Where it runs the application.
    pub(super) mode: Mode,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.which, self.mode)
    }
}

/// Debian's mpm_event.conf, but that connections are kept for as long as the client likes, and idle
/// children too: one that ends closes its connections, which would count as failures.
const APACHE: &str = "StartServers 2
MinSpareThreads 25
MaxSpareThreads 150
ThreadLimit 64
ThreadsPerChild 25
MaxRequestWorkers 150
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
";

const APPLICATION: &str = include_str!("../../apps/bench.wsgi");

impl Subject {
    /// Starts an Apache with the benchmark's applications in this mode.
    pub(super) fn start(self, server: &Server, rounds: Rounds) -> Result<Apache> {
        let mut site = Site::new(server)?;
        let script = site.write("apps/bench.wsgi", APPLICATION)?;
        site.write("apps/loops.txt", rounds.0.to_string())?;
        site.config(APACHE).config(self.directives(&script));
        Ok(site.start()?)
    }

    fn directives(self, script: &Path) -> String {
        let script = script.display();
        match self.mode {
            Mode::Embedded => {
                format!("WSGIApplicationGroup %{{GLOBAL}}\nWSGIScriptAlias / {script}\n")
            }
            Mode::Daemon { processes, threads } => format!(
                "WSGIDaemonProcess bench processes={processes} threads={threads} display-name=%{{GROUP}}\n\
                 WSGIScriptAlias / {script} process-group=bench application-group=%{{GLOBAL}}\n"
            ),
        }
    }
}
