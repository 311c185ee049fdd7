//! What the options say, with their defaults.

use std::num::NonZeroU32;
use std::path::PathBuf;

use pinion_config::proxies::Header;
use pinion_config::{EnvPair, Principal};
use pinion_deploy::values::{MountPoint, StaticAlias};
use pinion_wire::message::http::{AccessFormat, HttpLimits, HttpTimes};

use crate::bind::Bind;

/// Where an access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Output,
    /// A file that is appended to.
    File(PathBuf),
}

/// The times of the server, in milliseconds; 0 means no limit, but for `shutdown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the option of that name, whose help describes it")]
pub struct Times {
    pub request: u64,
    pub delay: u64,
    pub graceful: u64,
    pub shutdown: u64,
    pub startup: u64,
}

/// What the options say. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the option of that name, whose help describes it")]
pub struct Settings {
    pub bind: Vec<Bind>,
    pub socket_mode: u32,
    pub processes: NonZeroU32,
    pub threads: NonZeroU32,
    pub python: Option<String>,
    pub mount: Option<MountPoint>,
    pub statics: Vec<StaticAlias>,
    pub reload: bool,
    pub watch: Vec<PathBuf>,
    pub access_log: Option<LogTarget>,
    pub access_log_format: AccessFormat,
    pub log: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub trusted_proxies: Vec<String>,
    pub trusted_proxy_headers: Vec<Header>,
    pub limits: HttpLimits,
    pub http_times: HttpTimes,
    pub times: Times,
    pub maximum_requests: u32,
    pub warmup: Vec<String>,
    pub user: Option<Principal>,
    pub group: Option<Principal>,
    pub umask: Option<u32>,
    pub home: Option<PathBuf>,
    pub env: Vec<EnvPair>,
    pub env_files: Vec<PathBuf>,
    pub pid_file: Option<PathBuf>,
    pub health: Option<String>,
    pub callable: String,
    pub setup: bool,
    pub setup_command: Option<String>,
    pub apache: bool,
    pub print_config: bool,
}

/// Threads of a worker. Most applications wait for a database half of the time, so a few threads keep a processor busy; with more,
/// they wait for Python's lock instead.
pub const THREADS: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// How long a worker may finish its requests, in milliseconds: with the 5 seconds of `shutdown-timeout`, it fits into the 30 that
/// Kubernetes gives (`terminationGracePeriodSeconds`).
pub const GRACEFUL: u64 = 25_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: Vec::new(),
            socket_mode: 0o666,
            processes: NonZeroU32::MIN,
            threads: THREADS,
            python: None,
            mount: None,
            statics: Vec::new(),
            reload: false,
            watch: Vec::new(),
            access_log: None,
            access_log_format: AccessFormat::Combined,
            log: None,
            certificate: None,
            key: None,
            trusted_proxies: Vec::new(),
            trusted_proxy_headers: Vec::new(),
            limits: HttpLimits::default(),
            http_times: HttpTimes::default(),
            times: Times { request: 0, delay: 0, graceful: GRACEFUL, shutdown: 5_000, startup: 0 },
            maximum_requests: 0,
            warmup: Vec::new(),
            user: None,
            group: None,
            umask: None,
            home: None,
            env: Vec::new(),
            env_files: Vec::new(),
            pid_file: None,
            health: None,
            callable: pinion_config::DEFAULT_CALLABLE.to_owned(),
            setup: false,
            setup_command: None,
            apache: false,
            print_config: false,
        }
    }
}
