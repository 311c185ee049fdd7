//! What is in the place of a virtualenv.

use std::path::Path;

use pinion_config::files::SystemFiles;
use pinion_config::python_home;

use super::{EnvError, Interpreter, STAMP};

/// What is in the place of a virtualenv.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// A virtualenv that works.
    Works {
        /// Its interpreter.
        python: Interpreter,
        /// What it was made from, where this program made it.
        stamp: Option<String>,
    },
}

/// Looks at the virtualenv in `home`, and runs its interpreter.
///
/// # Errors
/// Something else is there, or the virtualenv is broken: its base Python is gone, or it was made
/// for another architecture.
pub fn state(home: &Path) -> Result<State, EnvError> {
    if home.symlink_metadata().is_err() {
        return Ok(State::Absent);
    }
    if !home.join("pyvenv.cfg").exists() {
        return Err(EnvError::Occupied(home.to_owned()));
    }
    let found = python_home::resolve(&SystemFiles, home).map_err(|e| EnvError::broken(home, &e))?;
    let python = Interpreter::ask(&found.interpreter)
        .map_err(|error| EnvError::Broken { home: home.to_owned(), reason: error.to_string() })?;
    let stamp = std::fs::read_to_string(home.join(STAMP)).ok();
    Ok(State::Works { python, stamp })
}

/// The Python that a virtualenv's was made from.
///
/// # Errors
/// It cannot be run.
pub fn base_of(python: &Interpreter) -> Result<Interpreter, EnvError> {
    let bin = python.base.join("bin");
    let names = [format!("python{}", python.minor()), "python3".to_owned()];
    let base = names.iter().map(|name| bin.join(name)).find(|path| path.exists());
    base.map_or_else(|| Ok(python.clone()), |path| Interpreter::ask(&path))
}

/// The distributions in a virtualenv, by the folders of their metadata.
pub fn packages(home: &Path, python: &Interpreter) -> Vec<String> {
    let folder = home.join(format!("lib/python{}/site-packages", python.minor()));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let stem =
                name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"))?;
            Some(stem.rsplit_once('-').map_or(stem, |(name, _)| name).to_owned())
        })
        .collect();
    names.sort();
    names
}
