//! What the manager is to run: a configuration in which nothing needs to be looked up again.

use serde::{Deserialize, Serialize};

use super::MountKey;
use super::http::HttpSpec;

/// A configuration, resolved: nothing in it needs to be looked up again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Counts the configurations that this server has read; children say which one is theirs.
    pub generation: u32,
    /// What `%{GROUP}`-less log lines are written for: one entry for each server (virtual host).
    pub servers: Vec<ServerLog>,
    /// How many log descriptors came along.
    pub logs: u32,
    /// The process groups, the implicit one among them when it is used.
    pub groups: Vec<GroupSpec>,
    /// What to start at once.
    pub preload: Vec<MountKey>,
    /// The folder with the worker core and its Python files.
    pub library: String,
    /// What applications are told of Apache.
    pub apache: Apache,
}

/// What applications find in the module `apache`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apache {
    /// Major, minor and patch level.
    pub version: (u32, u32, u32),
    /// What the server calls itself.
    pub description: String,
    /// When it was built.
    pub build_date: String,
    /// The name of its MPM.
    pub mpm_name: String,
    /// The most child processes that it may have at once.
    pub maximum_processes: u32,
    /// The threads of each.
    pub threads_per_process: u32,
}

/// A server (virtual host) and where it logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLog {
    /// The server's name, for messages.
    pub name: String,
    /// Which of the log descriptors is its own.
    pub log: u32,
    /// The last of Apache's levels that is written there, `LogLevel`.
    pub level: u8,
    /// Whether what workers write stands there as they wrote it, without date, level and process before each line.
    pub plain: bool,
}

/// A process group, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its name; empty for the implicit group.
    pub name: String,
    /// The server in which it was declared: an index into [`Settings::servers`].
    pub server: u32,
    /// Worker processes of each pair, at least 1.
    pub processes: u32,
    /// Threads of each worker; 0 where it runs scripts and no requests.
    pub threads: u32,
    /// What `wsgi.multiprocess` says.
    pub multiprocess: bool,
    /// The interpreter to exec.
    pub python: String,
    /// Folders to add with `site.addsitedir` and move to the front, in this order.
    pub python_path: Vec<String>,
    /// Whose rights the workers have; `None` when the server does not run as root.
    pub identity: Option<Identity>,
    /// The working folder.
    pub home: Option<String>,
    /// Whether that is the user's own, for want of one that was configured.
    pub home_is_users: bool,
    /// The file mode creation mask.
    pub umask: Option<u32>,
    /// The process title; `None` leaves the command line as it is.
    pub display_name: Option<String>,
    /// The environment variables: the server's, HOME, LANG, LC_ALL, and those of env-file= and env=.
    pub env: Vec<(String, String)>,
    /// `locale`: what to give `locale.setlocale(LC_ALL, …)`.
    pub locale: Option<String>,
    /// Paths that each new worker requests of itself before it is ready.
    pub warmup: Vec<String>,
    /// Refuse writes to `sys.stdout`.
    pub restrict_stdout: bool,
    /// Refuse reads from `sys.stdin`.
    pub restrict_stdin: bool,
    /// Paths that differ in upper and lower case name the same script.
    pub fold_case: bool,
    /// How its Python is started and prepared.
    pub interpreter: InterpreterSpec,
    /// The worker is replaced after this many requests; 0 for never.
    pub maximum_requests: u64,
    /// All times below are in milliseconds; 0 means no limit.
    pub timeouts: Timeouts,
    /// How many requests may wait, over all workers of a pair, beyond those that run.
    pub listen_backlog: u32,
    /// What its workers report to a receiver, if they do.
    pub telemetry: Option<TelemetrySpec>,
    /// The folder that is the workers' root; paths of scripts begin behind it.
    pub chroot: Option<String>,
    /// What the system grants each worker.
    pub limits: Limits,
    /// Sizes of the buffers of connections.
    pub buffers: Buffers,
    /// Whether the application may ask for the server's scoreboard.
    pub server_metrics: bool,
    /// What its workers serve by themselves. At most one group of a configuration has this.
    pub http: Option<Box<HttpSpec>>,
}

