//! What TLS connections are made with.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

/// What every connection of a listener is made with.
pub type Settings = Arc<ServerConfig>;

/// Why a certificate and a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPair {
    /// No section of the file is a certificate.
    #[error("the certificate file holds no certificate")]
    NoCertificate,
    /// The certificate file is damaged.
    #[error("the certificate file is no PEM file: {0}")]
    CertificateFile(String),
    /// A certificate that cannot be read.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// No section of the file is a private key.
    #[error("the key file holds no private key")]
    NoKey,
    /// The key needs a passphrase.
    #[error("the private key is protected by a passphrase")]
    Protected,
    /// The key file is damaged.
    #[error("the key file is no PEM file: {0}")]
    KeyFile(String),
    /// A key that cannot be used.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// The key is another certificate's.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// The key belongs to a certificate of the file, but not to the first.
    #[error("the private key belongs to certificate {0} of the file, not to the first")]
    Order(usize),
    /// The library refuses what nothing of the above explains.
    #[error("TLS cannot be set up: {0}")]
    Other(String),
}

impl BadPair {
    /// Whether it is the key's file that is not in order, rather than the certificate's, or both.
    #[must_use]
    pub fn is_of_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::Protected | Self::KeyFile(_) | Self::Key(_))
    }

    /// What the operator can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::CertificateFile(_) | Self::Certificate(_) => {
                "give a PEM file that begins with the server's own certificate, the authorities' behind it"
            }
            Self::NoKey | Self::KeyFile(_) => {
                "give the PEM file of the certificate's private key (PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY)"
            }
            Self::Protected => "remove the passphrase: openssl pkey -in KEY -out NEW",
            Self::Key(_) => "use an ECDSA key (P-256, P-384), Ed25519, or RSA of 2048 bits or more",
            Self::Mismatch => {
                "give the key with which this certificate was requested; they are renewed together"
            }
            Self::Order(_) => "put the server's own certificate first, the authorities' behind it",
            Self::Other(_) => "the message says what failed",
        }
    }
}

/// Whether a certificate chain and a private key, both PEM, can be used by [`settings`].
///
/// # Errors
/// A pair that cannot be used.
pub fn check(certificates: &[u8], key: &[u8]) -> Result<(), BadPair> {
    pair(read_chain(certificates)?, read_key(key)?, &ring::default_provider()).map(drop)
}

/// Reads a certificate chain and its private key, both PEM, for connections on which one of `protocols` is spoken, the
/// most wanted first (ALPN, RFC 7301).
///
/// TLS 1.2 and 1.3; no client certificates; sessions are resumed by tickets, so none are kept here.
///
/// # Errors
/// A pair that cannot be used.
pub fn settings(certificates: &[u8], key: &[u8], protocols: &[&[u8]]) -> Result<Settings, BadPair> {
    let provider = Arc::new(ring::default_provider());
    let pair = pair(read_chain(certificates)?, read_key(key)?, &provider)?;
    let other = |error: Error| BadPair::Other(error.to_string());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(other)?;
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(pair));
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.ticketer = ring::Ticketer::new().map_err(other)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn read_chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadPair> {
    let read = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let chain = read.map_err(|error| BadPair::CertificateFile(said(error)))?;
    if chain.is_empty() { Err(BadPair::NoCertificate) } else { Ok(chain) }
}

fn read_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, BadPair> {
    // As PKCS#8 has it, and as older programs mark it.
    let marks = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"];
    let is_protected = |text: &[u8]| {
        marks.iter().any(|mark| text.windows(mark.len()).any(|window| window == *mark))
    };
    match PrivateKeyDer::from_pem_slice(text) {
        _ if is_protected(text) => Err(BadPair::Protected),
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(BadPair::NoKey),
        Err(error) => Err(BadPair::KeyFile(said(error))),
    }
}

fn said(error: pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a line begins a section wrongly".to_owned(),
        other => other.to_string(),
    }
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, BadPair> {
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|error| BadPair::Key(plain(&error)))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(Error::InconsistentKeys(_)) => Err(mismatch(&pair)),
        Err(error) => Err(BadPair::Certificate(plain(&error))),
    }
}

fn mismatch(pair: &CertifiedKey) -> BadPair {
    let fits = |certificate: &CertificateDer<'static>| {
        let other = CertifiedKey::new(vec![certificate.clone()], pair.key.clone());
        other.keys_match().is_ok()
    };
    let found = pair.cert.iter().position(fits);
    found.map_or(BadPair::Mismatch, |place| BadPair::Order(place + 1))
}

/// The library's words without its own headings.
fn plain(error: &Error) -> String {
    match error {
        Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_testbed::tls::Identity;

    fn made() -> Identity {
        Identity::new().unwrap()
    }

    fn refused(certificate: &str, key: &str) -> String {
        let error = settings(certificate.as_bytes(), key.as_bytes(), &[]).unwrap_err();
        assert_eq!(check(certificate.as_bytes(), key.as_bytes()), Err(error.clone()));
        assert!(!error.hint().is_empty());
        error.to_string()
    }

    #[test]
    fn a_pair_is_taken_with_other_sections_around_it() {
        let Identity { certificate, key, .. } = made();
        let both = format!("words in front\n{key}\n{certificate}{}", made().certificate);
        let protocols: [&[u8]; 2] = [b"h2", b"http/1.1"];
        let config = settings(both.as_bytes(), both.as_bytes(), &protocols).unwrap();
        assert_eq!(config.alpn_protocols, protocols);
        assert!(config.ticketer.enabled());
        assert_eq!(config.max_early_data_size, 0, "what can be replayed is not taken");
        assert!(
            settings(certificate.replace('\n', "\r\n").as_bytes(), key.as_bytes(), &[]).is_ok()
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let Identity { certificate, key, .. } = made();
        for text in ["", "no PEM at all\n", &key] {
            assert_eq!(refused(text, &key), "the certificate file holds no certificate");
        }
        for text in ["", &certificate] {
            assert_eq!(refused(&certificate, text), "the key file holds no private key");
        }
    }

    #[test]
    fn what_is_damaged_is_named() {
        let Identity { certificate, key, .. } = made();
        let half = &certificate[..certificate.len() / 2];
        assert_eq!(
            refused(half, &key),
            "the certificate file is no PEM file: a section has no end"
        );
        let half = &key[..key.len() / 2];
        assert_eq!(
            refused(&certificate, half),
            "the key file is no PEM file: a section has no end"
        );
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refused(empty, &key).starts_with("the certificate cannot be used: "));
        let empty = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(refused(&certificate, empty).starts_with("the private key cannot be used: "));
    }

    #[test]
    fn a_key_of_another_certificate_is_told_from_a_wrong_order() {
        let (own, other) = (made(), made());
        assert_eq!(
            refused(&own.certificate, &other.key),
            "the private key does not belong to the certificate"
        );
        let chain = format!("{}{}", other.certificate, own.certificate);
        assert_eq!(
            refused(&chain, &own.key),
            "the private key belongs to certificate 2 of the file, not to the first"
        );
    }

    #[test]
    fn a_passphrase_cannot_be_asked_for() {
        let Identity { certificate, .. } = made();
        for text in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        ] {
            assert_eq!(refused(&certificate, text), "the private key is protected by a passphrase");
        }
    }
}
