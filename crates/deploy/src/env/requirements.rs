//! Which packages a project asks for, and in what form.

use std::path::{Path, PathBuf};

use super::EnvError;
use crate::project::{Kind, PasteIni, Project};

/// Files that tell exact versions or further requirements, the most exact first.
const FILES: &[(&str, Form)] = &[
    ("pylock.toml", Form::Lock),
    ("uv.lock", Form::UvLock),
    ("requirements.lock", Form::List),
    ("requirements.txt", Form::List),
    ("requirements/production.txt", Form::List),
    ("requirements/prod.txt", Form::List),
];

/// How a file tells requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As pip's `-r` takes it.
    List,
    /// The standard lock file; only uv installs from it.
    Lock,
    /// uv's own lock file; uv turns it into a list.
    UvLock,
}

/// What the project itself says of its packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirements {
    /// Files of requirements as pip's `-r` takes them.
    pub lists: Vec<PathBuf>,
    /// A lock file that uv has to turn into a list first.
    pub uv_lock: bool,
    /// Whether the project is a package that can be installed, with metadata of its own.
    pub installable: bool,
}

impl Requirements {
    /// Looks into a project's folder; `named` files come instead of those found there, and lock
    /// files that only uv reads count where `uv` is used.
    ///
    /// # Errors
    /// A named file is not there.
    pub fn of(project: &Path, named: &[PathBuf], uv: bool) -> Result<Self, EnvError> {
        let installable = installable(project);
        if !named.is_empty() {
            if let Some(absent) = named.iter().find(|file| !file.is_file()) {
                return Err(EnvError::NoFile { option: "--requirement", path: absent.clone() });
            }
            return Ok(Self { lists: named.to_vec(), uv_lock: false, installable });
        }
        let found = FILES
            .iter()
            .find(|(name, form)| (uv || *form == Form::List) && project.join(name).is_file());
        Ok(match found {
            Some((_, Form::UvLock)) => Self { uv_lock: true, installable, ..Self::default() },
            Some((name, _)) => {
                Self { lists: vec![project.join(name)], uv_lock: false, installable }
            }
            None => Self { installable, ..Self::default() },
        })
    }

    /// Whether nothing tells which packages the project needs.
    pub fn is_silent(&self) -> bool {
        self.lists.is_empty() && !self.uv_lock && !self.installable
    }
}

/// What the deployment pattern needs and the project does not declare: Paste Deploy to load it, for
/// TurboGears also gearbox and, where there is a database, alembic to set it up; and the framework
/// itself where nothing tells which packages the project needs.
pub fn undeclared(project: &Project, found: &Requirements) -> Vec<String> {
    let database = |ini: &PasteIni| {
        std::fs::read_to_string(&ini.file).is_ok_and(|text| text.contains("sqlalchemy.url"))
    };
    let mut packages = match &project.kind {
        Kind::TurboGears(ini) if database(ini) => vec!["PasteDeploy", "gearbox", "alembic"],
        Kind::TurboGears(_) => vec!["PasteDeploy", "gearbox"],
        Kind::Pyramid(_) | Kind::Paste(_) => vec!["PasteDeploy"],
        _ => Vec::new(),
    };
    if found.is_silent() {
        packages.extend(match &project.kind {
            Kind::Pyramid(_) => Some("pyramid"),
            Kind::TurboGears(_) => Some("TurboGears2"),
            Kind::Django { .. } => Some("Django"),
            Kind::Flask(_) => Some("Flask"),
            Kind::Paste(_) | Kind::Callable(_) | Kind::Script(_) => None,
        });
    }
    packages.retain(|name| !project.metadata.needs(name));
    packages.into_iter().map(str::to_owned).collect()
}

/// Whether pip can build the project: a `pyproject.toml` that describes a package, or a `setup.py`.
fn installable(project: &Path) -> bool {
    let text = std::fs::read_to_string(project.join("pyproject.toml")).unwrap_or_default();
    let described = text.parse::<toml_edit::DocumentMut>().is_ok_and(|document| {
        let poetry = document.get("tool").and_then(|tool| tool.get("poetry")).is_some();
        document.contains_key("project") || (poetry && document.contains_key("build-system"))
    });
    described || project.join("setup.py").is_file()
}

/// A list without the lines that name the project itself, such as `-e .`: it is installed on its
/// own, and not as a link to a folder that will be gone.
pub(super) fn without_project(list: &str) -> String {
    let names_it = |line: &str| {
        let bare = line.split(" #").next().unwrap_or(line).trim();
        let target = ["-e", "--editable=", "--editable"]
            .iter()
            .find_map(|option| bare.strip_prefix(option))
            .unwrap_or(bare)
            .trim();
        matches!(target, "." | "./" | "file:.")
    };
    list.lines().filter(|line| !names_it(line)).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_most_exact_file_counts() {
        let files = [("requirements.txt", "x"), ("requirements.lock", "x==1"), ("uv.lock", "")];
        let folder = project(&files);
        let of = |uv| Requirements::of(folder.path(), &[], uv).unwrap();
        assert_eq!(of(false).lists, [folder.path().join("requirements.lock")]);
        assert!(of(true).uv_lock && of(true).lists.is_empty());
    }

    #[test]
    fn named_files_come_instead_and_must_be_there() {
        let folder = project(&[("requirements.txt", "x"), ("other.txt", "y")]);
        let other = folder.path().join("other.txt");
        let found = Requirements::of(folder.path(), std::slice::from_ref(&other), false).unwrap();
        assert_eq!(found.lists, [other]);
        let error = Requirements::of(folder.path(), &["/no/such.txt".into()], false).unwrap_err();
        assert_eq!(error.to_string(), "--requirement /no/such.txt: no such file or folder");
    }

    #[test]
    fn a_pyproject_of_tools_only_is_no_package() {
        let of = |text| {
            let folder = project(&[("pyproject.toml", text)]);
            Requirements::of(folder.path(), &[], false).unwrap()
        };
        assert!(of("[project]\nname = 'x'\n").installable);
        assert!(of("[build-system]\nrequires = []\n[tool.poetry]\nname = 'x'\n").installable);
        assert!(of("[tool.black]\nline-length = 100\n").is_silent());
    }

    #[test]
    fn the_project_itself_is_left_out_of_its_list() {
        let list =
            "-e .\n--editable=.\n.  # this\nrequests==2\n-e git+https://x/y#egg=y\n./vendored\n";
        assert_eq!(without_project(list), "requests==2\n-e git+https://x/y#egg=y\n./vendored\n");
    }
}
