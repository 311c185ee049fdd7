//! Folders that are held open: files are opened by names from outside, and no name leads out of them; files are put into the one that is
//! held, whatever has its path meanwhile.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How a file is opened that may turn out to be a pipe, a terminal or another device.
const READ: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// Opens a folder for reading; a link to one is an error, and so is anything else.
///
/// # Errors
/// What the system says.
pub fn open_itself(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open(path, flags, Mode::empty())?.into())
}

/// Whether `path` is this open folder itself: neither another one that was made there meanwhile, nor a link to it.
#[must_use]
pub fn is_at(folder: &File, path: &Path) -> bool {
    let (Ok(own), Ok(found)) = (folder.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (found.dev(), found.ino()) == (own.dev(), own.ino())
}

/// Puts a file with these contents and permission bits into an open folder, in one step, and gives it to a user and group; whatever
/// had that name is replaced.
///
/// # Errors
/// What the system says: `ENOENT` for a folder that was removed.
pub fn put(
    folder: &File,
    name: &str,
    contents: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> io::Result<()> {
    let fresh = format!("{name}.new");
    match unlinkat(folder, fresh.as_str(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    // Exclusively: it is no link that somebody has put there.
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mut file: File = openat(folder, fresh.as_str(), flags, Mode::S_IRWXU)?.into();
    file.write_all(contents)?;
    if let Some((uid, gid)) = owner {
        fchown(&file, Some(uid), Some(gid))?;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(renameat(folder, fresh.as_str(), folder, name)?)
}

/// How often the kernel is asked again when something on the way is renamed meanwhile.
const TRIES: usize = 8;

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    descriptor: OwnedFd,
}

/// What a name names.
#[derive(Debug)]
pub enum Entry {
    /// A regular file, and what it was when it was opened.
    File(File, Metadata),
    /// A folder.
    Folder,
    /// A pipe, a socket or a device.
    Other,
}

impl Folder {
    /// Opens a folder; what its own path leads through may be links.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let descriptor = nix::fcntl::open(path, flags, Mode::empty())?;
        Ok(Self { path: path.into(), descriptor })
    }

    /// Whether its path still leads to it: it may have been made anew, or be a link that was changed.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let Ok(own) = nix::sys::stat::fstat(&self.descriptor) else { return false };
        let found = self.path.metadata();
        found.is_ok_and(|found| (found.dev(), found.ino()) == (own.st_dev, own.st_ino))
    }

    /// Opens what has a name below the folder. Links are followed while they stay in it; absolute ones never do.
    /// Where the kernel cannot see to that (`openat2` came with Linux 5.6, and some sandboxes have none), no link is followed.
    ///
    /// # Errors
    /// What the system says: `EXDEV` or `ELOOP` for a name that leads elsewhere.
    pub fn open_below(&self, name: &[u8]) -> io::Result<Entry> {
        let how = OpenHow::new()
            .flags(READ)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let mut opened = Err(Errno::EAGAIN);
        for _ in 0..TRIES {
            opened = openat2(&self.descriptor, name, how);
            if !matches!(opened, Err(Errno::EAGAIN | Errno::EINTR)) {
                break;
            }
        }
        match opened {
            Err(Errno::ENOSYS | Errno::EPERM) => self.walk(name),
            other => entry(other),
        }
    }

    /// The same by one step for each segment.
    fn walk(&self, name: &[u8]) -> io::Result<Entry> {
        let mut segments = name.split(|byte| *byte == b'/').peekable();
        let mut held: Option<OwnedFd> = None;
        while let Some(segment) = segments.next() {
            if segment.is_empty() || segment == b".." {
                return Err(Errno::EXDEV.into());
            }
            let at: BorrowedFd<'_> = held.as_ref().unwrap_or(&self.descriptor).as_fd();
            if segments.peek().is_none() {
                return entry(openat(at, segment, READ | OFlag::O_NOFOLLOW, Mode::empty()));
            }
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            held = Some(openat(at, segment, flags, Mode::empty())?);
        }
        Err(Errno::ENOENT.into())
    }
}

fn entry(opened: nix::Result<OwnedFd>) -> io::Result<Entry> {
    let file = match opened {
        Ok(descriptor) => File::from(descriptor),
        // What the kernel says of sockets, and of devices that nothing is behind.
        Err(Errno::ENXIO | Errno::ENODEV) => return Ok(Entry::Other),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    Ok(match metadata.file_type() {
        kind if kind.is_file() => Entry::File(file, metadata),
        kind if kind.is_dir() => Entry::Folder,
        _ => Entry::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::{Mode, SFlag, mknod};
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    /// A folder `site` with a file beside it.
    fn site() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("beside"), "no").unwrap();
        let site = root.path().join("site");
        fs::create_dir_all(site.join("a/b")).unwrap();
        fs::write(site.join("file"), "yes").unwrap();
        fs::write(site.join("a/b/file"), "deep").unwrap();
        let folder = Folder::open(&site).unwrap();
        (root, folder)
    }

    /// Both ways to open, which have to agree but for links.
    fn both(folder: &Folder, name: &str) -> [io::Result<Entry>; 2] {
        [folder.open_below(name.as_bytes()), folder.walk(name.as_bytes())]
    }

    fn content(found: io::Result<Entry>) -> String {
        let Entry::File(mut file, metadata) = found.unwrap() else { panic!("no file") };
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(metadata.len(), content.len() as u64);
        content
    }

    #[test]
    fn what_is_put_replaces_files_and_links_and_goes_into_no_other_folder() {
        let (root, _) = site();
        let path = root.path().join("site");
        let folder = open_itself(&path).unwrap();
        assert!(is_at(&folder, &path));
        for left in ["file.new", "other"] {
            symlink(root.path().join("beside"), path.join(left)).unwrap();
        }
        for name in ["file", "other"] {
            put(&folder, name, b"new", 0o400, None).unwrap();
            let mode = fs::symlink_metadata(path.join(name)).unwrap().mode();
            assert_eq!(mode, SFlag::S_IFREG.bits() | 0o400);
            assert_eq!(fs::read_to_string(path.join(name)).unwrap(), "new");
        }
        assert_eq!(fs::read_to_string(root.path().join("beside")).unwrap(), "no");
        assert!(!path.join("file.new").exists());

        fs::remove_dir_all(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(!is_at(&folder, &path));
        let gone = put(&folder, "file", b"new", 0o400, None).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        assert_eq!(path.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn files_and_folders_are_told_apart() {
        let (_root, folder) = site();
        for found in both(&folder, "file") {
            assert_eq!(content(found), "yes");
        }
        for found in both(&folder, "a/b/file") {
            assert_eq!(content(found), "deep");
        }
        for found in both(&folder, "a/b") {
            assert!(matches!(found, Ok(Entry::Folder)));
        }
        for name in ["none", "a/none", "none/file"] {
            for found in both(&folder, name) {
                assert_eq!(found.unwrap_err().kind(), io::ErrorKind::NotFound, "{name}");
            }
        }
        for found in both(&folder, "file/x") {
            assert_eq!(found.unwrap_err().kind(), io::ErrorKind::NotADirectory);
        }
    }

    #[test]
    fn no_name_leads_out() {
        let (root, folder) = site();
        let outside = root.path().join("beside");
        for name in
            ["../beside", "a/../../beside", "/etc/passwd", outside.to_str().unwrap(), "", ".."]
        {
            for found in both(&folder, name) {
                assert!(found.is_err(), "{name}");
            }
        }
        for found in both(&folder, "file\0x") {
            assert!(found.is_err());
        }
    }

    #[test]
    fn no_link_leads_out() {
        let (root, folder) = site();
        let site = root.path().join("site");
        for (name, target) in [
            ("relative", "../beside".into()),
            ("absolute", root.path().join("beside")),
            ("parent", "..".into()),
            ("root", "/".into()),
            ("self", "self".into()),
            ("magic", "/proc/self/cwd".into()),
        ] {
            symlink(target, site.join(name)).unwrap();
        }
        for name in
            ["relative", "absolute", "parent/beside", "root/etc/passwd", "self", "magic/file"]
        {
            for found in both(&folder, name) {
                assert!(found.is_err(), "{name}");
            }
        }
    }

    #[test]
    fn links_within_are_followed_where_the_kernel_watches_them() {
        let (root, folder) = site();
        let site = root.path().join("site");
        symlink("a", site.join("now")).unwrap();
        symlink("../file", site.join("a/up")).unwrap();
        assert_eq!(content(folder.open_below(b"now/b/file")), "deep");
        assert_eq!(content(folder.open_below(b"a/up")), "yes");
        for name in ["now/b/file", "a/up"] {
            assert!(folder.walk(name.as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let (root, folder) = site();
        let site = root.path().join("site");
        mknod(&site.join("pipe"), SFlag::S_IFIFO, Mode::S_IRWXU, 0).unwrap();
        let _listener = UnixListener::bind(site.join("socket")).unwrap();
        for name in ["pipe", "socket"] {
            for found in both(&folder, name) {
                assert!(matches!(found, Ok(Entry::Other)), "{name}");
            }
        }
    }

    #[test]
    fn a_folder_that_was_made_anew_is_noticed() {
        let (root, folder) = site();
        assert!(folder.is_current());
        let site = root.path().join("site");
        fs::rename(&site, root.path().join("old")).unwrap();
        assert!(!folder.is_current());
        fs::create_dir(&site).unwrap();
        assert!(!folder.is_current());
        assert!(Folder::open(&root.path().join("beside")).is_err());
    }
}
