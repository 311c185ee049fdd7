//! Workers that are watched: requests that take too long, Python's lock that cannot be had, requests
//! that nobody begins, nothing to do.

use pinion_config::Code;
use pinion_wire::message::{Rein, StopReason};
use pinion_wire::status::{Begun, beat_interval_ms};

use super::replace::{graceful_time, seconds};
use super::worker::{Doubt, Retiring, Suspicion, Worker, WorkerState};
use super::{Action, Core, Millis, PairId, Sight, WorkerId};

/// How long a worker that is asked whether it lives has for its answer, in milliseconds.
const ANSWER: Millis = 2_000;
/// The same for one whose lock could not be had for deadlock-timeout: it has had its time.
const LAST_CHANCE: Millis = 250;

impl Core {
    /// Looks for requests that run longer than request-timeout.
    pub(super) fn watch_requests(&mut self, id: WorkerId, sight: &dyn Sight) {
        let Some(worker) = self.workers.get(&id) else { return };
        let timeouts = worker.spec.timeouts;
        let serves = matches!(worker.state(), WorkerState::Ready | WorkerState::Closing);
        if timeouts.request == 0 || !serves || worker.blame.is_some() {
            return;
        }
        let begun = sight.begun(id);
        if timeouts.interrupt > 0 {
            self.interrupt(id, &begun, timeouts.request);
        }
        let limit = timeouts.request + timeouts.interrupt;
        if let Some(over) = begun.into_iter().find(|begun| self.is_over(begun, limit)) {
            self.give_up(id, &over, sight);
        }
    }

    fn is_over(&self, begun: &Begun, limit: Millis) -> bool {
        self.now * 1_000_000 >= begun.since_ns.saturating_add(limit * 1_000_000)
    }

    /// Interrupts each request over the limit once.
    fn interrupt(&mut self, id: WorkerId, begun: &[Begun], limit: Millis) {
        let over: Vec<_> = begun.iter().filter(|begun| self.is_over(begun, limit)).collect();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let key = |begun: &Begun| (begun.connection, begun.seq);
        worker.interrupted.retain(|known| over.iter().any(|begun| key(begun) == *known));
        let is_new = |begun: &&&Begun| !worker.interrupted.contains(&key(begun));
        let fresh: Vec<_> = over.iter().filter(is_new).map(|begun| key(begun)).collect();
        if fresh.is_empty() {
            return;
        }
        worker.interrupted.extend(&fresh);
        let named = worker.describe();
        let (pair, pid, said) = (worker.pair, worker.pid, seconds(limit));
        for begun in over.iter().filter(|begun| fresh.contains(&key(begun))) {
            let text = format!(
                "{named}: {}, over request-timeout={said}; it is interrupted, the Python stacks follow",
                self.running(begun)
            );
            self.log_pair(pair, Code::RequestInterrupted, pid, text);
        }
        self.actions.push(Action::Rein(id, Rein::DumpStacks));
        for (connection, seq) in fresh {
            self.actions.push(Action::Rein(id, Rein::Interrupt { connection, seq }));
        }
    }

    /// A request has run too long, and nothing else helps: another worker takes the place.
    fn give_up(&mut self, id: WorkerId, over: &Begun, sight: &dyn Sight) {
        let running = self.running(over);
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let timeouts = worker.spec.timeouts;
        let mut said = format!("request-timeout={}", seconds(timeouts.request));
        if timeouts.interrupt > 0 {
            said.push_str(&format!(" and interrupt-timeout={}", seconds(timeouts.interrupt)));
        }
        worker.blame = Some(format!("killed after {said}"));
        let text = format!(
            "{}: {running}, over {said}; its Python stacks follow, another worker takes its place",
            worker.describe(),
        );
        let (pair, pid, by) = (worker.pair, worker.pid, now + graceful_time(&worker.spec));
        self.log_pair(pair, Code::RequestTimeout, pid, text);
        self.actions.push(Action::Rein(id, Rein::DumpStacks));
        self.retire(id, Retiring::Until(by), StopReason::RequestTimeout, "", sight);
    }

    /// When something is to be seen of a ready worker.
    pub(super) fn watch_due(&self, worker: &Worker) -> Option<Millis> {
        let Worker { suspicion, ready_at, beat_at, active_at, rested_at, retiring, .. } = worker;
        if let Some(suspicion) = suspicion {
            return Some(suspicion.by);
        }
        let timeouts = &worker.spec.timeouts;
        let since = ready_at.unwrap_or_else(|| worker.since());
        let stale = stale_after(worker).filter(|_| !worker.hopeless);
        let stale = stale.map(|limit| since.max(*beat_at) + limit);
        let idle = (timeouts.inactivity > 0 && retiring.is_none() && ready_at.is_some())
            .then(|| since.max(*active_at).max(*rested_at) + timeouts.inactivity);
        stale.into_iter().chain(idle).min()
    }

    /// Looks whether a worker lives and is needed.
    pub(super) fn watch_worker(&mut self, id: WorkerId, sight: &dyn Sight) {
        if self
            .workers
            .get(&id)
            .and_then(|worker| self.watch_due(worker))
            .is_none_or(|due| self.now < due)
        {
            return;
        }
        let beat = sight.beat(id) / 1_000_000;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.beat_at = beat;
        if let Some(suspicion) = worker.suspicion.take() {
            if beat <= suspicion.beat {
                self.condemn(id, suspicion.doubt, sight);
            }
            return;
        }
        if self.watch_due_of_beat(id) {
            return self.suspect(id, Doubt::Deadlock, sight);
        }
        self.watch_idle(id, sight);
    }

