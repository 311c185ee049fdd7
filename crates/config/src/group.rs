//! A daemon process group as `WSGIDaemonProcess` declares it.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::accounts::Principal;
use crate::limits::{Buffers, Limits};
use crate::names::GroupName;

/// A process group. Two equal values need the same workers: the manager restarts a group only
/// when its value has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonGroup {
    /// The name, unique in the whole server; empty for the implicit embedded group.
    pub name: GroupName,
    /// The number of processes as given. Left out it is one, and `wsgi.multiprocess` is false;
    /// given, even as 1, `wsgi.multiprocess` is true.
    pub processes: Option<NonZeroU32>,
    /// Threads that run requests, in each process; 0 where the processes run a script and no requests.
    pub threads: u32,
    /// The user to run as; `None` for the user of Apache's children.
    pub user: Option<Principal>,
    /// The primary group; `None` for the group of Apache's children.
    pub group: Option<Principal>,
    /// Supplementary groups, in place of those that the user has.
    pub supplementary_groups: Vec<Principal>,
    /// The working folder; `None` for the user's home.
    pub home: Option<PathBuf>,
    /// The mode bits that new files do not get; `None` inherits Apache's.
    pub umask: Option<u32>,
    /// The name to show in process lists, as written; see [`DaemonGroup::title`].
    pub display_name: Option<String>,
    /// `LANG`.
    pub lang: Option<String>,
    /// `LC_ALL`.
    pub locale: Option<String>,
    /// The virtualenv, its `bin/python`, or a Python's prefix; `None` for `WSGIPythonHome`.
    pub python_home: Option<PathBuf>,
    /// Folders added with `site.addsitedir`, in this order, before all others.
    pub python_path: Vec<PathBuf>,
    /// `PYTHON_EGG_CACHE`.
    pub python_eggs: Option<PathBuf>,
    /// Requests after which a worker is replaced.
    pub maximum_requests: Option<NonZeroU32>,
    /// Age at which a worker is replaced.
    pub restart_interval: Option<Duration>,
    /// Longest run of a request, before it is scaled by the threads.
    pub request_timeout: Option<Duration>,
    /// Longest wait of a request for a thread.
    pub queue_timeout: Option<Duration>,
    /// Longest time in which the application is loaded.
    pub startup_timeout: Option<Duration>,
    /// Longest wait for running requests before a worker is replaced.
    pub graceful_timeout: Option<Duration>,
    /// Longest wait for a worker that was told to stop, before it is killed.
    pub shutdown_timeout: Duration,
    /// Longest wait for a read or write between Apache and a worker; `None` for Apache's
    /// `Timeout`.
    pub socket_timeout: Option<Duration>,
    /// Longest time in which Apache tries to connect to a worker.
    pub connect_timeout: Duration,
    /// Connections that may wait to be accepted.
    pub listen_backlog: u32,
    /// How long a request that was interrupted by `mod_wsgi.RequestTimeout` may go on.
    pub interrupt_timeout: Option<Duration>,
    /// Longest time in which no thread gets Python's lock.
    pub deadlock_timeout: Option<Duration>,
    /// Longest time without a request.
    pub inactivity_timeout: Option<Duration>,
    /// `graceful_timeout` for a worker that got SIGUSR1.
    pub eviction_timeout: Option<Duration>,
    /// The owner of a socket file that Pinion does not have.
    pub socket_user: Option<Principal>,
    /// The root folder.
    pub chroot: Option<PathBuf>,
    /// Who must own the scripts.
    pub script_owner: Option<ScriptOwner>,
    /// What the system grants each process.
    pub limits: Limits,
    /// Sizes of buffers.
    pub buffers: Buffers,
    /// Longest wait for a client to take its answer; `None` for `socket_timeout`.
    pub response_socket_timeout: Option<Duration>,
    /// How long mod_wsgi waits for more before it flushes.
    pub response_flush_delay: Duration,
    /// Whether `mod_wsgi.server_metrics()` tells anything.
    pub server_metrics: bool,
    /// `switch-interval`.
    pub switch_interval: Option<Duration>,
    /// Environment variables, in the order given.
    pub env: Vec<EnvPair>,
    /// Files of environment variables, read before `env` applies.
    pub env_files: Vec<PathBuf>,
    /// Paths that each new worker answers itself before it gets traffic.
    pub warmup: Vec<String>,
}

