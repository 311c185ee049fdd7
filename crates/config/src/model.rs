//! A whole configuration, as it is collected while Apache reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::directives::Value;
use crate::finding::Place;
use crate::group::DaemonGroup;
use crate::names::{self, GroupName, NameTemplate};
use crate::settings::{DEFAULT_CALLABLE, DirSetting, DirSettings, ServerSettings};

/// A virtual host, by a number that its collector chooses; 0 is the main server.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct VhostId(pub u32);

impl VhostId {
    /// The main server.
    pub const MAIN: Self = Self(0);
}

/// Something that a directive said, with where it was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed<T> {
    /// What was said.
    pub value: T,
    /// The virtual host that it was said in.
    pub vhost: VhostId,
    /// The line.
    pub place: Place,
}

/// A declared process group.
pub type GroupDefinition = Placed<DaemonGroup>;

/// How the path of a request finds a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AliasSource {
    /// A mount point: the beginning of the path.
    Path(String),
    /// A regular expression, whose groups the target may take up.
    Regex(String),
}

/// `WSGIScriptAlias` or `WSGIScriptAliasMatch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptAlias {
    /// What is matched.
    pub source: AliasSource,
    /// The script or a folder of scripts, as written.
    pub target: String,
    /// What the alias's own options set; they override the directives of all sections.
    pub options: DirSettings,
}

impl ScriptAlias {
    /// The mount point; `None` for a regular expression.
    pub fn mount_point(&self) -> Option<&str> {
        match &self.source {
            AliasSource::Path(path) => Some(path),
            AliasSource::Regex(_) => None,
        }
    }

    /// Whether the target is a folder of scripts: it is written with a slash at the end.
    pub fn is_folder(&self) -> bool {
        self.target.ends_with('/')
    }

    /// The target as a file that is known without a request: a pattern that takes nothing up
    /// from the path has one too.
    pub fn script(&self) -> Option<PathBuf> {
        let varies = match &self.source {
            AliasSource::Path(_) => false,
            AliasSource::Regex(_) => self.target.contains('$'),
        };
        (!varies && !self.is_folder()).then(|| PathBuf::from(&self.target))
    }
}

/// `WSGIImportScript`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportScript {
    /// The script.
    pub script: PathBuf,
    /// The process group that loads it.
    pub process_group: NameTemplate,
    /// The application group that loads it.
    pub application_group: NameTemplate,
}

/// A use of a process group by `WSGIProcessGroup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupUse {
    /// The name as written.
    pub group: NameTemplate,
    /// Whether it stands in a section such as `<Directory>`.
    pub in_section: bool,
}

/// A script that a directive other than an alias names: those of access control, `WSGIDispatchScript`, `WSGIHandlerScript`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedScript {
    /// The directive.
    pub directive: String,
    /// The script.
    pub script: PathBuf,
    /// The process group that runs it, the implicit one's empty name among them; `None` where a request decides.
    pub process_group: Option<String>,
}

/// A virtual host, as it is known once all is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualServer {
    /// `ServerName`, without a port.
    pub name: String,
    /// The port of `ServerName`, or of the address that the virtual host listens to; 0 when
    /// neither says one.
    pub port: u16,
    /// Where it is defined; `None` for the main server.
    pub place: Option<Place>,
}

impl VirtualServer {
    /// The name with its port, unless it is 80, 443 or unknown.
    pub fn host_port(&self) -> String {
        if self.port == 0 { self.name.clone() } else { names::with_port(&self.name, self.port) }
    }
}

/// A script that can be loaded before the first request: its groups are known without one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StaticMount {
    /// The virtual host, for its log.
    pub vhost: VhostId,
    /// The process group; the embedded one where no other is named.
    pub process_group: GroupName,
    /// The application group, expanded.
    pub application_group: String,
    /// The script.
    pub script: PathBuf,
    /// The callable in it; `None` where the script is only imported.
    pub callable: Option<String>,
    /// The mount point; empty where the script is only imported.
    pub mount_point: String,
}

