//! The shared page of worker slots and mounts that Apache's children and the manager share.
//!
//! The page is an array of 64-bit words; this module says which word means what and does the
//! atomic operations. Mapping it is `pinion-unix`'s.
//!
//! Children write it too, so the manager treats what it reads as hints and never indexes by it.
//! All operations are sequentially consistent: that the manager sees a count of zero *after* it marked
//! a slot as closing must mean that no child will send to it any more.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How many worker slots there are.
pub const SLOTS: usize = 1024;
/// How many mounts there are.
pub const MOUNTS: usize = 1024;
/// How many front-door processes can have a row of counts.
pub const ROWS: usize = 512;

const WORDS_PER_SLOT: usize = 8; // one cache line each
const WORDS_PER_MOUNT: usize = 8;
const HEADER: usize = 8;
const SLOTS_AT: usize = HEADER;
const MOUNTS_AT: usize = SLOTS_AT + SLOTS * WORDS_PER_SLOT;
const ROWS_AT: usize = MOUNTS_AT + MOUNTS * WORDS_PER_MOUNT;

const OWNERS_AT: usize = ROWS_AT + ROWS * SLOTS;

/// Length of the page in words.
pub const WORDS: usize = OWNERS_AT + ROWS;

/// What a slot is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SlotState {
    /// No worker, or one that is not ready yet.
    Empty = 0,
    /// Send requests here.
    Ready = 1,
    /// Send nothing new here.
    Closing = 2,
}

/// One state of a slot: which worker it holds and whether that takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotView {
    /// Whether the worker takes requests.
    pub state: SlotState,
    /// Counts the workers that the slot has held: a connection belongs to one epoch.
    pub epoch: u32,
}

impl SlotView {
    fn pack(self) -> u64 {
        u64::from(self.epoch) << 8 | self.state as u64
    }

    fn unpack(word: u64) -> Self {
        let state = match word as u8 {
            1 => SlotState::Ready,
            2 => SlotState::Closing,
            _ => SlotState::Empty,
        };
        Self { state, epoch: (word >> 8) as u32 }
    }
}

/// The page.
#[derive(Clone, Copy, Debug)]
pub struct Board<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Board<'a> {
    /// Wraps the page's words; `None` when there are fewer than [`WORDS`].
    #[must_use]
    pub fn new(words: &'a [AtomicU64]) -> Option<Self> {
        Some(Self { words: words.get(..WORDS)? })
    }

    /// Slot number `index`, below [`SLOTS`].
    #[must_use]
    pub fn slot(&self, index: usize) -> Option<Slot<'a>> {
        let at = SLOTS_AT + index * WORDS_PER_SLOT;
        (index < SLOTS).then(|| Slot { words: &self.words[at..at + WORDS_PER_SLOT] })
    }

    /// Mount number `index`, below [`MOUNTS`].
    #[must_use]
    pub fn mount(&self, index: usize) -> Option<Mount<'a>> {
        let at = MOUNTS_AT + index * WORDS_PER_MOUNT;
        (index < MOUNTS).then(|| Mount { words: &self.words[at..at + WORDS_PER_MOUNT] })
    }

    /// The row in which front-door process number `row` (below [`ROWS`]) keeps its own share of each
    /// slot's count, so that the share can be taken off when that process dies.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<Row<'a>> {
        let at = ROWS_AT + row * SLOTS;
        (row < ROWS).then(|| Row { counts: &self.words[at..at + SLOTS] })
    }

    /// The process that was given a row; `None` where the row is free.
    #[must_use]
    pub fn row_owner(&self, row: usize) -> Option<u32> {
        let owner = self.words[OWNERS_AT..].get(row)?.load(SeqCst);
        u32::try_from(owner).ok().filter(|pid| *pid != 0)
    }

    /// Notes which process has a row, for a manager that takes over from this one. The manager's alone.
    pub fn set_row_owner(&self, row: usize, pid: u32) {
        if let Some(owner) = self.words[OWNERS_AT..].get(row) {
            owner.store(pid.into(), SeqCst);
        }
    }

    /// Takes a dead front-door process's share off all slots, and clears and frees its row.
    pub fn forget_row(&self, row: usize) {
        self.set_row_owner(row, 0);
        let Some(row) = self.row(row) else { return };
        for (index, share) in row.counts.iter().enumerate() {
            let left = share.swap(0, SeqCst);
            if let (true, Some(slot)) = (left > 0, self.slot(index)) {
                take_off(slot.in_flight(), left);
            }
        }
    }
}

/// A worker's slot.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    words: &'a [AtomicU64],
}

impl Slot<'_> {
    /// The slot's state and epoch, read together.
    #[must_use]
    pub fn view(&self) -> SlotView {
        SlotView::unpack(self.words[0].load(SeqCst))
    }

    /// Sets state and epoch together. The manager's alone.
    pub fn set(&self, view: SlotView) {
        self.words[0].store(view.pack(), SeqCst);
    }

    fn in_flight(&self) -> &AtomicU64 {
        &self.words[1]
    }

    /// How many requests are with the worker or on their way to it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.in_flight().load(SeqCst)
    }

    /// Sets the count back to zero: when the slot gets a new worker. The manager's alone.
    pub fn clear_count(&self) {
        self.in_flight().store(0, SeqCst);
    }

    /// Requests that this slot's workers have been given since the server started.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.words[2].load(SeqCst)
    }
}

/// A front-door process's own share of the counts.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    counts: &'a [AtomicU64],
}

/// A request counted at a slot; [`Claim::release`] takes it off again.
#[derive(Debug)]
#[must_use = "a claim that is dropped leaves the slot's count too high"]
pub struct Claim {
    slot: usize,
    /// The epoch that was claimed.
    pub epoch: u32,
}

