//! Which workers to start, which to close, and how they are ended.

use std::rc::Rc;

use pinion_config::Code;
use pinion_wire::board::SlotState;
use pinion_wire::message::{GroupSpec, Rein, StartSpec, StopReason};

use super::pair::{Fallback, Leaving, Pair, slots_for};
use super::worker::{Retiring, Worker, WorkerState};
use super::{Action, Core, EndSignal, Millis, Order, PairId, Sight, WorkerId};

/// How long a worker that is being replaced may finish its requests where graceful-timeout gives no limit.
const GRACEFUL: Millis = 15_000;

/// How long a worker that is being replaced may finish its requests.
pub(super) fn drain_time(worker: &Worker) -> Millis {
    let eviction = worker.spec.timeouts.eviction;
    if worker.reason == StopReason::Eviction && eviction > 0 {
        return eviction;
    }
    graceful_time(&worker.spec)
}

/// How long a worker of the group may finish its requests.
pub(super) fn graceful_time(spec: &GroupSpec) -> Millis {
    if spec.timeouts.graceful == 0 { GRACEFUL } else { spec.timeouts.graceful }
}

/// How long a worker of the group may take to stop.
pub(super) fn shutdown_time(spec: &GroupSpec) -> Millis {
    spec.timeouts.shutdown_ms()
}

/// A time as the operator wrote it, in seconds.
pub(super) fn seconds(millis: Millis) -> String {
    if millis.is_multiple_of(1_000) {
        (millis / 1_000).to_string()
    } else {
        format!("{}.{:03}", millis / 1_000, millis % 1_000)
    }
}

impl Core {
    pub(super) fn reconcile_all(&mut self, sight: &dyn Sight) {
        let pairs: Vec<_> = self.pairs.keys().copied().collect();
        for pair in pairs {
            self.reconcile(pair, sight);
        }
    }

    /// Brings a pair nearer to what it should be: enough workers of its set, none that are too many.
    pub(super) fn reconcile(&mut self, id: PairId, sight: &dyn Sight) {
        if self.stopping.is_some() {
            return;
        }
        self.give_up_slots(id);
        let Some(pair) = self.pairs.get(&id) else { return };
        match pair.leaving {
            Some(leaving) => self.leave(id, leaving),
            None => {
                self.start_missing(id, sight);
                self.close_surplus(id);
            }
        }
    }

    /// How many workers of its set a pair has or starts, and how many it shall have now.
    pub(super) fn live_and_wanted(&self, id: PairId, pair: &Pair) -> (usize, usize) {
        let (mut live, mut ready) = (0, 0);
        for (_, worker) in self.workers_of(id).filter(|(_, worker)| worker.is_current(pair.set)) {
            live += usize::from(worker.state().is_live());
            ready += usize::from(worker.state() == WorkerState::Ready);
        }
        (live, pair.wanted(ready, self.now))
    }

    fn start_missing(&mut self, id: PairId, sight: &dyn Sight) {
        while let Some(pair) = self.pairs.get(&id) {
            let (live, wanted) = self.live_and_wanted(id, pair);
            let slot = self.slots.free_in(&pair.slots, self.now, sight);
            match slot {
                Some(slot) if live < wanted && !pair.mounts.is_empty() => {
                    self.start(id, slot, sight)
                }
                _ => return,
            }
        }
    }

    fn start(&mut self, id: PairId, slot: usize, sight: &dyn Sight) {
        let worker = WorkerId(self.next_id());
        let nobody_serves = !self.has_ready(id);
        let taken: Vec<u32> = self.workers_of(id).map(|(_, worker)| worker.number).collect();
        let number = (1..).find(|number| !taken.contains(number)).unwrap_or(0);
        let Some(pair) = self.pairs.get(&id) else { return };
        let server = usize::try_from(pair.configured.server).ok();
        let server = server.and_then(|server| self.settings.servers.get(server));
        let start = StartSpec {
            group: (*pair.spec).clone(),
            application_group: pair.key.application_group.clone(),
            number,
            mounts: pair.start_mounts(nobody_serves, sight),
            server_name: server.map(|server| server.name.clone()).unwrap_or_default(),
            apache: self.settings.apache.clone(),
        };
        let spec = Rc::clone(&pair.spec);
        self.workers.insert(worker, Worker::new(id, pair.set, number, slot, spec, self.now));
        self.slots.occupy(slot, worker);
        self.actions.push(Action::Spawn(Box::new(Order { worker, start })));
    }

    /// Closes ready workers that the set's own have replaced: one old one for each new one.
    fn close_surplus(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get(&id) else { return };
        let (mut new, mut old) = (0, Vec::new());
        for (worker_id, worker) in self.workers_of(id) {
            match worker.state() {
                WorkerState::Ready if worker.is_current(pair.set) => new += 1,
                WorkerState::Ready => old.push(worker_id),
                _ => {}
            }
        }
        let surplus = (old.len() + new).saturating_sub(pair.processes());
        let changed = pair.changed.is_some();
        if new > 0 && pair.fallback.is_none() {
            for id in old.into_iter().take(surplus) {
                if let Some(worker) = self.workers.get_mut(&id).filter(|_| changed)
                    && worker.reason == StopReason::Shutdown
                {
                    worker.reason = StopReason::ScriptReload;
                }
                self.close(id);
            }
        }
    }

