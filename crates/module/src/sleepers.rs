//! Threads that sleep for something that may come, and go when they are called off.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinion_unix::bell::Bell;

thread_local! {
    /// This thread's, from its first sleep on.
    static BELL: Option<Arc<Bell>> = Bell::new().ok().map(Arc::new);
}

/// The sleeping threads' bells, the one that has slept longest first.
pub(crate) struct Sleepers(Mutex<VecDeque<Arc<Bell>>>);

impl Sleepers {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// Has this thread `sleep` until the descriptor that it is given can be read. Returns what that returned; `None` where `most`
    /// threads sleep already.
    pub(crate) fn sleep<T>(
        &self,
        most: usize,
        sleep: impl FnOnce(BorrowedFd<'_>) -> T,
    ) -> Option<T> {
        let mut sleeping = self.sleeping();
        if sleeping.len() >= most {
            return None;
        }
        let bell = BELL.with(Clone::clone)?;
        sleeping.push_back(Arc::clone(&bell));
        drop(sleeping);
        let slept = sleep(bell.as_fd());
        let mut sleeping = self.sleeping();
        match sleeping.iter().position(|other| Arc::ptr_eq(other, &bell)) {
            Some(place) => drop(sleeping.remove(place)),
            // Under the lock: who called this thread off has rung by now.
            None => bell.still(),
        }
        Some(slept)
    }

    /// Calls the thread off that has slept longest.
    pub(crate) fn call_off(&self) {
        let mut sleeping = self.sleeping();
        if let Some(bell) = sleeping.pop_front() {
            bell.ring();
        }
    }

    fn sleeping(&self) -> MutexGuard<'_, VecDeque<Arc<Bell>>> {
        // Nothing that is done under the lock panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use pinion_unix::sockets::readable;

    use super::*;

    fn until_called(bell: BorrowedFd<'_>) -> bool {
        readable(bell, Some(Duration::from_secs(60))).unwrap()
    }

    fn is_rung(bell: BorrowedFd<'_>) -> bool {
        readable(bell, Some(Duration::ZERO)).unwrap()
    }

    #[test]
    fn who_has_slept_longest_is_called_off() {
        let sleepers = Sleepers::new();
        let (say, said) = mpsc::channel();
        std::thread::scope(|scope| {
            for name in ["first", "second"] {
                let (say, sleepers) = (say.clone(), &sleepers);
                scope.spawn(move || {
                    let slept = sleepers.sleep(2, until_called);
                    say.send((name, slept)).unwrap();
                });
                let asleep = if name == "first" { 1 } else { 2 };
                while sleepers.sleeping().len() < asleep {
                    std::thread::yield_now();
                }
            }
            for name in ["first", "second"] {
                sleepers.call_off();
                assert_eq!(said.recv(), Ok((name, Some(true))));
            }
        });
        assert!(sleepers.sleeping().is_empty());
    }

    #[test]
    fn only_so_many_sleep() {
        let sleepers = Sleepers::new();
        assert_eq!(sleepers.sleep(0, |_| ()), None);
        let inner = sleepers.sleep(1, |_| (sleepers.sleep(1, |_| ()), sleepers.sleep(2, |_| ())));
        assert_eq!(inner, Some((None, Some(()))));
        assert!(sleepers.sleeping().is_empty());
    }

    #[test]
    fn a_call_is_for_one_sleep() {
        let sleepers = Sleepers::new();
        let called = sleepers.sleep(1, |bell| {
            sleepers.call_off();
            is_rung(bell)
        });
        assert_eq!(called, Some(true));
        assert_eq!(sleepers.sleep(1, is_rung), Some(false));
        sleepers.call_off();
        assert_eq!(sleepers.sleep(1, is_rung), Some(false));
    }
}
