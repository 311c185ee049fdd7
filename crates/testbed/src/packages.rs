//! Debian packages that a task needs.

use crate::command::{run, run_quietly};
use crate::{Error, place};
use std::process::Command;

/// What Apache itself and building a module for it need.
pub const APACHE: &[&str] =
    &["apache2", "apache2-dev", "python3", "python3-venv", "python3-dev", "gcc", "make"];

/// Where dpkg notes what is installed. Whoever installs holds a lock on the folder, of a kind that apt-get itself does not take.
const DPKG: &str = "/var/lib/dpkg";

/// Installs those of `packages` that are absent, and returns them.
///
/// # Errors
/// Packages are absent and this user is not root (the error names the command), or apt-get failed.
pub fn ensure(packages: &[&str]) -> Result<Vec<String>, Error> {
    if absent(packages)?.is_empty() {
        return Ok(Vec::new());
    }
    // Tests run side by side, and one apt-get does not wait for another.
    let _alone = std::fs::File::open(DPKG).and_then(|folder| folder.lock().map(|()| folder));
    let absent = absent(packages)?;
    if absent.is_empty() {
        return Ok(absent);
    }
    if !place::is_root() {
        return Err(Error::MissingPackages { packages: absent.join(" ") });
    }
    run(apt().arg("update"))?;
    run(apt().args(["install", "-y", "--no-install-recommends"]).args(&absent))?;
    Ok(absent)
}

/// Those of `packages` that are not installed.
fn absent(packages: &[&str]) -> Result<Vec<String>, Error> {
    let mut absent = Vec::new();
    for package in packages {
        if !installed(package)? {
            absent.push((*package).to_owned());
        }
    }
    Ok(absent)
}

/// Whether dpkg says that `package` is installed.
///
/// # Errors
/// dpkg-query cannot be run: this is no Debian.
pub fn installed(package: &str) -> Result<bool, Error> {
    let answer =
        run_quietly(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))?;
    Ok(answer.success && answer.stdout == "installed")
}

/// apt-get that asks nothing and starts no service.
fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").arg("-q");
    command
}
