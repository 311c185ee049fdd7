//! Pythons without a GIL, and the worker cores that are built for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python::{Interpreter, Version};
use crate::{Error, command, workspace_root};

/// The oldest version that the worker core can be built for: the first whose free-threaded build CPython supports, and PyO3.
pub const OLDEST: Version = Version(3, 14);
/// The newest version that is looked for.
const NEWEST: u8 = 20;
/// Names more interpreters, with colons between them.
const VARIABLE: &str = "PINION_FREE_THREADED";

/// The free-threaded interpreters of this machine, one a version: `python3.14t` and newer ones in `PATH` and of pyenv, and those
/// that the variable `PINION_FREE_THREADED` names.
pub fn interpreters() -> Vec<Interpreter> {
    let named = std::env::var_os(VARIABLE).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(pyenv()).collect::<Vec<_>>();
    let usual = (OLDEST.1..=NEWEST).flat_map(|minor| {
        let name = format!("python3.{minor}t");
        folders.iter().map(move |folder| folder.join(&name)).collect::<Vec<_>>()
    });
    let mut found: Vec<Interpreter> = Vec::new();
    for path in std::env::split_paths(&named).chain(usual).filter(|path| path.is_file()) {
        if let Some(version) = version_without_gil(&path)
            && version >= OLDEST
            && found.iter().all(|other| other.version != version)
        {
            found.push(Interpreter { path, version });
        }
    }
    found
}

/// The folders of pyenv's programs.
fn pyenv() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| std::env::home_dir().map(|home| home.join(".pyenv")));
    let versions = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    versions
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect()
}

/// The version of an interpreter that was built with `--disable-gil`.
fn version_without_gil(path: &Path) -> Option<Version> {
    let code = "import sys, sysconfig\n\
                if sysconfig.get_config_var('Py_GIL_DISABLED'): print(*sys.version_info[:2])";
    let answer = command::run(Command::new(path).args(["-I", "-c", code])).ok()?;
    let (major, minor) = answer.trim().split_once(' ')?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}

/// Builds the worker core for an interpreter; returns the file, and the name by which a worker looks for it.
///
/// # Errors
/// The build failed, or the interpreter does not say how extension modules are called.
pub fn build_core(python: &Interpreter, release: bool) -> Result<(PathBuf, String), Error> {
    let code = "from importlib.machinery import EXTENSION_SUFFIXES as all; print(all[0], end='')";
    let suffix = command::run(Command::new(&python.path).args(["-I", "-c", code]))?;
    let target = target().join("free-threaded").join(python.version.to_string());
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    cargo.args([
        "build",
        "--quiet",
        "--lib",
        "--package",
        "pinion-worker",
        "--no-default-features",
    ]);
    cargo.arg("--target-dir").arg(&target).env("PYO3_PYTHON", &python.path);
    // From outside of the workspace, whose `.cargo/config.toml` has PyO3 ask no interpreter.
    cargo.arg("--manifest-path").arg(workspace_root().join("Cargo.toml"));
    cargo.current_dir("/").env_remove("PYO3_NO_PYTHON");
    let profile = if release { "release" } else { "debug" };
    if release {
        cargo.arg("--release");
    }
    command::run(&mut cargo)?;
    Ok((target.join(profile).join("lib_pinion.so"), format!("_pinion{suffix}")))
}

fn target() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR");
    folder.map_or_else(|| workspace_root().join("target"), |folder| workspace_root().join(folder))
}