impl Claim {
    /// Counts a request at `slot` if its worker is ready, and returns `None` if it is not.
    pub fn take(board: Board<'_>, row: Option<Row<'_>>, slot: usize) -> Option<Self> {
        let place = board.slot(slot)?;
        if place.view().state != SlotState::Ready {
            return None;
        }
        place.in_flight().fetch_add(1, SeqCst);
        if let Some(row) = row {
            row.counts[slot].fetch_add(1, SeqCst);
        }
        let view = place.view();
        let claim = Self { slot, epoch: view.epoch };
        if view.state == SlotState::Ready {
            place.words[2].fetch_add(1, SeqCst);
            return Some(claim);
        }
        claim.release(board, row);
        None
    }

    /// The slot's number.
    #[must_use]
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// Takes the request off the slot's count.
    pub fn release(self, board: Board<'_>, row: Option<Row<'_>>) {
        if let Some(row) = row {
            take_off(&row.counts[self.slot], 1);
        }
        if let Some(place) = board.slot(self.slot) {
            take_off(place.in_flight(), 1);
        }
    }
}

/// Lowers a count, never below zero: the manager may have cleared that of a slot whose worker died, and
/// a row may have been forgotten, while requests were still counted there.
fn take_off(count: &AtomicU64, amount: u64) {
    // Always stored, so the closure always gives a value.
    let _ = count.fetch_update(SeqCst, SeqCst, |n| Some(n.saturating_sub(amount)));
}

/// A mount's entry.
#[derive(Clone, Copy, Debug)]
pub struct Mount<'a> {
    words: &'a [AtomicU64],
}

impl Mount<'_> {
    /// The modification time, in microseconds since 1970, of the script as the ready workers have loaded it;
    /// 0 when it is not known.
    #[must_use]
    pub fn loaded_mtime(&self) -> u64 {
        self.words[0].load(SeqCst)
    }

    /// Notes what the ready workers have loaded. The manager's alone.
    pub fn set_loaded_mtime(&self, micros: u64) {
        self.words[0].store(micros, SeqCst);
        self.words[1].store(micros, SeqCst);
    }

    /// Whether this caller is the one that reports the script's change to `mtime`: true for exactly one
    /// caller for each new modification time.
    #[must_use]
    pub fn claim_change(&self, mtime: u64) -> bool {
        let loaded = self.loaded_mtime();
        if loaded == 0 || loaded == mtime {
            return false;
        }
        let claimed = self.words[1].load(SeqCst);
        claimed != mtime && self.words[1].compare_exchange(claimed, mtime, SeqCst, SeqCst).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<AtomicU64> {
        (0..WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn a_short_page_is_refused() {
        assert!(Board::new(&[]).is_none());
    }

    #[test]
    fn only_a_ready_slot_can_be_claimed() {
        let page = page();
        let board = Board::new(&page).unwrap();
        let slot = board.slot(3).unwrap();
        assert!(Claim::take(board, None, 3).is_none());
        slot.set(SlotView { state: SlotState::Ready, epoch: 9 });
        let claim = Claim::take(board, None, 3).unwrap();
        assert_eq!((claim.epoch, slot.count()), (9, 1));
        slot.set(SlotView { state: SlotState::Closing, epoch: 9 });
        assert!(Claim::take(board, None, 3).is_none());
        assert_eq!(slot.count(), 1);
        claim.release(board, None);
        assert_eq!(slot.count(), 0);
        assert!(Claim::take(board, None, SLOTS).is_none());
    }

    #[test]
    fn a_dead_childs_share_is_taken_off() {
        let page = page();
        let board = Board::new(&page).unwrap();
        board.slot(0).unwrap().set(SlotView { state: SlotState::Ready, epoch: 1 });
        let (dead, alive) = (board.row(0), board.row(1));
        let _lost = [Claim::take(board, dead, 0), Claim::take(board, dead, 0)];
        let kept = Claim::take(board, alive, 0).unwrap();
        board.set_row_owner(0, 77);
        assert_eq!((board.row_owner(0), board.row_owner(1)), (Some(77), None));
        board.forget_row(0);
        assert_eq!(board.row_owner(0), None);
        assert_eq!(board.slot(0).unwrap().count(), 1);
        kept.release(board, alive);
        assert_eq!(board.slot(0).unwrap().count(), 0);
    }

    #[test]
    fn counts_that_were_cleared_meanwhile_do_not_fall_below_zero() {
        let page = page();
        let board = Board::new(&page).unwrap();
        let (slot, row) = (board.slot(0).unwrap(), board.row(0));
        slot.set(SlotView { state: SlotState::Ready, epoch: 1 });
        let claims = [Claim::take(board, row, 0).unwrap(), Claim::take(board, row, 0).unwrap()];
        slot.clear_count();
        board.forget_row(0);
        assert_eq!(slot.count(), 0);
        claims.into_iter().for_each(|claim| claim.release(board, row));
        board.forget_row(0);
        assert_eq!(slot.count(), 0);
    }

    #[test]
    fn one_caller_reports_each_change() {
        let page = page();
        let mount = Board::new(&page).unwrap().mount(0).unwrap();
        assert!(!mount.claim_change(5), "nothing is loaded yet");
        mount.set_loaded_mtime(5);
        assert!(!mount.claim_change(5));
        assert!(mount.claim_change(6));
        assert!(!mount.claim_change(6));
        assert!(mount.claim_change(7));
        mount.set_loaded_mtime(7);
        assert!(!mount.claim_change(7));
    }
}
