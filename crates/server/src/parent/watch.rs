//! The project's files while nothing of the application runs that could tell which of them it has loaded.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::plan::Plan;

/// How deep folders are looked into, and how many files are looked at: a project's own, not a whole disk.
const DEPTH: usize = 12;
const FILES: usize = 20_000;

/// When the files that could matter were changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, (i64, i64, u64)>);

impl Snapshot {
    /// Looks at the sources in the project's folder and in those that are watched.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut files = BTreeMap::new();
        collect(&plan.found.project.root, DEPTH, &mut files);
        for folder in &plan.settings.watch {
            collect(folder, DEPTH, &mut files);
        }
        // What pip has installed changes the folder.
        let home = &plan.python.home;
        let version = format!("lib/python{}/site-packages", home.version);
        note(&home.prefix.join(version), &mut files);
        Self(files)
    }
}

fn is_source(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ["py", "wsgi", "ini", "toml"].iter().any(|own| ending == *own))
}

/// Folders that hold no source of the project's own.
fn is_foreign(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || ["__pycache__", "node_modules"].contains(&name.as_ref())
        || path.join("pyvenv.cfg").exists()
}

fn collect(folder: &Path, depth: usize, files: &mut BTreeMap<PathBuf, (i64, i64, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if files.len() >= FILES {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 && !is_foreign(&path) => {
                collect(&path, depth - 1, files);
            }
            Ok(kind) if !kind.is_dir() && is_source(&path) => note(&path, files),
            _ => {}
        }
    }
}

fn note(path: &Path, files: &mut BTreeMap<PathBuf, (i64, i64, u64)>) {
    if let Ok(data) = fs::metadata(path) {
        files.insert(path.to_owned(), (data.mtime(), data.mtime_nsec(), data.size()));
    }
}
