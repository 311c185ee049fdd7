//! From what the directives say to what the manager needs: names become numbers, folders become
//! interpreters, files of variables become variables.
//!
//! What cannot be resolved has been named by the checks of the configuration; here it is left out of the
//! settings, so that its group alone does not run.

use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::Duration,
};

use pinion_config::{
    Accounts, Config, DaemonGroup, StaticMount, User, VhostId, env_file,
    files::{FileKind, Files},
    python_home::{self, PythonHome},
};
use pinion_wire::message::{
    Buffers, GroupSpec, Identity, InterpreterSpec, Layer, Limits, MountKey, PairKey, TelemetrySpec,
    Timeouts,
};

/// What the server as a whole gives to each group.
pub struct Surroundings<'a> {
    /// The file system.
    pub files: &'a dyn Files,
    /// The accounts.
    pub accounts: &'a dyn Accounts,
    /// httpd's `Timeout`.
    pub timeout: Duration,
    /// Where to look for a system Python: the folders of `PATH`.
    pub search_path: &'a [PathBuf],
    /// The environment of the server, in which that of applications begins.
    pub environment: &'a [(String, String)],
    /// How many processes and threads the implicit group has.
    pub embedded: (u32, u32),
}

/// The process groups, resolved; those that cannot be are left out.
pub fn groups(config: &Config, around: &Surroundings<'_>) -> Vec<GroupSpec> {
    let home_of = |group: &DaemonGroup| -> u32 {
        let place = config.group(group.name.as_str());
        place.map_or(0, |definition| definition.vhost.0)
    };
    config
        .effective_groups()
        .iter()
        .filter_map(|group| resolve(config, group, home_of(group), around))
        .collect()
}

/// What is to be started at once: scripts that are there.
pub fn preload(config: &Config, files: &dyn Files) -> Vec<MountKey> {
    let is_file = |mount: &StaticMount| {
        files.stat(&mount.script).is_ok_and(|stat| stat.kind == FileKind::File)
    };
    config
        .static_mounts()
        .into_iter()
        .filter(is_file)
        .map(|mount| mount_key(config, mount))
        .collect()
}

fn mount_key(config: &Config, mount: StaticMount) -> MountKey {
    // The workers of a group with a root of its own know the script by its path in there.
    let group = config.group(mount.process_group.as_str());
    let root = group.and_then(|group| group.value.chroot.as_deref());
    let inside = root.and_then(|root| mount.script.strip_prefix(root).ok());
    let script = inside.map_or_else(|| mount.script.clone(), |rest| Path::new("/").join(rest));
    MountKey {
        pair: PairKey {
            process_group: mount.process_group.as_str().to_owned(),
            application_group: mount.application_group,
        },
        script: path_bytes(&script),
        callable: mount.callable.unwrap_or_default(),
    }
}

fn path_bytes(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

fn resolve(
    config: &Config,
    group: &DaemonGroup,
    server: u32,
    around: &Surroundings<'_>,
) -> Option<GroupSpec> {
    let python = match &group.python_home {
        Some(home) => python_home::resolve(around.files, home),
        None => python_home::system(around.files, around.search_path),
    }
    .ok()?;
    let user = match &group.user {
        Some(user) => around.accounts.user(user)?,
        None => around.accounts.server_user(),
    };
    let embedded = group.name.is_embedded();
    let (processes, threads) =
        if embedded { around.embedded } else { (group.process_count().get(), group.threads) };
    // mod_wsgi changes to the user's home where `user=` is given, and to `/` where it is not.
    let own = || group.user.as_ref().map_or_else(|| Some("/".into()), |_| user.home.clone());
    let home = group.home.clone().or_else(own);
    Some(GroupSpec {
        name: group.name.as_str().to_owned(),
        server: if config.vhosts.contains_key(&VhostId(server)) { server } else { 0 },
        processes,
        threads,
        multiprocess: if embedded { processes > 1 } else { group.is_multiprocess() },
        python: lossy(&python.interpreter),
        // A `home=` that is given comes first in sys.path.
        python_path: group.home.iter().chain(&group.python_path).map(|path| lossy(path)).collect(),
        identity: identity(group, &user, around)?,
        home_is_users: group.home.is_none(),
        home: home.filter(|home| around.files.stat(home).is_ok()).map(|home| lossy(&home)),
        umask: group.umask,
        display_name: group.title(),
        env: environment(group, &user, around)?,
        locale: group.locale.clone(),
        warmup: group.warmup.clone(),
        restrict_stdout: config.server.restrict_stdout,
        restrict_stdin: config.server.restrict_stdin,
        fold_case: config.server.fold_case,
        interpreter: interpreter(config, group, &python),
        maximum_requests: group.maximum_requests.map_or(0, |count| count.get().into()),
        timeouts: timeouts(group, around),
        listen_backlog: group.listen_backlog,
        telemetry: telemetry(config),
        chroot: group.chroot.as_deref().map(lossy),
        limits: limits(&group.limits),
        buffers: Buffers {
            receive: group.buffers.receive.map_or(0, NonZeroU64::get),
            send: group.buffers.send.map_or(0, NonZeroU64::get),
        },
        server_metrics: if embedded { config.server.server_metrics } else { group.server_metrics },
        http: None,
    })
}

/// How the group's Python is started, and what its interpreters are told.
fn interpreter(config: &Config, group: &DaemonGroup, python: &PythonHome) -> InterpreterSpec {
    let said = &config.server.interpreters;
    let mut arguments: Vec<String> = match said.optimize {
        0 => Vec::new(),
        1 => vec!["-O".to_owned()],
        _ => vec!["-OO".to_owned()],
    };
    if said.dont_write_bytecode {
        arguments.push("-B".to_owned());
    }
    arguments.extend(said.warnings.iter().map(|filter| format!("-W{filter}")));
    if python.free_threaded {
        // As mod_wsgi has it: with a GIL unless it is asked to do without, whatever extension modules say of themselves.
        let gil = u8::from(!said.wants_free_threading(group.name.as_str()));
        arguments.push(format!("-Xgil={gil}"));
    }
    // The path of the base, and who may not use which stream, is the group's own already.
    let base = pinion_config::interpreter::Layer {
        python_path: Vec::new(),
        switch_interval: group.switch_interval.or(said.base.switch_interval),
        ..said.base.clone()
    };
    let layers = [&base].into_iter().chain(said.layers_of(group.name.as_str()));
    InterpreterSpec {
        arguments,
        hash_seed: said.hash_seed,
        keep_at_exit: said.keep_at_exit,
        layers: layers.map(layer).collect(),
    }
}

fn layer(layer: &pinion_config::interpreter::Layer) -> Layer {
    Layer {
        application_group: layer.application_group.clone(),
        python_path: layer.python_path.iter().map(|path| lossy(path)).collect(),
        switch_interval_us: layer
            .switch_interval
            .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)),
        restrict_stdin: layer.restrict_stdin,
        restrict_stdout: layer.restrict_stdout,
        restrict_signal: layer.restrict_signal,
    }
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whose rights the workers get: `Some(None)` when the server cannot change them.
fn identity(
    group: &DaemonGroup,
    user: &User,
    around: &Surroundings<'_>,
) -> Option<Option<Identity>> {
    if !around.accounts.started_as_root() {
        return Some(None);
    }
    let gid = match &group.group {
        Some(name) => around.accounts.group(name)?,
        // Not the user's own group (mod_wsgi's documentation of WSGIDaemonProcess, `group`).
        None => around.accounts.server_user().gid,
    };
    let mut groups = if group.supplementary_groups.is_empty() {
        user.groups.clone()
    } else {
        let named = group.supplementary_groups.iter();
        named.map(|name| around.accounts.group(name)).collect::<Option<Vec<_>>>()?
    };
    if !groups.contains(&gid) {
        groups.push(gid);
    }
    Some(Some(Identity { uid: user.uid, gid, groups }))
}

