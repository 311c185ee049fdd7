//! Where the entries of an environ are, so that two environs are compared without a look at each entry.

/// Where one entry is among [`crate::request::RequestRef::raw_environ`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Where the length of its value begins.
    value: usize,
    end: usize,
}

/// How long the length of a value is.
const LENGTH: usize = 4;

/// Where the entries of an environ are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<Place>);

impl Places {
    /// Of these entries, as far as they are well-formed.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        let mut places = Self::default();
        places.renew(raw);
        places
    }

    /// As [`Places::of`], for entries of the same names, in the memory that there is.
    pub fn renew(&mut self, raw: &[u8]) {
        let is_same = |place: &Place| end_of_value(raw, place.value) == Some(place.end);
        if self.0.last().is_some_and(|last| last.end == raw.len()) && self.0.iter().all(is_same) {
            return;
        }
        self.0.clear();
        let mut at = 0;
        while let Some(name) = raw.get(at..at + 2) {
            let value = at + 2 + usize::from(u16::from_le_bytes([name[0], name[1]]));
            let Some(end) = end_of_value(raw, value) else { break };
            self.0.push(Place { value, end });
            at = end;
        }
    }

    /// Whether all places stay where they are when the value of an entry is this one.
    #[must_use]
    pub fn stay(&self, (entry, value): (usize, &[u8])) -> bool {
        let length = |place: &Place| place.end - place.value - LENGTH;
        self.0.get(entry).is_some_and(|place| length(place) == value.len())
    }

    /// Whether `other` has the same names in the same order as `own`, whose places these are. `changed` is told which of its
    /// values differ, by their place and what they are, and says whether to go on.
    pub fn compare<'o>(
        &self,
        own: &[u8],
        other: &'o [u8],
        mut changed: impl FnMut((usize, &'o [u8])) -> bool,
    ) -> bool {
        let (mut at, mut there, mut entry) = (0, 0, 0);
        loop {
            let (left, right) = (own.get(at..).unwrap_or(&[]), other.get(there..).unwrap_or(&[]));
            let alike = agree(left, right);
            if alike == left.len() && alike == right.len() {
                return true;
            }
            let differs = at + alike;
            while self.0.get(entry).is_some_and(|place| place.end <= differs) {
                entry += 1;
            }
            let Some(place) = self.0.get(entry) else { return false };
            if differs < place.value {
                return false;
            }
            let value = place.value - at + there;
            let Some(end) = end_of_value(other, value) else { return false };
            if !changed((entry, &other[value + LENGTH..end])) {
                return false;
            }
            (at, there, entry) = (place.end, end, entry + 1);
        }
    }
}

/// Where a value ends whose length is at `value`.
fn end_of_value(raw: &[u8], value: usize) -> Option<usize> {
    let length = raw.get(value..)?.first_chunk::<LENGTH>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    (value + LENGTH).checked_add(length).filter(|end| *end <= raw.len())
}

/// How many bytes are the same at the front of both.
fn agree(left: &[u8], right: &[u8]) -> usize {
    let (left_parts, _) = left.as_chunks::<16>();
    let (right_parts, _) = right.as_chunks::<16>();
    let parts = left_parts.iter().zip(right_parts).take_while(|(left, right)| left == right);
    let at = parts.count() * 16;
    let (left, right) = (&left[at..], &right[at..]);
    if let (Some(left), Some(right)) = (left.first_chunk::<16>(), right.first_chunk::<16>()) {
        // There is a difference, as there are as many bytes as were compared at once.
        let differing = u128::from_le_bytes(*left) ^ u128::from_le_bytes(*right);
        return at + differing.trailing_zeros() as usize / 8;
    }
    let rest = left.iter().zip(right).take_while(|(left, right)| left == right);
    at + rest.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;
    use crate::request::{BodyLength, RequestRef, RequestWriter, Target};
    use proptest::prelude::*;

    type Entry = (Vec<u8>, Vec<u8>);

    fn raw(entries: &[Entry]) -> Vec<u8> {
        let target =
            Target { script: b"", callable: b"", process_group: b"", application_group: b"" };
        let mut frame = Vec::new();
        let mut writer = RequestWriter::new(&mut frame, target, BodyLength::Known(0));
        entries.iter().for_each(|(name, value)| writer.entry(name, value));
        writer.finish(b"");
        RequestRef::decode(&frame[Header::SIZE..]).unwrap().raw_environ().to_vec()
    }

    /// What entry by entry would find.
    fn plainly(own: &[Entry], other: &[Entry]) -> Option<Vec<(usize, Vec<u8>)>> {
        let same_names =
            own.len() == other.len() && own.iter().zip(other).all(|(own, other)| own.0 == other.0);
        let both = own.iter().zip(other).enumerate();
        let changes = both.filter(|(_, (own, other))| own.1 != other.1);
        same_names.then(|| changes.map(|(at, (_, other))| (at, other.1.clone())).collect())
    }

    fn compared(own: &[u8], other: &[u8]) -> Option<Vec<(usize, Vec<u8>)>> {
        let mut changes = Vec::new();
        let alike = Places::of(own).compare(own, other, |(at, value)| {
            changes.push((at, value.to_vec()));
            true
        });
        alike.then_some(changes)
    }

    /// Short and of few letters, so that they are often the same, or the same in front.
    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![prop::collection::vec(0_u8..2, 0..3), prop::collection::vec(7_u8..9, 30..34),]
    }

    #[test]
    fn as_many_changes_as_are_wanted() {
        let entries = |value: &[u8]| vec![(b"A".to_vec(), value.to_vec()); 5];
        let (own, other) = (raw(&entries(b"1")), raw(&entries(b"22")));
        let mut count = 0;
        assert!(!Places::of(&own).compare(&own, &other, |_| {
            count += 1;
            count < 3
        }));
        assert_eq!(count, 3);
    }

    proptest! {
        #[test]
        fn the_same_as_entry_by_entry(
            names in prop::collection::vec(word(), 0..6),
            values in prop::collection::vec((word(), word()), 6),
            others in prop::option::of(prop::collection::vec(word(), 0..6)),
        ) {
            let with = |names: &[Vec<u8>], second: bool| -> Vec<Entry> {
                let value = |pair: &(Vec<u8>, Vec<u8>)| if second { pair.1.clone() } else { pair.0.clone() };
                names.iter().cloned().zip(values.iter().map(value)).collect()
            };
            let own = with(&names, false);
            let other = with(others.as_ref().unwrap_or(&names), true);
            prop_assert_eq!(compared(&raw(&own), &raw(&other)), plainly(&own, &other));
            prop_assert_eq!(compared(&raw(&own), &raw(&own)), Some(Vec::new()));
            let (places, raw) = (Places::of(&raw(&own)), raw(&other));
            let changes = plainly(&own, &other).unwrap_or_default();
            if !changes.is_empty() && changes.iter().all(|(entry, value)| places.stay((*entry, value))) {
                prop_assert_eq!(places, Places::of(&raw));
            }
        }

        #[test]
        fn garbage_never_panics(own in any::<Vec<u8>>(), other in any::<Vec<u8>>()) {
            let places = Places::of(&own);
            places.compare(&own, &other, |_| true);
            places.compare(&other, &own, |_| true);
        }
    }
}
