//! What disturbs a server: restarts, changed scripts, killed workers.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use pinion_testbed::process::Process;
use pinion_testbed::{Apache, Error, Server, Site, poll};

use crate::bench::usage;
use crate::failure::{Failure, Result};

/// One way to disturb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// A graceful restart of Apache, as `apachectl graceful` does it.
    Graceful,
    /// The script's time of change is set to now.
    Touch,
    /// A worker gets SIGKILL.
    Kill,
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Graceful => "graceful restarts",
            Self::Touch => "touches of the script",
            Self::Kill => "kill -9 of a worker",
        })
    }
}

/// A server that runs a slow application in a group of two processes with fifteen threads each.
pub(crate) struct Slow {
    /// The running server.
    pub(crate) apache: Apache,
    script: PathBuf,
}

/// The longest that both processes may take to load.
const LIMIT: Duration = Duration::from_secs(60);
const PROCESSES: usize = 2;
const APPLICATION: &str = include_str!("../apps/slow.wsgi");

impl Slow {
    /// Starts it, and waits until both processes are there and the application answers.
    pub(crate) fn start(server: &Server) -> Result<Self> {
        let mut site = Site::new(server)?;
        let script = site.write("apps/slow.wsgi", APPLICATION)?;
        site.config(format!(
            "MaxKeepAliveRequests 0
WSGIDaemonProcess slow processes={PROCESSES} threads=15 display-name=%{{GROUP}}
WSGIScriptAlias / {} process-group=slow application-group=%{{GLOBAL}}",
            script.display()
        ));
        let apache = site.start()?;
        let slow = Self { apache, script };
        slow.settle()?;
        Ok(slow)
    }

    /// Waits until each process has had the time to load: answers come without a pause.
    fn settle(&self) -> Result<()> {
        let there = || self.workers().len() >= PROCESSES && self.answers_at_once();
        poll(LIMIT, || there().then_some(())).ok_or_else(|| {
            Failure::from(Error::Timeout {
                what: "the application's processes".into(),
                after: LIMIT,
                context: self.apache.log().tail(),
            })
        })
    }

    /// Whether twice as many requests at a time as there are processes are answered in far less than a load's time.
    fn answers_at_once(&self) -> bool {
        let load = pinion_testbed::load::Load::get(
            self.apache.port(),
            "/",
            PROCESSES * 8,
            Duration::from_millis(200),
        );
        let report = load.run();
        report.failed == 0
            && report.other_than(200) == 0
            && report.quantile(1.0) < Duration::from_millis(300)
    }

    /// The processes that run the application.
    pub(crate) fn workers(&self) -> Vec<Process> {
        usage::workers(&self.apache.processes())
    }

    /// Disturbs it once; `choice` picks among the workers.
    pub(crate) fn disturb(&self, how: Disturbance, choice: usize) -> Result<()> {
        match how {
            Disturbance::Graceful => Ok(self.apache.graceful()?),
            Disturbance::Touch => touch(&self.script),
            Disturbance::Kill => {
                let workers = self.workers();
                if let Some(worker) = workers.get(choice % workers.len().max(1)) {
                    worker.signal(Signal::SIGKILL);
                }
                Ok(())
            }
        }
    }
}

fn touch(script: &Path) -> Result<()> {
    let file = File::options().append(true).open(script).map_err(Failure::file(script))?;
    file.set_modified(SystemTime::now()).map_err(Failure::file(script))
}
