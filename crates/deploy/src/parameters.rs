//! The one table of parameters: it feeds the command line, `--help`, the keys of `pinion.toml` and
//! the reference page.

use std::num::NonZeroU32;

use pinion_config::Principal;

use crate::settings::Choices;
use crate::values::{
    Application, Expected, HostName, MountPoint, SiteName, StaticAlias, UrlPath, absolute, path,
    port, unquotable,
};

/// One parameter: a long option, and a key of `pinion.toml`.
#[derive(Debug)]
pub struct Parameter {
    /// The long option, and the key in `[deploy]` of `pinion.toml`.
    pub name: &'static str,
    /// The short option.
    pub short: Option<char>,
    /// Spellings of the forerunner.
    pub aliases: &'static [&'static str],
    /// What stands for the value in `--help`.
    pub placeholder: &'static str,
    /// What holds without it, in words.
    pub default: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// How its values are taken.
    pub kind: Kind,
}

type Set = fn(&mut Choices, &str) -> Result<(), Expected>;

/// How the values of a parameter are taken.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One value; the last one counts.
    One(Set),
    /// One value, which may be empty to leave the thing out.
    Optional(Set),
    /// One whole number.
    Number(Set),
    /// May be repeated.
    Many(Set),
    /// The option of that name switches it off; in the file it is true or false.
    Switch(&'static str, fn(&mut Choices, bool)),
}

const fn parameter(
    name: &'static str,
    placeholder: &'static str,
    default: &'static str,
    help: &'static str,
    kind: Kind,
) -> Parameter {
    Parameter { name, short: None, aliases: &[], placeholder, default, help, kind }
}

const fn also(aliases: &'static [&'static str], parameter: Parameter) -> Parameter {
    Parameter { aliases, ..parameter }
}

