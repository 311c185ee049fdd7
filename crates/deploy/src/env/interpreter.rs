//! The Python that a virtualenv is made from.

use std::io;
use std::path::{Path, PathBuf};

use pinion_config::access::{self, Credentials, Want};
use pinion_config::files::SystemFiles;
use pinion_config::python_home::OLDEST;
use serde::Deserialize;

use super::EnvError;
use crate::account::Account;
use crate::interrupt::Interrupt;
use crate::tool::{Tool, ToolError};

/// The system's number for a program of another machine.
const EXEC_FORMAT: i32 = 8;

/// An interpreter that was run and asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// What to run.
    pub path: PathBuf,
    /// Its version, as `3.11.2`.
    pub version: String,
    /// Where its library is, virtualenvs seen through.
    pub base: PathBuf,
}

#[derive(Deserialize)]
struct Told {
    version: [u8; 3],
    base: PathBuf,
}

impl Interpreter {
    /// The Python that `named` means: a path, a version such as `3.12` (of the distribution, in
    /// PATH, or pyenv's newest), or a name such as `python3.12`; without one, the system's python3.
    ///
    /// # Errors
    /// There is none, or it cannot be run.
    pub fn find(named: Option<&str>) -> Result<Self, EnvError> {
        let Some(named) = named else { return Self::first("python3", candidates("python3")) };
        if named.contains('/') {
            return Self::first(named, vec![PathBuf::from(named)]);
        }
        let is_version = named.starts_with(|c: char| c.is_ascii_digit());
        let name = if is_version { format!("python{named}") } else { named.to_owned() };
        let mut places = candidates(&name);
        places.extend(pyenv(name.trim_start_matches("python")));
        Self::first(named, places)
    }

    fn first(named: &str, places: Vec<PathBuf>) -> Result<Self, EnvError> {
        match places.iter().find(|place| place.is_file()) {
            Some(found) => Self::ask(found),
            None => {
                let looked: Vec<_> = places.iter().map(|p| p.display().to_string()).collect();
                Err(EnvError::NoPython { named: named.to_owned(), looked: looked.join(", ") })
            }
        }
    }

    /// Runs the interpreter at `path` and asks what it is: as who is in charge of it, since a
    /// virtualenv that belongs to the site's user may hold that user's programs.
    ///
    /// # Errors
    /// It cannot be run, is no Python, or too old.
    pub fn ask(path: &Path) -> Result<Self, EnvError> {
        let code = "import json, sys; \
                    print(json.dumps({'version': sys.version_info[:3], 'base': sys.base_prefix}))";
        let not = |reason: String| EnvError::NotRunnable { path: path.to_owned(), reason };
        let output = Tool::new(path)
            .args(["-I", "-c", code])
            .within(Path::new("/"))
            .run_as(&Account::in_charge_of(path))
            .run(&Interrupt::deaf());
        let output = output.map_err(|error| not(why(&error)))?;
        let told: Told = serde_json::from_str(output.trim())
            .map_err(|_other| not("it answers as no Python does".to_owned()))?;
        let [major, minor, micro] = told.version;
        let version = format!("{major}.{minor}.{micro}");
        if (major, minor) < (OLDEST.major, OLDEST.minor) {
            return Err(EnvError::TooOld { path: path.to_owned(), found: version });
        }
        Ok(Self { path: path.to_owned(), version, base: told.base })
    }

    /// As `3.11`: what a virtualenv and its base have in common.
    pub fn minor(&self) -> &str {
        self.version.rsplit_once('.').map_or(&self.version, |(minor, _)| minor)
    }

    /// Whether that user can run it and read its library.
    ///
    /// # Errors
    /// Names the component on the way that keeps the user out.
    pub fn usable_by(&self, account: &Account) -> Result<(), EnvError> {
        if account.uid == 0 {
            return Ok(());
        }
        let who = Credentials { uid: account.uid, gids: vec![account.gid] };
        let library = self.base.join("lib").join(format!("python{}", self.minor()));
        for path in [&self.path, &library] {
            access::reach(&SystemFiles, &who, path, Want::Execute).map_err(|denied| {
                EnvError::Unreachable {
                    path: path.clone(),
                    user: account.user.clone(),
                    reason: denied.to_string(),
                }
            })?;
        }
        Ok(())
    }
}

/// Why an interpreter did not answer.
fn why(error: &ToolError) -> String {
    match error {
        ToolError::Start { source, .. } if source.raw_os_error() == Some(EXEC_FORMAT) => {
            "it was built for another architecture".to_owned()
        }
        ToolError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            "it, or the loader that it names, does not exist".to_owned()
        }
        ToolError::Start { source, .. } => source.to_string(),
        ToolError::Failed { status, output, .. } => format!("{status}: {output}"),
        ToolError::Interrupted { .. } => "interrupted".to_owned(),
    }
}

/// Where a program of that name may be: the distribution's first, then PATH's.
fn candidates(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let shims = |folder: &PathBuf| !folder.ends_with(".pyenv/shims");
    let mut places: Vec<PathBuf> = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from).into();
    places.extend(std::env::split_paths(&path).filter(shims));
    places.dedup();
    places.into_iter().map(|folder| folder.join(name)).collect()
}

/// pyenv's Pythons of that version, the newest first.
fn pyenv(version: &str) -> Vec<PathBuf> {
    let own = std::env::home_dir().map(|home| home.join(".pyenv"));
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or(own);
    let Some(versions) = root.map(|root| root.join("versions")) else { return Vec::new() };
    let prefix = format!("{version}.");
    let mut found: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let matches = name == version || name.starts_with(&prefix);
            let numbers = name.split('.').map(|part| part.parse().unwrap_or(0)).collect();
            matches.then(|| (numbers, entry.path().join("bin/python3")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_python_is_found_without_a_name() {
        let python = Interpreter::find(None).unwrap();
        assert_eq!(python.path, Path::new("/usr/bin/python3"));
        assert!(python.version.starts_with(python.minor()));
    }

    #[test]
    fn a_version_that_is_not_there_is_told_with_the_places() {
        let error = Interpreter::find(Some("3.99")).unwrap_err().to_string();
        assert!(
            error.starts_with("--python 3.99: no such Python; looked for /usr/bin/python3.99"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_python_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python3");
        std::fs::copy("/bin/true", &path).unwrap();
        let error = Interpreter::find(path.to_str()).unwrap_err().to_string();
        assert!(error.ends_with("it answers as no Python does"), "{error}");
    }

    #[test]
    fn another_architecture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python3");
        let mut program = std::fs::read("/bin/true").unwrap();
        // The machine in an ELF header; 0xF7 with 0xFF above it is nobody's.
        program[18..20].copy_from_slice(&[0xF7, 0xFF]);
        std::fs::write(&path, program).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        let error = Interpreter::find(path.to_str()).unwrap_err().to_string();
        assert!(error.ends_with("it was built for another architecture"), "{error}");
    }
}
