//! Whose turn it is to read a connection.

use std::sync::atomic::{AtomicU8, Ordering};

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const PENDING: u8 = 2;

/// Idle, busy (one thread owns the connection), or pending (busy, and something arrived meanwhile).
///
/// Edge-triggered events come while a request runs: body frames, the end of the connection. They are
/// neither lost (the owner looks again before it lets go) nor doubled (one thread owns the connection). Sequentially
/// consistent, for a worker that ends compares turns with its stage.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicU8);

impl Turn {
    /// An event came: true when the caller owns the connection now and must read it; false when the
    /// owner will.
    pub(crate) fn take(&self) -> bool {
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| match state {
            IDLE => Some(BUSY),
            BUSY => Some(PENDING),
            _ => None,
        });
        before == Ok(IDLE)
    }

    /// The owner has used up what it read: true when it no longer owns the connection; false when
    /// something arrived and it must read again.
    pub(crate) fn release(&self) -> bool {
        let idle = self.0.compare_exchange(BUSY, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        if idle.is_err() {
            self.0.store(BUSY, Ordering::SeqCst);
        }
        idle.is_ok()
    }

    /// Whether nobody owns the connection.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.load(Ordering::SeqCst) == IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_while_busy_makes_the_owner_look_again() {
        let turn = Turn::default();
        assert!(turn.take());
        assert!(!turn.is_idle());
        assert!(!turn.take());
        assert!(!turn.take());
        assert!(!turn.release());
        assert!(turn.release());
        assert!(turn.is_idle());
        assert!(turn.take());
    }

    #[test]
    fn of_many_threads_one_owns_and_no_event_is_lost() {
        let turn = Turn::default();
        let arrived = std::sync::atomic::AtomicU32::new(0);
        let seen = std::sync::atomic::AtomicU32::new(0);
        let owners = AtomicU8::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        if !turn.take() {
                            continue;
                        }
                        loop {
                            assert_eq!(owners.fetch_add(1, Ordering::SeqCst), 0);
                            seen.store(arrived.load(Ordering::SeqCst), Ordering::SeqCst);
                            owners.fetch_sub(1, Ordering::SeqCst);
                            if turn.release() {
                                break;
                            }
                        }
                    }
                });
            }
        });
        assert!(turn.is_idle());
        assert_eq!(seen.into_inner(), arrived.into_inner());
    }
}
