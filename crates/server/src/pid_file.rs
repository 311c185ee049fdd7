//! The file that holds the server's process number.

use std::fs;
use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::{Advice, FileError};
use pinion_unix::process;
use thiserror::Error;

use crate::error::{Exit, Failed, Result};

/// Another process has the file.
#[derive(Debug, Error)]
#[error("{}: process {pid} runs", file.display())]
pub struct HeldError {
    file: PathBuf,
    pid: u32,
}

impl Advice for HeldError {
    fn code(&self) -> Code {
        Code::PidFileHeld
    }

    fn hint(&self) -> String {
        format!("end it (kill {}), or remove the file if that is another program", self.pid)
    }
}

/// The file; it goes away with this.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes it.
    ///
    /// # Errors
    /// The process that it names lives, or the folder refuses.
    pub fn write(path: &Path) -> Result<Self> {
        let own = std::process::id();
        if let Some(pid) = read(path).filter(|pid| *pid != own && process::exists(*pid)) {
            let error = HeldError { file: path.to_owned(), pid };
            return Err(Failed::new(error, Exit::Taken));
        }
        // Whole or not at all: who reads it must not find half a number.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        fs::write(&fresh, format!("{own}\n")).map_err(FileError::at("write", &fresh))?;
        fs::rename(&fresh, path).map_err(FileError::at("write", path))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if read(&self.0) == Some(std::process::id()) {
            // One that stays names a process that is gone, which the next start sees.
            let _ = fs::remove_file(&self.0);
        }
    }
}

fn read(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok().filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_held_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        // A number that no process has: the kernel's greatest is 4194304.
        fs::write(&path, "99999999\n").unwrap();
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        fs::write(&path, "1\n").unwrap();
        let failed = PidFile::write(&path).unwrap_err();
        assert_eq!(failed.exit, Exit::Taken);
        let said = failed.to_string();
        assert!(
            said.starts_with(&format!("PIN0908: {}: process 1 runs", path.display())),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn one_that_another_has_written_since_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert!(path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
