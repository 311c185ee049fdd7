//! What a deployment changes on a machine, each thing with what undoes it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::apache::Switch;

/// One change. It is noted before it is made, so undoing one that was not made yet does nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// A folder that others may use too; undone by removing it once it is empty.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A file, a link, or a folder with all that gets into it; undone by removing it.
    Made {
        /// What was made.
        path: PathBuf,
    },
    /// Something that was there before; undone by putting that back.
    Replaced {
        /// What was replaced or removed.
        path: PathBuf,
        /// Where it is kept.
        kept: PathBuf,
    },
    /// Another owner or mode.
    Owned {
        /// What was changed.
        path: PathBuf,
        /// The owner before.
        uid: u32,
        /// The group before.
        gid: u32,
        /// The permission bits before.
        mode: u32,
    },
    /// What one of Debian's tools enabled.
    Enabled {
        /// What it is.
        kind: Switch,
        /// Its name.
        name: String,
    },
    /// From here on Apache's configuration was changed; undone, after what follows, by a reload.
    Configuration {
        /// What of it.
        part: Part,
        /// Whether Apache ran.
        running: bool,
    },
    /// Apache took the configuration as it was then.
    Reloaded,
    /// Apache was started, which it was not before.
    Started,
    /// The application's database was set up.
    SetUp,
    /// What is here from now on belongs to the site's users: taking the site away leaves it, unless
    /// that is wanted too.
    Data {
        /// A file or folder.
        path: PathBuf,
    },
    /// What is made here serves other sites too; it goes with the last of them.
    Shared {
        /// A file or folder.
        path: PathBuf,
    },
    /// The site was seen to answer at this address.
    Answered {
        /// The address.
        url: String,
    },
}

impl Change {
    /// What it is about, if it is a path.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Folder { path }
            | Self::Made { path }
            | Self::Replaced { path, .. }
            | Self::Owned { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// What of Apache's configuration is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What serves all sites: modules. It goes after the site, so that the module has a reload in
    /// which it ends the site's workers.
    Server,
    /// The site.
    Site,
}

/// The changes that stay to be undone when a site is taken away, of those that earlier runs made
/// and those of one more: what was made once stays made, and of what was there before, the first
/// state counts.
pub(super) fn merge(earlier: &[Change], later: &[Change]) -> Vec<Change> {
    let mut all = earlier.to_vec();
    for change in later {
        let covered = match change.path() {
            Some(path) => all.iter().any(|known| covers(known, path)),
            None if matches!(change, Change::Answered { .. }) => {
                all.retain(|known| !matches!(known, Change::Answered { .. }));
                false
            }
            None => all.contains(change),
        };
        if !covered {
            all.push(change.clone());
        }
    }
    all
}

/// Whether undoing `known` also undoes what was done at `path` later.
fn covers(known: &Change, path: &Path) -> bool {
    match known {
        Change::Made { path: made } => path.starts_with(made),
        Change::Folder { path: known }
        | Change::Replaced { path: known, .. }
        | Change::Owned { path: known, .. } => path == known,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: Change = Change::Configuration { part: Part::Site, running: true };

    fn made(path: &str) -> Change {
        Change::Made { path: path.into() }
    }

    fn replaced(path: &str, kept: &str) -> Change {
        Change::Replaced { path: path.into(), kept: kept.into() }
    }

    #[test]
    fn what_was_made_stays_made_and_the_first_state_counts() {
        let earlier = [made("/d/app"), replaced("/etc/x", "/k/1"), CONFIGURATION];
        let later = [
            replaced("/d/app/a.py", "/k/2"),
            replaced("/etc/x", "/k/3"),
            made("/v"),
            CONFIGURATION,
            Change::Reloaded,
        ];
        let expected = [&earlier[..], &[made("/v"), Change::Reloaded]].concat();
        assert_eq!(merge(&earlier, &later), expected);
    }

    #[test]
    fn a_change_is_one_line_of_json() {
        let text = serde_json::to_string(&replaced("/etc/x", "/k/1")).unwrap();
        assert_eq!(text, r#"{"change":"replaced","path":"/etc/x","kept":"/k/1"}"#);
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), replaced("/etc/x", "/k/1"));
    }
}
