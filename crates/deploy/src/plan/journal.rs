//! The journal of a run, from which the run is put back or carried on, and the record of a site,
//! from which the site is taken away.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::PlanError;
use super::change::{Change, Part, merge};
use crate::apache::DEBIAN_NOTES;
use crate::error::FileError;

/// The version of what is written here.
const VERSION: u32 = 1;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// The first.
    Head { journal: u32, site: String },
    /// A step begins.
    Begin { begin: String },
    /// A step is done.
    End { end: String },
    /// Something is about to be changed.
    Change(Change),
}

/// What is known of a site that was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this file's form.
    pub version: u32,
    /// The site's name.
    pub site: String,
    /// The project that it was deployed from.
    pub project: PathBuf,
    /// All that was changed for it, in order.
    pub changes: Vec<Change>,
}

/// The folder that holds records, journals and what was replaced; this process alone may use it.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    site: String,
    made: Vec<PathBuf>,
    _lock: Flock<File>,
}

impl Store {
    /// Opens the store for one site, and keeps other runs out.
    ///
    /// # Errors
    /// The folder cannot be made or written, or another run is using it.
    pub fn open(folder: &Path, site: &str) -> Result<Self, PlanError> {
        let made: Vec<PathBuf> =
            folder.ancestors().take_while(|part| !part.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(folder).map_err(FileError::at("make", folder))?;
        let path = folder.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::at("write", &path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_file, _why)| PlanError::Busy { folder: folder.to_owned() })?;
        Ok(Self { folder: folder.to_owned(), site: site.to_owned(), made, _lock: lock })
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.site))
    }

    /// The folder for what this site's runs replace.
    pub fn kept(&self) -> PathBuf {
        self.file("kept")
    }

    /// The record of the site, if it was deployed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn record(&self) -> Result<Option<Record>, PlanError> {
        read_record(&self.file("json"))
    }

    /// The records of all other sites in the store.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn others(&self) -> Result<Vec<Record>, PlanError> {
        let own = self.file("json");
        let entries = fs::read_dir(&self.folder).map_err(FileError::at("read", &self.folder))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let records =
            paths.filter(|path| path.extension().is_some_and(|e| e == "json") && *path != own);
        records.filter_map(|path| read_record(&path).transpose()).collect()
    }

    /// Writes the record, which ends the run: its journal is removed, and so is what was kept of
    /// what deployment itself had made earlier.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(&self, mut record: Record, run: &[Change]) -> Result<(), PlanError> {
        record.changes = merge(&record.changes, run);
        self.write_record(&record)?;
        self.forget_journal()?;
        self.sweep(&record.changes)
    }

    /// Writes the record of a site, this one's or another's.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_record(&self, record: &Record) -> Result<(), PlanError> {
        let path = self.folder.join(format!("{}.json", record.site));
        // Of strings, paths and numbers only: it cannot fail.
        let text = serde_json::to_string_pretty(record).unwrap_or_default();
        Ok(super::files::write(&path, text.as_bytes(), 0o600)?)
    }

    /// Gives changes that other sites count on to one of them, whose removal will undo them.
    ///
    /// # Errors
    /// No record can be read or written.
    pub fn hand_over(&self, changes: &[Change]) -> Result<(), PlanError> {
        let Some(mut heir) = self.others()?.into_iter().next() else { return Ok(()) };
        let site =
            |change: &Change| matches!(change, Change::Configuration { part: Part::Site, .. });
        let at = heir.changes.iter().position(site).unwrap_or(0);
        let new = changes.iter().filter(|change| !heir.changes.contains(change)).cloned();
        // Folders are undone last: by then what the heir put into them is gone.
        let (folders, new): (Vec<Change>, Vec<Change>) =
            new.partition(|change| matches!(change, Change::Folder { .. }));
        heir.changes.splice(at..at, new);
        heir.changes.splice(0..0, folders);
        self.write_record(&heir)
    }

    /// Removes kept files that no change of the record needs.
    fn sweep(&self, changes: &[Change]) -> Result<(), PlanError> {
        let needed = |path: &Path| {
            changes.iter().any(|c| matches!(c, Change::Replaced { kept, .. } if kept == path))
        };
        let folder = self.kept();
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !needed(&entry.path()) {
                super::files::remove(&entry.path(), &[])?;
            }
        }
        // It stays while something in it is needed.
        let _ = fs::remove_dir(&folder);
        Ok(())
    }

    /// Removes the journal.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn forget_journal(&self) -> Result<(), PlanError> {
        super::files::remove(&self.file("journal"), &[]).map_err(PlanError::from)
    }

    /// Forgets a run that was put back, with what it kept.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn abandon(&self) -> Result<(), PlanError> {
        self.forget_journal()?;
        let record = self.record()?;
        self.sweep(record.as_ref().map_or(&[], |record| &record.changes))
    }

    /// Removes all that is known of the site.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn forget(&self) -> Result<(), PlanError> {
        self.forget_journal()?;
        super::files::remove(&self.file("json"), &[])?;
        super::files::remove(&self.kept(), &[])?;
        Ok(())
    }

    /// Removes the store's own folder where nothing of any site is left in it.
    pub fn close(self) {
        let in_use = fs::read_dir(&self.folder).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name() != "lock" && entry.file_name() != DEBIAN_NOTES)
        });
        if in_use {
            return;
        }
        let _ = super::files::remove(&self.folder.join(DEBIAN_NOTES), &[]);
        let _ = fs::remove_file(self.folder.join("lock"));
        let _ = fs::remove_dir(&self.folder);
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }

    /// The journal, with what an unfinished earlier run left in it.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn journal(&self) -> Result<Journal, PlanError> {
        let path = self.file("journal");
        let entries = read_journal(&path)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::at("write", &path))?;
        let mut journal = Journal { path, file, entries };
        if journal.entries.is_empty() {
            journal.write(&[Line::Head { journal: VERSION, site: self.site.clone() }])?;
        }
        Ok(journal)
    }

    /// Whether an earlier run did not come to its end.
    pub fn is_unfinished(&self) -> bool {
        self.file("journal").exists()
    }
}

