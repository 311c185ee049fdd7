//! What the worker says and does for requests by HTTP/2.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use pinion_http::head::{Head, Limits};
use pinion_http::plan::Plan;
use pinion_http::refusal::Refusal;

use crate::clock::Slowest;

/// The worker. Its functions are called by the thread that serves all streams, so they do not wait.
pub trait Site: Send + Sync + 'static {
    /// What is known of a client. It is dropped when its connection has ended.
    type Peer: Send + Sync + 'static;

    /// Where a request goes. What the front door answers itself is noted in the access log by this.
    ///
    /// # Errors
    /// What cannot be served.
    fn sort(&self, peer: &Self::Peer, head: &Head<'_>) -> Result<Sorted, Refusal>;

    /// Notes in the access log a request that was refused before it was sorted.
    fn refused(&self, peer: &Self::Peer, asked: &Asked<'_>, status: u16, sent: u64);

    /// Notes in the access log a request for the application, begun at `begun` nanoseconds of the monotonic clock and answered now
    /// (status 499: its client has taken it back, or gone).
    fn answered(&self, frame: &[u8], begun: u64, status: u16, sent: u64);

    /// A new connection to the serving threads.
    ///
    /// # Errors
    /// There are too many, or no descriptors are left.
    fn connect(&self) -> io::Result<OwnedFd>;

    /// Writes a line to the log, at Apache's level `level`.
    fn log(&self, level: u8, text: &str);
}

/// What stands in front of a request's fields, and those that an access log shows.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with the query.
    pub path: &'a str,
    /// The host.
    pub authority: Option<&'a str>,
}

/// Where a request goes.
#[derive(Debug)]
pub enum Sorted {
    /// The front door answers it itself.
    Own(Plan<File>),
    /// This frame goes to the application.
    Application(Vec<u8>),
}

/// What holds for all clients.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What a request's head may be.
    pub limits: Limits,
    /// The longest body.
    pub body: Option<u64>,
    /// From the connection's beginning to its first request.
    pub first: Option<Duration>,
    /// Between two pieces of a body, and between two pieces of an answer that the client takes.
    pub piece: Option<Duration>,
    /// The fewest bytes a second that a client must send of a body or take of an answer, beyond that.
    pub rate: Option<u64>,
    /// How long a connection may have no request.
    pub idle: Option<Duration>,
    /// How many connections to the serving threads are kept for the next requests.
    pub spare: usize,
}

impl Settings {
    /// How slow a client may be.
    pub(crate) fn slowest(&self) -> Slowest {
        Slowest { piece: self.piece, rate: self.rate }
    }
}
