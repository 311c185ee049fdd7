//! Who waits at the epoll.
//!
//! Where requests only compute, more than one thread at the epoll brings nothing, for Python's lock lets one of them run, and costs much: each
//! request wakes another thread, which then waits for that lock. So a busy worker lets one thread *lead*: it alone waits at
//! the epoll, takes what is ready many at a time, and keeps Python's lock until nothing is. The others sleep, but for one that *stands by* and
//! looks every millisecond. As soon as a request waits for something, or takes long, all are at the epoll again, and it
//! takes twice as many requests as before until the next attempt.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinion_unix::epoll::{Epoll, Ready};
use pinion_unix::{clock, usage};

/// How often who stands by looks. A request that is still the same at the third look keeps the others no longer.
const LOOK: Duration = Duration::from_millis(1);
/// So many looks at which nothing has happened make a worker idle.
const IDLE: u32 = 4;
/// So many requests are served by all before one leads.
const FEWEST: u32 = 64;
/// So many at most, however often it was in vain.
const MOST: u32 = 1 << 16;
/// So many requests under one leader make it a success.
const LASTING: u64 = 4096;
/// Requests must come faster than one in this many milliseconds for one to lead.
const SPACING_MS: u64 = 2;
/// So long a new leader waits for the others to end their requests and sleep.
const GATHER: Duration = Duration::from_millis(3);
/// Under a leader, one request of so many is looked at whether it waits for something; all of the first [`FEWEST`].
const SAMPLE: u64 = 8;
/// What a request that waits weighs; each that does not takes one away.
const WAIT: u32 = 8;
/// A lead ends with more than this: one request may wait by chance, as for memory.
const BEARABLE: u32 = WAIT;

/// Why all threads are to wait at the epoll again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// A request waits for something, or takes long.
    Waits,
    /// There is little to do.
    Idle,
}

/// The place of whoever leads.
#[derive(Debug)]
pub(crate) struct Seat {
    /// How many threads there are; one leads for ever.
    threads: usize,
    /// Nothing changes: there is one thread, or they can run Python side by side, and nobody leads.
    is_off: bool,
    /// The number of the thread that leads, counted from 1; 0 for none.
    leader: AtomicUsize,
    /// What the leader has begun and ended: odd while a request runs.
    progress: AtomicU64,
    /// The progress when it began to lead.
    from: AtomicU64,
    /// What is known of requests that wait under this leader.
    weight: AtomicU32,
    /// Requests served by all since the last leader.
    served: AtomicU32,
    /// How many of them there must be.
    needed: AtomicU32,
    /// When counting them began, in milliseconds.
    since: AtomicU64,
    /// How many threads sleep, or stand by. Changed with `shared`.
    parked: AtomicUsize,
    /// What became ready and was not looked at. Changed with `shared`, and looked at without.
    waiting: AtomicUsize,
    shared: Mutex<Shared>,
    /// For those that sleep: nobody leads any more.
    free: Condvar,
    /// For who stands by: the same.
    relieved: Condvar,
    /// For the leader: all others sleep, or nobody leads any more.
    gathered: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    ready: VecDeque<Ready>,
    /// Memory for what the epoll says.
    fresh: Vec<Ready>,
    has_standby: bool,
}

/// What is known of the leader's thread when a request begins; `None` where it is not looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun(Option<u64>);

