//! What a worker's death means.

use std::fmt::Write as _;

use pinion_config::Code;
use pinion_wire::board::SlotState;

use super::loading::FailedLoad;
use super::pair::{Failure, back_off};
use super::worker::{Worker, WorkerState};
use super::{Action, Core, Exit, Millis, Sight, WorkerId};

/// A worker that dies sooner than this after it was ready might do so again and again, in milliseconds.
const QUICK: Millis = 1_000;
/// A script that ends at once is not started more often, in milliseconds.
const SERVICE_PAUSE: Millis = 1_000;
/// After so many quick deaths in a row there is a pause.
const QUICK_DEATHS: u32 = 3;

impl Core {
    /// A worker's reins ended though nobody asked it to stop: it is dead, or of no use any more.
    pub(super) fn reins_ended(&mut self, id: WorkerId, sight: &dyn Sight) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let was = worker.state();
        if worker.spec.is_service() && was == WorkerState::Ready {
            // Its script has become another program.
            return;
        }
        if !worker.enter(WorkerState::Stopping, now) {
            return;
        }
        worker.lost = true;
        let (slot, epoch, pair) = (worker.slot, worker.epoch, worker.pair);
        if was == WorkerState::Ready {
            self.actions.push(Action::SetSlot { slot, state: SlotState::Closing, epoch });
        }
        if epoch > 0 {
            self.reconcile(pair, sight);
        }
    }

    pub(super) fn worker_exited(&mut self, id: WorkerId, exit: Exit, sight: &dyn Sight) {
        let Some(worker) = self.workers.remove(&id) else { return };
        let (slot, epoch, pair) = (worker.slot, worker.epoch, worker.pair);
        self.slots.empty(slot, self.now);
        if epoch > 0 {
            self.actions.push(Action::SetSlot { slot, state: SlotState::Empty, epoch });
        }
        self.remember_death(&worker, &exit, sight);
        let unexpected = worker.lost || !worker.state().is_ending();
        if self.stopping.is_some() {
            return;
        }
        if worker.spec.is_service() && worker.ready_at.is_some() {
            if unexpected {
                self.service_ended(&worker, &exit);
            }
        } else if epoch == 0 {
            if unexpected || worker.late {
                self.died_loading(&worker, exit, sight);
            }
        } else if unexpected {
            self.died_serving(&worker, &exit);
        }
        self.reconcile(pair, sight);
    }

    fn died_loading(&mut self, worker: &Worker, exit: Exit, sight: &dyn Sight) {
        if self.was_killed_loading(worker, &exit) {
            return;
        }
        let (script, mtime) = self.first_script(worker.pair, sight);
        let cause = worker.doom.clone().unwrap_or(exit.cause);
        let mut reason = format!("{} while it loaded: {cause}", worker.describe());
        if !exit.output.trim().is_empty() {
            let _ = write!(reason, "; its last output:\n{}", exit.output.trim_end());
        }
        let code = match worker {
            Worker { hopeless: true, .. } => Code::Deadlock,
            Worker { late: true, .. } => Code::StartupTimeout,
            _ => Code::LoadFailed,
        };
        let failed = FailedLoad { code, pid: worker.pid, script, mtime, reason };
        self.load_failed(worker.pair, worker.set, failed, sight);
    }

    /// The script of a worker without threads has come to its end: it is started again, not more often than once a second.
    fn service_ended(&mut self, worker: &Worker, exit: &Exit) {
        let started = worker.ready_at.unwrap_or(self.now);
        let retry_at = (started + SERVICE_PAUSE).max(self.now);
        let text = format!("{} {}; it is started again", worker.describe(), exit.cause);
        if let Some(pair) = self.pairs.get_mut(&worker.pair) {
            let (script, summary) = (Vec::new(), exit.cause.clone());
            pair.failure = Some(Failure { script, mtime: 0, summary, retry_at, look_at: retry_at });
        }
        self.log_pair(worker.pair, Code::ServiceEnded, worker.pid, text);
    }

    /// A signal from outside says nothing about the application: the worker is started again at once, as long as
    /// that does not go on and on.
    fn was_killed_loading(&mut self, worker: &Worker, exit: &Exit) -> bool {
        let Some(pair) = self.pairs.get_mut(&worker.pair) else { return false };
        if !exit.signalled || worker.late || worker.doom.is_some() {
            return false;
        }
        pair.quick_deaths += 1;
        if pair.quick_deaths >= QUICK_DEATHS {
            return false;
        }
        let text = format!("{} {} while it loaded", worker.describe(), exit.cause);
        self.log_pair(worker.pair, Code::WorkerKilled, worker.pid, text);
        true
    }

    fn died_serving(&mut self, worker: &Worker, exit: &Exit) {
        let mut text = format!("{} {}", worker.describe(), exit.cause);
        for begun in &exit.begun {
            let millis = (self.now * 1_000_000).saturating_sub(begun.since_ns) / 1_000_000;
            let _ = write!(text, "; it was serving {}, begun {millis} ms before", begun.line);
        }
        let code = if exit.signalled { Code::WorkerKilled } else { Code::WorkerExited };
        self.log_pair(worker.pair, code, worker.pid, text);
        self.count_quick_death(worker, exit);
    }

    fn count_quick_death(&mut self, worker: &Worker, exit: &Exit) {
        let now = self.now;
        let quick = worker.ready_at.is_some_and(|ready| now < ready + QUICK);
        let steady = |other: &Worker| {
            other.state() == WorkerState::Ready
                && other.ready_at.is_some_and(|at| now >= at + QUICK)
        };
        let steady = self.workers_of(worker.pair).any(|(_, other)| steady(other));
        let Some(pair) = self.pairs.get_mut(&worker.pair) else { return };
        pair.quick_deaths = if quick && !steady { pair.quick_deaths + 1 } else { 0 };
        if pair.quick_deaths < QUICK_DEATHS {
            return;
        }
        let pause = back_off(pair.quick_deaths - QUICK_DEATHS + 1);
        let script = pair.mounts.first().map(|mount| mount.script.clone()).unwrap_or_default();
        let mtime = pair.mounts.first().map_or(0, |mount| mount.loaded);
        let summary = format!("the workers keep dying: {}", exit.cause);
        let text = format!(
            "{}: {} workers in a row died within a second of being ready ({}); the next one starts in {} s",
            pair.describe(),
            pair.quick_deaths,
            exit.cause,
            pause / 1_000
        );
        let (retry_at, look_at) = (now + pause, now + pause);
        pair.failure = Some(Failure { script, mtime, summary, retry_at, look_at });
        self.log_pair(worker.pair, Code::LoadBackOff, worker.pid, text);
    }
}
