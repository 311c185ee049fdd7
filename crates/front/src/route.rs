//! Which slots serve a mount, and which of them gets a request.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use pinion_wire::{
    board::{Board, Claim, Row, SlotState},
    message::{MountKey, Mounted, PairKey},
    request::Target,
};

/// A mount that the manager has told the slots of.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) key: MountKey,
    pub(crate) mounted: Mounted,
}

/// Whom a request had better not be given to.
#[derive(Debug, Default)]
pub(crate) struct Avoid {
    /// The slot that has just failed.
    pub(crate) failed: Option<usize>,
    /// Workers, by slot and epoch, that have not loaded what the request shall see.
    pub(crate) old: Vec<(usize, u32)>,
}

impl Avoid {
    /// How bad a choice a worker is; 0 for a good one.
    fn level(&self, slot: usize, epoch: u32) -> u8 {
        u8::from(self.failed == Some(slot)) + 2 * u8::from(self.old.contains(&(slot, epoch)))
    }
}

/// Why no slot took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// No worker is ready.
    NoneReady,
    /// As many requests run and wait as the group allows.
    Full,
    /// All threads of the ready workers are busy, and more workers are on their way: whoever is given to
    /// a worker now would wait for it even when another has come up.
    Soon,
}

impl Route {
    /// Counts a request at the ready slot with the fewest, when the backlog has room for it. `patient`: rather wait
    /// for a worker that is on its way than behind another request. Slots that `avoid` names are taken only if there is no
    /// other.
    pub(crate) fn claim(
        &self,
        board: Board<'_>,
        row: Option<Row<'_>>,
        patient: bool,
        avoid: &Avoid,
    ) -> Result<Claim, NoSlot> {
        let Mounted { processes, threads, backlog, .. } = self.mounted;
        // A slot may close between looking and claiming; then look again. Each round of that needs the
        // manager to have closed a slot, so a few rounds suffice.
        for _ in 0..8 {
            let (mut best, mut total, mut ready) = (None, 0, 0_u64);
            for index in self.slots() {
                let Some(slot) = board.slot(index) else { continue };
                let view = slot.view();
                if view.state != SlotState::Ready {
                    continue;
                }
                let count = slot.count();
                total += count;
                ready += 1;
                let rank = (avoid.level(index, view.epoch), count);
                if best.is_none_or(|(least, _)| rank < least) {
                    best = Some((rank, index));
                }
            }
            let Some(((_, least), index)) = best else { return Err(NoSlot::NoneReady) };
            if total >= ready * u64::from(threads) + u64::from(backlog) {
                return Err(NoSlot::Full);
            }
            if patient && least >= u64::from(threads) && ready < u64::from(processes) {
                return Err(NoSlot::Soon);
            }
            if let Some(claim) = Claim::take(board, row, index) {
                return Ok(claim);
            }
        }
        Err(NoSlot::NoneReady)
    }
}

impl Route {
    /// The numbers of the mount's slots.
    fn slots(&self) -> Range<usize> {
        let Mounted { first_slot, slots, .. } = self.mounted;
        first_slot as usize..(first_slot + slots) as usize
    }

    /// The workers that are ready now, each by its slot and epoch.
    pub(crate) fn ready(&self, board: Board<'_>) -> Vec<(usize, u32)> {
        let views = self.slots().filter_map(|index| Some((index, board.slot(index)?.view())));
        views
            .filter(|(_, view)| view.state == SlotState::Ready)
            .map(|(index, view)| (index, view.epoch))
            .collect()
    }

    /// How many requests are with the workers or on their way to them.
    pub(crate) fn in_flight(&self, board: Board<'_>) -> u64 {
        self.slots().filter_map(|index| board.slot(index)).map(|slot| slot.count()).sum()
    }

    /// Whether another worker than that of `slot` could begin a request at once.
    pub(crate) fn has_room_beside(&self, board: Board<'_>, slot: usize) -> bool {
        let threads = self.mounted.threads;
        self.slots().filter(|index| *index != slot).filter_map(|index| board.slot(index)).any(
            |other| other.view().state == SlotState::Ready && other.count() < u64::from(threads),
        )
    }
}

/// The routes that this process knows, by everything that tells mounts apart.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    known: RwLock<HashMap<Vec<u8>, Arc<Route>>>,
}

impl Routes {
    /// The route of a mount, if it is known.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Arc<Route>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Learns a route.
    pub(crate) fn learn(&self, name: Vec<u8>, route: Route) -> Arc<Route> {
        let route = Arc::new(route);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, Arc::clone(&route));
        route
    }

    /// Forgets a route, so that the manager is asked again.
    pub(crate) fn forget(&self, name: &[u8]) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// Writes what tells `target` from every other mount into `name`.
pub(crate) fn write_name(name: &mut Vec<u8>, target: &Target<'_>) {
    name.clear();
    for part in [target.process_group, target.application_group, target.callable] {
        name.extend_from_slice(part);
        name.push(0);
    }
    name.extend_from_slice(target.script);
}

