//! The certificate and its key, looked at before any worker gets them.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_deploy::error::{Advice, FileError};
use pinion_tls::BadPair;
use pinion_wire::message::http::TlsSpec;
use thiserror::Error;

use crate::error::Result;

/// A certificate or key that cannot be used.
#[derive(Debug, Error)]
#[error("{}: {problem}", file.display())]
pub struct TlsError {
    /// The file that is not in order, as far as it is one.
    file: PathBuf,
    /// What is wrong, as workers would say it.
    problem: BadPair,
}

impl Advice for TlsError {
    fn code(&self) -> Code {
        Code::CertificateInvalid
    }

    fn hint(&self) -> String {
        self.problem.hint().to_owned()
    }
}

/// Reads both files and looks whether they belong together.
///
/// # Errors
/// They cannot be read, hold something else, or do not belong together.
pub fn read(certificate: &Path, key: &Path) -> Result<TlsSpec> {
    let bytes = |path: &Path| std::fs::read(path).map_err(FileError::at("read", path));
    let spec = TlsSpec { certificates: bytes(certificate)?, key: bytes(key)? };
    pinion_tls::check(&spec.certificates, &spec.key).map_err(|problem| {
        // Of two that do not belong together, the key is the one that is looked for.
        let is_of_key = problem.is_of_key() || problem == BadPair::Mismatch;
        let file = if is_of_key { key } else { certificate };
        TlsError { file: file.to_owned(), problem }
    })?;
    Ok(spec)
}
