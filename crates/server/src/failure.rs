//! What is said when the application does not load.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::Advice;
use pinion_deploy::project::Kind;
use thiserror::Error;

use crate::plan::Plan;

/// Why the application does not load.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A module, or a distribution, is not installed.
    #[error("no {what} in {python}, which {title} needs")]
    Missing {
        /// The module or distribution.
        what: String,
        /// The Python.
        python: String,
        /// The application.
        title: String,
        /// How to install it.
        install: String,
    },
    /// The module that was named is not there.
    #[error("no module {module} in {} and {python}", root.display())]
    NoTarget {
        /// The module.
        module: String,
        /// Where it was looked for first.
        root: PathBuf,
        /// The Python.
        python: String,
    },
    /// Anything else.
    #[error("{title} does not load: {reason}")]
    Fails {
        /// The application.
        title: String,
        /// The last line of the traceback.
        reason: String,
    },
}

impl Advice for LoadError {
    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } | Self::NoTarget { .. } => Code::ImportMissing,
            Self::Fails { .. } => Code::ApplicationFails,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Missing { install, .. } => install.clone(),
            Self::NoTarget { module, .. } => {
                format!("run it in the folder that {module} is in, or correct the name")
            }
            Self::Fails { reason, .. } if reason.starts_with("the script has no callable") => {
                "define it, or name another one with --callable".to_owned()
            }
            Self::Fails { reason, .. } if reason.contains("startup-timeout=") => {
                "the stack shows where it was; if it needs the time, give it more with --startup-timeout".to_owned()
            }
            Self::Fails { .. } => "mend what the traceback names".to_owned(),
        }
    }
}

impl LoadError {
    /// What the traceback means for who has started the server.
    pub fn of(plan: &Plan, traceback: &str) -> Self {
        let title = plan.found.title();
        let reason = last_line(traceback);
        let python = plan.python.to_string();
        if let Kind::Callable(named) | Kind::Flask(named) = &plan.found.project.kind
            && missing_module(reason).is_some_and(|module| is_part(module, &named.module))
        {
            let (module, root) = (named.module.clone(), plan.found.project.root.clone());
            return Self::NoTarget { module, root, python };
        }
        match missing(reason, plan) {
            Some((what, distribution)) => {
                Self::Missing { what, python, title, install: install(plan, &distribution) }
            }
            None => Self::Fails { title, reason: cause(traceback) },
        }
    }
}

/// Why it does not load, in one line: what ended the worker, or the exception and the warm-up that met it.
fn cause(detail: &str) -> String {
    let first = detail.lines().next().unwrap_or_default();
    if let Some((_worker, ended)) = first.split_once(" while it loaded: ") {
        return ended.trim_end_matches("; its last output:").to_owned();
    }
    let last = last_line(detail);
    let warmup = first.split_once(": ").filter(|(what, _)| what.starts_with("warmup="));
    match warmup {
        Some((warmup, _)) if !last.starts_with("warmup=") => format!("{warmup}: {last}"),
        _ => last.to_owned(),
    }
}

/// The last line that says something.
pub fn last_line(traceback: &str) -> &str {
    traceback
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no reason given")
}

/// What of it a person wants to see: the traceback, without what says that the script failed; nothing where one line says all.
pub fn shown(traceback: &str) -> &str {
    const HEAD: &str = "Traceback (most recent call last):";
    let shown = traceback.find(HEAD).map_or(traceback, |at| &traceback[at..]).trim_end();
    if shown.contains('\n') { shown } else { "" }
}

fn missing_module(reason: &str) -> Option<&str> {
    let rest = reason.strip_prefix("ModuleNotFoundError: No module named ")?;
    rest.split('\'').nth(1)
}

/// Whether `whole` is the module or one in it.
fn is_part(module: &str, whole: &str) -> bool {
    whole.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What is missing, in words, and the distribution that has it; the distribution is empty for one of the project's own.
fn missing(reason: &str, plan: &Plan) -> Option<(String, String)> {
    if let Some(module) = missing_module(reason) {
        let top = module.split('.').next().unwrap_or(module);
        // A module of a package that is there: its own mistake, not a missing package.
        if plan.found.project.module_file(top).is_some() {
            return None;
        }
        return Some((format!("module {module}"), distribution(top).to_owned()));
    }
    let name = reason
        .strip_prefix("importlib.metadata.PackageNotFoundError: No package metadata was found for ")
        .or_else(|| reason.strip_prefix("pkg_resources.DistributionNotFound: The '"))?;
    let name = name.split(['\'', ' ']).next()?.to_owned();
    Some((format!("package {name}"), name))
}

/// The distribution that has a module, where they are not called the same.
fn distribution(module: &str) -> &str {
    match module {
        "tg" => "TurboGears2",
        "paste" => "PasteDeploy",
        "yaml" => "PyYAML",
        "PIL" => "Pillow",
        "bs4" => "beautifulsoup4",
        "MySQLdb" => "mysqlclient",
        "psycopg2" => "psycopg2-binary",
        "dateutil" => "python-dateutil",
        "dotenv" => "python-dotenv",
        "attr" => "attrs",
        "cv2" => "opencv-python",
        "sklearn" => "scikit-learn",
        "django" => "Django",
        "flask" => "Flask",
        other => other,
    }
}

/// The command that installs what is missing: all that the project asks for, where it says that.
fn install(plan: &Plan, distribution: &str) -> String {
    let root = &plan.found.project.root;
    let home = &plan.python.home;
    let what = if root.join("requirements.txt").is_file() {
        format!("-r {}", root.join("requirements.txt").display())
    } else if plan.found.project.metadata.source.is_some()
        && !matches!(plan.found.project.kind, Kind::Script(_))
    {
        format!("-e {}", root.display())
    } else {
        distribution.to_owned()
    };
    if home.is_virtualenv() {
        return format!("{} -m pip install {what}", home.interpreter.display());
    }
    // Distributions refuse to have their own Python changed.
    let own = root.join(".venv");
    let make = |own: &Path| format!("{} -m venv {}", home.interpreter.display(), own.display());
    format!("{} && {}/bin/python -m pip install {what}", make(&own), own.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_why_it_does_not_load() {
        for (detail, why) in [
            (
                "Traceback (most recent call last):\n  File \"x\"\nValueError: no\n",
                "ValueError: no",
            ),
            ("the script has no callable app", "the script has no callable app"),
            ("warmup=/a: the application answered 500", "warmup=/a: the application answered 500"),
            (
                "warmup=/a?b: Traceback (most recent call last):\n  File \"x\"\nKeyError: 'c: d'",
                "warmup=/a?b: KeyError: 'c: d'",
            ),
            (
                "worker 7 of process group 'a: b' while it loaded: not loaded within startup-timeout=0.500; its last output:\n\
                 File \"x\", line 1 in <module>",
                "not loaded within startup-timeout=0.500",
            ),
            ("worker 7 while it loaded: ended with exit code 4", "ended with exit code 4"),
            ("", "no reason given"),
        ] {
            assert_eq!(cause(detail), why);
        }
    }
}
