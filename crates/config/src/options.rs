//! The table of `WSGIDaemonProcess` options, and the parser that it feeds.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::accounts::Principal;
use crate::error::{Bounds, ConfigError, Problem, Size};
use crate::group::{DaemonGroup, EnvPair, ScriptOwner};
use crate::interpreter;
use crate::limits::DEFAULT_HEADER;
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
    /// A time in whole milliseconds.
    Milliseconds(Set<Duration>),
    /// A number of bytes.
    Bytes(Size, Set<u64>),
    /// A scheduling priority from -20 to 20.
    Priority(Set<i32>),
    /// `On` or `Off`.
    Flag(Set<bool>),
    /// Any text but the empty one.
    Text(Set<String>),
    /// An absolute path.
    Path(Set<PathBuf>),
    /// Paths divided by colons.
    Paths(Set<Vec<PathBuf>>),
    /// A user or a group: a name or `#number`.
    Principal(Set<Principal>),
    /// Who must own the group's scripts.
    Owner(fn(Principal) -> ScriptOwner),
    /// Groups divided by commas.
    Principals(Set<Vec<Principal>>),
    /// A positive number of seconds, perhaps with decimals.
    Fraction(Set<Duration>),
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
            Self::Milliseconds(_) => "milliseconds",
            Self::Bytes(..) => "bytes",
            Self::Priority(_) => "-20…20",
            Self::Flag(_) => "On or Off",
            Self::Text(_) => "text",
            Self::Path(_) => "path",
            Self::Paths(_) => "folder:folder…",
            Self::Principal(_) | Self::Owner(_) => "name or #id",
            Self::Principals(_) => "group,group…",
            Self::Fraction(_) => "seconds",
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
/// No threads at all: the processes run a script of their own and no requests.
const THREADS: Bounds = Bounds { least: 0, most: 4096 };
const ANY: Bounds = Bounds { least: 0, most: u32::MAX };
/// Ten years: what is longer overflows timers somewhere and means "never" anyway.
const SECONDS: Bounds = Bounds { least: 0, most: 315_360_000 };

