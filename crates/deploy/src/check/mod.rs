//! `pinion check`: examines a deployment, or any configuration for mod_wsgi or Pinion, and changes nothing.
//!
//! A subject is read ([`subject`]), the configuration's own checks look at it, then each application in it is tried in a real
//! worker without Apache ([`visit`] on a [`stage`]) and its own Python is asked about its code ([`inside`]).

mod accounts;
mod error;
mod files;
mod inside;
mod mounts;
mod page;
mod recorder;
mod report;
mod run;
mod stage;
mod subject;
mod visit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pinion_config::files::SystemFiles;
use pinion_config::{Code, Config, ServerSettings, Severity, checks};
use pinion_front::installation::{self, Installation};
use pinion_front::resolve::{self, Surroundings};
use pinion_unix::users;
use pinion_wire::message::GroupSpec;

use crate::Deployment;
use crate::apache::Apache;
use crate::error::Result;
use crate::finding::Finding;
use accounts::SiteAccounts;
use inside::{Around, Question};
use mounts::Mount;

pub use error::CheckError;
pub use report::{Note, Report, Tried};
pub use subject::Subject;

/// Processes and threads of embedded applications, where nobody knows the server's limits.
const EMBEDDED: (u32, u32) = (2, 15);
/// Apache's own `Timeout` where nothing else is known.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Examines a subject. Only the application itself is run, as the user that it runs as.
///
/// # Errors
/// Pinion's own files are missing, or no process can be started. What is wrong with the subject is in the report.
pub fn examine(subject: &Subject) -> Result<Report> {
    let installation = own_installation()?;
    let reading = &subject.reading;
    let accounts = SiteAccounts::new(reading.user.as_deref(), reading.group.as_deref());
    let mut notes = subject.notes();
    let found = checks::check(&reading.config, &SystemFiles, &accounts, None);
    let mut found: Vec<_> = reading.refused.iter().chain(&found).collect();
    let groups = groups(&reading.config, &accounts.here(), &found);
    found.retain(|one| subject.concerns(one));
    let placed = notes.clone();
    notes.extend(found.into_iter().map(note_of).map(|note| mended_as(note, &placed)));
    let mut tried = Vec::new();
    for mount in mounts::of(reading).iter().filter(|mount| subject.has(&mount.script)) {
        let Some(group) = groups.iter().find(|group| group.name == mount.process_group) else {
            // Why its group cannot run has been found above.
            continue;
        };
        // A script that is not there, or not for this user to read, has been found too.
        if std::fs::metadata(&mount.script).is_err() {
            continue;
        }
        let application = Application { installation: &installation, subject, group, mount };
        let (trial, more) = application.examine().map_err(CheckError::Worker)?;
        tried.push(trial);
        notes.extend(more);
    }
    if users::effective_uid() != 0 && !tried.is_empty() {
        notes.push(Note::new(not_as_user()));
    }
    Ok(Report::new(subject.title.clone(), tried, notes))
}

fn own_installation() -> Result<Installation> {
    let program = std::env::current_exe().unwrap_or_else(|_unknown| PathBuf::from("pinion"));
    let found = installation::find(&SystemFiles, &ServerSettings::default(), Some(&program));
    Ok(found.map_err(CheckError::installation(program))?)
}

/// A finding of the configuration's checks in this command's form.
fn note_of(found: &pinion_config::Finding) -> Note {
    let value = if found.value.is_empty() { String::new() } else { format!(" {}", found.value) };
    let what = format!("{}{value}: {}", found.directive, found.problem);
    let why = found.code.entry().outcome.trim_end_matches('.').to_owned();
    let note = Note::new(Finding::new(found.code, what, why, found.hint.clone()));
    match &found.place {
        Some(place) => note.at(place.clone()),
        None => note,
    }
}

/// The same finding with the command that the deployment's own warning has for it.
fn mended_as(mut note: Note, placed: &[Note]) -> Note {
    let same: &[Code] = match note.finding.code {
        Code::PythonHomeMissing => &[Code::BaselineMissing, Code::VirtualenvMissing],
        Code::ScriptMissing | Code::HomeMissing => &[Code::NotDeployed],
        _ => &[],
    };
    if let Some(known) = placed.iter().find(|known| same.contains(&known.finding.code)) {
        note.finding.hint.clone_from(&known.finding.hint);
    }
    note
}

/// The process groups, but for those in which something is wrong that keeps workers from starting.
fn groups(
    config: &Config,
    accounts: &SiteAccounts,
    found: &[&pinion_config::Finding],
) -> Vec<GroupSpec> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let search_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let around = Surroundings {
        files: &SystemFiles,
        accounts,
        timeout: TIMEOUT,
        search_path: &search_path,
        // Apache's own is not known here: it is another program's.
        environment: &[],
        embedded: EMBEDDED,
    };
    let is_broken = |group: &GroupSpec| {
        let place = config.group(&group.name).map(|definition| &definition.place);
        let own = |one: &&&pinion_config::Finding| place.is_some() && one.place.as_ref() == place;
        found.iter().filter(own).any(|one| one.severity() == Severity::Error)
    };
    let mut groups = resolve::groups(config, &around);
    groups.retain(|group| !is_broken(group));
    groups
}

