//! What of a project's folder is deployed, and copying it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::error::FileError;
use crate::plan::files::set_mode;

/// Names that are no part of what runs: version control, caches, what builds leave behind.
const LEFT_OUT: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".bzr",
    "__pycache__",
    ".tox",
    ".nox",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".venv",
    ".idea",
    ".vscode",
];
/// How a database of SQLite begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// One file, folder or link of a project, relative to its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A folder.
    Folder,
    /// A file; whether it is a program.
    File {
        /// Whether somebody may execute it.
        program: bool,
    },
    /// A symbolic link.
    Link(PathBuf),
}

/// What of a project's folder is deployed: not what belongs to version control, caches,
/// virtualenvs, compiled files, and databases of development.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn nodes(project: &Path) -> Result<BTreeMap<PathBuf, Node>, FileError> {
    let mut found = BTreeMap::new();
    let walk = WalkDir::new(project).min_depth(1).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(deployed) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(project).to_owned();
            FileError::at("read", &path)(error.into())
        })?;
        let Ok(relative) = entry.path().strip_prefix(project) else { continue };
        if let Some(node) = node(&entry)? {
            found.insert(relative.to_owned(), node);
        }
    }
    Ok(found)
}

fn deployed(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    if LEFT_OUT.contains(&name.as_ref()) || name.ends_with(".egg-info") {
        return false;
    }
    !(entry.file_type().is_dir() && entry.path().join("pyvenv.cfg").exists())
}

/// What the entry is; `None` for what is not deployed: sockets, compiled files, databases.
fn node(entry: &DirEntry) -> Result<Option<Node>, FileError> {
    let (path, kind) = (entry.path(), entry.file_type());
    if kind.is_dir() {
        return Ok(Some(Node::Folder));
    }
    if kind.is_symlink() {
        let target = fs::read_link(path).map_err(FileError::at("read", path))?;
        return Ok(Some(Node::Link(target)));
    }
    let compiled = path.extension().is_some_and(|ending| ending == "pyc");
    if !kind.is_file() || compiled || is_database(path)? {
        return Ok(None);
    }
    let mode = fs::metadata(path).map_err(FileError::at("read", path))?.permissions().mode();
    Ok(Some(Node::File { program: mode & 0o111 != 0 }))
}

/// Whether the file is a database of SQLite.
///
/// # Errors
/// It cannot be read.
pub(crate) fn is_database(path: &Path) -> Result<bool, FileError> {
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(FileError::at("read", path))?;
    file.take(16).read_to_end(&mut head).map_err(FileError::at("read", path))?;
    Ok(head == SQLITE)
}

/// Copies what is deployed of a project into a folder that is empty.
///
/// # Errors
/// Something cannot be read or written.
pub(crate) fn copy_project(project: &Path, to: &Path) -> Result<(), FileError> {
    for (relative, node) in nodes(project)? {
        copy_node(&project.join(&relative), &to.join(&relative), &node)?;
    }
    Ok(())
}

/// Copies one node to a place whose folder exists: readable by all, writable by its owner.
///
/// # Errors
/// It cannot be read or written.
pub(crate) fn copy_node(from: &Path, to: &Path, node: &Node) -> Result<(), FileError> {
    match node {
        Node::Folder => {
            if !to.is_dir() {
                fs::create_dir(to).map_err(FileError::at("make", to))?;
            }
            set_mode(to, 0o755)
        }
        Node::File { program } => copy_file(from, to, if *program { 0o755 } else { 0o644 }, None),
        Node::Link(target) => {
            std::os::unix::fs::symlink(target, to).map_err(FileError::at("make", to))
        }
    }
}

/// Copies a file whole, in the place of what is there, with its mode and `group` from its first
/// moment on: it may hold secrets.
///
/// # Errors
/// It cannot be read or written.
pub(crate) fn copy_file(
    from: &Path,
    to: &Path,
    mode: u32,
    group: Option<u32>,
) -> Result<(), FileError> {
    let failed = |error| FileError::at("write", to)(error);
    let mut reader = fs::File::open(from).map_err(FileError::at("read", from))?;
    let folder = to.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::copy(&mut reader, &mut file).map_err(failed)?;
    if group.is_some() {
        std::os::unix::fs::fchown(file.as_file(), None, group)
            .map_err(FileError::at("give away", to))?;
    }
    let mode = fs::Permissions::from_mode(mode);
    file.as_file().set_permissions(mode).map_err(FileError::at("change the mode of", to))?;
    file.persist(to).map(drop).map_err(|error| failed(error.error))
}

/// A number for all that is deployed of a project, but for one folder, which changes when anything
/// of it does.
///
/// # Errors
/// Something cannot be read.
pub(crate) fn fingerprint(project: &Path, left_out: Option<&Path>) -> Result<String, FileError> {
    let mut hasher = Sha256::new();
    let counts = |path: &PathBuf| !left_out.is_some_and(|folder| path.starts_with(folder));
    for (relative, node) in nodes(project)?.into_iter().filter(|(path, _)| counts(path)) {
        hasher.update(relative.as_os_str().as_encoded_bytes());
        hasher.update([0]);
        match node {
            Node::Folder => hasher.update([1]),
            Node::Link(target) => hasher.update(target.as_os_str().as_encoded_bytes()),
            Node::File { .. } => {
                let path = project.join(&relative);
                let bytes = fs::read(&path).map_err(FileError::at("read", &path))?;
                hasher.update(bytes.len().to_le_bytes());
                hasher.update(&bytes);
            }
        }
    }
    Ok(hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_run_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("app/__init__.py", b"");
        write("app/__pycache__/x.pyc", b"");
        write("app/public/css/style.css", b"");
        write(".git/HEAD", b"");
        write("env/pyvenv.cfg", b"");
        write("app.egg-info/PKG-INFO", b"");
        write("devdata.db", b"SQLite format 3\0...");
        let names: Vec<_> = nodes(folder.path()).unwrap().into_keys().collect();
        let expected =
            ["app", "app/__init__.py", "app/public", "app/public/css", "app/public/css/style.css"];
        assert_eq!(names, expected.map(PathBuf::from));
    }

    #[test]
    fn a_fingerprint_changes_with_the_content_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.py"), "1").unwrap();
        let before = fingerprint(folder.path(), None).unwrap();
        fs::create_dir(folder.path().join("__pycache__")).unwrap();
        assert_eq!(fingerprint(folder.path(), None).unwrap(), before);
        fs::write(folder.path().join("a.py"), "2").unwrap();
        assert_ne!(fingerprint(folder.path(), None).unwrap(), before);
    }

    #[test]
    fn a_copy_takes_the_place_of_a_link_and_not_of_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("new.ini"), "secret").unwrap();
        fs::write(at("outside"), "theirs").unwrap();
        std::os::unix::fs::symlink("outside", at("link")).unwrap();
        copy_file(&at("new.ini"), &at("link"), 0o640, None).unwrap();
        assert_eq!(fs::read_to_string(at("outside")).unwrap(), "theirs");
        let meta = at("link").symlink_metadata().unwrap();
        assert_eq!((meta.is_file(), meta.permissions().mode() & 0o777), (true, 0o640));
    }

    #[test]
    fn a_copy_is_readable_and_keeps_programs_and_links() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("run"), "").unwrap();
        set_mode(&from.path().join("run"), 0o700).unwrap();
        std::os::unix::fs::symlink("run", from.path().join("link")).unwrap();
        copy_project(from.path(), to.path()).unwrap();
        assert_eq!(nodes(to.path()).unwrap(), nodes(from.path()).unwrap());
        let mode = fs::metadata(to.path().join("run")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}
