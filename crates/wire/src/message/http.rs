//! The HTTP front door inside a worker, which `pinion serve` opens.
//!
//! The worker finds its descriptors from [`FIRST_DESCRIPTOR`] on: the listening sockets in the order of
//! [`HttpSpec::listeners`], then the access log where [`HttpSpec::access_log`] names a format. In
//! [`super::Control::Configure`] the same descriptors follow those of the logs, in the same order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The first of the worker's descriptors that belong to its front door.
pub const FIRST_DESCRIPTOR: i32 = 6;

/// What a worker serves by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpSpec {
    /// Counts the reloads that were asked for, so that workers of another number are others.
    pub generation: u32,
    /// The listening sockets.
    pub listeners: Vec<ListenerSpec>,
    /// How requests are logged, if they are.
    pub access_log: Option<AccessFormat>,
    /// Where the application is mounted: empty, or a path that begins with a slash and does not end with one.
    pub mount: String,
    /// Folders whose files are served without the application; the longest prefix counts.
    pub statics: Vec<StaticSpec>,
    /// The path at which the worker says whether it serves, if there is one.
    pub health: Option<String>,
    /// Which proxies are believed, and what of them.
    pub proxies: ProxySpec,
    /// What clients may send.
    pub limits: HttpLimits,
    /// How long clients may take, in milliseconds; 0 means no limit.
    pub times: HttpTimes,
    /// The certificate of the listeners with [`ListenerSpec::tls`].
    pub tls: Option<TlsSpec>,
    /// Folders that are watched beside the loaded modules, where a change reloads the application.
    pub watch: Option<Vec<String>>,
}

impl HttpSpec {
    /// How many descriptors the worker gets.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.listeners.len() + usize::from(self.access_log.is_some())
    }
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// `SERVER_NAME` where a request names no host: the address that was bound, or `localhost` for a Unix socket.
    pub name: String,
    /// `SERVER_PORT`; 0 for a Unix socket, where a request's own Host header counts.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// The format of an access log's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessFormat {
    /// Apache's `common`.
    Common,
    /// Apache's `combined`.
    Combined,
    /// One JSON object a line.
    Json,
}

/// A folder whose files are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticSpec {
    /// The path in front of them, such as `/static`; it begins with a slash and does not end with one, or is empty.
    pub prefix: String,
    /// The folder, absolute.
    pub folder: String,
    /// The only file in it that is served, at the prefix itself; `None` for all of them.
    pub file: Option<String>,
}

/// Which proxies are believed, in the words of `WSGITrustedProxies` and `WSGITrustedProxyHeaders`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxySpec {
    /// Addresses and networks; empty trusts any peer, as `WSGITrustedProxyHeaders` alone does.
    pub networks: Vec<String>,
    /// Names of headers; empty: none is believed.
    pub headers: Vec<String>,
}

/// What clients may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpLimits {
    /// The longest request line in bytes; what is longer gets 414.
    pub line: u32,
    /// The longest head, request line included, in bytes; what is longer gets 431.
    pub head: u32,
    /// The most header fields; more get 431.
    pub fields: u32,
    /// The longest body in bytes, 0 for any; what is longer gets 413.
    pub body: u64,
    /// The most open connections of a worker; more wait in the listening socket's queue.
    pub connections: u32,
    /// The fewest bytes a second that a client must send of a body, or take of an answer, over all, beyond [`HttpTimes::body`]; 0 for
    /// no such limit. Without it, a byte now and then keeps a serving thread for ever.
    pub rate: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { line: 8190, head: 65_536, fields: 100, body: 0, connections: 16_384, rate: 500 }
    }
}

/// How long clients may take, in milliseconds; 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpTimes {
    /// From a request's first byte, or a connection's beginning, to the end of its head.
    pub head: u64,
    /// Between two pieces of a body, and between two pieces of an answer that the client takes.
    pub body: u64,
    /// Between two requests on a connection.
    pub idle: u64,
}

impl Default for HttpTimes {
    fn default() -> Self {
        Self { head: 20_000, body: 30_000, idle: 15_000 }
    }
}

/// A certificate with its key. The worker may not be allowed to read the files, so their contents come with the message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSpec {
    /// The certificate chain, PEM.
    pub certificates: Vec<u8>,
    /// The private key, PEM.
    pub key: Vec<u8>,
}

impl fmt::Debug for TlsSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("TlsSpec").finish_non_exhaustive()
    }
}
