//! The generated folder: the Apache configuration, the WSGI script, the test script and the README.

mod configuration;
mod readme;
mod script;
mod statics;

use std::path::{Path, PathBuf};

use crate::deployment::Deployment;
use crate::error::Result;
use crate::finding::Finding;
use crate::steps::Step;

pub use script::{Source, application_of};
pub use statics::{Served, Statics};

/// A file of the generated folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Where it goes.
    pub path: PathBuf,
    /// Its whole text, without fingerprint.
    pub text: String,
}

/// Fills all templates; nothing is written. `steps` and `findings` are for the README.
///
/// # Errors
/// A name or path that cannot be quoted in one of the files.
pub fn generate(
    deployment: &Deployment,
    statics: &Statics,
    steps: &[Step],
    findings: &[Finding],
) -> Result<Vec<Generated>> {
    let names = &deployment.layout.files;
    let at = |name: &str| deployment.layout.output.join(name);
    let mut files = vec![
        Generated {
            path: at(&names.configuration),
            text: configuration::text(deployment, statics)?,
        },
        Generated { path: at(&names.script), text: script::text(deployment)? },
    ];
    if let Some(name) = &names.test {
        files.push(Generated { path: at(name), text: script::test(deployment)? });
    }
    let text = readme::text(deployment, steps, findings)?;
    files.push(Generated { path: at(&names.readme), text });
    Ok(files)
}

/// A path as the files hold it; all paths of a deployment come from text.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn optional(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| text(path))
}
