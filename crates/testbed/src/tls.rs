//! Certificates and TLS clients for tests.

use crate::Error;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use std::net::TcpStream;
use std::sync::Arc;

/// What TLS clients are made with; those of the same settings resume each other's sessions.
pub type Settings = Arc<ClientConfig>;

/// The name that certificates here are for.
const NAME: &str = "localhost";

/// A certificate that nobody has signed but itself, and its key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
    der: CertificateDer<'static>,
}

impl Identity {
    /// A new one, for `localhost`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new() -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])
            .map_err(|error| Error::http("a certificate", error))?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        Ok(Self { certificate, key, der: made.cert.der().clone() })
    }

    /// Settings of clients that trust it and speak one of `protocols` (ALPN).
    ///
    /// # Errors
    /// The library refuses them.
    pub fn client(&self, protocols: &[&str]) -> Result<Settings, Error> {
        self.client_of(protocols, rustls::DEFAULT_VERSIONS)
    }

    /// As [`Identity::client`], with these versions of TLS alone.
    ///
    /// # Errors
    /// The library refuses them.
    pub fn client_of(
        &self,
        protocols: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<Settings, Error> {
        let refused = |error| Error::http("TLS", error);
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).map_err(refused)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).map_err(refused)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// A client's end of a TLS connection.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Begins TLS on a connection and finishes the handshake.
///
/// # Errors
/// The handshake fails.
pub fn shake(settings: &Settings, mut stream: TcpStream) -> Result<Stream, Error> {
    let refused = |error| Error::http("TLS", error);
    let name = ServerName::try_from(NAME).map_err(|error| Error::http("TLS", error))?;
    let mut connection = ClientConnection::new(settings.clone(), name).map_err(refused)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(Error::io("shaking hands"))?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// The protocol that was agreed upon.
#[must_use]
pub fn protocol(stream: &Stream) -> Option<String> {
    stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
}

/// Whether an earlier session was resumed.
#[must_use]
pub fn is_resumed(stream: &Stream) -> bool {
    stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}
