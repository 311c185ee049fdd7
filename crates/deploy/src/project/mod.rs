//! What is deployed: a project, recognised from its own files.

mod metadata;
mod recognise;

use std::fmt;
use std::path::{Path, PathBuf};

use pinion_config::Code;
use thiserror::Error;

use crate::error::Advice;
use crate::settings::Choices;
use crate::values::Callable;

pub use metadata::{Metadata, normal_name, requirement_name, toml_problem};

/// A project's folder, and what its files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// The project's name, as its metadata or its folder says: what pip installs.
    pub name: String,
    /// The package that is imported, which may be called otherwise; `None` for a lone script.
    pub package: Option<String>,
    /// What it is made with.
    pub kind: Kind,
    /// What its metadata says.
    pub metadata: Metadata,
}

/// What a project is made with, and what the WSGI script needs to know for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// TurboGears 2, loaded from an ini file.
    TurboGears(PasteIni),
    /// Pyramid, loaded from an ini file.
    Pyramid(PasteIni),
    /// Another application that Paste Deploy loads from an ini file.
    Paste(PasteIni),
    /// Django.
    Django {
        /// The settings' module, as `manage.py` names it.
        settings: String,
        /// The WSGI module's application.
        application: Callable,
    },
    /// Flask.
    Flask(Callable),
    /// Any other callable.
    Callable(Callable),
    /// A WSGI script that exists already.
    Script(PathBuf),
}

/// The ini file by which a Paste Deploy project was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasteIni {
    /// The file in the project: `production.ini` if there is one, else the development's.
    pub file: PathBuf,
    /// What its application section uses, such as `egg:myapp`.
    pub uses: String,
}

impl Kind {
    /// What messages call it.
    pub fn title(&self) -> &'static str {
        match self {
            Self::TurboGears(_) => "TurboGears",
            Self::Pyramid(_) => "Pyramid",
            Self::Paste(_) => "Paste Deploy",
            Self::Django { .. } => "Django",
            Self::Flask(_) => "Flask",
            Self::Callable(_) => "WSGI",
            Self::Script(_) => "WSGI script",
        }
    }

    /// Whether the ini file names the application by its installed metadata.
    pub fn uses_egg(&self) -> bool {
        self.paste().is_some_and(|ini| !ini.uses.starts_with("call:"))
    }

    /// The ini file, for those that Paste Deploy loads.
    pub fn paste(&self) -> Option<&PasteIni> {
        match self {
            Self::TurboGears(ini) | Self::Pyramid(ini) | Self::Paste(ini) => Some(ini),
            _ => None,
        }
    }
}

/// Why a folder is no project, or not clearly one.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// The folder does not exist.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    /// Nothing in it says what it is.
    #[error("no project in {}: expected an ini file with an [app:main] section, manage.py, a Flask application or a .wsgi file", .0.display())]
    Nothing(PathBuf),
    /// Several files could be meant.
    #[error("two {what} in {}: {}", root.display(), join(candidates))]
    Ambiguous {
        /// The folder.
        root: PathBuf,
        /// What the files are.
        what: &'static str,
        /// The files, or callables.
        candidates: Vec<String>,
        /// The option that decides.
        option: &'static str,
    },
    /// A file that cannot be read, or is not what its name says.
    #[error("{}: {problem}", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the line where there is one, and what was expected.
        problem: String,
    },
}

impl Advice for ProjectError {
    fn code(&self) -> Code {
        match self {
            Self::NoFolder(_) | Self::Nothing(_) => Code::ProjectMissing,
            Self::Ambiguous { .. } => Code::ProjectAmbiguous,
            Self::Broken { .. } => Code::ProjectBroken,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::NoFolder(_) => "name the project's folder, or run it from there".to_owned(),
            Self::Nothing(_) => {
                "run it in the project's folder, or say what to run: --application myapp:app"
                    .to_owned()
            }
            Self::Ambiguous { candidates, option, .. } => {
                let first = candidates.first().map_or("…", String::as_str);
                format!("say which one is meant, such as {option} {first}")
            }
            Self::Broken { .. } => "correct the file; nothing was changed".to_owned(),
        }
    }
}

fn join(names: &[String]) -> String {
    names.join(", ")
}

impl Project {
    /// Recognises the project in a folder; what was chosen (an ini file, an application) decides
    /// where the files leave it open.
    ///
    /// # Errors
    /// There is none, there are several, or a file that says it is broken.
    pub fn find(root: &Path, choices: &Choices) -> Result<Self, ProjectError> {
        recognise::project(root, choices)
    }

    /// The file of a module, in the project's folder or in `src` below it.
    pub fn module_file(&self, module: &str) -> Option<PathBuf> {
        recognise::module_file(&self.root, module)
    }

    /// The folder of the project's package.
    pub fn package_folder(&self) -> Option<PathBuf> {
        let file = self.module_file(self.package.as_deref()?)?;
        let init = file.file_name().is_some_and(|name| name == "__init__.py");
        init.then(|| file.parent().map(Path::to_owned))?
    }

    /// Whether the ini file configures logging.
    pub fn configures_logging(&self) -> bool {
        let file = self.kind.paste().map(|ini| &ini.file);
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        let ini = text.and_then(|text| crate::ini::parse(&text).ok());
        ini.is_some_and(|ini| ini.get("formatters", "keys").is_some())
    }
}

/// What was found, for the operator: the kind, and the project's name told from the package's.
impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if matches!(self.kind, Kind::Script(_)) { "" } else { " project" };
        write!(f, "found a {}{article}: project {}", self.kind.title(), self.name)?;
        if let Some(package) = &self.package {
            write!(f, ", package {package}")?;
        }
        write!(f, ", in {}", self.root.display())
    }
}
