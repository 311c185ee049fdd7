//! The options in Apache's words.

use std::path::{Path, PathBuf};

use minijinja::{Value, context};
use pinion_config::Code;
use pinion_deploy::render::render;
use pinion_deploy::values::StaticAlias;
use pinion_wire::message::http::{AccessFormat, ListenerSpec};

use super::installed::{Installed, mime_types};
use super::json;
use crate::bind::Place;
use crate::error::Result;
use crate::plan::{Plan, Remark};
use crate::script::Script;
use crate::settings::{LogTarget, Settings};

/// The descriptor at which Apache finds this process's standard output. Its own standard output is this process's standard error, since
/// a program that Apache pipes errors to gets that for both.
pub const OUTPUT: i32 = 3;

/// The folder in its own in which nothing is.
pub const EMPTY: &str = "empty";

/// What stands for no limit of a time in seconds: as many milliseconds as a number of 32 bits holds, with which Apache waits.
const NO_LIMIT: u64 = 2_147_483;

/// Modules without which nothing is served.
const NEEDED: [&str; 4] = ["mpm_event", "unixd", "authz_core", "alias"];

/// What a configuration is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// All that was asked for.
    pub plan: &'a Plan,
    /// What is loaded.
    pub script: &'a Script,
    /// The Apache that reads it.
    pub apache: &'a Installed,
    /// Pinion's module.
    pub module: &'a Path,
    /// Pinion's program.
    pub program: &'a Path,
    /// The folder that is its own.
    pub root: &'a Path,
    /// The addresses that it listens on.
    pub listeners: &'a [ListenerSpec],
    /// Whose rights the workers have where Apache is started by root: user and group.
    pub account: Option<(String, String)>,
}

/// The text of the configuration.
///
/// # Errors
/// A module is missing, or a value that Apache cannot be given.
pub fn text(parts: &Parts<'_>) -> Result<String> {
    let settings = &parts.plan.settings;
    let tls = parts.listeners.iter().any(|listener| listener.tls);
    let mut modules = Vec::new();
    for name in NEEDED.into_iter().chain(wanted(settings, tls)) {
        if let Some(file) = parts.apache.needed(name)? {
            modules.push(context! { name, file => text_of(&file) });
        }
    }
    let optional = ["reqtimeout", "mime"].into_iter().chain(tls.then_some("http2"));
    for name in optional.filter(|name| *name != "mime" || mime_types().is_some()) {
        if let Some(file) = parts.apache.module(name) {
            modules.push(context! { name, file => text_of(&file) });
        }
    }
    let values = context! { modules, ..values(parts, tls) };
    Ok(render("Apache's configuration", include_str!("../../templates/apache.j2"), values)?)
}

/// Modules that some options need.
fn wanted(settings: &Settings, tls: bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    if settings.access_log.is_some() {
        names.push("log_config");
    }
    if tls {
        names.extend(["socache_shmcb", "ssl"]);
    }
    names
}

fn values(parts: &Parts<'_>, tls: bool) -> Value {
    let settings = &parts.plan.settings;
    let name = &parts.plan.found.project.name;
    let first = parts.listeners.first();
    context! {
        title => parts.plan.found.title(),
        root => text_of(parts.root),
        empty => text_of(&parts.root.join(EMPTY)),
        session_cache => format!("shmcb:{}(512000)", parts.root.join("sessions").display()),
        pid_file => text_of(&pid_file(parts)),
        account => parts.account.as_ref().map(|(user, group)| context! { user, group }),
        listens => parts.listeners.iter().map(listen).collect::<Vec<_>>(),
        server_name => first.map_or_else(|| "localhost".to_owned(), host_of),
        wsgi => text_of(parts.module),
        graceful => seconds(settings.times.graceful),
        error_log => settings.log.as_deref().map_or_else(|| "|$/bin/cat".to_owned(), text_of),
        access_log => settings.access_log.as_ref().map(|target| access_log(parts, target)),
        log_format => log_format(settings.access_log_format),
        types => mime_types().filter(|_| parts.apache.has("mime")).map(text_of),
        idle => match settings.http_times.idle {
            0 => NO_LIMIT * 1_000,
            millis => millis,
        },
        body_timeout => match settings.http_times.body {
            0 => NO_LIMIT,
            millis => seconds(millis),
        },
        // 0 is no limit there too. Without a word it would be Apache's own.
        head_timeout => parts.apache.has("reqtimeout").then(|| seconds(settings.http_times.head)),
        limit_line => settings.limits.line,
        limit_fields => settings.limits.fields,
        limit_body => settings.limits.body,
        proxies => settings.trusted_proxies.clone(),
        proxy_headers => settings.trusted_proxy_headers.iter().map(|header| header.name()).collect::<Vec<_>>(),
        statics => settings.statics.iter().map(static_alias).collect::<Vec<_>>(),
        group => plain(name),
        options => process(parts),
        callable => Some(&parts.script.callable).filter(|name| *name != pinion_config::DEFAULT_CALLABLE),
        mount => settings.mount.as_ref().map_or("/", |mount| mount.as_str()),
        script => text_of(&parts.script.path),
        script_folder => parts.script.path.parent().map(text_of),
        tls => if tls { tls_hosts(parts) } else { Vec::new() },
    }
}