/// All that the directives have said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// What holds for the whole server.
    pub server: ServerSettings,
    /// Where `WSGIPythonHome`, `WSGIPythonPath` and `WSGIPythonEggs` stand.
    pub server_places: BTreeMap<String, Place>,
    /// The process groups, as declared.
    pub groups: Vec<GroupDefinition>,
    /// The aliases, as declared.
    pub aliases: Vec<Placed<ScriptAlias>>,
    /// The scripts to import.
    pub imports: Vec<Placed<ImportScript>>,
    /// Where process groups are named by `WSGIProcessGroup`.
    pub group_uses: Vec<Placed<GroupUse>>,
    /// What directives outside of sections set for each virtual host.
    pub vhost_settings: BTreeMap<VhostId, DirSettings>,
    /// Virtual hosts in which a section sets a group or a callable.
    pub sectioned: Vec<VhostId>,
    /// The scripts that other directives than aliases name; those in `.htaccess` files are not known.
    pub named_scripts: Vec<Placed<NamedScript>>,
    /// Where `WSGITrustedProxies` stands first.
    pub proxies_named: Option<Place>,
    /// Where `WSGITrustedProxyHeaders` stands first.
    pub proxy_headers_named: Option<Place>,
    /// The virtual hosts, filled in once all is read.
    pub vhosts: BTreeMap<VhostId, VirtualServer>,
}

/// Where a directive was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The virtual host.
    pub vhost: VhostId,
    /// The line.
    pub place: Place,
    /// Whether it stands in a section such as `<Directory>`, not directly in a host.
    pub in_section: bool,
}

impl Config {
    /// Takes over what a directive says. Settings of folders are only noted here, for the checks
    /// and for preloading: which of them holds for a request is Apache's to merge.
    pub fn record(&mut self, directive: &str, value: &Value, met: &Met) {
        match value {
            Value::DaemonGroup(group) => self.groups.push(placed(&**group, met)),
            Value::ScriptAlias(alias) => self.aliases.push(placed(&**alias, met)),
            Value::ImportScript(import) => self.imports.push(placed(import, met)),
            Value::Server(setting) => {
                self.server.set(setting.clone());
                self.server_places.insert(directive.to_owned(), met.place.clone());
            }
            Value::Dir(setting) => {
                if let Some((script, process_group)) = script_of(setting) {
                    let directive = directive.to_owned();
                    let named = NamedScript { directive, script, process_group };
                    self.named_scripts.push(placed(&named, met));
                }
                self.note(setting, met);
            }
        }
    }

    fn note(&mut self, setting: &DirSetting, met: &Met) {
        let first = match setting {
            DirSetting::TrustedProxies(_) => Some(&mut self.proxies_named),
            DirSetting::TrustedProxyHeaders(_) => Some(&mut self.proxy_headers_named),
            _ => None,
        };
        if let Some(first) = first {
            first.get_or_insert_with(|| met.place.clone());
        }
        if let DirSetting::ProcessGroup(group) = setting {
            let used = GroupUse { group: group.clone(), in_section: met.in_section };
            self.group_uses.push(placed(&used, met));
        }
        if !met.in_section {
            self.vhost_settings.entry(met.vhost).or_default().set(setting.clone());
        } else if matches!(
            setting,
            DirSetting::ProcessGroup(_)
                | DirSetting::ApplicationGroup(_)
                | DirSetting::CallableObject(_)
        ) {
            self.sectioned.push(met.vhost);
        }
    }

    /// The declared group with this name.
    pub fn group(&self, name: &str) -> Option<&GroupDefinition> {
        self.groups.iter().find(|group| group.value.name.as_str() == name)
    }

    /// All groups with what they inherit filled in: the declared ones with `WSGIPythonHome`
    /// where they have no `python-home`, and the embedded one.
    pub fn effective_groups(&self) -> Vec<DaemonGroup> {
        let declared = self.groups.iter().map(|group| group.value.clone());
        let mut groups: Vec<_> = declared.chain([self.embedded_group()]).collect();
        for group in &mut groups {
            if group.python_home.is_none() {
                group.python_home.clone_from(&self.server.python_home);
            }
        }
        groups
    }

    /// The implicit group of applications without a process group.
    pub fn embedded_group(&self) -> DaemonGroup {
        DaemonGroup {
            python_home: self.server.python_home.clone(),
            python_path: self.server.python_path.clone(),
            python_eggs: self.server.python_eggs.clone(),
            ..DaemonGroup::new(GroupName::embedded())
        }
    }

    /// What holds for an alias outside of any section: its options over the settings of its
    /// virtual host over the main server's.
    pub fn alias_settings(&self, alias: &Placed<ScriptAlias>) -> DirSettings {
        let empty = DirSettings::default();
        let of = |vhost| self.vhost_settings.get(&vhost).unwrap_or(&empty);
        let host = DirSettings::merge(of(VhostId::MAIN), of(alias.vhost));
        DirSettings::merge(&host, &alias.value.options)
    }

