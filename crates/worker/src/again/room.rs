//! Room for blocks that are sent again.

use pinion_wire::area::SLOTS;

/// So many slots are for them.
const MOST: usize = SLOTS / 4;

/// How many of the others lose their place, from the last one on, so that one that needs so many slots gets in, where `room` more may be
/// taken now; `None` where that would be in vain. Of each of the others: how many slots it has, and whether those are free when it goes.
pub(crate) fn displaced(
    needed: usize,
    mut room: usize,
    others: impl DoubleEndedIterator<Item = (usize, bool)> + Clone,
) -> Option<usize> {
    let all: usize = others.clone().map(|(slots, _)| slots).sum();
    let (mut excess, mut count) = ((all + needed).saturating_sub(MOST), 0);
    let mut others = others.rev();
    while excess > 0 || room < needed {
        let (slots, is_freed) = others.next()?;
        (excess, count) = (excess.saturating_sub(slots), count + 1);
        room += if is_freed { slots } else { 0 };
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(needed: usize, room: usize, others: &[(usize, bool)]) -> Option<usize> {
        displaced(needed, room, others.iter().copied())
    }

    #[test]
    fn nobody_goes_while_there_is_room() {
        assert_eq!(of(8, 8, &[]), Some(0));
        assert_eq!(of(8, 8, &[(MOST - 8, false)]), Some(0));
    }

    #[test]
    fn who_was_used_longest_ago_goes_first() {
        let others = [(8, true), (MOST - 16, true), (0, false), (3, true), (5, true)];
        assert_eq!(of(1, MOST, &others), Some(1));
        assert_eq!(of(5, MOST, &others), Some(1));
        assert_eq!(of(6, MOST, &others), Some(2));
        assert_eq!(of(9, MOST, &others), Some(4));
    }

    #[test]
    fn nobody_goes_in_vain() {
        // What is still read somewhere is no room yet, though its place is free.
        assert_eq!(of(4, 0, &[(4, false), (4, true)]), Some(1));
        assert_eq!(of(4, 0, &[(4, true), (4, false)]), Some(2));
        assert_eq!(of(4, 3, &[(4, false), (4, false)]), None);
        assert_eq!(of(4, 4, &[(MOST, false)]), Some(1));
        assert_eq!(of(1, 0, &[]), None);
    }
}
