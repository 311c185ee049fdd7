//! What Apache's children ask through the door.

use std::rc::Rc;

use pinion_wire::board::ROWS;
use pinion_wire::message::{AcquireReply, MountKey, PairKey, Until};

use super::pair::{Leaving, Mount, Pair, Waiting, slots_for};
use super::worker::WorkerState;
use super::{Action, Child, ChildId, Core, PairId, Sight, WaiterId};

/// How many application groups a process group may have at a time.
const PAIRS_OF_A_GROUP: usize = 64;

/// Why a mount has no place on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    UnknownGroup,
    Full,
}

impl From<NoPlace> for AcquireReply {
    fn from(reason: NoPlace) -> Self {
        match reason {
            NoPlace::UnknownGroup => Self::UnknownGroup,
            NoPlace::Full => Self::Full,
        }
    }
}

impl Core {
    pub(super) fn hello(&mut self, child: ChildId, pid: u32, generation: u32) {
        // A child that an earlier manager gave a row still has requests counted there.
        let own = self.rows.iter().find(|(_, owner)| **owner == pid).map(|(row, _)| *row);
        let taken = |row| {
            self.rows.contains_key(&row)
                || self.children.values().any(|child| child.row == Some(row))
        };
        let free = || (0..ROWS).filter_map(|row| u32::try_from(row).ok()).find(|row| !taken(*row));
        let row = own.or_else(free);
        if let Some(row) = row {
            self.rows.remove(&row);
            self.actions.push(Action::OwnRow(row, pid));
        }
        self.children.insert(child, Child { generation, row });
        self.actions.push(Action::ReplyHello(child, row));
    }

    pub(super) fn child_gone(&mut self, child: ChildId, sight: &dyn Sight) {
        if let Some(Child { row: Some(row), .. }) = self.children.remove(&child) {
            self.actions.push(Action::ForgetRow(row));
        }
        self.slot_numbers.child_gone(child);
        self.mount_numbers.child_gone(child);
        self.reconcile_all(sight);
    }

    pub(super) fn opened(&mut self, waiter: WaiterId, slot: u32, epoch: u32) {
        let id = self.slots.worker(slot);
        let worker = id.and_then(|id| Some((id, self.workers.get_mut(&id)?)));
        let serving = |state| matches!(state, WorkerState::Ready | WorkerState::Closing);
        let action = match worker {
            Some((id, worker)) if worker.epoch == epoch && serving(worker.state()) => {
                worker.connections = worker.connections.wrapping_add(1);
                Action::Connect { worker: id, connection: worker.connections, waiter }
            }
            _ => Action::Refuse(waiter, "the worker has gone"),
        };
        self.actions.push(action);
    }

    pub(super) fn acquired(
        &mut self,
        waiter: WaiterId,
        mount: &MountKey,
        until: Until,
        sight: &dyn Sight,
    ) {
        if self.stopping.is_some() {
            return self.reply(waiter, AcquireReply::Stopping);
        }
        let (id, place) = match self.mount_for(mount, sight) {
            Ok(found) => found,
            Err(reason) => return self.reply(waiter, reason.into()),
        };
        let ready = self.has_ready(id);
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        (pair.used.0, pair.asleep) = (self.now, false);
        match pair.leaving {
            Some(Leaving::Removed { .. }) if !ready => {
                return self.reply(waiter, AcquireReply::UnknownGroup);
            }
            Some(Leaving::Evicted) if !ready => return self.reply(waiter, AcquireReply::Full),
            _ => {}
        }
        if pair.spec.is_service() {
            return self.reply(waiter, AcquireReply::NoThreads);
        }
        pair.waiting.push(Waiting { waiter, mount: place, until, set: 0 });
        match until {
            Until::Changed(mtime) if ready && pair.leaving.is_none() => {
                self.script_changed(id, place, mtime, sight);
            }
            Until::Changed(_) if ready => self.answer_mounted(id),
            Until::Replaced { slot, epoch } if ready => self.replace_one(id, slot, epoch, sight),
            Until::Ready if ready => self.answer_ready(id),
            Until::Changed(_) | Until::Replaced { .. } => self.retry_now(id),
            Until::Ready => self.answer_if_failed(id, sight),
        }
        self.reconcile(id, sight);
    }

    /// The pair and the place in it of a mount; both are made when they are new.
    pub(super) fn mount_for(
        &mut self,
        mount: &MountKey,
        sight: &dyn Sight,
    ) -> Result<(PairId, usize), NoPlace> {
        let id = match self.pair_of(&mount.pair) {
            Some(id) => id,
            None => self.new_pair(&mount.pair, sight)?,
        };
        let found = self.pairs.get(&id).and_then(|pair| pair.find(&mount.script, &mount.callable));
        if let Some(place) = found {
            return Ok((id, place));
        }
        let number = self.mount_numbers.take(1).ok_or(NoPlace::Full)?.start;
        let pair = self.pairs.get_mut(&id).ok_or(NoPlace::Full)?;
        pair.mounts.push(Mount {
            script: mount.script.clone(),
            callable: mount.callable.clone(),
            number,
            loaded: 0,
        });
        let place = pair.mounts.len() - 1;
        // The number may have belonged to a mount of before.
        self.actions.push(Action::SetMtime { mount: number, mtime: 0 });
        // A script that does not load says nothing about another one.
        self.retry_now(id);
        Ok((id, place))
    }

