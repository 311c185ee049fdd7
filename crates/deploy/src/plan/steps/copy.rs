//! Copying the project to its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::account::Account;
use crate::copy::{self, Node};
use crate::error::FileError;
use crate::place::Place;
use crate::plan::step::Step;
use crate::plan::{Change, PlanError, Run, files};
use crate::tool::quoted;

/// Tells, at the deployment location, which files came from the project, so that one that the
/// project no longer has goes away too.
const MANIFEST: &str = ".pinion-files";

/// Copies the project to the deployment location; files that are there and are not the project's
/// stay as they are.
#[derive(Debug)]
pub struct CopyProject {
    /// The project's folder.
    pub from: PathBuf,
    /// The application's folder at the deployment location.
    pub to: PathBuf,
    /// What is not copied, relative to the project: the generated files, which have a step of their own.
    pub left_out: Option<PathBuf>,
    /// Whose group may read ini files, which hold secrets.
    pub account: Account,
}

/// What a copy would change.
#[derive(Debug, Default)]
struct Difference {
    made: BTreeMap<PathBuf, Node>,
    replaced: BTreeMap<PathBuf, Node>,
    gone: Vec<PathBuf>,
    /// Ini files that an administrator edited at the deployment location: they stay.
    edited: Vec<PathBuf>,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.made.is_empty() && self.replaced.is_empty() && self.gone.is_empty()
    }
}

impl CopyProject {
    fn nodes(&self) -> Result<BTreeMap<PathBuf, Node>, FileError> {
        let mut nodes = copy::nodes(&self.from)?;
        if let Some(folder) = &self.left_out {
            nodes.retain(|path, _| !path.starts_with(folder));
        }
        Ok(nodes)
    }

    fn difference(&self) -> Result<Difference, FileError> {
        let nodes = self.nodes()?;
        let manifest = self.manifest();
        let mut difference = Difference::default();
        for relative in manifest.keys() {
            if !nodes.contains_key(relative) && self.to.join(relative).is_file() {
                difference.gone.push(relative.clone());
            }
        }
        for (relative, node) in nodes {
            let (from, to) = (self.from.join(&relative), self.to.join(&relative));
            if to.symlink_metadata().is_err() {
                difference.made.insert(relative, node);
            } else if same(&from, &to, &node)? {
                continue;
            } else if is_secret(&relative) && manifest.get(&relative) != digest(&to).as_ref() {
                difference.edited.push(to);
            } else {
                difference.replaced.insert(relative, node);
            }
        }
        Ok(difference)
    }

    /// The files that an earlier copy put there, with what tells whether they were edited since.
    fn manifest(&self) -> BTreeMap<PathBuf, String> {
        let text = fs::read_to_string(self.to.join(MANIFEST)).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.map(|(digest, path)| (PathBuf::from(path), digest.to_owned())).collect()
    }

    fn write_manifest(&self) -> Result<(), FileError> {
        let (nodes, earlier) = (self.nodes()?, self.manifest());
        let files = nodes.iter().filter(|(_, node)| matches!(node, Node::File { .. }));
        let line = |(path, _): (&PathBuf, _)| {
            // What an administrator edited stays known as it was before.
            let own = digest(&self.from.join(path)).unwrap_or_default();
            let is_own = digest(&self.to.join(path)).as_ref() == Some(&own);
            let digest = if is_own { own } else { earlier.get(path).cloned().unwrap_or(own) };
            format!("{digest} {}\n", path.display())
        };
        let text: String = files.map(line).collect();
        files::write(&self.to.join(MANIFEST), text.as_bytes(), 0o644)
    }

    fn place(&self, relative: &Path, node: &Node) -> Result<(), PlanError> {
        let to = self.to.join(relative);
        let from = self.from.join(relative);
        let folder = Place::find(to.parent().unwrap_or(Path::new("/")))?;
        let steady = folder.steady().join(to.file_name().unwrap_or_default());
        if is_secret(relative) && matches!(node, Node::File { .. }) {
            let group = crate::account::is_root().then_some(self.account.gid);
            return Ok(copy::copy_file(&from, &steady, 0o640, group).map_err(|e| e.about(&to))?);
        }
        Ok(copy::copy_node(&from, &steady, node).map_err(|error| error.about(&to))?)
    }

    /// Whether the place holds nothing but folders that were made for this application, such as the
    /// egg cache.
    fn is_fresh(&self) -> bool {
        let empty = |path: PathBuf| fs::read_dir(path).is_ok_and(|mut e| e.next().is_none());
        fs::read_dir(&self.to)
            .is_ok_and(|entries| entries.flatten().all(|entry| empty(entry.path())))
    }

    /// Copies what differs into a folder that is there.
    fn update(&self, run: &mut Run<'_>) -> Result<(), PlanError> {
        let difference = self.difference()?;
        let at = |relative: &PathBuf| self.to.join(relative);
        let mut made: Vec<PathBuf> = difference.made.keys().map(at).collect();
        let mut replaced: Vec<PathBuf> = difference.replaced.keys().map(at).collect();
        replaced.extend(difference.gone.iter().map(at));
        let manifest = self.to.join(MANIFEST);
        if manifest.exists() {
            replaced.push(manifest)
        } else {
            made.push(manifest)
        }
        run.claim_all(&made, &replaced)?;
        for path in &difference.gone {
            files::remove(&at(path), &[])?;
        }
        for (relative, node) in difference.replaced.iter().chain(&difference.made) {
            run.go_on()?;
            let to = at(relative);
            if to.is_symlink() || to.is_dir() != matches!(node, Node::Folder) {
                files::remove(&to, &[])?;
            }
            self.place(relative, node)?;
        }
        Ok(())
    }
}