impl Seat {
    /// For a worker of `threads` threads, which `is_parallel` where they need no lock to run Python.
    pub(crate) fn new(threads: u32, is_parallel: bool) -> Self {
        Self {
            threads: threads as usize,
            is_off: is_parallel || threads == 1,
            leader: AtomicUsize::new(usize::from(threads == 1)),
            progress: AtomicU64::new(0),
            from: AtomicU64::new(0),
            weight: AtomicU32::new(0),
            served: AtomicU32::new(0),
            needed: AtomicU32::new(FEWEST),
            since: AtomicU64::new(0),
            parked: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            shared: Mutex::default(),
            free: Condvar::new(),
            relieved: Condvar::new(),
            gathered: Condvar::new(),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether thread number `thread` leads and all others sleep: nobody else needs Python's lock to serve.
    pub(crate) fn is_sole(&self, thread: usize) -> bool {
        self.is_led_by(thread) && self.parked.load(Ordering::Relaxed) + 1 == self.threads
    }

    /// Whether a thread that is [sole](Seat::is_sole) has more in its hands.
    pub(crate) fn has_more(&self, thread: usize) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 && self.is_sole(thread)
    }

    fn is_led_by(&self, thread: usize) -> bool {
        self.leader.load(Ordering::Relaxed) == thread + 1
    }

    /// Whether somebody leads.
    pub(crate) fn is_led(&self) -> bool {
        self.leader.load(Ordering::Relaxed) != 0
    }

    /// A request begins on a thread.
    pub(crate) fn begin(&self, thread: usize) -> Begun {
        if self.is_off || !self.is_led_by(thread) {
            return Begun(None);
        }
        let progress = self.progress.load(Ordering::Relaxed);
        self.progress.store(progress + 1, Ordering::Relaxed);
        let led = progress.wrapping_sub(self.from.load(Ordering::Relaxed)) / 2;
        let is_sample = led < u64::from(FEWEST) || led.is_multiple_of(SAMPLE);
        // While others want Python's lock, nobody can tell whether it waits for something else.
        Begun((is_sample && self.is_sole(thread)).then(usage::thread_waits))
    }

    /// A request has ended on a thread.
    pub(crate) fn end(&self, thread: usize, Begun(begun): Begun) {
        if self.is_off {
            return;
        }
        if !self.is_led_by(thread) {
            if !self.is_led() {
                self.count(thread);
            }
            return;
        }
        self.progress.fetch_add(1, Ordering::Relaxed);
        if let Some(begun) = begun {
            let weight = weigh(self.weight.load(Ordering::Relaxed), usage::thread_waits() != begun);
            self.weight.store(weight, Ordering::Relaxed);
            if weight > BEARABLE {
                self.open(&self.shared(), Reason::Waits);
            }
        }
    }

    /// A request was served by all; perhaps there were enough for this thread to lead.
    fn count(&self, thread: usize) {
        let served = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        if served < self.needed.load(Ordering::Relaxed) {
            return;
        }
        self.served.store(0, Ordering::Relaxed);
        let now = clock::milliseconds();
        let took = now.saturating_sub(self.since.swap(now, Ordering::Relaxed));
        if took > SPACING_MS * u64::from(served) {
            return;
        }
        let _shared = self.shared();
        if !self.is_led() {
            // Even: no request runs, whatever a leader of before was at.
            let progress = (self.progress.load(Ordering::Relaxed) | 1) + 1;
            self.progress.store(progress, Ordering::Relaxed);
            self.from.store(progress, Ordering::Relaxed);
            self.weight.store(0, Ordering::Relaxed);
            self.leader.store(thread + 1, Ordering::Relaxed);
        }
    }

    /// Lets all wait at the epoll again. `_shared` is held: who takes many events sees this before or after.
    fn open(&self, _shared: &MutexGuard<'_, Shared>, reason: Reason) {
        if self.leader.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        let led = self.progress.load(Ordering::Relaxed) - self.from.load(Ordering::Relaxed);
        let needed = self.needed.load(Ordering::Relaxed);
        self.needed.store(next_needed(needed, led / 2, reason), Ordering::Relaxed);
        self.served.store(0, Ordering::Relaxed);
        self.since.store(clock::milliseconds(), Ordering::Relaxed);
        self.free.notify_all();
        self.relieved.notify_all();
        self.gathered.notify_all();
    }

    /// Sleeps while another thread leads. Must be called without Python's lock.
    fn give_way(&self, thread: usize) {
        let mut shared = self.shared();
        if self.parked.fetch_add(1, Ordering::Relaxed) + 2 == self.threads {
            self.gathered.notify_all();
        }
        while self.is_led() && !self.is_led_by(thread) {
            if !shared.has_standby {
                shared.has_standby = true;
                shared = self.stand_by(shared);
                shared.has_standby = false;
            } else {
                shared = self.free.wait(shared).unwrap_or_else(PoisonError::into_inner);
            }
        }
        self.parked.fetch_sub(1, Ordering::Relaxed);
        drop(shared);
    }

    /// Waits until all others sleep, or it turns out that they have long requests. Must be called without Python's lock, which they need
    /// to end theirs: who keeps it has them wait for 5 ms each, and then gives it up in the middle of a request.
    fn gather(&self, thread: usize) {
        let is_missing = |_: &mut Shared| self.is_led_by(thread) && !self.is_sole(thread);
        let waited = self.gathered.wait_timeout_while(self.shared(), GATHER, is_missing);
        let (shared, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && self.is_led_by(thread) {
            self.open(&shared, Reason::Waits);
        }
    }

    /// Looks at what the leader does until there is a reason for all to wait at the epoll, and sees to that.
    fn stand_by<'a>(&'a self, mut shared: MutexGuard<'a, Shared>) -> MutexGuard<'a, Shared> {
        let (mut last, mut same) = (0, 0);
        while self.is_led() {
            let progress = self.progress.load(Ordering::Relaxed);
            same = if progress == last { same + 1 } else { 0 };
            last = progress;
            if let Some(reason) = judge(progress, same) {
                self.open(&shared, reason);
                break;
            }
            let waited = self.relieved.wait_timeout(shared, LOOK);
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        shared
    }

    /// Waits until it is this thread's turn at the epoll. Must be called without Python's lock.
    pub(crate) fn await_turn(&self, thread: usize) {
        if self.is_led() && !self.is_sole(thread) {
            if self.is_led_by(thread) { self.gather(thread) } else { self.give_way(thread) }
        }
    }

    /// Takes one event. With `wait`, waits for it, which must be done without Python's lock and behind [`Seat::await_turn`].
    ///
    /// # Errors
    /// As [`Epoll::wait`].
    pub(crate) fn take(
        &self,
        thread: usize,
        epoll: &Epoll,
        wait: bool,
    ) -> io::Result<Option<Ready>> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let mut shared = self.shared();
            if let Some(ready) = shared.ready.pop_front() {
                self.waiting.store(shared.ready.len(), Ordering::Relaxed);
                return Ok(Some(ready));
            }
        }
        if wait { epoll.wait_one(None) } else { self.take_many(thread, epoll) }
    }

    /// Takes one event of all that is ready, without waiting.
    fn take_many(&self, thread: usize, epoll: &Epoll) -> io::Result<Option<Ready>> {
        match self.collect(thread, epoll)? {
            Some(mut shared) => {
                let first = shared.ready.pop_front();
                self.waiting.store(shared.ready.len(), Ordering::Relaxed);
                Ok(first)
            }
            None => epoll.wait_one(Some(Duration::ZERO)),
        }
    }

    /// Collects what is ready, if all others sleep and so would look at what this thread does not get to: those that are at the epoll would
    /// not.
    fn collect(&self, thread: usize, epoll: &Epoll) -> io::Result<Option<MutexGuard<'_, Shared>>> {
        let mut shared = self.shared();
        if !self.is_sole(thread) {
            return Ok(None);
        }
        let Shared { ready, fresh, .. } = &mut *shared;
        epoll.wait(fresh, Some(Duration::ZERO))?;
        ready.extend(fresh.iter().copied());
        self.waiting.store(ready.len(), Ordering::Relaxed);
        Ok(Some(shared))
    }

