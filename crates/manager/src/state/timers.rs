//! What becomes due.

use std::fmt::Write as _;

use pinion_config::Code;
use pinion_wire::message::{Rein, StopReason};
use pinion_wire::status::Begun;

use super::replace::{drain_time, seconds, shutdown_time};
use super::worker::{Retiring, Worker, WorkerState};
use super::{Action, Core, EndSignal, Millis, PairId, Sight, WorkerId};

/// How often the count of a closing worker's slot is looked at, in milliseconds.
const CLOSING: Millis = 10;
/// How often workers' status pages are looked at for requests that take too long.
const WATCH: Millis = 100;
/// How often scripts that failed to load are looked at.
const LOOK: Millis = 250;
/// How long a worker that shall be killed has for writing its stacks.
pub(super) const DUMP: Millis = 500;
/// What Apache may have taken of a stop's time before the manager is told, in milliseconds.
const HEAD_START: Millis = 750;
/// How soon a worker that needs a slot is tried again.
const NO_SLOT: Millis = 50;

impl Core {
    pub(super) fn tick(&mut self, sight: &dyn Sight) {
        let workers: Vec<_> = self.workers.keys().copied().collect();
        for worker in &workers {
            self.tick_worker(*worker, sight);
        }
        if self.now >= self.watched_at + WATCH {
            self.watched_at = self.now;
            for worker in workers {
                self.watch_requests(worker, sight);
            }
        }
        let pairs: Vec<_> = self.pairs.keys().copied().collect();
        for pair in pairs {
            self.look_at_script(pair, sight);
            self.note_use(pair, sight);
            self.reconcile(pair, sight);
        }
        self.answer_patient(sight);
    }

    /// When [`super::Event::Tick`] is due next; `None` when nothing is to be waited for.
    #[must_use]
    pub fn next_tick(&self) -> Option<Millis> {
        let workers = self.workers.values().filter_map(|worker| self.worker_due(worker));
        let pairs = self.pairs.keys().filter_map(|id| self.pair_due(*id));
        let stop = self.stopping.map(|_| self.now + WATCH);
        workers.chain(pairs).chain(self.deaths.next_deadline()).chain(stop).min()
    }

    fn worker_due(&self, worker: &Worker) -> Option<Millis> {
        let since = worker.since();
        let shutdown = self.time_to_stop(worker);
        let watch = (worker.spec.timeouts.request > 0).then(|| self.watched_at + WATCH);
        let by_state = match worker.state() {
            WorkerState::Starting | WorkerState::Killing => None,
            WorkerState::Loading => {
                let limit = worker.spec.timeouts.startup;
                let late = (limit > 0 && !worker.late).then(|| since + limit);
                late.into_iter().chain(self.watch_due(worker)).min()
            }
            WorkerState::Ready => {
                let until = match worker.retiring {
                    Some(Retiring::Until(by)) => Some(by),
                    _ => None,
                };
                let seen = self.watch_due(worker);
                [until, worker.restart_at, watch, seen].into_iter().flatten().min()
            }
            WorkerState::Closing => Some(self.now + CLOSING),
            WorkerState::Stopping => Some(since + shutdown / 2),
            WorkerState::Terminating => Some(since + shutdown - shutdown / 2),
        };
        let kill_at = worker.kill_at.filter(|_| worker.state() != WorkerState::Killing);
        [by_state, kill_at].into_iter().flatten().min()
    }

    /// How long a worker that was told to stop may take. When the whole server stops, a little less than its
    /// shutdown-timeout: Apache has waited for its own children before the manager is told, and an administrator counts from the start.
    fn time_to_stop(&self, worker: &Worker) -> Millis {
        let whole = shutdown_time(&worker.spec);
        if self.stopping.is_some() { whole - (whole / 4).min(HEAD_START) } else { whole }
    }

    fn pair_due(&self, id: PairId) -> Option<Millis> {
        let pair = self.pairs.get(&id)?;
        if self.stopping.is_some() {
            return None;
        }
        if let Some(leaving) = pair.leaving {
            return match leaving {
                super::pair::Leaving::Removed { by, .. } if by > self.now => Some(by),
                _ => Some(self.now + NO_SLOT),
            };
        }
        let (live, wanted) = self.live_and_wanted(id, pair);
        let missing = live < wanted && !pair.mounts.is_empty();
        match &pair.failure {
            Some(failure) if self.now < failure.retry_at => {
                Some(failure.retry_at.min(failure.look_at))
            }
            _ => missing.then(|| self.now + NO_SLOT),
        }
    }