/// Who must own a group's scripts and the folders that they are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptOwner {
    /// This user.
    User(Principal),
    /// This group.
    Group(Principal),
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvPair {
    /// Its name: letters, digits and underscores, no digit first.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl DaemonGroup {
    /// A group with mod_wsgi 6.1's defaults.
    pub fn new(name: GroupName) -> Self {
        Self {
            name,
            processes: None,
            threads: 15,
            user: None,
            group: None,
            supplementary_groups: Vec::new(),
            home: None,
            umask: None,
            display_name: None,
            lang: None,
            locale: None,
            python_home: None,
            python_path: Vec::new(),
            python_eggs: None,
            maximum_requests: None,
            restart_interval: None,
            request_timeout: None,
            queue_timeout: None,
            startup_timeout: None,
            graceful_timeout: None,
            shutdown_timeout: Duration::from_secs(5),
            socket_timeout: None,
            connect_timeout: Duration::from_secs(15),
            listen_backlog: 100,
            interrupt_timeout: None,
            deadlock_timeout: Some(Duration::from_secs(300)),
            inactivity_timeout: None,
            eviction_timeout: None,
            socket_user: None,
            chroot: None,
            script_owner: None,
            limits: Limits::default(),
            buffers: Buffers::default(),
            response_socket_timeout: None,
            response_flush_delay: Duration::from_millis(5),
            server_metrics: false,
            switch_interval: None,
            env: Vec::new(),
            env_files: Vec::new(),
            warmup: Vec::new(),
        }
    }

    /// How many processes run.
    pub fn process_count(&self) -> NonZeroU32 {
        self.processes.unwrap_or(NonZeroU32::MIN)
    }

    /// `wsgi.multiprocess`: whether `processes` was given, whatever its value.
    pub fn is_multiprocess(&self) -> bool {
        self.processes.is_some()
    }

    /// Whether the processes run a script of their own and no requests.
    pub fn is_service(&self) -> bool {
        self.threads == 0
    }

    /// The name to show in process lists: `%{GROUP}` is `(wsgi:name)`; `None` leaves it alone.
    pub fn title(&self) -> Option<String> {
        self.display_name.as_deref().map(|shown| match shown {
            "%{GROUP}" => format!("(wsgi:{})", self.name.as_str()),
            _ => shown.to_owned(),
        })
    }

    /// When a request is given up: `request-timeout × (1 + ln threads)`, as mod_wsgi documents
    /// it; `None` when it is not limited.
    pub fn request_deadline(&self) -> Option<Duration> {
        let scale = 1.0 + f64::from(self.threads.max(1)).ln();
        self.request_timeout.map(|timeout| timeout.mul_f64(scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_given_as_one_is_not_the_same_as_left_out() {
        let mut group = DaemonGroup::new(GroupName::new("shop").unwrap());
        assert_eq!((group.process_count().get(), group.is_multiprocess()), (1, false));
        group.processes = NonZeroU32::new(1);
        assert_eq!((group.process_count().get(), group.is_multiprocess()), (1, true));
    }

    #[test]
    fn the_title_may_name_the_group() {
        let mut group = DaemonGroup::new(GroupName::new("shop").unwrap());
        assert_eq!(group.title(), None);
        group.display_name = Some("%{GROUP}".into());
        assert_eq!(group.title().as_deref(), Some("(wsgi:shop)"));
        group.display_name = Some("my shop".into());
        assert_eq!(group.title().as_deref(), Some("my shop"));
    }

    #[test]
    fn patience_grows_with_the_logarithm_of_the_threads() {
        let mut group = DaemonGroup::new(GroupName::new("shop").unwrap());
        assert_eq!(group.request_deadline(), None);
        group.request_timeout = Some(Duration::from_secs(10));
        group.threads = 1;
        assert_eq!(group.request_deadline(), Some(Duration::from_secs(10)));
        group.threads = 10;
        assert_eq!(group.request_deadline().unwrap().as_millis(), 33_025);
    }
}
