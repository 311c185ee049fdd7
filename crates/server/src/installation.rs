//! Where Pinion's own files are: the worker core and its Python files.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::Advice;
use thiserror::Error;

use crate::error::Result;

mod checkout;

/// The worker core's file in the library folder.
const CORE: &str = "_pinion.abi3.so";

/// Pinion's files are not where they should be.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// They are not beside the program.
    #[error("no {CORE} in {}", looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Missing {
        /// Where they were looked for.
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
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let program = program.map_err(LibraryError::Nowhere)?;
    if let Some(workspace) = checkout::workspace_of(&program) {
        return Ok(checkout::build(&workspace, &program)?);
    }
    Ok(beside(&program)?)
}

fn beside(program: &Path) -> Result<PathBuf, LibraryError> {
    let folder = program.parent().unwrap_or(program);
    let staged = folder.parent().unwrap_or(folder).join("lib/pinion");
    let looked = vec![staged, checkout::place(folder)];
    let found = looked.iter().find(|library| library.join(CORE).is_file()).cloned();
    found.ok_or(LibraryError::Missing { looked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_beside_the_program() {
        let tree = tempfile::tempdir().unwrap();
        let program = tree.path().join("bin/pinion");
        let missing = beside(&program).unwrap_err().to_string();
        let library = tree.path().join("lib/pinion");
        assert!(missing.contains(&format!("no {CORE} in {}", library.display())), "{missing}");
        std::fs::create_dir_all(&library).unwrap();
        std::fs::write(library.join(CORE), "").unwrap();
        assert_eq!(beside(&program).unwrap(), library);
    }
}