fn not_as_user() -> Finding {
    let what = "the applications ran as this user, not as the one that they will run as";
    let why = "only root can start processes as another user";
    Finding::new(Code::NotAsUser, what, why, "sudo pinion check")
}

/// One application and what it is examined with.
struct Application<'a> {
    installation: &'a Installation,
    subject: &'a Subject,
    group: &'a GroupSpec,
    mount: &'a Mount,
}

impl Application<'_> {
    fn examine(&self) -> std::result::Result<(Tried, Vec<Note>), pinion_front::SupervisorError> {
        let (group, mount) = (self.group, self.mount);
        let visit::Outcome { status, output, mut notes, unexplained } =
            visit::try_out(self.installation, group, mount)?;
        let user = self.user();
        let mut question = self.question();
        question.replay = unexplained.map(|url| mount.environ(&url));
        let mut python = group.python.clone();
        match inside::ask(&self.installation.library, group, &question) {
            Ok(answer) => {
                python = format!("Python {} ({python})", answer.version);
                if let (Some(reason), false) = (&answer.swallowed, notes.is_empty()) {
                    // The first note is the error page's.
                    let page = notes.remove(0);
                    notes.insert(0, page.explained(reason));
                }
                let around = Around {
                    restrict_stdout: group.restrict_stdout,
                    processes: group.processes,
                    group: &group.name,
                    user: &user,
                    folder: group.home.as_deref().unwrap_or("/"),
                    python: &self.virtualenv_python(),
                };
                notes.extend(answer.notes(&around));
                let ini = question.ini.or_else(|| answer.ini_path());
                notes.extend(ini.iter().flat_map(|path| files::ini(path, &self.group_name())));
                if self.subject.deployment.is_some() {
                    // The project's own warnings, which come first, say the same.
                    notes.retain(|note| {
                        !matches!(note.finding.code, Code::ProxyPrefix | Code::IniExposed)
                    });
                }
            }
            Err(note) => notes.push(*note),
        }
        let url = mount.url();
        let (script, group) = (mount.script.display().to_string(), group.name.clone());
        Ok((Tried { url, script, group, user, python, status, output }, notes))
    }

    fn question(&self) -> Question {
        let mut question = Question {
            script: Some(self.mount.script.clone()),
            callable: self.mount.callable.clone(),
            python_path: self.group.python_path.clone(),
            section: "main".to_owned(),
            sources: vec![self.mount.script.clone()],
            ..Question::default()
        };
        match &self.subject.deployment {
            Some(deployment) => {
                let layout = &deployment.layout;
                question.sources.push(layout.deployed.clone());
                question.paths.push(layout.deployed.clone());
                question.package.clone_from(&deployment.project.package);
                question.distribution = Some(deployment.project.name.clone());
                if deployment.project.kind.paste().is_some() {
                    question.ini = Some(layout.ini.clone());
                    question.section.clone_from(&deployment.settings.section);
                }
            }
            None => {
                question.discover = true;
                let own = |path: &&String| !path.contains("site-packages");
                let folders = self.group.python_path.iter().filter(own).map(PathBuf::from);
                question.sources.extend(folders);
            }
        }
        question
    }

    /// The interpreter whose pip mends what is missing: the application's virtualenv's, which may lie on top of the group's.
    fn virtualenv_python(&self) -> String {
        let deployment = self.subject.deployment.as_ref();
        let own = deployment.and_then(|deployment| deployment.layout.virtualenv.as_ref());
        own.map_or_else(
            || self.group.python.clone(),
            |home| home.join("bin/python").display().to_string(),
        )
    }

    fn user(&self) -> String {
        let uid = self.group.identity.as_ref().map_or_else(users::effective_uid, |who| who.uid);
        match users::user_by_id(uid) {
            Ok(Some(user)) => user.name,
            _ => format!("#{uid}"),
        }
    }

    fn group_name(&self) -> String {
        let gid = self.group.identity.as_ref().map(|who| who.gid);
        gid.and_then(|gid| users::group_by_id(gid).ok().flatten())
            .unwrap_or_else(|| crate::settings::DEFAULT_ACCOUNT.to_owned())
    }
}

/// Whether a folder holds Apache's configuration.
pub fn is_apache(folder: &Path) -> bool {
    subject::main_file(folder).is_some()
}

/// What is to be examined: a configuration file, or the folder of Apache's configuration.
///
/// # Errors
/// Nothing is there, or it cannot be read.
pub fn configuration(path: &Path) -> Result<Subject> {
    Ok(Subject::configuration(path)?)
}

/// What is to be examined: a project's deployment to an Apache, where there is one.
///
/// # Errors
/// The project has no generated configuration, or it cannot be read.
pub fn deployment(deployment: Deployment, apache: Option<&Apache>) -> Result<Subject> {
    Ok(Subject::deployment(deployment, apache)?)
}
