//! Puts files into the staged tree, each by rename, and removes what no longer belongs there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file of the tree that the system refuses.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct StageError {
    /// The file.
    pub path: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl StageError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { path: path.to_owned(), source }
    }
}

type Result<T> = std::result::Result<T, StageError>;

/// A tree in the making: what goes where.
#[derive(Debug)]
pub struct Stage {
    tree: PathBuf,
    /// Source by place, the place relative to the tree.
    files: BTreeMap<PathBuf, PathBuf>,
}

impl Stage {
    /// An empty stage for the tree at `tree`.
    pub fn new(tree: PathBuf) -> Self {
        Self { tree, files: BTreeMap::new() }
    }

    /// `source` goes to `place`, relative to the tree.
    pub fn add(&mut self, source: &Path, place: impl Into<PathBuf>) {
        self.files.insert(place.into(), source.to_owned());
    }

    /// The Python files below `folder`, and what packages of them are described by, go to the same places below
    /// `place`.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn add_python(&mut self, folder: &Path, place: &str) -> Result<()> {
        for file in files_below(folder)? {
            let is_python = file
                .extension()
                .is_some_and(|ending| ["py", "toml", "md"].iter().any(|known| ending == *known));
            if let (true, Ok(inside)) = (is_python, file.strip_prefix(folder)) {
                self.files.insert(Path::new(place).join(inside), file.clone());
            }
        }
        Ok(())
    }

    /// Writes the tree; returns how many files were replaced.
    ///
    /// # Errors
    /// The first file that cannot be read, written or removed.
    pub fn apply(&self) -> Result<usize> {
        let mut replaced = 0;
        for (place, source) in &self.files {
            if replace(source, &self.tree.join(place))? {
                replaced += 1;
            }
        }
        for file in files_below(&self.tree)? {
            let inside = file.strip_prefix(&self.tree).unwrap_or(&file);
            let is_cache = inside.components().any(|part| part.as_os_str() == "__pycache__");
            if !is_cache && !self.files.contains_key(inside) {
                fs::remove_file(&file).map_err(StageError::file(&file))?;
            }
        }
        Ok(replaced)
    }
}

/// Replaces `target` by a copy of `source` in one step, unless it is the same already.
fn replace(source: &Path, target: &Path) -> Result<bool> {
    let wanted = fs::read(source).map_err(StageError::file(source))?;
    if fs::read(target).is_ok_and(|present| present == wanted) {
        return Ok(false);
    }
    let folder = target.parent().unwrap_or(target);
    fs::create_dir_all(folder).map_err(StageError::file(folder))?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{name}.new"));
    // A copy, because it takes the permissions along.
    fs::copy(source, &fresh).map_err(StageError::file(&fresh))?;
    fs::rename(&fresh, target).map_err(StageError::file(target))?;
    Ok(true)
}

/// All files below `folder`; none where it does not exist.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(StageError::file(folder))? {
        let path = entry.map_err(StageError::file(folder))?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn inode(file: &Path) -> u64 {
        fs::metadata(file).unwrap().ino()
    }

    #[test]
    fn files_are_replaced_by_rename_kept_when_equal_and_removed_when_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (python, tree) = (folder.path().join("python"), folder.path().join("dist"));
        fs::create_dir_all(python.join("sub")).unwrap();
        fs::write(python.join("one.py"), "1").unwrap();
        fs::write(python.join("sub/two.py"), "2").unwrap();
        fs::write(python.join("sub/pyproject.toml"), "[project]").unwrap();
        fs::write(python.join("README"), "no").unwrap();
        let stage = |python: &Path| {
            let mut stage = Stage::new(tree.clone());
            stage.add_python(python, "lib/pinion").unwrap();
            stage.apply().unwrap()
        };
        assert_eq!(stage(&python), 3);
        assert!(tree.join("lib/pinion/sub/pyproject.toml").exists());
        let (one, two) = (tree.join("lib/pinion/one.py"), tree.join("lib/pinion/sub/two.py"));
        assert!(two.exists() && !tree.join("lib/pinion/README").exists());
        let before = inode(&one);
        assert_eq!(stage(&python), 0);
        assert_eq!(inode(&one), before);
        let open = fs::File::open(&one).unwrap();
        fs::write(python.join("one.py"), "changed").unwrap();
        fs::remove_file(python.join("sub/two.py")).unwrap();
        assert_eq!(stage(&python), 1);
        assert_eq!(fs::read_to_string(&one).unwrap(), "changed");
        assert_ne!(open.metadata().unwrap().ino(), inode(&one), "a reader keeps the old file");
        assert!(!two.exists());
    }
}
