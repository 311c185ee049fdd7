//! Whether a user may reach a path: the walk that the kernel would do, told step by step.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use crate::files::{FileKind, Files, Stat};

/// Who wants to reach a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's number.
    pub uid: u32,
    /// The numbers of the primary and all supplementary groups.
    pub gids: Vec<u32>,
}

/// What somebody wants to do at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Read the file, or list the folder.
    Read,
    /// Make or change files there.
    Write,
    /// Run the program, or pass through the folder.
    Execute,
}

/// Why a path cannot be reached, with the component that is to blame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// Nothing is there.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A component on the way is no folder.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A folder on the way may not be passed.
    #[error("{} (mode {mode:04o}, owner {uid}) cannot be entered", path.display())]
    NoPassage {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        uid: u32,
    },
    /// The end of the path is there, but not for this.
    #[error("{} (mode {mode:04o}, owner {uid}) cannot be {}", path.display(), want.participle())]
    Refused {
        /// The path, with links resolved.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// What was wanted.
        want: Want,
    },
    /// Symbolic links lead in a circle.
    #[error("{} leads through too many symbolic links", .0.display())]
    Loop(PathBuf),
    /// The file system gave another error.
    #[error("{}: {reason}", path.display())]
    Failed {
        /// Where.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

impl Denied {
    /// What lets the user through; empty where permissions are not what is wrong.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoPassage { path, .. } => format!("chmod o+x {}", path.display()),
            Self::Refused { path, want: Want::Read, .. } => {
                format!("chmod o+r {}", path.display())
            }
            Self::Refused { path, want: Want::Execute, .. } => {
                format!("chmod o+rx {}", path.display())
            }
            Self::Refused { path, want: Want::Write, .. } => {
                format!("give {} to the group's user with chown", path.display())
            }
            _ => String::new(),
        }
    }
}

impl Want {
    fn bit(self) -> u32 {
        match self {
            Self::Read => 0o4,
            Self::Write => 0o2,
            Self::Execute => 0o1,
        }
    }

    fn participle(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "written",
            Self::Execute => "executed",
        }
    }
}

/// As the kernel's own limit.
const MOST_LINKS: u32 = 40;

/// Walks an absolute path as `who`, follows symbolic links, and says where it ends or fails.
///
/// Only mode bits are looked at: access control lists may allow more, and root may do all but
/// run what nobody may run.
///
/// # Errors
/// The first component that stops the walk.
pub fn reach(
    files: &dyn Files,
    who: &Credentials,
    path: &Path,
    want: Want,
) -> Result<PathBuf, Denied> {
    let mut real = PathBuf::from("/");
    let mut pending = components(path);
    let mut links = 0;
    let mut here = look(files, &real)?;
    while let Some(name) = pending.pop_front() {
        if here.kind != FileKind::Folder {
            return Err(Denied::NotAFolder(real));
        }
        if !allows(&here, who, Want::Execute) {
            return Err(Denied::NoPassage { path: real, mode: here.mode, uid: here.uid });
        }
        let next = if name == ".." {
            real.parent().unwrap_or(Path::new("/")).to_owned()
        } else {
            real.join(&name)
        };
        here = look(files, &next)?;
        if here.kind != FileKind::Link {
            real = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Denied::Loop(path.to_owned()));
        }
        let target = files.read_link(&next).map_err(|error| failed(&next, &error))?;
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        pending = components(&target).into_iter().chain(pending).collect();
        here = look(files, &real)?;
    }
    if allows(&here, who, want) {
        return Ok(real);
    }
    Err(Denied::Refused { path: real, mode: here.mode, uid: here.uid, want })
}

fn components(path: &Path) -> VecDeque<OsString> {
    let named = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(named).collect()
}

