//! The one table of options: it feeds the command line, `--help`, the keys of `pinion.toml`, the environment variables and the
//! reference page.

use std::path::{Path, PathBuf};

use pinion_config::proxies::{Header, Networks};
use pinion_deploy::values::{Expected, MountPoint, StaticAlias, UrlPath};
use pinion_wire::message::http::AccessFormat;

use crate::bind::Bind;
use crate::settings::{LogTarget, Settings};

mod values;

use values::*;

/// One option: of the command line, and a key of `pinion.toml`.
#[derive(Debug)]
pub struct ServeOption {
    /// The long option, and the key in `[serve]` of `pinion.toml`.
    pub name: &'static str,
    /// The short option.
    pub short: Option<char>,
    /// Another spelling.
    pub alias: Option<&'static str>,
    /// What it is about: the heading in `--help`.
    pub group: Group,
    /// What stands for the value in `--help`.
    pub placeholder: &'static str,
    /// What holds without it, in words.
    pub default: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// How its values are taken.
    pub kind: Kind,
}

/// What options are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the titles say it")]
pub enum Group {
    Addresses,
    Application,
    Workers,
    Logs,
    Limits,
    Process,
}

impl Group {
    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Addresses => "Addresses",
            Self::Application => "Application",
            Self::Workers => "Workers",
            Self::Logs => "Logs",
            Self::Limits => "Limits for clients",
            Self::Process => "Process",
        }
    }
}

/// A value, and the folder that a relative path in it is relative to.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// As it was written.
    pub text: &'a str,
    /// The current folder, or that of the file that it stands in.
    pub base: &'a Path,
}

impl Text<'_> {
    fn path(self) -> Result<PathBuf, Expected> {
        pinion_deploy::values::path(self.text).map(|path| clean(&self.base.join(path)))
    }
}

