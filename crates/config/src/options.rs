//! The table of `WSGIDaemonProcess` options, and the parser that it feeds.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::accounts::Principal;
use crate::error::{Bounds, ConfigError, Problem};
use crate::group::{DaemonGroup, EnvPair};
use crate::names::GroupName;
use crate::words;

/// One option: what it takes, what holds without it, and which field it sets.
#[derive(Debug)]
pub struct DaemonOption {
    /// The name before the `=`.
    pub name: &'static str,
    /// What it takes, and where it goes.
    pub kind: Kind,
    /// What holds without it, in words.
    pub default: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Whose option it is.
    pub origin: Origin,
}

/// Whose an option or a directive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// mod_wsgi's, with its meaning.
    ModWsgi,
    /// Pinion's own.
    Pinion,
}

type Set<T> = fn(&mut DaemonGroup, T);

/// What an option takes, with the setter of its field.
#[derive(Debug)]
pub enum Kind {
    /// A whole number.
    Count(Bounds, Set<u32>),
    /// A time in whole seconds.
    Seconds(Set<Duration>),
    /// Any text but the empty one.
    Text(Set<String>),
    /// An absolute path.
    Path(Set<PathBuf>),
    /// Paths divided by colons.
    Paths(Set<Vec<PathBuf>>),
    /// A user or a group: a name or `#number`.
    Principal(Set<Principal>),
    /// Groups divided by commas.
    Principals(Set<Vec<Principal>>),
    /// Permission bits in octal.
    Octal(Set<u32>),
    /// `NAME=VALUE`, may be repeated.
    Variable(Set<EnvPair>),
    /// A path of the server, with its query, may be repeated.
    UrlPath(Set<String>),
}

impl Kind {
    /// What to write after the `=`, for the reference.
    pub fn placeholder(&self) -> &'static str {
        match self {
            Self::Count(..) => "number",
            Self::Seconds(_) => "seconds",
            Self::Text(_) => "text",
            Self::Path(_) => "path",
            Self::Paths(_) => "folder:folder…",
            Self::Principal(_) => "name or #id",
            Self::Principals(_) => "group,group…",
            Self::Octal(_) => "octal",
            Self::Variable(_) => "NAME=VALUE",
            Self::UrlPath(_) => "/path",
        }
    }
}

