//! The commands that test, enable, disable and reload.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Apache, ApacheError, Facts, Sites};
use crate::interrupt::Interrupt;
use crate::tool::Tool;

/// Where Debian's tools are; root's PATH may lack the folder after `su`.
const FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin"];

/// The folder, in that of the records, for what Debian's tools note of a private Apache.
pub(crate) const DEBIAN_NOTES: &str = "debian";
/// The longest that a reload may take; one with a large configuration takes seconds.
const RELOAD_LIMIT: Duration = Duration::from_secs(60);

/// What Debian's tools switch on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// A site.
    Site,
    /// A module.
    Module,
    /// A piece of configuration.
    Conf,
}

/// One of Debian's tools, such as `a2ensite`.
pub(super) fn debian_tool(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

impl Apache {
    /// The server's program for this configuration, without an action.
    pub(super) fn server(&self) -> Tool {
        let tool = Tool::new(&self.program);
        let tool = if self.system {
            tool
        } else {
            tool.arg("-d").arg(&self.root).arg("-f").arg(&self.config)
        };
        self.environment.iter().fold(tool, |tool, (name, value)| tool.quietly(name, value))
    }

    /// What a person types to control the server: `apachectl` where it is the system's.
    fn control(&self, action: &str) -> Tool {
        let control = ["apachectl", "apache2ctl"].iter().find_map(|name| debian_tool(name));
        match control {
            Some(program) if self.system => Tool::new(program).arg(action),
            _ if action == "configtest" => self.server().arg("-t"),
            _ => self.server().arg("-k").arg(action),
        }
    }

    /// The command that tests the configuration.
    pub fn configtest(&self) -> Tool {
        self.control("configtest")
    }

    /// The command that makes a running server take the configuration as it is now, without
    /// dropping requests.
    pub fn graceful(&self) -> Tool {
        self.control("graceful")
    }

    /// The command that starts the server.
    pub fn start(&self) -> Tool {
        let systemd = Path::new("/run/systemd/system").is_dir();
        if self.system && systemd {
            let service = if self.program.ends_with("apache2") { "apache2" } else { "httpd" };
            return Tool::new("systemctl").args(["start", service]);
        }
        self.control("start")
    }

    /// The command that stops the server.
    pub fn stop(&self) -> Tool {
        let systemd = Path::new("/run/systemd/system").is_dir();
        if self.system && systemd {
            let service = if self.program.ends_with("apache2") { "apache2" } else { "httpd" };
            return Tool::new("systemctl").args(["stop", service]);
        }
        self.control("stop")
    }

    /// Tests the configuration as it is now.
    ///
    /// # Errors
    /// Apache refuses it, or cannot be run.
    pub fn test(&self, interrupt: &Interrupt) -> Result<(), ApacheError> {
        let ended = self.configtest().end(interrupt)?;
        if ended.success { Ok(()) } else { Err(self.refused(&ended.output)) }
    }

    /// Debian's command that enables a site, a module or a piece of configuration, such as
    /// `a2ensite NAME`; `None` where there are no such commands.
    pub fn enable(&self, kind: Switch, name: &str) -> Option<Tool> {
        self.debian(kind.tools().0).map(|tool| tool.arg(name))
    }

    /// Debian's command that disables it again, and forgets that it was enabled.
    pub fn disable(&self, kind: Switch, name: &str) -> Option<Tool> {
        self.debian(kind.tools().1).map(|tool| tool.arg("--purge").arg(name))
    }

    fn debian(&self, tool: &str) -> Option<Tool> {
        if self.sites != Sites::Debian {
            return None;
        }
        let tool = Tool::new(debian_tool(tool)?).arg("--quiet");
        Some(if self.system {
            tool
        } else {
            // They note what an administrator enabled; not among the notes of the system's Apache.
            tool.env("APACHE_CONFDIR", &self.root)
                .env("APACHE_STATE_DIRECTORY", self.state_folder().join(DEBIAN_NOTES))
        })
    }

    /// The link by which Debian's tools enable it, such as `sites-enabled/NAME.conf`.
    pub fn enabled_link(&self, kind: Switch, name: &str) -> PathBuf {
        let (folder, ending) = kind.place();
        self.root.join(format!("{folder}-enabled/{name}.{ending}"))
    }

    /// Where the file that it enables is, such as `sites-available/NAME.conf`.
    pub fn available_file(&self, kind: Switch, name: &str) -> PathBuf {
        let (folder, ending) = kind.place();
        self.root.join(format!("{folder}-available/{name}.{ending}"))
    }

    /// Lets the running server take its configuration as it is now, and waits until it says that
    /// it did.
    ///
    /// # Errors
    /// The command fails, or the server does not come back.
    pub fn reload(&self, facts: &Facts, interrupt: &Interrupt) -> Result<(), ApacheError> {
        let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
        let from = facts.error_log.as_ref().map(size);
        self.graceful().run(interrupt)?;
        let Some((log, from)) = facts.error_log.as_ref().zip(from) else { return Ok(()) };
        let end = Instant::now() + RELOAD_LIMIT;
        while Instant::now() < end {
            if read_from(log, from).contains("resuming normal operations") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(ApacheError::NotReloaded { seconds: RELOAD_LIMIT.as_secs() })
    }

    pub(super) fn refused(&self, output: &str) -> ApacheError {
        ApacheError::Refused {
            root: self.root.clone(),
            line: self.configtest().line(),
            output: output.trim().to_owned(),
        }
    }
}

/// What was written to a log after that many bytes; from its beginning where it was rotated.
pub(crate) fn read_from(log: &Path, from: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or(&bytes)).into_owned()
}

impl Switch {
    /// What messages call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Module => "module",
            Self::Conf => "configuration",
        }
    }

    fn tools(self) -> (&'static str, &'static str) {
        match self {
            Self::Site => ("a2ensite", "a2dissite"),
            Self::Module => ("a2enmod", "a2dismod"),
            Self::Conf => ("a2enconf", "a2disconf"),
        }
    }

    /// The beginning of its folders' names, and the ending of its files.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Site => ("sites", "conf"),
            Self::Module => ("mods", "load"),
            Self::Conf => ("conf", "conf"),
        }
    }
}
