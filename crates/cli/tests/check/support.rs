//! The staged program, and folders that Apache's user can read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pinion_testbed::{Finished, Server, run_quietly};

/// Pinion as it is staged, once for all tests.
pub(crate) fn staged() -> &'static Server {
    static STAGED: OnceLock<Server> = OnceLock::new();
    STAGED.get_or_init(|| Server::pinion().unwrap())
}

/// The folder that it is installed in.
pub(crate) fn prefix() -> PathBuf {
    staged().module().ancestors().nth(2).unwrap().to_owned()
}

/// Runs `pinion check` with these arguments.
pub(crate) fn check(arguments: &[&str]) -> Finished {
    run_quietly(Command::new(prefix().join("bin/pinion")).arg("check").args(arguments)).unwrap()
}

/// A folder that everybody may enter.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("pinion-check-").tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Writes a file with its folders.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// The text with the folder and the program's place replaced, so that it can be compared as a whole.
pub(crate) fn settled(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "/FOLDER");
    // Process ids and the interpreter's third number differ from run to run and from machine to machine.
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("pid=").or_else(|| rest.find("Python 3.")) {
        let (before, found) = rest.split_at(at);
        let digits = found.find(|c: char| c.is_ascii_digit()).unwrap_or(found.len());
        let end = found[digits..].find(|c: char| !c.is_ascii_digit() && c != '.');
        out.push_str(before);
        out.push_str(&found[..digits]);
        out.push('N');
        rest = &found[digits + end.unwrap_or(found.len() - digits)..];
    }
    out + rest
}
