//! An application's virtualenv: made, and its project installed with all that it needs.

use std::fs;
use std::path::{Path, PathBuf};

use pinion_config::access::{Credentials, Want, reach};
use pinion_config::files::SystemFiles;
use serde::Serialize;

use super::requirements::without_project;
use super::{EnvError, Interpreter, Requirements, State, state};
use crate::account::Account;
use crate::copy;
use crate::error::FileError;
use crate::interrupt::Interrupt;
use crate::place::give_tree;
use crate::tool::Tool;

/// What installs packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Installer {
    /// The virtualenv's own pip.
    Pip,
    /// The program `uv`.
    Uv(PathBuf),
}

impl Installer {
    /// The one named `pip` or `uv`; without a name, uv where it is installed and the project has
    /// a lock file that only uv reads, else pip.
    ///
    /// # Errors
    /// uv was named and is not installed.
    pub fn choose(named: Option<&str>, project: Option<&Path>) -> Result<Self, EnvError> {
        let locked = project.is_some_and(|folder| {
            ["uv.lock", "pylock.toml"].iter().any(|name| folder.join(name).is_file())
        });
        match (named, uv()) {
            (Some("uv"), Some(program)) => Ok(Self::Uv(program)),
            (Some("uv"), None) => Err(EnvError::NoUv),
            (None, Some(program)) if locked => Ok(Self::Uv(program)),
            _ => Ok(Self::Pip),
        }
    }

    /// Whether it is uv.
    pub fn is_uv(&self) -> bool {
        matches!(self, Self::Uv(_))
    }
}

fn uv() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/local/bin".into());
    folders.into_iter().map(|folder| folder.join("uv")).find(|program| program.is_file())
}

/// A virtualenv for an application, and what goes into it.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The virtualenv.
    pub home: PathBuf,
    /// What it is made from.
    pub python: Interpreter,
    /// The project's folder, if one is to be installed.
    pub project: Option<PathBuf>,
    /// What of the project's folder does not count as a change of it: the generated files.
    pub left_out: Option<PathBuf>,
    /// What the project asks for.
    pub requirements: Requirements,
    /// What the deployment needs and projects do not declare.
    pub packages: Vec<String>,
    /// Folders of wheels.
    pub find_links: Vec<PathBuf>,
    /// Whether nothing but those folders may be asked.
    pub no_index: bool,
    /// What installs.
    pub installer: Installer,
}

/// What tells whether a virtualenv still is what would be made now.
#[derive(Serialize)]
struct Stamp<'a> {
    python: &'a str,
    lists: Vec<String>,
    packages: &'a [String],
    find_links: &'a [PathBuf],
    no_index: bool,
    uv: bool,
    project: Option<String>,
}

impl Installation {
    /// What tells this installation from another: versions, lists, and the project's content.
    ///
    /// # Errors
    /// A list or the project cannot be read.
    pub fn stamp(&self) -> Result<String, EnvError> {
        let read = |path: &PathBuf| fs::read_to_string(path).map_err(FileError::at("read", path));
        let lists: Result<Vec<String>, _> = self.requirements.lists.iter().map(read).collect();
        let project = match &self.project {
            Some(folder) => Some(copy::fingerprint(folder, self.left_out.as_deref())?),
            None => None,
        };
        let stamp = Stamp {
            python: self.python.minor(),
            lists: lists?,
            packages: &self.packages,
            find_links: &self.find_links,
            no_index: self.no_index,
            uv: self.installer.is_uv(),
            project,
        };
        // Of strings and booleans only: it cannot fail.
        Ok(serde_json::to_string(&stamp).unwrap_or_default())
    }