pub(super) fn read_record(path: &Path) -> Result<Option<Record>, PlanError> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| PlanError::Record {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at("read", path)(error).into()),
    }
}

/// The lines of a journal; a last one that was not written to its end is left out, since then what
/// it tells was not done.
fn read_journal(path: &Path) -> Result<Vec<Line>, PlanError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at("read", path)(error).into()),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    if whole.len() + 1 < text.len() {
        // Later lines must not be joined to the half one.
        super::files::write(path, format!("{whole}\n").trim_start().as_bytes(), 0o600)?;
    }
    let lines = whole.lines().map(|line| {
        serde_json::from_str(line).map_err(|error| PlanError::Record {
            path: path.to_owned(),
            reason: format!("{error} in `{line}`"),
        })
    });
    lines.collect()
}

/// What a run did so far.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    entries: Vec<Line>,
}

impl Journal {
    fn write(&mut self, lines: &[Line]) -> Result<(), PlanError> {
        let mut text = String::new();
        for line in lines {
            // Of strings, paths and numbers only: it cannot fail.
            text.push_str(&serde_json::to_string(line).unwrap_or_default());
            text.push('\n');
        }
        let failed = |error| PlanError::from(FileError::at("write", &self.path)(error));
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.file.sync_data().map_err(failed)?;
        self.entries.extend(lines.iter().cloned());
        Ok(())
    }

    /// Notes that a step begins.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn begin(&mut self, step: &str) -> Result<(), PlanError> {
        self.write(&[Line::Begin { begin: step.to_owned() }])
    }

    /// Notes that a step is done.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn end(&mut self, step: &str) -> Result<(), PlanError> {
        self.write(&[Line::End { end: step.to_owned() }])
    }

    /// Notes what is about to be changed.
    ///
    /// # Errors
    /// The journal cannot be written; then nothing may be changed.
    pub fn note(&mut self, changes: &[Change]) -> Result<(), PlanError> {
        let lines: Vec<Line> = changes.iter().cloned().map(Line::Change).collect();
        self.write(&lines)
    }

    /// All changes noted, in order.
    pub fn changes(&self) -> Vec<Change> {
        self.entries
            .iter()
            .filter_map(|line| match line {
                Line::Change(change) => Some(change.clone()),
                _ => None,
            })
            .collect()
    }

    /// Whether a step that an earlier run noted as done is in it.
    pub fn has_done(&self, step: &str) -> bool {
        self.entries.iter().any(|line| matches!(line, Line::End { end } if end == step))
    }

    /// The step in which an earlier run stopped, with the changes that it noted in it.
    pub fn broken_off(&self) -> Option<(String, Vec<Change>)> {
        let last = self.entries.iter().rposition(|line| !matches!(line, Line::Change(_)))?;
        let Line::Begin { begin } = &self.entries[last] else { return None };
        let changes = self.entries[last + 1..].iter().filter_map(|line| match line {
            Line::Change(change) => Some(change.clone()),
            _ => None,
        });
        Some((begin.clone(), changes.collect()))
    }

    /// Forgets the changes of the step in which an earlier run stopped, once they are undone.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn forget_broken_off(&mut self) -> Result<(), PlanError> {
        let Some(last) = self.entries.iter().rposition(|line| !matches!(line, Line::Change(_)))
        else {
            return Ok(());
        };
        let entries = self.entries[..last].to_vec();
        let mut text = String::new();
        for line in &entries {
            text.push_str(&serde_json::to_string(line).unwrap_or_default());
            text.push('\n');
        }
        super::files::write(&self.path, text.as_bytes(), 0o600)?;
        let open = OpenOptions::new().append(true).open(&self.path);
        self.file = open.map_err(FileError::at("write", &self.path))?;
        self.entries = entries;
        Ok(())
    }
}

