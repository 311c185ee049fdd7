//! Where Pinion's own files are: the worker core and its Python files.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::Advice;
use thiserror::Error;

use crate::error::Result;

mod checkout;
pub mod stage;

/// The worker core's file in the library folder.
const CORE: &str = "_pinion.abi3.so";
/// Places in the tree.
const LIBRARY: &str = "lib/pinion";
const MODULE: &str = "modules/mod_pinion.so";
const PROGRAM: &str = "bin/pinion";

/// Pinion's files are not where they should be.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// They are not beside the program.
    #[error("no {file} in {}", looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Missing {
        /// What was looked for.
        file: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The program does not know where it is.
    #[error("the system does not tell where this program is: {0}")]
    Nowhere(#[from] std::io::Error),
    /// The worker core could not be built.
    #[error("the worker core cannot be built: {0}")]
    Build(String),
}

impl Advice for LibraryError {
    fn code(&self) -> Code {
        Code::LibraryMissing
    }

    fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => {
                "install the whole tree that `cargo xtask dist` stages, or run `cargo run --release -- serve`".to_owned()
            }
            Self::Nowhere(_) => "call it by its path".to_owned(),
            Self::Build(_) => "see the compiler's words above".to_owned(),
        }
    }
}

/// The library folder: beside the program in the staged tree. A program that cargo runs from its target folder has none; there the
/// worker core is built first.
///
/// # Errors
/// It is not there, or cannot be built.
pub fn library() -> Result<PathBuf> {
    let library = Path::new(LIBRARY);
    Ok(tree(&library.join(CORE), false)?.join(library))
}

/// The whole tree, with the module for Apache.
///
/// # Errors
/// As [`library`].
pub fn with_module() -> Result<PathBuf> {
    Ok(tree(Path::new(MODULE), true)?)
}

/// The module in the tree.
pub fn module_in(tree: &Path) -> PathBuf {
    tree.join(MODULE)
}

/// The program in the tree.
pub fn program_in(tree: &Path) -> PathBuf {
    tree.join(PROGRAM)
}

fn tree(file: &Path, module: bool) -> Result<PathBuf, LibraryError> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize())?;
    match checkout::workspace_of(&program) {
        Some(workspace) => checkout::build(&workspace, &program, module),
        None => beside(&program, file),
    }
}

fn beside(program: &Path, file: &Path) -> Result<PathBuf, LibraryError> {
    let folder = program.parent().unwrap_or(program);
    let looked = vec![folder.parent().unwrap_or(folder).to_owned(), checkout::tree(folder)];
    let found = looked.iter().find(|tree| tree.join(file).is_file()).cloned();
    found.ok_or_else(|| LibraryError::Missing { file: file.display().to_string(), looked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_beside_the_program() {
        let tree = tempfile::tempdir().unwrap();
        let program = tree.path().join(PROGRAM);
        let core = Path::new(LIBRARY).join(CORE);
        let missing = beside(&program, &core).unwrap_err().to_string();
        let expected = format!("no lib/pinion/{CORE} in {}, ", tree.path().display());
        assert!(missing.starts_with(&expected), "{missing}");
        std::fs::create_dir_all(tree.path().join(LIBRARY)).unwrap();
        std::fs::write(tree.path().join(&core), "").unwrap();
        assert_eq!(beside(&program, &core).unwrap(), tree.path());
    }
}
