//! Which of the server's variables an application sees in its environ, and in which form.

use std::borrow::Cow;

/// Variables that Apache makes and mod_wsgi leaves out: they describe CGI, or would let the
/// server's own surroundings shine through.
pub const DROPPED: [&str; 6] = [
    "GATEWAY_INTERFACE",
    "PATH",
    "PATH_TRANSLATED",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "SERVER_SIGNATURE",
];

/// What the names begin with that mod_wsgi keeps for itself.
const HIDDEN: &[u8] = b"mod_wsgi.x-";

/// Whether a variable is left out of the environ.
pub fn is_dropped(name: &[u8]) -> bool {
    DROPPED.binary_search_by(|dropped| dropped.as_bytes().cmp(name)).is_ok()
        || name.starts_with(HIDDEN)
}

/// Variables that Apache makes and mod_wsgi does not show to the scripts of access control.
const BEYOND_ACCESS: [&str; 7] = [
    "AUTH_TYPE",
    "CONTEXT_DOCUMENT_ROOT",
    "CONTEXT_PREFIX",
    "PATH",
    "REMOTE_USER",
    "REQUEST_SCHEME",
    "SCRIPT_FILENAME",
];

/// Whether a variable is not shown to the scripts of access control.
pub fn is_beyond_access(name: &[u8]) -> bool {
    BEYOND_ACCESS.binary_search_by(|beyond| beyond.as_bytes().cmp(name)).is_ok()
}

/// A path with each run of slashes made one: `SCRIPT_NAME` and `PATH_INFO` are shown so.
pub fn collapse_slashes(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return Cow::Borrowed(path);
    }
    let mut collapsed = path.to_vec();
    collapsed.dedup_by(|next, before| *next == b'/' && *before == b'/');
    Cow::Owned(collapsed)
}

/// The path of a request divided into `SCRIPT_NAME` and `PATH_INFO`, both collapsed.
///
/// `path` is the request's decoded path, `path_info` the end of it that lies behind the script, where repeated slashes
/// may have been made one already. A `path_info` that is no end of it (a rewrite has changed one of them) leaves all of the
/// path to `SCRIPT_NAME`.
pub fn divide<'a>(path: &'a [u8], path_info: &'a [u8]) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
    let script_name = without_end(path, path_info).unwrap_or(path);
    (collapse_slashes(script_name), collapse_slashes(path_info))
}

/// What is left of `path` without `end` and without slashes before it, if it ends so; as many slashes as there may be in a row
/// count as one.
fn without_end<'a>(mut path: &'a [u8], mut end: &[u8]) -> Option<&'a [u8]> {
    while let Some((last, rest)) = end.split_last() {
        path = path.strip_suffix(&[*last])?;
        end = rest;
        if *last == b'/' {
            path = without_slashes(path);
            end = without_slashes(end);
        }
    }
    Some(path)
}

fn without_slashes(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_suffix(b"/") {
        path = rest;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_list_of_what_is_dropped_is_in_order_and_found() {
        assert!(DROPPED.is_sorted() && BEYOND_ACCESS.is_sorted());
        assert!(is_beyond_access(b"PATH") && !is_beyond_access(b"PATH_INFO"));
        for name in DROPPED {
            assert!(is_dropped(name.as_bytes()));
        }
        assert!(is_dropped(b"mod_wsgi.x-") && is_dropped(b"mod_wsgi.x-magic"));
        for name in ["PATH_INFO", "REMOTE_ADDR", "SERVER_SOFTWARE", "path", "mod_wsgi.x", ""] {
            assert!(!is_dropped(name.as_bytes()), "{name}");
        }
    }

    fn divided(path: &str, path_info: &str) -> (String, String) {
        let text = |bytes: Cow<'_, [u8]>| String::from_utf8(bytes.into_owned()).unwrap();
        let (script_name, path_info) = divide(path.as_bytes(), path_info.as_bytes());
        (text(script_name), text(path_info))
    }

    #[test]
    fn paths_are_divided_and_collapsed() {
        for (path, path_info, expected) in [
            ("/d", "", ("/d", "")),
            ("/d/", "/", ("/d", "/")),
            ("/d//", "//", ("/d", "/")),
            ("///d///a//b", "///a//b", ("/d", "/a/b")),
            ("/a", "/a", ("", "/a")),
            ("/d/x", "/other", ("/d/x", "/other")),
            ("/d//x", "/x", ("/d", "/x")),
            ("/d/a//b", "/a/b", ("/d", "/a/b")),
            ("/d/", "", ("/d/", "")),
            ("//", "/", ("", "/")),
        ] {
            assert_eq!(divided(path, path_info), (expected.0.into(), expected.1.into()), "{path}");
        }
        assert!(matches!(collapse_slashes(b"/a/b"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_two_slashes_are_left_and_nothing_else_changes(path in "[/ab]{0,20}") {
            let collapsed = collapse_slashes(path.as_bytes()).into_owned();
            prop_assert!(!collapsed.windows(2).any(|pair| pair == b"//"));
            let letters = |path: &[u8]| path.iter().copied().filter(|b| *b != b'/').collect::<Vec<_>>();
            prop_assert_eq!(letters(&collapsed), letters(path.as_bytes()));
        }
    }
}