    /// Whether something is ready that only this thread would look at.
    ///
    /// # Errors
    /// As [`Epoll::wait`].
    pub(crate) fn is_wanted(&self, thread: usize, epoll: &Epoll) -> io::Result<bool> {
        if !self.is_sole(thread) {
            return Ok(false);
        }
        Ok(self.collect(thread, epoll)?.is_some_and(|shared| !shared.ready.is_empty()))
    }
}

/// What follows from the leader's `progress`, which was the same at `same` looks before.
fn judge(progress: u64, same: u32) -> Option<Reason> {
    let runs = progress % 2 == 1;
    if runs && same > 1 {
        Some(Reason::Waits)
    } else if !runs && same >= IDLE {
        Some(Reason::Idle)
    } else {
        None
    }
}

/// What is known of requests that wait when one more was looked at.
fn weigh(weight: u32, has_waited: bool) -> u32 {
    if has_waited { weight + WAIT } else { weight.saturating_sub(1) }
}

/// How many requests all must serve before the next attempt, where `needed` were necessary before this one, under which `led` were served.
fn next_needed(needed: u32, led: u64, reason: Reason) -> u32 {
    match reason {
        Reason::Idle => needed,
        Reason::Waits if led >= LASTING => FEWEST,
        Reason::Waits => needed.saturating_mul(2).min(MOST),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::atomic::AtomicBool;
    use std::thread::{scope, sleep};
    use std::time::Instant;

    use pinion_unix::epoll::Trigger;
    use pinion_unix::sockets::stream_pair;

    use super::*;

    /// As a serving thread does.
    fn take(seat: &Seat, thread: usize, epoll: &Epoll) -> Option<Ready> {
        seat.await_turn(thread);
        seat.take(thread, epoll, true).unwrap()
    }

    /// Descriptors that are ready, under tokens from 0 on.
    fn epoll_with(count: u64) -> (Epoll, Vec<(OwnedFd, OwnedFd)>) {
        let epoll = Epoll::new().unwrap();
        let pairs: Vec<_> = (0..count).map(|_| stream_pair().unwrap()).collect();
        for ((near, far), token) in pairs.iter().zip(0..) {
            epoll.add(near.as_fd(), token, Trigger::Edge).unwrap();
            nix::unistd::write(far, b"x").unwrap();
        }
        (epoll, pairs)
    }

    /// Serves requests on a thread until it leads.
    fn lead(seat: &Seat, thread: usize) {
        let end = Instant::now() + Duration::from_secs(60);
        while !seat.is_led_by(thread) {
            assert!(Instant::now() < end, "nobody leads");
            let begun = seat.begin(thread);
            seat.end(thread, begun);
        }
    }

    fn until(what: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !what() {
            assert!(Instant::now() < end, "in vain");
            std::thread::yield_now();
        }
    }

    #[test]
    fn one_thread_alone_takes_all_that_is_ready() {
        let seat = Seat::new(1, false);
        let (epoll, _pairs) = epoll_with(3);
        for expected in 0..3 {
            assert!(seat.is_led_by(0));
            let begun = seat.begin(0);
            let ready = seat.take(0, &epoll, false).unwrap().unwrap();
            assert_eq!(ready.token, expected);
            assert_eq!(seat.waiting.load(Ordering::Relaxed) as u64, 2 - expected);
            sleep(Duration::from_millis(1));
            seat.end(0, begun);
            assert_eq!(seat.is_wanted(0, &epoll).unwrap(), expected < 2);
        }
        assert!(!seat.is_wanted(1, &epoll).unwrap());
        assert_eq!(seat.take(0, &epoll, false).unwrap(), None);
    }

    #[test]
    fn threads_that_run_side_by_side_have_no_leader() {
        let seat = Seat::new(4, true);
        for _ in 0..10 * FEWEST {
            let begun = seat.begin(1);
            seat.end(1, begun);
        }
        assert!(!seat.is_led());
    }

    #[test]
    fn a_request_that_waits_ends_a_lead_and_the_next_comes_later() {
        let seat = Seat::new(2, false);
        let (epoll, _pairs) = epoll_with(1);
        lead(&seat, 1);
        scope(|scope| {
            let other = scope.spawn(|| take(&seat, 0, &epoll));
            until(|| seat.is_sole(1));
            for is_led in [true, false] {
                let begun = seat.begin(1);
                sleep(Duration::from_micros(100));
                seat.end(1, begun);
                assert_eq!(seat.is_led(), is_led);
            }
            assert!(other.join().unwrap().is_some());
        });
        assert_eq!(seat.needed.load(Ordering::Relaxed), 2 * FEWEST);
    }

    #[test]
    fn a_lead_ends_where_others_do_not_come_to_sleep() {
        let seat = Seat::new(2, false);
        let (epoll, _pairs) = epoll_with(1);
        lead(&seat, 1);
        assert!(!seat.is_sole(1));
        assert!(take(&seat, 1, &epoll).is_some());
        assert!(!seat.is_led());
        assert_eq!(seat.needed.load(Ordering::Relaxed), 2 * FEWEST);
    }

    #[test]
    fn a_leader_waits_for_the_others_to_sleep() {
        let seat = Seat::new(2, false);
        let (epoll, _pairs) = epoll_with(2);
        lead(&seat, 1);
        scope(|scope| {
            let other = scope.spawn(|| take(&seat, 0, &epoll));
            // Where the other thread is late, the lead ends.
            take(&seat, 1, &epoll).unwrap();
            assert!(!seat.is_led() || seat.is_sole(1));
            // It never ends; or the other has what is left.
            let _begun = seat.begin(1);
            assert!(other.join().unwrap().is_some());
        });
    }

    #[test]
    fn one_wait_is_chance_and_two_are_not() {
        assert!(weigh(0, true) <= BEARABLE);
        assert!(weigh(weigh(0, true), true) > BEARABLE);
        assert!(weigh(weigh(weigh(0, true), false), true) > BEARABLE);
        let soon_forgotten = (0..WAIT).fold(weigh(0, true), |weight, _| weigh(weight, false));
        assert_eq!(soon_forgotten, 0);
    }

    #[test]
    fn few_requests_have_no_leader() {
        let seat = Seat::new(2, false);
        for _ in 0..FEWEST / 16 {
            for _ in 0..32 {
                let begun = seat.begin(0);
                seat.end(0, begun);
            }
            sleep(Duration::from_millis(2 * 32 * SPACING_MS));
        }
        assert!(!seat.is_led());
    }

    #[test]
    fn what_a_leader_does_not_get_to_is_taken_by_the_others() {
        let seat = Seat::new(3, false);
        let (epoll, _pairs) = epoll_with(3);
        lead(&seat, 0);
        let is_over = AtomicBool::new(false);
        scope(|scope| {
            let others = [1, 2].map(|thread| {
                let (seat, epoll) = (&seat, &epoll);
                scope.spawn(move || take(seat, thread, epoll).unwrap().token)
            });
            until(|| seat.parked.load(Ordering::Relaxed) == 2);
            let first = seat.take(0, &epoll, false).unwrap().unwrap();
            assert_eq!((first.token, seat.waiting.load(Ordering::Relaxed)), (0, 2));
            // It never ends.
            let _begun = seat.begin(0);
            let mut tokens = others.map(|other| other.join().unwrap());
            tokens.sort_unstable();
            assert_eq!(tokens, [1, 2]);
            is_over.store(true, Ordering::Relaxed);
        });
        assert!(is_over.into_inner() && !seat.is_led());
        assert_eq!(seat.parked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nothing_is_taken_in_advance_while_others_are_at_the_epoll() {
        let seat = Seat::new(3, false);
        let (epoll, _pairs) = epoll_with(3);
        lead(&seat, 0);
        assert!(seat.take(0, &epoll, false).unwrap().is_some());
        assert_eq!(seat.waiting.load(Ordering::Relaxed), 0);
        assert!(!seat.is_wanted(0, &epoll).unwrap());
    }

    #[test]
    fn a_leader_with_nothing_to_do_leads_no_longer() {
        let seat = Seat::new(2, false);
        let (epoll, _pairs) = epoll_with(1);
        lead(&seat, 0);
        scope(|scope| {
            let other = scope.spawn(|| take(&seat, 1, &epoll));
            assert_eq!(other.join().unwrap().unwrap().token, 0);
        });
        assert!(!seat.is_led());
        assert_eq!(seat.needed.load(Ordering::Relaxed), FEWEST);
    }

    #[test]
    fn looks_tell_what_the_leader_does() {
        assert_eq!(judge(7, 0), None);
        assert_eq!(judge(7, 1), None);
        assert_eq!(judge(7, 2), Some(Reason::Waits));
        assert_eq!(judge(8, IDLE - 1), None);
        assert_eq!(judge(8, IDLE), Some(Reason::Idle));
    }

    #[test]
    fn attempts_in_vain_become_rare() {
        assert_eq!(next_needed(FEWEST, 3, Reason::Waits), 2 * FEWEST);
        assert_eq!(next_needed(MOST, 3, Reason::Waits), MOST);
        assert_eq!(next_needed(MOST, LASTING, Reason::Waits), FEWEST);
        assert_eq!(next_needed(256, 3, Reason::Idle), 256);
    }
}
