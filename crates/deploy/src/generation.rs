//! What `pinion deploy` does without `--apply`: write the generated folder, the settings and, when it
//! is asked for, the ini file.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use thiserror::Error;

use crate::deployment::Deployment;
use crate::error::{Advice, Result};
use crate::finding::Finding;
use crate::folder::{self, Generated, Statics};
use crate::keep::diff;
use crate::make_config::Production;
use crate::project::Kind;
use crate::sight::Sight;
use crate::steps::steps;
use crate::write::{self, Written};
use crate::{ini, warnings};

/// What was written, and what is missing.
#[derive(Debug)]
pub struct Report {
    /// Each file and what became of it.
    pub files: Vec<(PathBuf, Written)>,
    /// What is missing.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether a file that a person edited was left as it is.
    pub fn left_any(&self) -> bool {
        self.files.iter().any(|(_, written)| *written == Written::Left)
    }
}

/// Everything that a run would write, decided before anything is.
#[derive(Debug)]
pub struct Generation {
    files: Vec<Generated>,
    /// What is missing, as the README says it.
    pub findings: Vec<Finding>,
    settings: Option<(PathBuf, String)>,
}

impl Generation {
    /// Decides what is to be written for a deployment.
    ///
    /// # Errors
    /// A virtualenv that cannot be used, or a name that cannot be quoted.
    pub fn plan(deployment: &Deployment, sight: &Sight<'_>) -> Result<Self> {
        warnings::usable(deployment, sight)?;
        let findings = warnings::all(deployment, sight);
        let steps = steps(deployment, sight, &findings);
        let statics = Statics::find(deployment);
        let files = folder::generate(deployment, &statics, &steps, &findings)?;
        let settings = deployment.store.changed().map(|(path, text)| (path.to_owned(), text));
        Ok(Self { files, findings, settings })
    }

    /// The files that would be written.
    pub fn files(&self) -> &[Generated] {
        &self.files
    }

    /// Writes it. `may_replace` is asked for each file that a person edited, with the difference.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn write(self, may_replace: impl FnMut(&Path, &str) -> bool) -> Result<Report> {
        let files = write::folder(&self.files, may_replace)?;
        if let Some((path, text)) = self.settings {
            write::replace(&path, &text, 0o644)?;
        }
        Ok(Report { files, findings: self.findings })
    }
}

/// Why there is nothing to make the ini file from.
#[derive(Debug, Error)]
pub enum MakeConfigError {
    /// The project has no ini file at all.
    #[error("a {kind} project has no ini file to make {} from", file.display())]
    NoIni {
        /// The project's kind.
        kind: &'static str,
        /// The file that was asked for.
        file: PathBuf,
    },
    /// There is no development.ini.
    #[error("{} does not exist; expected the development configuration there", .0.display())]
    NoDevelopment(PathBuf),
    /// It cannot be parsed.
    #[error("{}: {problem}", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// The line and what is wrong there.
        problem: String,
    },
    /// No secret could be made.
    #[error("cannot make secrets: {0}")]
    Random(getrandom::Error),
}

impl Advice for MakeConfigError {
    fn code(&self) -> Code {
        match self {
            Self::Broken { .. } => Code::ProjectBroken,
            _ => Code::ConfigMissing,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::NoIni { .. } => "leave --make-config out".to_owned(),
            Self::NoDevelopment(_) => "run it in the project's folder".to_owned(),
            Self::Broken { .. } => "correct the line; nothing was changed".to_owned(),
            Self::Random(_) => String::new(),
        }
    }
}

/// The ini file of `--make-config`.
#[derive(Debug)]
pub struct MadeConfig {
    /// Where it goes, in the project's folder.
    pub path: PathBuf,
    text: String,
    present: Option<String>,
}

impl MadeConfig {
    /// Makes its text from development.ini. Secrets that a present file has of its own are kept.
    ///
    /// # Errors
    /// There is nothing to make it from.
    pub fn plan(deployment: &Deployment) -> Result<Self> {
        let settings = &deployment.settings;
        let path = deployment.layout.project.join(&settings.ini);
        if deployment.project.kind.paste().is_none() {
            let kind = deployment.project.kind.title();
            return Err(MakeConfigError::NoIni { kind, file: path }.into());
        }
        let source = deployment.layout.project.join("development.ini");
        let Some(development) = write::read(&source)? else {
            return Err(MakeConfigError::NoDevelopment(source).into());
        };
        let broken = |problem| MakeConfigError::Broken { file: source.clone(), problem };
        let known = ini::parse(&development).map_err(broken)?;
        let present = write::read(&path)?;
        let old = present.as_deref().and_then(|text| ini::parse(text).ok());
        let mut failed = None;
        let section = format!("app:{}", settings.section);
        let secret = |key: &str| {
            let value = |ini: &configparser::ini::Ini| {
                ini.get(&section, key).or_else(|| ini.get("DEFAULT", key))
            };
            let kept =
                old.as_ref().and_then(value).filter(|kept| value(&known).as_ref() != Some(kept));
            kept.unwrap_or_else(|| {
                fresh().unwrap_or_else(|error| {
                    failed = Some(error);
                    String::new()
                })
            })
        };
        let text = Production {
            name: settings.name.as_str(),
            data: &deployment.layout.data,
            logs: &deployment.layout.logs,
            section: &settings.section,
            turbogears: matches!(deployment.project.kind, Kind::TurboGears(_)),
        }
        .make(&development, secret);
        match failed {
            Some(error) => Err(MakeConfigError::Random(error).into()),
            None => Ok(Self { path, text, present }),
        }
    }

    /// Its whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes it, readable by root and the server's group alone where this process may say so.
    /// `may_replace` is asked where there is another already.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(
        self,
        deployment: &Deployment,
        sight: &Sight<'_>,
        may_replace: impl FnOnce(&Path, &str) -> bool,
    ) -> Result<(PathBuf, Written)> {
        let became = match &self.present {
            None => Written::Made,
            Some(present) if *present == self.text => Written::Same,
            Some(present) if may_replace(&self.path, &diff(&self.path, present, &self.text)) => {
                Written::Replaced
            }
            Some(_) => Written::Left,
        };
        if matches!(became, Written::Made | Written::Replaced) {
            let group =
                sight.runner(&deployment.settings).and_then(|who| who.gids.first().copied());
            write::secret(&self.path, &self.text, group)?;
        }
        Ok((self.path, became))
    }
}

/// 32 bytes from the system, in hexadecimal.
fn fresh() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
