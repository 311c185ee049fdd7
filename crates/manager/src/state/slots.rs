//! The board's slots and mount numbers: who has which, and when they may be given to others.
//!
//! Apache's children remember which slots and which mount number a mount has. So a number
//! that was given up is not given to another pair before all children that may remember it have gone.

use std::collections::BTreeSet;
use std::ops::Range;

use pinion_wire::board::{MOUNTS, SLOTS};

use super::{ChildId, Millis, Sight, WorkerId};

/// How long a dead worker's slot rests when Apache's children keep counting requests at it, in milliseconds.
const REST: Millis = 5_000;

/// Numbers below a limit, given out in ranges.
#[derive(Debug)]
pub struct Numbers {
    used: Vec<bool>,
    resting: Vec<(Range<usize>, BTreeSet<ChildId>)>,
}

impl Numbers {
    /// The board's slots.
    #[must_use]
    pub fn slots() -> Self {
        Self { used: vec![false; SLOTS], resting: Vec::new() }
    }

    /// The board's mounts.
    #[must_use]
    pub fn mounts() -> Self {
        Self { used: vec![false; MOUNTS], resting: Vec::new() }
    }

    /// Takes `count` numbers in a row, if there are as many.
    pub fn take(&mut self, count: usize) -> Option<Range<usize>> {
        let start = self.used.windows(count.max(1)).position(|window| !window.contains(&true))?;
        let range = start..start + count;
        self.used[range.clone()].fill(true);
        Some(range)
    }

    /// Keeps a number from being given out.
    pub fn reserve(&mut self, number: usize) {
        if let Some(used) = self.used.get_mut(number) {
            *used = true;
        }
    }

    /// Gives numbers back, to rest until none of `children` is left.
    pub fn give_back(&mut self, range: Range<usize>, children: &BTreeSet<ChildId>) {
        self.resting.push((range, children.clone()));
        self.release();
    }

    /// Notes that a child has gone.
    pub fn child_gone(&mut self, child: ChildId) {
        for (_, children) in &mut self.resting {
            children.remove(&child);
        }
        self.release();
    }

    fn release(&mut self) {
        let used = &mut self.used;
        self.resting.retain(|(range, children)| {
            if children.is_empty() {
                used[range.clone()].fill(false);
            }
            !children.is_empty()
        });
    }
}

/// What is known of a slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    worker: Option<WorkerId>,
    epoch: u32,
    emptied: Option<Millis>,
}

/// Which worker each slot holds.
#[derive(Debug)]
pub struct Slots(Vec<Slot>);

impl Default for Slots {
    fn default() -> Self {
        Self(vec![Slot::default(); SLOTS])
    }
}

impl Slots {
    /// Goes on from the epochs that the board shows, slot by slot.
    pub fn continue_from(&mut self, epochs: impl Iterator<Item = u32>) {
        for (slot, epoch) in self.0.iter_mut().zip(epochs) {
            slot.epoch = epoch;
        }
    }

    /// A slot of `range` that holds no worker and at which nobody counts requests of a dead one any more.
    #[must_use]
    pub fn free_in(&self, range: &Range<usize>, now: Millis, sight: &dyn Sight) -> Option<usize> {
        range.clone().find(|index| {
            let rested = |since| now >= since + REST || sight.in_flight(*index) == 0;
            self.0[*index].worker.is_none() && self.0[*index].emptied.is_none_or(rested)
        })
    }

    /// Puts a worker into a slot.
    pub fn occupy(&mut self, index: usize, worker: WorkerId) {
        self.0[index].worker = Some(worker);
    }

    /// Begins a new epoch of a slot, whose number is returned; never 0.
    pub fn next_epoch(&mut self, index: usize) -> u32 {
        let slot = &mut self.0[index];
        slot.epoch = slot.epoch.checked_add(1).unwrap_or(1);
        slot.epoch
    }

    /// Takes the dead worker out of its slot.
    pub fn empty(&mut self, index: usize, now: Millis) {
        self.0[index].worker = None;
        self.0[index].emptied = Some(now);
    }

    /// The worker in slot number `index`, which may be any number.
    #[must_use]
    pub fn worker(&self, index: u32) -> Option<WorkerId> {
        self.0.get(usize::try_from(index).ok()?)?.worker
    }

    /// Whether a slot of the range holds a worker.
    #[must_use]
    pub fn any_in(&self, range: &Range<usize>) -> bool {
        self.0[range.clone()].iter().any(|slot| slot.worker.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;

    #[test]
    fn numbers_rest_until_all_who_may_remember_them_have_gone() {
        let mut numbers = Numbers::slots();
        let first = numbers.take(1000).unwrap();
        assert_eq!(first, 0..1000);
        assert_eq!(numbers.take(30), None);
        let rest = numbers.take(24).unwrap();
        let children = BTreeSet::from([ChildId(1), ChildId(2)]);
        numbers.give_back(first, &children);
        numbers.child_gone(ChildId(1));
        assert_eq!(numbers.take(1), None);
        numbers.child_gone(ChildId(2));
        assert_eq!(numbers.take(4), Some(0..4));
        numbers.give_back(rest, &BTreeSet::new());
        assert_eq!(numbers.take(1020), Some(4..1024));
    }

    #[test]
    fn a_slot_rests_while_requests_are_counted_at_it() {
        let (mut slots, mut world) = (Slots::default(), World::default());
        assert_eq!(slots.free_in(&(7..8), 0, &world), Some(7));
        slots.occupy(7, WorkerId(1));
        assert_eq!((slots.worker(7), slots.worker(u32::MAX)), (Some(WorkerId(1)), None));
        assert_eq!(slots.free_in(&(7..8), 0, &world), None);
        world.in_flight.insert(7, 2);
        slots.empty(7, 1000);
        assert_eq!(slots.free_in(&(7..8), 1001, &world), None);
        assert_eq!(slots.free_in(&(7..8), 1000 + REST, &world), Some(7));
        world.in_flight.clear();
        assert_eq!(slots.free_in(&(7..8), 1001, &world), Some(7));
        assert_eq!((slots.next_epoch(7), slots.next_epoch(7)), (1, 2));
    }
}
