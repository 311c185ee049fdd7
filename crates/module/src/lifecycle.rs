//! Start, restart and stop: checking the configuration, keeping a manager, telling it what to run.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinion_config::{Code, Config, Severity, checks, files::SystemFiles};
use pinion_front::{
    Inheritance, Supervisor, SupervisorError,
    installation::{self, Installation, InstallationError},
    no_log,
    resolve::{self, Surroundings},
};
use pinion_httpd::log::{self, Level};
use pinion_httpd::{
    ChildEvent, Exported, Failed, MpmLimits, Phase, RunMode, Server, config_generation,
    is_stopping, library_at, main_server, mpm_limits, phase, run_mode, watch_child,
};
use pinion_unix::signals;
use pinion_wire::message::{Apache, ServerLog, Settings};

use crate::{accounts::SystemAccounts, module::Pinion, server};

/// The most log descriptors that one message carries (SCM_MAX_FD is 253); servers beyond that
/// share the main server's.
const MOST_LOGS: usize = 250;

/// Threads of each process of the implicit group: mod_wsgi's default for daemon processes.
const EMBEDDED_THREADS: u32 = 15;

/// What lives as long as Apache's parent. The library stays loaded across restarts (see build.rs),
/// and a child has a copy from the fork.
static STATE: Mutex<Option<(u32, Supervisor)>> = Mutex::new(None);

fn state() -> MutexGuard<'static, Option<(u32, Supervisor)>> {
    // A panic while it was held leaves what can be used: a supervisor with or without a manager.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what is wrong with the configuration. Fails for errors when httpd tests its
/// configuration; a server that starts rather serves what it can, and answers 404 or 500 for the rest.
pub(crate) fn check_config(main: Server<'_>) -> Result<(), Failed> {
    // The first reading has said all this a moment ago.
    if run_mode() == RunMode::Dump || (phase() == Phase::Reading && config_generation() <= 1) {
        return Ok(());
    }
    let config = server::collect(main);
    let installation = find_installation(&config);
    let library = installation.as_ref().ok().map(|found| found.library.as_path());
    let mut errors = 0;
    for finding in checks::check(&config, &SystemFiles, &SystemAccounts::new(), library) {
        let level = match finding.severity() {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
            Severity::Notice => Level::Notice,
            Severity::Debug => Level::Debug,
        };
        errors += usize::from(level == Level::Error);
        log::startup(Some(main), level, &finding.to_string());
    }
    if let Err(error) = &installation {
        errors += 1;
        log::startup(Some(main), Level::Error, &error.to_string());
    }
    // One broken application must not keep a whole server from starting.
    if errors > 0 && run_mode() == RunMode::Test { Err(Failed) } else { Ok(()) }
}

/// Sees that a manager runs and knows the configuration.
pub(crate) fn post_config(main: Server<'_>) -> Result<(), Failed> {
    if phase() == Phase::FirstReading || run_mode() != RunMode::Serve {
        return Ok(());
    }
    supervise(main).map_err(|error| {
        report(main, &error);
        Failed
    })
}

/// Starts a manager if there is none: one that died too soon is tried again now and then.
pub(crate) fn monitor(main: Server<'_>) {
    let alone = state().as_ref().is_some_and(|(_, supervisor)| !supervisor.has_manager());
    if alone && !is_stopping() {
        restart(main);
    }
}

/// What this process, which is to serve requests, needs to reach the workers.
pub(crate) fn inherit() -> Option<Inheritance> {
    let mut state = state();
    let (parent, supervisor) = state.as_ref()?;
    if *parent == std::process::id() {
        return supervisor.share().ok();
    }
    state.take().map(|(_, supervisor)| supervisor.inherit())
}

/// What keeps applications from being served.
#[derive(Debug, thiserror::Error)]
enum LifecycleError {
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error("{START}: {source}; hint: {hint}", hint = START.entry().action)]
    Supervisor {
        #[from]
        source: SupervisorError,
    },
    #[error("{START}: no log can be had: {source}")]
    Log {
        #[from]
        source: std::io::Error,
    },
}

const START: Code = Code::ManagerStartFailed;

fn report(main: Server<'_>, error: &LifecycleError) {
    log::startup(Some(main), Level::Critical, &error.to_string());
}

fn supervise(main: Server<'_>) -> Result<(), LifecycleError> {
    let config = server::collect(main);
    let installation = find_installation(&config)?;
    let fallback = no_log()?;
    let logs = Logs::of(main, fallback.as_fd());
    let settings = settings(&config, &installation, main, &logs);
    let mut state = state();
    if state.is_none() {
        *state = Some((std::process::id(), Supervisor::new()?));
        replace_children_at_once(main);
        main.process_pool().own(AtEnd);
    }
    let Some((_, supervisor)) = state.as_mut() else { return Ok(()) };
    if let Some(pid) = supervisor.ensure(&installation, logs.main())? {
        watch_child(main.process_pool(), pid, told);
    }
    supervisor.configure(settings, &logs.descriptors).or_else(|error| {
        // It is hung or has died just now. Its death brings the next one, which is told all anew.
        supervisor.kill();
        log::server(Some(main), Level::Error, &LifecycleError::from(error).to_string());
        Ok(())
    })
}