/// Where Apache writes its lines.
fn access_log(parts: &Parts<'_>, target: &LogTarget) -> String {
    let is_json = parts.plan.settings.access_log_format == AccessFormat::Json;
    match target {
        LogTarget::Output if is_json => json::to_descriptor(parts.program, OUTPUT),
        LogTarget::Output => format!("|$/bin/cat >&{OUTPUT}"),
        LogTarget::File(path) if is_json => json::to_file(parts.program, path),
        LogTarget::File(path) => text_of(path),
    }
}

/// Whole seconds that are no less.
fn seconds(millis: u64) -> u64 {
    millis.div_ceil(1_000)
}

/// The file with the number of Apache's parent.
pub fn pid_file(parts: &Parts<'_>) -> PathBuf {
    let named = parts.plan.settings.pid_file.clone();
    named.unwrap_or_else(|| parts.root.join("apache.pid"))
}

fn address_of(listener: &ListenerSpec) -> String {
    let everywhere = ["::", "0.0.0.0"].contains(&listener.name.as_str());
    if everywhere {
        return listener.port.to_string();
    }
    format!("{}:{}", bracketed(&listener.name), listener.port)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn host_of(listener: &ListenerSpec) -> String {
    let everywhere = ["::", "0.0.0.0"].contains(&listener.name.as_str());
    let host = if everywhere { "localhost".to_owned() } else { bracketed(&listener.name) };
    format!("{host}:{}", listener.port)
}

fn listen(listener: &ListenerSpec) -> Value {
    let protocol = if listener.tls { "https" } else { "http" };
    context! { address => address_of(listener), protocol }
}

fn tls_hosts(parts: &Parts<'_>) -> Vec<Value> {
    let settings = &parts.plan.settings;
    let Some(certificate) = &settings.certificate else { return Vec::new() };
    let key = settings.key.as_ref().unwrap_or(certificate);
    let encrypted = parts.listeners.iter().filter(|listener| listener.tls);
    encrypted
        .map(|listener| {
            let everywhere = ["::", "0.0.0.0"].contains(&listener.name.as_str());
            let address =
                if everywhere { format!("*:{}", listener.port) } else { address_of(listener) };
            context! {
                address,
                certificate => text_of(certificate),
                key => text_of(key),
                http2 => parts.apache.has("http2"),
            }
        })
        .collect()
}

fn static_alias(alias: &StaticAlias) -> Value {
    // With a slash on neither side, or on both: Apache joins them as they are.
    let folder = alias.path.is_dir();
    let url = alias.url.as_str();
    let path = text_of(&alias.path);
    let path = if url.ends_with('/') && folder { format!("{path}/") } else { path };
    let place = if folder { Some(alias.path.as_path()) } else { alias.path.parent() };
    context! { url, path, place => place.map(text_of) }
}

/// The options of `WSGIDaemonProcess`.
fn process(parts: &Parts<'_>) -> Vec<(&'static str, String)> {
    let (plan, settings) = (parts.plan, &parts.plan.settings);
    let home = &plan.python.home;
    let python = if home.is_virtualenv() { &home.prefix } else { &home.interpreter };
    let mut words = vec![
        ("processes", settings.processes.to_string()),
        ("threads", settings.threads.to_string()),
        ("python-home", text_of(python)),
        ("home", text_of(&plan.home)),
        ("graceful-timeout", seconds(settings.times.graceful).to_string()),
        ("shutdown-timeout", seconds(settings.times.shutdown).to_string()),
    ];
    let paths: Vec<_> = plan.python_path.iter().map(|path| text_of(path)).collect();
    if !paths.is_empty() {
        words.push(("python-path", paths.join(":")));
    }
    for (name, millis) in
        [("request-timeout", settings.times.request), ("startup-timeout", settings.times.startup)]
    {
        if millis > 0 {
            words.push((name, seconds(millis).to_string()));
        }
    }
    if settings.maximum_requests > 0 {
        words.push(("maximum-requests", settings.maximum_requests.to_string()));
    }
    if let Some((user, group)) = &parts.account {
        words.extend([("user", user.clone()), ("group", group.clone())]);
    }
    words.extend(settings.umask.map(|mask| ("umask", format!("{mask:03o}"))));
    words.extend(settings.warmup.iter().map(|path| ("warmup", path.clone())));
    words
}

/// Apache's words for a line of the access log. It has none for JSON, whose escapes are others than Apache's: its lines go to a program
/// that makes it of them.
fn log_format(format: AccessFormat) -> &'static str {
    match format {
        AccessFormat::Common => "%h %l %u %t \\\"%r\\\" %>s %b",
        AccessFormat::Json => json::FORMAT,
        AccessFormat::Combined => {
            "%h %l %u %t \\\"%r\\\" %>s %b \\\"%{Referer}i\\\" \\\"%{User-Agent}i\\\""
        }
    }
}

