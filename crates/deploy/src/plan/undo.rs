//! Undoing changes, the last one first.

use std::fs;
use std::path::{Path, PathBuf};

use super::change::Change;
use super::{PlanError, files};
use crate::account;
use crate::apache::{Apache, Switch};
use crate::error::FileError;
use crate::interrupt::Interrupt;
use crate::place::Place;

/// Undoes changes in reverse, but for the paths to `keep`; goes on after what fails.
///
/// # Errors
/// All that could not be undone, a line each.
pub fn undo(
    changes: &[Change],
    apache: Option<&Apache>,
    keep: &[PathBuf],
) -> Result<(), PlanError> {
    let mut failed = Vec::new();
    let reloaded = changes.iter().any(|c| matches!(c, Change::Reloaded | Change::Started));
    for change in changes.iter().rev() {
        let undone = match change {
            Change::Configuration { running, .. } if reloaded || *running => {
                apache.map_or(Ok(()), |apache| bring_back(apache, reloaded, *running))
            }
            other => undo_one(other, apache, keep),
        };
        if let Err(error) = undone {
            failed.push(format!("  {error}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(PlanError::NotUndone(failed.join("\n"))) }
}

fn undo_one(change: &Change, apache: Option<&Apache>, keep: &[PathBuf]) -> Result<(), PlanError> {
    match change {
        Change::Folder { path } => {
            // Not empty means that others use it, or that something in it is kept.
            let _ = fs::remove_dir(path);
            Ok(())
        }
        Change::Made { path } => {
            files::remove(path, keep)?;
            Ok(())
        }
        Change::Replaced { path, kept } => put_back(path, kept),
        Change::Owned { path, uid, gid, mode } => own(path, *uid, *gid, *mode).map_err(Into::into),
        Change::Enabled { kind, name } => switch_off(apache, *kind, name),
        Change::Started => match apache {
            Some(apache) => Ok(apache.stop().run(&Interrupt::deaf()).map(drop)?),
            None => Ok(()),
        },
        Change::Configuration { .. }
        | Change::Reloaded
        | Change::SetUp
        | Change::Data { .. }
        | Change::Shared { .. }
        | Change::Answered { .. } => Ok(()),
    }
}

fn put_back(path: &Path, kept: &Path) -> Result<(), PlanError> {
    if kept.symlink_metadata().is_err() {
        // Noted, but not yet replaced.
        return Ok(());
    }
    files::remove(path, &[])?;
    files::duplicate(kept, path)?;
    files::remove(kept, &[])?;
    Ok(())
}

fn own(path: &Path, uid: u32, gid: u32, mode: u32) -> Result<(), FileError> {
    if !path.exists() {
        return Ok(());
    }
    let place = Place::find(path)?;
    if account::is_root() {
        place.give(uid, gid)?;
    }
    place.set_mode(mode)
}

fn switch_off(apache: Option<&Apache>, kind: Switch, name: &str) -> Result<(), PlanError> {
    let Some(apache) = apache else { return Ok(()) };
    if apache.enabled_link(kind, name).symlink_metadata().is_err() {
        return Ok(());
    }
    match apache.disable(kind, name) {
        Some(tool) => Ok(tool.run(&Interrupt::deaf()).map(drop)?),
        None => Ok(()),
    }
}

/// Lets a running Apache take its configuration as it is now; starts one that ran and is gone.
fn bring_back(apache: &Apache, reloaded: bool, ran: bool) -> Result<(), PlanError> {
    let interrupt = Interrupt::deaf();
    apache.test(&interrupt)?;
    let facts = apache.facts()?;
    match facts.parent() {
        Some(_) if reloaded => apache.reload(&facts, &interrupt)?,
        None if ran => drop(apache.start().run(&interrupt)?),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::journal::Store;
    use crate::plan::run::Run;
    use std::os::unix::fs::PermissionsExt;

    /// All files below a folder with content and mode.
    fn picture(root: &Path) -> Vec<(PathBuf, Option<Vec<u8>>, u32)> {
        let mut all: Vec<_> = walkdir::WalkDir::new(root)
            .into_iter()
            .flatten()
            .map(|e| {
                let mode = e.metadata().unwrap().permissions().mode();
                (e.path().to_owned(), fs::read(e.path()).ok(), mode)
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn every_change_is_undone_and_what_is_kept_stays() {
        let folder = tempfile::tempdir().unwrap();
        let world = folder.path().join("world");
        fs::create_dir_all(world.join("etc")).unwrap();
        fs::write(world.join("etc/old"), "before").unwrap();
        fs::create_dir(world.join("etc/tree")).unwrap();
        fs::write(world.join("etc/tree/file"), "before").unwrap();
        let before = picture(&world);

        let store = Store::open(&folder.path().join("state"), "x").unwrap();
        let mut journal = store.journal().unwrap();
        let interrupt = Interrupt::default();
        let mut run = Run::new(&mut journal, &interrupt, store.kept());
        run.write(&world.join("a/b/new"), b"x", 0o600, None).unwrap();
        run.write(&world.join("etc/old"), b"after", 0o600, None).unwrap();
        run.claim(&world.join("etc/tree")).unwrap();
        fs::write(world.join("etc/tree/file"), "after").unwrap();
        fs::write(world.join("etc/tree/other"), "after").unwrap();
        let me = account::Account::current();
        run.own(&world.join("etc"), me.uid, me.gid, 0o700).unwrap();
        run.claim(&world.join("app")).unwrap();
        fs::create_dir(world.join("app")).unwrap();
        fs::write(world.join("app/db"), "data").unwrap();
        assert_ne!(picture(&world), before);

        let changes = store.journal().unwrap().changes();
        undo(&changes, None, &[world.join("app/db")]).unwrap();
        assert_eq!(fs::read(world.join("app/db")).unwrap(), b"data");
        undo(&changes, None, &[]).unwrap();
        assert_eq!(picture(&world), before);
    }
}