    fn watch_due_of_beat(&self, id: WorkerId) -> bool {
        let Some(worker) = self.workers.get(&id) else { return false };
        let since = worker.ready_at.unwrap_or_else(|| worker.since()).max(worker.beat_at);
        !worker.hopeless && stale_after(worker).is_some_and(|limit| self.now >= since + limit)
    }

    /// Asks a worker whether Python runs.
    pub(super) fn suspect(&mut self, id: WorkerId, doubt: Doubt, sight: &dyn Sight) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.suspicion.is_some() || worker.hopeless || worker.state().is_ending() {
            return;
        }
        let patience = if doubt == Doubt::Deadlock { LAST_CHANCE } else { ANSWER };
        let beat = sight.beat(id) / 1_000_000;
        worker.suspicion = Some(Suspicion { doubt, beat, by: now + patience });
        self.actions.push(Action::Rein(id, Rein::Beat));
    }

    /// A worker does not answer: another one takes its place, and it is not waited for.
    fn condemn(&mut self, id: WorkerId, doubt: Doubt, sight: &dyn Sight) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.hopeless = true;
        let limit = seconds(worker.spec.timeouts.deadlock);
        let (code, said) = match doubt {
            Doubt::Deadlock => (
                Code::Deadlock,
                format!("Python's lock could not be had within deadlock-timeout={limit}"),
            ),
            Doubt::Unbegun => (Code::WorkerWedged, "requests wait, and it begins none".to_owned()),
        };
        worker.blame.get_or_insert_with(|| format!("killed: {said}"));
        let text = format!(
            "{}: {said}; its Python stacks follow, another worker takes its place",
            worker.describe()
        );
        let (pair, pid, by) = (worker.pair, worker.pid, now + graceful_time(&worker.spec));
        let loading = worker.epoch == 0;
        if loading {
            worker.late = true;
            worker.kill_at = Some(now + super::timers::DUMP);
            worker.doom.clone_from(&worker.blame);
        }
        self.log_pair(pair, code, pid, text);
        self.actions.push(Action::Rein(id, Rein::DumpStacks));
        self.retire(id, Retiring::Until(by), StopReason::DeadlockTimeout, "", sight);
    }

    /// Ends a worker that has nothing to do.
    fn watch_idle(&mut self, id: WorkerId, sight: &dyn Sight) {
        let (now, active) = (self.now, sight.active(id) / 1_000_000);
        let begun = !sight.begun(id).is_empty();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let limit = worker.spec.timeouts.inactivity;
        let since = worker.ready_at.map_or(now, |ready| ready.max(active));
        worker.active_at = if begun || sight.in_flight(worker.slot) > 0 { now } else { active };
        if limit == 0
            || worker.retiring.is_some()
            || now < since.max(worker.active_at).max(worker.rested_at) + limit
        {
            return;
        }
        let (pair, named, pid) = (worker.pair, worker.describe(), worker.pid);
        worker.reason = StopReason::InactivityTimeout;
        let said = format!("has had nothing to do for inactivity-timeout={}", seconds(limit));
        if self.may_sleep(pair, sight) {
            self.log_pair(pair, Code::WorkerRetired, pid, format!("{named} {said}"));
            self.fall_asleep(pair);
        } else if active > 0 {
            let reason = StopReason::InactivityTimeout;
            self.retire(id, Retiring::WhenReplaced, reason, &said, sight);
        } else {
            // It is as it was when it started: nothing is gained by another one.
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.rested_at = now;
            }
        }
    }

    /// Whether a pair can do without workers until its next request.
    fn may_sleep(&self, id: PairId, sight: &dyn Sight) -> bool {
        let now = self.now;
        let Some(pair) = self.pairs.get(&id) else { return false };
        let idle = |(id, worker): (WorkerId, &Worker)| {
            let active = (sight.active(id) / 1_000_000).max(worker.active_at);
            worker.state() != WorkerState::Ready
                || now
                    >= worker.ready_at.unwrap_or(now).max(active) + worker.spec.timeouts.inactivity
        };
        !pair.preloaded
            && pair.waiting.is_empty()
            && pair.fallback.is_none()
            && self.workers_of(id).all(|(id, worker)| !starts(worker) && idle((id, worker)))
    }

    fn fall_asleep(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        pair.asleep = true;
        let ready = |worker: &Worker| worker.state() == WorkerState::Ready;
        let workers: Vec<_> =
            self.workers_of(id).filter(|(_, worker)| ready(worker)).map(|(id, _)| id).collect();
        for worker in workers {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.reason = StopReason::InactivityTimeout;
            }
            self.close(worker);
        }
    }
}

fn starts(worker: &Worker) -> bool {
    matches!(worker.state(), WorkerState::Starting | WorkerState::Loading)
}

/// How long after its last sign of life a worker is suspected.
fn stale_after(worker: &Worker) -> Option<Millis> {
    let deadlock = worker.spec.timeouts.deadlock;
    beat_interval_ms(deadlock).map(|interval| deadlock + interval)
}
