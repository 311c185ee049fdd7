//! The thread that speaks HTTP/2 with all clients.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use pinion_http::date::Date;
use pinion_tls::Session;
use tokio::sync::{mpsc, watch};

use crate::connection::{self, Shared};
use crate::pool::Pool;
use crate::site::{Settings, Site};
use crate::sockets::{Held, Sockets};

/// A connection whose client has chosen HTTP/2.
#[derive(Debug)]
pub struct Arrival<P> {
    /// What is known of the client.
    pub peer: P,
    /// The connection, which nobody else reads or writes.
    pub socket: OwnedFd,
    /// Its TLS, whose handshake is over.
    pub session: Session,
    /// What was received and decrypted already.
    pub received: Vec<u8>,
}

/// The thread, for those who give it connections.
#[derive(Debug)]
pub struct Handle<P> {
    arrivals: mpsc::UnboundedSender<Arrival<P>>,
    ending: watch::Sender<Ending>,
    sockets: Arc<Sockets>,
}

/// How far the worker is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// It does not end.
    Not,
    /// It will: connections end behind their next request.
    Announced,
    /// Connections end.
    Draining,
}

impl<P> Handle<P> {
    /// Gives it a connection. One that it cannot take any more is dropped.
    pub fn give(&self, arrival: Arrival<P>) {
        // Whoever gives bounds the number of connections.
        drop(self.arrivals.send(arrival));
    }

    /// All sockets of the thread, while none comes and none goes.
    pub fn hold(&self) -> Held<'_> {
        self.sockets.hold()
    }

    /// Has connections end behind their next request.
    pub fn announce_end(&self) {
        self.end(Ending::Announced);
    }

    /// Has all connections end, those to come too, once the requests are answered that have come until the client knows.
    pub fn drain(&self) {
        self.end(Ending::Draining);
    }

    fn end(&self, more: Ending) {
        self.ending.send_modify(|ending| *ending = more.max(*ending));
    }
}

/// Starts the thread.
///
/// # Errors
/// What the system refuses.
pub fn start<S: Site>(site: S, settings: Settings) -> io::Result<Handle<S::Peer>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (arrivals, mut arriving) = mpsc::unbounded_channel();
    let (ending, ends) = watch::channel(Ending::Not);
    let site = Arc::new(site);
    let sockets = Arc::<Sockets>::default();
    let pool = Pool::new(site.clone(), settings.spare, sockets.clone());
    let date = Mutex::new(Date::default());
    let shared =
        Arc::new(Shared { site, settings, pool, date, ending: ends, sockets: sockets.clone() });
    let builder = std::thread::Builder::new().name("pinion-http2".to_owned());
    builder.spawn(move || {
        runtime.block_on(async move {
            while let Some(arrival) = arriving.recv().await {
                tokio::spawn(connection::serve(shared.clone(), arrival));
            }
        });
    })?;
    Ok(Handle { arrivals, ending, sockets })
}
