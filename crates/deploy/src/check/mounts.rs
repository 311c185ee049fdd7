//! The applications of a configuration: which script is where, and in which groups it runs.

use std::path::PathBuf;

use pinion_config::apache::Reading;
use pinion_config::{Config, DEFAULT_CALLABLE, NameTemplate, Place, Placed, ScriptAlias, VhostId};

/// An application at its mount point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The path on the server; empty for the whole site.
    pub(super) point: String,
    /// The script.
    pub(super) script: PathBuf,
    /// The callable in it.
    pub(super) callable: String,
    /// The process group; empty for embedded applications.
    pub(super) process_group: String,
    /// The application group.
    pub(super) application_group: String,
    /// The host's name, and its port.
    pub(super) host: (String, u16),
    /// Where it is configured.
    pub(super) place: Place,
    /// URL paths that Apache serves itself.
    pub(super) statics: Vec<String>,
}

/// The applications whose script and groups are known without a request, each once.
pub(super) fn of(reading: &Reading) -> Vec<Mount> {
    let config = &reading.config;
    let mut mounts: Vec<Mount> = Vec::new();
    for alias in &config.aliases {
        let Some(mount) = mount(reading, config, alias) else { continue };
        // The same script in the same groups behaves the same at every mount point and host.
        let same = |other: &Mount| {
            (&other.script, &other.process_group, &other.callable)
                == (&mount.script, &mount.process_group, &mount.callable)
        };
        if !mounts.iter().any(same) {
            mounts.push(mount);
        }
    }
    mounts
}

fn mount(reading: &Reading, config: &Config, alias: &Placed<ScriptAlias>) -> Option<Mount> {
    let script = alias.value.script()?;
    let settings = config.alias_settings(alias);
    let point = alias.value.mount_point()?.trim_end_matches('/').to_owned();
    let process_group = match &settings.process_group {
        Some(name) => config.known(name, alias.vhost, None)?,
        None => sections_group(config, alias.vhost).unwrap_or_default(),
    };
    let callable = settings.callable_object().map_or(Some(DEFAULT_CALLABLE), NameTemplate::fixed);
    let server = config.vhosts.get(&alias.vhost)?;
    let port = if server.port == 0 { 80 } else { server.port };
    let resource = pinion_config::names::resource(&server.name, port, &point);
    let application_group =
        config.known(settings.application_group(), alias.vhost, Some(&point)).unwrap_or(resource);
    let statics = reading
        .static_aliases
        .iter()
        .filter(|aliased| [alias.vhost, VhostId::MAIN].contains(&aliased.vhost))
        .map(|aliased| aliased.value.0.clone())
        .collect();
    Some(Mount {
        point,
        script,
        callable: callable?.to_owned(),
        process_group,
        application_group,
        host: (server.name.clone(), port),
        place: alias.place.clone(),
        statics,
    })
}

