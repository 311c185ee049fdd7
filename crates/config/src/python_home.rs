//! Which Python `python-home` means. Nothing is executed: a configuration test runs as root, and
//! what it looks at may belong to anybody.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::{FileKind, Files};

/// A Python that can run workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonHome {
    /// What to execute: a virtualenv's own `bin/python`, its links not resolved, since Python
    /// finds the virtualenv by the path that it is called by.
    pub interpreter: PathBuf,
    /// What `sys.prefix` will be.
    pub prefix: PathBuf,
    /// The version.
    pub version: Version,
    /// Whether it was built to run without a GIL, as `python3.14t` is: it needs a worker core of its own.
    pub free_threaded: bool,
    /// For a virtualenv, the `bin` folder of the Python that it was made from.
    pub base: Option<PathBuf>,
}

impl PythonHome {
    /// Whether it is a virtualenv.
    pub fn is_virtualenv(&self) -> bool {
        self.base.is_some()
    }
}

/// A version of Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The 3 in 3.11.
    pub major: u8,
    /// The 11 in 3.11.
    pub minor: u8,
}

/// The oldest version that the worker core runs on.
pub const OLDEST: Version = Version { major: 3, minor: 9 };

impl Version {
    /// Reads the beginning of `3.11.2`, or of `3.11.2.final.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?;
        let digits = minor.bytes().take_while(u8::is_ascii_digit).count();
        Some(Self { major, minor: minor[..digits].parse().ok()? })
    }

    /// The version in a name such as `python3.11`, of a program or of a folder in `lib`.
    pub fn of_name(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("python")?;
        // `python3.13t` is the free-threaded build of 3.13.
        let number = rest.strip_suffix('t').unwrap_or(rest);
        number.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| Self::parse(number))?
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a path is no Python's home.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HomeError {
    /// Nothing is at the path.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A file that is not in a `bin` folder.
    #[error("{} is a file, but not the bin/python of a Python", .0.display())]
    NotInBin(PathBuf),
    /// No interpreter is in the folder.
    #[error("{} has no bin/python", .0.display())]
    NoInterpreter(PathBuf),
    /// Nothing tells that it is a Python.
    #[error("{} has neither a pyvenv.cfg nor a lib/python3.*", .0.display())]
    NoLibrary(PathBuf),
    /// The Python that a virtualenv was made from is gone.
    #[error("{} was made from the Python in {}, which does not exist", prefix.display(), base.display())]
    BaseGone {
        /// The virtualenv.
        prefix: PathBuf,
        /// The `home` that its pyvenv.cfg names.
        base: PathBuf,
    },
    /// The interpreter is a link to nothing.
    #[error("{} is a symbolic link to {}, which does not exist", link.display(), target.display())]
    Dangling {
        /// The link.
        link: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// The interpreter is no program.
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// Nothing says which version it is.
    #[error("the version of {} cannot be told", .0.display())]
    NoVersion(PathBuf),
    /// Older than [`OLDEST`].
    #[error("{} is Python {found}, and Pinion needs {OLDEST} or newer", interpreter.display())]
    TooOld {
        /// The interpreter.
        interpreter: PathBuf,
        /// Its version.
        found: Version,
    },
    /// The system has no python3.
    #[error("there is no /usr/bin/python3, and no python3 in PATH")]
    NoSystemPython,
    /// The file system gave another error.
    #[error("{}: {reason}", path.display())]
    Failed {
        /// Where.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// Finds the Python that a path means: a virtualenv, its `bin/python`, or a Python's prefix.
///
/// # Errors
/// Says what is missing there.
pub fn resolve(files: &dyn Files, path: &Path) -> Result<PythonHome, HomeError> {
    // The path's own end may carry a slash, which would hide that it is a link.
    let path: PathBuf = path.components().collect();
    match files.stat(&path) {
        Ok(stat) if stat.kind == FileKind::Folder => in_folder(files, &path),
        Ok(_) => by_interpreter(files, &path),
        Err(error) => match (files.lstat(&path), in_bin(&path)) {
            (Ok(_), Some(_)) => by_interpreter(files, &path),
            (Ok(_), None) => Err(dangling(files, &path)),
            (Err(_), _) => Err(failed(&path, &error)),
        },
    }
}

/// The Python of groups for which nothing is configured: `/usr/bin/python3`, else the first
/// `python3` in the folders of `search_path`.
///
/// # Errors
/// Says what is wrong with the one that was found, or that none was.
pub fn system(files: &dyn Files, search_path: &[PathBuf]) -> Result<PythonHome, HomeError> {
    [PathBuf::from("/usr/bin")]
        .iter()
        .chain(search_path)
        .map(|folder| folder.join("python3"))
        .find(|program| files.stat(program).is_ok_and(|stat| stat.kind == FileKind::File))
        .ok_or(HomeError::NoSystemPython)
        .and_then(|program| by_interpreter(files, &program))
}

fn in_folder(files: &dyn Files, prefix: &Path) -> Result<PythonHome, HomeError> {
    let config = read_config(files, prefix)?;
    // A prefix may hold a Python 2 under the plain name; a virtualenv always means its own.
    let names = if config.is_some() { ["python", "python3"] } else { ["python3", "python"] };
    let interpreter = names
        .iter()
        .map(|name| prefix.join("bin").join(name))
        .find(|program| files.lstat(program).is_ok())
        .ok_or_else(|| HomeError::NoInterpreter(prefix.to_owned()))?;
    describe(files, prefix, interpreter, config)
}

fn by_interpreter(files: &dyn Files, interpreter: &Path) -> Result<PythonHome, HomeError> {
    let prefix = in_bin(interpreter).ok_or_else(|| HomeError::NotInBin(interpreter.to_owned()))?;
    let config = read_config(files, prefix)?;
    describe(files, prefix, interpreter.to_owned(), config)
}

/// The folder above the `bin` that the program is in.
fn in_bin(program: &Path) -> Option<&Path> {
    let bin = program.parent()?;
    (bin.file_name()? == "bin").then(|| bin.parent())?
}

fn describe(
    files: &dyn Files,
    prefix: &Path,
    interpreter: PathBuf,
    config: Option<VenvConfig>,
) -> Result<PythonHome, HomeError> {
    let libraries = library_versions(files, prefix);
    if config.is_none() && libraries.is_empty() && linked_version(files, &interpreter).is_none() {
        return Err(HomeError::NoLibrary(prefix.to_owned()));
    }
    let base = config.as_ref().and_then(|config| config.home.clone());
    if let Some(base) = base.as_ref().filter(|base| files.stat(base).is_err()) {
        return Err(HomeError::BaseGone { prefix: prefix.to_owned(), base: base.clone() });
    }
    match files.stat(&interpreter) {
        Err(_) => return Err(dangling(files, &interpreter)),
        Ok(stat) if stat.kind != FileKind::File || stat.mode & 0o111 == 0 => {
            return Err(HomeError::NotExecutable(interpreter));
        }
        Ok(_) => {}
    }
    let version = config
        .and_then(|config| config.version)
        .or_else(|| linked_version(files, &interpreter))
        .or_else(|| (libraries.len() == 1).then(|| libraries[0]))
        .ok_or_else(|| HomeError::NoVersion(interpreter.clone()))?;
    if version < OLDEST {
        return Err(HomeError::TooOld { interpreter, found: version });
    }
    let free_threaded = is_free_threaded(files, prefix, &interpreter, version);
    Ok(PythonHome { interpreter, prefix: prefix.to_owned(), version, free_threaded, base })
}

/// Whether an interpreter is free-threaded: by its own name, or by that of the folder of its modules where only one of
/// the two is there.
fn is_free_threaded(
    files: &dyn Files,
    prefix: &Path,
    interpreter: &Path,
    version: Version,
) -> bool {
    if linked_name(files, interpreter).is_some_and(|name| name.ends_with('t')) {
        return true;
    }
    let has = |name: String| files.stat(&prefix.join("lib").join(name)).is_ok();
    has(format!("python{version}t")) && !has(format!("python{version}"))
}

/// The versions for which `lib/python3.*` folders are below a prefix, in order.
pub(crate) fn library_versions(files: &dyn Files, prefix: &Path) -> Vec<Version> {
    let names = files.list(&prefix.join("lib")).unwrap_or_default();
    let mut versions: Vec<_> = names
        .iter()
        .filter_map(|name| Version::of_name(name.to_str()?))
        .filter(|version| version.major == 3)
        .collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// The version in the name of the interpreter, or of a file that its links lead to.
fn linked_version(files: &dyn Files, interpreter: &Path) -> Option<Version> {
    linked_name(files, interpreter).as_deref().and_then(Version::of_name)
}

/// The name of the interpreter, or of a file that its links lead to, if there is a version in it.
fn linked_name(files: &dyn Files, interpreter: &Path) -> Option<String> {
    let mut path = interpreter.to_owned();
    for _ in 0..40 {
        let name = path.file_name()?.to_str()?;
        if Version::of_name(name).is_some() {
            return Some(name.to_owned());
        }
        let target = files.read_link(&path).ok()?;
        path = path.parent()?.join(target);
    }
    None
}

fn dangling(files: &dyn Files, link: &Path) -> HomeError {
    match files.read_link(link) {
        Ok(target) => HomeError::Dangling { link: link.to_owned(), target },
        Err(error) => failed(link, &error),
    }
}

fn failed(path: &Path, error: &io::Error) -> HomeError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            HomeError::Missing(path.to_owned())
        }
        _ => HomeError::Failed { path: path.to_owned(), reason: error.to_string() },
    }
}

