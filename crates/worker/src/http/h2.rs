//! Clients that have chosen HTTP/2. They leave the serving threads' epoll for a thread of their own (`pinion_h2`), which
//! is to the serving threads what a front door outside is.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pinion_h2::{Arrival, Asked, Settings, Sorted};
use pinion_http::access::Record;
use pinion_http::head::{Head, Version};
use pinion_http::refusal::Refusal;
use pinion_unix::{clock, sockets};
use pinion_wire::Header;
use pinion_wire::request::RequestRef;

use super::Door;
use super::arrive::Memory;
use super::client::{Client, Origin};
use crate::connection::{Connection, OWN};
use crate::control;
use crate::worker::{DEBUG, Worker, worker};

/// How many connections to the serving threads there may be. Some belong to requests that their clients have given up, until a thread
/// finds that.
const MOST: usize = 1024;

/// How many requests of HTTP/2 can be with the serving threads at once, however many clients there are.
const AT_LEAST: u64 = 32;

/// A client that has chosen HTTP/2, until its connection has ended.
#[derive(Debug)]
pub(super) struct Guest {
    from: Origin,
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(worker) = worker()
            && let Some(door) = &worker.door
        {
            door.guests.fetch_sub(1, Ordering::AcqRel);
            door.count_down(worker);
        }
    }
}

/// The worker, for the thread of those clients.
pub(super) struct Hall {
    worker: &'static Worker,
    door: &'static Door,
    connected: AtomicU32,
    memory: Mutex<Memory>,
}

impl Door {
    /// Starts the thread for clients of HTTP/2, where any can come.
    pub(super) fn open_h2(&'static self, worker: &'static Worker) -> io::Result<()> {
        if !self.listeners.iter().any(super::Listener::is_tls) {
            return Ok(());
        }
        let limit = |time: u64| (time > 0).then(|| Duration::from_millis(time));
        let times = &self.spec.times;
        let settings = Settings {
            limits: self.limits,
            body: Some(self.spec.limits.body).filter(|limit| *limit > 0),
            first: limit(times.head),
            piece: limit(times.body),
            rate: Some(u64::from(self.spec.limits.rate)).filter(|rate| *rate > 0),
            idle: limit(times.idle),
            spare: 2 * worker.spec.group.threads as usize,
        };
        let (connected, memory) = (AtomicU32::new(0), Mutex::default());
        let handle = pinion_h2::start(Hall { worker, door: self, connected, memory }, settings)?;
        // It is opened once.
        let _ = self.h2.set(handle);
        Ok(())
    }

    /// How many descriptors the thread for clients of HTTP/2 needs beside theirs: two for each request that is with the serving
    /// threads. There may be many more of those, as long as there are descriptors.
    pub(super) fn descriptors_for_h2(&self) -> u64 {
        let can_come = self.listeners.iter().any(super::Listener::is_tls);
        if can_come { 2 * AT_LEAST } else { 0 }
    }

    /// Hands a connection over that this thread has the turn of.
    pub(super) fn hand_over(&self, worker: &Worker, client: &Arc<Client>) {
        // An error means that it is not watched.
        let _ = worker.epoll.remove(client.as_fd());
        let socket = client.as_fd().try_clone_to_owned();
        let (Some(h2), Ok(socket), Some(session)) = (self.h2.get(), socket, client.take_session())
        else {
            return self.forget(worker, client);
        };
        self.guests.fetch_add(1, Ordering::AcqRel);
        if !self.clients().remove(client.key) {
            // It has been forgotten, and counts no more.
            self.guests.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let peer = Guest { from: client.from.clone() };
        let mut inbound = client.inbound();
        let received = inbound.here().to_vec();
        inbound.consume(received.len());
        h2.give(Arrival { peer, socket, session, received });
    }
}

impl Hall {
    fn record(&self, record: Record<'_>, begun: u64) {
        if let Some(log) = &self.door.log {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            log.note(&mut memory.scribe, record, begun);
        }
    }
}

impl pinion_h2::Site for Hall {
    type Peer = Guest;

    fn sort(&self, guest: &Guest, head: &Head<'_>) -> Result<Sorted, Refusal> {
        let (door, worker, from) = (self.door, self.worker, &guest.from);
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        door.prepare(from, head, &mut memory, |path, proxied, memory| {
            if let Some(own) = door.own(worker, head, path) {
                let begun = clock::monotonic_ns();
                door.note_own(from, head, own.told(), proxied, begun, memory);
                return Ok(Sorted::Own(own.plan));
            }
            let mut frame = Vec::new();
            door.write(from, (head, path), proxied, &mut frame)?;
            Ok(Sorted::Application(frame))
        })
    }

    fn refused(&self, guest: &Guest, asked: &Asked<'_>, status: u16, sent: u64) {
        let record = Record {
            peer: guest.from.address.as_bytes(),
            method: asked.method.as_bytes(),
            target: asked.path.as_bytes(),
            protocol: Version::Http2.as_str().as_bytes(),
            host: asked.authority.map(str::as_bytes),
            status,
            sent,
            ..Record::default()
        };
        self.record(record, clock::monotonic_ns());
    }

    fn answered(&self, frame: &[u8], begun: u64, status: u16, sent: u64) {
        if let Ok(request) = RequestRef::decode(frame.get(Header::SIZE..).unwrap_or_default()) {
            self.record(Record { status, sent, ..Record::of(&request) }, begun);
        }
    }

    fn connect(&self) -> io::Result<OwnedFd> {
        let own = self.worker.connections().keys().filter(|number| **number & OWN != 0).count();
        if own >= MOST {
            return Err(io::Error::other("too many requests wait"));
        }
        let (ours, theirs) = sockets::stream_pair()?;
        let number = OWN | self.connected.fetch_add(1, Ordering::Relaxed);
        control::serve(self.worker, Connection::new(number, theirs));
        Ok(ours)
    }

    fn log(&self, level: u8, text: &str) {
        if level < DEBUG {
            self.worker.log(level, text);
        } else {
            self.worker.mention(text);
        }
    }
}