    /// The scripts whose groups are known without a request, once the virtual hosts are.
    ///
    /// An alias with the options `process-group` and `application-group` is one (as in
    /// mod_wsgi); so is one whose host says both, unless sections might say otherwise. A target
    /// may turn out to be a folder of scripts written without its slash, or to be missing: look
    /// before it is loaded.
    pub fn static_mounts(&self) -> Vec<StaticMount> {
        let mut mounts: Vec<_> = self
            .aliases
            .iter()
            .filter_map(|alias| self.static_alias(alias))
            .chain(self.imports.iter().filter_map(|import| self.static_import(import)))
            .collect();
        mounts.sort();
        mounts.dedup();
        mounts
    }

    fn static_alias(&self, alias: &Placed<ScriptAlias>) -> Option<StaticMount> {
        let options = &alias.value.options;
        let decided = options.process_group.is_some() && options.application_group.is_some();
        if !decided && self.has_sections(alias.vhost) {
            return None;
        }
        let settings = self.alias_settings(alias);
        // An alias that names no group at all may be one of many; it is loaded when asked for.
        settings.process_group.as_ref()?;
        let mount_point = alias.value.mount_point().unwrap_or_default();
        let script_name = alias.value.mount_point().map(|path| path.trim_end_matches('/'));
        let callable = match settings.callable_object() {
            None => DEFAULT_CALLABLE.to_owned(),
            Some(name) => name.fixed()?.to_owned(),
        };
        Some(StaticMount {
            vhost: alias.vhost,
            process_group: self.process_group(settings.process_group(), alias.vhost)?,
            application_group: self.known(
                settings.application_group(),
                alias.vhost,
                script_name,
            )?,
            script: alias.value.script()?,
            callable: Some(callable),
            mount_point: mount_point.to_owned(),
        })
    }

    fn static_import(&self, import: &Placed<ImportScript>) -> Option<StaticMount> {
        let ImportScript { script, process_group, application_group } = &import.value;
        Some(StaticMount {
            vhost: import.vhost,
            process_group: self.process_group(process_group, import.vhost)?,
            application_group: self.known(application_group, import.vhost, None)?,
            script: script.clone(),
            callable: None,
            mount_point: String::new(),
        })
    }

    fn has_sections(&self, vhost: VhostId) -> bool {
        self.sectioned.iter().any(|sectioned| [vhost, VhostId::MAIN].contains(sectioned))
    }

    /// The group that a name means without a request; the name itself if it is declared.
    fn process_group(&self, name: &NameTemplate, vhost: VhostId) -> Option<GroupName> {
        match self.known(name, vhost, None)? {
            name if name.is_empty() => Some(GroupName::embedded()),
            name => self.group(&name).map(|group| group.value.name.clone()),
        }
    }

    /// A name as far as it is known without a request.
    pub fn known(
        &self,
        name: &NameTemplate,
        vhost: VhostId,
        script_name: Option<&str>,
    ) -> Option<String> {
        let server = self.vhosts.get(&vhost).filter(|server| server.port != 0);
        match name {
            NameTemplate::Server => server.map(VirtualServer::host_port),
            NameTemplate::Resource => {
                let server = server?;
                Some(names::resource(&server.name, server.port, script_name?))
            }
            _ => name.fixed().map(str::to_owned),
        }
    }
}

/// The script that a setting names, and the process group that runs it where that is known.
fn script_of(setting: &DirSetting) -> Option<(PathBuf, Option<String>)> {
    match setting {
        DirSetting::AccessScript(script)
        | DirSetting::AuthUserScript(script)
        | DirSetting::AuthGroupScript(script)
        | DirSetting::DispatchScript(script) => Some((script.path.clone(), Some(String::new()))),
        DirSetting::HandlerScript(script) => {
            let group = script.options.process_group.as_ref();
            let known = group.and_then(|group| group.fixed().map(str::to_owned));
            Some((script.path.clone(), known))
        }
        _ => None,
    }
}

