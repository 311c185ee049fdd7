//! What process groups ask of scripts and answers, beyond what holds for all.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinion_config::{Accounts, Code, Config, DaemonGroup, ScriptOwner, limits::DEFAULT_HEADER};

/// The groups that ask for something of their own.
#[derive(Debug, Default)]
pub(crate) struct House(HashMap<String, Rules>);

/// What one group asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    owner: Option<Owner>,
    /// The folder that is the workers' root.
    chroot: Option<PathBuf>,
    /// The longest header that is sent.
    pub(crate) header: usize,
    /// How long a client may leave its answer unread.
    pub(crate) client_timeout: Option<Duration>,
}

/// A user or a group by number; `None` for one that the system does not know (any more), to whom nothing belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    User(Option<u32>),
    Group(Option<u32>),
}

/// Why a group does not run a script.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// `script-user`.
    #[error("{code}: {path}: {what}; hint: {}", .code.entry().action)]
    Owner {
        /// The condition.
        code: Code,
        /// The script or its folder.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// `chroot`.
    #[error("{}: {path} is not located within chroot directory {root}; hint: {}", Code::ScriptElsewhere, Code::ScriptElsewhere.entry().action)]
    Elsewhere {
        /// The script.
        path: String,
        /// The root.
        root: String,
    },
}

impl Unfit {
    /// The status for the client.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Owner { .. } => 403,
            Self::Elsewhere { .. } => 500,
        }
    }
}

impl Rules {
    const NONE: Self = Self {
        owner: None,
        chroot: None,
        header: DEFAULT_HEADER.get() as usize,
        client_timeout: None,
    };

    fn of(group: &DaemonGroup, accounts: &dyn Accounts) -> Self {
        let owner = group.script_owner.as_ref().map(|owner| match owner {
            ScriptOwner::User(who) => Owner::User(accounts.user(who).map(|user| user.uid)),
            ScriptOwner::Group(who) => Owner::Group(accounts.group(who)),
        });
        Self {
            owner,
            chroot: group.chroot.clone(),
            header: usize::try_from(group.buffers.header.get()).unwrap_or(usize::MAX),
            client_timeout: group.response_socket_timeout.or(group.socket_timeout),
        }
    }

    /// Whether the group runs a script; returns the path that the workers know it by.
    ///
    /// # Errors
    /// Says why it does not.
    pub(crate) fn admit<'p>(&self, script: &'p [u8]) -> Result<&'p [u8], Unfit> {
        if let Some(owner) = self.owner {
            let path = Path::new(OsStr::from_bytes(script));
            owner.check(path, &SCRIPT)?;
            owner.check(path.parent().unwrap_or(Path::new("/")), &FOLDER)?;
        }
        let Some(root) = &self.chroot else { return Ok(script) };
        below(root, script).ok_or_else(|| Unfit::Elsewhere {
            path: script.escape_ascii().to_string(),
            root: root.display().to_string(),
        })
    }
}

/// The path of `script` as it is for processes whose root is `root`.
pub(crate) fn below<'p>(root: &Path, script: &'p [u8]) -> Option<&'p [u8]> {
    let root = root.as_os_str().as_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    script.strip_prefix(root).filter(|rest| rest.starts_with(b"/"))
}

impl Owner {
    /// What mod_wsgi asks of a script and of its folder: who could replace them could run code.
    fn check(self, path: &Path, place: &Place) -> Result<(), Unfit> {
        let wrong = |code, what| Unfit::Owner {
            code,
            path: format!("{} {}", place.kind, path.display()),
            what,
        };
        let (user, group) = (&place.with_user, &place.with_group);
        let data = std::fs::metadata(path).map_err(|_| {
            let code = if matches!(self, Self::User(_)) { user.owner } else { group.owner };
            wrong(code, "it cannot be looked at")
        })?;
        let (open_to_group, open_to_world) = (data.mode() & 0o020 != 0, data.mode() & 0o002 != 0);
        match self {
            Self::User(uid) if uid != Some(data.uid()) => {
                Err(wrong(user.owner, "its owner does not match user required for daemon process"))
            }
            Self::Group(gid) if gid != Some(data.gid()) => {
                let what = "its group does not match group required for daemon process";
                Err(wrong(group.owner, what))
            }
            Self::User(_) if open_to_group => {
                Err(wrong(place.open_to_group, "it is writable to group"))
            }
            Self::User(_) if open_to_world => {
                Err(wrong(user.open_to_world, "it is writable to world"))
            }
            Self::Group(_) if open_to_world => {
                Err(wrong(group.open_to_world, "it is writable to world"))
            }
            _ => Ok(()),
        }
    }
}

