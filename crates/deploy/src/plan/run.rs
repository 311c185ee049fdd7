//! Making changes so that each can be undone: noted first, what was there kept.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pinion_config::access::{Credentials, Want, reach};
use pinion_config::files::SystemFiles;

use super::PlanError;
use super::change::{Change, Part};
use super::files;
use super::journal::Journal;
use crate::account::{self, Account};
use crate::error::FileError;
use crate::interrupt::Interrupt;
use crate::place::{Place, give_tree};

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

    /// Lets the account write a folder or file that is there: gives it, unless it can write there
    /// already.
    ///
    /// # Errors
    /// It is somebody else's and in use, so that others may count on it; or the system refuses it.
    pub fn provide(
        &mut self,
        path: &Path,
        owner: &Account,
        mode: u32,
        home: &Path,
    ) -> Result<(), PlanError> {
        if lacks(path, owner, home)? { self.own(path, owner.uid, owner.gid, mode) } else { Ok(()) }
    }

    /// Makes sure of a folder that is `owner`'s with all in it.
    ///
    /// # Errors
    /// What is there cannot be kept, or the folder not be made or given.
    pub fn home(&mut self, path: &Path, owner: &Account) -> Result<(), PlanError> {
        self.claim(path)?;
        if !path.is_dir() {
            fs::create_dir(path).map_err(FileError::at("make", path))?;
            files::set_mode(path, 0o755)?;
        }
        Ok(give_tree(path, owner)?)
    }

    /// Gives what is there an owner and a mode; does nothing where it has them.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn own(&mut self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<(), PlanError> {
        let place = Place::find(path)?;
        let meta = fs::metadata(place.steady()).map_err(FileError::at("read", path))?;
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
        if account::is_root() {
            place.give(uid, gid)?;
        }
        // After the owner: to change that takes some bits away.
        place.set_mode(mode)?;
        Ok(())
    }
}

/// Whether what is at `path` has to be given to `account`, which cannot write there. Only what is in
/// the application's own folder `home`, and empty folders, may be given.
///
/// # Errors
/// It is another's, and in use: `/var/log` is not given away because a log file is to be there.
pub(super) fn lacks(path: &Path, account: &Account, home: &Path) -> Result<bool, PlanError> {
    let who = Credentials { uid: account.uid, gids: vec![account.gid] };
    let wants = [Want::Write].into_iter().chain(path.is_dir().then_some(Want::Execute));
    if wants.map(|want| reach(&SystemFiles, &who, path, want)).all(|found| found.is_ok()) {
        return Ok(false);
    }
    let meta = fs::metadata(path).map_err(FileError::at("read", path))?;
    let empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    // Where only a folder on the way is closed, the warnings name it.
    if meta.uid() == account.uid || !account::is_root() || path.starts_with(home) || empty() {
        return Ok(true);
    }
    Err(PlanError::Anothers { path: path.to_owned(), user: account.user.clone() })
}

fn give(path: &Path, uid: u32, gid: u32) -> Result<(), FileError> {
    if account::is_root() { files::give(path, uid, gid) } else { Ok(()) }
}