/// The group that sections such as `<Directory>` name, where they name but one.
fn sections_group(config: &Config, vhost: VhostId) -> Option<String> {
    let mut names = config
        .group_uses
        .iter()
        .filter(|used| used.value.in_section && [vhost, VhostId::MAIN].contains(&used.vhost))
        .filter_map(|used| config.known(&used.value.group, vhost, None));
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

impl Mount {
    /// The URL of its first page.
    pub(super) fn url(&self) -> String {
        format!("{}/", self.point)
    }

    /// Whether a URL path is the application's: below the mount point, and not served by Apache itself.
    pub(super) fn serves(&self, path: &str) -> bool {
        let below = |point: &str| {
            let rest = path.strip_prefix(point.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        below(&self.point) && !self.statics.iter().any(|point| below(point))
    }

    /// The environ of a request, as Apache's child sends it.
    pub(super) fn environ(&self, url: &str) -> Vec<(&'static str, String)> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let info = percent_decoded(path.strip_prefix(self.point.as_str()).unwrap_or(path));
        let (host, port) = (&self.host.0, self.host.1);
        let scheme = if port == 443 { "https" } else { "http" };
        let text = str::to_owned;
        let mut environ = vec![
            ("GATEWAY_INTERFACE", text("CGI/1.1")),
            ("SERVER_SOFTWARE", text("Apache")),
            ("SERVER_NAME", host.clone()),
            ("SERVER_PORT", port.to_string()),
            ("SERVER_ADDR", text("127.0.0.1")),
            ("SERVER_PROTOCOL", text("HTTP/1.1")),
            ("REMOTE_ADDR", text("127.0.0.1")),
            ("REMOTE_PORT", text("0")),
            ("REQUEST_METHOD", text("GET")),
            ("REQUEST_SCHEME", text(scheme)),
            ("REQUEST_URI", text(url)),
            ("QUERY_STRING", text(query)),
            ("SCRIPT_NAME", self.point.clone()),
            ("PATH_INFO", info.clone()),
            ("SCRIPT_FILENAME", self.script.display().to_string()),
            ("HTTP_HOST", pinion_config::names::with_port(host, port)),
            ("HTTP_USER_AGENT", text("pinion-check")),
            ("HTTP_ACCEPT", text("*/*")),
            ("wsgi.url_scheme", text(scheme)),
            ("mod_wsgi.script_name", self.point.clone()),
            ("mod_wsgi.path_info", info),
            ("mod_wsgi.callable_object", self.callable.clone()),
            ("mod_wsgi.request_start", text("0.0")),
            ("mod_wsgi.script_reloading", text("1")),
            ("mod_wsgi.listener_host", text("")),
            ("mod_wsgi.listener_port", port.to_string()),
        ];
        if scheme == "https" {
            environ.push(("HTTPS", text("on")));
        }
        environ
    }
}

/// A path with its `%XX` resolved; one character for each byte, as PEP 3333 has it.
fn percent_decoded(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, left)) = rest.split_first() {
        let hex = left.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = &left[2..];
            }
            _ => {
                out.push(*first);
                rest = left;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_config::apache::{Known, read};
    use pinion_config::files::SystemFiles;

    fn mounts(text: &str) -> Vec<Mount> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("site.conf");
        std::fs::write(&file, text).unwrap();
        let known = Known { is_part: true, ..Known::default() };
        of(&read(&SystemFiles, &file, &known).unwrap())
    }

    #[test]
    fn applications_are_found_with_their_groups() {
        let found = mounts(
            "WSGIDaemonProcess shop\nAlias /shop/css /srv/css\nWSGIScriptAlias /shop /srv/shop.wsgi\n\
             <Directory /srv>\nWSGIProcessGroup shop\nWSGIApplicationGroup %{GLOBAL}\n</Directory>\n\
             <VirtualHost *:443>\nServerName b.test\nWSGIScriptAlias / /srv/b.wsgi \
             process-group=%{GLOBAL} application-group=x callable-object=app\n</VirtualHost>\n\
             WSGIScriptAlias /again /srv/shop.wsgi\nWSGIScriptAlias /many /srv/scripts/\n",
        );
        let [shop, b] = &found[..] else { panic!("{found:?}") };
        assert_eq!((shop.point.as_str(), shop.process_group.as_str()), ("/shop", "shop"));
        assert!(shop.serves("/shop") && shop.serves("/shop/x"));
        assert!(!shop.serves("/shop/css/a.css") && !shop.serves("/shopping"));
        assert_eq!((b.point.as_str(), b.process_group.as_str()), ("", ""));
        assert_eq!((b.application_group.as_str(), b.callable.as_str()), ("x", "app"));
        assert!(b.environ("/a").contains(&("wsgi.url_scheme", "https".into())));
    }

    #[test]
    fn a_request_is_divided_at_the_mount_point() {
        let found = mounts("WSGIScriptAlias /shop /srv/shop.wsgi\n");
        let environ = found[0].environ("/shop/a%20b%zz?c=%20d");
        let value = |wanted: &str| {
            environ.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
        };
        assert_eq!(value("SCRIPT_NAME"), Some("/shop"));
        assert_eq!(value("PATH_INFO"), Some("/a b%zz"));
        assert_eq!(value("QUERY_STRING"), Some("c=%20d"));
        assert_eq!(value("REQUEST_URI"), Some("/shop/a%20b%zz?c=%20d"));
        assert_eq!(value("HTTP_HOST"), Some("localhost"));
    }
}
