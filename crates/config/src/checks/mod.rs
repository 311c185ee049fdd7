//! What is wrong with a configuration that parses: found by looking at files and accounts, before
//! a request does.

mod groups;
mod interpreters;
mod jails;
mod mounts;
mod proxies;

use std::path::Path;

use crate::access::{Credentials, Denied, Want, reach};
use crate::accounts::{Accounts, User};
use crate::codes::Code;
use crate::files::Files;
use crate::finding::{Finding, Place};
use crate::group::DaemonGroup;
use crate::model::Config;

/// Looks at everything that the configuration names. Errors come before warnings; within both,
/// findings are in the order of their places. Nothing is executed and nothing is changed.
///
/// Whether an error keeps Apache from starting is the caller's decision: a configuration test
/// should fail, while a running server may prefer to serve what it can. `library` is the folder of Pinion's
/// own files that workers read; without it, nothing is said of them.
pub fn check(
    config: &Config,
    files: &dyn Files,
    accounts: &dyn Accounts,
    library: Option<&Path>,
) -> Vec<Finding> {
    let mut checker = Checker { config, files, accounts, library, findings: Vec::new() };
    checker.groups();
    checker.mounts();
    checker.interpreters();
    checker.proxies();
    let mut findings = checker.findings;
    findings.sort_by(|a, b| b.severity().cmp(&a.severity()).then_with(|| a.place.cmp(&b.place)));
    findings
}

struct Checker<'a> {
    config: &'a Config,
    files: &'a dyn Files,
    accounts: &'a dyn Accounts,
    library: Option<&'a Path>,
    findings: Vec<Finding>,
}

/// The directive, or the part of it, that a finding is about.
struct Subject<'a> {
    directive: &'a str,
    value: String,
    place: Option<&'a Place>,
}

impl Checker<'_> {
    fn find(
        &mut self,
        code: Code,
        subject: &Subject<'_>,
        problem: impl ToString,
        hint: impl Into<String>,
    ) {
        let finding = Finding {
            code,
            place: subject.place.cloned(),
            directive: subject.directive.to_owned(),
            value: subject.value.clone(),
            problem: problem.to_string(),
            hint: hint.into(),
        };
        // Groups that share a home share what is wrong with it.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Who runs the workers of a group, or what is wrong with `user=` and its relatives.
    fn identity(&self, group: &DaemonGroup) -> Result<Identity, (Code, String, &'static str)> {
        let server = self.accounts.server_user();
        if !self.accounts.started_as_root() {
            return Ok(Identity::of(&server));
        }
        let unknown = |value| (Code::UserUnknown, value, "the system does not know it");
        let user = match &group.user {
            None => server.clone(),
            Some(who) => self.accounts.user(who).ok_or_else(|| unknown(format!("user={who}")))?,
        };
        if group.user.is_some() && user.uid == 0 {
            let value = group.user.as_ref().map(|who| format!("user={who}")).unwrap_or_default();
            return Err((Code::UserRoot, value, "applications must not run as root"));
        }
        let mut identity = Identity::of(&user);
        // Without `group=` it is Apache's group, whoever the user is.
        identity.credentials.gids[0] = match &group.group {
            None => server.gid,
            Some(who) => self.accounts.group(who).ok_or_else(|| unknown(format!("group={who}")))?,
        };
        if !group.supplementary_groups.is_empty() {
            identity.credentials.gids.truncate(1);
        }
        for who in &group.supplementary_groups {
            let value = || format!("supplementary-groups={who}");
            let gid = self.accounts.group(who).ok_or_else(|| unknown(value()))?;
            identity.credentials.gids.push(gid);
        }
        Ok(identity)
    }

    fn reach(&self, who: &Identity, path: &Path, want: Want) -> Result<(), Denied> {
        reach(self.files, &who.credentials, path, want).map(|_| ())
    }
}

/// Who runs workers.
#[derive(Debug, Clone)]
struct Identity {
    credentials: Credentials,
    name: String,
}

impl Identity {
    fn of(user: &User) -> Self {
        let gids = [user.gid].into_iter().chain(user.groups.iter().copied()).collect();
        Self {
            credentials: Credentials { uid: user.uid, gids },
            name: user.name.clone().unwrap_or_else(|| format!("#{}", user.uid)),
        }
    }
}

/// What a denial means for the user that is denied.
fn denied_for(who: &Identity, denied: &Denied) -> String {
    format!("user {} cannot use it: {denied}", who.name)
}

#[cfg(test)]
mod tests;
