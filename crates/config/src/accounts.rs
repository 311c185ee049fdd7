//! Users and groups: how a configuration names them, and what the checks ask of the system.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A user or a group, by name or, as `#33`, by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Principal {
    /// By name, to be looked up.
    Name(String),
    /// By number.
    Id(u32),
}

impl Principal {
    /// Reads `www-data` or `#33`; `None` for an empty name or a number that is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('#') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                // The highest number means "none" to the system's calls.
                digits.parse().ok().filter(|id| *id != u32::MAX).map(Self::Id)
            }
            Some(_) => None,
            None if text.is_empty() || text.contains([':', '\n', '\0']) => None,
            None => Some(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => write!(f, "#{id}"),
        }
    }
}

/// A user as the system knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name; `None` for a number that has none.
    pub name: Option<String>,
    /// The number.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The supplementary groups' numbers.
    pub groups: Vec<u32>,
    /// The home folder.
    pub home: Option<PathBuf>,
}

/// What the checks ask of the system's user and group databases.
pub trait Accounts {
    /// The user with this name or number; `None` when there is none.
    fn user(&self, who: &Principal) -> Option<User>;
    /// The number of the group with this name or number; `None` when there is none.
    fn group(&self, who: &Principal) -> Option<u32>;
    /// The user that Apache's children run as.
    fn server_user(&self) -> User;
    /// Whether Apache was started by root, so that `user=` and `group=` take effect.
    fn started_as_root(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_told_apart() {
        assert_eq!(Principal::parse("www-data"), Some(Principal::Name("www-data".into())));
        assert_eq!(Principal::parse("#33"), Some(Principal::Id(33)));
        for bad in ["", "#", "#x", "#-1", "#+1", "#4294967295", "#4294967296", "a:b"] {
            assert_eq!(Principal::parse(bad), None, "{bad}");
        }
        assert_eq!(Principal::Id(33).to_string(), "#33");
    }
}