impl GroupSpec {
    /// A group of one worker with one thread and no limits, run by `python`.
    #[must_use]
    pub fn new(name: impl Into<String>, python: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            server: 0,
            processes: 1,
            threads: 1,
            multiprocess: false,
            python: python.into(),
            python_path: Vec::new(),
            identity: None,
            home: None,
            home_is_users: false,
            umask: None,
            display_name: None,
            env: Vec::new(),
            locale: None,
            warmup: Vec::new(),
            restrict_stdout: false,
            restrict_stdin: false,
            interpreter: InterpreterSpec::default(),
            maximum_requests: 0,
            timeouts: Timeouts::default(),
            listen_backlog: 100,
            chroot: None,
            limits: Limits::default(),
            buffers: Buffers::default(),
            server_metrics: false,
            telemetry: None,
            fold_case: false,
            http: None,
        }
    }

    /// Whether the workers run scripts of their own and no requests.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.threads == 0
    }
}

/// What the system grants a worker; 0 means no limit but the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// The scheduling priority, where it shall be another.
    pub priority: Option<i32>,
    /// Memory for data in bytes.
    pub memory: u64,
    /// Virtual memory in bytes.
    pub virtual_memory: u64,
    /// The stack of each thread that runs requests, in bytes.
    pub stack: u64,
}

/// The least sizes of a connection's buffers in bytes; 0 means the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffers {
    /// From the front door to the worker.
    pub receive: u64,
    /// From the worker to the front door.
    pub send: u64,
}

/// What workers report to a receiver of telemetry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetrySpec {
    /// The receiver's datagram socket.
    pub socket: String,
    /// How often they report, in milliseconds.
    pub interval: u64,
    /// Requests that run for longer are reported one by one; milliseconds.
    pub slow_requests: Option<u64>,
    /// Whether reports of slow requests name the browser.
    pub user_agent: bool,
    /// The web server's version.
    pub server_version: String,
}

/// How a group's Python is started and prepared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterSpec {
    /// What the interpreter's command line says before the program: `-O`, `-W…`, `-B`.
    pub arguments: Vec<String>,
    /// `PYTHONHASHSEED`, which applications do not find in their environment.
    pub hash_seed: Option<u32>,
    /// Python is not finalized when the process ends.
    pub keep_at_exit: bool,
    /// What holds for which application group; the last that says something counts.
    pub layers: Vec<Layer>,
}

/// Settings for one application group, or for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Only for this application group.
    pub application_group: Option<String>,
    /// Folders to add with `site.addsitedir` and move to the front, in this order.
    pub python_path: Vec<String>,
    /// What to give `sys.setswitchinterval`, in microseconds.
    pub switch_interval_us: Option<u64>,
    /// Refuse reads from `sys.stdin`.
    pub restrict_stdin: Option<bool>,
    /// Refuse writes to `sys.stdout`.
    pub restrict_stdout: Option<bool>,
    /// Ignore `signal.signal()`.
    pub restrict_signal: Option<bool>,
}

/// The times of a process group in milliseconds; 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// A worker is replaced after this time.
    pub restart_interval: u64,
    /// A request may run for this long.
    pub request: u64,
    /// A request may wait for this long before it is begun.
    pub queue: u64,
    /// The application must be loaded after this time.
    pub startup: u64,
    /// A worker that is being replaced may finish its requests for this long.
    pub graceful: u64,
    /// A worker that was told to stop is killed after this time.
    pub shutdown: u64,
    /// No byte either way on a connection for this long.
    pub socket: u64,
    /// How long to wait for room in the backlog.
    pub connect: u64,
    /// How long a request may go on that was interrupted because it had run too long.
    pub interrupt: u64,
    /// How long no thread may get Python's lock.
    pub deadlock: u64,
    /// How long a worker is kept that has nothing to do.
    pub inactivity: u64,
    /// [`Self::graceful`] for a worker that was asked to go by a signal.
    pub eviction: u64,
}

impl Timeouts {
    /// How long a worker that was told to stop may take, in milliseconds: never for ever.
    #[must_use]
    pub fn shutdown_ms(&self) -> u64 {
        if self.shutdown == 0 { 5_000 } else { self.shutdown }
    }
}

/// Whose rights a worker has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, complete.
    pub groups: Vec<u32>,
}
