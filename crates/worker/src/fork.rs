//! A child that an application forks must not answer front doors or clients in its parent's place, nor keep their connections open.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

use crate::http;
use crate::worker::{Connections, worker};

thread_local! {
    /// What is connected while this thread forks: no other thread may be changing them when the child takes its copy.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Everything that is connected to this process, locked.
struct Held {
    connections: Connections<'static>,
    door: Option<http::Locked<'static>>,
}

static FORKED: AtomicBool = AtomicBool::new(false);
static NOWHERE: OnceLock<OwnedFd> = OnceLock::new();

/// Whether this process is a child that the worker has forked.
pub(crate) fn is_child() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// From now on, forked children lose their share of the reins and connections.
pub(crate) fn watch() -> io::Result<()> {
    let _ = NOWHERE.set(nowhere()?);
    // SAFETY: in the child, the handler only uses what may be used in that of a process with many threads: atomics, this thread's
    // own memory, a lock that this thread holds, dup3.
    match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// What is at its end at once.
fn nowhere() -> io::Result<OwnedFd> {
    let null = File::options().read(true).write(true).open("/dev/null");
    // In a folder that is the root of its own there may be none: a socket without another end does as well.
    null.map(OwnedFd::from).or_else(|_| UnixStream::pair().map(|(end, _other)| end.into()))
}

extern "C" fn before() {
    let held = worker().map(|worker| Held {
        connections: worker.connections(),
        door: worker.door.as_ref().map(|door| door.hold()),
    });
    // A thread that ends has no such memory any more; its child keeps what it can.
    let _ = HELD.try_with(|place| place.replace(held));
}

extern "C" fn in_parent() {
    let _ = HELD.try_with(RefCell::take);
}

extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
    let (Some(worker), Some(nowhere)) = (worker(), NOWHERE.get()) else { return };
    // The numbers stay in use, so that nothing here closes a descriptor that the child opens later.
    let cut = |fd: BorrowedFd<'_>| {
        // SAFETY: two open descriptors of this process; the second is replaced, not closed.
        unsafe { libc::dup3(nowhere.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) };
    };
    cut(worker.reins());
    cut(worker.epoll.as_fd());
    if let Ok(Some(held)) = HELD.try_with(RefCell::take) {
        held.connections.values().for_each(|connection| cut(connection.as_fd()));
        if let Some(door) = held.door {
            door.each(cut);
        }
    }
}
