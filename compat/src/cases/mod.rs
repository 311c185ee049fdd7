//! The cases, one module for each area.

mod environ;
mod input;
mod mounts;
mod response;

use crate::Suite;
use libtest_mimic::Failed;
use pinion_testbed::Site;
use std::path::PathBuf;

/// All suites.
pub(crate) fn suites() -> Vec<Suite> {
    [environ::suites(), mounts::suites(), input::suites(), response::suites()].concat()
}

/// Copies a script of `compat/apps` into the site and returns where it is.
fn app(site: &Site, name: &str) -> Result<PathBuf, Failed> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("apps").join(name);
    let text = std::fs::read(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    Ok(site.write(&format!("apps/{name}"), text)?)
}
