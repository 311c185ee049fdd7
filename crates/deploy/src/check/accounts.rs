//! Who Apache's children would be, by the configuration that is examined.

use pinion_config::{Accounts, Principal, User};
use pinion_front::accounts;
use pinion_unix::users;

/// The accounts that packagers give Apache, Debian's first.
const USUAL: &[&str] = &["www-data", "apache", "httpd", "http", "nobody"];

/// The accounts of a server that is not running, or not this process's.
#[derive(Debug, Clone)]
pub(super) struct SiteAccounts {
    server: User,
    as_root: bool,
}

impl SiteAccounts {
    /// With what `User` and `Group` say; else whoever serves by the packager's choice.
    pub(super) fn new(user: Option<&str>, group: Option<&str>) -> Self {
        let named = |name: &str| Principal::parse(name).and_then(|who| accounts::user(&who));
        let usual = || USUAL.iter().find_map(|name| named(name));
        let own = || accounts::user(&Principal::Id(users::effective_uid()));
        let nobody = User { name: None, uid: 65_534, gid: 65_534, groups: Vec::new(), home: None };
        let mut server = user.and_then(named).or_else(usual).or_else(own).unwrap_or(nobody);
        let gid = group.and_then(Principal::parse).and_then(|who| accounts::group(&who));
        server.gid = gid.unwrap_or(server.gid);
        Self { server, as_root: true }
    }

    /// As this process can be them: without root's rights, everybody is who this process is.
    pub(super) fn here(&self) -> Self {
        Self { server: self.server.clone(), as_root: users::effective_uid() == 0 }
    }
}

impl Accounts for SiteAccounts {
    fn user(&self, who: &Principal) -> Option<User> {
        accounts::user(who)
    }

    fn group(&self, who: &Principal) -> Option<u32> {
        accounts::group(who)
    }

    fn server_user(&self) -> User {
        self.server.clone()
    }

    fn started_as_root(&self) -> bool {
        self.as_root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_configuration_says_comes_before_what_is_usual() {
        let root = SiteAccounts::new(Some("root"), Some("#7")).server_user();
        assert_eq!((root.uid, root.gid), (0, 7));
        let by_number = SiteAccounts::new(Some("#4711"), None).server_user();
        assert_eq!((by_number.uid, by_number.gid), (4711, 4711));
    }
}
