//! Apache's program and modules on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use pinion_config::Code;
use pinion_deploy::apache::{Apache, find};
use pinion_deploy::error::Advice;
use thiserror::Error;

use crate::error::Result;

/// Where distributions put modules.
const FOLDERS: [&str; 5] = [
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/lib64/apache2",
    "/usr/local/libexec/apache24",
];

/// Apache cannot be used.
#[derive(Debug, Error)]
pub enum InstalledError {
    /// Its modules are nowhere.
    #[error("the modules of {} are in none of the usual folders", .0.display())]
    NoModules(PathBuf),
    /// A module that the configuration needs is neither there nor built in.
    #[error("Apache has no mod_{0}")]
    NoModule(&'static str),
}

impl Advice for InstalledError {
    fn code(&self) -> Code {
        Code::NoApache
    }

    fn hint(&self) -> String {
        match self {
            Self::NoModules(_) => {
                "install Apache's own modules (on Debian: apt-get install apache2)".to_owned()
            }
            Self::NoModule(name) => format!("install the package that has mod_{name}"),
        }
    }
}

/// An Apache that can be given a configuration of its own.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its program.
    pub program: PathBuf,
    /// The account of its children when root starts it.
    pub account: &'static str,
    modules: PathBuf,
    built_in: String,
}

impl Installed {
    /// The system's Apache.
    ///
    /// # Errors
    /// There is none, or its modules are nowhere.
    pub fn find() -> Result<Self> {
        let apache: Apache = find(None)?;
        let own = [apache.root.join("modules")];
        let folders = FOLDERS.iter().map(PathBuf::from).chain(own);
        let modules = folders.into_iter().find(|folder| folder.join("mod_alias.so").is_file());
        let modules = modules.ok_or_else(|| InstalledError::NoModules(apache.program.clone()))?;
        let listed = Command::new(&apache.program).arg("-l").output();
        let built_in = listed.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
        let account = apache.usual_account();
        Ok(Self {
            program: apache.program,
            account,
            modules,
            built_in: built_in.unwrap_or_default(),
        })
    }

    /// The file of a module; `None` where it is built in or not there.
    pub fn module(&self, name: &str) -> Option<PathBuf> {
        let file = self.modules.join(format!("mod_{name}.so"));
        file.is_file().then_some(file)
    }

    /// Whether a module can be had.
    pub fn has(&self, name: &str) -> bool {
        self.module(name).is_some() || self.has_built_in(name)
    }

    /// The file of a module that is needed; `None` where it is built in.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn needed(&self, name: &'static str) -> Result<Option<PathBuf>, InstalledError> {
        match self.module(name) {
            Some(file) => Ok(Some(file)),
            None if self.has_built_in(name) => Ok(None),
            None => Err(InstalledError::NoModule(name)),
        }
    }

    fn has_built_in(&self, name: &str) -> bool {
        let names = [format!("mod_{name}.c"), format!("{}.c", name.trim_start_matches("mpm_"))];
        self.built_in.lines().any(|line| names.iter().any(|own| own == line.trim()))
    }
}

/// Whether somebody else's file type list is there, which mod_mime wants.
pub fn mime_types() -> Option<&'static Path> {
    let known = ["/etc/mime.types", "/etc/apache2/mime.types", "/etc/httpd/conf/mime.types"];
    known.into_iter().map(Path::new).find(|file| file.is_file())
}