impl Step for CopyProject {
    fn id(&self) -> &'static str {
        "copy"
    }

    fn title(&self) -> String {
        format!("copy the project to {}", self.to.display())
    }

    fn changes(&self) -> String {
        let Ok(difference) = self.difference() else { return String::new() };
        let files = |nodes: &BTreeMap<PathBuf, Node>| {
            nodes.values().filter(|node| !matches!(node, Node::Folder)).count()
        };
        let counts = [
            (files(&difference.made), "new"),
            (files(&difference.replaced), "changed"),
            (difference.gone.len(), "removed"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if counts.is_empty() { String::new() } else { format!("files: {}", counts.join(", ")) }
    }

    fn commands(&self) -> Vec<String> {
        let (from, to) = (quoted(self.from.as_os_str()), quoted(self.to.as_os_str()));
        vec![format!("mkdir -p {to} && cp -R {from}/. {to}")]
    }

    fn is_done(&self) -> Result<bool, PlanError> {
        Ok(self.to.is_dir() && self.difference()?.is_empty())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Vec<String>, PlanError> {
        if self.to.is_dir() && !self.is_fresh() {
            self.update(run)?;
        } else {
            run.way_to(&self.to)?;
            run.note(Change::Made { path: self.to.clone() })?;
            fs::create_dir_all(&self.to).map_err(FileError::at("make", &self.to))?;
            files::set_mode(&self.to, 0o755)?;
            for (relative, node) in self.nodes()? {
                run.go_on()?;
                self.place(&relative, &node)?;
            }
        }
        self.write_manifest()?;
        let stays = |path: &PathBuf| {
            format!("{} was edited and differs from the project's: it stays", path.display())
        };
        Ok(self.difference()?.edited.iter().map(stays).collect())
    }
}

/// Whether the file may hold passwords and secrets: only the application's group may read it.
fn is_secret(relative: &Path) -> bool {
    relative.extension().is_some_and(|ending| ending == "ini")
        || relative.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".env"))
}

/// What tells one content of a file from another; `None` where it cannot be read.
fn digest(path: &Path) -> Option<String> {
    let hash = Sha256::digest(fs::read(path).ok()?);
    Some(hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

fn same(from: &Path, to: &Path, node: &Node) -> Result<bool, FileError> {
    Ok(match node {
        // A link to a folder does too, if it can be trusted.
        Node::Folder => Place::find(to)?.is_folder(),
        Node::Link(target) => fs::read_link(to).is_ok_and(|found| found == *target),
        Node::File { .. } => {
            to.is_file()
                && fs::read(from).map_err(FileError::at("read", from))?
                    == fs::read(to).map_err(FileError::at("read", to))?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;
    use crate::plan::{Store, undo};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_copy_brings_changes_and_takes_away_what_is_gone_and_can_be_undone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to/app"));
        fs::create_dir_all(from.join("pkg")).unwrap();
        let write = |name: &str, text: &str| fs::write(from.join(name), text).unwrap();
        write("pkg/a.py", "1");
        write("pkg/old.py", "1");
        write("production.ini", "secret");
        let store = Store::open(&folder.path().join("state"), "x").unwrap();
        let step = CopyProject {
            from: from.clone(),
            to: to.clone(),
            left_out: Some("apache".into()),
            account: Account::current(),
        };
        let go = || {
            let mut journal = store.journal().unwrap();
            let interrupt = Interrupt::default();
            step.run(&mut Run::new(&mut journal, &interrupt, store.kept())).unwrap();
            let changes = journal.changes();
            store.forget_journal().unwrap();
            changes
        };
        let first = go();
        assert!(step.is_done().unwrap());
        let mode = fs::metadata(to.join("production.ini")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        fs::write(to.join("devdata"), "the application's").unwrap();
        fs::write(to.join("production.ini"), "an administrator's").unwrap();
        write("production.ini", "another secret");

        write("pkg/a.py", "2");
        write("pkg/b.py", "2");
        fs::remove_file(from.join("pkg/old.py")).unwrap();
        assert_eq!(step.changes(), "files: 1 new, 1 changed, 1 removed");
        let second = go();
        assert!(step.is_done().unwrap() && !to.join("pkg/old.py").exists());
        assert_eq!(fs::read_to_string(to.join("production.ini")).unwrap(), "an administrator's");

        undo(&second, None, &[]).unwrap();
        assert_eq!(fs::read_to_string(to.join("pkg/a.py")).unwrap(), "1");
        assert!(to.join("pkg/old.py").exists() && !to.join("pkg/b.py").exists());
        assert!(to.join("devdata").exists());
        undo(&first, None, &[]).unwrap();
        assert!(!folder.path().join("to").exists());
    }
}
