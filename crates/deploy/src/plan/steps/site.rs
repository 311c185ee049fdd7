//! The site's own configuration among Apache's.

use std::fs;
use std::path::PathBuf;

use super::apache::enable;
use crate::apache::{Apache, Facts, Sites, Switch};
use crate::plan::step::Step;
use crate::plan::{Part, PlanError, Run};
use crate::tool::quoted;

/// Installs the generated configuration and enables it.
#[derive(Debug)]
pub struct Site {
    /// The Apache.
    pub apache: Apache,
    /// What it was configured to do when the plan was made.
    pub facts: Facts,
    /// The site's name among Apache's.
    pub name: String,
    /// The generated configuration, where it is deployed.
    pub source: PathBuf,
    /// Its text.
    pub text: String,
    /// Whether an earlier deployment put there what is there.
    pub ours: bool,
}

impl Step for Site {
    fn id(&self) -> &'static str {
        "site"
    }

    fn title(&self) -> String {
        match (&self.apache.sites, self.apache.site_file(&self.name)) {
            (Sites::Debian, Some(file)) => format!("enable the site {}", file.display()),
            (_, Some(file)) => format!("write {}, which Apache reads as a site", file.display()),
            (_, None) => format!("include the configuration in {}", self.apache.config.display()),
        }
    }

    fn commands(&self) -> Vec<String> {
        let source = quoted(self.source.as_os_str());
        let Some(file) = self.apache.site_file(&self.name) else {
            let config = quoted(self.apache.config.as_os_str());
            let line = format!("Include \"{}\"", self.source.display());
            return vec![format!("echo {} >> {config}", quoted(line.as_ref()))];
        };
        let install = format!("install -m 0644 {source} {}", quoted(file.as_os_str()));
        let enable = self.apache.enable(Switch::Site, &self.name).map(|tool| tool.line());
        std::iter::once(install).chain(enable).collect()
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        let Some(file) = self.apache.site_file(&self.name) else {
            return Ok(self.facts.includes(&self.source));
        };
        match fs::read_to_string(&file) {
            Ok(found) if found == self.text => {
                let link = self.apache.enabled_link(Switch::Site, &self.name);
                Ok(self.apache.sites != Sites::Debian || link.symlink_metadata().is_ok())
            }
            Ok(_) if !self.ours => Err(PlanError::SiteTaken(file)),
            _ => Ok(false),
        }
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        run.configuration(Part::Site, self.facts.parent().is_some())?;
        let file = self.apache.site_file(&self.name).ok_or_else(|| PlanError::Left {
            what: format!(
                "add `Include \"{}\"` to {}",
                self.source.display(),
                self.apache.config.display()
            ),
        })?;
        if fs::read_to_string(&file).is_ok_and(|found| found == self.text) {
            enable(run, &self.apache, Switch::Site, &self.name)?;
            return Ok(Vec::new());
        }
        run.write(&file, self.text.as_bytes(), 0o644, None)?;
        enable(run, &self.apache, Switch::Site, &self.name)?;
        Ok(Vec::new())
    }
}