/// After a graceful restart, httpd's parent starts new children when old ones have ended, and looks
/// for that between naps of a second (`ap_wait_or_timeout`). Until then nobody accepts connections,
/// unless the end of a child interrupts the nap.
fn replace_children_at_once(main: Server<'_>) {
    if let Err(error) = signals::wake_when_children_end() {
        log::server(Some(main), Level::Warning, &format!("restarts will be slow: {error}"));
    }
}

/// Dropped with the process's pool: when httpd ends.
struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        // Children and programs that httpd forks have a copy of the pool, but are not the parent.
        if let Some((parent, supervisor)) = state().as_mut()
            && *parent == std::process::id()
        {
            supervisor.stop();
        }
    }
}

/// What httpd tells about the manager.
fn told(pid: u32, event: ChildEvent) {
    let status = match event {
        ChildEvent::Died(status) => format!("status or signal {status}"),
        ChildEvent::Lost => "no status".to_owned(),
        ChildEvent::Restart | ChildEvent::Unwatched => return,
    };
    let may_restart = state().as_mut().is_some_and(|(_, supervisor)| supervisor.died(pid));
    let Some(main) = main_server().filter(|_| !is_stopping()) else { return };
    let (code, then) = (
        Code::ManagerDied,
        if may_restart { "starting another" } else { "another one is tried in a while" },
    );
    let line = format!("{code}: the manager (pid {pid}) has died ({status}); {then}");
    log::server(Some(main), Level::Error, &line);
    if may_restart {
        restart(main);
    }
}

fn restart(main: Server<'_>) {
    if let Err(error) = supervise(main) {
        log::server(Some(main), Level::Critical, &error.to_string());
    }
}

fn find_installation(config: &Config) -> Result<Installation, InstallationError> {
    let module = library_at(std::ptr::from_ref(Pinion::record()).addr());
    installation::find(&SystemFiles, &config.server, module.as_deref())
}

fn settings(
    config: &Config,
    installation: &Installation,
    main: Server<'_>,
    logs: &Logs<'_>,
) -> Settings {
    let search_path: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    let text = |value: std::ffi::OsString| value.into_string().ok();
    let environment: Vec<(String, String)> =
        std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    let embedded = embedded_size(mpm_limits());
    let around = Surroundings {
        files: &SystemFiles,
        accounts: &SystemAccounts::new(),
        timeout: Duration::from_micros(u64::try_from(main.timeout_micros()).unwrap_or(0)),
        search_path: &search_path,
        environment: &environment,
        embedded,
    };
    let names = config.vhosts.values().map(pinion_config::VirtualServer::host_port);
    let mut groups = resolve::groups(config, &around);
    for telemetry in groups.iter_mut().filter_map(|group| group.telemetry.as_mut()) {
        telemetry.server_version = format!("Apache/{}", pinion_httpd::version());
    }
    Settings {
        generation: u32::try_from(config_generation()).unwrap_or(0),
        servers: names
            .zip(&logs.of_servers)
            .zip(main.and_following())
            .map(|((name, log), server)| {
                let level = log::server_limit(server);
                ServerLog { name, log: *log, level, plain: false }
            })
            .collect(),
        logs: logs.descriptors.len() as u32,
        groups,
        preload: resolve::preload(config, &SystemFiles),
        library: installation.library.to_string_lossy().into_owned(),
        apache: about_httpd(),
    }
}

/// What applications are told of httpd.
fn about_httpd() -> Apache {
    let version = pinion_httpd::version();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let limits = mpm_limits();
    Apache {
        version: (next(), next(), next()),
        description: pinion_httpd::description(),
        build_date: pinion_httpd::build_date(),
        mpm_name: pinion_httpd::mpm_name(),
        maximum_processes: limits.children as u32,
        threads_per_process: limits.threads as u32,
    }
}

/// How many processes and threads the implicit group has. Applications see in `wsgi.multiprocess` and
/// `wsgi.multithread` what they would see inside of httpd's own processes.
fn embedded_size(mpm: MpmLimits) -> (u32, u32) {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processes = mpm.children.min(processors.clamp(2, 8)) as u32;
    if mpm.threads > 1 { (processes, EMBEDDED_THREADS) } else { (mpm.children.min(8) as u32, 1) }
}

/// The servers' logs, each descriptor once.
struct Logs<'s> {
    /// The main server's first.
    descriptors: Vec<BorrowedFd<'s>>,
    /// For each server in httpd's order, which of the descriptors is its own.
    of_servers: Vec<u32>,
}

impl<'s> Logs<'s> {
    fn of(main: Server<'s>, fallback: BorrowedFd<'s>) -> Self {
        let first = main.error_log().unwrap_or(fallback);
        let mut logs = Self { descriptors: vec![first], of_servers: Vec::new() };
        let mut known = HashMap::from([(first.as_raw_fd(), 0)]);
        for server in main.and_following() {
            let number = server.error_log().map_or(0, |log| logs.number(log, &mut known));
            logs.of_servers.push(number);
        }
        logs
    }

    fn number(&mut self, log: BorrowedFd<'s>, known: &mut HashMap<i32, u32>) -> u32 {
        if let Some(number) = known.get(&log.as_raw_fd()) {
            return *number;
        }
        if self.descriptors.len() == MOST_LOGS {
            return 0;
        }
        let number = self.descriptors.len() as u32;
        self.descriptors.push(log);
        known.insert(log.as_raw_fd(), number);
        number
    }

    fn main(&self) -> BorrowedFd<'s> {
        self.descriptors[0]
    }
}
