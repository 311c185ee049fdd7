//! `cargo xtask dist`: the staged, relocatable tree.
//!
//! Files are replaced by rename, so that a server which runs from the tree keeps what it has
//! mapped; a file that did not change is left alone.

mod artifacts;
mod inspect;

use std::path::PathBuf;

use pinion_server::installation::stage::Stage;
use pinion_testbed::free_threaded;

use crate::failure::{Failure, Result};
use crate::{paths, run, say};
use artifacts::{Artifacts, Kind};

/// What is built, and where it is staged below the tree.
const PIECES: [(&str, Kind, &str); 3] = [
    ("pinion", Kind::Bin, "bin/pinion"),
    ("mod_pinion", Kind::Cdylib, "modules/mod_pinion.so"),
    ("pinion-worker", Kind::Cdylib, "lib/pinion/_pinion.abi3.so"),
];

/// Builds everything in release mode and stages it; returns the tree's folder.
pub(crate) fn build() -> Result<PathBuf> {
    let artifacts = compile()?;
    let tree = paths::dist();
    let mut stage = Stage::new(tree.clone());
    for (package, kind, place) in PIECES {
        stage.add(artifacts.find(package, kind)?, place);
    }
    for python in free_threaded::interpreters() {
        say::line(format_args!("a worker core for {}", python.path.display()));
        let (core, name) = free_threaded::build_core(&python, true)?;
        stage.add(&core, PathBuf::from("lib/pinion").join(name));
    }
    stage.add_python(&paths::root().join("python"), "lib/pinion")?;
    inspect::module(artifacts.find("mod_pinion", Kind::Cdylib)?)?;
    let replaced = stage.apply()?;
    say::line(format_args!("{} ({replaced} files replaced)", tree.display()));
    Ok(tree)
}

fn compile() -> Result<Artifacts> {
    let mut command =
        run::cargo(["build", "--release", "--message-format=json-render-diagnostics"]);
    for (package, _, _) in PIECES {
        command.args(["--package", package]);
    }
    command.stderr(std::process::Stdio::inherit());
    let output = command
        .output()
        .map_err(|source| Failure::Start { program: "cargo build".into(), source })?;
    if !output.status.success() {
        return Err(Failure::wrong("the release build failed", "see the compiler's words above"));
    }
    Ok(Artifacts::read(&String::from_utf8_lossy(&output.stdout)))
}
