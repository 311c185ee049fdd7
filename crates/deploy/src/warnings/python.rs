//! The baseline and the application's virtualenv.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_config::python_home::{HomeError, PythonHome, resolve};
use thiserror::Error;

use super::shown;
use crate::deployment::Deployment;
use crate::error::Advice;
use crate::finding::Finding;
use crate::sight::Sight;

/// A virtualenv that is there and cannot be used.
#[derive(Debug, Error)]
pub enum PythonError {
    /// It is no virtualenv, or its base is gone.
    #[error("{option}: {source}")]
    Broken {
        /// The parameter.
        option: &'static str,
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: HomeError,
    },
    /// Its interpreter is for another machine.
    #[error("{option}: {} is a program for another architecture ({found}, and this machine is {here})", interpreter.display())]
    OtherMachine {
        /// The parameter.
        option: &'static str,
        /// The virtualenv.
        folder: PathBuf,
        /// Its interpreter.
        interpreter: PathBuf,
        /// What it is for.
        found: String,
        /// What this machine is.
        here: String,
    },
}

impl Advice for PythonError {
    fn code(&self) -> Code {
        Code::VirtualenvBroken
    }

    fn hint(&self) -> String {
        let (option, folder) = match self {
            Self::Broken { option, folder, .. } | Self::OtherMachine { option, folder, .. } => {
                (*option, folder)
            }
        };
        format!("{}; it is {}", make_anew(option), shown(folder))
    }
}

fn make_anew(option: &str) -> &'static str {
    if option == "baseline" {
        "make it anew: move it away, then sudo pinion env baseline"
    } else {
        "make it anew: move it away, then sudo pinion env create"
    }
}

/// Refuses a baseline or virtualenv that is there and cannot be used.
///
/// # Errors
/// What is wrong with the first that is.
pub fn usable(deployment: &Deployment, sight: &Sight<'_>) -> Result<(), PythonError> {
    for (option, folder) in homes(deployment) {
        match home(option, folder, sight) {
            Ok(_) | Err(PythonError::Broken { source: HomeError::Missing(_), .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn homes(deployment: &Deployment) -> impl Iterator<Item = (&'static str, &Path)> {
    let layout = &deployment.layout;
    let baseline = layout.baseline.as_deref().map(|path| ("baseline", path));
    let virtualenv = layout.virtualenv.as_deref().map(|path| ("virtualenv", path));
    baseline.into_iter().chain(virtualenv)
}

fn home(option: &'static str, folder: &Path, sight: &Sight<'_>) -> Result<PythonHome, PythonError> {
    let home = resolve(sight.files, folder).map_err(|source| PythonError::Broken {
        option,
        folder: folder.to_owned(),
        source,
    })?;
    let here = (sight.machine)(Path::new("/proc/self/exe"));
    match ((sight.machine)(&home.interpreter), here) {
        (Some(found), Some(here)) if found != here => Err(PythonError::OtherMachine {
            option,
            folder: folder.to_owned(),
            interpreter: home.interpreter,
            found: machine_name(found),
            here: machine_name(here),
        }),
        _ => Ok(home),
    }
}

/// The usual machines by name, as `uname -m` has them; others by the number of the ELF header.
fn machine_name(number: u16) -> String {
    let name = match number {
        3 => "i386",
        8 => "mips",
        20 => "ppc",
        21 => "ppc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv",
        other => return format!("ELF machine {other}"),
    };
    name.to_owned()
}

/// The baseline and the virtualenv: missing, broken, or of two versions.
pub fn pythons(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = Vec::new();
    for (option, folder) in homes(deployment) {
        match home(option, folder, sight) {
            Ok(home) => found.push((option, home)),
            Err(PythonError::Broken { source: HomeError::Missing(_), .. }) => {
                findings.push(missing(deployment, option, folder));
            }
            Err(error) => findings.push(Finding::new(
                Code::VirtualenvBroken,
                error.to_string(),
                "no process can run with it",
                make_anew(option),
            )),
        }
    }
    if let [(_, baseline), (_, virtualenv)] = &found[..]
        && baseline.version != virtualenv.version
    {
        findings.push(Finding::new(
            Code::VersionsDiffer,
            format!(
                "the baseline is Python {}, the virtualenv {} is Python {}",
                baseline.version,
                shown(&virtualenv.prefix),
                virtualenv.version
            ),
            "the packages of one version cannot be layered on another",
            format!(
                "sudo pinion env create {} --python {}",
                deployment.settings.name.plain(),
                baseline.interpreter.display()
            ),
        ));
    }
    findings
}

fn missing(deployment: &Deployment, option: &str, folder: &Path) -> Finding {
    if option == "baseline" {
        return Finding::new(
            Code::BaselineMissing,
            format!("there is no baseline virtualenv at {}", shown(folder)),
            "it is the clean environment that the application's virtualenv is layered on",
            "sudo pinion env baseline",
        );
    }
    let name = super::word(deployment.settings.name.as_str());
    Finding::new(
        Code::VirtualenvMissing,
        format!("there is no virtualenv at {}", shown(folder)),
        "it holds the application's packages; the deployment folder holds its code",
        format!("sudo pinion env create {name}"),
    )
}
