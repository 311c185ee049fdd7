//! What the manager is told.

use std::path::Path;

use pinion_deploy::values::StaticAlias;
use pinion_wire::message::http::{HttpSpec, ListenerSpec, ProxySpec, StaticSpec};
use pinion_wire::message::{
    Apache, GroupSpec, MountKey, PairKey, ServerLog, Settings as WireSettings, Timeouts,
};

use crate::plan::Plan;
use crate::script::Script;

/// How long no thread may get Python's lock before a worker is replaced, in milliseconds: as under Apache.
const DEADLOCK: u64 = 300_000;
/// The last of Apache's levels that is logged: warnings.
const LEVEL: u8 = 4;

/// What the workers load.
pub fn mount(plan: &Plan, script: &Script) -> MountKey {
    MountKey {
        pair: PairKey {
            process_group: plan.found.project.name.clone(),
            application_group: String::new(),
        },
        script: std::os::unix::ffi::OsStrExt::as_bytes(script.path.as_os_str()).to_vec(),
        callable: script.callable.clone(),
    }
}

/// The configuration of the manager. `generation` counts the reloads; `listeners` are the sockets that go with it.
pub fn settings(
    plan: &Plan,
    script: &Script,
    library: &Path,
    generation: u32,
    listeners: &[ListenerSpec],
) -> WireSettings {
    let name = listeners.first().map_or_else(|| "localhost".to_owned(), |one| one.name.clone());
    WireSettings {
        generation,
        servers: vec![ServerLog { name, log: 0, level: LEVEL, plain: true }],
        logs: 1,
        groups: vec![group(plan, http(plan, generation, listeners))],
        preload: vec![mount(plan, script)],
        library: lossy(library),
        apache: Apache::default(),
    }
}

fn group(plan: &Plan, http: HttpSpec) -> GroupSpec {
    let settings = &plan.settings;
    let processes = settings.processes.get();
    let python = lossy(&plan.python.home.interpreter);
    GroupSpec {
        processes,
        threads: settings.threads.get(),
        multiprocess: processes > 1,
        python_path: plan.python_path.iter().map(|path| lossy(path)).collect(),
        identity: plan.identity.clone(),
        home: Some(lossy(&plan.home)),
        umask: settings.umask,
        env: plan.env.clone(),
        warmup: settings.warmup.clone(),
        maximum_requests: settings.maximum_requests.into(),
        timeouts: Timeouts {
            request: settings.times.request,
            startup: settings.times.startup,
            graceful: settings.times.graceful,
            shutdown: settings.times.shutdown,
            deadlock: DEADLOCK,
            ..Timeouts::default()
        },
        http: Some(Box::new(http)),
        ..GroupSpec::new(plan.found.project.name.clone(), python)
    }
}

fn http(plan: &Plan, generation: u32, listeners: &[ListenerSpec]) -> HttpSpec {
    let settings = &plan.settings;
    let mount = settings.mount.as_ref().filter(|mount| !mount.is_root());
    HttpSpec {
        generation,
        listeners: listeners.to_vec(),
        access_log: settings.access_log.as_ref().map(|_| settings.access_log_format),
        mount: mount.map(|mount| mount.as_str().to_owned()).unwrap_or_default(),
        statics: settings.statics.iter().map(static_spec).collect(),
        health: settings.health.clone(),
        proxies: ProxySpec {
            networks: settings.trusted_proxies.clone(),
            headers: settings
                .trusted_proxy_headers
                .iter()
                .map(|header| header.name().to_owned())
                .collect(),
        },
        limits: settings.limits,
        times: settings.http_times,
        tls: plan.tls.clone(),
        watch: settings.reload.then(|| watched(plan)),
    }
}

fn static_spec(alias: &StaticAlias) -> StaticSpec {
    let prefix = alias.url.as_str().trim_end_matches('/').to_owned();
    let name = alias.path.file_name().filter(|_| !alias.path.is_dir());
    let folder = name.and(alias.path.parent()).unwrap_or(&alias.path);
    let file = name.map(|name| name.to_string_lossy().into_owned());
    StaticSpec { prefix, folder: lossy(folder), file }
}

/// The project's folder, and what is watched beside it.
fn watched(plan: &Plan) -> Vec<String> {
    let own = std::iter::once(&plan.found.project.root);
    own.chain(&plan.settings.watch).map(|path| lossy(path)).collect()
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
