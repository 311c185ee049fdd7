//! Taking a site away again.

use std::path::{Path, PathBuf};

use super::change::{Change, Part};
use super::journal::{Record, Store};
use super::{PlanError, undo};
use crate::apache::{Apache, Sites, Switch};

/// What taking a site away removes, and what it leaves.
#[derive(Debug)]
pub struct Removal {
    record: Record,
    /// What of its users' data is there: databases, uploads, logs.
    pub data: Vec<PathBuf>,
}

impl Removal {
    /// What is known of a site; an unfinished run counts too.
    ///
    /// # Errors
    /// The site was not deployed to this Apache, or its record cannot be read.
    pub fn of(store: &Store, site: &str, apache: &Apache) -> Result<Self, PlanError> {
        let record = match (store.record()?, store.is_unfinished()) {
            (Some(record), _) => record,
            (None, true) => Record::new(site, std::path::Path::new("")),
            (None, false) => {
                let folder = apache.state_folder();
                return Err(PlanError::NotDeployed { site: site.to_owned(), folder });
            }
        };
        let data: Vec<PathBuf> = record.data().into_iter().filter(|path| path.exists()).collect();
        Ok(Self { record, data })
    }

    /// Whether an earlier removal left nothing but data.
    pub fn is_only_data(&self) -> bool {
        !self.record.changes.iter().any(|change| matches!(change, Change::Configuration { .. }))
    }

    /// What will be removed or put back, a line each.
    pub fn lines(&self, purge: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for change in self.record.changes.iter().rev() {
            lines.extend(match change {
                Change::Enabled { kind, name } => {
                    Some(format!("disable the {} {name}", kind.word()))
                }
                Change::Made { path } if purge || !self.data.contains(path) => {
                    Some(format!("remove {}", path.display()))
                }
                Change::Replaced { path, .. } => Some(format!("put {} back", path.display())),
                Change::Owned { path, .. } => Some(format!("give {} back", path.display())),
                Change::Configuration { .. } => Some("reload Apache".to_owned()),
                _ => None,
            });
        }
        if !purge {
            lines.extend(self.data.iter().map(|path| format!("keep {} (data)", path.display())));
        }
        lines.dedup();
        lines
    }
}

/// Takes the site away: disables it, lets Apache take that, and removes what was made for it. Data
/// stays unless `purge`. What other sites deployed by Pinion need stays too.
///
/// # Errors
/// What could not be removed; the record stays then, so that it can be tried again.
pub fn undeploy(
    removal: &Removal,
    store: &Store,
    apache: &Apache,
    purge: bool,
) -> Result<(), PlanError> {
    if store.is_unfinished() {
        undo(&store.journal()?.changes(), Some(apache), &[])?;
        store.abandon()?;
    }
    still_included(removal, apache)?;
    let shared = shared(&removal.record, &store.others()?);
    let own = removal.record.changes.iter().filter(|change| !shared.contains(change));
    let mut own: Vec<Change> = own.cloned().collect();
    if shared.contains(&Change::Started) {
        // It goes on without this site.
        own.push(Change::Reloaded);
    }
    let keep = if purge { Vec::new() } else { removal.data.clone() };
    undo(&own, Some(apache), &keep)?;
    if !shared.is_empty() {
        store.hand_over(&shared)?;
    }
    store.forget()?;
    if !keep.is_empty() {
        // As long as the data is there, so is what tells how to remove it.
        store.write_record(&removal.record.of_data(&keep))?;
    }
    Ok(())
}

/// Whether a person has to take an `Include` of the site's files out first: without them, Apache
/// would not start again.
fn still_included(removal: &Removal, apache: &Apache) -> Result<(), PlanError> {
    if apache.sites != Sites::ByHand {
        return Ok(());
    }
    let facts = apache.facts()?;
    match facts.files.iter().find(|file| removal.record.made(file)) {
        Some(file) => Err(PlanError::Left {
            what: format!(
                "take `Include \"{}\"` out of {}",
                file.display(),
                apache.config.display()
            ),
        }),
        None => Ok(()),
    }
}

/// What this site's deployment made and other sites count on: the module, the baseline, the
/// folders on the way, and that Apache runs.
fn shared(record: &Record, others: &[Record]) -> Vec<Change> {
    if others.is_empty() {
        return Vec::new();
    }
    let marked = |path: &Path| {
        record
            .changes
            .iter()
            .any(|c| matches!(c, Change::Shared { path: marked } if marked == path))
    };
    let below = |folder: &Path, change: &Change| {
        change.path().is_some_and(|path| path != folder && path.starts_with(folder))
    };
    let still_used = |folder: &Path| {
        others.iter().any(|other| other.changes.iter().any(|change| below(folder, change)))
            || record
                .changes
                .iter()
                .any(|change| below(folder, change) && change.path().is_some_and(marked))
    };
    let is_shared = |change: &&Change| match change {
        Change::Shared { .. }
        | Change::Started
        | Change::Configuration { part: Part::Server, .. } => true,
        Change::Enabled { kind, .. } => *kind == Switch::Module,
        Change::Folder { path } => still_used(path),
        other => other.path().is_some_and(marked),
    };
    record.changes.iter().filter(is_shared).cloned().collect()
}
