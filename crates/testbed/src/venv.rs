//! Virtualenvs, made once and shared by tests that run at the same time.

use crate::place::{Lock, testbed_dir};
use crate::python::Interpreter;
use crate::{Error, command};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A virtualenv with the packages that it was asked for.
#[derive(Debug, Clone)]
pub struct Venv {
    /// Its folder.
    pub home: PathBuf,
    /// The version of its interpreter, as `3.11`.
    pub version: String,
}

impl Venv {
    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.home.join("bin/python")
    }

    /// One of its commands.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.home.join("bin").join(name)
    }

    /// Its site-packages.
    pub fn site_packages(&self) -> PathBuf {
        self.home.join(format!("lib/python{}/site-packages", self.version))
    }
}

/// The virtualenv `name` on `interpreter` with `packages` (pip requirements); made if absent.
///
/// The folder's name carries a hash of interpreter and packages, and a file lock keeps two
/// processes from building the same one.
///
/// # Errors
/// venv or pip failed.
pub fn ensure(name: &str, interpreter: &Interpreter, packages: &[&str]) -> Result<Venv, Error> {
    let venvs = testbed_dir()?.join("venvs");
    std::fs::create_dir_all(&venvs).map_err(Error::io(format!("making {}", venvs.display())))?;
    let home = venvs.join(format!("{name}-{:016x}", key(interpreter, packages)));
    let venv = Venv { home, version: interpreter.version.to_string() };
    let done = venv.home.join(".complete");
    let _lock = Lock::take(&venv.home.with_extension("lock"))?;
    if !done.exists() {
        create(&interpreter.path, &venv)?;
        install(&venv, packages)?;
        std::fs::write(&done, packages.join("\n"))
            .map_err(Error::io(format!("writing {}", done.display())))?;
    }
    Ok(venv)
}

/// Installs more packages into a virtualenv with pip; arguments as on its command line.
///
/// # Errors
/// pip failed.
pub fn install(venv: &Venv, arguments: &[&str]) -> Result<(), Error> {
    if arguments.is_empty() {
        return Ok(());
    }
    let mut pip = Command::new(venv.python());
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(arguments);
    command::run(&mut pip).map(drop)
}

fn create(interpreter: &Path, venv: &Venv) -> Result<(), Error> {
    command::run(Command::new(interpreter).args(["-m", "venv", "--clear"]).arg(&venv.home))
        .map(drop)
}

fn key(interpreter: &Interpreter, packages: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&interpreter.path, interpreter.version.0, interpreter.version.1, packages).hash(&mut hasher);
    hasher.finish()
}