fn placed<T: Clone>(value: &T, met: &Met) -> Placed<T> {
    Placed { value: value.clone(), vhost: met.vhost, place: met.place.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directives;

    fn met(vhost: u32, line: u32, in_section: bool) -> Met {
        Met { vhost: VhostId(vhost), place: Place::new("a.conf", line), in_section }
    }

    fn say(config: &mut Config, met: &Met, line: &str) {
        let (name, args) = line.split_once(' ').unwrap();
        let directive = directives::find(name).unwrap();
        let value = directive.parse(args, met.vhost != VhostId::MAIN).unwrap();
        config.record(name, &value, met);
    }

    fn config(lines: &[(u32, bool, &str)]) -> Config {
        let mut config = Config::default();
        for (at, (vhost, in_section, line)) in lines.iter().enumerate() {
            let line_number = u32::try_from(at).unwrap() + 1;
            say(&mut config, &met(*vhost, line_number, *in_section), line);
        }
        for (id, port) in [(0, 80), (1, 8080)] {
            let server = VirtualServer { name: format!("host{id}"), port, place: None };
            config.vhosts.insert(VhostId(id), server);
        }
        config
    }

    fn groups(config: &Config) -> Vec<(String, String)> {
        let name = |m: StaticMount| (m.process_group.as_str().to_owned(), m.application_group);
        config.static_mounts().into_iter().map(name).collect()
    }

    fn pair(process: &str, application: &str) -> (String, String) {
        (process.to_owned(), application.to_owned())
    }

    #[test]
    fn an_alias_with_both_groups_is_static() {
        let config = config(&[
            (0, false, "WSGIDaemonProcess shop"),
            (
                0,
                false,
                "WSGIScriptAlias / /srv/a.wsgi process-group=shop application-group=%{GLOBAL}",
            ),
            (
                1,
                false,
                "WSGIScriptAlias /b /srv/b.wsgi process-group=shop application-group=%{RESOURCE}",
            ),
        ]);
        assert_eq!(groups(&config), [pair("shop", ""), pair("shop", "host1:8080|/b")]);
        let mount = &config.static_mounts()[1];
        assert_eq!(mount.callable.as_deref(), Some("application"));
        assert_eq!((mount.mount_point.as_str(), mount.vhost), ("/b", VhostId(1)));
    }

    #[test]
    fn settings_of_the_host_make_it_static_unless_sections_might_say_otherwise() {
        let mut lines = vec![
            (0, false, "WSGIDaemonProcess shop"),
            (1, false, "WSGIProcessGroup shop"),
            (1, false, "WSGIScriptAlias / /srv/a.wsgi"),
        ];
        assert_eq!(groups(&config(&lines)), [pair("shop", "host1:8080|")]);
        lines.push((1, true, "WSGIScriptReloading Off"));
        assert_eq!(groups(&config(&lines)).len(), 1);
        lines.push((0, true, "WSGIApplicationGroup %{GLOBAL}"));
        assert!(groups(&config(&lines)).is_empty());
    }

    #[test]
    fn what_a_request_decides_is_not_static() {
        for line in [
            "WSGIScriptAlias / /srv/a.wsgi",
            "WSGIScriptAlias / /srv/scripts/ process-group=shop application-group=x",
            "WSGIScriptAlias / /srv/a.wsgi process-group=%{ENV:g} application-group=x",
            "WSGIScriptAlias / /srv/a.wsgi process-group=shop application-group=%{HOST}",
            "WSGIScriptAlias / /srv/a.wsgi process-group=none application-group=x",
            "WSGIScriptAliasMatch ^/(.) /srv/$1.wsgi process-group=shop application-group=x",
            "WSGIScriptAlias / /srv/a process-group=shop application-group=x callable-object=%{ENV:c}",
        ] {
            let config = config(&[(0, false, "WSGIDaemonProcess shop"), (0, false, line)]);
            assert!(config.static_mounts().is_empty(), "{line}");
        }
    }

    #[test]
    fn imported_scripts_are_static_and_have_no_callable() {
        let config = config(&[(
            0,
            false,
            "WSGIImportScript /srv/warm.py process-group=%{GLOBAL} application-group=%{SERVER}",
        )]);
        assert_eq!(groups(&config), [pair("", "host0")]);
        assert_eq!(config.static_mounts()[0].callable, None);
    }

    #[test]
    fn groups_without_a_home_take_the_servers() {
        let config = config(&[
            (0, false, "WSGIPythonHome /base"),
            (0, false, "WSGIPythonPath /lib"),
            (0, false, "WSGIDaemonProcess a"),
            (0, false, "WSGIDaemonProcess b python-home=/own"),
        ]);
        let homes: Vec<_> = config
            .effective_groups()
            .into_iter()
            .map(|g| (g.python_home.unwrap(), g.python_path.len()))
            .collect();
        assert_eq!(homes, [("/base".into(), 0), ("/own".into(), 0), ("/base".into(), 1)]);
    }

    #[test]
    fn a_configuration_survives_the_wire() {
        let config = config(&[
            (0, false, "WSGIDaemonProcess shop threads=3 env=A=b"),
            (1, true, "WSGIProcessGroup %{ENV:g}"),
            (1, false, "WSGIScriptAliasMatch ^/x /srv/x.wsgi"),
        ]);
        let bytes = postcard::to_stdvec(&config).unwrap();
        assert_eq!(postcard::from_bytes::<Config>(&bytes).unwrap(), config);
    }
}
