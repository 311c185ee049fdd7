//! The cases, one module for each area.

mod accepted;
mod access;
mod api;
mod apps;
mod bulk;
mod chroot;
mod codes;
mod contexts;
mod daemon;
mod deadlines;
mod directives;
mod dispatch;
mod environ;
mod environment;
mod express;
mod failing;
mod free_threading;
mod groups;
mod handlers;
mod input;
mod interpreters;
mod lifecycle;
mod limits;
mod logging;
mod mounts;
mod neighbours;
mod output;
mod packages;
mod promises;
mod proxies;
mod reload;
mod response;
mod route;
mod scheduling;
mod scoreboard;
mod services;
mod settings;
mod stalling;
mod stopping;
mod telemetry;
mod wrapper;

use crate::Suite;
use crate::suite::Outcome;
use libtest_mimic::Failed;
use pinion_testbed::{Server, Site};
use std::path::PathBuf;

/// All suites.
pub(crate) fn suites() -> Vec<Suite> {
    [
        environ::suites(),
        environment::suites(),
        mounts::suites(),
        input::suites(),
        response::suites(),
        bulk::suites(),
        wrapper::suites(),
        stalling::suites(),
        output::suites(),
        groups::suites(),
        handlers::suites(),
        contexts::suites(),
        daemon::suites(),
        directives::suites(),
        dispatch::suites(),
        proxies::suites(),
        access::suites(),
        reload::suites(),
        route::suites(),
        neighbours::suites(),
        scheduling::suites(),
        scoreboard::suites(),
        lifecycle::suites(),
        limits::suites(),
        chroot::suites(),
        deadlines::suites(),
        services::suites(),
        apps::suites(),
        api::suites(),
        settings::suites(),
        interpreters::suites(),
        free_threading::suites(),
        accepted::suites(),
        telemetry::suites(),
        logging::suites(),
        codes::suites(),
        promises::suites(),
        stopping::suites(),
        packages::suites(),
        express::suites(),
    ]
    .concat()
}

/// Whether the servers run as root, as some options need.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Copies a script of `compat/apps` into the site and returns where it is.
fn app(site: &Site, name: &str) -> Result<PathBuf, Failed> {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("apps").join(name);
    let text = std::fs::read(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    Ok(site.write(&format!("apps/{name}"), text)?)
}

/// The configuration test refuses the line, and Pinion names the directive.
fn refused(server: &Server, line: &str, named: &str) -> Outcome {
    let mut site = Site::new(server)?;
    site.config(line);
    let tested = site.configtest()?;
    assert!(!tested.success, "accepted: {line}");
    // The original's messages seldom name the directive; Pinion promises it.
    let told = !server.is_pinion() || tested.output().contains(named);
    assert!(told, "{named} is not named: {}", tested.output());
    Ok(())
}