/// What a pyvenv.cfg says.
struct VenvConfig {
    home: Option<PathBuf>,
    version: Option<Version>,
}

fn read_config(files: &dyn Files, prefix: &Path) -> Result<Option<VenvConfig>, HomeError> {
    let path = prefix.join("pyvenv.cfg");
    match files.read(&path) {
        Ok(text) => Ok(Some(parse_config(&text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&path, &error)),
    }
}

/// `venv` writes `version`, virtualenv and uv write `version_info`.
fn parse_config(text: &str) -> VenvConfig {
    let mut config = VenvConfig { home: None, version: None };
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "home" => config.home = Some(PathBuf::from(value)),
            "version" | "version_info" => {
                config.version = Version::parse(value).or(config.version);
            }
            _ => {}
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::SystemFiles;
    use crate::files::memory::MemoryFiles;

    const V311: Version = Version { major: 3, minor: 11 };

    fn debian() -> MemoryFiles {
        MemoryFiles::new()
            .program("/usr/bin/python3.11")
            .link("/usr/bin/python3", "python3.11")
            .folder("/usr/lib/python3.11")
            .folder("/usr/lib/python3")
            .folder("/usr/lib/python2.7")
    }

    fn venv(config: &str) -> MemoryFiles {
        debian()
            .file("/srv/venv/pyvenv.cfg", config)
            .link("/srv/venv/bin/python3", "/usr/bin/python3")
            .link("/srv/venv/bin/python", "python3")
            .folder("/srv/venv/lib/python3.11/site-packages")
    }

    fn at(files: &MemoryFiles, path: &str) -> Result<PythonHome, HomeError> {
        resolve(files, Path::new(path))
    }

    #[test]
    fn a_free_threaded_python_is_told_by_its_name_or_its_folder() {
        let free = |files: &MemoryFiles, path: &str| at(files, path).unwrap().free_threaded;
        let both = debian()
            .program("/opt/bin/python3.14")
            .program("/opt/bin/python3.14t")
            .link("/opt/bin/python3", "python3.14")
            .link("/opt/bin/python", "python3.14t")
            .folder("/opt/lib/python3.14")
            .folder("/opt/lib/python3.14t")
            .folder("/alone/lib/python3.14t")
            .program("/alone/bin/python3.14")
            .link("/alone/bin/python3", "python3.14");
        assert!(free(&both, "/opt/bin/python3.14t") && free(&both, "/opt/bin/python"));
        assert!(!free(&both, "/opt/bin/python3") && !free(&both, "/opt"));
        assert!(free(&both, "/alone"), "Debian's way of installing it: only the folder tells");
        let venv = both
            .file("/srv/free/pyvenv.cfg", "home = /opt/bin\nversion = 3.14.1\n")
            .link("/srv/free/bin/python", "/opt/bin/python3.14t")
            .folder("/srv/free/lib/python3.14t/site-packages");
        assert!(free(&venv, "/srv/free"));
    }

    #[test]
    fn a_virtualenv_is_found_by_its_folder_and_by_its_interpreter() {
        let files = venv("home = /usr/bin\nversion = 3.11.2\n");
        let expected = PythonHome {
            interpreter: "/srv/venv/bin/python".into(),
            prefix: "/srv/venv".into(),
            version: V311,
            free_threaded: false,
            base: Some("/usr/bin".into()),
        };
        assert_eq!(at(&files, "/srv/venv"), Ok(expected.clone()));
        assert_eq!(at(&files, "/srv/venv/"), Ok(expected.clone()));
        assert_eq!(at(&files, "/srv/venv/bin/python"), Ok(expected));
        let by_name = at(&files, "/srv/venv/bin/python3").unwrap();
        assert_eq!(by_name.interpreter, Path::new("/srv/venv/bin/python3"));
        assert!(by_name.is_virtualenv());
    }

    #[test]
    fn the_version_comes_from_what_each_tool_writes() {
        for config in [
            "home = /usr/bin\nversion = 3.11.2",
            "home=/usr/bin\nversion_info = 3.11.2.final.0",
            "HOME = /usr/bin\nuv = 0.5",
            "home = /usr/bin\nversion = unknown",
        ] {
            assert_eq!(at(&venv(config), "/srv/venv").unwrap().version, V311, "{config}");
        }
    }

    #[test]
    fn a_prefix_needs_no_pyvenv_cfg() {
        let home = at(&debian(), "/usr").unwrap();
        assert_eq!(home.interpreter, Path::new("/usr/bin/python3"));
        assert_eq!((home.version, home.is_virtualenv()), (V311, false));
        let built =
            MemoryFiles::new().program("/opt/py/bin/python3").folder("/opt/py/lib/python3.13t");
        assert_eq!(at(&built, "/opt/py").unwrap().version, Version { major: 3, minor: 13 });
    }

    #[test]
    fn what_is_missing_is_named() {
        let files = debian()
            .folder("/srv/empty")
            .file("/srv/app.wsgi", "")
            .program("/srv/odd/bin/python")
            .folder("/srv/two/lib/python3.10")
            .folder("/srv/two/lib/python3.12")
            .program("/srv/two/bin/python3");
        let path = |p: &str| PathBuf::from(p);
        for (home, error) in [
            ("/srv/none", HomeError::Missing(path("/srv/none"))),
            ("/srv/app.wsgi", HomeError::NotInBin(path("/srv/app.wsgi"))),
            ("/srv/app.wsgi/x", HomeError::Missing(path("/srv/app.wsgi/x"))),
            ("/srv/empty", HomeError::NoInterpreter(path("/srv/empty"))),
            ("/srv/odd", HomeError::NoLibrary(path("/srv/odd"))),
            ("/srv/two", HomeError::NoVersion(path("/srv/two/bin/python3"))),
        ] {
            assert_eq!(at(&files, home), Err(error), "{home}");
        }
    }

    #[test]
    fn a_virtualenv_whose_python_is_gone_is_told_as_that() {
        let files = venv("home = /opt/python3.12/bin\nversion = 3.12.1");
        let error =
            HomeError::BaseGone { prefix: "/srv/venv".into(), base: "/opt/python3.12/bin".into() };
        assert_eq!(at(&files, "/srv/venv"), Err(error));
    }

    #[test]
    fn an_interpreter_must_run() {
        let dangling =
            MemoryFiles::new().folder("/v/lib/python3.11").link("/v/bin/python", "/gone/python");
        let error =
            HomeError::Dangling { link: "/v/bin/python".into(), target: "/gone/python".into() };
        assert_eq!(at(&dangling, "/v"), Err(error.clone()));
        assert_eq!(at(&dangling, "/v/bin/python"), Err(error));
        let plain = MemoryFiles::new().folder("/v/lib/python3.11").file("/v/bin/python", "");
        assert_eq!(at(&plain, "/v"), Err(HomeError::NotExecutable("/v/bin/python".into())));
    }

    #[test]
    fn old_versions_are_refused() {
        let old = |minor| {
            MemoryFiles::new().program("/v/bin/python").folder(&format!("/v/lib/python3.{minor}"))
        };
        assert!(matches!(at(&old(8), "/v"), Err(HomeError::TooOld { .. })));
        assert!(at(&old(9), "/v").is_ok());
    }

    #[test]
    fn without_a_home_the_systems_python_runs() {
        let home = system(&debian(), &[]).unwrap();
        assert_eq!(home.interpreter, Path::new("/usr/bin/python3"));
        let image = MemoryFiles::new()
            .program("/usr/local/bin/python3.12")
            .link("/usr/local/bin/python3", "python3.12")
            .folder("/usr/local/lib/python3.12");
        let home = system(&image, &["/bin".into(), "/usr/local/bin".into()]).unwrap();
        assert_eq!(home.interpreter, Path::new("/usr/local/bin/python3"));
        assert_eq!(system(&MemoryFiles::new(), &[]), Err(HomeError::NoSystemPython));
    }

    #[test]
    fn names_tell_versions() {
        for (name, version) in [
            ("python3.11", Some(V311)),
            ("python3.11t", Some(V311)),
            ("python3", None),
            ("python", None),
            ("python3.11-config", None),
            ("pypy3.9", None),
        ] {
            assert_eq!(Version::of_name(name), version, "{name}");
        }
    }

    #[test]
    fn real_files_are_read_too() {
        let root = tempfile::tempdir().unwrap();
        let prefix = root.path().join("venv");
        let bin = prefix.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let config = format!("home = {}\nversion = 3.12.4\n", root.path().display());
        std::fs::write(prefix.join("pyvenv.cfg"), config).unwrap();
        std::os::unix::fs::symlink("/bin/sh", bin.join("python")).unwrap();
        let home = resolve(&SystemFiles, &prefix).unwrap();
        assert_eq!(home.interpreter, bin.join("python"));
        assert_eq!(home.version, Version { major: 3, minor: 12 });
    }
}
