//! What a deployment is to be: the values of all parameters, from the command line, else from the
//! project's `pinion.toml`, else the defaults.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

use pinion_config::{Code, Principal};
use thiserror::Error;

use crate::apache::Apache;
use crate::error::Advice;
use crate::parameters::{Kind, Parameter};
use crate::values::{Application, HostName, MountPoint, SiteName, StaticAlias, UrlPath};

/// The account that Debian's Apache serves as.
pub const DEFAULT_ACCOUNT: &str = "www-data";
/// Where deployed applications are, unless it is said.
pub const DEFAULT_LOCATION: &str = "/usr/local/turbogears";
/// Where virtualenvs are, unless it is said.
pub const DEFAULT_VIRTUALENVS: &str = "/usr/local/pythonenv";

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    CommandLine,
    /// In `pinion.toml`.
    File {
        /// The file.
        path: PathBuf,
        /// The line in it, from 1.
        line: usize,
    },
}

/// A parameter's values as they were given.
#[derive(Debug, Clone)]
pub struct Given {
    /// The parameter.
    pub parameter: &'static Parameter,
    /// Its values; `true` or `false` for a switch.
    pub values: Vec<String>,
    /// Where they were given.
    pub origin: Origin,
}

/// A value that is not what its parameter takes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The value itself is wrong.
    #[error("{place}: {value:?} is not {expected}")]
    Value {
        /// The option, or the file, line and key.
        place: String,
        /// The value.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// A value that needs another one.
    #[error("{given} is given, but no {needed}")]
    Needs {
        /// The option that was given.
        given: &'static str,
        /// The one that it needs.
        needed: &'static str,
    },
}

impl Advice for SettingsError {
    fn code(&self) -> Code {
        Code::SettingInvalid
    }

    fn hint(&self) -> String {
        match self {
            // With other faults, a slash in front would not do.
            Self::Value { place, value, .. }
                if place == "--mount-point"
                    && !value.starts_with('/')
                    && MountPoint::parse(&format!("/{value}")).is_ok()
                    && !value.is_empty() =>
            {
                format!("write --mount-point /{}", value.trim_matches('/'))
            }
            Self::Value { .. } => "`pinion deploy --help` shows what each option takes".to_owned(),
            Self::Needs { needed, .. } => format!("add {needed}, such as {needed} www.example.org"),
        }
    }
}

impl Given {
    /// How a message names the parameter here.
    pub fn place(&self) -> String {
        match &self.origin {
            Origin::CommandLine => format!("--{}", self.parameter.name),
            Origin::File { path, line } => {
                format!("{}:{line}: {}", path.display(), self.parameter.name)
            }
        }
    }

    fn apply(&self, choices: &mut Choices) -> Result<(), SettingsError> {
        for value in &self.values {
            let taken = match self.parameter.kind {
                Kind::One(set) | Kind::Optional(set) | Kind::Number(set) | Kind::Many(set) => {
                    set(choices, value)
                }
                Kind::Switch(_, set) => {
                    set(choices, value == "true");
                    Ok(())
                }
            };
            taken.map_err(|expected| SettingsError::Value {
                place: self.place(),
                value: value.clone(),
                expected: expected.0,
            })?;
        }
        Ok(())
    }
}

/// What was chosen; the rest has defaults.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the parameter of that name, whose help describes it")]
pub struct Choices {
    pub output_dir: Option<PathBuf>,
    pub name: Option<SiteName>,
    pub mount_point: Option<MountPoint>,
    pub server_name: Option<Option<HostName>>,
    pub server_aliases: Vec<HostName>,
    pub port: Option<NonZeroU16>,
    pub certificate: Option<PathBuf>,
    pub certificate_key: Option<PathBuf>,
    pub location: Option<PathBuf>,
    pub virtualenv: Option<Option<PathBuf>>,
    pub baseline: Option<Option<PathBuf>>,
    pub ini: Option<PathBuf>,
    pub section: Option<String>,
    pub application: Option<Application>,
    pub user: Option<Principal>,
    pub group: Option<Principal>,
    pub processes: Option<NonZeroU32>,
    pub threads: Option<NonZeroU32>,
    pub statics: Vec<StaticAlias>,
    pub egg_cache: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub logs: Option<PathBuf>,
    pub warmup: Option<Option<UrlPath>>,
    pub logging: Option<bool>,
    pub test: Option<bool>,
}

impl Choices {
    /// Reads what was given; for each parameter only its first entry of `given` counts, so the
    /// command line's entries come before the file's.
    ///
    /// # Errors
    /// The first value that is not what its parameter takes, with its place.
    pub fn read(given: &[Given]) -> Result<Self, SettingsError> {
        let mut choices = Self::default();
        for (at, one) in given.iter().enumerate() {
            if given[..at].iter().all(|earlier| earlier.parameter.name != one.parameter.name) {
                one.apply(&mut choices)?;
            }
        }
        Ok(choices)
    }
}

