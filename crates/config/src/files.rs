//! What the checks ask of the file system, so that they are tested without one.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The file system, as far as the checks look at it. Paths are absolute.
pub trait Files {
    /// What is at the path, symbolic links followed.
    ///
    /// # Errors
    /// As `stat(2)`.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// What is at the path itself.
    ///
    /// # Errors
    /// As `lstat(2)`.
    fn lstat(&self, path: &Path) -> io::Result<Stat>;
    /// Where a symbolic link points to, as written in it.
    ///
    /// # Errors
    /// As `readlink(2)`.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// The text of a small file.
    ///
    /// # Errors
    /// As `read(2)`, and for text that is no UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The names in a folder, in no order.
    ///
    /// # Errors
    /// As `readdir(3)`.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// The permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FileKind {
    File,
    Folder,
    Link,
    Other,
}

/// The system's own files.
#[derive(Debug, Clone, Copy)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        std::fs::metadata(path).map(|data| stat_of(&data))
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        std::fs::symlink_metadata(path).map(|data| stat_of(&data))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        // A configuration test must not hang on a pipe that somebody named by mistake.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        std::fs::read_to_string(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }
}

fn stat_of(data: &std::fs::Metadata) -> Stat {
    use std::os::unix::fs::MetadataExt as _;
    let kind = match data.file_type() {
        t if t.is_file() => FileKind::File,
        t if t.is_dir() => FileKind::Folder,
        t if t.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    };
    Stat { kind, mode: data.mode() & 0o7777, uid: data.uid(), gid: data.gid() }
}

#[cfg(test)]
pub(crate) mod memory {
    //! Files that exist only in a test.

    use super::*;
    use std::collections::BTreeMap;
    use std::path::Component;

    #[derive(Debug, Clone)]
    enum Node {
        File(String),
        Folder,
        Link(PathBuf),
    }

    /// A file system made of what a test says. All belongs to root.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct MemoryFiles(BTreeMap<PathBuf, (Node, u32, u32)>);

    impl MemoryFiles {
        pub(crate) fn new() -> Self {
            let mut files = Self::default();
            files.0.insert("/".into(), (Node::Folder, 0o755, 0));
            files
        }

        fn put(mut self, path: &str, node: Node, mode: u32) -> Self {
            let path = PathBuf::from(path);
            for parent in path.ancestors().skip(1) {
                self.0.entry(parent.into()).or_insert((Node::Folder, 0o755, 0));
            }
            self.0.insert(path, (node, mode, 0));
            self
        }

        pub(crate) fn file(self, path: &str, text: &str) -> Self {
            self.put(path, Node::File(text.into()), 0o644)
        }

        pub(crate) fn program(self, path: &str) -> Self {
            self.put(path, Node::File(String::new()), 0o755)
        }

        pub(crate) fn folder(self, path: &str) -> Self {
            self.put(path, Node::Folder, 0o755)
        }

        pub(crate) fn link(self, path: &str, target: &str) -> Self {
            self.put(path, Node::Link(target.into()), 0o777)
        }

        pub(crate) fn mode(mut self, path: &str, mode: u32) -> Self {
            self.0.get_mut(Path::new(path)).unwrap().1 = mode;
            self
        }

        pub(crate) fn owner(mut self, path: &str, uid: u32) -> Self {
            self.0.get_mut(Path::new(path)).unwrap().2 = uid;
            self
        }

        fn resolve(&self, path: &Path, depth: u32) -> io::Result<PathBuf> {
            if depth > 40 {
                return Err(io::Error::other("too many links"));
            }
            let mut real = PathBuf::new();
            for component in path.components() {
                if component == Component::ParentDir {
                    real.pop();
                    continue;
                }
                if !real.as_os_str().is_empty()
                    && !matches!(self.0.get(&real), Some((Node::Folder, ..)))
                {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
                real.push(component);
                if let Some((Node::Link(target), ..)) = self.0.get(&real) {
                    let target = real.parent().unwrap().join(target);
                    real = self.resolve(&target, depth + 1)?;
                }
            }
            self.node(&real).map(|_| real)
        }

        fn node(&self, path: &Path) -> io::Result<&(Node, u32, u32)> {
            self.0.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
        }

        fn describe((node, mode, uid): &(Node, u32, u32)) -> Stat {
            let kind = match node {
                Node::File(_) => FileKind::File,
                Node::Folder => FileKind::Folder,
                Node::Link(_) => FileKind::Link,
            };
            Stat { kind, mode: *mode, uid: *uid, gid: *uid }
        }

        fn entry(&self, path: &Path) -> io::Result<PathBuf> {
            let parent = self.resolve(path.parent().unwrap_or(Path::new("/")), 0)?;
            Ok(path.file_name().map_or(parent.clone(), |name| parent.join(name)))
        }
    }

    impl Files for MemoryFiles {
        fn stat(&self, path: &Path) -> io::Result<Stat> {
            self.resolve(path, 0).and_then(|real| self.node(&real).map(Self::describe))
        }

        fn lstat(&self, path: &Path) -> io::Result<Stat> {
            self.entry(path).and_then(|real| self.node(&real).map(Self::describe))
        }

        fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
            match self.node(&self.entry(path)?)? {
                (Node::Link(target), ..) => Ok(target.clone()),
                _ => Err(io::ErrorKind::InvalidInput.into()),
            }
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            match self.node(&self.resolve(path, 0)?)? {
                (Node::File(text), ..) => Ok(text.clone()),
                _ => Err(io::ErrorKind::InvalidInput.into()),
            }
        }

        fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
            let folder = self.resolve(folder, 0)?;
            let names = self.0.keys().filter(|path| path.parent() == Some(&folder));
            Ok(names.filter_map(|path| path.file_name().map(Into::into)).collect())
        }
    }
}
