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

/// Whether a variable is left out of the environ.
pub fn is_dropped(name: &[u8]) -> bool {
    DROPPED.binary_search_by(|dropped| dropped.as_bytes().cmp(name)).is_ok()
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
/// `path` is the request's decoded path, `path_info` the end of it that lies behind the script.
/// A `path_info` that is no end of it (a rewrite has changed one of them) leaves all of the path
/// to `SCRIPT_NAME`.
pub fn divide<'a>(path: &'a [u8], path_info: &'a [u8]) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
    let script_name = path.strip_suffix(path_info).unwrap_or(path);
    (collapse_slashes(script_name), collapse_slashes(path_info))
}

/// Which headers of a request an application may see, besides the ordinary ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passes {
    /// `Authorization`: `WSGIPassAuthorization On` or Apache's `CGIPassAuth On`.
    pub authorization: bool,
    /// `Proxy-Authorization`: Apache's `CGIPassAuth On`.
    pub proxy_authorization: bool,
}

/// The environ's name for a request header; `None` if the application is not to see it.
///
/// `X-Name` becomes `HTTP_X_NAME`; `Content-Type` and `Content-Length` get no `HTTP_`. A name
/// with anything but letters, digits and dashes is left out: `X_Name` would be taken for
/// `X-Name`, and a proxy that guards the one may let the other through. `Proxy` is left out
/// because programs read `HTTP_PROXY` as a setting.
pub fn header_variable(name: &[u8], passes: Passes) -> Option<String> {
    if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
        return None;
    }
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    if is("Proxy")
        || (is("Authorization") && !passes.authorization)
        || (is("Proxy-Authorization") && !passes.proxy_authorization)
    {
        return None;
    }
    let prefix = if is("Content-Type") || is("Content-Length") { "" } else { "HTTP_" };
    let mut variable = String::with_capacity(prefix.len() + name.len());
    variable.push_str(prefix);
    variable.extend(name.iter().map(|b| match b {
        b'-' => '_',
        _ => char::from(b.to_ascii_uppercase()),
    }));
    Some(variable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_list_of_what_is_dropped_is_in_order_and_found() {
        assert!(DROPPED.is_sorted());
        for name in DROPPED {
            assert!(is_dropped(name.as_bytes()));
        }
        for name in ["PATH_INFO", "REMOTE_ADDR", "SERVER_SOFTWARE", "path", ""] {
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
        ] {
            assert_eq!(divided(path, path_info), (expected.0.into(), expected.1.into()), "{path}");
        }
        assert!(matches!(collapse_slashes(b"/a/b"), Cow::Borrowed(_)));
    }

    fn variable(name: &str) -> Option<String> {
        header_variable(name.as_bytes(), Passes::default())
    }

    #[test]
    fn headers_become_variables() {
        assert_eq!(variable("X-Foo-1").as_deref(), Some("HTTP_X_FOO_1"));
        assert_eq!(variable("cookie").as_deref(), Some("HTTP_COOKIE"));
        assert_eq!(variable("content-type").as_deref(), Some("CONTENT_TYPE"));
        assert_eq!(variable("Content-Length").as_deref(), Some("CONTENT_LENGTH"));
    }

    #[test]
    fn headers_that_could_pose_as_others_are_left_out() {
        for name in
            ["X_Foo", "X.Foo", "X$", "Content_Length", "X Y", "X\u{e9}", "", "proxy", "PROXY"]
        {
            assert_eq!(variable(name), None, "{name}");
        }
    }

    #[test]
    fn passwords_are_passed_only_where_that_is_configured() {
        assert_eq!(variable("Authorization"), None);
        assert_eq!(variable("Proxy-Authorization"), None);
        let passes = Passes { authorization: true, proxy_authorization: false };
        assert!(header_variable(b"authorization", passes).is_some());
        assert!(header_variable(b"Proxy-Authorization", passes).is_none());
        let passes = Passes { authorization: true, proxy_authorization: true };
        assert!(header_variable(b"Proxy-Authorization", passes).is_some());
    }

    proptest! {
        #[test]
        fn no_two_slashes_are_left_and_nothing_else_changes(path in "[/ab]{0,20}") {
            let collapsed = collapse_slashes(path.as_bytes()).into_owned();
            prop_assert!(!collapsed.windows(2).any(|pair| pair == b"//"));
            let letters = |path: &[u8]| path.iter().copied().filter(|b| *b != b'/').collect::<Vec<_>>();
            prop_assert_eq!(letters(&collapsed), letters(path.as_bytes()));
        }

        #[test]
        fn a_variable_is_made_of_safe_characters(name in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Some(variable) = header_variable(&name, Passes::default()) {
                prop_assert!(variable.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
                prop_assert_ne!(variable, "HTTP_PROXY");
            }
        }
    }
}