/// Variables of the server's environment that workers do not get: they would give each Python the library of another
/// one, or make it one that talks.
const NOT_PASSED_ON: &[&str] =
    &["PYTHONHOME", "PYTHONEXECUTABLE", "PYTHONINSPECT", "__PYVENV_LAUNCHER__"];

/// The environment: the server's own, then who and where, then the files, then single variables.
fn environment(
    group: &DaemonGroup,
    user: &User,
    around: &Surroundings<'_>,
) -> Option<Vec<(String, String)>> {
    let inherited = around.environment.iter();
    let mut env: BTreeMap<String, String> =
        inherited.filter(|(name, _)| !NOT_PASSED_ON.contains(&name.as_str())).cloned().collect();
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    if let Some(home) = &user.home {
        set("HOME", lossy(home));
    }
    if let Some(name) = &user.name {
        set("USER", name.clone());
        set("LOGNAME", name.clone());
    }
    if let Some(lang) = &group.lang {
        set("LANG", lang.clone());
    }
    if let Some(locale) = &group.locale {
        set("LC_ALL", locale.clone());
    }
    if let Some(eggs) = &group.python_eggs {
        set("PYTHON_EGG_CACHE", lossy(eggs));
    }
    for file in &group.env_files {
        let text = around.files.read(file).ok()?;
        for pair in env_file::parse(&text).ok()? {
            set(&pair.name, pair.value);
        }
    }
    for pair in &group.env {
        set(&pair.name, pair.value.clone());
    }
    Some(env.into_iter().collect())
}

/// What workers report; the server's version is filled in by who knows it.
fn telemetry(config: &Config) -> Option<TelemetrySpec> {
    let telemetry = &config.server.telemetry;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    telemetry.service.as_ref().map(|service| TelemetrySpec {
        socket: lossy(&service.socket),
        interval: millis(service.interval),
        slow_requests: telemetry.slow_requests.map(millis),
        user_agent: telemetry.capture_user_agent,
        server_version: String::new(),
    })
}

fn limits(limits: &pinion_config::limits::Limits) -> Limits {
    let bytes = |size: Option<NonZeroU64>| size.map_or(0, NonZeroU64::get);
    Limits {
        cpu_seconds: limits.cpu_time.map_or(0, |time| time.as_secs()),
        priority: limits.priority,
        memory: bytes(limits.memory),
        virtual_memory: bytes(limits.virtual_memory),
        stack: bytes(limits.stack),
    }
}

fn timeouts(group: &DaemonGroup, around: &Surroundings<'_>) -> Timeouts {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let optional = |time: Option<Duration>| time.map_or(0, millis);
    Timeouts {
        restart_interval: optional(group.restart_interval),
        request: optional(group.request_deadline()),
        queue: optional(group.queue_timeout),
        startup: optional(group.startup_timeout),
        graceful: optional(group.graceful_timeout),
        shutdown: millis(group.shutdown_timeout),
        socket: millis(group.socket_timeout.unwrap_or(around.timeout)),
        connect: millis(group.connect_timeout),
        interrupt: optional(group.interrupt_timeout),
        deadlock: optional(group.deadlock_timeout),
        inactivity: optional(group.inactivity_timeout),
        eviction: optional(group.eviction_timeout),
    }
}
