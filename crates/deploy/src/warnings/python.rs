//! The baseline and the application's virtualenv.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_config::python_home::{HomeError, PythonHome, resolve};
use thiserror::Error;

use super::{quoted, shown, word};
use crate::deployment::Deployment;
use crate::error::Advice;
use crate::finding::Finding;
use crate::settings::DEFAULT_VIRTUALENVS;
use crate::sight::Sight;

/// A virtualenv that is there and cannot be used.
#[derive(Debug, Error)]
pub enum PythonError {
    /// It is no virtualenv, or its base is gone.
    #[error("--{option}: {source}")]
    Broken {
        /// The parameter.
        option: &'static str,
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: HomeError,
    },
    /// Its interpreter is for another machine.
    #[error("--{option}: {} is a program for another architecture ({found}, and this machine is {here})", interpreter.display())]
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
        make_anew(option, folder)
    }
}

fn make_anew(option: &str, folder: &Path) -> String {
    let old = word(&format!("{}.old", shown(folder)));
    let command = if option == "baseline" { "baseline" } else { "create" };
    format!("sudo mv {} {old} && sudo pinion env {command}", quoted(folder))
}

/// What makes the baseline, from any folder.
pub fn baseline_command(deployment: &Deployment) -> String {
    let path = deployment.layout.baseline.as_deref();
    let usual = Path::new(DEFAULT_VIRTUALENVS).join("BASELINE");
    let path = path.filter(|path| *path != usual).map(|path| format!(" --path {}", quoted(path)));
    format!("sudo pinion env baseline{}", path.unwrap_or_default())
}

/// What makes the application's virtualenv, from any folder.
pub fn create_command(deployment: &Deployment) -> String {
    let name = deployment.settings.name.as_str();
    let path = deployment.layout.virtualenv.as_deref();
    let usual = Path::new(DEFAULT_VIRTUALENVS).join(name);
    let path = path.filter(|path| *path != usual).map(|path| format!(" --path {}", quoted(path)));
    let project = quoted(&deployment.layout.project);
    format!("sudo pinion env create {} --project {project}{}", word(name), path.unwrap_or_default())
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
                make_anew(option, folder),
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
            format!("{} --python {}", create_command(deployment), quoted(&baseline.interpreter)),
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
            baseline_command(deployment),
        );
    }
    Finding::new(
        Code::VirtualenvMissing,
        format!("there is no virtualenv at {}", shown(folder)),
        "it holds the application's packages; the deployment folder holds its code",
        create_command(deployment),
    )
}
