//! The listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pinion_http::environ;
use pinion_tls::{Failure, Session};
use pinion_unix::epoll::{Epoll, Trigger};
use pinion_wire::message::Warning;
use pinion_wire::message::http::ListenerSpec;
use pinion_wire::request::Entries;

use super::client::{Origin, now_ms};
use super::way::Secure;
use super::{CLIENT, Client, Door, LISTENER};
use crate::worker::Worker;

/// How many connections are taken at once. The others may be for another thread, or another worker.
const AT_ONCE: usize = 8;
/// The descriptors that the application is left, whatever clients do.
const SPARE: u64 = 64;
/// How many connections a listening socket may have waiting when the worker drains.
const QUEUE: usize = 16_384;
/// How often it is said that there is no room, in milliseconds.
const SELDOM: u64 = 60_000;

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    /// `None` once it has been given up.
    socket: RwLock<Option<Socket>>,
    /// What environs of its requests always have.
    pub(super) always: Entries,
    spec: ListenerSpec,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Takes over a listening socket, which does not block; its requests are for a callable of this name below a
    /// mount point.
    pub(super) fn new(
        socket: OwnedFd,
        spec: ListenerSpec,
        (mount, callable): (&str, &str),
    ) -> Self {
        let is_unix = spec.port == 0;
        let socket = if is_unix { Socket::Unix(socket.into()) } else { Socket::Tcp(socket.into()) };
        // A Unix socket has no port, so it is the usual one.
        let port = match (spec.port, spec.tls) {
            (0, false) => 80,
            (0, true) => 443,
            (port, _) => port,
        };
        let always = environ::always(mount, &spec.name, &port.to_string(), callable);
        Self { socket: RwLock::new(Some(socket)), always, spec }
    }

    /// Whether it speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.spec.tls
    }

    /// Lets the epoll tell when somebody connects.
    pub(super) fn watch(&self, epoll: &Epoll, token: u64) -> io::Result<()> {
        let socket = self.socket();
        socket.as_ref().map_or(Ok(()), |socket| epoll.add(socket.as_fd(), token, Trigger::Shared))
    }

    /// Takes that back.
    fn unwatch(&self, epoll: &Epoll) {
        if let Some(socket) = &*self.socket() {
            // An error means that it is not watched.
            let _ = epoll.remove(socket.as_fd());
        }
    }

    /// Calls `f` with the socket, if there is one and nobody gives it up at this moment.
    pub(super) fn with_socket(&self, f: impl Fn(BorrowedFd<'_>)) {
        if let Ok(Some(socket)) = self.socket.try_read().as_deref() {
            f(socket.as_fd());
        }
    }

    /// Gives the socket up: who connects is refused once nobody has it any more.
    fn close(&self) {
        *self.socket.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn socket(&self) -> RwLockReadGuard<'_, Option<Socket>> {
        self.socket.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
        match self.socket().as_ref().ok_or(io::ErrorKind::WouldBlock)? {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                // The answer's last part must not wait for the client to acknowledge the one before.
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Ok((stream.into(), Some(address)))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok((stream.into(), None))
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

impl Door {
    /// The listening socket that a client came by.
    pub(super) fn listener(&self, from: &Origin) -> Option<&Listener> {
        self.listeners.get(from.listener)
    }

    /// Takes connections that wait at the listening socket of this token.
    pub(super) fn accept(&self, worker: &Worker, token: u64) {
        let number = (token - LISTENER) as usize;
        let Some(listener) = self.listeners.get(number) else { return };
        for round in 0..AT_ONCE {
            if self.is_draining() {
                // Or it would be told of again and again, where it was added at the moment the end began.
                listener.unwatch(&worker.epoll);
                return;
            }
            if self.open.load(Ordering::Acquire) >= self.most.load(Ordering::Relaxed) {
                // Whether somebody waits behind the last one that was taken, another event tells.
                if round == 0 {
                    self.pause(worker, "the most that limit-connections or open files allow");
                }
                return;
            }
            match listener.accept() {
                Ok((socket, address)) => self.admit(worker, number, socket, address),
                Err(error) if is_full(&error) => {
                    return self.pause(worker, "the process's limit of open files");
                }
                // Nobody waits any more, or the one that did has gone again.
                Err(_) => return,
            }
        }
    }

    /// Takes those that are connected already, of whom some may have sent a request, and nobody after them.
    pub(super) fn take_last(&self, worker: &Worker) {
        for (number, listener) in self.listeners.iter().enumerate() {
            listener.unwatch(&worker.epoll);
            for _ in 0..QUEUE {
                match listener.accept() {
                    Ok((socket, address)) => self.admit(worker, number, socket, address),
                    // That one has gone again.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(_) => break,
                }
            }
            listener.close();
        }
    }

    fn admit(
        &self,
        worker: &Worker,
        listener: usize,
        socket: OwnedFd,
        address: Option<SocketAddr>,
    ) {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) as u32;
        let from = Origin::new(listener, address);
        let Ok(tls) = self.secure(listener) else { return };
        let patience = (self.spec.times.head, self.spec.limits.rate);
        let make = |key| Client::new((number, key), socket, tls, from, patience);
        let Some(client) = self.clients().insert(make) else { return };
        self.open.fetch_add(1, Ordering::SeqCst);
        self.note_open(worker);
        if worker.epoll.add(client.as_fd(), CLIENT | client.key, Trigger::Edge).is_err() {
            self.forget(worker, &client);
        }
    }

    /// What a connection to a listening socket encrypts with, if it does.
    fn secure(&self, listener: usize) -> Result<Option<Secure>, Failure> {
        let settings = self.tls.as_ref().ok().and_then(Option::as_ref);
        let is_tls = self.listeners.get(listener).is_some_and(Listener::is_tls);
        let settings = settings.filter(|_| is_tls);
        settings.map(|settings| Session::new(settings.clone()).map(Secure::new)).transpose()
    }

    /// Leaves connections waiting in the socket's queue until there is room.
    fn pause(&self, worker: &Worker, what: &str) {
        for listener in &self.listeners {
            listener.unwatch(&worker.epoll);
        }
        let (now, told) = (now_ms(), self.told.load(Ordering::Relaxed));
        if !self.full.swap(true, Ordering::AcqRel) && (told == 0 || now >= told + SELDOM) {
            self.told.store(now, Ordering::Relaxed);
            let open = self.open.load(Ordering::Acquire);
            let text = format!("{open} connections are open: {what} is reached, and others wait");
            worker.warn(Warning::ConnectionsWait, text);
        }
    }

    /// Has the system allow as many open files as there may be connections, and some for the application; where it does not, there may
    /// be fewer connections.
    pub(super) fn make_room(&self, worker: &Worker) {
        let wanted = u64::from(self.spec.limits.connections);
        let used = std::fs::read_dir("/proc/self/fd").map_or(SPARE, |all| all.count() as u64);
        let used = used + self.descriptors_for_h2();
        let needed = wanted + used + SPARE;
        let Ok((mut soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
        if soft < needed && setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard).is_ok() {
            soft = needed.min(hard);
        }
        let most = wanted.min(soft.saturating_sub(used + SPARE).max(1));
        self.most.store(most, Ordering::Relaxed);
        if most < wanted {
            let text = format!(
                "limit-connections is {wanted}, but {soft} open files leave room for {most} connections"
            );
            worker.warn(Warning::FewFiles, text);
        }
    }

    /// Takes connections again once there is room.
    pub(super) fn resume(&self, worker: &Worker) {
        if !self.full.load(Ordering::Acquire) {
            return;
        }
        let most = self.most.load(Ordering::Relaxed);
        let has_room = self.open.load(Ordering::Acquire) < most && has_descriptors();
        if has_room && !self.is_draining() && self.full.swap(false, Ordering::AcqRel) {
            for (listener, token) in self.listeners.iter().zip(LISTENER..) {
                let _ = listener.watch(&worker.epoll, token);
            }
        }
    }
}

/// Whether a few descriptors can be had.
fn has_descriptors() -> bool {
    let taken: Result<Vec<_>, _> = (0..4).map(|_| std::fs::File::open("/dev/null")).collect();
    taken.is_ok()
}

pub(super) fn is_full(error: &io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    error.raw_os_error().is_some_and(|code| [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(&code))
}
