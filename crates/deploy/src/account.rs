//! Accounts: whom the files of a deployment belong to, and as whom its commands run.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};
use thiserror::Error;

/// A user with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's name, or its number where it has none.
    pub user: String,
    /// The group's name, or its number where it has none.
    pub group: String,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// Why an account cannot be used.
#[derive(Debug, Error)]
pub enum AccountError {
    /// The system knows no such user.
    #[error("there is no user {0}")]
    NoUser(String),
    /// The system knows no such group.
    #[error("there is no group {0}")]
    NoGroup(String),
}

impl Account {
    /// The user of that name, with `group` or else its own group.
    ///
    /// # Errors
    /// The system does not know the name.
    pub fn find(user: &str, group: Option<&str>) -> Result<Self, AccountError> {
        let found = User::from_name(user)
            .ok()
            .flatten()
            .or_else(|| numbered(user).and_then(|id| User::from_uid(Uid::from_raw(id)).ok()?))
            .ok_or_else(|| AccountError::NoUser(user.to_owned()))?;
        let gid = match group {
            Some(name) => group_id(name).ok_or_else(|| AccountError::NoGroup(name.to_owned()))?,
            None => found.gid.as_raw(),
        };
        Ok(Self { user: found.name, group: group_name(gid), uid: found.uid.as_raw(), gid })
    }

    /// Who runs this process.
    pub fn current() -> Self {
        let (uid, gid) = (Uid::effective(), Gid::effective());
        let user = User::from_uid(uid).ok().flatten();
        Self {
            user: user.map_or_else(|| uid.to_string(), |user| user.name),
            group: group_name(gid.as_raw()),
            uid: uid.as_raw(),
            gid: gid.as_raw(),
        }
    }

    /// Who may change the program at `path`, or put another in its place: the first that is not
    /// root among the owners of it, of the folders on the way, and of what links lead to; else root.
    pub fn in_charge_of(path: &Path) -> Self {
        let real = std::fs::canonicalize(path).unwrap_or_else(|_absent| path.to_owned());
        let owners = path.ancestors().chain(real.ancestors()).filter_map(|part| {
            let meta = part.symlink_metadata().ok()?;
            Some((meta.uid(), meta.gid()))
        });
        let (uid, gid) = owners.into_iter().find(|(uid, _)| *uid != 0).unwrap_or((0, 0));
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let user = user.map_or_else(|| uid.to_string(), |user| user.name);
        Self { user, group: group_name(gid), uid, gid }
    }

    /// Whether this process already is that user.
    pub fn is_current(&self) -> bool {
        Uid::effective().as_raw() == self.uid
    }
}

/// Whether this process may act for other users.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

fn numbered(text: &str) -> Option<u32> {
    text.strip_prefix('#').unwrap_or(text).parse().ok()
}

fn group_id(name: &str) -> Option<u32> {
    let by_name = Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    by_name.or_else(|| numbered(name))
}

fn group_name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_name_and_by_number() {
        let root = Account::find("root", None).unwrap();
        assert_eq!((root.uid, root.gid, root.group.as_str()), (0, 0, "root"));
        assert_eq!(Account::find("#0", Some("root")).unwrap(), root);
    }

    #[test]
    fn who_owns_the_folder_is_in_charge_of_a_link_to_the_systems_program() {
        assert_eq!(Account::in_charge_of(Path::new("/bin/sh")).uid, 0);
        if !is_root() {
            return;
        }
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/bin/sh", home.path().join("python")).unwrap();
        std::os::unix::fs::chown(home.path(), Some(33), Some(33)).unwrap();
        assert_eq!(Account::in_charge_of(&home.path().join("python")).uid, 33);
    }

    #[test]
    fn a_name_that_is_nobodys_is_refused() {
        let said = |user, group| Account::find(user, group).unwrap_err().to_string();
        assert_eq!(said("no-such-user", None), "there is no user no-such-user");
        assert_eq!(said("root", Some("no-such-group")), "there is no group no-such-group");
    }
}
