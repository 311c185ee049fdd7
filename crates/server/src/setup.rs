//! The project's own virtualenv, made with what the project requires.
//!
//! A file in it tells what it was made from; where that is still the same, nothing is run.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pinion_config::Code;
use pinion_config::files::SystemFiles;
use pinion_config::python_home;
use pinion_deploy::env::{EnvError, Interpreter, Requirements, undeclared};
use pinion_deploy::error::{Advice, FileError};
use pinion_deploy::project::{normal_name, requirement_name};
use pinion_deploy::render::word;
use pinion_wire::message::Identity;
use thiserror::Error;

use crate::error::Result;
use crate::plan::{Variables, Wanted};

/// The virtualenv's name in the project's folder.
const NAME: &str = ".venv";
/// The file in it that tells what it was made from.
const STAMP: &str = "pinion-serve.stamp";

/// A project that cannot be set up.
#[derive(Debug, Error)]
pub enum SetupError {
    /// A command could not be started.
    #[error("cannot run `{line}`: {source}")]
    Start {
        /// The command.
        line: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A command said no.
    #[error("`{line}` failed ({status})")]
    Failed {
        /// The command.
        line: String,
        /// Its exit status in words.
        status: String,
    },
    /// A command of unbalanced quotes.
    #[error("--setup-command {0:?} is no command: a quote is not closed")]
    NoCommand(String),
}

impl Advice for SetupError {
    fn code(&self) -> Code {
        match self {
            Self::NoCommand(_) => Code::SettingInvalid,
            _ => Code::SetupFailed,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Start { .. } => {
                "check the command's name; it is looked for in .venv/bin first".to_owned()
            }
            Self::Failed { .. } => "mend what it says above, and start again".to_owned(),
            Self::NoCommand(_) => "write it as in a shell, with each quote closed".to_owned(),
        }
    }
}

/// The virtualenv of the project in `root`.
pub fn home(root: &Path) -> PathBuf {
    root.join(NAME)
}

/// Makes the virtualenv, installs what the project requires, and runs its command once; what is done already is left alone. `say`
/// is told what is run, whose own words go to standard error.
///
/// # Errors
/// There is no Python to make it from, or a command fails.
pub fn ensure(wanted: &Wanted, say: impl Fn(&str)) -> Result<()> {
    let (identity, env) = wanted.account()?;
    let setup = Setup {
        root: &wanted.root,
        home: home(&wanted.root),
        requirements: Requirements::of(&wanted.root, &[], false)?,
        packages: Vec::new(),
        python: wanted.settings.python.as_deref(),
        identity: identity.as_ref(),
        env: &env,
    };
    let listed = setup.listed()?;
    let mut packages = undeclared(&wanted.found.project, &setup.requirements);
    // A tool for migrations is a deployment's need, not the application's.
    packages.retain(|name| name != "alembic" && !listed.contains(&normal_name(name)));
    Setup { packages, ..setup }.run(wanted.settings.setup_command.as_deref(), &say)
}

struct Setup<'a> {
    root: &'a Path,
    home: PathBuf,
    requirements: Requirements,
    /// What the project needs and does not declare.
    packages: Vec<String>,
    /// What the virtualenv is to be made from.
    python: Option<&'a str>,
    identity: Option<&'a Identity>,
    env: &'a Variables,
}

