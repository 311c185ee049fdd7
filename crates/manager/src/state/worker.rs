//! A worker: what it is, in which state, and which states may follow.

use std::rc::Rc;

use pinion_wire::message::{GroupSpec, StopReason};

use super::{Millis, PairId};

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkerState {
    /// Its process is about to be made.
    Starting,
    /// It loads its scripts.
    Loading,
    /// It takes requests.
    Ready,
    /// It gets no new requests; those that it has, run to their end.
    Closing,
    /// It was asked to end.
    Stopping,
    /// It did not end when asked and got SIGTERM.
    Terminating,
    /// It got, or is about to get, SIGKILL.
    Killing,
}

impl WorkerState {
    /// Whether `next` may follow. Death may follow any state and removes the worker.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use WorkerState::*;
        match self {
            Starting => matches!(next, Loading | Stopping | Killing),
            Loading => matches!(next, Ready | Stopping | Killing),
            Ready => matches!(next, Closing | Stopping | Killing),
            Closing => matches!(next, Stopping | Killing),
            Stopping => matches!(next, Terminating | Killing),
            Terminating => matches!(next, Killing),
            Killing => false,
        }
    }

    /// Whether it serves requests or will.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Loading | Self::Ready)
    }

    /// Whether it has been told to end.
    #[must_use]
    pub fn is_ending(self) -> bool {
        matches!(self, Self::Stopping | Self::Terminating | Self::Killing)
    }
}

/// Why another worker shall take this one's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retiring {
    /// When the other one is ready.
    WhenReplaced,
    /// When the other one is ready or has failed, but not later than this.
    Until(Millis),
}

/// Why a worker may be of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Python's lock could not be had for deadlock-timeout.
    Deadlock,
    /// A request waits for it, and it has begun none.
    Unbegun,
}

/// A worker that was asked for a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// Why.
    pub doubt: Doubt,
    /// When it had given the last sign before that.
    pub beat: Millis,
    /// When the next one must have come.
    pub by: Millis,
}

/// A worker.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The pair it belongs to.
    pub pair: PairId,
    /// The set of workers, all started for the same code and configuration, that it belongs to.
    pub set: u64,
    /// Its number in its pair, from 1.
    pub number: u32,
    /// Its slot on the board.
    pub slot: usize,
    /// Its slot's epoch; 0 before it was ready.
    pub epoch: u32,
    /// What it was started with.
    pub spec: Rc<GroupSpec>,
    /// Its process.
    pub pid: Option<u32>,
    state: WorkerState,
    since: Millis,
    /// When it became ready.
    pub ready_at: Option<Millis>,
    /// Set when it shall be replaced.
    pub retiring: Option<Retiring>,
    /// What it is told when it is stopped.
    pub reason: StopReason,
    /// When it is due for replacement by its age.
    pub restart_at: Option<Millis>,
    /// When it gets SIGKILL, whatever its state.
    pub kill_at: Option<Millis>,
    /// Why the manager ends it, in the words of [`pinion_wire::message::Death::cause`].
    pub doom: Option<String>,
    /// What killing it will be called, once it has overstayed a limit.
    pub blame: Option<String>,
    /// Set while it is asked for a sign of life.
    pub suspicion: Option<Suspicion>,
    /// It gives none: nothing that it has begun will end.
    pub hopeless: bool,
    /// Requests that were interrupted and still run: their connections and numbers.
    pub interrupted: Vec<(u32, u32)>,
    /// When Python's lock was had last, as far as that was looked at.
    pub beat_at: Millis,
    /// When it had something to do last, as far as that was looked at.
    pub active_at: Millis,
    /// When it was found to be as it was at its start.
    pub rested_at: Millis,
    /// It has not loaded in time.
    pub late: bool,
    /// Its reins ended without having been asked to.
    pub lost: bool,
    /// How many connections it was given.
    pub connections: u32,
    /// The scripts that it has loaded, and their modification times.
    pub loaded: Vec<(Vec<u8>, u64)>,
}

impl Worker {
    /// A worker whose process is about to be made.
    #[must_use]
    pub fn new(
        pair: PairId,
        set: u64,
        number: u32,
        slot: usize,
        spec: Rc<GroupSpec>,
        now: Millis,
    ) -> Self {
        Self {
            pair,
            set,
            number,
            slot,
            epoch: 0,
            spec,
            pid: None,
            state: WorkerState::Starting,
            since: now,
            ready_at: None,
            retiring: None,
            reason: StopReason::Shutdown,
            restart_at: None,
            kill_at: None,
            doom: None,
            blame: None,
            suspicion: None,
            hopeless: false,
            interrupted: Vec::new(),
            beat_at: 0,
            active_at: 0,
            rested_at: 0,
            late: false,
            lost: false,
            connections: 0,
            loaded: Vec::new(),
        }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        self.state
    }

    /// When it entered its state.
    #[must_use]
    pub fn since(&self) -> Millis {
        self.since
    }

    /// Enters a state, if that may follow; says whether it did.
    pub fn enter(&mut self, next: WorkerState, now: Millis) -> bool {
        let allowed = self.state.may_become(next);
        if allowed {
            (self.state, self.since) = (next, now);
        }
        allowed
    }

    /// Whether it belongs to the set `target` and nobody shall replace it.
    #[must_use]
    pub fn is_current(&self, target: u64) -> bool {
        self.set == target && self.retiring.is_none()
    }

    /// How to call it in messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let pid = self.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        format!("worker {pid} of process group '{}'", self.spec.name)
    }
}

#[cfg(test)]
mod tests {
    use super::WorkerState::*;
    use super::*;

    const ALL: [WorkerState; 7] =
        [Starting, Loading, Ready, Closing, Stopping, Terminating, Killing];

    #[test]
    fn a_worker_never_goes_back() {
        for (at, state) in ALL.into_iter().enumerate() {
            for (after, next) in ALL.into_iter().enumerate() {
                assert!(!state.may_become(next) || after > at, "{state:?} to {next:?}");
            }
        }
    }

    #[test]
    fn every_state_but_the_last_can_be_ended() {
        for state in ALL {
            assert_eq!(state.may_become(Killing), state != Killing);
            assert!(!(state.is_live() && state.is_ending()));
        }
    }

    #[test]
    fn a_transition_that_is_not_written_is_refused() {
        let mut worker =
            Worker::new(PairId(1), 1, 1, 0, Rc::new(super::super::tests::group("g")), 5);
        assert!(!worker.enter(Ready, 6));
        assert_eq!((worker.state(), worker.since()), (Starting, 5));
        assert!(worker.enter(Loading, 7));
        assert_eq!((worker.state(), worker.since()), (Loading, 7));
    }
}
