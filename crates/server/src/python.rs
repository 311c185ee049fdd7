//! Which Python runs the application.

use std::fmt;
use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_config::files::SystemFiles;
use pinion_config::python_home::{self, HomeError, PythonHome};
use pinion_deploy::env::Interpreter;
use pinion_deploy::error::Advice;
use thiserror::Error;

use crate::error::Result;

/// What is looked at where `--python` says nothing.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The variable `VIRTUAL_ENV`.
    pub virtual_env: Option<PathBuf>,
    /// The folders of `PATH`.
    pub search_path: Vec<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let virtual_env = std::env::var_os("VIRTUAL_ENV").filter(|value| !value.is_empty());
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            virtual_env: virtual_env.map(PathBuf::from),
            search_path: std::env::split_paths(&path).collect(),
        }
    }
}

/// A Python, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The Python.
    pub home: PythonHome,
    /// Who named it.
    pub source: Source,
}

/// Who named a Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Source {
    Option,
    VirtualEnv,
    Project,
    System,
}

impl fmt::Display for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let home = &self.home;
        let place = if home.is_virtualenv() { &home.prefix } else { &home.interpreter };
        write!(f, "Python {} ({})", home.version, place.display())
    }
}

/// A Python that cannot be used.
#[derive(Debug, Error)]
#[error("{named}: {reason}")]
pub struct PythonError {
    named: String,
    reason: HomeError,
}

impl Advice for PythonError {
    fn code(&self) -> Code {
        match &self.reason {
            HomeError::Missing(_) => Code::PythonHomeMissing,
            HomeError::BaseGone { .. } => Code::PythonBaseGone,
            HomeError::TooOld { .. } => Code::PythonTooOld,
            HomeError::NoSystemPython => Code::PythonUnusable,
            _ => Code::PythonHomeInvalid,
        }
    }

    fn hint(&self) -> String {
        match &self.reason {
            HomeError::NoSystemPython => {
                "install Python 3.9 or newer, or name one with --python".to_owned()
            }
            HomeError::BaseGone { prefix, .. } => {
                format!("make the virtualenv anew: python3 -m venv --clear {}", prefix.display())
            }
            _ => "name a virtualenv, its bin/python, or a version with --python".to_owned(),
        }
    }
}

/// Finds the Python for the project in `root`: the named one, that of `VIRTUAL_ENV`, the project's `.venv` or `venv`, else python3.
///
/// # Errors
/// The one that is meant does not exist or cannot be used; then no other is taken.
pub fn find(named: Option<&str>, root: &Path, around: &Surroundings) -> Result<Python> {
    if let Some(named) = named {
        let path = PathBuf::from(named);
        let path = if path.is_absolute() { path } else { Interpreter::find(Some(named))?.path };
        return Ok(resolved(&path, Source::Option, || format!("--python {named}"))?);
    }
    if let Some(home) = &around.virtual_env {
        let named = || "VIRTUAL_ENV".to_owned();
        return Ok(resolved(home, Source::VirtualEnv, named)?);
    }
    let own = [".venv", "venv"].map(|name| root.join(name));
    if let Some(home) = own.into_iter().find(|home| home.join("pyvenv.cfg").exists()) {
        let named = || "the project's virtualenv".to_owned();
        return Ok(resolved(&home, Source::Project, named)?);
    }
    Ok(system(around)?)
}

fn resolved(
    path: &Path,
    source: Source,
    named: impl Fn() -> String,
) -> Result<Python, PythonError> {
    let found = python_home::resolve(&SystemFiles, path);
    let home = found.map_err(|reason| PythonError { named: named(), reason })?;
    Ok(Python { home, source })
}

/// The `python3` that a person would get by typing it. Where that is none that can be told (pyenv's are shell scripts), the system's.
fn system(around: &Surroundings) -> Result<Python, PythonError> {
    let programs = around.search_path.iter().map(|folder| folder.join("python3"));
    let typed = programs
        .filter(|program| program.is_file())
        .find_map(|program| python_home::resolve(&SystemFiles, &program).ok());
    let home = match typed {
        Some(home) => home,
        None => python_home::system(&SystemFiles, &around.search_path)
            .map_err(|reason| PythonError { named: "python3".to_owned(), reason })?,
    };
    Ok(Python { home, source: Source::System })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A virtualenv, as far as it is looked at.
    fn venv(at: &Path) {
        fs::create_dir_all(at.join("bin")).unwrap();
        fs::write(at.join("pyvenv.cfg"), "home = /usr/bin\nversion = 3.12.1\n").unwrap();
        std::os::unix::fs::symlink("/bin/sh", at.join("bin/python")).unwrap();
    }

    fn around(virtual_env: Option<PathBuf>) -> Surroundings {
        Surroundings { virtual_env, search_path: vec!["/usr/bin".into()] }
    }

    #[test]
    fn the_nearest_virtualenv_counts() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let find = |named: Option<&str>, env: Option<PathBuf>| {
            find(named, root.path(), &around(env)).unwrap()
        };
        assert_eq!(find(None, None).source, Source::System);
        venv(&at("venv"));
        assert_eq!(find(None, None).home.prefix, at("venv"));
        venv(&at(".venv"));
        let own = find(None, None);
        assert_eq!((own.source, &own.home.prefix), (Source::Project, &at(".venv")));
        assert_eq!(own.to_string(), format!("Python 3.12 ({})", at(".venv").display()));
        venv(&at("active"));
        assert_eq!(find(None, Some(at("active"))).home.prefix, at("active"));
        venv(&at("named"));
        let program = at("named/bin/python");
        for named in [at("named"), program] {
            let found = find(named.to_str(), Some(at("active")));
            assert_eq!((found.source, found.home.prefix), (Source::Option, at("named")));
        }
    }

    #[test]
    fn one_that_is_meant_and_broken_is_not_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let find = |named, env| find(named, root.path(), &around(env)).unwrap_err().to_string();
        let gone = root.path().join("gone");
        let said = find(None, Some(gone.clone()));
        assert!(
            said.contains(&format!("VIRTUAL_ENV: {} does not exist", gone.display())),
            "{said}"
        );
        assert!(find(Some("3.99"), None).contains("--python 3.99: no such Python"));
        fs::create_dir(root.path().join(".venv")).unwrap();
        fs::write(root.path().join(".venv/pyvenv.cfg"), "home = /nowhere\n").unwrap();
        let said = find(None, None);
        assert!(said.contains("the project's virtualenv"), "{said}");
        assert!(said.contains("has no bin/python"), "{said}");
    }
}
