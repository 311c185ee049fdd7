//! A program that runs out of cargo's target folder: what it needs beside itself is built there too, and staged.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pinion_unix::lock::Lock;

use super::stage::Stage;
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

/// The tree that is staged for a program in `folder`.
pub(super) fn tree(folder: &Path) -> PathBuf {
    folder.join("tree")
}

/// Waits until nobody else stages.
fn alone(path: &Path) -> std::io::Result<Lock> {
    loop {
        let file = File::options().create(true).append(true).open(path)?;
        if let Some(lock) = Lock::take(file)? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Builds the worker core, and for Apache the module, as the program was built, and stages them; returns the tree's folder.
pub(super) fn build(
    workspace: &Path,
    program: &Path,
    module: bool,
) -> Result<PathBuf, LibraryError> {
    let folder = program.parent().unwrap_or(program);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Cargo's settings in the workspace hold for what runs in it.
    command.args(["build", "--package", "pinion-worker"]).current_dir(workspace);
    if module {
        command.args(["--package", "mod_pinion"]);
    }
    if folder.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let built = command.status().map_err(|error| LibraryError::Build(error.to_string()))?;
    if !built.success() {
        return Err(LibraryError::Build(built.to_string()));
    }
    // Another program of this checkout may be at the same.
    let _lock = alone(&folder.join("tree.lock")).map_err(|error| {
        LibraryError::Build(format!("the staged tree cannot be locked: {error}"))
    })?;
    let mut stage = Stage::new(tree(folder));
    stage.add(&folder.join("lib_pinion.so"), Path::new(super::LIBRARY).join(CORE));
    let module_file = folder.join("libmod_pinion.so");
    if module || module_file.is_file() {
        stage.add(&module_file, super::MODULE);
        stage.add(program, super::PROGRAM);
    }
    stage
        .add_python(&workspace.join(PYTHON), super::LIBRARY)
        .and_then(|()| stage.apply())
        .map_err(|error| LibraryError::Build(error.to_string()))?;
    Ok(tree(folder))
}