impl Setup<'_> {
    fn run(&self, command: Option<&str>, say: &impl Fn(&str)) -> Result<()> {
        let wanted = self.wanted()?;
        let works = python_home::resolve(&SystemFiles, &self.home).is_ok();
        let stamp = if works { Stamp::read(&self.home) } else { Stamp::default() };
        if !works || stamp.made_from != wanted {
            self.make(works, say)?;
            self.note(&Stamp { made_from: wanted.clone(), ..stamp.clone() })?;
        }
        let Some(line) = command.filter(|line| stamp.command != *line) else { return Ok(()) };
        let words = shlex::split(line).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| SetupError::NoCommand(line.to_owned()))?;
        self.execute(&words, say)?;
        self.note(&Stamp { made_from: wanted, command: line.to_owned() })
    }

    /// Makes the virtualenv anew unless it works, and installs.
    fn make(&self, works: bool, say: &impl Fn(&str)) -> Result<()> {
        if !works {
            let base = Interpreter::find(self.python)?.path;
            let mut has_venv =
                self.command(&[text(&base), "-c".into(), "import ensurepip, venv".into()]);
            let status = has_venv.stderr(Stdio::null()).status();
            if !status.is_ok_and(|status| status.success()) {
                return Err(EnvError::NoVenv(base).into());
            }
            let line = ["-m", "venv", "--clear"].map(str::to_owned);
            self.execute(
                &[vec![text(&base)], line.to_vec(), vec![text(&self.home)]].concat(),
                say,
            )?;
        }
        let what = self.to_install();
        if what.is_empty() {
            return Ok(());
        }
        let pip = ["-m", "pip", "install", "--disable-pip-version-check"].map(str::to_owned);
        let python = text(&self.home.join("bin/python"));
        self.execute(&[vec![python], pip.to_vec(), what].concat(), say)
    }

    /// What pip is told to install. The project itself is installed as a link to its folder.
    fn to_install(&self) -> Vec<String> {
        let lists = self.requirements.lists.iter().flat_map(|list| ["-r".to_owned(), text(list)]);
        let project = self.requirements.installable.then(|| ["-e".to_owned(), text(self.root)]);
        lists.chain(project.into_iter().flatten()).chain(self.packages.iter().cloned()).collect()
    }

    /// The names of what the project's lists require.
    fn listed(&self) -> Result<Vec<String>, FileError> {
        let mut files = Vec::new();
        self.requirements.lists.iter().try_for_each(|list| collect(list, &mut files))?;
        let lines = files.iter().flat_map(|(_, content)| content.lines());
        Ok(lines.map(|line| requirement_name(line.trim())).collect())
    }

    /// All that the virtualenv is made from, as text.
    fn wanted(&self) -> Result<String, FileError> {
        let mut files = Vec::new();
        for list in &self.requirements.lists {
            collect(list, &mut files)?;
        }
        if self.requirements.installable {
            for name in ["pyproject.toml", "setup.py", "setup.cfg"] {
                let file = self.root.join(name);
                if file.is_file() {
                    collect(&file, &mut files)?;
                }
            }
        }
        let mut all = format!("python {}\n", self.python.unwrap_or("python3"));
        for (file, content) in files {
            all.push_str(&format!("file {}\n{content}\n", file.display()));
        }
        all.push_str(&format!("packages {}\n", self.packages.join(" ")));
        Ok(all)
    }

    fn execute(&self, words: &[String], say: &impl Fn(&str)) -> Result<()> {
        let line = words.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ");
        say(&format!("$ {line}"));
        let start = |source| SetupError::Start { line: line.clone(), source };
        let status = self.command(words).status().map_err(start)?;
        if status.success() {
            return Ok(());
        }
        Err(SetupError::Failed { line, status: status.to_string() }.into())
    }

    /// A command in the project's folder, with the virtualenv's programs first, as the workers' user. What it says goes to
    /// standard error, since standard output may be an access log.
    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(words.first().map_or("", String::as_str));
        let bin = self.home.join("bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)));
        command
            .args(words.iter().skip(1))
            .current_dir(self.root)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("VIRTUAL_ENV", &self.home)
            .env("PATH", path.unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(io::stderr().as_fd().try_clone_to_owned().map_or(Stdio::null(), Stdio::from));
        if let Some(identity) = self.identity {
            command.uid(identity.uid).gid(identity.gid);
        }
        command
    }

    fn note(&self, stamp: &Stamp) -> Result<()> {
        let file = self.home.join(STAMP);
        let text = format!("{}\n{}", stamp.command, stamp.made_from);
        Ok(fs::write(&file, text).map_err(FileError::at("write", &file))?)
    }
}

/// What a virtualenv was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stamp {
    /// The command that was run once; empty for none.
    command: String,
    made_from: String,
}

impl Stamp {
    fn read(home: &Path) -> Self {
        let text = fs::read_to_string(home.join(STAMP)).unwrap_or_default();
        let (command, made_from) = text.split_once('\n').unwrap_or_default();
        Self { command: command.to_owned(), made_from: made_from.to_owned() }
    }
}

/// A file with those that it includes by `-r` and `-c`.
fn collect(file: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<(), FileError> {
    if files.iter().any(|(known, _)| known == file) {
        return Ok(());
    }
    let content = fs::read_to_string(file).map_err(FileError::at("read", file))?;
    let folder = file.parent().unwrap_or(file);
    let included: Vec<PathBuf> = content
        .lines()
        .filter_map(|line| {
            let options = ["-r ", "-c ", "--requirement ", "--constraint "];
            let name = options.iter().find_map(|option| line.trim().strip_prefix(option))?;
            Some(folder.join(name.split(" #").next().unwrap_or(name).trim()))
        })
        .filter(|path| path.is_file())
        .collect();
    files.push((file.to_owned(), content));
    included.iter().try_for_each(|path| collect(path, files))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