    fn tick_worker(&mut self, id: WorkerId, sight: &dyn Sight) {
        let Some(worker) = self.workers.get(&id) else { return };
        let (now, since) = (self.now, worker.since());
        if worker.kill_at.is_some_and(|at| now >= at) {
            return self.signal(id, EndSignal::Kill);
        }
        let shutdown = self.time_to_stop(worker);
        match worker.state() {
            WorkerState::Starting | WorkerState::Killing => {}
            WorkerState::Loading => {
                self.limit_loading(id);
                self.watch_worker(id, sight);
            }
            WorkerState::Ready => {
                self.limit_age(id, sight);
                self.watch_worker(id, sight);
            }
            WorkerState::Closing => self.finish_closing(id, sight),
            WorkerState::Stopping if now >= since + shutdown / 2 => {
                self.signal(id, EndSignal::Term)
            }
            WorkerState::Terminating if now >= since + shutdown - shutdown / 2 => {
                self.kill_late(id);
            }
            WorkerState::Stopping | WorkerState::Terminating => {}
        }
    }

    fn limit_loading(&mut self, id: WorkerId) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let limit = worker.spec.timeouts.startup;
        if limit == 0 || worker.late || now < worker.since() + limit {
            return;
        }
        worker.late = true;
        worker.reason = StopReason::StartupTimeout;
        worker.kill_at = Some(now + DUMP.max(shutdown_time(&worker.spec)));
        worker.doom = Some(format!("not loaded within startup-timeout={}", seconds(limit)));
        self.actions.push(Action::Rein(id, Rein::DumpStacks));
        // It ends as soon as its subscribers know.
        self.actions.push(Action::Rein(id, Rein::Stop(StopReason::StartupTimeout)));
    }

    fn limit_age(&mut self, id: WorkerId, sight: &dyn Sight) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        match worker.retiring {
            Some(Retiring::Until(by)) if self.now >= by => self.close(id),
            None if worker.restart_at.is_some_and(|at| self.now >= at) => {
                let limit = seconds(worker.spec.timeouts.restart_interval);
                let said = format!("has run for restart-interval={limit}");
                let reason = StopReason::RestartInterval;
                self.retire(id, Retiring::WhenReplaced, reason, &said, sight);
            }
            _ => {}
        }
    }

    fn finish_closing(&mut self, id: WorkerId, sight: &dyn Sight) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let has_front_door = worker.spec.http.is_some();
        let left = if has_front_door { sight.open(id) } else { sight.in_flight(worker.slot) };
        if left == 0 || worker.hopeless {
            return self.ask_to_stop(id);
        }
        let limit = drain_time(worker);
        if self.now < worker.since() + limit {
            return;
        }
        let evicted =
            limit == worker.spec.timeouts.eviction && worker.reason == StopReason::Eviction;
        let name = if evicted { "eviction-timeout" } else { "graceful-timeout" };
        let said = format!("{name}={}", seconds(limit));
        worker.blame.get_or_insert_with(|| format!("killed after {said}"));
        let mut text = format!("{} has not finished its requests within {said}", worker.describe());
        let (pair, pid) = (worker.pair, worker.pid);
        for begun in sight.begun(id) {
            let _ = write!(text, "; {}", self.running(&begun));
        }
        text.push_str("; its Python stacks follow");
        self.log_pair(pair, Code::DrainTimeout, pid, text);
        self.actions.push(Action::Rein(id, Rein::DumpStacks));
        self.ask_to_stop(id);
    }

    fn kill_late(&mut self, id: WorkerId) {
        let stopping = self.stopping.is_some();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let limit = format!("shutdown-timeout={}", seconds(shutdown_time(&worker.spec)));
        let blame = worker.blame.take().unwrap_or_else(|| format!("killed after {limit}"));
        worker.doom = Some(blame);
        let text = format!("{} has not stopped within {limit} and is killed", worker.describe());
        let (pair, pid) = (worker.pair, worker.pid);
        let code = if stopping { Code::StoppedHard } else { Code::DrainTimeout };
        self.log_pair(pair, code, pid, text);
        self.signal(id, EndSignal::Kill);
    }

    pub(super) fn running(&self, begun: &Begun) -> String {
        let millis = (self.now * 1_000_000).saturating_sub(begun.since_ns) / 1_000_000;
        format!("{} has run for {} s", begun.line, seconds(millis))
    }

    /// Tries again at once when the script that failed to load has changed.
    fn look_at_script(&mut self, id: PairId, sight: &dyn Sight) {
        let now = self.now;
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let Some(failure) = &mut pair.failure else { return };
        if now >= failure.retry_at || now < failure.look_at {
            return;
        }
        failure.look_at = now + LOOK;
        if sight.mtime(&failure.script) != failure.mtime {
            failure.retry_at = now;
            pair.failures = 0;
        }
    }

    /// Notes when a pair was used, to know which one to let go for another.
    fn note_use(&mut self, id: PairId, sight: &dyn Sight) {
        let now = self.now;
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let served = pair.slots.clone().map(|slot| sight.served(slot)).sum();
        if pair.used.1 != served {
            pair.used = (now, served);
        }
    }
}
