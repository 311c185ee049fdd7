//! Reading Apache's configuration files without Apache: for tools that look at a configuration which is not, or not yet,
//! a running server's.
//!
//! What concerns Pinion goes the same way as in the module: through [`directives`] into a [`Config`]. Of the rest, what decides
//! which lines count is understood (`Include`, `<IfModule>`, `<IfDefine>`, `<IfFile>`, `Define`, `${variables}`), and what
//! a site is made of is noted.
//!
//! [`directives`]: crate::directives

mod conditions;
mod lines;
mod paths;
mod reader;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files::Files;
use crate::finding::{Finding, Place};
use crate::model::{Config, Placed};

pub use variables::exported;

/// What a configuration says.
#[derive(Debug, Default)]
pub struct Reading {
    /// What concerns Pinion.
    pub config: Config,
    /// Directives of Pinion's that are refused.
    pub refused: Vec<Finding>,
    /// `User`, as written.
    pub user: Option<String>,
    /// `Group`, as written.
    pub group: Option<String>,
    /// The symbols of the modules that are loaded, such as `wsgi_module`.
    pub modules: BTreeSet<String>,
    /// The file from which `wsgi_module` is loaded.
    pub wsgi_module: Option<PathBuf>,
    /// `Alias`: URL path and file or folder.
    pub static_aliases: Vec<Placed<(String, PathBuf)>>,
    /// All files that were read, in that order.
    pub files: Vec<PathBuf>,
}

/// What is known before the first line.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What relative paths begin at, unless `ServerRoot` says otherwise.
    pub root: PathBuf,
    /// Variables of the environment that Apache is started with.
    pub variables: BTreeMap<String, String>,
    /// Whether the file is a part of a configuration: then `<IfModule>` takes each module for loaded.
    pub is_part: bool,
}

/// Why a configuration cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A file that is named cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A line cannot be what it is.
    #[error("{place}: {problem}")]
    Line {
        /// Where.
        place: Place,
        /// What is wrong.
        problem: String,
    },
}

/// Reads a configuration file with all that it includes.
///
/// # Errors
/// A file that cannot be read, or sections that do not end where they should. What is wrong with Pinion's own
/// directives is in [`Reading::refused`].
pub fn read(files: &dyn Files, file: &Path, known: &Known) -> Result<Reading, ReadError> {
    reader::Reader::new(files, known).read(file)
}

#[cfg(test)]
mod tests;
