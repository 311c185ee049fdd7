//! Reaching what is at a path on which somebody else may write, such as the site's user in its own
//! folders: root follows no link that another user made, and what it looked at is what it changes.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::{Gid, Uid, User, fchownat};

use crate::account::{self, Account};
use crate::error::FileError;

/// As many links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;

/// What was found at a path; it stays the same whatever becomes of the path.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    file: OwnedFd,
}

impl Place {
    /// Finds what is at an absolute path, through links of root and of this process's user.
    ///
    /// # Errors
    /// Nothing is there, or somebody else's link is on the way or at the end.
    pub(crate) fn find(path: &Path) -> Result<Self, FileError> {
        let file = walk(path).map_err(FileError::at("reach", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// What is in this folder under that name, a link itself too.
    ///
    /// # Errors
    /// Nothing is.
    pub(crate) fn within(&self, name: &OsStr) -> Result<Self, FileError> {
        let path = self.path.join(name);
        let file = step(&self.file, name).map_err(FileError::at("reach", &path))?;
        Ok(Self { path, file })
    }

    /// Another path of it, which leads nowhere else.
    pub(crate) fn steady(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }

    /// The path of what is in this folder under that name, for people.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// What it is; a link itself too.
    ///
    /// # Errors
    /// The system does not tell.
    pub(crate) fn metadata(&self) -> Result<Metadata, FileError> {
        let read = |error| FileError::at("read", &self.path)(error);
        // A second descriptor, since a file closes its own.
        let file = File::from(self.file.try_clone().map_err(read)?);
        file.metadata().map_err(FileError::at("read", &self.path))
    }

    /// Where this link leads.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn target(&self) -> Result<PathBuf, FileError> {
        let target = readlinkat(&self.file, "");
        target.map(Into::into).map_err(|error| FileError::at("read", &self.path)(error.into()))
    }

    /// As [`Place::give`], for what this process made; only root gives files away, and to anybody
    /// else all files are its own anyway.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn own(&self, uid: u32, gid: u32) -> Result<(), FileError> {
        if account::is_root() { self.give(uid, gid) } else { Ok(()) }
    }

    /// Whether it is a folder.
    pub(crate) fn is_folder(&self) -> bool {
        fstat(&self.file).is_ok_and(|stat| kind(&stat) == SFlag::S_IFDIR)
    }

    /// Devices, sockets and pipes belong to the system, whatever path leads to them.
    ///
    /// # Errors
    /// It is one, so that `action` is not for it.
    pub(crate) fn ordinary(&self, action: &'static str) -> Result<(), FileError> {
        let kind = self.metadata()?.file_type();
        if kind.is_file() || kind.is_dir() {
            return Ok(());
        }
        let why = io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a folder");
        Err(FileError::at(action, &self.path)(why))
    }

    /// Gives it away, a link itself too.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn give(&self, uid: u32, gid: u32) -> Result<(), FileError> {
        if !self.metadata()?.is_symlink() {
            self.ordinary("give away")?;
        }
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        fchownat(&self.file, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
            .map_err(|error| FileError::at("give away", &self.path)(error.into()))
    }

    /// Gives it away with all in it.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn give_all(&self, uid: u32, gid: u32) -> Result<(), FileError> {
        if self.is_folder() {
            let entries = self.steady().read_dir().map_err(FileError::at("read", &self.path))?;
            for entry in entries {
                let entry = entry.map_err(FileError::at("read", &self.path))?;
                self.within(&entry.file_name())?.give_all(uid, gid)?;
            }
        }
        let kind = self.metadata()?.file_type();
        if kind.is_file() || kind.is_dir() || kind.is_symlink() {
            return self.give(uid, gid);
        }
        Ok(())
    }

    /// Changes the permission bits of a file or folder.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), FileError> {
        self.ordinary("change the mode of")?;
        std::fs::set_permissions(self.steady(), std::fs::Permissions::from_mode(mode))
            .map_err(FileError::at("change the mode of", &self.path))
    }
}

/// Gives a tree to `owner`, links too, and nothing that a link in it leads to.
///
/// # Errors
/// Something in it cannot be given.
pub(crate) fn give_tree(path: &Path, owner: &Account) -> Result<(), FileError> {
    if !account::is_root() {
        return Ok(());
    }
    Place::find(path)?.give_all(owner.uid, owner.gid)
}

fn walk(path: &Path) -> io::Result<OwnedFd> {
    let mut at = root()?;
    let mut rest = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        let next = step(&at, &name)?;
        let stat = fstat(&next)?;
        if kind(&stat) != SFlag::S_IFLNK {
            at = next;
            continue;
        }
        let target = PathBuf::from(readlinkat(&next, "")?);
        if stat.st_uid != 0 && stat.st_uid != Account::current().uid {
            return Err(io::Error::other(strange(&name, &target, stat.st_uid)));
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(nix::errno::Errno::ELOOP.into());
        }
        if target.is_absolute() {
            at = root()?;
        }
        for name in names(&target).into_iter().rev() {
            rest.push_front(name);
        }
    }
    Ok(at)
}

fn root() -> io::Result<OwnedFd> {
    Ok(open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

fn step(folder: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(folder, name.as_bytes(), flags, Mode::empty())?)
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn strange(name: &OsStr, target: &Path, uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let user = user.map_or_else(|| uid.to_string(), |user| user.name);
    let name = name.display();
    let target = target.display();
    format!("`{name}` in it is a link to {target} that {user} made, which root does not follow")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, lchown, symlink};

    #[test]
    fn ones_own_links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        symlink("a/b", folder.path().join("relative")).unwrap();
        symlink(folder.path().join("relative"), folder.path().join("absolute")).unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        let found = Place::find(&folder.path().join("absolute/../b")).unwrap();
        assert!(found.is_folder());
        let same = |path: &Path| path.metadata().unwrap().ino();
        assert_eq!(same(&found.steady()), same(&folder.path().join("a/b")));
        assert!(Place::find(&folder.path().join("loop")).is_err());
        assert!(Place::find(&folder.path().join("absent")).is_err());
    }

    #[test]
    fn anothers_link_is_refused_and_a_tree_is_given_without_following_any() {
        if !account::is_root() {
            return;
        }
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "").unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let link = folder.path().join("data/cache");
        symlink(outside.path(), &link).unwrap();
        lchown(&link, Some(33), Some(33)).unwrap();
        let said = Place::find(&link.join("secret")).unwrap_err().to_string();
        assert!(said.contains("`cache` in it is a link to /"), "{said}");
        assert!(said.ends_with(" made, which root does not follow"), "{said}");

        Place::find(folder.path()).unwrap().give_all(34, 34).unwrap();
        assert_eq!(folder.path().join("data").metadata().unwrap().uid(), 34);
        assert_eq!(link.symlink_metadata().unwrap().uid(), 34);
        assert_eq!(outside.path().metadata().unwrap().uid(), 0);
        assert_eq!(outside.path().join("secret").metadata().unwrap().uid(), 0);
    }
}
