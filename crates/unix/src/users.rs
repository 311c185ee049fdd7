//! Accounts.

use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use nix::unistd::{self, Gid, Uid};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// Its home folder.
    pub home: PathBuf,
}

impl From<unistd::User> for User {
    fn from(user: unistd::User) -> Self {
        Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
    }
}

/// The account of that name, if there is one.
///
/// # Errors
/// When the system's databases cannot be read.
pub fn user_by_name(name: &str) -> io::Result<Option<User>> {
    Ok(unistd::User::from_name(name)?.map(User::from))
}

/// The account of that number, if there is one.
///
/// # Errors
/// When the system's databases cannot be read.
pub fn user_by_id(uid: u32) -> io::Result<Option<User>> {
    Ok(unistd::User::from_uid(Uid::from_raw(uid))?.map(User::from))
}

/// The number of the group of that name, if there is one.
///
/// # Errors
/// When the system's databases cannot be read.
pub fn group_by_name(name: &str) -> io::Result<Option<u32>> {
    Ok(unistd::Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// The name of the group of that number.
///
/// # Errors
/// When the system's databases cannot be read.
pub fn group_by_id(gid: u32) -> io::Result<Option<String>> {
    Ok(unistd::Group::from_gid(Gid::from_raw(gid))?.map(|group| group.name))
}

/// All groups of the account `name`, `gid` among them.
///
/// # Errors
/// When the system's databases cannot be read.
pub fn groups_of(name: &str, gid: u32) -> io::Result<Vec<u32>> {
    let name = CString::new(name)?;
    let groups = unistd::getgrouplist(&name, Gid::from_raw(gid))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// The user whose rights this process has.
#[must_use]
pub fn effective_uid() -> u32 {
    unistd::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_number() {
        let root = user_by_name("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(user_by_id(0).unwrap(), Some(root));
        assert_eq!(group_by_name("root").unwrap(), Some(0));
        assert_eq!(group_by_id(0).unwrap().as_deref(), Some("root"));
        assert!(groups_of("root", 0).unwrap().contains(&0));
    }

    #[test]
    fn accounts_that_do_not_exist_are_none() {
        assert_eq!(user_by_name("no-such-user-here").unwrap(), None);
        assert_eq!(user_by_id(3_999_999_999).unwrap(), None);
        assert_eq!(group_by_name("no-such-group-here").unwrap(), None);
    }
}