/// The mount that a request's target names.
pub(crate) fn mount_key(target: &Target<'_>) -> MountKey {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    MountKey {
        pair: PairKey {
            process_group: text(target.process_group),
            application_group: text(target.application_group),
        },
        script: target.script.to_vec(),
        callable: text(target.callable),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use pinion_wire::{
        board::{self, SlotView},
        message::{Buffers, Timeouts},
    };

    const NOBODY: Avoid = Avoid { failed: None, old: Vec::new() };

    const TARGET: Target<'static> = Target {
        script: b"/a.wsgi",
        callable: b"application",
        process_group: b"g",
        application_group: b"",
    };

    fn route(backlog: u32) -> Route {
        let mounted = Mounted {
            mount: 0,
            first_slot: 2,
            slots: 3,
            processes: 2,
            threads: 1,
            backlog,
            timeouts: Timeouts::default(),
            buffers: Buffers::default(),
        };
        Route { key: mount_key(&TARGET), mounted }
    }

    #[test]
    fn the_ready_slot_with_the_fewest_requests_is_chosen() {
        let words: Vec<_> = (0..board::WORDS).map(|_| AtomicU64::new(0)).collect();
        let board = Board::new(&words).unwrap();
        let route = route(1);
        assert_eq!(route.claim(board, None, false, &NOBODY).unwrap_err(), NoSlot::NoneReady);
        for index in [1, 3, 4] {
            board.slot(index).unwrap().set(SlotView { state: SlotState::Ready, epoch: 1 });
        }
        let first = route.claim(board, None, false, &NOBODY).unwrap();
        let second = route.claim(board, None, false, &NOBODY).unwrap();
        assert_eq!((first.slot(), second.slot()), (3, 4), "slot 1 belongs to another pair");
        let third = route.claim(board, None, false, &NOBODY).unwrap();
        assert_eq!(route.claim(board, None, false, &NOBODY).unwrap_err(), NoSlot::Full);
        third.release(board, None);
        assert!(route.claim(board, None, false, &NOBODY).is_ok());
    }

    #[test]
    fn a_patient_request_waits_for_a_worker_that_comes_up() {
        let words: Vec<_> = (0..board::WORDS).map(|_| AtomicU64::new(0)).collect();
        let board = Board::new(&words).unwrap();
        let route = route(5);
        let ready = SlotView { state: SlotState::Ready, epoch: 1 };
        board.slot(2).unwrap().set(ready);
        let _first = route.claim(board, None, true, &NOBODY).unwrap();
        assert_eq!(route.in_flight(board), 1);
        assert_eq!(route.claim(board, None, true, &NOBODY).unwrap_err(), NoSlot::Soon);
        let _queued = route.claim(board, None, false, &NOBODY).unwrap();
        board.slot(3).unwrap().set(ready);
        assert_eq!(route.claim(board, None, true, &NOBODY).unwrap().slot(), 3);
        assert_eq!(route.claim(board, None, true, &NOBODY).unwrap().slot(), 3, "all are up: queue");
        assert_eq!(route.in_flight(board), 4);
    }

    #[test]
    fn a_slot_that_has_just_failed_is_the_last_choice() {
        let words: Vec<_> = (0..board::WORDS).map(|_| AtomicU64::new(0)).collect();
        let board = Board::new(&words).unwrap();
        let (route, ready) = (route(5), SlotView { state: SlotState::Ready, epoch: 1 });
        let failed = Avoid { failed: Some(2), ..NOBODY };
        board.slot(2).unwrap().set(ready);
        assert_eq!(route.claim(board, None, false, &failed).unwrap().slot(), 2, "no other");
        board.slot(3).unwrap().set(ready);
        let _busy = route.claim(board, None, false, &failed).unwrap();
        assert_eq!(route.claim(board, None, false, &failed).unwrap().slot(), 3);
    }

    #[test]
    fn a_worker_that_is_newer_comes_before_all_that_were_there() {
        let words: Vec<_> = (0..board::WORDS).map(|_| AtomicU64::new(0)).collect();
        let board = Board::new(&words).unwrap();
        let (route, ready) = (route(5), SlotView { state: SlotState::Ready, epoch: 1 });
        board.slot(2).unwrap().set(ready);
        board.slot(3).unwrap().set(ready);
        let avoid = Avoid { failed: None, old: route.ready(board) };
        assert_eq!(avoid.old, [(2, 1), (3, 1)]);
        assert_eq!(route.claim(board, None, false, &avoid).unwrap().slot(), 2, "better than none");
        board.slot(3).unwrap().set(SlotView { epoch: 2, ..ready });
        for _ in 0..3 {
            assert_eq!(route.claim(board, None, false, &avoid).unwrap().slot(), 3);
        }
    }

    #[test]
    fn room_beside_a_slot_is_a_ready_worker_with_a_free_thread() {
        let words: Vec<_> = (0..board::WORDS).map(|_| AtomicU64::new(0)).collect();
        let board = Board::new(&words).unwrap();
        let (route, ready) = (route(5), SlotView { state: SlotState::Ready, epoch: 1 });
        board.slot(2).unwrap().set(ready);
        assert!(!route.has_room_beside(board, 2));
        board.slot(3).unwrap().set(ready);
        assert!(route.has_room_beside(board, 2));
        let _busy = Claim::take(board, None, 3).unwrap();
        assert!(!route.has_room_beside(board, 2));
    }

    #[test]
    fn names_tell_mounts_apart() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        write_name(&mut one, &TARGET);
        write_name(&mut other, &Target { process_group: b"", application_group: b"g", ..TARGET });
        assert_ne!(one, other);
    }
}
