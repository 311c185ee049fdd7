//! A program that runs for the length of a test, with all that it starts.

use crate::process::{self, Process};
use crate::{Error, Log, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Carried in the environment of the program and all that it starts, to find what it leaves behind.
const MARK: &str = "PINION_TESTBED";

/// A running program; killed, with all its processes, when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    ended: Option<ExitStatus>,
    mark: String,
    log: Log,
}

impl Program {
    /// Starts a command; what it writes is appended to the file `log`.
    ///
    /// # Errors
    /// The file cannot be made, or the command not be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark =
            format!("{}-program-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let file = File::options().create(true).append(true).open(log);
        let file = file.map_err(Error::io(format!("opening {}", log.display())))?;
        let copy = file.try_clone().map_err(Error::io("copying a descriptor"))?;
        // A group of its own: Apache's parent signals all of its group.
        command.env(MARK, &mark).process_group(0);
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(Error::io(format!("starting {name}")))?;
        Ok(Self { child, ended: None, mark, log: Log::at(log.to_owned()) })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(i32::MAX)
    }

    /// What it has written.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Sends it a signal; the processes that it started get none.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            // Its own child, not yet waited for: the number cannot be another's.
            let _ = kill(Pid::from_raw(self.pid()), signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It still runs after `limit`; the error shows the end of its log.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        wait::poll(limit, || self.ended()).ok_or_else(|| Error::Timeout {
            what: format!("the end of process {}", self.pid()),
            after: limit,
            context: self.log.tail(),
        })
    }

    /// Every living process that it has started, itself aside.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let mut found = process::with_environment(MARK, &self.mark);
        found.retain(|process| process.pid != self.pid());
        found
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let left = self.processes();
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for process in left.into_iter().chain(process::with_environment(MARK, &self.mark)) {
            process.kill();
        }
    }
}
