//! The baseline: a virtualenv with nothing in it, the clean environment that `WSGIPythonHome` names.

use std::path::Path;

use super::{EnvError, Interpreter, State, packages, state};
use crate::tool::Tool;

/// The command that makes an empty virtualenv.
pub fn make_baseline(python: &Interpreter, home: &Path) -> Tool {
    Tool::new(&python.path).args(["-m", "venv", "--without-pip"]).arg(home)
}

/// Whether the baseline is there as it should be; what is there and is none is an error.
///
/// # Errors
/// It is broken, of another version than `python`, or has packages.
pub fn baseline_is_there(home: &Path, python: &Interpreter) -> Result<bool, EnvError> {
    let State::Works { python: found, .. } = state(home)? else { return Ok(false) };
    if found.minor() != python.minor() {
        return Err(EnvError::OtherVersion {
            home: home.to_owned(),
            found: found.minor().to_owned(),
            wanted: python.minor().to_owned(),
        });
    }
    // Those that venv itself puts there do no harm: an older baseline has them.
    let usual = ["pip", "setuptools", "wheel"];
    let extra: Vec<_> =
        packages(home, &found).into_iter().filter(|name| !usual.contains(&name.as_str())).collect();
    if extra.is_empty() {
        return Ok(true);
    }
    Err(EnvError::NotEmpty { home: home.to_owned(), packages: extra.join(", ") })
}