/// A virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualHost {
    /// Its `ServerName`.
    pub name: HostName,
    /// Its `ServerAlias`es.
    pub aliases: Vec<HostName>,
    /// Its port.
    pub port: NonZeroU16,
    /// Its certificate, where it speaks TLS.
    pub tls: Option<Tls>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The file of the certificate and its chain.
    pub certificate: PathBuf,
    /// The file of its private key, if that is another.
    pub key: Option<PathBuf>,
}

/// The values of all parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the generated files go: relative to the project's folder, or absolute.
    pub output_dir: PathBuf,
    /// The site's name.
    pub name: SiteName,
    /// The application's path on the server.
    pub mount_point: MountPoint,
    /// The virtual host, unless the site belongs to every host of the server.
    pub host: Option<VirtualHost>,
    /// Where deployed applications are.
    pub location: PathBuf,
    /// The application's virtualenv.
    pub virtualenv: Option<PathBuf>,
    /// The clean virtualenv that `python-home` names; without it, the application's does.
    pub baseline: Option<PathBuf>,
    /// The ini file: relative to the deployed application's folder, or absolute.
    pub ini: PathBuf,
    /// The ini file's section that is the application: `main` for `[app:main]`.
    pub section: String,
    /// Whom Apache serves as.
    pub server: ServerAccount,
    /// The user to run as, unless it is Apache's own.
    pub user: Option<Principal>,
    /// The group to run as, unless it is Apache's own.
    pub group: Option<Principal>,
    /// Processes of the application.
    pub processes: NonZeroU32,
    /// Threads in each process.
    pub threads: NonZeroU32,
    /// Static folders and files that were given; `None` when they are to be found in the project.
    pub statics: Option<Vec<StaticAlias>>,
    /// Where the application keeps its data.
    pub data: PathBuf,
    /// Where the application keeps logs of its own.
    pub logs: PathBuf,
    /// Where zipped eggs are unpacked: relative to the deployed application's folder, or absolute.
    pub egg_cache: PathBuf,
    /// The path below the mount point that each new process answers before it serves.
    pub warmup: Option<UrlPath>,
    /// Whether the script sets logging up from the ini file.
    pub logging: bool,
    /// Whether test.wsgi is generated.
    pub test: bool,
}

impl Settings {
    /// Fills what was not chosen with the defaults for a project of that name.
    ///
    /// # Errors
    /// A choice that needs another, or a project's name that cannot be a site's.
    pub fn complete(choices: Choices, project_name: &str) -> Result<Self, SettingsError> {
        let name = match &choices.name {
            Some(name) => name.clone(),
            None => site_name(project_name)?,
        };
        let below = |folder: &str| Path::new(folder).join(name.as_str());
        let mount_point = choices.mount_point.clone().map_or_else(|| default_mount(&name), Ok)?;
        let host = virtual_host(&choices)?;
        Ok(Self {
            output_dir: choices.output_dir.unwrap_or_else(|| "apache".into()),
            mount_point,
            host,
            location: choices.location.unwrap_or_else(|| DEFAULT_LOCATION.into()),
            virtualenv: choices.virtualenv.unwrap_or_else(|| Some(below(DEFAULT_VIRTUALENVS))),
            baseline: choices
                .baseline
                .unwrap_or_else(|| Some(Path::new(DEFAULT_VIRTUALENVS).join("BASELINE"))),
            ini: choices.ini.unwrap_or_else(|| "production.ini".into()),
            section: choices.section.unwrap_or_else(|| "main".into()),
            user: choices.user,
            group: choices.group,
            processes: choices.processes.unwrap_or(NonZeroU32::MIN.saturating_add(2)),
            threads: choices.threads.unwrap_or(NonZeroU32::MIN.saturating_add(9)),
            statics: (!choices.statics.is_empty()).then_some(choices.statics),
            data: choices.data.unwrap_or_else(|| below("/var/local")),
            logs: choices.logs.unwrap_or_else(|| below("/var/log")),
            egg_cache: choices.egg_cache.unwrap_or_else(|| "python-eggs".into()),
            warmup: choices.warmup.unwrap_or_else(|| UrlPath::parse("/").ok()),
            logging: choices.logging.unwrap_or(true),
            test: choices.test.unwrap_or(true),
            server: ServerAccount::default(),
            name,
        })
    }

    /// The user that the application runs as, for commands: the given one, or Apache's own.
    pub fn user_name(&self) -> String {
        account_name(self.user.as_ref().unwrap_or(&self.server.user))
    }

    /// The group that the application runs as, for commands: the given one, or Apache's own.
    pub fn group_name(&self) -> String {
        account_name(self.group.as_ref().unwrap_or(&self.server.group))
    }
}

/// The user and group that Apache's own children are, Debian's until its configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAccount {
    /// As `User` names it.
    pub user: Principal,
    /// As `Group` names it.
    pub group: Principal,
}

impl Default for ServerAccount {
    fn default() -> Self {
        let debian = || Principal::Name(DEFAULT_ACCOUNT.to_owned());
        Self { user: debian(), group: debian() }
    }
}

impl ServerAccount {
    /// What the configuration of an Apache says; its distribution's where Apache cannot read it.
    pub fn of(apache: &Apache) -> Self {
        let facts = apache.facts().unwrap_or_default();
        let usual = || Principal::Name(apache.usual_account().to_owned());
        let named = |name: Option<String>| name.map_or_else(usual, Principal::Name);
        Self { user: named(facts.user), group: named(facts.group) }
    }
}

