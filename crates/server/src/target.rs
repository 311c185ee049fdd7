//! What is to be served: nothing (this folder), a project's folder, a `.wsgi` script, `module:callable`, or `config:` with an ini file.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::Advice;
use pinion_deploy::project::{Kind, Metadata, PasteIni, Project, ProjectError};
use pinion_deploy::settings::Choices;
use pinion_deploy::values::{Application, Callable, dotted};
use thiserror::Error;

/// What was asked for, before anything was looked at but its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A project's folder.
    Folder(PathBuf),
    /// A WSGI script.
    Script(PathBuf),
    /// A callable of a module that is found from the current folder.
    Callable(Callable),
    /// An ini file of Paste Deploy.
    Config {
        /// The file.
        file: PathBuf,
        /// The section that is the application: `main` for `[app:main]`.
        section: String,
    },
}

/// Why there is nothing to serve.
#[derive(Debug, Error)]
pub enum TargetError {
    /// It is none of what can be served.
    #[error("{0} is no folder, no .wsgi script and no module:callable")]
    Unknown(String),
    /// A module without its callable.
    #[error("{0} names no callable")]
    NoCallable(String),
    /// A file of Python that is no script.
    #[error("{0} is a module; to serve it, name what is to be called")]
    Module(String),
    /// A file that is not there.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// The text after the colon is no name.
    #[error("{text}: expected {expected}")]
    Callable {
        /// What was given.
        text: String,
        /// What it should be.
        expected: String,
    },
    /// The folder is no project, or not clearly one.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl Advice for TargetError {
    fn code(&self) -> Code {
        match self {
            Self::Project(error) => error.code(),
            _ => Code::TargetUnknown,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Unknown(_) => {
                "name a project's folder, a .wsgi script, module:callable, or config:production.ini".to_owned()
            }
            Self::NoCallable(module) => format!("write pinion serve {module}:application"),
            Self::Module(file) => {
                let module = file.trim_start_matches("./").trim_end_matches(".py").replace('/', ".");
                format!("write pinion serve {module}:application")
            }
            Self::Missing(_) => "check the path".to_owned(),
            Self::Callable { .. } => "write it such as shop.web:application".to_owned(),
            Self::Project(ProjectError::Ambiguous { candidates, option, .. }) => {
                let first = candidates.first().map_or("…", String::as_str);
                let form = if *option == "--ini" { "config:" } else { "" };
                format!("say which one is meant, such as pinion serve {form}{first}")
            }
            Self::Project(ProjectError::Nothing(_)) => {
                "run it in the project's folder, or say what to serve: pinion serve myapp:application".to_owned()
            }
            Self::Project(ProjectError::Broken { .. }) => "correct the file".to_owned(),
            Self::Project(error) => error.hint(),
        }
    }
}

impl Target {
    /// Reads what was given; paths are relative to `current`.
    ///
    /// # Errors
    /// It is nothing that can be served.
    pub fn parse(text: Option<&str>, current: &Path) -> Result<Self, TargetError> {
        let Some(text) = text else { return Ok(Self::Folder(current.to_owned())) };
        if let Some(config) = text.strip_prefix("config:") {
            return Self::config(config, current);
        }
        let path = current.join(text);
        if path.is_dir() {
            return Ok(Self::Folder(path));
        }
        if path.extension().is_some_and(|ending| ending == "wsgi") {
            return if path.is_file() {
                Ok(Self::Script(path))
            } else {
                Err(TargetError::Missing(path))
            };
        }
        if path.extension().is_some_and(|ending| ending == "ini") || text.contains(".ini#") {
            return Self::config(text, current);
        }
        if path.is_file() && text.ends_with(".py") {
            return Err(TargetError::Module(text.to_owned()));
        }
        if text.contains(':') {
            let callable = Callable::parse(text).map_err(|expected| TargetError::Callable {
                text: text.to_owned(),
                expected: expected.0,
            })?;
            return Ok(Self::Callable(callable));
        }
        if text.contains('/') {
            return Err(TargetError::Missing(path));
        }
        Err(if dotted(text) {
            TargetError::NoCallable(text.to_owned())
        } else {
            TargetError::Unknown(text.to_owned())
        })
    }

    fn config(text: &str, current: &Path) -> Result<Self, TargetError> {
        let (file, section) = text.split_once('#').unwrap_or((text, "main"));
        let file = current.join(file);
        if !file.is_file() {
            return Err(TargetError::Missing(file));
        }
        Ok(Self::Config { file, section: section.to_owned() })
    }

    /// The folder whose `pinion.toml` and virtualenv count, and from which the application imports.
    pub fn root(&self, current: &Path) -> PathBuf {
        let folder = match self {
            Self::Folder(folder) => folder.as_path(),
            Self::Script(file) | Self::Config { file, .. } => file.parent().unwrap_or(current),
            Self::Callable(_) => current,
        };
        folder.canonicalize().unwrap_or_else(|_gone| folder.to_owned())
    }

    /// Looks at the files.
    ///
    /// # Errors
    /// The folder is no project, or not clearly one; a file is broken.
    pub fn find(&self, current: &Path) -> Result<Found, TargetError> {
        let root = self.root(current);
        let mut choices = Choices::default();
        let mut section = "main".to_owned();
        match self {
            Self::Folder(_) => {}
            Self::Script(file) => choices.application = Some(Application::Script(file.clone())),
            Self::Callable(callable) => {
                choices.application = Some(Application::Callable(callable.clone()));
            }
            Self::Config { file, section: named } => {
                section.clone_from(named);
                return config(&root, file, section);
            }
        }
        let project = Project::find(&root, &choices)?;
        Ok(Found { project, section })
    }
}

