//! The kinds of values that settings have: what is parsed into one of these is valid.

use std::fmt;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

/// What a value should have been, as `expected …` in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(pub String);

fn expected<T>(what: impl Into<String>) -> Result<T, Expected> {
    Err(Expected(what.into()))
}

/// Whether no file of ours could hold the text on one line.
pub fn unquotable(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// A site's name: of its files, of its folder at the deployment location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteName(String);

impl SiteName {
    /// Takes what can be the name of a file, without control characters.
    ///
    /// # Errors
    /// What a name may be.
    pub fn parse(text: &str) -> Result<Self, Expected> {
        if text.trim().is_empty() || text.starts_with(['.', '-']) || text.contains('/') {
            return expected(
                "a name for files, not empty, without slash, not beginning with `.` or `-`",
            );
        }
        if unquotable(text) {
            return expected("a name without line breaks and other control characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with all but letters, digits, dots, dashes and underscores of ASCII replaced by `_`:
    /// for the daemon process group, which may hold no space, for URLs and for Debian's tools.
    pub fn plain(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        self.0.chars().map(|c| if plain(c) { c } else { '_' }).collect()
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path of the server: begins with a slash, needs no quoting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UrlPath(String);

impl UrlPath {
    /// Takes letters, digits and ``-._~!$&'()*+,;=:@%`` between slashes, and a query.
    ///
    /// # Errors
    /// What a path may be.
    pub fn parse(text: &str) -> Result<Self, Expected> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~!&()*+,;=:@%?".contains(c);
        if !text.starts_with('/') {
            return expected(format!("a path that begins with a slash, such as `/{text}`"));
        }
        if let Some(bad) = text.chars().find(|c| !fits(*c)) {
            return expected(format!("a path of a URL, which cannot hold {bad:?}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UrlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where in a server's paths the application is: `/`, or `/x/y` without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint(UrlPath);

impl MountPoint {
    /// Takes `/`, `/x`, `/x/`, which is the same.
    ///
    /// # Errors
    /// What a mount point may be.
    pub fn parse(text: &str) -> Result<Self, Expected> {
        let path = UrlPath::parse(text)?;
        let trimmed = path.as_str().trim_end_matches('/');
        let parts: Vec<_> = trimmed.split('/').skip(1).collect();
        if parts.iter().any(|part| ["", ".", ".."].contains(part)) || trimmed.contains(['?', '%']) {
            return expected("a path without empty parts, `.`, `..`, `%` and `?`");
        }
        Ok(Self(UrlPath(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })))
    }

    /// `/`, or the path without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is the whole site.
    pub fn is_root(&self) -> bool {
        self.as_str() == "/"
    }

    /// The server's path for a path of the application that begins with a slash.
    pub fn join(&self, path: &str) -> String {
        if self.is_root() { path.to_owned() } else { format!("{}{path}", self.as_str()) }
    }
}

impl fmt::Display for MountPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a host, for `ServerName` and `ServerAlias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// Takes `www.example.org` or an address.
    ///
    /// # Errors
    /// What a host's name may be.
    pub fn parse(text: &str) -> Result<Self, Expected> {
        Self::check(text, "")
    }

    /// Takes wildcards too: `*.example.org`.
    ///
    /// # Errors
    /// What an alias may be.
    pub fn parse_alias(text: &str) -> Result<Self, Expected> {
        Self::check(text, "*?")
    }

    fn check(text: &str, more: &str) -> Result<Self, Expected> {
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c) || more.contains(c);
        if text.contains("://") || text.contains('/') {
            return expected("the name of a host alone, such as `www.example.org`, no URL");
        }
        let port = text.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':'));
        if port {
            return expected("the name of a host without a port; that is --port");
        }
        if text.is_empty() || text.starts_with('-') || !text.chars().all(fits) {
            return expected("the name of a host, such as `www.example.org`");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A port from 1 to 65535.
///
/// # Errors
/// What a port is.
pub fn port(text: &str) -> Result<NonZeroU16, Expected> {
    text.parse().or_else(|_error| expected("a port from 1 to 65535"))
}

/// A path of files that a line can hold.
///
/// # Errors
/// What a path may be.
pub fn path(text: &str) -> Result<PathBuf, Expected> {
    if text.is_empty() || unquotable(text) {
        return expected("a path, not empty, without line breaks and other control characters");
    }
    Ok(PathBuf::from(text).components().collect())
}

/// A path from the root of the file system.
///
/// # Errors
/// What a path may be.
pub fn absolute(text: &str) -> Result<PathBuf, Expected> {
    let path = path(text)?;
    if path.is_absolute() { Ok(path) } else { expected("an absolute path, such as `/srv/…`") }
}

/// A folder or file that Apache serves itself: `URL=PATH`, both below the application's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAlias {
    /// The path below the mount point.
    pub url: UrlPath,
    /// The folder or file; relative to the project's folder, or absolute.
    pub path: PathBuf,
}

impl StaticAlias {
    /// Takes `/css=myapp/public/css`.
    ///
    /// # Errors
    /// What an alias is.
    pub fn parse(text: &str) -> Result<Self, Expected> {
        let Some((url, target)) = text.split_once('=') else {
            return expected("`/url=folder`, such as `/css=myapp/public/css`");
        };
        let trimmed = if url.len() > 1 { url.trim_end_matches('/') } else { url };
        Ok(Self { url: UrlPath::parse(trimmed)?, path: path(target)? })
    }
}

impl fmt::Display for StaticAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.url, self.path.display())
    }
}

/// What makes the application where no project's files tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    /// An object in a module that can be imported.
    Callable(Callable),
    /// A WSGI script that exists already; relative to the project's folder, or absolute.
    Script(PathBuf),
}

impl Application {
    /// Takes `module:callable` or the path of a `.wsgi` file.
    ///
    /// # Errors
    /// What it may be.
    pub fn parse(text: &str) -> Result<Self, Expected> {
        if Path::new(text).extension().is_some_and(|extension| extension == "wsgi") {
            return path(text).map(Self::Script);
        }
        Callable::parse(text).map(Self::Callable)
    }
}

/// `module:name`, both with dots where needed; a name that ends in `()` is called first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callable {
    /// The module.
    pub module: String,
    /// The object in it, `name` or `name.attribute`.
    pub name: String,
    /// Whether it is a factory: called without arguments, it returns the application.
    pub factory: bool,
}

impl Callable {
    /// Takes `module:name` or `module:factory()`.
    ///
    /// # Errors
    /// What it may be.
    pub fn parse(text: &str) -> Result<Self, Expected> {
        let parts = text.split_once(':').filter(|(module, _)| dotted(module));
        let Some((module, name)) = parts else {
            return expected(
                "`module:callable`, such as `myapp:app`, or a file that ends in `.wsgi`",
            );
        };
        let (name, factory) = name.strip_suffix("()").map_or((name, false), |name| (name, true));
        if !dotted(name) {
            return expected(
                "a Python name after the colon, such as `myapp:app` or `myapp:create_app()`",
            );
        }
        Ok(Self { module: module.to_owned(), name: name.to_owned(), factory })
    }
}

impl fmt::Display for Callable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.module, self.name, if self.factory { "()" } else { "" })
    }
}

/// Whether the text is Python names divided by dots.
pub fn dotted(text: &str) -> bool {
    text.split('.').all(|part| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_names_have_a_plain_form() {
        for (name, plain) in
            [("myapp", "myapp"), ("my \"app\" ü$%", "my__app_____"), ("a.b-c_d", "a.b-c_d")]
        {
            assert_eq!(SiteName::parse(name).unwrap().plain(), plain);
        }
        for bad in ["", " ", "a/b", ".hidden", "-x", "a\nb", "a\0b"] {
            assert!(SiteName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mount_points_begin_with_a_slash_and_end_without() {
        for (text, mount) in [("/", "/"), ("/myapp", "/myapp"), ("/a/b/", "/a/b")] {
            assert_eq!(MountPoint::parse(text).unwrap().as_str(), mount);
        }
        assert_eq!(MountPoint::parse("/a").unwrap().join("/css"), "/a/css");
        assert_eq!(MountPoint::parse("/").unwrap().join("/css"), "/css");
        assert_eq!(
            MountPoint::parse("myapp"),
            Err(Expected("a path that begins with a slash, such as `/myapp`".into()))
        );
        for bad in ["", "/a//b", "/../a", "/a b", "/a?b", "/\u{fc}", "/a\n", "/a\"b"] {
            assert!(MountPoint::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn host_names_are_no_urls() {
        assert!(HostName::parse("www.example.org").is_ok() && HostName::parse("::1").is_ok());
        assert!(HostName::parse_alias("*.example.org").is_ok());
        for bad in ["", "http://x", "x:80", "a b", "*.x", "x\n", "-x"] {
            assert!(HostName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn applications_are_callables_or_scripts() {
        let app = |text| Application::parse(text);
        assert_eq!(app("run/site.wsgi"), Ok(Application::Script("run/site.wsgi".into())));
        let Ok(Application::Callable(made)) = app("shop.web:make()") else { panic!() };
        assert_eq!((made.factory, made.to_string()), (true, "shop.web:make()".into()));
        for bad in ["shop", "shop:", ":app", "a b:c", "a:b()()", "a:b;c"] {
            assert!(app(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn static_aliases_are_pairs() {
        let alias = StaticAlias::parse("/css/=myapp/public/css").unwrap();
        assert_eq!(alias.to_string(), "/css=myapp/public/css");
        for bad in ["/css", "css=x", "/css=", "/c s=x"] {
            assert!(StaticAlias::parse(bad).is_err(), "{bad}");
        }
    }
}
