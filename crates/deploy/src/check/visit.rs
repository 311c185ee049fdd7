//! Trying an application: it is loaded by a worker, answers its first page, and has its resources from the start.

use pinion_config::Code;
use pinion_front::SupervisorError;
use pinion_front::installation::Installation;
use pinion_wire::message::GroupSpec;

use super::mounts::Mount;
use super::page;
use super::recorder::Recorder;
use super::report::Note;
use super::stage::{Stage, Visit};
use crate::finding::Finding;

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;
/// How many of a page's resources are asked for.
const MOST_RESOURCES: usize = 20;

/// What came of trying an application.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The status of the page that the first one led to.
    pub(super) status: Option<u16>,
    /// What it wrote.
    pub(super) output: String,
    /// What is wrong.
    pub(super) notes: Vec<Note>,
    /// The URL of an error page for which no reason was logged.
    pub(super) unexplained: Option<String>,
}

/// Tries an application in workers of its own.
///
/// # Errors
/// No worker can be started.
pub(super) fn try_out(
    installation: &Installation,
    group: &GroupSpec,
    mount: &Mount,
) -> Result<Outcome, SupervisorError> {
    let mut stage = Stage::new(installation, group, mount)?;
    let (url, visit) = follow(&stage, mount);
    let mut outcome = judge(mount, &url, &visit);
    if let Visit::Answered(answer) = &visit {
        let wanted = resources(mount, &url, answer);
        if !wanted.is_empty() {
            let fresh = Stage::new(installation, group, mount)?;
            let late = wanted.into_iter().filter(|path| is_late(&fresh, &stage, path)).collect();
            outcome.notes.extend(race(group, mount, &url, late));
        }
        outcome.output.clone_from(&answer.log);
    }
    outcome.output.push_str(&stage.output());
    Ok(outcome)
}

/// Asks for the first page and where it leads to, as long as the application itself serves that.
fn follow(stage: &Stage<'_>, mount: &Mount) -> (String, Visit) {
    let mut url = mount.url();
    let mut visit = stage.get(&url);
    for _ in 0..MOST_REDIRECTS {
        let Visit::Answered(answer) = &visit else { break };
        let redirects = answer.status.is_some_and(|status| (300..400).contains(&status));
        let next = answer
            .header("location")
            .filter(|_| redirects)
            .and_then(|location| page::absolute(location, &url, &mount.host.0))
            .filter(|next| mount.serves(path_of(next)) && *next != url);
        let Some(next) = next else { break };
        visit = stage.get(&next);
        url = next;
    }
    (url, visit)
}

fn path_of(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

fn judge(mount: &Mount, url: &str, visit: &Visit) -> Outcome {
    let script = mount.script.display();
    let note = |code, what: String, why: &str, hint: &str, detail: &str| {
        let note = Note::new(Finding::new(code, what, why, hint));
        vec![note.explained(detail).at(mount.place.clone())]
    };
    let mend = "mend what the traceback shows";
    match visit {
        Visit::NotLoaded(reason) => {
            let what = format!("{script} cannot be loaded by a worker");
            let notes = note(Code::LoadFailed, what, "", mend, reason);
            Outcome { notes, ..Outcome::default() }
        }
        Visit::Failed { reason, log } => {
            let what = format!("{script} does not answer GET {url}");
            let is_told = reason.contains('\n') || log.contains("Traceback");
            let waits = "find what it waits for: a lock, a database, a request to itself";
            let detail = format!("{reason}\n{log}");
            let hint = if is_told { mend } else { waits };
            let notes = note(Code::RequestFailed, what, "", hint, &detail);
            Outcome { notes, ..Outcome::default() }
        }
        Visit::Answered(answer) => {
            let status = answer.status.unwrap_or_default();
            let what = format!("{script} answers GET {url} with {status}");
            let notes = match status {
                500.. => {
                    let is_told = answer.log.contains("Traceback") || answer.death.is_some();
                    let unexplained = (!is_told).then(|| url.to_owned());
                    let notes = note(Code::RequestFailed, what, "", mend, &evidence(answer));
                    return Outcome {
                        status: Some(status),
                        notes,
                        unexplained,
                        ..Outcome::default()
                    };
                }
                404 => {
                    let why = "it runs, but does not know its own first page";
                    let hint = "compare its routes with the mount point, and the callable's name with the script";
                    note(Code::PageMissing, what, why, hint, &answer.log)
                }
                _ => Vec::new(),
            };
            Outcome { status: Some(status), notes, ..Outcome::default() }
        }
    }
}

/// What explains an error page: the log, else the page itself.
fn evidence(answer: &Recorder) -> String {
    let death = answer.death.as_deref().unwrap_or_default();
    if !answer.log.is_empty() || !death.is_empty() {
        return format!("{}{death}", answer.log);
    }
    page::text(&String::from_utf8_lossy(&answer.body))
}

/// What the page needs of the application itself.
fn resources(mount: &Mount, url: &str, answer: &Recorder) -> Vec<String> {
    let is_page = answer.header("content-type").is_some_and(|kind| kind.contains("html"));
    if !is_page {
        return Vec::new();
    }
    let page = String::from_utf8_lossy(&answer.body);
    let all = page::resources(&page, url, &mount.host.0);
    all.into_iter().filter(|path| mount.serves(path_of(path))).take(MOST_RESOURCES).collect()
}

/// Whether a resource is there after the page and not before.
fn is_late(fresh: &Stage<'_>, visited: &Stage<'_>, path: &str) -> bool {
    let is_there = |stage: &Stage<'_>| matches!(stage.get(path), Visit::Answered(answer) if answer.status.is_some_and(|status| status < 400));
    !is_there(fresh) && is_there(visited)
}

/// The widget race: what is registered by a page view is missing in each process that has not had one.
fn race(group: &GroupSpec, mount: &Mount, url: &str, late: Vec<String>) -> Option<Note> {
    let first = late.first()?;
    let more = match late.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let what = format!("{first}{more}: not found in a new process until {url} was requested there");
    let why = "with several processes, or after a restart, a browser's request reaches one that has not served the page";
    let path = path_of(url).strip_prefix(mount.point.as_str()).filter(|path| !path.is_empty());
    let path = path.unwrap_or("/");
    let hint = if group.name.is_empty() {
        format!("give the application a process group, WSGIDaemonProcess NAME warmup={path}")
    } else {
        format!("add warmup={path} to WSGIDaemonProcess {}", group.name)
    };
    let detail = late.join("\n");
    let finding = Finding::new(Code::ResourceRace, what, why, hint);
    Some(Note { detail, ..Note::new(finding) }.at(mount.place.clone()))
}