const fn option(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> DaemonOption {
    DaemonOption { name, kind, default, help, origin: Origin::ModWsgi }
}

const fn own(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> DaemonOption {
    DaemonOption { name, kind, default, help, origin: Origin::Pinion }
}

/// Enough for any machine, small enough to be a slip of the pen beyond it.
const WORKERS: Bounds = Bounds { least: 1, most: 4096 };
const ANY: Bounds = Bounds { least: 0, most: u32::MAX };
/// Ten years: what is longer overflows timers somewhere and means "never" anyway.
const SECONDS: Bounds = Bounds { least: 0, most: 315_360_000 };

/// All options, in the order of the reference.
pub const OPTIONS: &[DaemonOption] = &[
    option(
        "processes",
        Kind::Count(WORKERS, |g, n| g.processes = NonZeroU32::new(n)),
        "1, with `wsgi.multiprocess` false",
        "Processes of each application group; given, even as 1, `wsgi.multiprocess` is true.",
    ),
    option(
        "threads",
        Kind::Count(WORKERS, |g, n| g.threads = NonZeroU32::new(n).unwrap_or(g.threads)),
        "15",
        "Threads that run requests, in each process.",
    ),
    option(
        "user",
        Kind::Principal(|g, p| g.user = Some(p)),
        "Apache's `User`",
        "The user to run as; takes effect when Apache is started by root.",
    ),
    option(
        "group",
        Kind::Principal(|g, p| g.group = Some(p)),
        "Apache's `Group`",
        "The primary group to run as; takes effect when Apache is started by root.",
    ),
    option(
        "supplementary-groups",
        Kind::Principals(|g, p| g.supplementary_groups = p),
        "the user's",
        "Supplementary groups.",
    ),
    option(
        "home",
        Kind::Path(|g, p| g.home = Some(p)),
        "the user's home",
        "The working folder of the processes.",
    ),
    option(
        "umask",
        Kind::Octal(|g, n| g.umask = Some(n)),
        "Apache's",
        "The permission bits that new files do not get.",
    ),
    option(
        "display-name",
        Kind::Text(|g, t| g.display_name = Some(t)),
        "the interpreter's path",
        "The name in process lists; `%{GROUP}` shows `(wsgi:name)`.",
    ),
    option("lang", Kind::Text(|g, t| g.lang = Some(t)), "Apache's", "Sets `LANG`."),
    option("locale", Kind::Text(|g, t| g.locale = Some(t)), "Apache's", "Sets `LC_ALL`."),
    option(
        "python-home",
        Kind::Path(|g, p| g.python_home = Some(p)),
        "`WSGIPythonHome`, else the system's python3",
        "A virtualenv, its `bin/python`, or a Python's prefix: the Python that runs the group.",
    ),
    option(
        "python-path",
        Kind::Paths(|g, p| g.python_path = p),
        "none",
        "Folders added by `site.addsitedir()` and put before all others.",
    ),
    option(
        "python-eggs",
        Kind::Path(|g, p| g.python_eggs = Some(p)),
        "none",
        "Sets `PYTHON_EGG_CACHE`; the group's user must be able to write there.",
    ),
    option(
        "maximum-requests",
        Kind::Count(ANY, |g, n| g.maximum_requests = NonZeroU32::new(n)),
        "0: never",
        "Requests after which a process is replaced.",
    ),
    option(
        "restart-interval",
        Kind::Seconds(|g, t| g.restart_interval = limit(t)),
        "0: never",
        "Age at which a process is replaced.",
    ),
    option(
        "request-timeout",
        Kind::Seconds(|g, t| g.request_timeout = limit(t)),
        "0: no limit",
        "Longest run of a request, times 1 + ln(threads); its client gets 504.",
    ),
    option(
        "queue-timeout",
        Kind::Seconds(|g, t| g.queue_timeout = limit(t)),
        "0: no limit",
        "Longest wait of a request for a free thread; its client gets 504.",
    ),
    option(
        "startup-timeout",
        Kind::Seconds(|g, t| g.startup_timeout = limit(t)),
        "0: no limit",
        "Longest time in which the application must have been loaded.",
    ),
    option(
        "graceful-timeout",
        Kind::Seconds(|g, t| g.graceful_timeout = limit(t)),
        "0",
        "How long a process that is to be replaced may finish its requests.",
    ),
    option(
        "shutdown-timeout",
        Kind::Seconds(|g, t| g.shutdown_timeout = t),
        "5",
        "How long a process may take to stop before it is killed.",
    ),
    option(
        "connect-timeout",
        Kind::Seconds(|g, t| g.connect_timeout = t),
        "15",
        "How long Apache tries to connect to a process; then the client gets 503.",
    ),
    option(
        "socket-timeout",
        Kind::Seconds(|g, t| g.socket_timeout = limit(t)),
        "Apache's `Timeout`",
        "Longest wait for one read or write between Apache and a process.",
    ),
    option(
        "listen-backlog",
        Kind::Count(Bounds { least: 0, most: 65_535 }, |g, n| g.listen_backlog = n),
        "100",
        "Connections that may wait to be accepted.",
    ),
    own(
        "env",
        Kind::Variable(|g, v| g.env.push(v)),
        "none",
        "Sets an environment variable before Python starts; may be repeated.",
    ),
    own(
        "env-file",
        Kind::Path(|g, p| g.env_files.push(p)),
        "none",
        "A file of NAME=VALUE lines to set likewise; `env=` comes after it; may be repeated.",
    ),
    own(
        "warmup",
        Kind::UrlPath(|g, p| g.warmup.push(p)),
        "none",
        "A path that each new process answers itself before it gets traffic; may be repeated.",
    ),
];

/// mod_wsgi 6.1's options that are not in the table yet. They are refused: to ignore a limit that
/// somebody relies on would be worse.
pub const LATER: &[&str] = &[
    "chroot",
    "script-user",
    "script-group",
    "switch-interval",
    "inactivity-timeout",
    "interrupt-timeout",
    "deadlock-timeout",
    "eviction-timeout",
    "socket-user",
    "cpu-time-limit",
    "cpu-priority",
    "memory-limit",
    "virtual-memory-limit",
    "stack-size",
    "receive-buffer-size",
    "send-buffer-size",
    "header-buffer-size",
    "response-buffer-size",
    "response-socket-timeout",
    "response-flush-delay",
    "server-metrics",
];

/// Reads the arguments of `WSGIDaemonProcess`: a name, then options. Where an option that does
/// not collect is repeated, the last one counts, as in mod_wsgi.
///
/// # Errors
/// Names the argument that is refused and what would be valid.
pub fn parse_group(args: &str) -> Result<DaemonGroup, ConfigError> {
    let (name, mut rest) = words::next_word(args)
        .ok_or_else(|| ConfigError::new("", Problem::Missing("the group's name")))?;
    let checked = GroupName::new(&name).map_err(|e| ConfigError::new(&name, e.into()))?;
    let mut group = DaemonGroup::new(checked);
    while let Some((raw, after)) = words::next_option(rest) {
        let entry = find(raw.name)?;
        let value = raw.value.ok_or_else(|| ConfigError::new(raw.name, Problem::NoValue))?;
        entry
            .kind
            .set(&mut group, &value)
            .map_err(|problem| ConfigError::new(format!("{}={value}", raw.name), problem))?;
        rest = after;
    }
    Ok(group)
}

fn find(name: &str) -> Result<&'static DaemonOption, ConfigError> {
    if let Some(entry) = OPTIONS.iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    let problem = if LATER.contains(&name) {
        Problem::LaterOption
    } else {
        Problem::UnknownOption { nearest: nearest(name, OPTIONS.iter().map(|o| o.name)) }
    };
    Err(ConfigError::new(name, problem))
}

/// The known name that is so near to what was written that it was probably meant.
pub(crate) fn nearest(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let written = name.to_ascii_lowercase().replace('_', "-");
    known
        .map(|candidate| {
            (strsim::jaro_winkler(&written, &candidate.to_ascii_lowercase()), candidate)
        })
        .filter(|(similarity, _)| *similarity > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

impl Kind {
    fn set(&self, group: &mut DaemonGroup, value: &str) -> Result<(), Problem> {
        // mod_wsgi-express writes python-path='' when there is none.
        if value.is_empty() && !matches!(self, Self::Paths(_)) {
            return Err(Problem::NoValue);
        }
        match self {
            Self::Count(bounds, set) => set(group, number(value, *bounds)?),
            Self::Seconds(set) => set(group, Duration::from_secs(number(value, SECONDS)?.into())),
            Self::Text(set) => set(group, value.to_owned()),
            Self::Path(set) => set(group, absolute(value)?),
            Self::Paths(set) => set(group, paths(value)),
            Self::Principal(set) => set(group, principal(value)?),
            Self::Principals(set) => {
                set(group, value.split(',').map(principal).collect::<Result<_, _>>()?);
            }
            Self::Octal(set) => set(group, octal(value)?),
            Self::Variable(set) => set(group, variable(value)?),
            Self::UrlPath(set) => set(group, url_path(value)?),
        }
        Ok(())
    }
}

fn limit(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

/// A number of nothing but digits: `3x`, `-1`, `+1` and ` 1` are none.
fn number(value: &str, bounds: Bounds) -> Result<u32, Problem> {
    if !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::NotANumber(bounds));
    }
    match value.parse() {
        Ok(n) if (bounds.least..=bounds.most).contains(&n) => Ok(n),
        _ => Err(Problem::OutOfRange(bounds)),
    }
}

fn octal(value: &str) -> Result<u32, Problem> {
    if !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::NotOctal);
    }
    match u32::from_str_radix(value, 8) {
        Ok(mask) if mask <= 0o777 => Ok(mask),
        _ => Err(Problem::NotOctal),
    }
}

