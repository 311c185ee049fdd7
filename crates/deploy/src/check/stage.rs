//! An application in a real worker with no Apache: this process takes the place of Apache's parent and child, and the
//! manager, the worker and the protocol between them are those of a server.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use pinion_front::installation::Installation;
use pinion_front::{Door, Front, Outcome, Request, Supervisor, SupervisorError, Trouble};
use pinion_wire::message::{Apache, GroupSpec, ServerLog, Settings};
use pinion_wire::request::{BodyLength, RequestWriter, Target};

use super::mounts::Mount;
use super::recorder::Recorder;

/// The longest that loading an application and answering one request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A manager of its own, with at most one worker.
pub(super) struct Stage<'a> {
    mount: &'a Mount,
    supervisor: Supervisor,
    front: Front,
    log: File,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Visit {
    /// The application answered.
    Answered(Recorder),
    /// It could not be loaded; the traceback.
    NotLoaded(String),
    /// It was loaded and gave no answer.
    Failed {
        /// What went wrong.
        reason: String,
        /// What the application logged.
        log: String,
    },
}

impl<'a> Stage<'a> {
    /// Starts a manager for the application of a mount.
    ///
    /// # Errors
    /// The manager cannot be started.
    pub(super) fn new(
        installation: &Installation,
        group: &GroupSpec,
        mount: &'a Mount,
    ) -> Result<Self, SupervisorError> {
        let log = tempfile::tempfile().map_err(SupervisorError::Channels)?;
        let mut supervisor = Supervisor::new()?;
        supervisor.ensure(installation, log.as_fd())?;
        supervisor.configure(settings(installation, group), &[log.as_fd()])?;
        let share = supervisor.share().map_err(SupervisorError::Channels)?;
        let front = Front::new(Door::new(share.door), share.board, std::process::id(), 1);
        Ok(Self { mount, supervisor, front, log })
    }

    /// Asks for a path of the server, with its query; it is at or below the mount point.
    pub(super) fn get(&self, url: &str) -> Visit {
        let script = self.mount.script.as_os_str().as_encoded_bytes();
        let target = Target {
            script,
            callable: self.mount.callable.as_bytes(),
            process_group: self.mount.process_group.as_bytes(),
            application_group: self.mount.application_group.as_bytes(),
        };
        let mut frame = Vec::new();
        let mut writer = RequestWriter::new(&mut frame, target, BodyLength::Known(0));
        for (name, value) in self.mount.environ(url) {
            writer.entry(name.as_bytes(), value.as_bytes());
        }
        writer.finish(b"");
        let request = Request {
            target,
            frame: &mut frame,
            repeatable: false,
            script_mtime: None,
            patience: PATIENCE,
            reload_patience: PATIENCE,
            alone: false,
        };
        let mut client = Recorder::new(Instant::now() + PATIENCE);
        let outcome = self.front.serve(request, &mut client);
        visit(outcome, client)
    }

    /// What the manager and the worker wrote that belongs to no request.
    pub(super) fn output(&mut self) -> String {
        let mut text = Vec::new();
        // What cannot be read is not shown; the answers tell the rest.
        let _ = self.log.seek(SeekFrom::Start(0)).and_then(|_| self.log.read_to_end(&mut text));
        String::from_utf8_lossy(&text).lines().filter_map(application_line).collect()
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

fn visit(outcome: Outcome, client: Recorder) -> Visit {
    let reason = match outcome {
        Outcome::Done(_) | Outcome::ClientGone if client.status.is_some() => {
            return Visit::Answered(client);
        }
        Outcome::Trouble(Trouble::NotLoaded { detail, .. }) => {
            let unknown = || "the application could not be loaded".to_owned();
            return Visit::NotLoaded(detail.unwrap_or_else(unknown));
        }
        Outcome::Done(_) | Outcome::ClientGone => "Apache answers 500".to_owned(),
        Outcome::Trouble(Trouble::Died(death)) => {
            format!("its process was {}\n{}", death.cause, death.stack)
        }
        Outcome::Trouble(Trouble::Manager(error)) => error.to_string(),
        Outcome::Trouble(Trouble::Stopping) => {
            format!("it gave no answer within {} s", PATIENCE.as_secs())
        }
        Outcome::Trouble(other) => format!("{other:?}"),
    };
    Visit::Failed { reason, log: client.log }
}

fn settings(installation: &Installation, group: &GroupSpec) -> Settings {
    let mut group = GroupSpec { server: 0, processes: 1, ..group.clone() };
    // Nothing is to be changed, not even by compiled files beside the application's modules.
    group.interpreter.arguments.push("-B".to_owned());
    if group.timeouts.startup == 0 {
        group.timeouts.startup = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    }
    Settings {
        generation: 1,
        servers: vec![ServerLog {
            name: "pinion check".to_owned(),
            log: 0,
            level: 4,
            plain: false,
        }],
        logs: 1,
        groups: vec![group],
        preload: Vec::new(),
        library: installation.library.to_string_lossy().into_owned(),
        apache: Apache::default(),
    }
}

/// A line of the log without what httpd's format puts before it; `None` for the manager's own.
fn application_line(line: &str) -> Option<String> {
    let mut text = line;
    while let Some((_, rest)) = text.strip_prefix('[').and_then(|text| text.split_once("] ")) {
        text = rest;
    }
    (!text.starts_with("PIN")).then(|| format!("{text}\n"))
}
