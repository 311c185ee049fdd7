//! The certificate and its key, looked at before any worker gets them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pinion_config::Code;
use pinion_deploy::error::{Advice, FileError};
use pinion_wire::message::http::TlsSpec;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::error::Result;

/// A certificate or key that cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// No certificate in the file.
    #[error("{} holds no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    /// No private key in the file.
    #[error("{} holds no private key in PEM form", .0.display())]
    NoKey(PathBuf),
    /// PEM that is cut or not base64.
    #[error("{}: {problem}", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The key is another certificate's.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl Advice for TlsError {
    fn code(&self) -> Code {
        Code::CertificateInvalid
    }

    fn hint(&self) -> String {
        match self {
            Self::NoCertificate(_) => "--certificate takes a PEM file, the certificate first and its chain after it".to_owned(),
            Self::NoKey(file) => format!(
                "--key takes a PEM file; `openssl pkey -in {}` shows whether it is one, or needs a passphrase",
                file.display()
            ),
            Self::Broken { file, .. } => {
                format!("`openssl x509 -in {} -noout -text` shows what is wrong", file.display())
            }
            Self::Mismatch { .. } => "give the key that the certificate was made for, and the certificate before its chain".to_owned(),
        }
    }
}

/// Reads both files and looks whether they belong together.
///
/// # Errors
/// They cannot be read, hold something else, or do not belong together.
pub fn read(certificate: &Path, key: &Path) -> Result<TlsSpec> {
    let bytes = |path: &Path| std::fs::read(path).map_err(FileError::at("read", path));
    let spec = TlsSpec { certificates: bytes(certificate)?, key: bytes(key)? };
    check(&spec, certificate, key)?;
    Ok(spec)
}

fn check(spec: &TlsSpec, certificate: &Path, key: &Path) -> Result<(), TlsError> {
    let broken = |file: &Path, problem: String| TlsError::Broken { file: file.to_owned(), problem };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&spec.certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(certificate, words(&error)))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let secret = match PrivateKeyDer::from_pem_slice(&spec.key) {
        Ok(secret) => secret,
        Err(PemError::NoItemsFound) => return Err(TlsError::NoKey(key.to_owned())),
        Err(error) => return Err(broken(key, words(&error))),
    };
    let provider: CryptoProvider = rustls::crypto::ring::default_provider();
    match CertifiedKey::from_der(chain, secret, &Arc::new(provider)) {
        Ok(_pair) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() })
        }
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(broken(certificate, format!("the certificate is not valid ({error})")))
        }
        Err(error) => Err(broken(key, error.to_string())),
    }
}

fn words(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "a section of PEM has no end".to_owned(),
        PemError::IllegalSectionStart { .. } => {
            "a section of PEM has a broken first line".to_owned()
        }
        PemError::Base64Decode(_) => "the PEM is damaged (not base64)".to_owned(),
        other => other.to_string(),
    }
}
