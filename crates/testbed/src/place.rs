//! Where the testbed keeps what it builds.

use crate::{Error, command};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The user that Debian's Apache serves as.
pub(crate) const SERVER_USER: &str = "www-data";

/// The root of the checkout that this crate was built from.
pub fn workspace_root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        crate_dir.ancestors().nth(2).unwrap_or(crate_dir).to_path_buf()
    })
}

/// Where virtualenvs and copies live: `target/testbed`, or `/var/tmp/pinion-testbed` where the
/// checkout cannot be entered by Apache's user (as below a root's home).
///
/// # Errors
/// The folder cannot be made.
pub fn testbed_dir() -> Result<PathBuf, Error> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace_root().join("target"), |dir| workspace_root().join(dir));
    let dir = if !is_root() || open_to_all(workspace_root()) {
        target.join("testbed")
    } else {
        PathBuf::from("/var/tmp/pinion-testbed")
    };
    std::fs::create_dir_all(&dir).map_err(Error::io(format!("making {}", dir.display())))?;
    Ok(dir)
}

/// Whether this process may change its user, so that Apache's children get one of their own.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether each folder on the way to `path`, and `path` itself, lets others pass.
pub(crate) fn open_to_all(path: &Path) -> bool {
    path.ancestors().all(|part| {
        std::fs::metadata(part).is_ok_and(|meta| {
            let need = if meta.is_dir() { 0o001 } else { 0o004 };
            meta.permissions().mode() & need == need
        })
    })
}

/// Copies a tree once into the testbed, so that Apache's user can read it; `name` tells versions
/// apart, and `finish` changes the copy before anybody uses it.
///
/// # Errors
/// The copy or `finish` failed.
pub(crate) fn copy_once(
    from: &Path,
    name: &str,
    finish: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let copies = testbed_dir()?.join("copies");
    std::fs::create_dir_all(&copies).map_err(Error::io(format!("making {}", copies.display())))?;
    let _lock = Lock::take(&copies.join(format!("{name}.lock")))?;
    let to = copies.join(name);
    if !to.exists() {
        let part = copies.join(format!("{name}.part"));
        command::run(Command::new("rm").arg("-rf").arg(&part))?;
        command::run(Command::new("cp").args(["-a", "--"]).arg(from).arg(&part))?;
        finish(&part)?;
        std::fs::rename(&part, &to).map_err(Error::io(format!("renaming {}", part.display())))?;
    }
    Ok(to)
}

/// A file lock held until dropped, so that parallel tests do not build the same thing twice.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "the open file is the lock")] std::fs::File);

impl Lock {
    /// Waits for the lock on `path`, which is made if absent.
    pub(crate) fn take(path: &Path) -> Result<Self, Error> {
        let file = open_lock(path)?;
        file.lock().map_err(Error::io(format!("locking {}", path.display())))?;
        Ok(Self(file))
    }

    /// The lock on `path` if nobody holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, Error> {
        let file = open_lock(path)?;
        Ok(file.try_lock().is_ok().then_some(Self(file)))
    }
}

fn open_lock(path: &Path) -> Result<std::fs::File, Error> {
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::io(format!("opening {}", path.display())))
}
