//! Idle connections to workers, kept by slot.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pinion_unix::{area::Area, clock, sockets};
use pinion_wire::{board::SLOTS, message::Buffers};

use crate::door::{Door, DoorError};

/// How long a receive waits before the waiting is thought over. The times that administrators set are
/// checked this often.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// A connection to one worker.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    pub(crate) epoch: u32,
    /// Its number in the worker, from the Welcome; 0 until that has come.
    pub(crate) number: u32,
    /// The number of the last request on it.
    pub(crate) seq: u32,
    /// Whether the last answer came so soon that it was worth looking for ([`crate::relay`]).
    pub(crate) quick: bool,
    /// How many answers are not to be looked for, because that was in vain.
    pub(crate) rest: u8,
    /// Where long blocks are, once the worker has said so.
    pub(crate) area: Option<Arc<Area>>,
}

/// How long a worker may leave what was sent to it unread. Only a head larger than a socket's buffer has to wait
/// for the worker at all.
const SEND: Duration = Duration::from_secs(60);

/// A connection that was not used for so long, in milliseconds, is closed when another one is put back. Its worker keeps memory for it.
const IDLE: u64 = 15_000;

/// A connection, and when it was used last, milliseconds of the monotonic clock.
type Idle = (Connection, u64);

/// The idle connections of one front-door process, for each slot those used last at the end.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Vec<Mutex<VecDeque<Idle>>>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }

    fn slot(&self, slot: usize) -> Option<MutexGuard<'_, VecDeque<Idle>>> {
        // A panic while the lock is held leaves the list as it is: still a list of idle connections.
        Some(self.slots.get(slot)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection used last that belongs to this epoch; those of older epochs are closed.
    pub(crate) fn take(&self, slot: usize, epoch: u32) -> Option<Connection> {
        let mut idle = self.slot(slot)?;
        while let Some((connection, _)) = idle.pop_back() {
            if connection.epoch == epoch {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection on which nothing is outstanding.
    pub(crate) fn put(&self, slot: usize, connection: Connection) {
        self.put_at(slot, connection, clock::milliseconds());
    }

    fn put_at(&self, slot: usize, connection: Connection, now: u64) {
        let Some(mut idle) = self.slot(slot) else { return };
        if idle.back().is_some_and(|(other, _)| other.epoch != connection.epoch) {
            idle.clear();
        }
        idle.push_back((connection, now));
        let is_unused = idle.front().is_some_and(|(_, since)| *since + IDLE < now);
        let unused = if is_unused { idle.pop_front() } else { None };
        drop(idle);
        // Closed while nobody waits for the list.
        drop(unused);
    }
}

/// Makes a connection to the slot's worker; the worker's Welcome is yet to come.
pub(crate) fn connect(
    door: &Door,
    (slot, epoch): (usize, u32),
    buffers: Buffers,
) -> Result<Connection, DoorError> {
    let socket = door.open((slot as u32, epoch), buffers)?;
    sockets::set_timeouts(socket.as_fd(), None, Some(SEND))?;
    Ok(Connection { socket, epoch, number: 0, seq: 0, quick: true, rest: 0, area: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(epoch: u32) -> Connection {
        let (socket, _) = sockets::stream_pair().unwrap();
        Connection { socket, epoch, number: 1, seq: 0, quick: true, rest: 0, area: None }
    }

    #[test]
    fn connections_that_are_not_used_are_closed_one_at_a_time() {
        let pool = Pool::new();
        let numbered = |number| Connection { number, ..connection(1) };
        (1..=3).for_each(|number| pool.put_at(0, numbered(number), 0));
        let last = pool.take(0, 1).unwrap();
        assert_eq!(last.number, 3);
        pool.put_at(0, last, IDLE);
        pool.put_at(0, numbered(4), IDLE);
        pool.put_at(0, numbered(5), IDLE + 1);
        let left = std::iter::from_fn(|| pool.take(0, 1)).map(|it| it.number);
        assert_eq!(left.collect::<Vec<_>>(), [5, 4, 3, 2]);
    }

    #[test]
    fn connections_of_an_older_epoch_are_closed() {
        let pool = Pool::new();
        pool.put(3, connection(1));
        assert!(pool.take(3, 2).is_none());
        assert!(pool.take(3, 1).is_none());
        pool.put(3, connection(1));
        pool.put(3, connection(2));
        assert_eq!(pool.take(3, 2).map(|c| c.epoch), Some(2));
        assert!(pool.take(3, 1).is_none());
    }
}