/// A place that is looked at, and mod_wsgi's codes for what may be wrong there.
struct Place {
    kind: &'static str,
    with_user: Codes,
    with_group: Codes,
    /// Under `script-user`.
    open_to_group: Code,
}

struct Codes {
    owner: Code,
    open_to_world: Code,
}

const SCRIPT: Place = Place {
    kind: "script file",
    with_user: Codes { owner: Code::ScriptUserWrong, open_to_world: Code::ScriptOfUserOpen },
    with_group: Codes { owner: Code::ScriptGroupWrong, open_to_world: Code::ScriptOfGroupOpen },
    open_to_group: Code::ScriptOpenToGroup,
};

const FOLDER: Place = Place {
    kind: "folder of the script file",
    with_user: Codes { owner: Code::FolderUserWrong, open_to_world: Code::FolderOfUserOpen },
    with_group: Codes { owner: Code::FolderGroupWrong, open_to_world: Code::FolderOfGroupOpen },
    open_to_group: Code::FolderOpenToGroup,
};

impl House {
    /// What the groups of a configuration ask for.
    pub(crate) fn of(config: &Config, accounts: &dyn Accounts) -> Self {
        let groups = config.groups.iter().map(|group| &group.value);
        let rules = groups.map(|group| (group, Rules::of(group, accounts)));
        let own = rules.filter(|(_, rules)| *rules != Rules::NONE);
        Self(own.map(|(group, rules)| (group.name.as_str().to_owned(), rules)).collect())
    }

    /// What a group asks for.
    pub(crate) fn rules(&self, group: &str) -> &Rules {
        if self.0.is_empty() {
            return &Rules::NONE;
        }
        self.0.get(group).unwrap_or(&Rules::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn scripts_outside_of_the_root_have_no_path_in_it() {
        let root = Path::new("/jail");
        assert_eq!(below(root, b"/jail/srv/app.wsgi"), Some(&b"/srv/app.wsgi"[..]));
        assert_eq!(below(Path::new("/jail/"), b"/jail/app.wsgi"), Some(&b"/app.wsgi"[..]));
        assert_eq!(below(Path::new("/"), b"/srv/app.wsgi"), Some(&b"/srv/app.wsgi"[..]));
        assert_eq!((below(root, b"/jailed/app.wsgi"), below(root, b"/srv/app")), (None, None));
        let rules = Rules { chroot: Some(root.to_owned()), ..Rules::NONE };
        assert_eq!(rules.admit(b"/srv/app").unwrap_err().status(), 500);
    }

    #[test]
    fn owners_and_write_permissions_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("a.wsgi");
        std::fs::write(&script, "").unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&script, 0o644);
        mode(folder.path(), 0o755);
        let data = std::fs::metadata(&script).unwrap();
        let admit = |owner| {
            let rules = Rules { owner: Some(owner), ..Rules::NONE };
            rules.admit(script.as_os_str().as_bytes()).map(drop).map_err(|unfit| unfit.to_string())
        };
        assert_eq!(admit(Owner::User(Some(data.uid()))), Ok(()));
        assert_eq!(admit(Owner::Group(Some(data.gid()))), Ok(()));
        assert!(admit(Owner::User(None)).unwrap_err().contains("does not match"));
        assert!(admit(Owner::Group(Some(data.gid() + 1))).unwrap_err().starts_with("WSGI0155: "));
        mode(&script, 0o664);
        let open = admit(Owner::User(Some(data.uid()))).unwrap_err();
        assert!(open.starts_with("WSGI0166: ") && open.contains("writable to group"), "{open}");
        assert_eq!(admit(Owner::Group(Some(data.gid()))), Ok(()), "that is what it is for");
        mode(&script, 0o644);
        mode(folder.path(), 0o757);
        let open = admit(Owner::Group(Some(data.gid()))).unwrap_err();
        assert!(
            open.starts_with("WSGI0161: folder of the script") && open.contains("world"),
            "{open}"
        );
        let open = admit(Owner::User(Some(data.uid()))).unwrap_err();
        assert!(open.starts_with("WSGI0172: "), "{open}");
    }
}
