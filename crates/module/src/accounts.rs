//! The system's accounts, as the checks and the settings ask for them.

use pinion_config::{Accounts, Principal, User};
use pinion_httpd::ServerIdentity;
use pinion_unix::users;

/// The system's user and group databases, and who httpd is.
pub(crate) struct SystemAccounts {
    identity: ServerIdentity,
}

impl SystemAccounts {
    /// Once the configuration is read: httpd knows its `User` then.
    pub(crate) fn new() -> Self {
        Self { identity: pinion_httpd::identity() }
    }
}

impl Accounts for SystemAccounts {
    fn user(&self, who: &Principal) -> Option<User> {
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
            // A number needs no name to be used; httpd takes such ones too.
            (None, Principal::Id(id)) => {
                Some(User { name: None, uid: *id, gid: *id, groups: Vec::new(), home: None })
            }
            (None, Principal::Name(_)) => None,
        }
    }

    fn group(&self, who: &Principal) -> Option<u32> {
        match who {
            Principal::Name(name) => users::group_by_name(name).ok().flatten(),
            Principal::Id(id) => Some(*id),
        }
    }

    fn server_user(&self) -> User {
        let ServerIdentity { uid, gid, .. } = self.identity;
        let uid = if self.started_as_root() { uid } else { users::effective_uid() };
        let mut user = self.user(&Principal::Id(uid)).unwrap_or(User {
            name: None,
            uid,
            gid,
            groups: Vec::new(),
            home: None,
        });
        if self.started_as_root() {
            user.gid = gid;
        }
        user
    }

    fn started_as_root(&self) -> bool {
        users::effective_uid() == 0
    }
}
