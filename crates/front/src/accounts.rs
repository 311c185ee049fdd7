//! The system's accounts, as a configuration names them.

use pinion_config::{Principal, User};
use pinion_unix::users;

/// The user with this name or number. A number needs no account to be used, as with httpd's `User #33`.
#[must_use]
pub fn user(who: &Principal) -> Option<User> {
    let found = match who {
        Principal::Name(name) => users::user_by_name(name),
        Principal::Id(id) => users::user_by_id(*id),
    };
    match (found.ok().flatten(), who) {
        (Some(user), _) => Some(User {
            groups: users::groups_of(&user.name, user.gid).unwrap_or_else(|_| vec![user.gid]),
            name: Some(user.name),
            uid: user.uid,
            gid: user.gid,
            home: Some(user.home),
        }),
        (None, Principal::Id(id)) => {
            Some(User { name: None, uid: *id, gid: *id, groups: Vec::new(), home: None })
        }
        (None, Principal::Name(_)) => None,
    }
}

/// The number of the group with this name or number.
#[must_use]
pub fn group(who: &Principal) -> Option<u32> {
    match who {
        Principal::Name(name) => users::group_by_name(name).ok().flatten(),
        Principal::Id(id) => Some(*id),
    }
}
