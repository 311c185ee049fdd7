//! Locks on files, which end with the process that has them.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// A lock on a file or folder; whoever else wants it is told that it is taken.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock of an open file or folder; `None` where another open file has it.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn take(file: File) -> io::Result<Option<Self>> {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Some(Self { _file: file })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_until_the_lock_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::open(folder.path()).unwrap();
        let lock = Lock::take(open()).unwrap();
        assert!(lock.is_some());
        assert!(Lock::take(open()).unwrap().is_none());
        drop(lock);
        assert!(Lock::take(open()).unwrap().is_some());
    }
}