/// The kernel's own least buffer is larger than half of this.
const SOCKET: Size = Size { least: 512, or_zero: true };

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
        Kind::Count(THREADS, |g, n| g.threads = n),
        "15",
        "Threads that run requests, in each process; with 0 the processes run a `WSGIImportScript` and no requests.",
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
        "interrupt-timeout",
        Kind::Seconds(|g, t| g.interrupt_timeout = limit(t)),
        "0: the process is replaced",
        "After `request-timeout`, the request alone gets `mod_wsgi.RequestTimeout`; the process is replaced only if it goes on for this long all the same.",
    ),
    option(
        "deadlock-timeout",
        Kind::Seconds(|g, t| g.deadlock_timeout = limit(t)),
        "300",
        "How long Python may be kept from running before the process is replaced; 0 for ever.",
    ),
    option(
        "inactivity-timeout",
        Kind::Seconds(|g, t| g.inactivity_timeout = limit(t)),
        "0: never",
        "A process without a request for this long is ended; the next request starts it again, or it starts at once where its script is known beforehand.",
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
        "eviction-timeout",
        Kind::Seconds(|g, t| g.eviction_timeout = limit(t)),
        "`graceful-timeout`",
        "The same for a process that was sent SIGUSR1.",
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
    option(
        "socket-user",
        Kind::Principal(|g, p| g.socket_user = Some(p)),
        "Apache's `User`",
        "The owner of mod_wsgi's socket file; the user must exist. Pinion has no such file, so every user that Apache's children run as can reach the group.",
    ),
    option(
        "chroot",
        Kind::Path(|g, p| g.chroot = Some(p)),
        "none",
        "The folder that is the processes' root. The interpreter and Pinion's library must be in it, under the same paths.",
    ),
    option(
        "script-user",
        Kind::Owner(ScriptOwner::User),
        "anybody",
        "Who must own each script of the group, and its folder; else the answer is 403.",
    ),
    option(
        "script-group",
        Kind::Owner(ScriptOwner::Group),
        "any",
        "The group that each script of the group, and its folder, must have; else the answer is 403.",
    ),
    option(
        "cpu-time-limit",
        Kind::Seconds(|g, t| g.limits.cpu_time = limit(t)),
        "0: no limit",
        "Processor time after which a process is replaced.",
    ),
    option(
        "cpu-priority",
        Kind::Priority(|g, n| g.limits.priority = Some(n)),
        "0",
        "Scheduling priority; the lower, the more favourable.",
    ),
    option(
        "memory-limit",
        Kind::Bytes(Size::ANY, |g, n| g.limits.memory = NonZeroU64::new(n)),
        "0: no limit",
        "The most memory for data that a process gets from the system (`RLIMIT_DATA`).",
    ),
    option(
        "virtual-memory-limit",
        Kind::Bytes(Size::ANY, |g, n| g.limits.virtual_memory = NonZeroU64::new(n)),
        "0: no limit",
        "The most virtual memory that a process gets from the system (`RLIMIT_AS`).",
    ),
    option(
        "stack-size",
        Kind::Bytes(Size { least: 1, or_zero: false }, |g, n| g.limits.stack = NonZeroU64::new(n)),
        "the system's",
        "Virtual memory for the stack of each thread that runs requests; at least 32768 are taken.",
    ),
    option(
        "receive-buffer-size",
        Kind::Bytes(SOCKET, |g, n| g.buffers.receive = NonZeroU64::new(n)),
        "the system's",
        "Buffer for what processes receive from Apache; never made smaller than the system's own.",
    ),
    option(
        "send-buffer-size",
        Kind::Bytes(SOCKET, |g, n| g.buffers.send = NonZeroU64::new(n)),
        "the system's",
        "Buffer for what processes send to Apache; never made smaller than the system's own.",
    ),
    option(
        "header-buffer-size",
        Kind::Bytes(Size { least: 8192, or_zero: true }, |g, n| {
            g.buffers.header = NonZeroU64::new(n).unwrap_or(DEFAULT_HEADER);
        }),
        "32768",
        "The longest header, name and value together, that an application may answer with; else the answer is 500.",
    ),
    option(
        "response-buffer-size",
        Kind::Bytes(Size { least: 65_536, or_zero: true }, |g, n| {
            g.buffers.response = NonZeroU64::new(n);
        }),
        "8388608",
        "Accepted: Apache's own filters bound what is kept of an answer (`FlushMaxThreshold`).",
    ),
    option(
        "response-socket-timeout",
        Kind::Seconds(|g, t| g.response_socket_timeout = limit(t)),
        "`socket-timeout`",
        "How long a client may leave its answer unread.",
    ),
    option(
        "response-flush-delay",
        Kind::Milliseconds(|g, t| g.response_flush_delay = t),
        "5",
        "Accepted: what an application yields is on its way at once, as PEP 3333 asks.",
    ),
    option(
        "server-metrics",
        Kind::Flag(|g, on| g.server_metrics = on),
        "Off",
        "Whether the group may read Apache's scoreboard by `mod_wsgi.server_metrics()`.",
    ),
    option(
        "switch-interval",
        Kind::Fraction(|g, t| g.switch_interval = Some(t)),
        "0.005",
        "How long a thread may keep Python's GIL while others wait for it.",
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
    let nearest = nearest(name, OPTIONS.iter().map(|o| o.name));
    Err(ConfigError::new(name, Problem::UnknownOption { nearest }))
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
            Self::Milliseconds(set) => {
                set(group, Duration::from_millis(number(value, SECONDS)?.into()));
            }
            Self::Bytes(size, set) => set(group, bytes(value, *size)?),
            Self::Priority(set) => set(group, priority(value)?),
            Self::Flag(set) => set(group, flag(value)?),
            Self::Text(set) => set(group, value.to_owned()),
            Self::Path(set) => set(group, absolute(value)?),
            Self::Paths(set) => set(group, paths(value)),
            Self::Principal(set) => set(group, principal(value)?),
            Self::Principals(set) => {
                set(group, value.split(',').map(principal).collect::<Result<_, _>>()?);
            }
            Self::Owner(owner) => own_by(group, owner(principal(value)?))?,
            Self::Fraction(set) => {
                set(group, interpreter::switch_interval(value).map_err(|error| error.problem)?);
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

fn bytes(value: &str, size: Size) -> Result<u64, Problem> {
    let bytes = value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse::<u64>().ok());
    match bytes.flatten() {
        Some(0) if size.or_zero => Ok(0),
        Some(n) if n >= size.least => Ok(n),
        _ => Err(Problem::NotASize(size)),
    }
}

fn priority(value: &str) -> Result<i32, Problem> {
    let strict = !value.starts_with('+');
    let number = value.parse().ok().filter(|n| strict && (-20..=20).contains(n));
    number.ok_or(Problem::NotAPriority)
}

fn flag(value: &str) -> Result<bool, Problem> {
    match value {
        _ if value.eq_ignore_ascii_case("on") => Ok(true),
        _ if value.eq_ignore_ascii_case("off") => Ok(false),
        _ => Err(Problem::NotOneOf(&["On", "Off"])),
    }
}

/// One of `script-user` and `script-group` may say who owns the scripts.
fn own_by(group: &mut DaemonGroup, owner: ScriptOwner) -> Result<(), Problem> {
    let other = group.script_owner.as_ref();
    if other.is_some_and(|other| std::mem::discriminant(other) != std::mem::discriminant(&owner)) {
        return Err(Problem::NotTogether("script-user", "script-group"));
    }
    group.script_owner = Some(owner);
    Ok(())
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
mod tests;
