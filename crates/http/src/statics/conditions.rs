//! Whether a request's conditions hold: RFC 9110, section 13, in the order of section 13.2.2.

use std::borrow::Cow;

use super::Fields;
use crate::date;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validators<'v> {
    /// The entity tag, a strong one, in its quotes.
    pub(super) tag: &'v str,
    /// When it was changed, in seconds since 1970. `None` while that second is not over, since the file may change
    /// once more in it: so a date that a client has is as good as a tag (section 8.8.2.2).
    pub(super) modified: Option<u64>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What the method says.
    Proceed,
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client thought.
    Failed,
}

/// Judges a GET or HEAD of a file that is there. Dates that are malformed are no conditions.
pub(super) fn judge(fields: &Fields<'_>, file: Validators<'_>) -> Verdict {
    let since = |field: &Option<Cow<'_, [u8]>>| field.as_deref().and_then(date::parse);
    if let Some(list) = &fields.if_match {
        if !lists(list, file.tag, Strength::Strong) {
            return Verdict::Failed;
        }
    } else if let Some(since) = since(&fields.if_unmodified_since)
        && file.modified.is_none_or(|modified| modified > since)
    {
        return Verdict::Failed;
    }
    if let Some(list) = &fields.if_none_match {
        if lists(list, file.tag, Strength::Weak) {
            return Verdict::NotModified;
        }
    } else if let Some(since) = since(&fields.if_modified_since)
        && file.modified.is_some_and(|modified| modified <= since)
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `Range` counts: `If-Range` is absent or names this very state (section 13.1.5).
pub(super) fn range_counts(fields: &Fields<'_>, file: Validators<'_>) -> bool {
    let Some(condition) = fields.if_range.as_deref() else { return true };
    if let Some((tag, rest)) = Tag::split(condition) {
        return rest.is_empty() && tag.matches(file.tag, Strength::Strong);
    }
    date::parse(condition).is_some_and(|date| file.modified == Some(date))
}

/// How tags are compared (section 8.8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

/// Whether a list of tags, or `*`, has this one.
fn lists(list: &[u8], tag: &str, strength: Strength) -> bool {
    list.trim_ascii() == b"*" || tags(list).any(|other| other.matches(tag, strength))
}

/// The tags of a list, as far as it is well-formed.
fn tags(list: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        while let Some((b',' | b' ' | b'\t', behind)) = rest.split_first() {
            rest = behind;
        }
        let (tag, behind) = Tag::split(rest)?;
        rest = behind;
        let ends = behind.trim_ascii_start().first().is_none_or(|byte| *byte == b',');
        ends.then_some(tag)
    })
}

/// An entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag<'t> {
    is_weak: bool,
    /// With its quotes.
    opaque: &'t [u8],
}

impl<'t> Tag<'t> {
    /// The tag at the beginning and what follows.
    fn split(text: &'t [u8]) -> Option<(Self, &'t [u8])> {
        let (is_weak, text) = match text.strip_prefix(b"W/") {
            Some(behind) => (true, behind),
            None => (false, text),
        };
        let inner = text.strip_prefix(b"\"")?;
        let end = inner.iter().position(|byte| *byte == b'"')?;
        let is_allowed = |byte: &u8| matches!(byte, 0x21..=0x7e | 0x80..);
        if !inner[..end].iter().all(is_allowed) {
            return None;
        }
        let (opaque, rest) = text.split_at(end + 2);
        Some((Self { is_weak, opaque }, rest))
    }

    /// Whether it is the same as a strong one.
    fn matches(self, tag: &str, strength: Strength) -> bool {
        self.opaque == tag.as_bytes() && (strength == Strength::Weak || !self.is_weak)
    }
}

#[cfg(test)]
mod tests;