impl Record {
    /// The record of a site that nothing was done for yet.
    pub fn new(site: &str, project: &Path) -> Self {
        Self {
            version: VERSION,
            site: site.to_owned(),
            project: project.to_owned(),
            changes: Vec::new(),
        }
    }

    /// What belongs to the site's users: databases, uploads, logs.
    pub fn data(&self) -> Vec<PathBuf> {
        let data = self.changes.iter().filter_map(|change| match change {
            Change::Data { path } => Some(path.clone()),
            _ => None,
        });
        data.collect()
    }

    /// What remains to be known of the site when all is taken away but that data.
    pub(super) fn of_data(&self, data: &[PathBuf]) -> Self {
        let concerns =
            |path: &Path| data.iter().any(|kept| kept.starts_with(path) || path.starts_with(kept));
        let remains = |change: &&Change| match change {
            Change::Folder { path } | Change::Made { path } | Change::Data { path } => {
                concerns(path)
            }
            other => **other == Change::SetUp,
        };
        Self { changes: self.changes.iter().filter(remains).cloned().collect(), ..self.clone() }
    }

    /// Whether its database was set up.
    pub fn is_set_up(&self) -> bool {
        self.changes.contains(&Change::SetUp)
    }

    /// Where it was seen to answer last.
    pub fn url(&self) -> Option<&str> {
        self.changes.iter().find_map(|change| match change {
            Change::Answered { url } => Some(url.as_str()),
            _ => None,
        })
    }

    /// Whether an earlier deployment made or replaced what is at the path.
    pub fn made(&self, path: &Path) -> bool {
        self.changes.iter().any(|change| match change {
            Change::Made { path: made } => path.starts_with(made),
            Change::Replaced { path: replaced, .. } => path == replaced,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(path: &str) -> Change {
        Change::Made { path: path.into() }
    }

    #[test]
    fn a_run_that_stopped_half_way_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state"), "x").unwrap();
        let mut journal = store.journal().unwrap();
        journal.begin("copy").unwrap();
        journal.note(&[made("/a")]).unwrap();
        journal.end("copy").unwrap();
        journal.begin("virtualenv").unwrap();
        journal.note(&[made("/b"), made("/c")]).unwrap();
        drop(journal);
        // A line that was cut short by a power failure.
        let mut file = OpenOptions::new().append(true).open(store.file("journal")).unwrap();
        file.write_all(b"{\"change\":\"ma").unwrap();

        let mut journal = store.journal().unwrap();
        assert!(journal.has_done("copy") && !journal.has_done("virtualenv"));
        let broken = ("virtualenv".to_owned(), vec![made("/b"), made("/c")]);
        assert_eq!(journal.broken_off(), Some(broken));
        journal.forget_broken_off().unwrap();
        journal.begin("virtualenv").unwrap();
        assert_eq!(store.journal().unwrap().changes(), [made("/a")]);
    }

    #[test]
    fn two_runs_at_once_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Store::open(folder.path(), "x").unwrap();
        let error = Store::open(folder.path(), "y").unwrap_err();
        assert!(error.to_string().starts_with("another run of pinion uses"), "{error}");
    }

    #[test]
    fn a_finished_run_leaves_a_record_and_only_what_it_still_needs() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/b");
        let store = Store::open(&state, "x").unwrap();
        store.journal().unwrap();
        fs::create_dir(store.kept()).unwrap();
        for name in ["1", "2"] {
            fs::write(store.kept().join(name), "").unwrap();
        }
        let replaced = |path: &str, name: &str| Change::Replaced {
            path: path.into(),
            kept: store.kept().join(name),
        };
        let mut record = Record::new("x", Path::new("/p"));
        record.changes = vec![made("/a")];
        store.finish(record, &[replaced("/a/x", "1"), replaced("/etc/x", "2")]).unwrap();
        assert!(!store.is_unfinished());
        assert_eq!(store.record().unwrap().unwrap().changes, [made("/a"), replaced("/etc/x", "2")]);
        assert!(!store.kept().join("1").exists() && store.kept().join("2").exists());
        store.forget().unwrap();
        store.close();
        assert!(!folder.path().join("a").exists());
    }
}
