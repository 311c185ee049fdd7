//! What workers tell about their loading, and what follows for their pair.

use pinion_config::Code;
use pinion_wire::board::SlotState;
use pinion_wire::message::{Bit, RetireReason, StopReason};

use super::pair::{Failure, back_off, summary};
use super::worker::{Retiring, WorkerState};
use super::{Action, Core, PairId, Sight, WorkerId};

/// How soon a script that failed to load is looked at again, in milliseconds.
const LOOK: super::Millis = 250;

/// A load that failed.
#[derive(Clone, Debug)]
pub(super) struct FailedLoad {
    pub(super) code: Code,
    pub(super) pid: Option<u32>,
    pub(super) script: Vec<u8>,
    pub(super) mtime: u64,
    pub(super) reason: String,
}

impl Core {
    pub(super) fn spawned(&mut self, id: WorkerId, pid: u32) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.pid = Some(pid);
            worker.enter(WorkerState::Loading, self.now);
        }
    }

    pub(super) fn spawn_failed(&mut self, id: WorkerId, reason: String, sight: &dyn Sight) {
        let Some(worker) = self.workers.remove(&id) else { return };
        self.slots.empty(worker.slot, self.now);
        let (script, mtime) = self.first_script(worker.pair, sight);
        let code = Code::WorkerStartFailed;
        let failed = FailedLoad { code, pid: None, script, mtime, reason };
        self.load_failed(worker.pair, worker.set, failed, sight);
    }

    /// The script that stands for a pair whose loading failed before any script was read.
    pub(super) fn first_script(&self, id: PairId, sight: &dyn Sight) -> (Vec<u8>, u64) {
        let mount = self.pairs.get(&id).and_then(|pair| pair.mounts.first());
        let script = mount.map(|mount| mount.script.clone()).unwrap_or_default();
        let mtime = sight.mtime(&script);
        (script, mtime)
    }

    pub(super) fn bit(&mut self, id: WorkerId, bit: Bit, sight: &dyn Sight) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (pair, set, pid) = (worker.pair, worker.set, worker.pid);
        match bit {
            Bit::Ready { python, loaded } => {
                worker.loaded = loaded;
                self.ready(id, &python, sight);
            }
            Bit::LoadFailed { script, mtime, reason, warmup } => {
                let code = if warmup { Code::WarmupFailed } else { Code::LoadFailed };
                // It exits by itself; should it not, it is treated as one that was asked.
                if worker.epoch == 0 && worker.enter(WorkerState::Stopping, self.now) {
                    let failed = FailedLoad { code, pid, script, mtime, reason };
                    self.load_failed(pair, set, failed, sight);
                }
            }
            Bit::Loaded { script, mtime } => {
                worker.loaded.retain(|(known, _)| *known != script);
                worker.loaded.push((script.clone(), mtime));
                if self.pairs.get(&pair).is_some_and(|pair| pair.set == set) {
                    self.note_loaded(pair, &[(script, mtime)], false);
                }
            }
            Bit::Retire { reason } => {
                let (reason, said) = match reason {
                    RetireReason::MaximumRequests => {
                        (StopReason::MaximumRequests, "has served maximum-requests")
                    }
                    RetireReason::LoadAgain => {
                        (StopReason::ScriptReload, "shall load a script again")
                    }
                    RetireReason::Asked if worker.spec.timeouts.eviction > 0 => {
                        (StopReason::Eviction, "was asked to be replaced")
                    }
                    RetireReason::Asked => (StopReason::Graceful, "was asked to be replaced"),
                    RetireReason::CpuTime => (StopReason::CpuTimeLimit, "has used cpu-time-limit"),
                };
                self.retire(id, Retiring::WhenReplaced, reason, said, sight);
            }
            Bit::Changed { path, mtime } => {
                self.file_changed(pair, (path.into_bytes(), mtime), sight)
            }
            Bit::Leaving => {
                let text = format!("{} was told to stop by a signal", worker.describe());
                self.log_pair(pair, Code::WorkerRetired, pid, text);
                self.ask_to_stop(id);
                self.reconcile(pair, sight);
            }
            // The loop writes the text to the log.
            Bit::Log { .. } | Bit::Warn { .. } => {}
        }
    }

    fn ready(&mut self, id: WorkerId, python: &str, sight: &dyn Sight) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if !worker.enter(WorkerState::Ready, self.now) {
            return;
        }
        worker.epoch = self.slots.next_epoch(worker.slot);
        worker.ready_at = Some(self.now);
        let interval = worker.spec.timeouts.restart_interval;
        // Workers that were started together shall not all be replaced together.
        let spread = id.0.wrapping_mul(2_654_435_761) % 1_000;
        worker.restart_at = (interval > 0)
            .then(|| self.now + interval - interval / 10 + interval / 5 * spread / 1_000);
        let (slot, epoch, pair_id, set) = (worker.slot, worker.epoch, worker.pair, worker.set);
        let (pid, loaded, number) = (worker.pid, worker.loaded.clone(), worker.number);
        if !worker.spec.is_service() {
            self.actions.push(Action::SetSlot { slot, state: SlotState::Ready, epoch });
        }
        let Some(pair) = self.pairs.get(&pair_id) else { return };
        let is_to_be = pair.set == set;
        let text = format!("worker {number} of {} ready, Python {python}", pair.describe());
        self.log_pair(pair_id, Code::WorkerStarted, pid, text);
        self.tell_to_leave(id);
        if is_to_be {
            self.commit(pair_id, id, &loaded);
        }
        self.reconcile(pair_id, sight);
    }

    /// A worker of the set to be is ready: there is no way back to the one before.
    fn commit(&mut self, id: PairId, ready: WorkerId, loaded: &[(Vec<u8>, u64)]) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let set = pair.set;
        if let Some(fallback) = pair.fallback.take() {
            pair.discard(fallback.slots);
        }
        (pair.failure, pair.failures) = (None, 0);
        let others = self.workers_of(id).any(|(other, worker)| {
            other != ready && worker.set == set && worker.state() == WorkerState::Ready
        });
        self.note_loaded(id, loaded, !others);
        self.answer_set(id, set);
    }

    /// Notes which scripts ready workers have. What others have loaded before counts, unless `first`: then
    /// nobody else of the set is ready.
    fn note_loaded(&mut self, id: PairId, loaded: &[(Vec<u8>, u64)], first: bool) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        for mount in &mut pair.mounts {
            let found = loaded.iter().find(|(script, _)| *script == mount.script);
            if let Some((_, mtime)) = found
                && (first || mount.loaded == 0)
            {
                mount.loaded = *mtime;
                self.actions.push(Action::SetMtime { mount: mount.number, mtime: *mtime });
            }
        }
    }

    /// A worker of `set` could not load, or died while it did.
    pub(super) fn load_failed(
        &mut self,
        id: PairId,
        set: u64,
        failed: FailedLoad,
        sight: &dyn Sight,
    ) {
        let serving = self.has_ready(id);
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        if pair.set == set {
            match pair.fallback.take() {
                Some(fallback) if serving => self.revert(id, fallback, failed),
                fallback => {
                    if let Some(fallback) = fallback {
                        pair.discard(fallback.slots);
                    }
                    self.note_failure(id, failed, serving);
                }
            }
            self.close_overdue(id);
        }
        self.reconcile(id, sight);
    }

    /// Goes back to the workers that serve.
    fn revert(&mut self, id: PairId, fallback: super::pair::Fallback, failed: FailedLoad) {
        self.end_loading(id);
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let failed_set = pair.set;
        let given_up = std::mem::replace(&mut pair.slots, fallback.slots);
        pair.discard(given_up);
        (pair.set, pair.spec) = (fallback.set, fallback.spec);
        let text = format!(
            "{} failed to load anew, the workers of before go on: {}",
            pair.describe(),
            failed.reason.trim_end()
        );
        self.log_pair(id, Code::ReloadFailed, failed.pid, text);
        self.answer_set(id, failed_set);
    }

    fn note_failure(&mut self, id: PairId, failed: FailedLoad, serving: bool) {
        if !serving {
            self.end_loading(id);
        }
        let now = self.now;
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        pair.failures += 1;
        let summary = summary(&failed.reason);
        let known = pair.failure.as_ref().is_some_and(|before| before.summary == summary);
        let watched = pair.configured.http.as_ref().is_some_and(|http| http.watch.is_some());
        // Whoever is just writing the application waits for it.
        let retry_at = now + if watched { back_off(1) } else { back_off(pair.failures) };
        let (script, mtime) = (failed.script, failed.mtime);
        let text = if known {
            format!("{} still does not load: {summary}", pair.describe())
        } else {
            format!("{} failed to load: {}", pair.describe(), early(failed.reason.trim_end()))
        };
        pair.failure = Some(Failure { script, mtime, summary, retry_at, look_at: now + LOOK });
        // Who is told, logs it: in the log of the virtual host that the request was for.
        if !self.answer_failed(id, Some(failed.reason)) {
            let code = if known { Code::LoadBackOff } else { failed.code };
            self.log_pair(id, code, failed.pid, text);
        }
    }
}

/// The reason, with the codes that mod_wsgi has for scripts that no request has asked for.
fn early(reason: &str) -> String {
    let codes =
        [("WSGI0105: ", "WSGI0106: "), ("WSGI0107: ", "WSGI0108: "), ("WSGI0109: ", "WSGI0110: ")];
    let other = codes
        .iter()
        .find_map(|(asked, early)| reason.strip_prefix(asked).map(|rest| format!("{early}{rest}")));
    other.unwrap_or_else(|| reason.to_owned())
}
