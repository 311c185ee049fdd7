//! The front door that the worker opens itself, for `pinion serve`: HTTP/1.1 on the sockets that the manager hands over.
//!
//! The serving threads wait for clients on the same epoll as for front doors outside. Whoever is woken for a client owns its
//! turn, reads what came, and runs the request when it is whole; a client that is too slow costs memory, and no thread.
//!
//! - [`accept`]: the listening sockets. [`client`]: a connection; [`inbound`]: what has come from it and was not used yet;
//!   [`outbound`]: what it has not taken yet.
//! - [`way`]: how bytes travel, as they are or by TLS.
//! - [`arrive`]: from bytes to a request; [`lying`]: bodies that are left in their sockets until enough has come, which [`least`] has
//!   the sockets told. [`visit`]: running it; [`upload`]: reading its body. [`depart`]: what follows.
//! - [`batch`]: whether answers leave together. [`own`]: what is answered without the application; [`site`]: folders of files. [`log`]: the access log.
//! - [`h2`]: clients that have chosen HTTP/2, which others speak with.
//! - [`keeper`]: the thread that ends what takes too long.
//! - [`slab`]: clients by their epoll token.

mod accept;
mod arrive;
mod batch;
mod client;
mod depart;
mod h2;
mod inbound;
mod keeper;
mod least;
mod log;
mod lying;
mod outbound;
mod own;
mod site;
mod slab;
mod upload;
mod visit;
mod way;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pinion_http::head::Limits;
use pinion_http::proxies::Proxies;
use pinion_http::statics::Statics;
use pinion_tls::BadPair;
use pinion_unix::inherited;
use pinion_wire::message::http::{FIRST_DESCRIPTOR, HttpSpec};
use pinion_wire::message::{GroupSpec, StartSpec};
use pinion_wire::request::{Entries, Start, Target};

pub(crate) use accept::Listener;
pub(crate) use arrive::Memory;
pub(crate) use client::Client;
pub(crate) use upload::{BodyError, Goal};
pub(crate) use visit::{Visit, Visited, run};

use crate::worker::Worker;
use batch::Batch;
use h2::Guest;
use log::AccessLog;
use site::Site;
use slab::Slab;

/// Tokens of listening sockets.
const LISTENER: u64 = 1 << 62;
/// Tokens of clients.
const CLIENT: u64 = 1 << 63;

/// What is spoken by TLS, the most wanted first.
const PROTOCOLS: &[&[u8]] = &[pinion_h2::PROTOCOL, b"http/1.1"];

/// Everything that has come in by the front door.
pub(crate) struct Door {
    /// What is served.
    pub(crate) spec: HttpSpec,
    /// What a request's head may be.
    limits: Limits,
    /// What TLS listeners encrypt with, or why they cannot.
    tls: Result<Option<pinion_tls::Settings>, BadPair>,
    listeners: Vec<Listener>,
    clients: Mutex<Slab>,
    /// The thread for clients of HTTP/2.
    h2: OnceLock<pinion_h2::Handle<Guest>>,
    /// How many of those there are.
    guests: AtomicU64,
    open: AtomicU64,
    accepted: AtomicU64,
    /// Connections end behind their next answer, and the health path says so.
    leaving: AtomicBool,
    /// No new connections, and those that there are end behind their next answer.
    draining: AtomicBool,
    /// There was no room for another connection; the keeper looks again.
    full: AtomicBool,
    /// The most connections: what is wanted, or what the system allows.
    most: AtomicU64,
    /// Those whose answers the system holds.
    held: Mutex<Held>,
    /// Whether there are any. Changed with `held`, and looked at without.
    holds: AtomicBool,
    /// When it was last said that there is no room, milliseconds of the monotonic clock.
    told: AtomicU64,
    /// How requests for the only mount begin.
    start: Start,
    /// What environs always have where nothing is known.
    nothing: Entries,
    /// Which paths are files, and in which of the folders.
    statics: Statics,
    sites: Vec<Site>,
    proxies: Option<Proxies>,
    log: Option<AccessLog>,
}

impl Door {
    /// Takes over the descriptors of a group that has a front door of its own, and its certificate and key, which are left to
    /// nobody else.
    pub(crate) fn take(spec: &mut StartSpec) -> io::Result<Option<Self>> {
        let mount = spec.mounts.first();
        let (script, callable) =
            mount.map_or((&b""[..], ""), |mount| (&mount.script, &mount.callable));
        let start = Start::new(Target {
            script,
            callable: callable.as_bytes(),
            process_group: spec.group.name.as_bytes(),
            application_group: spec.application_group.as_bytes(),
        });
        let GroupSpec { http: Some(http), .. } = &mut spec.group else { return Ok(None) };
        let pair = http.tls.take();
        let tls = pair.map(|pair| pinion_tls::settings(&pair.certificates, &pair.key, PROTOCOLS));
        let numbers = FIRST_DESCRIPTOR..;
        let place = (http.mount.as_str(), callable);
        let listeners = numbers
            .zip(&http.listeners)
            .map(|(number, one)| Ok(Listener::new(inherited::take(number)?, one.clone(), place)))
            .collect::<io::Result<Vec<_>>>()?;
        let log = http.access_log.map(|format| {
            let number = FIRST_DESCRIPTOR + listeners.len() as i32;
            Ok::<_, io::Error>(AccessLog::new(inherited::take(number)?, format))
        });
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let limits = Limits {
            line: size(http.limits.line),
            head: size(http.limits.head),
            fields: size(http.limits.fields),
        };
        Ok(Some(Self {
            spec: (**http).clone(),
            limits,
            tls: tls.transpose(),
            listeners,
            clients: Mutex::default(),
            h2: OnceLock::new(),
            guests: AtomicU64::new(0),
            open: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            full: AtomicBool::new(false),
            most: AtomicU64::new(u64::from(http.limits.connections)),
            held: Mutex::default(),
            holds: AtomicBool::new(false),
            told: AtomicU64::new(0),
            start,
            nothing: Entries::default(),
            statics: Statics::new(&http.statics),
            sites: http.statics.iter().map(|spec| Site::new(spec.folder.clone().into())).collect(),
            proxies: Proxies::new(&http.proxies).map_err(io::Error::other)?,
            log: log.transpose()?,
        }))
    }