    fn leave(&mut self, id: PairId, leaving: Leaving) {
        let due = match leaving {
            Leaving::Evicted => true,
            Leaving::Removed { generation, by } => {
                self.now >= by || self.children.values().all(|child| child.generation >= generation)
            }
        };
        if !due {
            return;
        }
        self.end_loading(id);
        let workers: Vec<_> = self.workers_of(id).map(|(worker, _)| worker).collect();
        if workers.is_empty() {
            self.forget_pair(id);
        }
        for worker in workers {
            self.close(worker);
        }
    }

    fn forget_pair(&mut self, id: PairId) {
        let children = self.child_set();
        let Some(pair) = self.pairs.remove(&id) else { return };
        for waiting in pair.waiting {
            self.reply(waiting.waiter, pinion_wire::message::AcquireReply::UnknownGroup);
        }
        let fallback =
            pair.fallback.map(|fallback| fallback.slots).filter(|slots| *slots != pair.slots);
        for slots in pair.old_slots.into_iter().chain([pair.slots]).chain(fallback) {
            self.slot_numbers.give_back(slots, &children);
        }
        for mount in pair.mounts {
            self.mount_numbers.give_back(mount.number..mount.number + 1, &children);
        }
    }

    /// Gives up the slots of an earlier configuration that are empty.
    fn give_up_slots(&mut self, id: PairId) {
        let children = self.child_set();
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        for slots in std::mem::take(&mut pair.old_slots) {
            if self.slots.any_in(&slots) {
                pair.old_slots.push(slots);
            } else {
                self.slot_numbers.give_back(slots, &children);
            }
        }
    }

    /// Starts a new set of workers with what is configured now, beside those that serve.
    pub(super) fn begin_set(&mut self, id: PairId, changed: Option<(Vec<u8>, u64)>) {
        let serving = self.has_ready(id);
        let set = self.next_id();
        self.end_loading(id);
        let Some(pair) = self.pairs.get(&id) else { return };
        let wanted = slots_for(pair.configured.processes);
        let fallback = pair.fallback.as_ref().map(|fallback| &fallback.slots);
        let current = pair.slots.clone();
        let present = [Some(&current), fallback].into_iter().flatten();
        let fitting = present.into_iter().find(|slots| slots.len() == wanted).cloned();
        // When there is no room for more, those that there are must do.
        let slots = fitting.or_else(|| self.take_slots(wanted)).unwrap_or(current);
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let before =
            Fallback { set: pair.set, spec: Rc::clone(&pair.spec), slots: pair.slots.clone() };
        let kept = pair.fallback.take().unwrap_or_else(|| before.clone());
        let not_needed = [before.slots, kept.slots.clone()];
        pair.fallback = serving.then_some(kept);
        (pair.set, pair.slots, pair.changed) = (set, slots, changed);
        pair.next_change = None;
        (pair.spec, pair.failure, pair.failures) = (Rc::clone(&pair.configured), None, 0);
        not_needed.into_iter().for_each(|slots| pair.discard(slots));
    }

    /// A script's change was reported while workers serve.
    pub(super) fn script_changed(
        &mut self,
        id: PairId,
        place: usize,
        mtime: u64,
        sight: &dyn Sight,
    ) {
        let Some(pair) = self.pairs.get(&id) else { return };
        let Some(mount) = pair.mounts.get(place) else { return };
        let change = (mount.script.clone(), mtime);
        if pair.fallback.is_none() && mount.loaded == mtime {
            self.answer_mounted(id);
        } else if pair.fallback.is_some() {
            // A load is under way. It is let come to its end, or changes that come faster than loads would keep
            // whoever reported the first one waiting for ever.
            self.wait_for_next_set(id, change);
        } else {
            let script = String::from_utf8_lossy(&mount.script);
            let text = format!("{script} has changed, new workers of {} load it", pair.describe());
            self.log_pair(id, Code::ScriptChanged, None, text);
            self.begin_set(id, Some(change));
            self.reconcile(id, sight);
        }
    }

    /// A file that the application has loaded has changed: a set that loads it now may have read it before, so another begins. What
    /// several workers see counts once.
    pub(super) fn file_changed(&mut self, id: PairId, change: (Vec<u8>, u64), sight: &dyn Sight) {
        let Some(pair) = self.pairs.get(&id) else { return };
        if pair.changed.as_ref() == Some(&change) || pair.leaving.is_some() {
            return;
        }
        let path = String::from_utf8_lossy(&change.0);
        let text = format!("{path} has changed, new workers of {} load it", pair.describe());
        self.log_pair(id, Code::ScriptChanged, None, text);
        self.begin_set(id, Some(change));
        self.reconcile(id, sight);
    }

