//! `WSGIScriptAlias` and `WSGIScriptAliasMatch`: from a path to a script.

use std::ffi::CStr;

use pinion_config::AliasSource;
use pinion_httpd::{Answer, Request};

use crate::{
    handler::HANDLER,
    module::Pinion,
    server::{Alias, Matcher},
};

/// The alias that mapped the request; `None` if `SetHandler` or `AddHandler` names the handler.
pub(crate) fn alias_of(request: Request<'_>) -> Option<&Alias> {
    request.marked::<Pinion>()
}

/// Maps the request by the first alias that fits.
pub(crate) fn translate_name(request: Request<'_>) -> Answer {
    let Some(uri) = request.uri() else { return Answer::Declined };
    // A proxy's request, or `OPTIONS *`, has no path.
    if uri.to_bytes().first() != Some(&b'/') {
        return Answer::Declined;
    }
    for alias in request.server_config::<Pinion>().aliases() {
        if apply(request, uri, alias) {
            request.set_handler(HANDLER);
            request.mark::<Pinion>(alias);
            return Answer::Ok;
        }
    }
    Answer::Declined
}

/// Sets the request's file and the rest of its path, if the alias fits.
fn apply(request: Request<'_>, uri: &CStr, alias: &Alias) -> bool {
    let path = uri.to_bytes();
    let mapped = match &alias.matcher {
        Matcher::Path => {
            let AliasSource::Path(mount) = &alias.script.source else { return false };
            let target = alias.script.target.as_bytes();
            matched(mount.as_bytes(), path).map(|end| map(target, alias.is_file, path, end))
        }
        Matcher::Regex(regex, target) => regex.find(uri).and_then(|groups| {
            let file = groups.substitute(request.pool(), target, uri)?;
            Some(map(file.to_bytes(), alias.is_file, path, groups.end()))
        }),
    };
    let Some(mapped) = mapped else { return false };
    request.set_filename(&mapped.file);
    // The directory walk would put a slash before one that is empty.
    if !mapped.path_info.is_empty() {
        request.set_path_info(mapped.path_info);
    }
    true
}

/// Where an alias leads.
#[derive(Debug, PartialEq, Eq)]
struct Mapped<'u> {
    /// The script; or the script with what follows it in the path, which httpd's directory walk
    /// divides.
    file: Vec<u8>,
    /// What follows a script that is known to be one.
    path_info: &'u [u8],
}

/// Puts the target in the place of the first `end` bytes of the path, as `Alias` does. For a
/// target that is a file, the directory walk is spared the search for what follows.
fn map<'u>(target: &[u8], is_file: bool, path: &'u [u8], end: usize) -> Mapped<'u> {
    let rest = &path[end..];
    if is_file {
        // `WSGIScriptAlias /` has matched the slash with which PATH_INFO begins.
        let slash = usize::from(path[..end].ends_with(b"/"));
        let path_info = &path[end - slash..];
        if matches!(path_info.first(), None | Some(b'/')) {
            return Mapped { file: target.to_vec(), path_info };
        }
    }
    Mapped { file: [target, rest].concat(), path_info: b"" }
}

/// How many bytes of a path a mount point takes: whole components, with any number of slashes for
/// one, as httpd's `Alias` compares; `None` if it is another path.
fn matched(mount: &[u8], uri: &[u8]) -> Option<usize> {
    let (mut at, mut taken) = (0, 0);
    while at < mount.len() {
        if mount[at] == b'/' {
            if uri.get(taken) != Some(&b'/') {
                return None;
            }
            at += slashes(&mount[at..]);
            taken += slashes(&uri[taken..]);
        } else {
            if uri.get(taken) != Some(&mount[at]) {
                return None;
            }
            at += 1;
            taken += 1;
        }
    }
    let whole = mount.ends_with(b"/") || matches!(uri.get(taken), None | Some(b'/'));
    whole.then_some(taken)
}

fn slashes(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b'/').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(mount: &str, target: &str, is_file: bool, path: &str) -> Option<(String, String)> {
        let end = matched(mount.as_bytes(), path.as_bytes())?;
        let found = map(target.as_bytes(), is_file, path.as_bytes(), end);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Some((text(&found.file), text(found.path_info)))
    }

    fn script(mount: &str, path: &str) -> Option<String> {
        let (file, path_info) = mapped(mount, "/s.wsgi", true, path)?;
        assert_eq!(file, "/s.wsgi");
        Some(path_info)
    }

    #[test]
    fn a_script_gets_what_follows_its_mount_point() {
        assert_eq!(script("/shop", "/shop").as_deref(), Some(""));
        assert_eq!(script("/shop", "/shop/").as_deref(), Some("/"));
        assert_eq!(script("/shop", "/shop/a/b").as_deref(), Some("/a/b"));
        assert_eq!(script("/shop", "/shopping"), None);
        assert_eq!(script("/shop", "/sho"), None);
        assert_eq!(script("/shop", "/"), None);
    }

    #[test]
    fn the_root_gets_everything() {
        assert_eq!(script("/", "/").as_deref(), Some("/"));
        assert_eq!(script("/", "/a").as_deref(), Some("/a"));
        assert_eq!(script("/", "//a").as_deref(), Some("/a"));
    }

    #[test]
    fn several_slashes_count_as_one() {
        assert_eq!(script("/a/b", "//a///b/c").as_deref(), Some("/c"));
        assert_eq!(script("/a//b", "/a/b").as_deref(), Some(""));
        assert_eq!(script("/a/b", "/ab"), None);
    }

    #[test]
    fn a_mount_point_with_a_slash_at_its_end_needs_one() {
        assert_eq!(script("/shop/", "/shop/a").as_deref(), Some("/a"));
        assert_eq!(script("/shop/", "/shop"), None);
    }

    #[test]
    fn what_is_not_known_to_be_a_file_gets_the_rest_of_the_path_appended() {
        let file = |mount, target, path| {
            let (file, path_info) = mapped(mount, target, false, path)?;
            assert_eq!(path_info, "");
            Some(file)
        };
        let one = Some("/srv/one.wsgi/x");
        assert_eq!(file("/apps/", "/srv/", "/apps/one.wsgi/x").as_deref(), one);
        assert_eq!(file("/apps", "/srv", "/apps/one.wsgi/x").as_deref(), one);
        assert_eq!(file("/", "/srv/", "/one.wsgi/x").as_deref(), one);
        assert_eq!(file("/s/", "/s.wsgi/", "/s/x").as_deref(), Some("/s.wsgi/x"));
    }

    #[test]
    fn an_expression_may_end_within_a_component() {
        let found = map(b"/s.wsgi", true, b"/fixed/12/x", 8);
        assert_eq!(found, Mapped { file: b"/s.wsgi2/x".to_vec(), path_info: b"" });
        let found = map(b"/s.wsgi", true, b"/fixed/12/x", 9);
        assert_eq!(found, Mapped { file: b"/s.wsgi".to_vec(), path_info: b"/x" });
    }
}