    /// Whether the virtualenv is there with just this in it.
    ///
    /// # Errors
    /// What is there is broken, or of another Python.
    pub fn is_there(&self) -> Result<bool, EnvError> {
        let State::Works { python, stamp } = state(&self.home)? else { return Ok(false) };
        if python.minor() != self.python.minor() {
            return Err(EnvError::OtherVersion {
                home: self.home.clone(),
                found: python.minor().to_owned(),
                wanted: self.python.minor().to_owned(),
            });
        }
        Ok(stamp == Some(self.stamp()?))
    }

    /// The commands that make the virtualenv and fill it; `source` is where the project is built
    /// from, a folder that may be written to.
    fn commands(&self, source: &Path) -> Vec<Tool> {
        let mut commands = Vec::new();
        if !self.home.join("pyvenv.cfg").exists() {
            commands.push(self.create());
        }
        let list = source.join(EXPORTED);
        if let Installer::Uv(uv) = &self.installer
            && self.requirements.uv_lock
        {
            let export = ["export", "--frozen", "--no-dev", "--no-emit-project", "--quiet"];
            let tool = Tool::new(uv).args(export).arg("--output-file").arg(&list);
            commands.push(tool.within(source));
        }
        for list in self.lists(source) {
            commands.push(self.installs().arg("--requirement").arg(list).within(source));
        }
        let project = self.requirements.installable.then_some(".");
        if project.is_some() || !self.packages.is_empty() {
            commands.push(self.installs().args(project).args(&self.packages).within(source));
        }
        commands
    }

    /// The lists as they are in `source`, where there are any.
    fn lists(&self, source: &Path) -> Vec<PathBuf> {
        let numbered = |(at, list): (usize, &PathBuf)| {
            let name = list.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            // The standard lock file is told from a list by its name.
            let is_lock = name.starts_with("pylock.") && name.ends_with(".toml");
            let lock = format!("pylock.pinion-{at}.toml");
            source.join(if is_lock { lock } else { format!("{EXPORTED}.{at}") })
        };
        let named = self.requirements.lists.iter().enumerate();
        let mut lists: Vec<PathBuf> = named.map(numbered).collect();
        if self.requirements.uv_lock {
            lists.push(source.join(EXPORTED));
        }
        lists
    }

    fn create(&self) -> Tool {
        match &self.installer {
            Installer::Pip => Tool::new(&self.python.path).args(["-m", "venv"]).arg(&self.home),
            Installer::Uv(uv) => Tool::new(uv)
                .args(["venv", "--quiet", "--no-project", "--python"])
                .arg(&self.python.path)
                .arg(&self.home),
        }
    }

    fn installs(&self) -> Tool {
        let python = self.home.join("bin/python");
        let tool = match &self.installer {
            Installer::Pip => Tool::new(python)
                .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
                .quietly("PIP_ROOT_USER_ACTION", "ignore"),
            Installer::Uv(uv) => Tool::new(uv)
                .args(["pip", "install", "--link-mode", "copy", "--python"])
                .arg(python),
        };
        let tool = if self.no_index { tool.arg("--no-index") } else { tool };
        self.find_links.iter().fold(tool, |tool, folder| tool.arg("--find-links").arg(folder))
    }

    /// What a person would type: as it is run, but from the project's own folder.
    pub fn lines(&self) -> Vec<String> {
        let none = PathBuf::new();
        let source = self.project.as_ref().unwrap_or(&none);
        let copies = self.lists(source).into_iter().map(|list| list.display().to_string());
        let own = self.requirements.lists.iter().map(|list| list.display().to_string());
        let pairs: Vec<_> = copies.zip(own).collect();
        let named =
            |line: String| pairs.iter().fold(line, |line, (from, to)| line.replace(from, to));
        self.commands(source).iter().map(|tool| named(tool.line())).collect()
    }
}

/// The name of lists that are made for an installation.
const EXPORTED: &str = ".pinion-requirements";