    /// A worker's script wants to be loaded anew.
    pub(super) fn replace_one(&mut self, id: PairId, slot: u32, epoch: u32, sight: &dyn Sight) {
        let worker = self.slots.worker(slot).filter(|worker| {
            self.workers.get(worker).is_some_and(|worker| {
                worker.pair == id && worker.epoch == epoch && worker.state() == WorkerState::Ready
            })
        });
        match worker {
            Some(worker) => {
                self.retry_now(id);
                let said = "is to load its script anew";
                let reason = StopReason::ScriptReload;
                self.retire(worker, Retiring::WhenReplaced, reason, said, sight);
            }
            // It was replaced already.
            None => self.answer_mounted(id),
        }
    }

    /// Has the last of those who wait wait on: for the set that loads now if it is for the same change, or else the next one.
    fn wait_for_next_set(&mut self, id: PairId, change: (Vec<u8>, u64)) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let known = pair.changed.as_ref() == Some(&change);
        let set = if known { pair.set } else { pair.set + 1 };
        if let Some(waiting) = pair.waiting.last_mut() {
            waiting.set = set;
        }
        if !known {
            pair.next_change = Some(change);
        }
    }

    /// Has a ready worker replaced.
    pub(super) fn retire(
        &mut self,
        id: WorkerId,
        how: Retiring,
        reason: StopReason,
        said: &str,
        sight: &dyn Sight,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.state() != WorkerState::Ready || worker.retiring == Some(how) {
            return;
        }
        // That a request takes too long was said already.
        let first = worker.retiring.is_none() && how == Retiring::WhenReplaced;
        (worker.retiring, worker.reason) = (Some(how), reason);
        let (pair, pid) = (worker.pair, worker.pid);
        if first {
            let text = format!("{} {said}; another takes its place", worker.describe());
            self.log_pair(pair, Code::WorkerRetired, pid, text);
        }
        self.reconcile(pair, sight);
    }

    /// Closes workers that shall not wait for their replacement any longer.
    pub(super) fn close_overdue(&mut self, id: PairId) {
        let overdue = |worker: &Worker| matches!(worker.retiring, Some(Retiring::Until(_)));
        let overdue: Vec<_> = self
            .workers_of(id)
            .filter(|(_, worker)| overdue(worker))
            .map(|(worker, _)| worker)
            .collect();
        for worker in overdue {
            self.close(worker);
        }
    }

    /// Lets a ready worker finish what it has; nothing new is sent to it.
    pub(super) fn close(&mut self, id: WorkerId) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.enter(WorkerState::Closing, now) {
            let (slot, epoch) = (worker.slot, worker.epoch);
            let has_front_door = worker.spec.http.is_some();
            self.actions.push(Action::SetSlot { slot, state: SlotState::Closing, epoch });
            if has_front_door {
                self.actions.push(Action::Rein(id, Rein::Drain));
            }
        }
    }

    /// Ends the workers of a pair that load.
    pub(super) fn end_loading(&mut self, id: PairId) {
        let loads = |worker: &Worker| worker.state().is_live() && worker.epoch == 0;
        let loading: Vec<_> = self
            .workers_of(id)
            .filter(|(_, worker)| loads(worker))
            .map(|(worker, _)| worker)
            .collect();
        for worker in loading {
            self.signal(worker, EndSignal::Kill);
        }
    }

    /// Asks a worker to stop, whatever it does.
    pub(super) fn ask_to_stop(&mut self, id: WorkerId) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (was, reason) = (worker.state(), worker.reason);
        let service = worker.spec.is_service();
        if worker.enter(WorkerState::Stopping, now) {
            if was == WorkerState::Ready {
                let (slot, epoch) = (worker.slot, worker.epoch);
                self.actions.push(Action::SetSlot { slot, state: SlotState::Closing, epoch });
            }
            self.actions.push(Action::Rein(id, Rein::Stop(reason)));
            if service {
                // Its script runs in the main thread, or has become a program that knows no reins.
                self.actions.push(Action::Signal(id, EndSignal::Term));
            }
        }
    }

    /// Ends a worker by a signal.
    pub(super) fn signal(&mut self, id: WorkerId, signal: EndSignal) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (slot, epoch, was) = (worker.slot, worker.epoch, worker.state());
        let next = match signal {
            EndSignal::Term => WorkerState::Terminating,
            EndSignal::Kill => WorkerState::Killing,
        };
        if worker.enter(next, now) {
            if was == WorkerState::Ready {
                self.actions.push(Action::SetSlot { slot, state: SlotState::Closing, epoch });
            }
            self.actions.push(Action::Signal(id, signal));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_they_were_written() {
        assert_eq!((seconds(60_000), seconds(500)), ("60".to_owned(), "0.500".to_owned()));
    }
}
