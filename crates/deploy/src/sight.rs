//! What the warnings look at: files, accounts, and where Apache and Pinion are. Tests give their own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use pinion_config::access::Credentials;
use pinion_config::files::{Files, SystemFiles};
use pinion_config::{Accounts, Principal, User};
use pinion_front::accounts;

use crate::settings::{DEFAULT_ACCOUNT, Settings};

/// Where Debian keeps Apache's configuration.
pub const DEBIAN_APACHE: &str = "/etc/apache2";

/// What the warnings are decided by.
pub struct Sight<'a> {
    /// The file system.
    pub files: &'a dyn Files,
    /// The system's accounts.
    pub accounts: &'a dyn Accounts,
    /// Apache's configuration folder.
    pub apache: PathBuf,
    /// Where `mod_pinion.so` is, if it is known.
    pub module: Option<PathBuf>,
    /// The machine that a program is for, as its ELF header numbers it.
    pub machine: &'a dyn Fn(&Path) -> Option<u16>,
}

impl std::fmt::Debug for Sight<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sight").field("apache", &self.apache).finish_non_exhaustive()
    }
}

impl Sight<'static> {
    /// The system itself, with Debian's Apache; `mod_pinion.so` is looked for beside this program.
    pub fn system() -> Self {
        let beside = std::env::current_exe()
            .ok()
            .and_then(|program| Some(program.parent()?.parent()?.join("modules/mod_pinion.so")))
            .filter(|module| module.is_file());
        Self {
            files: &SystemFiles,
            accounts: &SystemAccounts,
            apache: DEBIAN_APACHE.into(),
            module: beside,
            machine: &machine,
        }
    }
}

impl Sight<'_> {
    /// The account that the application runs as; `None` when there is no such user or group.
    pub fn runner(&self, settings: &Settings) -> Option<Credentials> {
        let server = &settings.server;
        let user = match &settings.user {
            Some(user) => self.accounts.user(user)?,
            None => {
                let own = self.accounts.user(&server.user);
                own.unwrap_or_else(|| self.accounts.server_user())
            }
        };
        let gid = match &settings.group {
            Some(group) => self.accounts.group(group)?,
            None => {
                let own = self.accounts.group(&server.group);
                own.unwrap_or_else(|| self.accounts.server_user().gid)
            }
        };
        let gids = std::iter::once(gid).chain(user.groups).collect();
        Some(Credentials { uid: user.uid, gids })
    }
}

/// The machine number of an ELF program; `None` for what is no such program.
pub fn machine(program: &Path) -> Option<u16> {
    let mut head = [0; 20];
    std::fs::File::open(program).ok()?.read_exact(&mut head).ok()?;
    let number = [head[18], head[19]];
    let number = if head[5] == 2 { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) };
    head.starts_with(b"\x7fELF").then_some(number)
}

/// The system's user and group databases; Apache's own user is Debian's.
#[derive(Debug, Clone, Copy)]
pub struct SystemAccounts;

impl Accounts for SystemAccounts {
    fn user(&self, who: &Principal) -> Option<User> {
        accounts::user(who)
    }

    fn group(&self, who: &Principal) -> Option<u32> {
        accounts::group(who)
    }

    fn server_user(&self) -> User {
        self.user(&Principal::Name(DEFAULT_ACCOUNT.to_owned())).unwrap_or(User {
            name: None,
            uid: NOBODY,
            gid: NOBODY,
            groups: Vec::new(),
            home: None,
        })
    }

    fn started_as_root(&self) -> bool {
        true
    }
}

/// Nobody's number on Linux: who has no rights but those of all others.
const NOBODY: u32 = 65534;
