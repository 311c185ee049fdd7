//! Telling a generated file that nobody touched from one that a person edited.
//!
//! Each generated file ends in a line with a fingerprint of the rest. What still matches its own
//! fingerprint is ours to write anew; what does not is a person's.

use std::path::Path;

use sha2::{Digest, Sha256};
use similar::TextDiff;

use crate::folder::Generated;

/// What the last line of a generated file says before the fingerprint.
const MARK: &str = "# Unedited, this file has the fingerprint ";

/// How a file compares with what is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is none.
    New,
    /// It is what it would be.
    Same,
    /// It is an older one of ours, which nobody edited.
    Ours,
    /// A person edited it, or made it.
    Edited {
        /// From what is there to what would be written, as a unified diff.
        diff: String,
    },
}

/// A text with its fingerprint in the last line.
pub fn sealed(text: &str) -> String {
    format!("{text}\n{MARK}{}.\n", fingerprint(text))
}

/// Whether a file's text carries its own fingerprint.
pub fn is_sealed(text: &str) -> bool {
    let Some((body, last)) = text.rsplit_once(MARK) else { return false };
    body.strip_suffix('\n').is_some_and(|body| last == format!("{}.\n", fingerprint(body)))
}

fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Compares the present text of a file, if there is one, with the one that is to be written.
pub fn compare(present: Option<&str>, generated: &Generated) -> State {
    let wanted = sealed(&generated.text);
    match present {
        None => State::New,
        Some(present) if present == wanted => State::Same,
        Some(present) if is_sealed(present) => State::Ours,
        Some(present) => State::Edited { diff: diff(&generated.path, present, &wanted) },
    }
}

/// A unified diff from what is there to what would be written.
pub fn diff(path: &Path, present: &str, wanted: &str) -> String {
    let name = path.display().to_string();
    TextDiff::from_lines(present, wanted)
        .unified_diff()
        .context_radius(2)
        .header(&name, &format!("{name} as pinion deploy would write it"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Generated {
        Generated { path: "/p/apache/x".into(), text: text.into() }
    }

    #[test]
    fn ones_own_files_are_known_and_edits_are_seen() {
        let old = sealed("a\nb\n");
        assert_eq!(compare(None, &file("a\n")), State::New);
        assert_eq!(compare(Some(&old), &file("a\nb\n")), State::Same);
        assert_eq!(compare(Some(&old), &file("a\nc\n")), State::Ours);
        let edited = old.replace("b\n", "person\n");
        let State::Edited { diff } = compare(Some(&edited), &file("a\nb\n")) else { panic!() };
        assert!(diff.contains("-person\n+b\n"), "{diff}");
        for not_ours in ["", "a\nb\n", &old[..old.len() - 3], &format!("{old}more\n")] {
            assert!(matches!(compare(Some(not_ours), &file("x")), State::Edited { .. }));
        }
    }
}
