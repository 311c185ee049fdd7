//! The system's accounts, as the checks and the settings ask for them.

use pinion_config::{Accounts, Principal, User};
use pinion_front::accounts;
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
        accounts::user(who)
    }

    fn group(&self, who: &Principal) -> Option<u32> {
        accounts::group(who)
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
