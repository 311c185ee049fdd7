//! The Python interpreters of this machine.

use crate::{Error, command, packages, place};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Versions that Pinion supports, oldest first.
pub const SUPPORTED: &[Version] =
    &[Version(3, 9), Version(3, 10), Version(3, 11), Version(3, 12), Version(3, 13)];

/// Major and minor version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(
    /// Major.
    pub u8,
    /// Minor.
    pub u8,
);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// An interpreter that Apache's user can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// The executable.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

/// What [`survey`] found.
#[derive(Debug, Clone)]
pub struct Survey {
    /// One interpreter a version, oldest first.
    pub found: Vec<Interpreter>,
    /// Supported versions that this machine lacks: say that tests on them were skipped.
    pub missing: Vec<Version>,
}

/// Debian's own `/usr/bin/python3`.
///
/// # Errors
/// It is not installed.
pub fn system() -> Result<Interpreter, Error> {
    let path = PathBuf::from("/usr/bin/python3");
    let version = version_of(&path)
        .ok_or_else(|| Error::NoPython { version: "3 as /usr/bin/python3".to_owned() })?;
    Ok(Interpreter { path, version })
}

/// The interpreter of that version: Debian's if it is one, else pyenv's.
///
/// pyenv below a home that Apache's user may not enter is copied into the testbed once; a Python
/// finds its prefix from its own place, so a copy works.
///
/// # Errors
/// There is none, or the copy failed.
pub fn find(version: Version) -> Result<Interpreter, Error> {
    let debian = PathBuf::from(format!("/usr/bin/python{version}"));
    if version_of(&debian) == Some(version) {
        return Ok(Interpreter { path: debian, version });
    }
    let home =
        pyenv_home(version).ok_or_else(|| Error::NoPython { version: version.to_string() })?;
    let home = if place::is_root() && !place::open_to_all(&home) {
        let name = home.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        place::copy_once(&home, &format!("relocated-{name}"), |copy| relocate(copy, version))?
    } else {
        home
    };
    Ok(Interpreter { path: home.join(format!("bin/python{version}")), version })
}

/// Lets a copied interpreter find the libpython beside it, if it needs one: the path in it names the
/// home that it was copied from.
fn relocate(copy: &Path, version: Version) -> Result<(), Error> {
    if !copy.join(format!("lib/libpython{version}.so.1.0")).exists() {
        return Ok(());
    }
    packages::ensure(&["patchelf"])?;
    let program = copy.join(format!("bin/python{version}"));
    let mut patchelf = Command::new("patchelf");
    command::run(patchelf.args(["--set-rpath", "$ORIGIN/../lib"]).arg(program)).map(drop)
}

/// Looks for each supported version.
///
/// # Errors
/// An interpreter exists but could not be made readable for Apache's user.
pub fn survey() -> Result<Survey, Error> {
    let mut survey = Survey { found: Vec::new(), missing: Vec::new() };
    for version in SUPPORTED {
        match find(*version) {
            Ok(interpreter) => survey.found.push(interpreter),
            Err(Error::NoPython { .. }) => survey.missing.push(*version),
            Err(other) => return Err(other),
        }
    }
    Ok(survey)
}

/// The folder of pyenv's newest Python of that minor version.
fn pyenv_home(version: Version) -> Option<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".pyenv")))?;
    let prefix = format!("{version}.");
    let mut homes: Vec<PathBuf> = std::fs::read_dir(root.join("versions"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&prefix)))
        .filter(|path| path.join(format!("bin/python{version}")).exists())
        .collect();
    homes.sort();
    homes.pop()
}

/// Asks an executable for its version.
fn version_of(path: &Path) -> Option<Version> {
    let code = "import sys; print(*sys.version_info[:2])";
    let answer = command::run(Command::new(path).args(["-I", "-c", code])).ok()?;
    let (major, minor) = answer.trim().split_once(' ')?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}