fn look(files: &dyn Files, path: &Path) -> Result<Stat, Denied> {
    files.lstat(path).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> Denied {
    match error.kind() {
        io::ErrorKind::NotFound => Denied::Missing(path.to_owned()),
        io::ErrorKind::NotADirectory => Denied::NotAFolder(path.to_owned()),
        _ => Denied::Failed { path: path.to_owned(), reason: error.to_string() },
    }
}

/// The kernel's rule: the owner's bits count for the owner, the group's for its members, the
/// others' only for who is neither.
fn allows(stat: &Stat, who: &Credentials, want: Want) -> bool {
    if who.uid == 0 {
        return want != Want::Execute || stat.kind == FileKind::Folder || stat.mode & 0o111 != 0;
    }
    let shift = match () {
        () if stat.uid == who.uid => 6,
        () if who.gids.contains(&stat.gid) => 3,
        () => 0,
    };
    stat.mode >> shift & want.bit() != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::memory::MemoryFiles;

    const SOMEONE: u32 = 1000;

    fn someone() -> Credentials {
        Credentials { uid: SOMEONE, gids: vec![SOMEONE] }
    }

    fn walk(files: &MemoryFiles, path: &str, want: Want) -> Result<PathBuf, Denied> {
        reach(files, &someone(), Path::new(path), want)
    }

    #[test]
    fn the_component_that_stops_the_walk_is_named() {
        let files = MemoryFiles::new().file("/root/app/a.wsgi", "").mode("/root", 0o700);
        let expected = Denied::NoPassage { path: "/root".into(), mode: 0o700, uid: 0 };
        assert_eq!(walk(&files, "/root/app/a.wsgi", Want::Read), Err(expected.clone()));
        assert_eq!(expected.to_string(), "/root (mode 0700, owner 0) cannot be entered");
        assert_eq!(expected.remedy(), "chmod o+x /root");
        let root = Credentials { uid: 0, gids: vec![0] };
        assert!(reach(&files, &root, Path::new("/root/app/a.wsgi"), Want::Read).is_ok());
    }

    #[test]
    fn links_are_followed_into_what_stops_them() {
        let files = MemoryFiles::new()
            .program("/root/python/bin/python3")
            .mode("/root", 0o750)
            .link("/srv/venv/bin/python3", "../../../root/python/bin/python3")
            .link("/srv/venv/bin/python", "python3");
        let denied = walk(&files, "/srv/venv/bin/python", Want::Execute).unwrap_err();
        assert_eq!(denied, Denied::NoPassage { path: "/root".into(), mode: 0o750, uid: 0 });
        let open = files.mode("/root", 0o751);
        assert_eq!(
            walk(&open, "/srv/venv/bin/python", Want::Execute),
            Ok("/root/python/bin/python3".into())
        );
    }

    #[test]
    fn what_is_missing_or_no_folder_is_named() {
        let files = MemoryFiles::new().file("/srv/a", "").link("/srv/l", "/gone/x");
        let missing = |path: &str| Err(Denied::Missing(path.into()));
        assert_eq!(walk(&files, "/srv/b/c", Want::Read), missing("/srv/b"));
        assert_eq!(walk(&files, "/srv/l", Want::Read), missing("/gone"));
        assert_eq!(walk(&files, "/srv/a/c", Want::Read), Err(Denied::NotAFolder("/srv/a".into())));
    }

    #[test]
    fn links_in_a_circle_end() {
        let files = MemoryFiles::new().link("/a", "/b").link("/b", "a");
        assert_eq!(walk(&files, "/a", Want::Read), Err(Denied::Loop("/a".into())));
    }

    #[test]
    fn the_owners_bits_count_for_the_owner_alone() {
        let file = |mode, uid| MemoryFiles::new().file("/f", "").mode("/f", mode).owner("/f", uid);
        assert!(walk(&file(0o077, SOMEONE), "/f", Want::Read).is_err());
        assert!(walk(&file(0o400, SOMEONE), "/f", Want::Read).is_ok());
        assert!(walk(&file(0o770, 0), "/f", Want::Read).is_err());
        let member = Credentials { uid: SOMEONE, gids: vec![SOMEONE, 0] };
        assert!(reach(&file(0o040, 0), &member, Path::new("/f"), Want::Read).is_ok());
        assert!(reach(&file(0o404, 0), &member, Path::new("/f"), Want::Read).is_err());
    }

    #[test]
    fn root_runs_only_what_somebody_may_run() {
        let root = Credentials { uid: 0, gids: vec![0] };
        let files = MemoryFiles::new().file("/f", "");
        assert!(reach(&files, &root, Path::new("/f"), Want::Write).is_ok());
        assert!(reach(&files, &root, Path::new("/f"), Want::Execute).is_err());
    }

    #[test]
    fn the_root_itself_can_be_asked_for() {
        assert_eq!(walk(&MemoryFiles::new(), "/", Want::Read), Ok("/".into()));
        assert_eq!(walk(&MemoryFiles::new(), "/..", Want::Read), Ok("/".into()));
    }
}
