//! What Apache says of its own configuration.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Apache, ApacheError};
use crate::interrupt::Interrupt;

/// What a configuration amounts to, as `apache2 -t -D DUMP_…` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The loaded modules, as `wsgi_module`.
    pub modules: BTreeSet<String>,
    /// All files that are part of the configuration.
    pub files: Vec<PathBuf>,
    /// The main server's error log, where it is a file.
    pub error_log: Option<PathBuf>,
    /// The file with the running parent's number.
    pub pid_file: Option<PathBuf>,
    /// The user of its children.
    pub user: Option<String>,
    /// The group of its children.
    pub group: Option<String>,
}

impl Apache {
    /// Lets Apache read its configuration and say what it found.
    ///
    /// # Errors
    /// Apache cannot be run, or refuses the configuration.
    pub fn facts(&self) -> Result<Facts, ApacheError> {
        let dumps = ["DUMP_MODULES", "DUMP_RUN_CFG", "DUMP_INCLUDES"];
        let tool = self.server().arg("-t").args(dumps.iter().flat_map(|dump| ["-D", dump]));
        let ended = tool.end(&Interrupt::deaf())?;
        if !ended.success {
            return Err(self.refused(&ended.output));
        }
        Ok(parse(&ended.output))
    }
}

impl Facts {
    /// The number of the running parent, if one runs.
    pub fn parent(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.pid_file.as_ref()?).ok()?;
        let pid = text.trim().parse().ok().filter(|pid| *pid > 1)?;
        Path::new(&format!("/proc/{pid}")).exists().then_some(pid)
    }
}

fn parse(text: &str) -> Facts {
    let mut facts = Facts::default();
    for line in text.lines() {
        let line = line.trim();
        if let Some((name, "static)" | "shared)")) = line.split_once(" (") {
            facts.modules.insert(name.to_owned());
        }
        let numbered = line.strip_prefix('(').and_then(|rest| rest.split_once(") "));
        let included = numbered.map(|(_, path)| path).filter(|path| path.starts_with('/'));
        facts.files.extend(included.map(PathBuf::from));
        if let Some((key, value)) = line.split_once(": ") {
            match key {
                "Main ErrorLog" => facts.error_log = file(value),
                "PidFile" => facts.pid_file = file(value),
                "User" => facts.user = named(value),
                "Group" => facts.group = named(value),
                _ => {}
            }
        }
    }
    facts
}

/// The path in quotes; `None` for a pipe or `syslog`.
fn file(value: &str) -> Option<PathBuf> {
    let path = value.trim_matches('"');
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// The name in `name="www-data" id=33`.
fn named(value: &str) -> Option<String> {
    value.strip_prefix("name=\"")?.split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_understood() {
        let facts = parse(
            "Included configuration files:\n  (*) /a/apache2.conf\n    (146) /a/mods-enabled/alias.load\n\
             ServerRoot: \"/a\"\nMain ErrorLog: \"/a/logs/error.log\"\nPidFile: \"/a/run/apache2.pid\"\n\
             User: name=\"www-data\" id=33\nGroup: name=\"www-data\" id=33\nLoaded Modules:\n \
             core_module (static)\n alias_module (shared)\n",
        );
        assert_eq!(
            facts,
            Facts {
                modules: ["alias_module", "core_module"].map(str::to_owned).into(),
                files: vec!["/a/apache2.conf".into(), "/a/mods-enabled/alias.load".into()],
                error_log: Some("/a/logs/error.log".into()),
                pid_file: Some("/a/run/apache2.pid".into()),
                user: Some("www-data".into()),
                group: Some("www-data".into()),
            }
        );
    }

    #[test]
    fn a_log_that_is_a_pipe_is_no_file() {
        assert_eq!(parse("Main ErrorLog: \"|/usr/bin/rotatelogs x\"").error_log, None);
    }
}
