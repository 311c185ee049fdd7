//! Parts of request frames that are the same for many requests, written down once.

use crate::request::{RequestWriter, Target, push_entry};

/// The beginning of request frames for one target.
#[derive(Clone, Debug)]
pub struct Start(Vec<u8>);

impl Start {
    /// For this target.
    #[must_use]
    pub fn new(target: Target<'_>) -> Self {
        let mut bytes = vec![0; RequestWriter::TARGET_AT];
        target.write(&mut bytes);
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Entries of an environ.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    bytes: Vec<u8>,
    count: u16,
}

impl Entries {
    /// These, in their order; what does not fit its length field is left out, as by [`RequestWriter::entry`].
    pub fn new<'e>(entries: impl IntoIterator<Item = (&'e str, &'e str)>) -> Self {
        let mut all = Self::default();
        for (name, value) in entries {
            if let Some(count) = all.count.checked_add(1)
                && push_entry(&mut all.bytes, name.as_bytes(), value.as_bytes())
            {
                all.count = count;
            }
        }
        all
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Header;
    use crate::request::{BodyLength, RequestRef};

    #[test]
    fn a_frame_of_prepared_parts_is_the_same() {
        let target = Target {
            script: b"/srv/app.wsgi",
            callable: b"application",
            process_group: b"group",
            application_group: b"",
        };
        let mut plain = Vec::new();
        let mut writer = RequestWriter::new(&mut plain, target, BodyLength::Known(3));
        for (name, value) in [("A", "1"), ("B", ""), ("C", "3")] {
            writer.entry(name.as_bytes(), value.as_bytes());
        }
        writer.finish(b"abc");
        let mut prepared = Vec::new();
        let start = Start::new(target);
        let mut writer = RequestWriter::begin(&mut prepared, &start, BodyLength::Known(3));
        writer.entry(b"A", b"1");
        writer.entries(&Entries::new([("B", ""), ("C", "3")]));
        assert_eq!(writer.dropped(), 0);
        writer.finish(b"abc");
        assert_eq!(prepared, plain);
        assert_eq!(RequestRef::decode(&plain[Header::SIZE..]).unwrap().entries, 3);
    }
}
