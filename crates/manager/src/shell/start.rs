//! What is told of a worker whose process could not be started.

use pinion_config::Code;
use pinion_unix::process::{Part, SpawnError};
use pinion_wire::message::GroupSpec;

use super::process::StartError;

/// Why it was not started: with mod_wsgi's code and in its words where that has them.
pub(super) fn not_started(error: &StartError, group: &GroupSpec) -> String {
    if let StartError::Spawn(SpawnError::Child { part, source, .. }) = error
        && let Some((code, text)) = known(*part, group)
    {
        return format!("{code}: {text}: {source}");
    }
    format!("cannot start {}: {error}", group.python)
}

fn known(part: Part, group: &GroupSpec) -> Option<(Code, String)> {
    let path = |path: &Option<String>| path.clone().unwrap_or_else(|| "/".to_owned());
    let identity = group.identity.as_ref();
    let (uid, gid) = identity.map_or((0, 0), |identity| (identity.uid, identity.gid));
    let known = match part {
        Part::Root => (
            Code::RootNotChanged,
            format!("Unable to change root directory to '{}'", path(&group.chroot)),
        ),
        Part::Group => (Code::GroupNotTaken, format!("Unable to set group id to gid={gid}")),
        Part::Groups => {
            (Code::GroupsNotTaken, format!("Unable to set supplementary groups for uid={uid}"))
        }
        Part::User => (Code::UserNotTaken, format!("Unable to change to uid={uid}")),
        Part::Folder if group.home_is_users => (
            Code::UserHomeNotEntered,
            format!(
                "Unable to change working directory to home directory '{}' for uid={uid}",
                path(&group.home)
            ),
        ),
        Part::Folder => (
            Code::HomeNotEntered,
            format!("Unable to change working directory to '{}'", path(&group.home)),
        ),
        Part::Other => return None,
    };
    Some(known)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_a_new_process_could_not_do_is_told_in_known_words() {
        let mut group = GroupSpec::new("shop", "/venv/bin/python");
        (group.home, group.chroot) = (Some("/srv/shop".to_owned()), Some("/jail".to_owned()));
        let told = |group: &GroupSpec, part| {
            let source = io::Error::from_raw_os_error(13);
            let error = SpawnError::Child { part, step: "step".to_owned(), source };
            not_started(&error.into(), group)
        };
        let denied = "Permission denied (os error 13)";
        for (part, words) in [
            (Part::Root, "WSGI0003: Unable to change root directory to '/jail'"),
            (Part::Group, "WSGI0004: Unable to set group id to gid=0"),
            (Part::Groups, "WSGI0005: Unable to set supplementary groups for uid=0"),
            (Part::User, "WSGI0007: Unable to change to uid=0"),
            (Part::Folder, "WSGI0009: Unable to change working directory to '/srv/shop'"),
            (Part::Other, "cannot start /venv/bin/python: step"),
        ] {
            assert_eq!(told(&group, part), format!("{words}: {denied}"));
        }
        group.home_is_users = true;
        let words = "Unable to change working directory to home directory '/srv/shop' for uid=0";
        assert_eq!(told(&group, Part::Folder), format!("WSGI0010: {words}: {denied}"));
    }
}
