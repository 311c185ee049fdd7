//! Where Pinion's files are.

use std::path::{Path, PathBuf};

use pinion_config::{Code, ServerSettings, files::Files};

/// The program and the library folder of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The `pinion` command.
    pub program: PathBuf,
    /// The folder with the worker core and its Python files.
    pub library: PathBuf,
}

/// An installation that is not whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallationError {
    /// Something is not there.
    #[error(
        "{}: Pinion's files are not in {}: no {}; hint: PinionPrefix names the folder that Pinion is installed in",
        Code::PrefixInvalid,
        prefix.display(),
        missing.display()
    )]
    Missing {
        /// Where it was looked for.
        prefix: PathBuf,
        /// What is not there, below that.
        missing: PathBuf,
    },
    /// The system does not say where the module was loaded from.
    #[error(
        "{}: the module cannot tell where it was loaded from; hint: say `PinionPrefix folder`",
        Code::PrefixInvalid
    )]
    Nowhere,
}

/// Finds the installation: at `PinionPrefix`, else two folders above the module, which is in
/// `modules` of the staged tree.
pub fn find(
    files: &dyn Files,
    settings: &ServerSettings,
    module: Option<&Path>,
) -> Result<Installation, InstallationError> {
    let beside = || module.and_then(Path::parent).and_then(Path::parent);
    let prefix = settings.prefix.as_deref().or_else(beside).ok_or(InstallationError::Nowhere)?;
    let whole = |path: &str| {
        let full = prefix.join(path);
        let missing =
            || InstallationError::Missing { prefix: prefix.to_owned(), missing: path.into() };
        files.stat(&full).map(|_| full).map_err(|_| missing())
    };
    Ok(Installation { program: whole("bin/pinion")?, library: whole("lib/pinion")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_config::files::SystemFiles;

    #[test]
    fn an_installation_is_found_beside_the_module_or_at_its_prefix() {
        let tree = tempfile::tempdir().unwrap();
        let prefix = tree.path();
        let module = prefix.join("modules/mod_pinion.so");
        let mut settings = ServerSettings::default();
        let look = |settings: &ServerSettings, module| find(&SystemFiles, settings, module);
        let missing = look(&settings, Some(&module)).unwrap_err().to_string();
        assert!(missing.contains("no bin/pinion; hint: PinionPrefix"), "{missing}");
        std::fs::create_dir_all(prefix.join("lib/pinion")).unwrap();
        std::fs::create_dir_all(prefix.join("bin")).unwrap();
        std::fs::write(prefix.join("bin/pinion"), "").unwrap();
        let found = look(&settings, Some(&module)).unwrap();
        assert_eq!(found.program, prefix.join("bin/pinion"));
        assert_eq!(found.library, prefix.join("lib/pinion"));
        settings.prefix = Some(prefix.join("elsewhere"));
        assert!(look(&settings, Some(&module)).is_err());
        settings.prefix = None;
        assert_eq!(look(&settings, None), Err(InstallationError::Nowhere));
    }
}
