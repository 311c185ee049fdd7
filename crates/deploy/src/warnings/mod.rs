//! What is missing for a deployment, each with the command that mends it.
//!
//! All is decided by a [`Deployment`] and a [`Sight`]; nothing is changed.

mod access;
mod apache;
mod ini;
mod packages;
mod python;

use std::path::Path;

pub use access::{access, database, database_file};
pub use apache::apache;
pub use ini::ini;
pub(crate) use ini::install_command;
pub use packages::{imports, packages};
pub use python::{PythonError, baseline_command, create_command, pythons, usable};

use pinion_config::Code;

use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::render::word;
use crate::sight::Sight;

/// Everything that is missing, in the order in which a person mends it.
pub fn all(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Finding> {
    let parts = [
        apache(deployment, sight),
        pythons(deployment, sight),
        deployed(deployment, sight),
        ini(deployment, sight),
        packages(deployment, sight),
        access(deployment, sight),
        database(deployment, sight).into_iter().collect(),
    ];
    parts.into_iter().flatten().collect()
}

/// The project and its generated files at the deployment location.
pub fn deployed(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Finding> {
    let layout = &deployment.layout;
    if layout.in_place() {
        return Vec::new();
    }
    let copy = copy_command(deployment);
    if sight.files.stat(&layout.deployed).is_err() {
        return vec![Finding::new(
            Code::NotDeployed,
            format!("the project is not at its deployment location, {}", shown(&layout.deployed)),
            "Apache's user runs it from there; the folder that you work in stays yours",
            copy,
        )];
    }
    if sight.files.stat(&layout.script()).is_ok() {
        return Vec::new();
    }
    vec![Finding::new(
        Code::NotDeployed,
        format!("the WSGI script is not at {}", shown(&layout.script())),
        "the generated files were not copied with the project",
        copy,
    )]
}

/// What copies the project to its deployment location.
pub fn copy_command(deployment: &Deployment) -> String {
    let layout = &deployment.layout;
    let deployed = quoted(&layout.deployed);
    format!("sudo mkdir -p {deployed} && sudo cp -a {}/. {deployed}/", quoted(&layout.project))
}

/// A path as a word of a command.
pub(crate) fn quoted(path: &Path) -> String {
    word(&path.to_string_lossy())
}

/// A path in a message.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `user:group`, for chown.
pub(crate) fn owner(deployment: &Deployment) -> String {
    let settings = &deployment.settings;
    word(&format!("{}:{}", settings.user_name(), settings.group_name()))
}
