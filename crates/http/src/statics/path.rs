//! From the path of a URL to a name below a folder.

use std::borrow::Cow;

/// The file that stands for its folder.
const INDEX: &[u8] = b"index.html";

/// A name below a folder, with slashes between its segments and none around them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'p> {
    bytes: Cow<'p, [u8]>,
    /// Whether the path ended with a slash, and so names a folder.
    pub(super) is_folder: bool,
}

impl<'p> Name<'p> {
    /// The name that a path says, decoded already and without the prefix; `None` where it may not be served: `.` and
    /// `..`, names that begin with a dot other than `.well-known`, backslashes and control characters. Several slashes are one.
    pub(super) fn of(path: &'p [u8]) -> Option<Self> {
        if path.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control()) {
            return None;
        }
        let is_slash = |byte: &u8| *byte == b'/';
        let mut segments = path.split(is_slash);
        if segments.any(|segment| segment.starts_with(b".") && segment != b".well-known") {
            return None;
        }
        let is_folder = path.last().is_none_or(is_slash);
        let start = path.iter().position(|byte| !is_slash(byte)).unwrap_or(path.len());
        let end = path.iter().rposition(|byte| !is_slash(byte)).map_or(start, |last| last + 1);
        Some(Self { bytes: collapse(&path[start..end]), is_folder })
    }

    /// The name itself; empty for the folder that the prefix stands for.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name of the file that stands for this folder.
    pub(super) fn index(&self) -> Vec<u8> {
        let mut name = self.bytes.to_vec();
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(INDEX);
        name
    }
}

fn collapse(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return Cow::Borrowed(path);
    }
    let mut collapsed = path.to_vec();
    collapsed.dedup_by(|next, before| *next == b'/' && *before == b'/');
    Cow::Owned(collapsed)
}

/// The same folder with a slash at its end, as a path of a URL; the query stays. It begins with exactly one slash,
/// since two would name another host.
pub(super) fn with_slash(prefix: &[u8], name: &Name<'_>, query: Option<&[u8]>) -> String {
    let mut location = String::new();
    encode(prefix, is_path, &mut location);
    location.push('/');
    encode(name.bytes(), is_path, &mut location);
    if !name.bytes().is_empty() {
        location.push('/');
    }
    if let Some(query) = query {
        location.push('?');
        encode(query, |byte| is_path(byte) || matches!(byte, b'?' | b'%'), &mut location);
    }
    location
}

/// What stands in a path as it is (RFC 3986, section 3.3).
fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

fn encode(bytes: &[u8], stays: impl Fn(u8) -> bool, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes.iter().copied() {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_become_names() {
        for (path, name, is_folder, index) in [
            ("", "", true, "index.html"),
            ("/", "", true, "index.html"),
            ("//", "", true, "index.html"),
            ("/a", "a", false, "a/index.html"),
            ("/a/", "a", true, "a/index.html"),
            ("/a/b.js", "a/b.js", false, "a/b.js/index.html"),
            ("//a///b.js", "a/b.js", false, "a/b.js/index.html"),
            ("/a//", "a", true, "a/index.html"),
            ("/.well-known/x", ".well-known/x", false, ".well-known/x/index.html"),
            ("/a b/%2e%2e", "a b/%2e%2e", false, "a b/%2e%2e/index.html"),
            ("/a..b/c.", "a..b/c.", false, "a..b/c./index.html"),
            ("/\u{e9}", "\u{e9}", false, "\u{e9}/index.html"),
            ("/~a/b~", "~a/b~", false, "~a/b~/index.html"),
        ] {
            let found = Name::of(path.as_bytes()).unwrap();
            let expected = (name.as_bytes(), is_folder, index.as_bytes());
            assert_eq!((found.bytes(), found.is_folder, &*found.index()), expected, "{path}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        for path in [
            "/..",
            "/../etc/passwd",
            "/a/..",
            "/a/../b",
            "/a/../../b",
            "/./a",
            "/a/.",
            "/...",
            "/.env",
            "/a/.git/config",
            "/.well-known/.htaccess",
            "/.well-knownx",
            "/..\\..\\a",
            "/a\\b",
            "/a\0",
            "/a\0.html",
            "/a\nb",
            "/a\u{7f}",
        ] {
            assert_eq!(Name::of(path.as_bytes()), None, "{path:?}");
        }
    }

    #[test]
    fn a_slash_is_added_and_nothing_can_be_smuggled_in() {
        for (prefix, path, query, location) in [
            ("/static", "", None, "/static/"),
            ("/static", "/a", None, "/static/a/"),
            ("/static", "/a", Some("b=c%20d&e"), "/static/a/?b=c%20d&e"),
            ("/static", "/a", Some(""), "/static/a/?"),
            ("", "//example.org", None, "/example.org/"),
            ("", "/a?b#c", None, "/a%3Fb%23c/"),
            ("", "/a b%c", Some("\r\nX: y"), "/a%20b%25c/?%0D%0AX:%20y"),
            ("/\u{e9}", "/a:b", None, "/%C3%A9/a:b/"),
        ] {
            let name = Name::of(path.as_bytes()).unwrap();
            let found = with_slash(prefix.as_bytes(), &name, query.map(str::as_bytes));
            assert_eq!(found, location, "{prefix} {path}");
        }
    }

    proptest! {
        #[test]
        fn names_stay_below_the_folder(path in "[/.a\\\\\u{0}%]{0,12}") {
            if let Some(name) = Name::of(path.as_bytes()) {
                let segments: Vec<_> = name.bytes().split(|byte| *byte == b'/').collect();
                let good = |segment: &&[u8]| !segment.is_empty() && !segment.starts_with(b".");
                prop_assert!(name.bytes().is_empty() || segments.iter().all(good));
                let location = with_slash(b"", &name, None);
                prop_assert!(location.starts_with('/') && !location.starts_with("//"));
            }
        }
    }
}
