//! Changing files so that nobody ever sees half of one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::FileError;
use crate::place::Place;

/// How long a folder may stay in use by processes that are ending.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes a file whole, or not at all.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let (folder, name) = apart(path)?;
    let folder = folder.steady();
    let mut file =
        tempfile::NamedTempFile::new_in(&folder).map_err(FileError::at("write", path))?;
    file.write_all(bytes).map_err(FileError::at("write", path))?;
    let mode = fs::Permissions::from_mode(mode);
    file.as_file().set_permissions(mode).map_err(FileError::at("change the mode of", path))?;
    let place = folder.join(name);
    file.persist(place).map_err(|error| FileError::at("write", path)(error.error))?;
    Ok(())
}

/// Changes the mode of a file or a folder, also of one that a link leads to.
///
/// # Errors
/// It is something else, such as a device that a link leads to, or the system refuses it.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    Place::find(path)?.set_mode(mode)
}

/// Gives a file or a folder, also one that a link leads to, to an owner.
///
/// # Errors
/// As [`set_mode`].
pub(crate) fn give(path: &Path, uid: u32, gid: u32) -> Result<(), FileError> {
    Place::find(path)?.give(uid, gid)
}

/// Removes whatever is at the path, but for the paths to `keep` and the folders on the way to them.
/// That nothing is there is no error.
///
/// # Errors
/// Something cannot be removed.
pub(crate) fn remove(path: &Path, keep: &[PathBuf]) -> Result<(), FileError> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let (folder, name) = apart(path)?;
    remove_in(&folder, &name, keep)
}

fn remove_in(folder: &Place, name: &OsStr, keep: &[PathBuf]) -> Result<(), FileError> {
    let shown = folder.path_of(name);
    if keep.iter().any(|kept| shown.starts_with(kept)) {
        return Ok(());
    }
    // What is gone by now need not be removed.
    let Ok(found) = folder.within(name) else { return Ok(()) };
    let (path, failed) = (folder.steady().join(name), FileError::at("remove", &shown));
    if !found.is_folder() {
        return fs::remove_file(path).or_else(gone).map_err(failed);
    }
    if keep.iter().any(|kept| kept.starts_with(&shown)) {
        let entries = found.steady().read_dir().map_err(FileError::at("read", &shown))?;
        for entry in entries.flatten() {
            remove_in(&found, &entry.file_name(), keep)?;
        }
        return Ok(());
    }
    // What is ending may still write its last files there.
    let end = Instant::now() + PATIENCE;
    loop {
        match fs::remove_dir_all(&path).or_else(gone) {
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

/// Copies a file, a link or a folder with all in it, owners, modes and times too; not what only
/// lives with the process that made it, such as a socket. Nobody else can change in between what is
/// copied, or where to.
///
/// # Errors
/// Something cannot be read or written, or is there already.
pub(crate) fn duplicate(from: &Path, to: &Path) -> Result<(), FileError> {
    let (from_folder, from_name) = apart(from)?;
    let (to_folder, to_name) = apart(to)?;
    let found = from_folder.within(&from_name)?;
    if !found.metadata()?.is_symlink() {
        found.ordinary("keep")?;
    }
    duplicate_in(&from_folder, &from_name, &to_folder, &to_name)
}

/// The folder of a path, and the name in it.
fn apart(path: &Path) -> Result<(Place, OsString), FileError> {
    let folder = Place::find(path.parent().unwrap_or(Path::new("/")))?;
    Ok((folder, path.file_name().unwrap_or_default().to_owned()))
}

fn duplicate_in(
    from_folder: &Place,
    from_name: &OsStr,
    to_folder: &Place,
    to_name: &OsStr,
) -> Result<(), FileError> {
    use FileError as F;
    let (from, to) = (from_folder.path_of(from_name), to_folder.path_of(to_name));
    let there = to_folder.steady().join(to_name);
    let source = from_folder.within(from_name)?;
    let meta = source.metadata()?;
    if meta.is_symlink() {
        let target = source.target()?;
        std::os::unix::fs::symlink(target, there).map_err(F::at("make", &to))?;
        return to_folder.within(to_name)?.own(meta.uid(), meta.gid());
    }
    if meta.is_dir() {
        fs::create_dir(there).map_err(F::at("make", &to))?;
        let made = to_folder.within(to_name)?;
        for entry in source.steady().read_dir().map_err(F::at("read", &from))? {
            let name = entry.map_err(F::at("read", &from))?.file_name();
            duplicate_in(&source, &name, &made, &name)?;
        }
        made.own(meta.uid(), meta.gid())?;
        return made.set_mode(meta.mode() & 0o7777);
    }
    if !meta.is_file() {
        return Ok(());
    }
    let mut reader = fs::File::open(source.steady()).map_err(F::at("read", &from))?;
    // Until it has its owner, it is nobody else's to read.
    let mut options = fs::File::options();
    let mut writer = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(there)
        .map_err(F::at("write", &to))?;
    io::copy(&mut reader, &mut writer).map_err(F::at("write", &to))?;
    fchown(&writer, Some(meta.uid()), Some(meta.gid()))
        .or_else(not_ours)
        .map_err(F::at("own", &to))?;
    let mode = fs::Permissions::from_mode(meta.mode() & 0o7777);
    writer.set_permissions(mode).map_err(F::at("change the mode of", &to))?;
    // Python compares a module's time with the one in its compiled file.
    let times = fs::FileTimes::new().set_modified(meta.modified().map_err(F::at("read", &from))?);
    writer.set_times(times).or_else(not_ours).map_err(F::at("date", &to))
}

/// Only root gives files away; to anybody else all files are its own anyway.
pub(super) fn not_ours(error: io::Error) -> io::Result<()> {
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
