//! The header fields of a request that matter for a file.

use std::borrow::Cow;

macro_rules! fields {
    ($($field:ident, $name:literal;)*) => {
        /// The header fields of a request that matter for a file. Lines of the same name are one list.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Fields<'r> {
            $(#[doc = concat!("`", $name, "`.")] pub $field: Option<Cow<'r, [u8]>>,)*
        }

        impl<'r> Fields<'r> {
            fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Cow<'r, [u8]>>> {
                $(if name.eq_ignore_ascii_case($name.as_bytes()) {
                    return Some(&mut self.$field);
                })*
                None
            }
        }
    };
}

fields! {
    accept_encoding, "Accept-Encoding";
    if_match, "If-Match";
    if_none_match, "If-None-Match";
    if_modified_since, "If-Modified-Since";
    if_unmodified_since, "If-Unmodified-Since";
    if_range, "If-Range";
    range, "Range";
}

impl<'r> Fields<'r> {
    /// Picks them from the fields of a request. Where a field that is no list comes twice, its value is malformed with
    /// the comma between, and so counts as little as any malformed one.
    pub fn collect(fields: impl IntoIterator<Item = (&'r [u8], &'r [u8])>) -> Self {
        let mut picked = Self::default();
        for (name, value) in fields {
            match picked.slot(name) {
                Some(Some(list)) => {
                    let list = list.to_mut();
                    list.extend_from_slice(b", ");
                    list.extend_from_slice(value);
                }
                Some(slot) => *slot = Some(Cow::Borrowed(value)),
                None => {}
            }
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_and_lines_are_joined() {
        let lines: [(&[u8], &[u8]); 6] = [
            (b"host", b"example.org"),
            (b"IF-NONE-MATCH", b"\"a\""),
            (b"accept-encoding", b"gzip"),
            (b"If-None-Match", b"\"b\""),
            (b"Range", b"bytes=0-"),
            (b"If-None-Matches", b"*"),
        ];
        let fields = Fields::collect(lines);
        assert_eq!(fields.if_none_match.as_deref(), Some(&b"\"a\", \"b\""[..]));
        assert_eq!(fields.accept_encoding, Some(Cow::Borrowed(&b"gzip"[..])));
        assert_eq!(fields.range, Some(Cow::Borrowed(&b"bytes=0-"[..])));
        assert_eq!((fields.if_match, fields.if_range), (None, None));
        assert_eq!((fields.if_modified_since, fields.if_unmodified_since), (None, None));
    }
}