    fn new_pair(&mut self, key: &PairKey, sight: &dyn Sight) -> Result<PairId, NoPlace> {
        let spec = self.group(&key.process_group).ok_or(NoPlace::UnknownGroup)?.clone();
        let staying =
            |pair: &&Pair| pair.key.process_group == key.process_group && pair.leaving.is_none();
        if self.pairs.values().filter(staying).count() >= PAIRS_OF_A_GROUP
            && !self.evict_one(&key.process_group, sight)
        {
            return Err(NoPlace::Full);
        }
        let slots = self.take_slots(slots_for(spec.processes)).ok_or(NoPlace::Full)?;
        let (id, set) = (PairId(self.next_id()), self.next_id());
        let mut pair = Pair::new(key.clone(), Rc::new(spec), slots, set);
        pair.used.0 = self.now;
        self.pairs.insert(id, pair);
        Ok(id)
    }

    /// Lets go of the pair of the group that has not been used for the longest time; false when all are busy.
    fn evict_one(&mut self, group: &str, sight: &dyn Sight) -> bool {
        let idle = |pair: &Pair| {
            pair.key.process_group == group
                && pair.leaving.is_none()
                && !pair.preloaded
                && pair.waiting.is_empty()
                && !pair.slots.clone().any(|slot| sight.in_flight(slot) > 0)
        };
        let idle = self.pairs.iter_mut().filter(|(_, pair)| idle(pair));
        let Some((id, pair)) = idle.min_by_key(|(_, pair)| pair.used.0) else { return false };
        let id = *id;
        pair.leaving = Some(Leaving::Evicted);
        self.reconcile(id, sight);
        true
    }

    pub(super) fn reply(&mut self, waiter: WaiterId, reply: AcquireReply) {
        self.actions.push(Action::ReplyAcquire(waiter, reply));
    }

    /// Answers all who wait for the pair that it is served.
    pub(super) fn answer_mounted(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        for waiting in std::mem::take(&mut pair.waiting) {
            let reply = AcquireReply::Mounted(pair.mounted(waiting.mount));
            self.actions.push(Action::ReplyAcquire(waiting.waiter, reply));
        }
    }

    /// A set has loaded, or failed to: answers all for whom it was good enough, and begins the next one for the others.
    pub(super) fn answer_set(&mut self, id: PairId, set: u64) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let (done, rest): (Vec<_>, _) =
            std::mem::take(&mut pair.waiting).into_iter().partition(|waiting| waiting.set <= set);
        pair.waiting = rest;
        let next = pair.next_change.take().filter(|_| !pair.waiting.is_empty());
        for waiting in done {
            let reply = AcquireReply::Mounted(pair.mounted(waiting.mount));
            self.actions.push(Action::ReplyAcquire(waiting.waiter, reply));
        }
        if let Some(change) = next {
            self.begin_set(id, Some(change));
        } else {
            self.answer_mounted(id);
        }
    }

    /// Answers those who only wait for a ready worker; those who wait for a change go on waiting.
    pub(super) fn answer_ready(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let (ready, rest) = std::mem::take(&mut pair.waiting)
            .into_iter()
            .partition(|waiting| waiting.until == Until::Ready);
        pair.waiting = rest;
        let ready: Vec<Waiting> = ready;
        for waiting in ready {
            let reply = AcquireReply::Mounted(pair.mounted(waiting.mount));
            self.actions.push(Action::ReplyAcquire(waiting.waiter, reply));
        }
    }

    /// Answers all who wait that the pair cannot be loaded; the first of them gets `detail`.
    /// False when nobody waited.
    pub(super) fn answer_failed(&mut self, id: PairId, mut detail: Option<String>) -> bool {
        let Some(pair) = self.pairs.get_mut(&id) else { return false };
        let Some(failure) = &pair.failure else { return false };
        let retry_ms = failure.retry_at.saturating_sub(self.now);
        let waiting = std::mem::take(&mut pair.waiting);
        let anyone = !waiting.is_empty();
        for waiting in waiting {
            let reply = AcquireReply::Failed { detail: detail.take(), retry_ms };
            self.actions.push(Action::ReplyAcquire(waiting.waiter, reply));
        }
        anyone
    }

    /// Tells those who ask while the pair rests from a failure what that was, unless the script has changed since.
    fn answer_if_failed(&mut self, id: PairId, sight: &dyn Sight) {
        let loading = self.workers_of(id).any(|(_, worker)| worker.state().is_live());
        let Some(pair) = self.pairs.get(&id) else { return };
        let Some(failure) = &pair.failure else { return };
        if loading || self.now >= failure.retry_at {
            return;
        }
        if sight.mtime(&failure.script) == failure.mtime {
            let summary = failure.summary.clone();
            self.answer_failed(id, Some(summary));
        } else {
            self.retry_now(id);
        }
    }

    pub(super) fn retry_now(&mut self, id: PairId) {
        if let Some(failure) = self.pairs.get_mut(&id).and_then(|pair| pair.failure.as_mut()) {
            failure.retry_at = self.now;
        }
    }
}
