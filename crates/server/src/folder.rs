//! Folders of a server's own, which go away with it.
//!
//! Each is locked as long as its server lives, and gets its name only once it is: so whoever finds an unlocked one knows that its server
//! was killed, and the next server that starts removes it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use pinion_deploy::error::FileError;
use pinion_unix::lock::Lock;
use pinion_unix::{folder, users};
use pinion_wire::message::Identity;
use tempfile::TempDir;

/// What their names begin with.
const PREFIX: &str = "pinion-run-";
/// The same while they are not locked yet. Nobody removes one of these, so where a system has no such locks, it keeps this name.
const FRESH: &str = "pinion-new-";

/// A folder that goes away with this.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    mode: u32,
    opened: File,
    _lock: Option<Lock>,
}

impl Folder {
    /// Makes one with these permission bits among the system's temporary files.
    ///
    /// # Errors
    /// The system refuses.
    pub fn make(mode: u32) -> Result<Self, FileError> {
        let place = std::env::temp_dir();
        sweep(&place);
        Self::make_in(&place, mode).map_err(FileError::at("make a folder in", &place))
    }

    fn make_in(place: &Path, mode: u32) -> io::Result<Self> {
        let (fresh, opened, lock) = fresh(place, mode)?;
        if lock.is_none() {
            return Ok(Self { path: fresh.keep(), mode, opened, _lock: None });
        }
        // A name that no other process takes: random ones are alike where two begin at the same moment, and an empty folder of that name
        // would be replaced.
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let named = tempfile::Builder::new()
            .prefix(&prefix)
            .make_in(place, |path| fs::rename(fresh.path(), path))?;
        let ((), path) = named.keep().map_err(|error| error.error)?;
        // It is not there under that name any more.
        let _ = fresh.keep();
        Ok(Self { path, mode, opened, _lock: lock })
    }

    /// Makes it again, empty and under the same name, where somebody has removed it: programs that clean up among temporary files do
    /// not all ask for locks.
    ///
    /// # Errors
    /// Something else has that name now, or the system refuses.
    pub fn restore(&mut self) -> Result<(), FileError> {
        if !folder::is_at(&self.opened, &self.path) {
            *self = self.again().map_err(FileError::at("make", &self.path))?;
        }
        Ok(())
    }

    fn again(&self) -> io::Result<Self> {
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(io::Error::other("something else is in its place"));
        }
        let place = self.path.parent().unwrap_or(Path::new("/"));
        let (fresh, opened, lock) = fresh(place, self.mode)?;
        fs::rename(fresh.path(), &self.path)?;
        let _ = fresh.keep();
        Ok(Self { path: self.path.clone(), mode: self.mode, opened, _lock: lock })
    }

    /// Puts a file into it that its owner may only read, and lets that user's group pass through to it.
    ///
    /// # Errors
    /// The system refuses, or somebody has removed the folder.
    pub fn put(&self, name: &str, text: &str, owner: Option<&Identity>) -> io::Result<()> {
        let ids = owner.map(|owner| (owner.uid, owner.gid));
        folder::put(&self.opened, name, text.as_bytes(), 0o400, ids)?;
        if let Some(owner) = owner {
            // It stays this user's: nothing else may come to be in it.
            fchown(&self.opened, None, Some(owner.gid))?;
            self.opened.set_permissions(Permissions::from_mode(0o710))?;
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if folder::is_at(&self.opened, &self.path) {
            // What is left then, the next server removes.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A folder that is locked, where the system has such locks, and has no name yet that is looked for.
fn fresh(place: &Path, mode: u32) -> io::Result<(TempDir, File, Option<Lock>)> {
    let made = tempfile::Builder::new()
        .prefix(FRESH)
        .permissions(Permissions::from_mode(mode))
        .tempdir_in(place)?;
    let opened = folder::open_itself(made.path())?;
    let lock = opened.try_clone().and_then(Lock::take).ok().flatten();
    Ok((made, opened, lock))
}

/// Removes this user's folders whose servers are gone.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && let Some(_lock) = left_behind(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The lock of a folder of this user's that nobody has locked. Others may put there what they like, but nothing of this user's; and links
/// are not followed.
fn left_behind(path: &Path) -> Option<Lock> {
    let opened = folder::open_itself(path).ok()?;
    let is_own = opened.metadata().ok()?.uid() == users::effective_uid();
    let lock = if is_own { Lock::take(opened.try_clone().ok()?).ok()?? } else { return None };
    // Its server may have made it again meanwhile.
    folder::is_at(&opened, path).then_some(lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn put(place: &Path, name: &str) -> PathBuf {
        let path = place.join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("x"), "").unwrap();
        path
    }

    #[test]
    fn what_a_killed_server_has_left_is_removed_at_once_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let left = put(place.path(), "pinion-run-left");
        let living = put(place.path(), "pinion-run-living");
        let others = ["other", "pinion-new-fresh"].map(|name| put(place.path(), name));
        let lock = Lock::take(File::open(&living).unwrap()).unwrap();
        sweep(place.path());
        assert!(!left.exists());
        assert!(living.exists() && others.iter().all(|path| path.exists()));
        drop(lock);
        sweep(place.path());
        assert!(!living.exists());
    }

    #[test]
    fn links_are_neither_followed_nor_removed() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = put(elsewhere.path(), "target");
        let link = place.path().join("pinion-run-link");
        symlink(&target, &link).unwrap();
        // One within a folder that is removed is only removed itself.
        let left = put(place.path(), "pinion-run-left");
        symlink(&target, left.join("link")).unwrap();
        fs::write(place.path().join("pinion-run-file"), "").unwrap();
        sweep(place.path());
        assert!(!left.exists());
        assert!(link.is_symlink() && target.join("x").exists());
        assert!(place.path().join("pinion-run-file").exists());
    }

    #[test]
    fn a_folder_of_another_user_stays() {
        if users::effective_uid() != 0 {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let theirs = put(place.path(), "pinion-run-theirs");
        std::os::unix::fs::chown(&theirs, Some(65_534), None).unwrap();
        sweep(place.path());
        assert!(theirs.join("x").exists());
    }

    #[test]
    fn what_somebody_has_removed_is_made_again_and_locked() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::make_in(place.path(), 0o710).unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("x"), "").unwrap();
        folder.restore().unwrap();
        assert!(path.join("x").exists(), "it is there");
        fs::remove_dir_all(&path).unwrap();
        folder.restore().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o710);
        sweep(place.path());
        assert!(path.exists());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_in_its_place_is_neither_used_nor_removed() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut folder = Folder::make_in(place.path(), 0o700).unwrap();
        let path = folder.path().to_owned();
        fs::remove_dir(&path).unwrap();
        symlink(elsewhere.path(), &path).unwrap();
        let refused = |folder: &mut Folder| folder.restore().unwrap_err().to_string();
        let why = ": something else is in its place";
        assert!(refused(&mut folder).ends_with(why));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refused(&mut folder).ends_with(why));
        let gone = folder.put("x", "", None).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        drop(folder);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "it is there, and nothing is in it");
    }

    #[test]
    fn its_name_carries_the_number_of_the_process() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make_in(place.path(), 0o700).unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("pinion-run-{}-", std::process::id())), "{name}");
    }

    #[test]
    fn a_folder_goes_away_with_its_server() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make_in(place.path(), 0o700).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(Lock::take(File::open(&path).unwrap()).unwrap().is_none(), "it is locked");
        fs::write(path.join("x"), "").unwrap();
        sweep(place.path());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "no other name is left");
        drop(folder);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
