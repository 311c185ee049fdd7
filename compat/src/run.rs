//! Turns suites into trials, and starts each suite's Apache for the first case that asks it.

use crate::suite::{Case, Check, Outcome, Suite};
use crate::{Context, cases};
use libtest_mimic::{Completion, Failed, Trial};
use pinion_testbed::{Apache, Mpm, Server, Site};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// All trials for the servers that `chosen` names; `listing` builds no server.
///
/// # Errors
/// `chosen` names no server, or the server cannot be built.
pub fn trials(chosen: &str, listing: bool) -> Result<Vec<Trial>, String> {
    let names: &[&str] = match chosen {
        "mod_wsgi" => &["mod_wsgi"],
        "pinion" => &["pinion"],
        "both" => &["mod_wsgi", "pinion"],
        other => return Err(format!("PINION_COMPAT_ON={other}: mod_wsgi, pinion or both")),
    };
    keep_panics();
    let mut trials = Vec::new();
    for name in names {
        let server = match (listing, *name) {
            (true, _) => None,
            (false, "mod_wsgi") => Some(Server::mod_wsgi().map_err(|error| error.to_string())?),
            (false, _) => Some(Server::pinion().map_err(|error| error.to_string())?),
        };
        for suite in cases::suites() {
            let shared = Arc::new(Shared::new(suite.site, server.clone()));
            trials.extend(suite.cases.iter().filter_map(|case| trial(name, &suite, case, &shared)));
        }
    }
    Ok(trials)
}

/// The trial of a case on a server; none where the case is not about that server.
fn trial(server: &str, suite: &Suite, case: &Case, shared: &Arc<Shared>) -> Option<Trial> {
    let pinion = server == "pinion";
    if (case.only_pinion.is_some() && !pinion) || (case.only_original.is_some() && pinion) {
        return None;
    }
    let name = format!("{server}::{}::{}", suite.area, case.name);
    let gap = case.gap.filter(|_| pinion);
    let (check, needs, shared) = (case.check, case.needs, Arc::clone(shared));
    Some(Trial::ignorable_test(name, move || match needs.map(|needs| needs()) {
        Some(Err(lacking)) => Ok(Completion::ignored_with(lacking)),
        Some(Ok(())) | None => judge(shared.check(check), gap),
    }))
}

/// A known gap that is still one is reported as ignored; one that is closed fails.
fn judge(
    outcome: Outcome,
    gap: Option<(&'static str, &'static str)>,
) -> Result<Completion, Failed> {
    match (outcome, gap) {
        (outcome, None) => outcome.map(|()| Completion::Completed),
        (Err(_), Some((id, reason))) => Ok(Completion::ignored_with(format!("{id}: {reason}"))),
        (Ok(()), Some((id, _))) => {
            Err(format!("{id} is no gap any more: take the mark off this case").into())
        }
    }
}

/// A suite's Apache, started once; it stops when the suite's last trial is gone.
struct Shared {
    site: fn(&mut Site) -> Outcome,
    server: Option<Server>,
    apache: OnceLock<Result<Apache, String>>,
}

impl Shared {
    fn new(site: fn(&mut Site) -> Outcome, server: Option<Server>) -> Self {
        Self { site, server, apache: OnceLock::new() }
    }

    /// Runs a check; a panic in it (an assertion) is its failure.
    fn check(&self, check: Check) -> Outcome {
        let server = self.server.as_ref().ok_or("no server was built: cases are only listed")?;
        let caught = catch_unwind(AssertUnwindSafe(|| match check {
            Check::Alone(check) => check(server),
            Check::Shared(check) => {
                let apache = self.apache.get_or_init(|| self.start(server)).as_ref();
                let apache = apache.map_err(|error| format!("the suite did not start: {error}"))?;
                let outcome = check(&Context { apache, server });
                outcome.map_err(|failed| with_log(&failed, apache))
            }
        }));
        caught.unwrap_or_else(|_| Err(LAST_PANIC.take().into()))
    }

    fn start(&self, server: &Server) -> Result<Apache, String> {
        let mut site = Site::new(server).map_err(|error| error.to_string())?;
        site.mpm(mpm()?);
        let described = (self.site)(&mut site);
        described.map_err(|failed| failed.message().unwrap_or("no reason given").to_owned())?;
        site.start().map_err(|error| error.to_string())
    }
}

/// The MPM of shared sites, by `PINION_COMPAT_MPM`: event unless it says worker or prefork.
fn mpm() -> Result<Mpm, String> {
    match std::env::var("PINION_COMPAT_MPM").as_deref() {
        Ok("worker") => Ok(Mpm::Worker),
        Ok("prefork") => Ok(Mpm::Prefork),
        Ok("event") | Err(_) => Ok(Mpm::Event),
        Ok(other) => Err(format!("PINION_COMPAT_MPM={other}: event, worker or prefork")),
    }
}

fn with_log(failed: &Failed, apache: &Apache) -> Failed {
    let why = failed.message().unwrap_or("no reason given");
    format!("{why}\n--- end of the error log\n{}", apache.log().tail()).into()
}

thread_local! {
    /// What the last panic on this thread said, and where: an assertion's words.
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Lets a failed assertion be reported once, with its place, instead of as a stack trace.
fn keep_panics() {
    std::panic::set_hook(Box::new(|panic| LAST_PANIC.set(panic.to_string())));
}
