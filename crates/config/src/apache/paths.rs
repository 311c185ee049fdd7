//! The files that `Include` and `IncludeOptional` name.

use std::path::{Component, Path, PathBuf};

use crate::files::{FileKind, Files};

/// All files at a pattern, in Apache's order: sorted, folders with all that is below them. `*`, `?` and `[…]` stand
/// for parts of names.
pub(super) fn included(files: &dyn Files, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for component in pattern.components() {
        let Component::Normal(name) = component else { continue };
        let name = name.to_string_lossy();
        found = found.iter().flat_map(|folder| matching(files, folder, &name)).collect();
    }
    found.iter().flat_map(|path| below(files, path, 0)).collect()
}

/// Folders deeper than this are a circle of links.
const DEEPEST: u32 = 20;

fn below(files: &dyn Files, path: &Path, depth: u32) -> Vec<PathBuf> {
    match files.stat(path).map(|stat| stat.kind) {
        Ok(FileKind::Folder) if depth < DEEPEST => names(files, path)
            .iter()
            .flat_map(|name| below(files, &path.join(name), depth + 1))
            .collect(),
        Ok(FileKind::File) => vec![path.to_owned()],
        _ => Vec::new(),
    }
}

fn matching(files: &dyn Files, folder: &Path, pattern: &str) -> Vec<PathBuf> {
    if !pattern.contains(['*', '?', '[']) {
        let path = folder.join(pattern);
        return files.stat(&path).map(|_| path).into_iter().collect();
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let matches = |name: &String| {
        let name: Vec<char> = name.chars().collect();
        // As the shell does it: a hidden file is only meant by who writes its dot.
        (name.first() != Some(&'.') || pattern.first() == Some(&'.')) && glob(&pattern, &name)
    };
    names(files, folder).into_iter().filter(matches).map(|name| folder.join(name)).collect()
}

fn names(files: &dyn Files, folder: &Path) -> Vec<String> {
    let listed = files.list(folder).unwrap_or_default();
    let mut names: Vec<_> = listed.into_iter().filter_map(|name| name.into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// Whether a name is as the pattern wants it, by the rules of fnmatch(3).
pub(super) fn glob(pattern: &[char], name: &[char]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            glob(rest, name) || name.split_first().is_some_and(|(_, left)| glob(pattern, left))
        }
        (Some(('?', rest)), Some((_, left))) => glob(rest, left),
        (Some(('[', set)), Some((first, left))) => match class(set, *first) {
            Some((is_in, rest)) => is_in && glob(rest, left),
            None => *first == '[' && glob(set, left),
        },
        (Some((wanted, rest)), Some((first, left))) => wanted == first && glob(rest, left),
        _ => false,
    }
}

/// Whether a character is in the set that `set` begins with, and what follows the set; `None` where no bracket closes it.
fn class(set: &[char], what: char) -> Option<(bool, &[char])> {
    let (negated, set) = match set.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, set),
    };
    // A bracket that comes first stands for itself.
    let end = set.iter().skip(1).position(|c| *c == ']')? + 1;
    let (members, rest) = (&set[..end], &set[end + 1..]);
    let mut found = false;
    let mut at = 0;
    while at < members.len() {
        if let [from, '-', to, ..] = members[at..] {
            found |= (from..=to).contains(&what);
            at += 3;
        } else {
            found |= members[at] == what;
            at += 1;
        }
    }
    Some((found != negated, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::memory::MemoryFiles;

    fn matches(pattern: &str, name: &str) -> bool {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        glob(&chars(pattern), &chars(name))
    }

    #[test]
    fn names_match_as_in_the_shell() {
        for (pattern, name) in [
            ("*.conf", "a.conf"),
            ("a?[0-9b].*", "axb.c"),
            ("[!a]*", "b"),
            ("[]]", "]"),
            ("[", "["),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.conf", "a.conf~"), ("?", ""), ("[!a]", "a"), ("a", "ab")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn folders_bring_what_is_below_them_and_patterns_what_matches() {
        let files = MemoryFiles::new()
            .file("/etc/sites/b.conf", "")
            .file("/etc/sites/a.conf", "")
            .file("/etc/sites/.c.conf", "")
            .file("/etc/sites/more/d.txt", "");
        let found = |pattern: &str| included(&files, Path::new(pattern));
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(found("/etc/*/*.conf"), paths(&["/etc/sites/a.conf", "/etc/sites/b.conf"]));
        assert_eq!(found("/etc/sites/more"), paths(&["/etc/sites/more/d.txt"]));
        assert_eq!(found("/etc/sites").len(), 4);
        assert!(found("/etc/none/*").is_empty());
    }
}