/// Takes a value into the settings.
pub type Set = fn(&mut Settings, Text<'_>) -> Result<(), Expected>;

/// How the values of an option are taken.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One value; the last one counts.
    One(Set),
    /// One whole number.
    Number(Set),
    /// One number of seconds, perhaps with a fraction.
    Seconds(Set),
    /// May be repeated.
    Many(Set),
    /// On or off; the option of that name switches it off.
    Switch(&'static str, fn(&mut Settings, bool)),
}

const fn option(
    group: Group,
    name: &'static str,
    placeholder: &'static str,
    default: &'static str,
    help: &'static str,
    kind: Kind,
) -> ServeOption {
    ServeOption { name, short: None, alias: None, group, placeholder, default, help, kind }
}

const fn short(letter: char, option: ServeOption) -> ServeOption {
    ServeOption { short: Some(letter), ..option }
}

use Group::{Addresses, Application, Limits, Logs, Process, Workers};
use Kind::{Many, Number, One, Seconds, Switch};

/// All options, in the order of `--help`.
pub const OPTIONS: &[ServeOption] = &[
    short(
        'b',
        option(
            Addresses,
            "bind",
            "ADDRESS",
            "127.0.0.1:8000, or https://127.0.0.1:8443 with a certificate",
            "Where to listen: host:port, [v6]:port, :port for every address, unix:/path, fd:systemd; https:// in front for TLS; may be repeated",
            Many(|s, v| Bind::parse(v.text, v.base).map(|bind| s.bind.push(bind))),
        ),
    ),
    option(
        Addresses,
        "socket-mode",
        "OCTAL",
        "666",
        "Permissions of a Unix socket",
        One(|s, v| octal(v.text).map(|mode| s.socket_mode = mode)),
    ),
    option(
        Addresses,
        "certificate",
        "FILE",
        "none",
        "The TLS certificate with its chain, PEM; read again on SIGHUP",
        One(|s, v| v.path().map(|path| s.certificate = Some(path))),
    ),
    option(
        Addresses,
        "key",
        "FILE",
        "the certificate's file",
        "The certificate's private key, PEM",
        One(|s, v| v.path().map(|path| s.key = Some(path))),
    ),
    option(
        Addresses,
        "trusted-proxies",
        "NETWORK",
        "any peer, once a header is trusted",
        "Proxies that are believed, as in WSGITrustedProxies; may be repeated",
        Many(|s, v| proxies(s, v.text)),
    ),
    option(
        Addresses,
        "trusted-proxy-headers",
        "HEADER",
        "none",
        "What proxies are believed, such as X-Forwarded-For, as in WSGITrustedProxyHeaders; may be repeated",
        Many(|s, v| headers(s, v.text)),
    ),
    short(
        'm',
        option(
            Application,
            "mount",
            "/PATH",
            "/",
            "The application's path on the server",
            One(|s, v| MountPoint::parse(v.text).map(|mount| s.mount = Some(mount))),
        ),
    ),
    option(
        Application,
        "callable",
        "NAME",
        "application",
        "The callable in a .wsgi script",
        One(|s, v| name(v.text).map(|name| s.callable = name)),
    ),
    option(
        Application,
        "static",
        "/PATH=FOLDER",
        "none",
        "A folder whose files, or a file that, is served without the application; may be repeated",
        Many(|s, v| {
            let alias = StaticAlias::parse(v.text)?;
            s.statics.push(StaticAlias { path: clean(&v.base.join(&alias.path)), ..alias });
            Ok(())
        }),
    ),
    short(
        'p',
        option(
            Application,
            "python",
            "PYTHON",
            "VIRTUAL_ENV, .venv or venv in the project, python3",
            "The Python that runs it: a virtualenv, its bin/python, a prefix, or a version such as 3.12",
            One(|s, v| python(v).map(|python| s.python = Some(python))),
        ),
    ),
    option(
        Application,
        "warmup",
        "/PATH",
        "none",
        "A path below the mount point that each new worker answers itself before it serves; may be repeated",
        Many(|s, v| UrlPath::parse(v.text).map(|path| s.warmup.push(path.as_str().to_owned()))),
    ),
    short(
        'r',
        option(
            Application,
            "reload",
            "",
            "false",
            "Load the application anew when a file of it changes; what does not load leaves the old one serving",
            Switch("no-reload", |s, on| s.reload = on),
        ),
    ),
    option(
        Application,
        "watch",
        "FOLDER",
        "none",
        "With --reload, another folder where changes of sources count; may be repeated",
        Many(|s, v| v.path().map(|path| s.watch.push(path))),
    ),
    option(
        Application,
        "setup",
        "",
        "false",
        "First make .venv in the project with what it requires, where that is missing or out of date",
        Switch("no-setup", |s, on| s.setup = on),
    ),
    option(
        Application,
        "setup-command",
        "COMMAND",
        "none",
        "With --setup, what to run once in a new .venv, such as `gearbox setup-app -c development.ini`",
        One(|s, v| line(v.text).map(|command| s.setup_command = Some(command))),
    ),
    option(
        Application,
        "apache",
        "",
        "false",
        "Serve by a private Apache with mod_pinion",
        Switch("no-apache", |s, on| s.apache = on),
    ),
    option(
        Application,
        "print-config",
        "",
        "false",
        "Show the configuration of that Apache, and end",
        Switch("no-print-config", |s, on| s.print_config = on),
    ),
    short(
        'n',
        option(
            Workers,
            "processes",
            "NUMBER",
            "1",
            "Worker processes",
            Number(|s, v| count(v.text).map(|number| s.processes = number)),
        ),
    ),
    short(
        't',
        option(
            Workers,
            "threads",
            "NUMBER",
            "4",
            "Threads in each process",
            Number(|s, v| count(v.text).map(|number| s.threads = number)),
        ),
    ),
    option(
        Workers,
        "maximum-requests",
        "NUMBER",
        "0: never",
        "Requests after which a worker is replaced",
        Number(|s, v| number(v.text).map(|number| s.maximum_requests = number)),
    ),
    option(
        Workers,
        "request-timeout",
        "SECONDS",
        "0: no limit",
        "The longest run of a request; then its worker is replaced",
        Seconds(|s, v| seconds(v.text).map(|time| s.times.request = time)),
    ),
    option(
        Workers,
        "startup-timeout",
        "SECONDS",
        "0: no limit",
        "The longest time that the application may take to load",
        Seconds(|s, v| seconds(v.text).map(|time| s.times.startup = time)),
    ),
    option(
        Workers,
        "drain-delay",
        "SECONDS",
        "0",
        "How long a server that is told to end goes on taking connections while its health path answers 503, so that a balancer notices",
        Seconds(|s, v| seconds(v.text).map(|time| s.times.delay = time)),
    ),
    option(
        Workers,
        "graceful-timeout",
        "SECONDS",
        "25",
        "How long a worker that is replaced, or a server that is told to end, may finish its requests",
        Seconds(|s, v| longer_than_none(v.text).map(|time| s.times.graceful = time)),
    ),
    option(
        Workers,
        "shutdown-timeout",
        "SECONDS",
        "5",
        "How long a worker may take to stop after that before it is killed",
        Seconds(|s, v| longer_than_none(v.text).map(|time| s.times.shutdown = time)),
    ),
    option(
        Workers,
        "user",
        "USER",
        "who starts it",
        "The user that workers run as, or # and a number; needs root",
        One(|s, v| account(v.text).map(|user| s.user = Some(user))),
    ),
    option(
        Workers,
        "group",
        "GROUP",
        "the user's",
        "The group that workers run as, or # and a number; needs root",
        One(|s, v| account(v.text).map(|group| s.group = Some(group))),
    ),
    option(
        Workers,
        "umask",
        "OCTAL",
        "as it is",
        "The permission bits that new files do not get",
        One(|s, v| octal(v.text).map(|mask| s.umask = Some(mask))),
    ),
    ServeOption {
        alias: Some("chdir"),
        ..option(
            Workers,
            "home",
            "FOLDER",
            "the project's folder",
            "The working folder of the workers",
            One(|s, v| v.path().map(|path| s.home = Some(path))),
        )
    },
    short(
        'e',
        option(
            Workers,
            "env",
            "NAME=VALUE",
            "none",
            "Sets an environment variable; may be repeated",
            Many(|s, v| variable(v.text).map(|pair| s.env.push(pair))),
        ),
    ),
    option(
        Workers,
        "env-file",
        "FILE",
        "none",
        "A file of NAME=VALUE lines to set likewise; read again on SIGHUP; may be repeated",
        Many(|s, v| v.path().map(|path| s.env_files.push(path))),
    ),
    option(
        Logs,
        "access-log",
        "FILE",
        "none",
        "The file to which each request is logged, or - for standard output; opened again on SIGHUP",
        One(|s, v| {
            let file = || v.path().map(LogTarget::File);
            s.access_log = Some(if v.text == "-" { LogTarget::Output } else { file()? });
            Ok(())
        }),
    ),
    option(
        Logs,
        "access-log-format",
        "FORMAT",
        "combined",
        "common, combined or json",
        One(|s, v| access_format(v.text).map(|format| s.access_log_format = format)),
    ),
    option(
        Logs,
        "log",
        "FILE",
        "standard error",
        "The file for errors and what the application writes; opened again on SIGHUP",
        One(|s, v| v.path().map(|path| s.log = Some(path))),
    ),
    option(
        Limits,
        "limit-line",
        "BYTES",
        "8190",
        "The longest request line; a longer one gets 414",
        Number(|s, v| size(v.text).map(|bytes| s.limits.line = bytes)),
    ),
    option(
        Limits,
        "limit-head",
        "BYTES",
        "65536",
        "The longest head, request line included; a longer one gets 431",
        Number(|s, v| size(v.text).map(|bytes| s.limits.head = bytes)),
    ),
    option(
        Limits,
        "limit-fields",
        "NUMBER",
        "100",
        "The most header fields; more get 431",
        Number(|s, v| count(v.text).map(|number| s.limits.fields = number.get())),
    ),
    option(
        Limits,
        "limit-body",
        "BYTES",
        "0: no limit",
        "The longest body; a longer one gets 413",
        Number(|s, v| bytes(v.text).map(|bytes| s.limits.body = bytes)),
    ),
    option(
        Limits,
        "limit-connections",
        "NUMBER",
        "16384",
        "The most open connections of a worker; more wait",
        Number(|s, v| connections(v.text).map(|number| s.limits.connections = number)),
    ),
    option(
        Limits,
        "head-timeout",
        "SECONDS",
        "20; 0 is no limit",
        "The longest time in which a request's head must have come",
        Seconds(|s, v| seconds(v.text).map(|time| s.http_times.head = time)),
    ),
    option(
        Limits,
        "body-timeout",
        "SECONDS",
        "30; 0 is no limit",
        "The longest pause in a body, or in taking an answer",
        Seconds(|s, v| seconds(v.text).map(|time| s.http_times.body = time)),
    ),
    option(
        Limits,
        "least-rate",
        "BYTES",
        "500; 0 is no limit",
        "The fewest bytes a second that a client must send of a body, or take of an answer, over all, beyond body-timeout",
        Number(|s, v| number(v.text).map(|bytes| s.limits.rate = bytes)),
    ),
    option(
        Limits,
        "idle-timeout",
        "SECONDS",
        "15; 0 is no limit",
        "The longest time between two requests of a connection",
        Seconds(|s, v| seconds(v.text).map(|time| s.http_times.idle = time)),
    ),
    option(
        Process,
        "health",
        "/PATH",
        "none",
        "The path at which workers themselves answer whether they serve",
        One(|s, v| MountPoint::parse(v.text).map(|path| s.health = Some(path.as_str().to_owned()))),
    ),
    option(
        Process,
        "pid-file",
        "FILE",
        "none",
        "The file that holds the server's process number as long as it runs",
        One(|s, v| v.path().map(|path| s.pid_file = Some(path))),
    ),
];

/// The option with that key of `pinion.toml`.
pub fn by_name(name: &str) -> Option<&'static ServeOption> {
    OPTIONS.iter().find(|option| option.name == name || option.alias == Some(name))
}