    /// Why it cannot be opened, if it cannot.
    pub(crate) fn trouble(&self) -> Option<String> {
        let error = self.tls.as_ref().err()?;
        Some(format!("{error}\nhint: {}", error.hint()))
    }

    /// Takes connections from now on.
    pub(crate) fn open(&'static self, worker: &'static Worker) -> io::Result<()> {
        self.make_room(worker);
        for (listener, token) in self.listeners.iter().zip(LISTENER..) {
            listener.watch(&worker.epoll, token)?;
        }
        if let Some(log) = &self.log {
            log.start(worker)?;
        }
        self.open_h2(worker)?;
        keeper::start(worker)
    }

    /// The worker ends: waits for the last lines of the access log.
    pub(crate) fn finish(&self) {
        if let Some(log) = &self.log {
            log.finish();
        }
    }

    /// Lets whoever asks or sends another request know that this worker ends soon.
    pub(crate) fn announce_end(&self) {
        if let Some(h2) = self.h2.get() {
            h2.announce_end();
        }
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// Takes those that have connected and nobody after them; all connections end behind their next answer, or soon.
    pub(crate) fn drain(&self, worker: &Worker) {
        if self.draining.swap(true, Ordering::SeqCst) {
            return;
        }
        self.take_last(worker);
        self.hurry();
        if let Some(h2) = self.h2.get() {
            h2.drain();
        }
    }

    /// Whether connections are to end behind their next answer.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) || self.is_draining()
    }

    /// Whether no new connections are taken.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Whether no client has anything that is begun or queued.
    pub(crate) fn is_drained(&self) -> bool {
        // Looked at without the lock.
        let all = self.clients().all();
        self.guests.load(Ordering::SeqCst) == 0 && all.iter().all(|client| client.is_quiet())
    }

    /// Whether no client's request runs.
    pub(crate) fn is_idle(&self) -> bool {
        let all = self.clients().all();
        all.iter().all(|client| client.turn.is_idle())
    }

    /// Has clients on whose connections nothing comes ended soon.
    fn hurry(&self) {
        let all = self.clients().all();
        all.iter().for_each(|client| client.hurry());
    }

    fn clients(&self) -> MutexGuard<'_, Slab> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of an epoll token, if it is still there.
    fn client(&self, token: u64) -> Option<Arc<Client>> {
        self.clients().get(token & !CLIENT)
    }

    /// Ends a connection and forgets it.
    pub(crate) fn forget(&self, worker: &Worker, client: &Client) {
        client.close();
        if self.clients().remove(client.key) {
            self.count_down(worker);
        }
    }

    /// A connection has ended.
    fn count_down(&self, worker: &Worker) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.note_open(worker);
        self.resume(worker);
    }

    /// Says how many connections are open. Several threads may do so at once: the last one to write has looked last.
    fn note_open(&self, worker: &Worker) {
        loop {
            let open = self.open.load(Ordering::SeqCst);
            if let Some(status) = worker.status() {
                status.set_open(open);
            }
            if self.open.load(Ordering::SeqCst) == open {
                if self.is_draining() && open == 0 {
                    worker.wake();
                }
                return;
            }
        }
    }
}

/// Answers that leave together.
#[derive(Default)]
struct Held {
    batch: Batch,
    /// Whose they are.
    clients: Vec<Arc<Client>>,
}

/// All sockets of the front door, while no other thread can change which there are.
pub(crate) struct Locked<'a> {
    listeners: &'a [Listener],
    clients: MutexGuard<'a, Slab>,
    guests: Option<pinion_h2::Held<'a>>,
}

impl Door {
    /// Keeps other threads from adding and taking away.
    pub(crate) fn hold(&self) -> Locked<'_> {
        let clients = self.clients();
        Locked { listeners: &self.listeners, clients, guests: self.h2.get().map(|h2| h2.hold()) }
    }
}

impl Locked<'_> {
    /// Calls `f` with each socket. Allocates nothing, and waits for nobody.
    pub(crate) fn each(&self, f: impl Fn(BorrowedFd<'_>)) {
        self.listeners.iter().for_each(|listener| listener.with_socket(&f));
        self.clients.each(|client| f(client.as_fd()));
        self.guests.iter().for_each(|guests| guests.each(&f));
    }
}

/// Whether a token is of this front door.
pub(crate) fn is_own(token: u64) -> bool {
    token >= LISTENER
}