/// Options that Apache cannot be told, or only nearly.
pub fn remarks(settings: &Settings, apache: &Installed) -> Vec<Remark> {
    let mut remarks = untold(settings, apache.has("reqtimeout"));
    remarks.extend(rounded(settings));
    remarks
}

/// Times with a fraction of a second where Apache knows whole ones.
fn rounded(settings: &Settings) -> impl Iterator<Item = Remark> {
    let (times, http) = (settings.times, settings.http_times);
    let all = [
        ("head-timeout", http.head),
        ("body-timeout", http.body),
        ("request-timeout", times.request),
        ("startup-timeout", times.startup),
        ("graceful-timeout", times.graceful),
        ("shutdown-timeout", times.shutdown),
    ];
    all.into_iter().filter(|(_, millis)| millis % 1_000 > 0).map(|(name, millis)| Remark {
        code: Code::TimeRounded,
        text: format!(
            "--{name} {}: Apache takes whole seconds here, so it is {}",
            millis as f64 / 1_000.0,
            seconds(millis)
        ),
        hint: "give whole seconds, or serve without --apache".to_owned(),
    })
}

fn untold(settings: &Settings, has_reqtimeout: bool) -> Vec<Remark> {
    let plain = Settings::default();
    let mut said: Vec<(String, &str)> = Vec::new();
    let mut say = |given: bool, text: &str, hint: &'static str| {
        if given {
            said.push((text.to_owned(), hint));
        }
    };
    let leave = "leave it out, or serve without --apache";
    for bind in &settings.bind {
        let text = format!("--bind {bind}: Apache is only given addresses with ports");
        say(matches!(bind.place, Place::Unix(_) | Place::Systemd), &text, leave);
    }
    say(
        settings.health.is_some(),
        "--health: Apache's workers answer no path by themselves",
        leave,
    );
    say(
        settings.reload || !settings.watch.is_empty(),
        "--reload: under Apache only a change of the .wsgi script is noticed, by the next request",
        "send SIGHUP to load the application anew",
    );
    say(
        settings.limits.head != plain.limits.head,
        "--limit-head: Apache limits each field (LimitRequestFieldSize), not the whole head",
        leave,
    );
    say(
        settings.limits.connections != plain.limits.connections,
        "--limit-connections: Apache has 256 threads here (MaxRequestWorkers)",
        leave,
    );
    say(
        settings.limits.rate != plain.limits.rate,
        "--least-rate: Apache bounds each pause (Timeout), not the rate over all",
        leave,
    );
    say(
        settings.http_times.head != plain.http_times.head && !has_reqtimeout,
        "--head-timeout: this Apache has no mod_reqtimeout",
        "install it, or leave the option out",
    );
    say(
        settings.times.delay > 0,
        "--drain-delay: Apache stops to listen as soon as it is told to end",
        leave,
    );
    let code = Code::OptionWithoutEffect;
    said.into_iter().map(|(text, hint)| Remark { code, text, hint: hint.to_owned() }).collect()
}

/// A name as a process group has it.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
