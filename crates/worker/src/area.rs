//! Memory that this worker shares with its front doors, for long blocks of bodies.
//!
//! A block costs less where the worker copies it into memory that the front door sends from than where it goes through the
//! socket between them. Nothing ever waits for a slot: while none is free, a block goes through the socket.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use pinion_unix::area::{Area, Layout, Outside};
use pinion_wire::area::{Part, SLOT, SLOTS};

/// What every area is made of.
const LAYOUT: Layout = Layout { slots: SLOTS, size: SLOT };

/// So many slots may be lost to connections that have ended before the area is left for a new one.
const LOST: usize = SLOTS / 2;

/// In the word of a slot, with the number of a connection: this process uses it.
const USED: u64 = 1 << 32;
/// In the word of a slot, with the number of a connection: it was given to the front door there, which lets go of it.
const GIVEN: u64 = 1 << 33;
/// The word of a slot whose memory is being given back to the system.
const CLEARED: u64 = 1 << 34;
/// The word of a slot with a part of a block that several answers have.
const STANDING: u64 = 1 << 35;

/// So many slots at most have such blocks, those included that are not sent any more but may still be read somewhere. The others are for what
/// comes and goes.
const MOST_STANDING: usize = SLOTS / 2;

/// How often it is looked whether an area was used meanwhile.
const IDLE: Duration = Duration::from_secs(5);

/// A worker's areas: one, and those that it has left but which front doors may still use.
#[derive(Debug)]
pub(crate) struct Bank {
    current: Mutex<Option<Arc<Slots>>>,
    /// The system gives no memory, or no descriptor.
    is_refused: AtomicBool,
    before_small: fn(&Arc<Slots>),
}

impl Bank {
    /// None yet. `before_small` is called with one before its memory is given back because nobody has used it for a while.
    pub(crate) fn new(before_small: fn(&Arc<Slots>)) -> Self {
        Self { current: Mutex::default(), is_refused: AtomicBool::new(false), before_small }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Slots>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The area, made now where there is none; `None` where the system refuses.
    pub(crate) fn area(&self) -> Option<Arc<Slots>> {
        if self.is_refused.load(Ordering::Relaxed) {
            return None;
        }
        let mut current = self.current();
        if current.is_none() {
            match Area::create(c"pinion-area", LAYOUT) {
                Ok((area, fd)) => {
                    let slots = Arc::new(Slots::new(area, fd));
                    keep_small(Arc::downgrade(&slots), self.before_small);
                    *current = Some(slots);
                }
                Err(_) => self.is_refused.store(true, Ordering::Relaxed),
            }
        }
        current.clone()
    }

    /// Whether new blocks go there.
    pub(crate) fn is_current(&self, slots: &Arc<Slots>) -> bool {
        self.current().as_ref().is_some_and(|current| Arc::ptr_eq(current, slots))
    }

    /// No slot of `full` was free. Where too many are lost to connections that are not `alive` any more, a new area is made for what
    /// comes next.
    pub(crate) fn look_for_lost(&self, full: &Arc<Slots>, alive: impl Fn(u32) -> bool) {
        if full.owners().filter(|owner| !alive(*owner)).count() >= LOST {
            // Nobody who still uses the old one is in anybody's way there.
            drop(self.current().take_if(|current| Arc::ptr_eq(current, full)));
        }
    }
}

/// An area, as its worker uses it.
#[derive(Debug)]
pub(crate) struct Slots {
    area: Area,
    fd: OwnedFd,
    /// How often a slot was taken.
    taken: AtomicU64,
}

impl Slots {
    fn new(area: Area, fd: OwnedFd) -> Self {
        Self { area, fd, taken: AtomicU64::new(0) }
    }

