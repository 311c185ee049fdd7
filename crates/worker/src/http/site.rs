//! The folders whose files are served without the application.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use nix::libc;
use pinion_http::statics::{Node, OpenError, Opened};
use pinion_unix::folder::{Entry, Folder};

/// A folder, opened when it is first needed.
#[derive(Debug)]
pub(super) struct Site {
    path: PathBuf,
    held: Mutex<Option<Arc<Folder>>>,
}

impl Site {
    /// The folder at this path.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, held: Mutex::default() }
    }

    fn folder(&self) -> io::Result<Arc<Folder>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*held {
            return Ok(folder.clone());
        }
        let folder = Arc::new(Folder::open(&self.path)?);
        *held = Some(folder.clone());
        Ok(folder)
    }

    /// Something was not found: looks whether the folder was made anew meanwhile, or its path leads to another one. True when it is
    /// worth looking again.
    pub(super) fn renew(&self) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take_if(|folder| !folder.is_current()).is_some()
    }
}

impl pinion_http::statics::Folder for Site {
    type File = File;

    fn open(&self, name: &[u8]) -> Result<Node<File>, OpenError> {
        let entry = self.folder().and_then(|folder| folder.open_below(name));
        match entry.map_err(reason)? {
            Entry::Folder => Ok(Node::Folder),
            Entry::Other => Err(OpenError::Missing),
            Entry::File(file, metadata) => {
                let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
                let modified = (metadata.mtime(), nanos);
                Ok(Node::File(Opened { file, size: metadata.len(), modified }))
            }
        }
    }
}

fn reason(error: io::Error) -> OpenError {
    match error.raw_os_error() {
        // The last: names that this file system cannot have.
        Some(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::ELOOP
            | libc::EXDEV
            | libc::ENAMETOOLONG
            | libc::EINVAL
            | libc::EILSEQ,
        ) => OpenError::Missing,
        Some(libc::EACCES | libc::EPERM) => OpenError::Forbidden,
        _ => OpenError::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_told_apart() {
        let reason = |code| reason(io::Error::from_raw_os_error(code));
        for code in [libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::EXDEV, libc::ENAMETOOLONG] {
            assert!(matches!(reason(code), OpenError::Missing), "{code}");
        }
        assert!(matches!(reason(libc::EACCES), OpenError::Forbidden));
        for code in [libc::EMFILE, libc::EIO] {
            assert!(matches!(reason(code), OpenError::Failed(_)), "{code}");
        }
    }
}
