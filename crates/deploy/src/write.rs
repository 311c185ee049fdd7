//! Writing files: whole or not at all, and never over a person's without being told to.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{FileError, Result};
use crate::folder::Generated;
use crate::keep::{State, compare, sealed};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Made,
    /// It was replaced.
    Replaced,
    /// It was as it should be.
    Same,
    /// It was edited, and left.
    Left,
}

/// Writes generated files. `may_replace` is asked for each that a person edited, with the difference.
///
/// # Errors
/// A file cannot be read or written; those before it are written.
pub fn folder(
    files: &[Generated],
    mut may_replace: impl FnMut(&Path, &str) -> bool,
) -> Result<Vec<(PathBuf, Written)>> {
    // All are read before the first is written.
    let mut states = Vec::new();
    for file in files {
        let present = read(&file.path)?;
        states.push(compare(present.as_deref(), file));
    }
    let mut written = Vec::new();
    for (file, state) in files.iter().zip(states) {
        let became = match state {
            State::Same => Written::Same,
            State::Edited { diff } if !may_replace(&file.path, &diff) => Written::Left,
            State::New => Written::Made,
            State::Ours | State::Edited { .. } => Written::Replaced,
        };
        if matches!(became, Written::Made | Written::Replaced) {
            replace(&file.path, &sealed(&file.text), 0o644)?;
        }
        written.push((file.path.clone(), became));
    }
    Ok(written)
}

/// The text of a file; `None` when there is none.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at("read", path)(error).into()),
    }
}

/// Puts a whole file in the place of what is there. A present file keeps its mode and owner; a new
/// one gets `mode`.
///
/// # Errors
/// The folder cannot be made, or the file not written.
pub fn replace(path: &Path, text: &str, mode: u32) -> Result<()> {
    put(path, text, |present| present.map_or(mode, |present| present.mode() & 0o7777), None)
}

/// As [`replace`], with mode 0640; where this process is root's, the file is root's and of `group`.
///
/// # Errors
/// As [`replace`].
pub fn secret(path: &Path, text: &str, group: Option<u32>) -> Result<()> {
    let root = pinion_unix::users::effective_uid() == 0;
    put(path, text, |_present| 0o640, group.filter(|_| root))
}

fn put(
    path: &Path,
    text: &str,
    mode: impl FnOnce(Option<&std::fs::Metadata>) -> u32,
    group: Option<u32>,
) -> Result<()> {
    // What a link points to is replaced, not the link.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_absent| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder).map_err(FileError::at("make", folder))?;
    let present = std::fs::metadata(&path).ok();
    if present.as_ref().is_some_and(|present| !present.is_file()) {
        // Such as /dev/null, which a rename would take away from the whole system.
        let other = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(FileError::at("replace", &path)(other).into());
    }
    let fail = |error| FileError::at("write", &path)(error);
    let mut file = NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    let owner = present.as_ref().map(|present| (present.uid(), present.gid()));
    let owner = group.map(|group| (0, group)).or(owner);
    let made = file.as_file().metadata().map_err(fail)?;
    if let Some((uid, gid)) = owner.filter(|owner| *owner != (made.uid(), made.gid())) {
        std::os::unix::fs::fchown(file.as_file(), Some(uid), Some(gid)).map_err(fail)?;
    }
    // After the owner: to change that takes some bits away.
    let mode = mode(present.as_ref());
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(&path).map_err(|error| fail(error.error))?;
    Ok(())
}
