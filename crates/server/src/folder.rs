//! Folders of a server's own, which go away with it.
//!
//! Each is locked as long as its server lives. One whose server was killed is removed by the next server that starts.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use pinion_deploy::error::FileError;
use pinion_unix::lock::Lock;
use pinion_unix::users;
use tempfile::TempDir;

/// What their names begin with.
const PREFIX: &str = "pinion-run-";
/// A folder that is younger may not be locked yet.
const YOUNG: Duration = Duration::from_secs(60);

/// A folder that goes away with this.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
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
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(mode))
            .tempdir_in(&place)
            .map_err(FileError::at("make a folder in", &place))?;
        // Without a lock it is removed too early in the worst case, and only by another server.
        let lock = File::open(folder.path()).and_then(Lock::take).ok().flatten();
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes this user's folders whose servers are gone.
fn sweep(place: &Path) {
    let own = users::effective_uid();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Ok(data) = entry.metadata() else { continue };
        let age = data.modified().ok().and_then(|time| time.elapsed().ok());
        let is_old = age.is_some_and(|age| age > YOUNG);
        // A folder that was given to the workers' user is this one's all the same if it is root.
        let may = data.is_dir() && (data.uid() == own || own == 0);
        if !(is_ours && may && is_old) {
            continue;
        }
        if let Ok(Some(_lock)) = File::open(entry.path()).and_then(Lock::take) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn age(path: &Path) {
        let long_ago = SystemTime::now() - 2 * YOUNG;
        File::open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn what_a_killed_server_has_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("x"), "").unwrap();
            path
        };
        let left = make("pinion-run-left");
        let living = make("pinion-run-living");
        let other = make("other");
        let young = make("pinion-run-young");
        [&left, &living, &other].into_iter().for_each(|path| age(path));
        let lock = Lock::take(File::open(&living).unwrap()).unwrap();
        sweep(place.path());
        assert!(!left.exists());
        assert!(living.exists() && other.exists() && young.exists());
        drop(lock);
        sweep(place.path());
        assert!(!living.exists());
    }

    #[test]
    fn a_folder_goes_away_with_its_server() {
        let folder = Folder::make(0o700).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(Lock::take(File::open(&path).unwrap()).unwrap().is_none(), "it is locked");
        drop(folder);
        assert!(!path.exists());
    }
}
