//! Waiting for room: requests of this process that no worker can be given yet.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pinion_wire::board::{Board, Claim, Row};

/// How often those who wait look again although nobody has called: other processes' requests make room too, and
/// workers come up.
const LOOK: Duration = Duration::from_millis(5);

/// Those who wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicUsize,
    turn: Mutex<()>,
    room: Condvar,
}

impl Queue {
    /// Waits until there may be room, or it is time to look again.
    pub(crate) fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // What woke it does not matter: the caller looks again in any case.
        drop(self.room.wait_timeout(turn, LOOK));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// A request is done: one of those who wait may look at once. Costs nothing where nobody waits.
    fn done(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.room.notify_one();
        }
    }
}

/// A claim that is released, and the room given to the next, when it goes out of scope.
pub(crate) struct Counted<'a> {
    pub(crate) claim: Option<Claim>,
    pub(crate) board: Board<'a>,
    pub(crate) row: Option<Row<'a>>,
    pub(crate) queue: &'a Queue,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            claim.release(self.board, self.row);
            self.queue.done();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_wire::board::{self, SlotState, SlotView};
    use std::sync::atomic::AtomicU64;

    #[test]
    fn whoever_waits_sees_that_room_was_made() {
        let words: Vec<_> = (0..board::WORDS).map(|_| AtomicU64::new(0)).collect();
        let board = Board::new(&words).unwrap();
        board.slot(0).unwrap().set(SlotView { state: SlotState::Ready, epoch: 1 });
        let queue = Queue::default();
        let claim = Claim::take(board, None, 0);
        let counted = Counted { claim, board, row: None, queue: &queue };
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                while board.slot(0).unwrap().count() > 0 {
                    queue.wait();
                }
            });
            drop(counted);
            waiter.join().unwrap();
        });
        assert_eq!(queue.waiting.load(Ordering::SeqCst), 0);
    }
}
