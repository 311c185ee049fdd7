//! Being known to the manager: the row on the board, and the lifeline by which the manager sees this process end.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use pinion_unix::sockets;

use crate::door::Door;

/// No row.
const NONE: u32 = u32::MAX;

/// This process as the manager knows it.
#[derive(Debug)]
pub(crate) struct Greeting {
    pid: u32,
    generation: u32,
    row: AtomicU32,
    /// Open as long as this process lives; ended when the manager does.
    lifeline: Mutex<Option<OwnedFd>>,
}

impl Greeting {
    /// Says hello. A manager that does not answer costs the row on the board, no more.
    pub(crate) fn new(door: &Door, pid: u32, generation: u32) -> Self {
        let (row, lifeline) = (AtomicU32::new(NONE), Mutex::new(None));
        let greeting = Self { pid, generation, row, lifeline };
        greeting.renew(door);
        greeting
    }

    /// The row on the board in which this process counts its requests.
    pub(crate) fn row(&self) -> Option<u32> {
        Some(self.row.load(Ordering::Acquire)).filter(|row| *row != NONE)
    }

    /// Says hello again if the manager is another one by now: it does not know who has which row.
    pub(crate) fn renew(&self, door: &Door) {
        let mut lifeline = self.lifeline.lock().unwrap_or_else(PoisonError::into_inner);
        // The manager sends nothing after its answer, so whatever can be read is the end.
        let ended =
            |fd: &OwnedFd| sockets::readable(fd.as_fd(), Some(Duration::ZERO)).unwrap_or(true);
        if lifeline.as_ref().is_some_and(|fd| !ended(fd)) {
            return;
        }
        self.row.store(NONE, Ordering::Release);
        if let Ok((row, fd)) = door.hello(self.pid, self.generation) {
            self.row.store(row.unwrap_or(NONE), Ordering::Release);
            *lifeline = Some(fd);
        }
    }
}