/// As chown takes it, where a number needs no `#`.
fn account_name(account: &Principal) -> String {
    match account {
        Principal::Name(name) => name.clone(),
        Principal::Id(id) => id.to_string(),
    }
}

fn site_name(project: &str) -> Result<SiteName, SettingsError> {
    SiteName::parse(project).map_err(|expected| SettingsError::Value {
        place: "the project's name".to_owned(),
        value: project.to_owned(),
        expected: format!("{}; choose one with --name", expected.0),
    })
}

fn default_mount(name: &SiteName) -> Result<MountPoint, SettingsError> {
    let path = format!("/{}", name.plain());
    MountPoint::parse(&path).map_err(|expected| SettingsError::Value {
        place: "--mount-point".to_owned(),
        value: path,
        expected: expected.0,
    })
}

fn virtual_host(choices: &Choices) -> Result<Option<VirtualHost>, SettingsError> {
    let needs = |given, needed| Err(SettingsError::Needs { given, needed });
    let Some(name) = choices.server_name.clone().flatten() else {
        return match choices {
            c if !c.server_aliases.is_empty() => needs("--server-alias", "--server-name"),
            c if c.port.is_some() => needs("--port", "--server-name"),
            c if c.certificate.is_some() => needs("--certificate", "--server-name"),
            c if c.certificate_key.is_some() => needs("--certificate-key", "--server-name"),
            _ => Ok(None),
        };
    };
    let tls = match (&choices.certificate, &choices.certificate_key) {
        (Some(certificate), key) => {
            Some(Tls { certificate: certificate.clone(), key: key.clone() })
        }
        (None, Some(_)) => return needs("--certificate-key", "--certificate"),
        (None, None) => None,
    };
    let usual = NonZeroU16::MIN.saturating_add(if tls.is_some() { 442 } else { 79 });
    let port = choices.port.unwrap_or(usual);
    Ok(Some(VirtualHost { name, aliases: choices.server_aliases.clone(), port, tls }))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::by_name;

    fn given(name: &str, value: &str) -> Given {
        let parameter = by_name(name).unwrap();
        Given { parameter, values: vec![value.into()], origin: Origin::CommandLine }
    }

    fn settings(given: &[Given]) -> Result<Settings, SettingsError> {
        Settings::complete(Choices::read(given)?, "myapp")
    }

    #[test]
    fn defaults_are_the_patterns() {
        let all = settings(&[]).unwrap();
        assert_eq!(all.mount_point.as_str(), "/myapp");
        assert_eq!(all.location, Path::new("/usr/local/turbogears"));
        assert_eq!(all.virtualenv.as_deref(), Some(Path::new("/usr/local/pythonenv/myapp")));
        assert_eq!(all.baseline.as_deref(), Some(Path::new("/usr/local/pythonenv/BASELINE")));
        assert_eq!((all.processes.get(), all.threads.get()), (3, 10));
        assert_eq!((&all.host, all.user_name()), (&None, "www-data".into()));
        assert_eq!(all.warmup.unwrap().as_str(), "/");
    }

    #[test]
    fn the_command_line_comes_before_the_file() {
        let mut file = given("mount-point", "/file");
        file.origin = Origin::File { path: "/p/pinion.toml".into(), line: 3 };
        let all = settings(&[given("mount-point", "/line"), file.clone()]).unwrap();
        assert_eq!(all.mount_point.as_str(), "/line");
        file.values = vec!["x".into()];
        let error = settings(&[file]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/p/pinion.toml:3: mount-point: \"x\" is not a path that begins with a slash, such as `/x`"
        );
    }

    #[test]
    fn a_mount_point_without_a_slash_is_told_what_to_write() {
        let error = settings(&[given("mount-point", "myapp")]).unwrap_err();
        assert_eq!(error.hint(), "write --mount-point /myapp");
        for wrong in ["/a b", "a b"] {
            let error = settings(&[given("mount-point", wrong)]).unwrap_err();
            assert!(error.hint().contains("--help"), "no hint to what is wrong too");
        }
    }

    #[test]
    fn a_hosts_options_need_a_host() {
        for option in ["server-alias", "port", "certificate", "certificate-key"] {
            let value = if option == "port" { "8080" } else { "/x" };
            let value = if option == "server-alias" { "b.test" } else { value };
            let error = settings(&[given(option, value)]).unwrap_err();
            assert!(error.to_string().contains("no --server-name"), "{error}");
        }
        let tls = [given("server-name", "a.test"), given("certificate", "/c.pem")];
        assert_eq!(settings(&tls).unwrap().host.unwrap().port.get(), 443);
        assert_eq!(settings(&tls[..1]).unwrap().host.unwrap().port.get(), 80);
    }

    #[test]
    fn empty_values_leave_things_out() {
        let all = settings(&[given("virtualenv", ""), given("baseline", ""), given("warmup", "")])
            .unwrap();
        assert_eq!((all.virtualenv, all.baseline, all.warmup), (None, None, None));
    }
}
