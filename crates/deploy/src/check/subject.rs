//! What is examined: a project's deployment, or a configuration of Apache's.

use std::path::{Path, PathBuf};

use pinion_config::apache::{self as configuration, Known, Reading};
use pinion_config::files::SystemFiles;
use pinion_config::{Code, Finding as ConfigFinding};

use super::error::CheckError;
use super::files;
use super::report::Note;
use crate::Deployment;
use crate::apache::Apache;
use crate::finding::Finding;
use crate::settings::ServerAccount;
use crate::sight::Sight;
use crate::warnings;

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

    /// A project's deployment. Its site is looked for among those of `apache`; where it is not enabled there, its generated
    /// configuration is examined as it is.
    ///
    /// # Errors
    /// The project has no generated configuration, or it cannot be read.
    pub(super) fn deployment(
        mut deployment: Deployment,
        apache: Option<&Apache>,
    ) -> Result<Self, CheckError> {
        let layout = &deployment.layout;
        let script = layout.script();
        let title = format!("{}\ndeployed to {}", deployment.project, layout.deployed.display());
        let server = apache.map(|apache| read(&apache.config, &apache.root)).transpose()?;
        let enabled = server.as_ref().and_then(|reading| file_of(reading, &script));
        let (reading, file, mut placed) = match (server, enabled) {
            (Some(reading), Some(file)) => (reading, file, Vec::new()),
            (other, _) => {
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
        let mut sight = Sight::system();
        if let Some(apache) = apache {
            deployment.settings.server = ServerAccount::of(apache);
            sight.apache.clone_from(&apache.root);
        }
        placed.extend(warnings::all(&deployment, &sight).into_iter().map(Note::new));
        placed.extend(files::migration(&deployment));
        let own = Some((file, script));
        Ok(Self { title, reading, deployment: Some(deployment), own, placed })
    }

    /// What is wrong with the site's place, its folders and files.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.placed.clone()
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

/// The file in which a script is mounted.
fn file_of(reading: &Reading, script: &Path) -> Option<PathBuf> {
    let mut aliases = reading.config.aliases.iter();
    let alias = aliases.find(|alias| Path::new(&alias.value.target) == script)?;
    Some(PathBuf::from(&alias.place.file))
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
    let variables = configuration::exported(&exported);
    let known = Known { root: root.to_owned(), variables, is_part: false };
    let reading = configuration::read(&SystemFiles, file, &known)?;
    if reading.modules.is_empty() {
        let known = Known { is_part: true, ..known };
        return Ok(configuration::read(&SystemFiles, file, &known)?);
    }
    Ok(reading)
}
