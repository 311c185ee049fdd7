//! Changing files so that nobody ever sees half of one.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::FileError;

/// How long a folder may stay in use by processes that are ending.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes a file whole, or not at all.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(FileError::at("write", path))?;
    file.write_all(bytes).map_err(FileError::at("write", path))?;
    let mode = fs::Permissions::from_mode(mode);
    file.as_file().set_permissions(mode).map_err(FileError::at("change the mode of", path))?;
    file.persist(path).map_err(|error| FileError::at("write", path)(error.error))?;
    Ok(())
}

/// Changes the mode of a file or a folder, also of one that a link leads to.
///
/// # Errors
/// It is something else, such as a device that a link leads to, or the system refuses it.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    ordinary(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(FileError::at("change the mode of", path))
}

/// Gives a file or a folder, also one that a link leads to, to an owner.
///
/// # Errors
/// As [`set_mode`].
pub(crate) fn give(path: &Path, uid: u32, gid: u32) -> Result<(), FileError> {
    ordinary(path)
        .and_then(|()| chown(path, Some(uid), Some(gid)))
        .map_err(FileError::at("give away", path))
}

/// Devices, sockets and pipes belong to the system, whatever path leads to them.
fn ordinary(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a folder"))
}

/// Removes whatever is at the path, but for the paths to `keep` and the folders on the way to them.
/// That nothing is there is no error.
///
/// # Errors
/// Something cannot be removed.
pub(crate) fn remove(path: &Path, keep: &[PathBuf]) -> Result<(), FileError> {
    if keep.iter().any(|kept| path.starts_with(kept)) {
        return Ok(());
    }
    let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
    let failed = FileError::at("remove", path);
    if !meta.is_dir() {
        return fs::remove_file(path).or_else(gone).map_err(failed);
    }
    if keep.iter().any(|kept| kept.starts_with(path)) {
        let entries = fs::read_dir(path).map_err(FileError::at("read", path))?;
        for entry in entries.flatten() {
            remove(&entry.path(), keep)?;
        }
        return Ok(());
    }
    // What is ending may still write its last files there.
    let end = Instant::now() + PATIENCE;
    loop {
        match fs::remove_dir_all(path).or_else(gone) {
            Err(error)
                if error.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < end =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other.map_err(failed),
        }
    }
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Copies a file, a link or a folder with all in it, owners, modes and times too.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn duplicate(from: &Path, to: &Path) -> Result<(), FileError> {
    use FileError as F;
    let meta = from.symlink_metadata().map_err(F::at("read", from))?;
    if meta.is_symlink() {
        let target = fs::read_link(from).map_err(F::at("read", from))?;
        std::os::unix::fs::symlink(target, to).map_err(F::at("make", to))?;
        return lchown(to, Some(meta.uid()), Some(meta.gid()))
            .or_else(not_ours)
            .map_err(F::at("own", to));
    }
    ordinary(from).map_err(F::at("keep", from))?;
    if meta.is_dir() {
        fs::create_dir(to).map_err(F::at("make", to))?;
        for entry in fs::read_dir(from).map_err(F::at("read", from))? {
            let entry = entry.map_err(F::at("read", from))?;
            duplicate(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else {
        fs::copy(from, to).map_err(F::at("write", to))?;
    }
    chown(to, Some(meta.uid()), Some(meta.gid())).or_else(not_ours).map_err(F::at("own", to))?;
    set_mode(to, meta.mode() & 0o7777)?;
    if meta.is_file() {
        let file = fs::File::options().write(true).open(to);
        let times =
            fs::FileTimes::new().set_modified(meta.modified().map_err(F::at("read", from))?);
        // Python compares a module's time with the one in its compiled file.
        file.and_then(|file| file.set_times(times)).or_else(not_ours).map_err(F::at("date", to))?;
    }
    Ok(())
}

/// Only root gives files away; to anybody else all files are its own anyway.
fn not_ours(error: io::Error) -> io::Result<()> {
    let allowed = error.kind() == io::ErrorKind::PermissionDenied && !crate::account::is_root();
    if allowed { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_keeps_what_is_to_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("app");
        fs::create_dir_all(root.join("data/deep")).unwrap();
        fs::create_dir_all(root.join("code")).unwrap();
        fs::write(root.join("data/deep/db"), "").unwrap();
        fs::write(root.join("data/other"), "").unwrap();
        remove(&root, &[root.join("data/deep")]).unwrap();
        assert!(root.join("data/deep/db").exists());
        assert!(!root.join("code").exists() && !root.join("data/other").exists());
        remove(&root, &[]).unwrap();
        assert!(!root.exists());
        remove(&root, &[]).unwrap();
    }

    #[test]
    fn devices_keep_their_mode_and_owner() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let before = fs::metadata("/dev/null").unwrap();
        for path in [&link, Path::new("/dev/null")] {
            // As it is: should the check fail, this test does no harm.
            let mode = set_mode(path, before.mode() & 0o7777).unwrap_err().to_string();
            let owner = give(path, before.uid(), before.gid()).unwrap_err().to_string();
            for said in [mode, owner] {
                assert!(said.ends_with("it is neither a file nor a folder"), "{said}");
            }
        }
        let copied = duplicate(Path::new("/dev/null"), &folder.path().join("copy"));
        assert!(copied.is_err() && !folder.path().join("copy").exists());
    }

    #[test]
    fn a_duplicate_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("f"), "x").unwrap();
        fs::set_permissions(from.join("f"), fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("f", from.join("l")).unwrap();
        duplicate(&from, &to).unwrap();
        let (one, other) =
            (fs::metadata(from.join("f")).unwrap(), fs::metadata(to.join("f")).unwrap());
        assert_eq!(one.mode(), other.mode());
        assert_eq!(one.modified().unwrap(), other.modified().unwrap());
        assert_eq!(fs::read_link(to.join("l")).unwrap(), Path::new("f"));
    }
}
