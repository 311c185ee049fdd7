//! A program that runs out of cargo's target folder: the worker core is built there too, and staged beside the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CORE, LibraryError};

/// The workspace whose target folder the program is in, when cargo runs it.
pub(super) fn workspace_of(program: &Path) -> Option<PathBuf> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let root = package.ancestors().find(|folder| is_workspace(folder))?.to_owned();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let target = root.join(target).canonicalize().ok()?;
    // `target/release/pinion`; a staged `target/dist/bin/pinion` is whole by itself.
    (program.parent()?.parent()? == target).then_some(root)
}

fn is_workspace(folder: &Path) -> bool {
    folder.join("crates/worker/Cargo.toml").is_file() && folder.join(PYTHON).is_dir()
}

/// The Python files of the checkout.
const PYTHON: &str = "python";

/// Where the library of a program in `folder` is staged.
pub(super) fn place(folder: &Path) -> PathBuf {
    folder.join("lib/pinion")
}

/// Builds the worker core as the program was built, and stages it with the Python files beside the program.
pub(super) fn build(workspace: &Path, program: &Path) -> Result<PathBuf, LibraryError> {
    let folder = program.parent().unwrap_or(program);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--package", "pinion-worker"]).current_dir(workspace);
    // Cargo's settings in the workspace hold for what runs in it.
    if folder.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let built = command.status().map_err(|error| LibraryError::Build(error.to_string()))?;
    if !built.success() {
        return Err(LibraryError::Build(built.to_string()));
    }
    let library = place(folder);
    stage(&folder.join("lib_pinion.so"), &workspace.join(PYTHON), &library)
        .map_err(|error| LibraryError::Build(format!("{}: {error}", library.display())))?;
    Ok(library)
}

fn stage(core: &Path, python: &Path, library: &Path) -> std::io::Result<()> {
    fs::create_dir_all(library)?;
    replace(core, &library.join(CORE))?;
    for entry in fs::read_dir(python)? {
        let path = entry?.path();
        if let (Some(name), Some("py")) =
            (path.file_name(), path.extension().and_then(|e| e.to_str()))
        {
            replace(&path, &library.join(name))?;
        }
    }
    Ok(())
}

/// Replaces `target` by a copy of `source` in one step, unless it is the same already: a server that runs keeps what it has mapped.
fn replace(source: &Path, target: &Path) -> std::io::Result<()> {
    if fs::read(target).is_ok_and(|present| fs::read(source).is_ok_and(|wanted| wanted == present))
    {
        return Ok(());
    }
    let fresh = target.with_extension(format!("new{}", std::process::id()));
    fs::copy(source, &fresh)?;
    fs::rename(&fresh, target)
}
