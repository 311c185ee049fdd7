//! Where things are in the checkout.

use std::path::{Path, PathBuf};

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    pinion_testbed::workspace_root()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The staged tree that `cargo xtask dist` makes.
pub(crate) fn dist() -> PathBuf {
    target().join("dist")
}