impl ServeOption {
    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("PINION_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }
}

fn proxies(settings: &mut Settings, text: &str) -> Result<(), Expected> {
    for word in text.split_whitespace() {
        Networks::parse(word).map_err(|_error| {
            Expected("an address or a network, such as 10.0.0.5 or 10.0.0.0/8".to_owned())
        })?;
        settings.trusted_proxies.push(word.to_owned());
    }
    Ok(())
}

fn headers(settings: &mut Settings, text: &str) -> Result<(), Expected> {
    for word in text.split_whitespace() {
        let known = pinion_config::proxies::NAMES.join(", ");
        let header = Header::find(word);
        let header = header.ok_or_else(|| Expected(format!("one of {known}")))?;
        settings.trusted_proxy_headers.push(header);
    }
    Ok(())
}

fn access_format(text: &str) -> Result<AccessFormat, Expected> {
    match text {
        "common" => Ok(AccessFormat::Common),
        "combined" => Ok(AccessFormat::Combined),
        "json" => Ok(AccessFormat::Json),
        _ => Err(Expected("common, combined or json".to_owned())),
    }
}

/// A path stays as it is, below the base; a version or the name of a program is looked for.
fn python(value: Text<'_>) -> Result<String, Expected> {
    let is_path = value.text.contains('/') || value.base.join(value.text).is_dir();
    if !is_path {
        return line(value.text);
    }
    value.path().map(|path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
