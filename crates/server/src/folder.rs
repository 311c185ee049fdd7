//! Folders of a server's own, which go away with it.
//!
//! Each is locked as long as its server lives, and gets its name only once it is: so whoever finds an unlocked one knows that its server
//! was killed, and the next server that starts removes it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pinion_deploy::error::FileError;
use pinion_unix::lock::Lock;
use pinion_unix::{folder, users};

/// What their names begin with.
const PREFIX: &str = "pinion-run-";
/// The same while they are not locked yet. Nobody removes one of these, so where a system has no such locks, it keeps this name.
const FRESH: &str = "pinion-new-";

/// A folder that goes away with this.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    mode: u32,
    lock: Option<Lock>,
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

    fn make_in(place: &Path, mode: u32) -> std::io::Result<Self> {
        let fresh = tempfile::Builder::new()
            .prefix(FRESH)
            .permissions(Permissions::from_mode(mode))
            .tempdir_in(place)?;
        let Ok(Some(lock)) = File::open(fresh.path()).and_then(Lock::take) else {
            return Ok(Self { path: fresh.keep(), mode, lock: None });
        };
        // Another random name, so that nobody can have put something there.
        let named = tempfile::Builder::new()
            .prefix(PREFIX)
            .make_in(place, |path| fs::rename(fresh.path(), path))?;
        let ((), path) = named.keep().map_err(|error| error.error)?;
        // It is not there under that name any more.
        let _ = fresh.keep();
        Ok(Self { path, mode, lock: Some(lock) })
    }

    /// Makes it again, empty and under the same name, where somebody has removed it: programs that clean up among temporary files do
    /// not all ask for locks.
    ///
    /// # Errors
    /// Somebody else has put something in its place, or the system refuses.
    pub fn restore(&mut self) -> Result<(), FileError> {
        if let Ok(found) = fs::symlink_metadata(&self.path) {
            let is_own = found.is_dir() && found.uid() == users::effective_uid();
            let taken = || std::io::Error::other("another user has put something in its place");
            return is_own.then_some(()).ok_or_else(|| FileError::at("use", &self.path)(taken()));
        }
        let failed = FileError::at("make", &self.path);
        let made = fs::DirBuilder::new().mode(self.mode).create(&self.path);
        // Unlocked for a moment: a server that starts just then removes it, and this says that it is not there.
        let lock = made.and_then(|()| folder::open_itself(&self.path)).and_then(Lock::take);
        self.lock = lock.map_err(failed)?;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left then, the next server removes.
        let _ = fs::remove_dir_all(&self.path);
    }
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
    let folder = folder::open_itself(path).ok()?;
    let is_own = folder.metadata().ok()?.uid() == users::effective_uid();
    if is_own { Lock::take(folder).ok()? } else { None }
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
    fn what_somebody_else_has_put_in_its_place_is_not_used() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut folder = Folder::make_in(place.path(), 0o700).unwrap();
        let path = folder.path().to_owned();
        fs::remove_dir(&path).unwrap();
        symlink(elsewhere.path(), &path).unwrap();
        let refused = folder.restore().unwrap_err().to_string();
        assert!(refused.ends_with(": another user has put something in its place"), "{refused}");
        if users::effective_uid() == 0 {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            folder.restore().unwrap_err();
        }
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
