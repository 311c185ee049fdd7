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
    match &alias.matcher {
        Matcher::Path => {
            let AliasSource::Path(mount) = &alias.script.source else { return false };
            let target = alias.script.target.as_bytes();
            let Some(mapped) = map(mount.as_bytes(), target, uri.to_bytes()) else { return false };
            request.set_filename(&mapped.file);
            request.set_path_info(mapped.path_info);
            true
        }
        Matcher::Regex(regex, target) => {
            let Some(groups) = regex.find(uri) else { return false };
            let Some(file) = groups.substitute(request.pool(), target, uri) else { return false };
            // What of the path is not in the file's, the directory walk finds, as for AliasMatch.
            request.set_filename(file.to_bytes());
            true
        }
    }
}

/// Where an alias leads.
#[derive(Debug, PartialEq, Eq)]
struct Mapped<'u> {
    /// The script; for a folder of scripts, the script with what follows it in the path, which
    /// the directory walk divides.
    file: Vec<u8>,
    /// What follows the mount point of a single script.
    path_info: &'u [u8],
}

/// Applies a mount point to a path; `None` if it does not fit.
///
/// A target that ends with `/` is a folder of scripts: the rest of the path is appended to it, as
/// `Alias` does. Any other is a script, which httpd then need not search for.
fn map<'u>(mount: &[u8], target: &[u8], uri: &'u [u8]) -> Option<Mapped<'u>> {
    let length = matched(mount, uri)?;
    let rest = &uri[length..];
    if target.ends_with(b"/") {
        return Some(Mapped { file: [target, rest].concat(), path_info: b"" });
    }
    // `WSGIScriptAlias /` has matched the slash with which PATH_INFO begins.
    let slash = usize::from(mount.ends_with(b"/") && length > 0);
    Some(Mapped { file: target.to_vec(), path_info: &uri[length - slash..] })
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

    fn mapped(mount: &str, target: &str, uri: &str) -> Option<(String, String)> {
        let found = map(mount.as_bytes(), target.as_bytes(), uri.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Some((text(&found.file), text(found.path_info)))
    }

    fn script(mount: &str, uri: &str) -> Option<String> {
        let (file, path_info) = mapped(mount, "/s.wsgi", uri)?;
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
    fn a_folder_gets_the_rest_of_the_path_appended() {
        let all = |mount, uri| mapped(mount, "/srv/", uri).map(|(file, info)| file + &info);
        assert_eq!(all("/apps/", "/apps/one.wsgi/x").as_deref(), Some("/srv/one.wsgi/x"));
        assert_eq!(all("/apps", "/apps/one.wsgi").as_deref(), Some("/srv//one.wsgi"));
        assert_eq!(all("/", "/one.wsgi").as_deref(), Some("/srv/one.wsgi"));
    }
}
