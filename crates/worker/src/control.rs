//! The thread that listens to the manager. It never takes the GIL, so it works whatever Python does.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use nix::libc;
use pinion_unix::epoll::Trigger;
use pinion_unix::sockets;
use pinion_wire::Kind;
use pinion_wire::answer::Welcome;
use pinion_wire::frame;
use pinion_wire::message::{self, Rein, StopReason};
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::worker::{Stage, Worker};

/// The signal at whose arrival faulthandler writes all stacks, whoever has Python's lock.
pub(crate) fn dump_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// Starts the thread.
pub(crate) fn start(worker: &'static Worker) -> std::io::Result<()> {
    let builder = std::thread::Builder::new().name("pinion-control".to_owned());
    builder.spawn(move || listen(worker)).map(drop)
}

fn listen(worker: &'static Worker) {
    let mut bytes = Vec::new();
    loop {
        match sockets::recv_message(worker.reins(), &mut bytes, None) {
            Ok(_) if bytes.is_empty() => break,
            Ok(mut descriptors) => match message::decode(&bytes) {
                Ok(rein) => obey(worker, rein, descriptors.pop()),
                Err(error) => worker.log(3, &format!("cannot read the manager's message: {error}")),
            },
            Err(_) => break,
        }
    }
    manager_has_gone(worker);
}

fn obey(worker: &'static Worker, rein: Rein, descriptor: Option<OwnedFd>) {
    match rein {
        Rein::Connection { connection } => {
            if let Some(socket) = descriptor {
                serve(worker, Connection::new(connection, socket));
            }
        }
        Rein::Stop(reason) => {
            worker.note_reason(reason);
            stop(worker);
        }
        Rein::DumpStacks => dump_stacks(worker),
        Rein::Interrupt { connection, seq } => worker.monitor.interrupt((connection, seq)),
        Rein::Beat => worker.monitor.beat(),
        Rein::Leave => {
            if let Some(door) = &worker.door {
                door.announce_end();
            }
        }
        Rein::Drain => {
            if let Some(door) = &worker.door {
                door.drain(worker);
            }
        }
        Rein::Start(_) => worker.log(3, "the manager sent a second start message"),
    }
}

/// Has all stacks written: with Python's lock, or a thread that runs Python meanwhile could change the frames that are
/// read, and crash the worker with all its requests. Where the lock cannot be had, whoever has it is not running Python.
fn dump_stacks(worker: &Worker) {
    if !worker.monitor.dump() {
        // SAFETY: raise takes any number; faulthandler's handler takes no lock and allocates nothing.
        unsafe { libc::raise(dump_signal()) };
    }
}

pub(crate) fn serve(worker: &Worker, connection: Connection) {
    if worker.stage() == Stage::Ended {
        return;
    }
    let welcome = Welcome { pid: std::process::id(), connection: connection.number };
    let mut bytes = Vec::new();
    frame::push(&mut bytes, Kind::Welcome, 0, 0, &welcome.encode());
    let sent = connection.send(&mut [std::io::IoSlice::new(&bytes)]);
    let (number, connection) = (connection.number, Arc::new(connection));
    worker.connect(connection.clone());
    let watched = worker.epoll.add(connection.as_fd(), number.into(), Trigger::Edge);
    if sent.is_err() || watched.is_err() {
        worker.disconnect(&connection);
    }
}

fn stop(worker: &'static Worker) {
    if worker.stage() == Stage::Loading {
        if worker.reason() == StopReason::StartupTimeout {
            return last_words(worker);
        }
        // Nothing was served yet, and the application may hang in its imports.
        leave(0);
    }
    if worker.spec.group.is_service() {
        // Its script runs in the main thread: the manager's SIGTERM ends that.
        return;
    }
    if let Some(door) = &worker.door {
        door.drain(worker);
    }
    worker.advance(Stage::Stopping);
}

/// Has the application told that it was not loaded in time, and ends. By a thread of its own: whoever hangs may keep Python's lock
/// for ever, until the manager kills the process.
fn last_words(worker: &'static Worker) {
    let speak = move || {
        if let Some(tell) = worker.tell.get() {
            // What subscribers raise was logged; nothing else is left to do.
            let _ = Python::attach(|py| tell.call0(py));
        }
        leave(1)
    };
    let spawned = std::thread::Builder::new().name("pinion-last-words".to_owned()).spawn(speak);
    if spawned.is_err() {
        leave(1);
    }
}

/// Ends as [`Rein::Stop`] does, but in a limited time, whatever Python does.
fn manager_has_gone(worker: &'static Worker) {
    stop(worker);
    let end = Instant::now() + worker.last_wait();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            leave(0);
        }
        std::thread::sleep(left);
    }
}

/// Ends the process at once, without asking Python.
pub(crate) fn leave(status: i32) -> ! {
    // SAFETY: _exit takes any number and touches no memory of this process.
    unsafe { libc::_exit(status) }
}
