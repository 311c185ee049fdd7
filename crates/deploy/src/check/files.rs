//! What the ini file and the project's folder tell without being run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pinion_config::{Code, Place};

use super::report::Note;
use crate::Deployment;
use crate::finding::Finding;
use crate::project::Kind;
use crate::render::word;

/// Whether others may read an ini file, which holds secrets, or git carries it.
pub(super) fn ini(path: &Path, group: &str) -> Vec<Note> {
    let shown = path.display();
    let at = |finding| Note::new(finding).at(Place::new(path.to_string_lossy(), 0));
    let mut notes = Vec::new();
    let mode = std::fs::metadata(path).map_or(0, |data| data.permissions().mode());
    if mode & 0o004 != 0 {
        let what = format!("{shown} can be read by everybody (mode {:04o})", mode & 0o7777);
        let why = "it holds the secrets that sign sessions, and the database's password";
        let quoted = word(&path.to_string_lossy());
        let hint = format!("chown root:{group} {quoted} && chmod 640 {quoted}");
        notes.push(at(Finding::new(Code::IniExposed, what, why, hint)));
    }
    if is_tracked(path) {
        let what = format!("{shown} is tracked by git");
        let why = "everybody with the repository has the site's secrets";
        let hint =
            format!("git rm --cached {}, and choose new secrets", word(&path.to_string_lossy()));
        notes.push(at(Finding::new(Code::IniTracked, what, why, hint)));
    }
    notes
}

/// Whether git knows a file; no, where there is no git.
fn is_tracked(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let mut git = Command::new("git");
    // The folder may belong to another user, whose hooks and settings do not count for this question.
    git.args(["-c", "safe.directory=*", "-C"]).arg(folder);
    git.args(["ls-files", "--error-unmatch", "--"]).arg(name);
    git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().is_ok_and(|status| status.success())
}

/// Whether a TurboGears project with a database brings its migrations along, which `setup-app` needs.
pub(super) fn migration(deployment: &Deployment) -> Option<Note> {
    let root = &deployment.layout.deployed;
    let package = deployment.project.package.as_deref()?;
    let has_model = root.join(package).join("model").is_dir();
    let needed = matches!(deployment.project.kind, Kind::TurboGears(_)) && has_model;
    if !needed || root.join("migration").is_dir() {
        return None;
    }
    let what = format!("{} has no migration folder", root.display());
    let why = "setup-app runs alembic there, and dies before it makes the users";
    let own = deployment.layout.project.join("migration");
    let hint = format!("cp -r {} {}", word(&own.to_string_lossy()), word(&root.to_string_lossy()));
    Some(Note::new(Finding::new(Code::MigrationMissing, what, why, hint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(path: &Path) -> Vec<Code> {
        ini(path, "www-data").iter().map(|note| note.finding.code).collect()
    }

    #[test]
    fn an_ini_file_for_all_to_read_or_in_git_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("production.ini");
        assert_eq!(codes(&file), []);
        std::fs::write(&file, "[app:main]\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(codes(&file), [Code::IniExposed]);
        for arguments in [&["init", "-q"][..], &["add", "production.ini"]] {
            let mut git = Command::new("git");
            assert!(git.arg("-C").arg(folder.path()).args(arguments).status().unwrap().success());
        }
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(codes(&file), [Code::IniTracked]);
    }
}