/// All parameters, in the order of `--help`.
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        short: Some('o'),
        ..parameter(
            "output-dir",
            "FOLDER",
            "apache",
            "Where the generated files go; relative to the project",
            Kind::One(|c, v| path(v).map(|v| c.output_dir = Some(v))),
        )
    },
    parameter(
        "name",
        "NAME",
        "the project's name",
        "The site's name: of its files and of its folder at the deployment location",
        Kind::One(|c, v| SiteName::parse(v).map(|v| c.name = Some(v))),
    ),
    also(
        &["mount"],
        parameter(
            "mount-point",
            "/PATH",
            "/NAME",
            "The application's path on the server; / for the whole site",
            Kind::One(|c, v| MountPoint::parse(v).map(|v| c.mount_point = Some(v))),
        ),
    ),
    also(
        &["virtualhost"],
        parameter(
            "server-name",
            "HOST",
            "none: every host of the server",
            "Makes the site a virtual host of this name",
            Kind::Optional(|c, v| {
                c.server_name = Some(if v.is_empty() { None } else { Some(HostName::parse(v)?) });
                Ok(())
            }),
        ),
    ),
    parameter(
        "server-alias",
        "HOST",
        "none",
        "Another name of the virtual host; may be repeated",
        Kind::Many(|c, v| HostName::parse_alias(v).map(|v| c.server_aliases.push(v))),
    ),
    parameter(
        "port",
        "PORT",
        "80, or 443 with a certificate",
        "The virtual host's port",
        Kind::Number(|c, v| port(v).map(|v| c.port = Some(v))),
    ),
    parameter(
        "certificate",
        "FILE",
        "none: no TLS",
        "The virtual host's TLS certificate, with its chain",
        Kind::One(|c, v| absolute(v).map(|v| c.certificate = Some(v))),
    ),
    parameter(
        "certificate-key",
        "FILE",
        "in the certificate's file",
        "The certificate's private key",
        Kind::One(|c, v| absolute(v).map(|v| c.certificate_key = Some(v))),
    ),
    also(
        &["deployment"],
        parameter(
            "deployment-location",
            "FOLDER",
            "/usr/local/turbogears",
            "Where deployed applications are; this one in NAME below it",
            Kind::One(|c, v| absolute(v).map(|v| c.location = Some(v))),
        ),
    ),
    parameter(
        "virtualenv",
        "FOLDER",
        "/usr/local/pythonenv/NAME",
        "The application's virtualenv; empty for none",
        Kind::Optional(|c, v| optional(v).map(|v| c.virtualenv = Some(v))),
    ),
    parameter(
        "baseline",
        "FOLDER",
        "/usr/local/pythonenv/BASELINE",
        "The clean virtualenv below it; empty to run the application's virtualenv itself",
        Kind::Optional(|c, v| optional(v).map(|v| c.baseline = Some(v))),
    ),
    parameter(
        "ini",
        "FILE",
        "production.ini",
        "The configuration of a Paste Deploy application; relative to the deployed application",
        Kind::One(|c, v| path(v).map(|v| c.ini = Some(v))),
    ),
    parameter(
        "ini-section",
        "NAME",
        "main",
        "The section of the ini file that is the application",
        Kind::One(|c, v| line(v).map(|v| c.section = Some(v))),
    ),
    parameter(
        "application",
        "MODULE:NAME",
        "found in the project",
        "The WSGI application, or a .wsgi file that makes it; a factory is written MODULE:NAME()",
        Kind::One(|c, v| Application::parse(v).map(|v| c.application = Some(v))),
    ),
    parameter(
        "user",
        "USER",
        "Apache's own, www-data on Debian",
        "The user that the application runs as",
        Kind::One(|c, v| account(v).map(|v| c.user = Some(v))),
    ),
    parameter(
        "group",
        "GROUP",
        "Apache's own, www-data on Debian",
        "The group that the application runs as",
        Kind::One(|c, v| account(v).map(|v| c.group = Some(v))),
    ),
    parameter(
        "processes",
        "NUMBER",
        "3",
        "The application's processes",
        Kind::Number(|c, v| count(v).map(|v| c.processes = Some(v))),
    ),
    parameter(
        "threads",
        "NUMBER",
        "10",
        "Threads in each process",
        Kind::Number(|c, v| count(v).map(|v| c.threads = Some(v))),
    ),
    parameter(
        "static",
        "/URL=FOLDER",
        "what is found in the project",
        "A folder or file that Apache serves itself, below the mount point; may be repeated",
        Kind::Many(|c, v| StaticAlias::parse(v).map(|v| c.statics.push(v))),
    ),
    parameter(
        "data",
        "FOLDER",
        "/var/local/NAME",
        "Where the application keeps its data: a database file, sessions, caches",
        Kind::One(|c, v| {
            c.data = Some(absolute(v)?);
            Ok(())
        }),
    ),
    parameter(
        "logs",
        "FOLDER",
        "/var/log/NAME",
        "Where the application keeps logs of its own",
        Kind::One(|c, v| {
            c.logs = Some(absolute(v)?);
            Ok(())
        }),
    ),
    parameter(
        "egg-cache",
        "FOLDER",
        "python-eggs",
        "Where zipped eggs are unpacked; relative to the deployed application",
        Kind::One(|c, v| path(v).map(|v| c.egg_cache = Some(v))),
    ),
    parameter(
        "warmup",
        "/PATH",
        "/",
        "A path below the mount point that each new process answers before it serves; empty for none",
        Kind::Optional(|c, v| {
            c.warmup = Some(if v.is_empty() { None } else { Some(UrlPath::parse(v)?) });
            Ok(())
        }),
    ),
    parameter(
        "logging",
        "",
        "true",
        "Do not set up logging from the ini file",
        Kind::Switch("no-logging", |c, v| c.logging = Some(v)),
    ),
    parameter(
        "test",
        "",
        "true",
        "Do not generate test.wsgi",
        Kind::Switch("no-test", |c, v| c.test = Some(v)),
    ),
];

/// The parameter with that key of `pinion.toml`.
pub fn by_name(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name == name)
}

fn optional(text: &str) -> Result<Option<std::path::PathBuf>, Expected> {
    if text.is_empty() { Ok(None) } else { absolute(text).map(Some) }
}

fn line(text: &str) -> Result<String, Expected> {
    if text.is_empty() || unquotable(text) || text.contains(['[', ']', '#']) {
        return Err(Expected("the name of a section, without brackets and #".into()));
    }
    Ok(text.to_owned())
}

fn account(text: &str) -> Result<Principal, Expected> {
    Principal::parse(text)
        .filter(|_| !unquotable(text) && !text.contains(char::is_whitespace))
        .ok_or_else(|| Expected("the name of an account, or # and its number".into()))
}

fn count(text: &str) -> Result<NonZeroU32, Expected> {
    text.parse()
        .ok()
        .filter(|number: &NonZeroU32| number.get() <= 4096)
        .ok_or_else(|| Expected("a whole number from 1 to 4096".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_aliases_are_unique_and_help_is_one_line() {
        let mut seen = HashSet::new();
        for parameter in PARAMETERS {
            for name in std::iter::once(&parameter.name).chain(parameter.aliases) {
                assert!(seen.insert(*name), "{name} twice");
            }
            assert!(
                !parameter.help.is_empty() && !parameter.help.ends_with('.'),
                "{}",
                parameter.name
            );
            assert!(!parameter.default.is_empty(), "{}", parameter.name);
            assert_eq!(by_name(parameter.name).unwrap().name, parameter.name);
        }
    }
}
