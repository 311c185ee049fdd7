//! Parts of files: `Range` (RFC 9110, section 14).
//!
//! One part is answered with that part. Where several are asked for, the whole file is: a server may always answer
//! so, no browser asks for several, and an answer of many parts costs the server more than it costs who asks.

/// What a request wants of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// A part, which lies in the file and has at least one byte.
    Part { from: u64, length: u64 },
    /// A part behind its end.
    Beyond,
}

/// Reads `Range` for a file of this size; what is malformed or in another unit counts as if it were not there. So
/// does any of an empty file, which has no part that `Content-Range` could name.
pub(super) fn wanted(field: &[u8], size: u64) -> Wanted {
    let Some(set) = strip_unit(field).filter(|_| size > 0) else { return Wanted::Whole };
    let parts = set.split(|byte| *byte == b',').map(trim).filter(|part| !part.is_empty());
    let mut parts = parts.map(Part::parse);
    match (parts.next(), parts.next()) {
        (Some(Some(part)), None) => part.of(size),
        _ => Wanted::Whole,
    }
}

fn strip_unit(field: &[u8]) -> Option<&[u8]> {
    let (unit, set) = field.split_at_checked(b"bytes=".len())?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// Without spaces and tabs around it.
fn trim(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |last| last + 1);
    &text[start..end]
}

/// A part as it is asked for.
#[derive(Clone, Copy)]
enum Part {
    /// From one byte to another, both with it; or to the end.
    Range(u64, Option<u64>),
    /// As many bytes before the end.
    Suffix(u64),
}

impl Part {
    fn parse(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|byte| *byte == b'-')?;
        let (first, last) = (&text[..dash], &text[dash + 1..]);
        match (first.is_empty(), last.is_empty()) {
            (true, _) => Some(Self::Suffix(number(last)?)),
            (false, true) => Some(Self::Range(number(first)?, None)),
            (false, false) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Range(first, Some(last)))
            }
        }
    }

    /// The part of a file that has a byte at least.
    fn of(self, size: u64) -> Wanted {
        let (from, last) = match self {
            Self::Range(from, last) => (from, last.unwrap_or(u64::MAX).min(size - 1)),
            Self::Suffix(0) => return Wanted::Beyond,
            Self::Suffix(length) => (size.saturating_sub(length), size - 1),
        };
        if from >= size {
            return Wanted::Beyond;
        }
        Wanted::Part { from, length: last - from + 1 }
    }
}

/// A number of any length; the largest there is stands for all that are larger.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(from: u64, length: u64) -> Wanted {
        Wanted::Part { from, length }
    }

    #[test]
    fn one_part_is_cut_out() {
        for (field, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-99", part(0, 100)),
            ("bytes=0-100", part(0, 100)),
            ("bytes=10-19", part(10, 10)),
            ("bytes=99-", part(99, 1)),
            ("bytes=0-", part(0, 100)),
            ("bytes=-1", part(99, 1)),
            ("bytes=-100", part(0, 100)),
            ("bytes=-101", part(0, 100)),
            ("BYTES=5-6", part(5, 2)),
            ("bytes= 5-6 ", part(5, 2)),
            ("bytes=5-6,", part(5, 2)),
            ("bytes=,\t,5-6", part(5, 2)),
            ("bytes=007-0008", part(7, 2)),
            ("bytes=1-99999999999999999999999999", part(1, 99)),
            ("bytes=-99999999999999999999999999", part(0, 100)),
            ("bytes=100-", Wanted::Beyond),
            ("bytes=100-200", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=99999999999999999999999999-", Wanted::Beyond),
        ] {
            assert_eq!(wanted(field.as_bytes(), 100), expected, "{field:?}");
        }
    }

    #[test]
    fn anything_else_is_the_whole() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=--1",
            "bytes=5",
            "bytes=6-5",
            "bytes=a-b",
            "bytes=1-2x",
            "bytes=+1-2",
            "bytes=1 - 2",
            "bytes=0x1-2",
            "bytes =0-1",
            "bytes:0-1",
            "lines=0-1",
            "bytes=0-1,5-6",
            "bytes=0-1,x",
            "bytes=100-,200-",
            "bytes=0-1, bytes=3-4",
        ] {
            assert_eq!(wanted(field.as_bytes(), 100), Wanted::Whole, "{field:?}");
        }
        for field in ["bytes=0-", "bytes=-5", "bytes=-0", "bytes=7-8"] {
            assert_eq!(wanted(field.as_bytes(), 0), Wanted::Whole, "{field:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_lie_in_the_file(field in "(bytes=)?[0-9]{0,20}-?[0-9]{0,20}[-, ]{0,3}[0-9]{0,3}", size: u64) {
            if let Wanted::Part { from, length } = wanted(field.as_bytes(), size) {
                prop_assert!(length >= 1 && from.checked_add(length).is_some_and(|end| end <= size));
            }
        }

        #[test]
        fn what_lies_in_the_file_is_given(size in 1..=u64::MAX, a: u64, b: u64) {
            let (a, b) = (a % size, b % size);
            let (first, last) = (a.min(b), a.max(b));
            let field = format!("bytes={first}-{last}");
            prop_assert_eq!(wanted(field.as_bytes(), size), part(first, last - first + 1));
        }

        #[test]
        fn no_bytes_make_it_panic(field in prop::collection::vec(any::<u8>(), 0..60), size: u64) {
            let _ = wanted(&field, size);
        }
    }
}