/// An ini file says by itself that it is one of Paste Deploy's: its sections may use each other, so they are not looked at.
fn config(root: &Path, file: &Path, section: String) -> Result<Found, TargetError> {
    let choices = Choices {
        ini: Some(file.to_owned()),
        section: Some(section.clone()),
        ..Choices::default()
    };
    let project = match Project::find(root, &choices) {
        Ok(project) if project.kind.paste().is_some_and(|ini| ini.file == file) => project,
        Err(error @ ProjectError::Broken { .. }) => return Err(error.into()),
        _ => Project {
            root: root.to_owned(),
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            package: None,
            kind: Kind::Paste(PasteIni { file: file.to_owned(), uses: String::new() }),
            metadata: Metadata::default(),
        },
    };
    Ok(Found { project, section })
}

/// What is served.
#[derive(Debug, Clone)]
pub struct Found {
    /// The project.
    pub project: Project,
    /// The section of its ini file that is the application.
    pub section: String,
}

impl Found {
    /// What the start line calls it.
    pub fn title(&self) -> String {
        let project = &self.project;
        match &project.kind {
            Kind::Script(path) => {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Kind::Callable(callable) | Kind::Flask(callable) => {
                format!("{} application {callable}", project.kind.title())
            }
            Kind::Django { .. } => format!("Django project {}", project.name),
            Kind::TurboGears(ini) | Kind::Pyramid(ini) | Kind::Paste(ini) => {
                let file = ini.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                format!("{} project {} by {file}", project.kind.title(), project.name)
            }
        }
    }

    /// The folders that come first in `sys.path`.
    pub fn sources(&self) -> Vec<PathBuf> {
        let root = &self.project.root;
        let src = root.join("src");
        src.is_dir().then_some(src).into_iter().chain([root.clone()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    const INI: &str = "[app:main]\nuse = egg:shop\n";

    #[test]
    fn each_form_is_told_from_the_others() {
        let folder =
            tree(&[("a.wsgi", ""), ("b.ini", INI), ("pkg/__init__.py", ""), ("app.py", "")]);
        let at = folder.path();
        let parse = |text: &str| Target::parse(Some(text), at);
        let config =
            |section: &str| Target::Config { file: at.join("b.ini"), section: section.into() };
        assert_eq!(Target::parse(None, at).unwrap(), Target::Folder(at.to_owned()));
        assert_eq!(parse("pkg").unwrap(), Target::Folder(at.join("pkg")));
        assert_eq!(parse("a.wsgi").unwrap(), Target::Script(at.join("a.wsgi")));
        assert_eq!(parse("config:b.ini").unwrap(), config("main"));
        assert_eq!(parse("config:b.ini#other").unwrap(), config("other"));
        assert_eq!(parse("b.ini").unwrap(), config("main"));
        assert!(matches!(parse("app:make()").unwrap(), Target::Callable(made) if made.factory));
        assert_eq!(parse("a.wsgi").unwrap().root(at), at.canonicalize().unwrap());
    }

    #[test]
    fn what_cannot_be_served_is_told_with_what_could() {
        let folder = tree(&[("app.py", "")]);
        for (text, said, hint) in [
            ("app", "app names no callable", "write pinion serve app:application"),
            ("app.py", "app.py is a module", "write pinion serve app:application"),
            ("no/such", "no/such does not exist", "check the path"),
            ("x.wsgi", "x.wsgi does not exist", "check the path"),
            ("config:x.ini", "x.ini does not exist", "check the path"),
            ("a-b", "a-b is no folder, no .wsgi", "name a project's folder"),
            ("app:1", "app:1: expected a Python name", "write it such as"),
        ] {
            let error = Target::parse(Some(text), folder.path()).unwrap_err();
            assert!(error.to_string().contains(said), "{text}: {error}");
            assert!(error.hint().starts_with(hint), "{text}: {}", error.hint());
        }
    }

    #[test]
    fn a_folder_is_recognised_as_for_deployment() {
        let find = |files: &[(&str, &str)]| {
            let folder = tree(files);
            let found = Target::parse(None, folder.path()).unwrap().find(folder.path());
            found.map(|found| found.title())
        };
        let turbogears = [
            ("development.ini", INI),
            ("production.ini", INI),
            ("pyproject.toml", "[project]\nname = 'shop'\ndependencies = ['TurboGears2']\n"),
        ];
        assert_eq!(find(&turbogears).unwrap(), "TurboGears project shop by production.ini");
        assert_eq!(
            find(&[turbogears[0], turbogears[2]]).unwrap(),
            "TurboGears project shop by development.ini"
        );
        let flask = ("app.py", "from flask import Flask\napp = Flask(__name__)\n");
        assert_eq!(find(&[flask]).unwrap(), "Flask application app:app");
        assert_eq!(find(&[("x.wsgi", "")]).unwrap(), "x.wsgi");
        let error = find(&[("x.wsgi", ""), ("y.wsgi", "")]).unwrap_err();
        assert_eq!(error.hint(), "say which one is meant, such as pinion serve x.wsgi");
        let error = find(&[]).unwrap_err();
        assert_eq!(error.code(), Code::ProjectMissing);
    }

    #[test]
    fn an_ini_file_that_was_named_need_not_be_a_projects() {
        let folder = tree(&[("composite.ini", "[composite:main]\nuse = egg:Paste#urlmap\n")]);
        let target = Target::parse(Some("config:composite.ini"), folder.path()).unwrap();
        let found = target.find(folder.path()).unwrap();
        assert_eq!(found.title(), "Paste Deploy project composite by composite.ini");
        let folder = tree(&[("broken.ini", "[app:main\n")]);
        let target = Target::parse(Some("config:broken.ini"), folder.path()).unwrap();
        assert!(matches!(target.find(folder.path()), Err(TargetError::Project(_))));
    }
}
