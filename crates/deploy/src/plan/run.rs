//! Making changes so that each can be undone: noted first, what was there kept.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::PlanError;
use super::change::{Change, Part};
use super::files;
use super::journal::Journal;
use crate::account::{self, Account};
use crate::error::FileError;
use crate::interrupt::Interrupt;

/// A run of a plan.
#[derive(Debug)]
pub struct Run<'a> {
    /// Notes each change before it is made.
    pub journal: &'a mut Journal,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    kept: PathBuf,
}

impl<'a> Run<'a> {
    /// A run that keeps what it replaces in the folder `kept`.
    pub fn new(journal: &'a mut Journal, interrupt: &'a Interrupt, kept: PathBuf) -> Self {
        Self { journal, interrupt, kept }
    }

    /// Stops here if somebody asked to.
    ///
    /// # Errors
    /// Somebody did.
    pub fn go_on(&self) -> Result<(), PlanError> {
        if self.interrupt.came() { Err(PlanError::Interrupted) } else { Ok(()) }
    }

    /// Notes one change.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn note(&mut self, change: Change) -> Result<(), PlanError> {
        self.journal.note(&[change])
    }

    /// Notes, once in a run, that a part of Apache's configuration is about to be changed.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn configuration(&mut self, part: Part, running: bool) -> Result<(), PlanError> {
        let known = |change: &Change| matches!(change, Change::Configuration { part: noted, .. } if *noted == part);
        if self.journal.changes().iter().any(known) {
            return Ok(());
        }
        self.note(Change::Configuration { part, running })
    }

    /// Makes the folders on the way to `path` that are not there, for all to pass through.
    ///
    /// # Errors
    /// One cannot be made.
    pub fn way_to(&mut self, path: &Path) -> Result<(), PlanError> {
        let Some(folder) = path.parent() else { return Ok(()) };
        let absent: Vec<&Path> = folder.ancestors().take_while(|part| !part.exists()).collect();
        for part in absent.into_iter().rev() {
            self.journal.note(&[Change::Folder { path: part.to_owned() }])?;
            fs::create_dir(part).map_err(FileError::at("make", part))?;
            files::set_mode(part, 0o755)?;
        }
        Ok(())
    }

    /// Notes that something is about to be made at `path`, with the folders on the way to it; what
    /// is there is kept first.
    ///
    /// # Errors
    /// What is there cannot be kept.
    pub fn claim(&mut self, path: &Path) -> Result<(), PlanError> {
        self.way_to(path)?;
        if path.symlink_metadata().is_err() {
            return self.journal.note(&[Change::Made { path: path.to_owned() }]);
        }
        let kept = self.keep(path)?;
        self.journal.note(&[Change::Replaced { path: path.to_owned(), kept }])
    }

    /// Notes many paths at once, relative to a folder that is there: those that will be made, and
    /// those that will be replaced or removed.
    ///
    /// # Errors
    /// What is there cannot be kept.
    pub fn claim_all(&mut self, made: &[PathBuf], replaced: &[PathBuf]) -> Result<(), PlanError> {
        let mut changes: Vec<Change> =
            made.iter().map(|path| Change::Made { path: path.clone() }).collect();
        for path in replaced {
            changes.push(Change::Replaced { path: path.clone(), kept: self.keep(path)? });
        }
        self.journal.note(&changes)
    }

    fn keep(&self, path: &Path) -> Result<PathBuf, PlanError> {
        if !self.kept.exists() {
            fs::create_dir(&self.kept).map_err(FileError::at("make", &self.kept))?;
            // Ini files with secrets may get here.
            files::set_mode(&self.kept, 0o700)?;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let free = (1..).map(|number: u32| self.kept.join(format!("{number}-{name}")));
        let kept = free.into_iter().find(|path| path.symlink_metadata().is_err());
        // There are more numbers than a folder can have files.
        let kept = kept.unwrap_or_else(|| self.kept.join(&name));
        files::duplicate(path, &kept)?;
        Ok(kept)
    }

    /// Writes a file, and gives it to `owner`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(
        &mut self,
        path: &Path,
        bytes: &[u8],
        mode: u32,
        owner: Option<&Account>,
    ) -> Result<(), PlanError> {
        self.claim(path)?;
        files::write(path, bytes, mode)?;
        if let Some(owner) = owner {
            give(path, owner.uid, owner.gid)?;
        }
        Ok(())
    }

    /// Makes a folder if it is not there, and gives it an owner and a mode.
    ///
    /// # Errors
    /// It cannot be made or given.
    pub fn folder(&mut self, path: &Path, owner: &Account, mode: u32) -> Result<(), PlanError> {
        if !path.is_dir() {
            self.claim(path)?;
            fs::create_dir(path).map_err(FileError::at("make", path))?;
        }
        self.own(path, owner.uid, owner.gid, mode)
    }

    /// Gives what is there an owner and a mode; does nothing where it has them.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn own(&mut self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<(), PlanError> {
        let meta = fs::metadata(path).map_err(FileError::at("read", path))?;
        let before = (meta.uid(), meta.gid(), meta.mode() & 0o7777);
        let (uid, gid) = if account::is_root() { (uid, gid) } else { (before.0, before.1) };
        if before == (uid, gid, mode) {
            return Ok(());
        }
        let path_owned = path.to_owned();
        let (old_uid, old_gid, old_mode) = before;
        self.journal.note(&[Change::Owned {
            path: path_owned,
            uid: old_uid,
            gid: old_gid,
            mode: old_mode,
        }])?;
        give(path, uid, gid)?;
        files::set_mode(path, mode)?;
        Ok(())
    }
}

/// Gives a tree that this run made to `owner`, links too.
///
/// # Errors
/// Something in it cannot be given.
pub fn give_tree(path: &Path, owner: &Account) -> Result<(), PlanError> {
    if !account::is_root() {
        return Ok(());
    }
    for entry in WalkDir::new(path) {
        let entry = entry.map_err(|error| FileError::at("read", path)(error.into()))?;
        std::os::unix::fs::lchown(entry.path(), Some(owner.uid), Some(owner.gid))
            .map_err(FileError::at("give away", entry.path()))?;
    }
    Ok(())
}

fn give(path: &Path, uid: u32, gid: u32) -> Result<(), FileError> {
    if account::is_root() { files::give(path, uid, gid) } else { Ok(()) }
}
