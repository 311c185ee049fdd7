//! The server under test: the module that Apache loads as `wsgi_module`.

use crate::place::{copy_once, is_root, open_to_all};
use crate::{Error, command, packages, python, venv, workspace_root};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The mod_wsgi that Pinion is compared with, as pip names it.
pub const MOD_WSGI: &str = "mod-wsgi==6.1.1";

/// A module that serves WSGI applications: mod_wsgi or Pinion.
#[derive(Debug, Clone)]
pub struct Server {
    name: &'static str,
    module: PathBuf,
}

impl Server {
    /// mod_wsgi from PyPI, built against Debian's Apache and Python in a virtualenv of its own,
    /// with all that the build needs installed first.
    ///
    /// # Errors
    /// Packages are absent and this user is not root, or the build failed.
    pub fn mod_wsgi() -> Result<Self, Error> {
        packages::ensure(packages::APACHE)?;
        // Not from pip's cache: a wheel kept there may be linked to another build of the same Python.
        let packages = ["--no-cache-dir", MOD_WSGI];
        let venv = venv::ensure("mod_wsgi", &python::system()?, &packages)?;
        let config = command::run(Command::new(venv.bin("mod_wsgi-express")).arg("module-config"))?;
        let module = config
            .lines()
            .find_map(|line| line.strip_prefix("LoadModule wsgi_module "))
            .map(|path| PathBuf::from(path.trim_matches('"')))
            .ok_or_else(|| Error::NotStaged { path: venv.bin("mod_wsgi-express") })?;
        Ok(Self { name: "mod_wsgi", module })
    }

    /// Pinion as the environment names it in `PINION_DIST`, else as `cargo xtask dist` stages it now.
    ///
    /// # Errors
    /// The build failed, or the staged tree has no module.
    pub fn pinion() -> Result<Self, Error> {
        packages::ensure(packages::APACHE)?;
        if let Some(dist) = std::env::var_os("PINION_DIST") {
            return Self::pinion_at(Path::new(&dist));
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        command::run(Command::new(cargo).current_dir(workspace_root()).args(["xtask", "dist"]))?;
        Self::pinion_at(&workspace_root().join("target/dist"))
    }

    /// Pinion from a staged tree; copied where Apache's user could not read it.
    ///
    /// # Errors
    /// The tree has no module, or the copy failed.
    pub fn pinion_at(dist: &Path) -> Result<Self, Error> {
        let dist = std::path::absolute(dist).map_err(Error::io("the working folder"))?;
        let module = dist.join("modules/mod_pinion.so");
        let meta = std::fs::metadata(&module)
            .map_err(|_absent| Error::NotStaged { path: module.clone() })?;
        if !is_root() || open_to_all(&module) {
            return Ok(Self { name: "pinion", module });
        }
        let changed = meta.modified().map_err(Error::io(format!("{}", module.display())))?;
        let since = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let copy = copy_once(&dist, &format!("dist-{}", since.as_nanos()), |_copy| Ok(()))?;
        Ok(Self { name: "pinion", module: copy.join("modules/mod_pinion.so") })
    }

    /// `mod_wsgi` or `pinion`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether this is Pinion.
    pub fn is_pinion(&self) -> bool {
        self.name == "pinion"
    }

    /// The shared object for `LoadModule wsgi_module`.
    pub fn module(&self) -> &Path {
        &self.module
    }
}
