//! What is examined: a project's deployment, or a configuration of Apache's.

use std::path::{Path, PathBuf};

use pinion_config::apache::{self, Known, Reading};
use pinion_config::files::SystemFiles;
use pinion_config::{Code, Finding as ConfigFinding};

use super::error::CheckError;
use super::files;
use super::report::Note;
use crate::Deployment;
use crate::finding::Finding;

/// The names of Apache's main configuration file below its folder.
const MAIN_FILES: &[&str] = &["apache2.conf", "httpd.conf", "conf/httpd.conf"];

/// What is examined.
#[derive(Debug)]
pub struct Subject {
    /// What it is called in the report.
    pub title: String,
    /// What its configuration says.
    pub(super) reading: Reading,
    /// The project, where it is one.
    pub(super) deployment: Option<Deployment>,
    /// The site's own file and script, where only they are meant.
    own: Option<(PathBuf, PathBuf)>,
    /// Findings about the site's place in the server.
    placed: Vec<Note>,
}

impl Subject {
    /// A configuration: a file, or the folder of Apache's configuration.
    ///
    /// # Errors
    /// Nothing is there, or it cannot be read.
    pub(super) fn configuration(path: &Path) -> Result<Self, CheckError> {
        let path =
            std::fs::canonicalize(path).map_err(|_missing| CheckError::Missing(path.to_owned()))?;
        let title = path.display().to_string();
        let (file, root) = match main_file(&path) {
            Some(file) => (file, path),
            None if path.is_dir() => return Err(CheckError::Nothing(path)),
            None => (path.clone(), folder_of(&path)),
        };
        let reading = read(&file, &root)?;
        Ok(Self { title, reading, deployment: None, own: None, placed: Vec::new() })
    }

    /// A project's deployment. Its site is looked for in Apache's folder `apache`; where it is not enabled, its generated
    /// configuration is examined as it is.
    ///
    /// # Errors
    /// The project has no generated configuration, or it cannot be read.
    pub(super) fn deployment(deployment: Deployment, apache: &Path) -> Result<Self, CheckError> {
        let layout = &deployment.layout;
        let script = layout.script();
        let title = format!("{}, deployed to {}", deployment.project, layout.deployed.display());
        let server = main_file(apache).map(|file| read(&file, apache)).transpose()?;
        let names_script = |reading: &Reading| {
            reading.config.aliases.iter().any(|alias| Path::new(&alias.value.target) == script)
        };
        let enabled = apache.join("sites-enabled").join(&layout.site_file);
        let (reading, file, placed) = match server {
            Some(reading) if names_script(&reading) => (reading, enabled, Vec::new()),
            other => {
                let deployed = layout.apache.join(&layout.files.configuration);
                let generated = layout.output.join(&layout.files.configuration);
                let file = if deployed.exists() { deployed } else { generated };
                if !file.exists() {
                    return Err(CheckError::NotGenerated(file));
                }
                let reading = read(&file, &folder_of(&file))?;
                let placed =
                    other.iter().flat_map(|server| taken_names(&reading, server)).collect();
                (reading, file, placed)
            }
        };
        let own = Some((file, script));
        Ok(Self { title, reading, deployment: Some(deployment), own, placed })
    }

    /// What is wrong that no configuration check finds.
    pub(super) fn notes(&self) -> Vec<Note> {
        let migration = self.deployment.as_ref().and_then(files::migration);
        self.placed.iter().cloned().chain(migration).collect()
    }

    /// Whether a finding is about this site.
    pub(super) fn concerns(&self, finding: &ConfigFinding) -> bool {
        let Some((file, _)) = &self.own else { return true };
        let is_own = finding.place.as_ref().is_none_or(|place| Path::new(&place.file) == file);
        // The name that is taken may stand in the other file.
        is_own || finding.code == Code::GroupDuplicate
    }

    /// Whether a script is this site's.
    pub(super) fn has(&self, script: &Path) -> bool {
        self.own.as_ref().is_none_or(|(_, own)| own == script)
    }
}

/// Names of process groups that an enabled site of the server has taken.
fn taken_names(site: &Reading, server: &Reading) -> Vec<Note> {
    let taken = |name: &str| server.config.group(name);
    let groups = site.config.groups.iter();
    groups
        .filter_map(|group| Some((group, taken(group.value.name.as_str())?)))
        .map(|(group, other)| {
            let name = group.value.name.as_str();
            let what =
                format!("WSGIDaemonProcess {name}: the name is already used at {}", other.place);
            let why = "group names are unique in the whole server, over all virtual hosts";
            let hint = "choose another with `pinion deploy --name`, or disable the other site";
            Note::new(Finding::new(Code::GroupDuplicate, what, why, hint)).at(group.place.clone())
        })
        .collect()
}

/// Apache's main file in its folder.
pub(super) fn main_file(folder: &Path) -> Option<PathBuf> {
    MAIN_FILES.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

/// Reads a whole configuration, or a part of one: a file that loads no module is a part.
fn read(file: &Path, root: &Path) -> Result<Reading, CheckError> {
    let exported = std::fs::read_to_string(root.join("envvars")).unwrap_or_default();
    let variables = apache::exported(&exported);
    let known = Known { root: root.to_owned(), variables, is_part: false };
    let reading = apache::read(&SystemFiles, file, &known)?;
    if reading.modules.is_empty() {
        let known = Known { is_part: true, ..known };
        return Ok(apache::read(&SystemFiles, file, &known)?);
    }
    Ok(reading)
}