    /// Takes a free slot for a connection.
    fn take(&self, owner: u32, as_what: u64) -> Option<u32> {
        let is_taken = |word: &AtomicU64| {
            let (taken, is_free) = (as_what | u64::from(owner), word.load(Ordering::Relaxed) == 0);
            // Acquire: what the front door has read of the slot before, it has read before this writes.
            is_free && word.compare_exchange(0, taken, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        // The first that is free: its memory was used last.
        let slot = self.area.words().iter().position(is_taken)?;
        self.taken.fetch_add(1, Ordering::Relaxed);
        u32::try_from(slot).ok()
    }

    /// Copies a block of at most [`SLOT`] bytes, not none, into a free slot. From now on the slot belongs to the front door of connection
    /// `owner`, which is to be told.
    pub(crate) fn put(&self, owner: u32, block: &[u8]) -> Option<Part> {
        let slot = self.take(owner, USED)?;
        let room = self.area.slot(slot as usize, block.len())?;
        let length = u32::try_from(room.fill(0, block)).ok()?;
        self.area.word(slot as usize)?.store(GIVEN | u64::from(owner), Ordering::Release);
        Some(Part { length, slot })
    }

    /// Takes back what was given to a front door that has ended without letting go of it.
    pub(crate) fn take_back(&self, owner: u32) {
        for word in self.area.words() {
            let given = GIVEN | u64::from(owner);
            let _ = word.compare_exchange(given, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// How many more slots may have blocks that stay.
    pub(crate) fn room_to_stand(&self) -> usize {
        let standing = |word: &&AtomicU64| word.load(Ordering::Relaxed) & STANDING != 0;
        MOST_STANDING.saturating_sub(self.area.words().iter().filter(standing).count())
    }

    /// Copies a block, not an empty one, to where it stays; `None` where there is no room for it.
    pub(crate) fn stand(self: &Arc<Self>, block: &[u8]) -> Option<Standing> {
        if block.len().div_ceil(SLOT) > self.room_to_stand() {
            return None;
        }
        let (slots, left, maker) = (self.clone(), AtomicU64::new(0), std::process::id());
        let mut made = Standing { slots, parts: Vec::new(), left, maker };
        for piece in block.chunks(SLOT) {
            let slot = self.take(0, STANDING)?;
            let length = self.area.slot(slot as usize, piece.len())?.fill(0, piece) as u32;
            made.parts.push(Part { length, slot });
        }
        Some(made)
    }

    /// The connections that have slots, for each slot.
    fn owners(&self) -> impl Iterator<Item = u32> {
        let words = self.area.words().iter().map(|word| word.load(Ordering::Relaxed));
        words.filter(|word| *word & (USED | GIVEN) != 0).map(|word| word as u32)
    }

    /// Gives the memory of all free slots back to the system.
    fn give_back(&self) {
        for (slot, word) in self.area.words().iter().enumerate() {
            // As the owner of it: nobody else takes it meanwhile.
            if word.compare_exchange(0, CLEARED, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                // Where the system refuses, the memory stays in use.
                let _ = self.area.give_back(slot);
                word.store(0, Ordering::Release);
            }
        }
    }
}

/// A block that stays in an area for as long as somebody may read it there.
#[derive(Debug)]
pub(crate) struct Standing {
    slots: Arc<Slots>,
    parts: Vec<Part>,
    /// What becomes of the slots' words at the end.
    left: AtomicU64,
    /// The process that has made it.
    maker: u32,
}

impl Standing {
    /// How many slots it has.
    pub(crate) fn slots(&self) -> usize {
        self.parts.len()
    }

    /// Whether it is in `slots`.
    pub(crate) fn is_in(&self, slots: &Arc<Slots>) -> bool {
        Arc::ptr_eq(&self.slots, slots)
    }

    /// Where its first `length` bytes are, and whether the part is the last of them.
    pub(crate) fn parts(&self, length: usize) -> impl Iterator<Item = (Part, bool)> {
        self.slots.taken.fetch_add(1, Ordering::Relaxed);
        let mut left = u32::try_from(length).unwrap_or(u32::MAX);
        self.parts.iter().map_while(move |part| {
            let length = part.length.min(left);
            left -= length;
            (length > 0).then_some((Part { length, ..*part }, left == 0))
        })
    }

    /// The front door of connection `owner` may read it for ever.
    pub(crate) fn leave_with(&self, owner: u32) {
        self.left.store(GIVEN | u64::from(owner), Ordering::Relaxed);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        // A child that the application has forked does not have the area.
        if self.maker != std::process::id() {
            return;
        }
        let left = *self.left.get_mut();
        for word in self.parts.iter().filter_map(|part| self.slots.area.word(part.slot as usize)) {
            word.store(left, Ordering::Release);
        }
    }
}

impl AsFd for Slots {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Starts a thread that gives the memory of an area back when nobody has used it for a while, and calls `before_small` before.
fn keep_small(slots: Weak<Slots>, before_small: fn(&Arc<Slots>)) {
    let watch = move || {
        let (mut before, mut is_small) = (0, true);
        loop {
            std::thread::sleep(IDLE);
            let Some(slots) = slots.upgrade() else { return };
            let taken = slots.taken.load(Ordering::Relaxed);
            if taken != before {
                (before, is_small) = (taken, false);
            } else if !is_small {
                before_small(&slots);
                slots.give_back();
                is_small = true;
            }
        }
    };
    // Without the thread, the memory stays in use.
    let _ = std::thread::Builder::new().name("pinion-area".to_owned()).spawn(watch);
}

/// A slot that a part of a request's body is to be put into, until the front door has said that it is there, or will not be.
#[derive(Debug)]
pub(crate) struct Lent {
    slots: Arc<Slots>,
    slot: u32,
    length: u32,
}

impl Lent {
    /// Takes a free slot for a part of at most `length` bytes, not none.
    pub(crate) fn new(slots: &Arc<Slots>, owner: u32, length: u32) -> Option<Self> {
        let slot = slots.take(owner, USED)?;
        Some(Self { slots: slots.clone(), slot, length: length.min(SLOT as u32) })
    }

    /// What the front door is told.
    pub(crate) fn part(&self) -> Part {
        Part { length: self.length, slot: self.slot }
    }

    /// The bytes that the front door says are there; `None` when it has not put them where it was to.
    pub(crate) fn bytes(&self, part: Part) -> Option<Outside<'_>> {
        let fits = part.slot == self.slot && part.length <= self.length;
        self.slots.area.slot(self.slot as usize, part.length as usize).filter(|_| fits)
    }

    /// The front door does nothing more with the slot. Where that is never known, nobody uses it again.
    pub(crate) fn give_back(self) {
        if let Some(word) = self.slots.area.word(self.slot as usize) {
            word.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(outside: Outside<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        outside.append_to(&mut out);
        out
    }

    #[test]
    fn a_slot_is_used_again_once_it_is_free() {
        let bank = Bank::new(|_| ());
        let slots = bank.area().unwrap();
        assert!(Arc::ptr_eq(&slots, &bank.area().unwrap()));
        for slot in 0..SLOTS as u32 {
            assert_eq!(slots.put(9, b"block"), Some(Part { length: 5, slot }));
        }
        assert_eq!(slots.put(9, b"block"), None);
        slots.take_back(8);
        assert_eq!(slots.put(9, b"block"), None);
        slots.area.word(7).unwrap().store(0, Ordering::SeqCst);
        assert_eq!(slots.put(0, &[1; SLOT]), Some(Part { length: SLOT as u32, slot: 7 }));
        assert_eq!(slots.taken.load(Ordering::Relaxed), SLOTS as u64 + 1);
    }

    #[test]
    fn what_is_not_where_it_was_to_be_put_is_refused() {
        let slots = Bank::new(|_| ()).area().unwrap();
        slots.put(1, b"x").unwrap();
        let lent = Lent::new(&slots, 1, 100).unwrap();
        assert_eq!(lent.part(), Part { length: 100, slot: 1 });
        slots.area.slot(1, 100).unwrap().fill(0, b"body");
        assert_eq!(bytes(lent.bytes(Part { length: 4, slot: 1 }).unwrap()), b"body");
        assert!(lent.bytes(Part { length: 101, slot: 1 }).is_none());
        assert!(lent.bytes(Part { length: 4, slot: 0 }).is_none());
        lent.give_back();
        assert_eq!(Lent::new(&slots, 1, u32::MAX).unwrap().part().length, SLOT as u32);
    }

    #[test]
    fn what_an_ended_front_door_was_given_is_taken_back_and_nothing_else() {
        let slots = Bank::new(|_| ()).area().unwrap();
        let lent = Lent::new(&slots, 4, 100).unwrap();
        slots.put(4, b"x").unwrap();
        slots.put(5, b"x").unwrap();
        slots.take_back(4);
        assert_eq!(slots.owners().collect::<Vec<_>>(), [4, 5]);
        assert_eq!(slots.put(6, b"x").unwrap().slot, 1);
        lent.give_back();
        assert_eq!(slots.put(6, b"x").unwrap().slot, 0);
    }

    #[test]
    fn an_area_of_which_too_much_is_lost_is_left() {
        let bank = Bank::new(|_| ());
        let old = bank.area().unwrap();
        for number in 0..SLOTS as u32 {
            old.put(number, b"x").unwrap();
        }
        bank.look_for_lost(&old, |number| number as usize > LOST - 2);
        assert!(Arc::ptr_eq(&old, &bank.area().unwrap()));
        bank.look_for_lost(&old, |number| number as usize > LOST - 1);
        let new = bank.area().unwrap();
        assert!(!Arc::ptr_eq(&old, &new));
        bank.look_for_lost(&old, |_| false);
        assert!(Arc::ptr_eq(&new, &bank.area().unwrap()), "it was another one that was lost");
    }

    fn slots_of(standing: &Standing) -> Vec<u32> {
        standing.parts(usize::MAX).map(|(part, _)| part.slot).collect()
    }

    #[test]
    fn a_block_stands_for_as_long_as_somebody_has_it() {
        let slots = Bank::new(|_| ()).area().unwrap();
        let block = [vec![1; SLOT], vec![2; 10]].concat();
        let standing = slots.stand(&block).unwrap();
        let part = |length: usize, slot| Part { length: length as u32, slot };
        let parts = |length| standing.parts(length).collect::<Vec<_>>();
        assert_eq!(parts(block.len()), [(part(SLOT, 0), false), (part(10, 1), true)]);
        assert_eq!(parts(SLOT + 1), [(part(SLOT, 0), false), (part(1, 1), true)]);
        assert_eq!(parts(SLOT), [(part(SLOT, 0), true)]);
        assert_eq!(parts(0), []);
        assert_eq!(bytes(slots.area.slot(1, 10).unwrap()), [2; 10]);
        assert!(standing.is_in(&slots) && !standing.is_in(&Bank::new(|_| ()).area().unwrap()));
        slots.take_back(0);
        slots.give_back();
        assert_eq!(slots.put(1, b"x").unwrap().slot, 2);
        drop(standing);
        assert_eq!(slots_of(&slots.stand(&block).unwrap()), [0, 1]);
    }

    #[test]
    fn blocks_that_stand_leave_room_for_others() {
        let slots = Bank::new(|_| ()).area().unwrap();
        let block = vec![1; SLOT * (MOST_STANDING - 1)];
        let standing = slots.stand(&block).unwrap();
        assert!(slots.stand(&vec![1; SLOT + 1]).is_none());
        let last = slots.stand(&[1]).unwrap();
        assert!(slots.stand(&[1]).is_none());
        drop((standing, last));
        // Where others have all, what was begun is undone.
        let others: Vec<_> = std::iter::from_fn(|| slots.put(1, b"x")).take(SLOTS - 1).collect();
        assert_eq!(others.len(), SLOTS - 1);
        assert!(slots.stand(&vec![1; SLOT + 1]).is_none());
        assert_eq!(slots_of(&slots.stand(&[1]).unwrap()), [SLOTS as u32 - 1]);
    }

    #[test]
    fn what_somebody_may_read_for_ever_is_lost() {
        let bank = Bank::new(|_| ());
        let slots = bank.area().unwrap();
        let standing = slots.stand(&[1]).unwrap();
        standing.leave_with(7);
        drop(standing);
        assert_eq!(slots.owners().collect::<Vec<_>>(), [7]);
        assert_eq!(slots_of(&slots.stand(&[1]).unwrap()), [1]);
        assert!(bank.is_current(&slots));
    }

    #[test]
    fn memory_of_free_slots_is_given_back() {
        let slots = Bank::new(|_| ()).area().unwrap();
        let first = slots.put(1, &[7; SLOT]).unwrap();
        slots.put(1, &[8; SLOT]).unwrap();
        slots.area.word(first.slot as usize).unwrap().store(0, Ordering::SeqCst);
        slots.give_back();
        assert_eq!(bytes(slots.area.slot(0, 2).unwrap()), [0, 0]);
        assert_eq!(bytes(slots.area.slot(1, 2).unwrap()), [8, 8]);
        assert_eq!(slots.owners().collect::<Vec<_>>(), [1]);
        assert_eq!(slots.put(2, b"x").unwrap().slot, 0);
    }
}