/// Makes the virtualenv in its folder, which is there and `account`'s, and installs into it. Returns
/// what is to be written to its stamp.
///
/// All runs as `account`: what belongs to the site's user must not be run by root. The project is
/// built from a copy, since builds write into their source.
///
/// # Errors
/// A command failed, or was interrupted; the virtualenv is then half made, for the caller to remove.
pub fn install(
    wanted: &Installation,
    account: &Account,
    interrupt: &Interrupt,
) -> Result<String, EnvError> {
    if let Some(absent) = wanted.find_links.iter().find(|folder| !folder.exists()) {
        return Err(EnvError::NoFile { option: "--find-links", path: absent.clone() });
    }
    let stamp = wanted.stamp()?;
    let source = tempfile::Builder::new()
        .prefix("pinion-build-")
        .tempdir()
        .map_err(FileError::at("make a folder in", &std::env::temp_dir()))?;
    if let Some(project) = &wanted.project {
        copy::copy_project(project, source.path())?;
    }
    for (list, to) in wanted.requirements.lists.iter().zip(wanted.lists(source.path())) {
        let text = fs::read_to_string(list).map_err(FileError::at("read", list))?;
        fs::write(&to, without_project(&text)).map_err(FileError::at("write", &to))?;
    }
    let within_reach = wanted.within_reach(account, source.path())?;
    give_tree(source.path(), account)?;
    for command in within_reach.commands(source.path()) {
        let command = command.run_as(account).quietly("UV_NO_CACHE", "1");
        command.run(interrupt).map_err(|error| wanted.failed(error))?;
    }
    Ok(stamp)
}

impl Installation {
    /// The same with copies of the wheels, and of uv, that the account cannot reach where they are.
    fn within_reach(&self, account: &Account, source: &Path) -> Result<Self, FileError> {
        let who = Credentials { uid: account.uid, gids: vec![account.gid] };
        let reached = |path: &Path, want| reach(&SystemFiles, &who, path, want).is_ok();
        let mut own = self.clone();
        for (at, links) in own.find_links.iter_mut().enumerate() {
            if reached(links, Want::Read) && (!links.is_dir() || reached(links, Want::Execute)) {
                continue;
            }
            let copies = source.join(format!(".pinion-wheels.{at}"));
            fs::create_dir(&copies).map_err(FileError::at("make", &copies))?;
            let files: Vec<PathBuf> = match links.read_dir() {
                Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
                Err(_file) => vec![links.clone()],
            };
            for file in files.iter().filter(|file| file.is_file()) {
                let copy = copies.join(file.file_name().unwrap_or_default());
                copy::copy_file(file, &copy, 0o644, None)?;
            }
            *links = if links.is_dir() {
                copies
            } else {
                copies.join(links.file_name().unwrap_or_default())
            };
        }
        if let Installer::Uv(uv) = &mut own.installer
            && !reached(uv, Want::Execute)
        {
            let copy = source.join(".pinion-uv");
            copy::copy_file(uv, &copy, 0o755, None)?;
            *uv = copy;
        }
        Ok(own)
    }
}

impl Installation {
    /// What goes into it, in a few words.
    pub fn summary(&self) -> String {
        let mut parts = vec![format!("Python {}", self.python.minor())];
        let names = self.requirements.lists.iter().filter_map(|list| list.file_name());
        parts.extend(names.map(|name| name.to_string_lossy().into_owned()));
        if self.requirements.uv_lock {
            parts.push("uv.lock".to_owned());
        }
        if self.requirements.installable {
            parts.push("the project".to_owned());
        }
        parts.extend(self.packages.iter().cloned());
        parts.join(", ")
    }

    fn failed(&self, error: crate::tool::ToolError) -> EnvError {
        use crate::tool::ToolError;
        match error {
            ToolError::Failed { output, .. } if output.contains("ensurepip is not available") => {
                EnvError::NoVenv(self.python.path.clone())
            }
            ToolError::Interrupted { .. } => EnvError::Tool(error),
            source => EnvError::Install { source, no_index: self.no_index },
        }
    }
}