/// An absolute path, as written.
pub(crate) fn absolute(value: &str) -> Result<PathBuf, Problem> {
    let path = Path::new(value);
    if path.is_absolute() { Ok(path.to_owned()) } else { Err(Problem::NotAbsolute) }
}

/// Paths divided by colons; empty ones, such as a colon at the end leaves, do not count.
pub(crate) fn paths(value: &str) -> Vec<PathBuf> {
    value.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

fn principal(value: &str) -> Result<Principal, Problem> {
    Principal::parse(value).ok_or(Problem::NotAPrincipal)
}

fn variable(value: &str) -> Result<EnvPair, Problem> {
    match value.split_once('=') {
        Some((name, value)) if is_variable_name(name) => {
            Ok(EnvPair { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err(Problem::NotAVariable),
    }
}

/// Whether a shell would take it as a variable's name.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn url_path(value: &str) -> Result<String, Problem> {
    if value.starts_with('/') && !value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Ok(value.to_owned())
    } else {
        Err(Problem::NotAUrlPath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Code;
    use proptest::prelude::*;

    fn refused(args: &str) -> (String, Problem) {
        let error = parse_group(args).unwrap_err();
        (error.value, error.problem)
    }

    #[test]
    fn defaults_are_those_of_the_original() {
        assert_eq!(parse_group("shop").unwrap(), DaemonGroup::new(GroupName::new("shop").unwrap()));
    }

    #[test]
    fn every_option_sets_its_field() {
        let group = parse_group(
            "shop processes=2 threads=10 user=www-data group=#33 supplementary-groups=adm,#7 \
             home=/srv umask=0027 display-name=%{GROUP} lang=C.UTF-8 locale=de_DE.UTF-8 \
             python-home=/srv/venv python-path=/a:/b: python-eggs=/eggs maximum-requests=1000 \
             restart-interval=3600 request-timeout=60 queue-timeout=45 startup-timeout=20 \
             graceful-timeout=15 shutdown-timeout=3 socket-timeout=30 connect-timeout=4 \
             listen-backlog=50 env=A=1 env=B=\"two words\" env-file=/etc/shop.env \
             warmup=/login warmup=/?q=1",
        )
        .unwrap();
        let secs = |n| Some(Duration::from_secs(n));
        let text = |s: &str| Some(s.to_owned());
        let name = |s: &str| Principal::Name(s.into());
        let pair = |n: &str, v: &str| EnvPair { name: n.into(), value: v.into() };
        let expected = DaemonGroup {
            name: GroupName::new("shop").unwrap(),
            processes: NonZeroU32::new(2),
            threads: NonZeroU32::new(10).unwrap(),
            user: Some(name("www-data")),
            group: Some(Principal::Id(33)),
            supplementary_groups: vec![name("adm"), Principal::Id(7)],
            home: Some("/srv".into()),
            umask: Some(0o027),
            display_name: text("%{GROUP}"),
            lang: text("C.UTF-8"),
            locale: text("de_DE.UTF-8"),
            python_home: Some("/srv/venv".into()),
            python_path: vec!["/a".into(), "/b".into()],
            python_eggs: Some("/eggs".into()),
            maximum_requests: NonZeroU32::new(1000),
            restart_interval: secs(3600),
            request_timeout: secs(60),
            queue_timeout: secs(45),
            startup_timeout: secs(20),
            graceful_timeout: secs(15),
            shutdown_timeout: Duration::from_secs(3),
            socket_timeout: secs(30),
            connect_timeout: Duration::from_secs(4),
            listen_backlog: 50,
            env: vec![pair("A", "1"), pair("B", "two words")],
            env_files: vec!["/etc/shop.env".into()],
            warmup: vec!["/login".into(), "/?q=1".into()],
        };
        assert_eq!(group, expected);
    }

    #[test]
    fn zero_means_no_limit() {
        let group = parse_group("shop request-timeout=0 maximum-requests=0 socket-timeout=0");
        assert_eq!(group.unwrap(), DaemonGroup::new(GroupName::new("shop").unwrap()));
    }

    #[test]
    fn numbers_are_strict() {
        for (args, value) in [
            ("a processes=3x", "processes=3x"),
            ("a processes=-1", "processes=-1"),
            ("a processes=+1", "processes=+1"),
            ("a processes='1 '", "processes=1 "),
            ("a threads=1.5", "threads=1.5"),
        ] {
            assert_eq!(refused(args), (value.into(), Problem::NotANumber(WORKERS)), "{args}");
        }
        for args in ["a processes=0", "a threads=0", "a processes=99999999999999999999"] {
            assert_eq!(refused(args).1, Problem::OutOfRange(WORKERS), "{args}");
        }
        assert_eq!(refused("a processes="), ("processes=".into(), Problem::NoValue));
        assert_eq!(refused("a processes"), ("processes".into(), Problem::NoValue));
        assert_eq!(
            parse_group("a python-path=''").unwrap().python_path,
            [""; 0].map(PathBuf::from)
        );
        assert_eq!(refused("a shutdown-timeout=1e9").1, Problem::NotANumber(SECONDS));
        assert_eq!(refused("a shutdown-timeout=315360001").1, Problem::OutOfRange(SECONDS));
    }

    #[test]
    fn other_values_are_strict_too() {
        for (args, problem) in [
            ("a umask=9", Problem::NotOctal),
            ("a umask=1000", Problem::NotOctal),
            ("a umask=+22", Problem::NotOctal),
            ("a home=srv", Problem::NotAbsolute),
            ("a python-home=venv", Problem::NotAbsolute),
            ("a user=#", Problem::NotAPrincipal),
            ("a supplementary-groups=adm,,x", Problem::NotAPrincipal),
            ("a env=NAME", Problem::NotAVariable),
            ("a env==x", Problem::NotAVariable),
            ("a env=1A=x", Problem::NotAVariable),
            ("a env=A-B=x", Problem::NotAVariable),
            ("a warmup=login", Problem::NotAUrlPath),
            ("a warmup='/a b'", Problem::NotAUrlPath),
            ("", Problem::Missing("the group's name")),
            ("'a b'", Problem::Name(crate::names::NameError::Blank)),
        ] {
            assert_eq!(refused(args).1, problem, "{args}");
        }
    }

    #[test]
    fn an_unknown_option_is_answered_with_the_nearest() {
        let nearest = |args: &str| match refused(args).1 {
            Problem::UnknownOption { nearest } => nearest,
            other => panic!("{other:?}"),
        };
        assert_eq!(nearest("a proceses=3"), Some("processes"));
        assert_eq!(nearest("a python_home=/x"), Some("python-home"));
        assert_eq!(nearest("a xyzzy=/x"), None);
        assert_eq!(refused("a memory-limit=1").1, Problem::LaterOption);
    }

    #[test]
    fn names_are_listed_once() {
        let mut names: Vec<_> =
            OPTIONS.iter().map(|o| o.name).chain(LATER.iter().copied()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn the_message_names_the_option_the_value_and_what_is_valid() {
        let error = parse_group("a processes=3x").unwrap_err();
        assert_eq!(error.to_string(), "processes=3x: not a whole number");
        assert_eq!(error.problem.code(), Code::OptionValue);
        assert_eq!(error.problem.hint(), "give a whole number from 1 to 4096");
    }

    proptest! {
        #[test]
        fn a_number_is_taken_only_if_it_prints_the_same(text in "[-+ 0-9x]{1,6}") {
            if let Ok(group) = parse_group(&format!("a threads='{text}'")) {
                prop_assert_eq!(text.trim_start_matches('0'), group.threads.to_string());
            }
        }

        #[test]
        fn no_argument_string_panics(args in ".{0,120}") {
            if let Ok(group) = parse_group(&args) {
                prop_assert!(!group.name.is_embedded());
            }
        }
    }
}
