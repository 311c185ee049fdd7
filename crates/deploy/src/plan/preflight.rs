//! What is looked at before anything is changed.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::PlanError;
use crate::account::{self, Account};

/// Whether this process may write where the plan does.
///
/// # Errors
/// The first folder that it may not write to.
pub(super) fn rights(paths: &[PathBuf]) -> Result<(), PlanError> {
    if account::is_root() {
        return Ok(());
    }
    for path in paths {
        let there = path.ancestors().find(|part| part.exists()).unwrap_or(Path::new("/"));
        if access(there, AccessFlags::W_OK).is_err() {
            let user = Account::current().user;
            return Err(PlanError::NoRights { path: there.to_owned(), user });
        }
    }
    Ok(())
}
