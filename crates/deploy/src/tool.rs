//! Commands that deployment runs, shown to a person in the words that are executed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use thiserror::Error;

use crate::account::{self, Account};
use crate::interrupt::Interrupt;

/// Time between two looks at a running command.
const LOOK: Duration = Duration::from_millis(10);

/// A command with all that it runs in.
#[derive(Debug, Clone)]
pub struct Tool {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    hidden: Vec<(String, OsString)>,
    folder: Option<PathBuf>,
    account: Option<Account>,
}

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("cannot run `{line}`: {source}")]
    Start {
        /// The command.
        line: String,
        /// The system's answer.
        source: io::Error,
    },
    /// It said no.
    #[error("`{line}` failed ({status}):\n{output}")]
    Failed {
        /// The command.
        line: String,
        /// Its exit status in words.
        status: String,
        /// The end of what it wrote.
        output: String,
    },
    /// Somebody asked to stop while it ran; it was ended.
    #[error("interrupted while `{line}` ran")]
    Interrupted {
        /// The command.
        line: String,
    },
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Whether the exit status was 0.
    pub success: bool,
    /// The exit status in words.
    pub status: String,
    /// Standard output and standard error, in the order in which they were written.
    pub output: String,
}

impl Tool {
    /// A program without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            hidden: Vec::new(),
            folder: None,
            account: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets a variable that a person would have to set too.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets a variable that needs no mention.
    pub fn quietly(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.hidden.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in that folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Runs it as that account, where this process is another user and may change.
    pub fn run_as(mut self, account: &Account) -> Self {
        self.account = (!account.is_current() && account::is_root()).then(|| account.clone());
        self
    }

    /// What a person would type.
    pub fn line(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        if let Some(account) = &self.account {
            words.extend(["sudo".into(), "-u".into(), quoted(account.user.as_ref())]);
        }
        // The name stays outside of the quotes, or a shell would take it all for a command.
        let set = |(name, value): &(String, OsString)| format!("{name}={}", quoted(value));
        words.extend(self.environment.iter().map(set));
        words.push(quoted(self.program.as_os_str()));
        words.extend(self.arguments.iter().map(|word| quoted(word)));
        let line = words.join(" ");
        match &self.folder {
            Some(folder) => format!("cd {} && {line}", quoted(folder.as_os_str())),
            None => line,
        }
    }

    /// Runs it to its end; an exit status other than 0 is an error.
    ///
    /// # Errors
    /// It cannot be started, it fails, or `interrupt` comes first: then it is ended with all that
    /// it started.
    pub fn run(&self, interrupt: &Interrupt) -> Result<String, ToolError> {
        let ended = self.end(interrupt)?;
        if ended.success {
            return Ok(ended.output);
        }
        Err(ToolError::Failed {
            line: self.line(),
            status: ended.status,
            output: tail(&ended.output),
        })
    }

    /// Runs it to its end, whatever its exit status.
    ///
    /// # Errors
    /// It cannot be started, or `interrupt` comes first.
    pub fn end(&self, interrupt: &Interrupt) -> Result<Ended, ToolError> {
        let cannot = |source| ToolError::Start { line: self.line(), source };
        // A file, not a pipe: nobody has to read while the command writes.
        let mut output = tempfile::tempfile().map_err(cannot)?;
        let (out, err) = (output.try_clone().map_err(cannot)?, output.try_clone().map_err(cannot)?);
        let mut child = self.command(out, err).spawn().map_err(cannot)?;
        let Some(status) = wait(&mut child, interrupt).map_err(cannot)? else {
            return Err(ToolError::Interrupted { line: self.line() });
        };
        Ok(Ended {
            success: status.success(),
            status: status.to_string(),
            output: content(&mut output).map_err(cannot)?,
        })
    }

    fn command(&self, out: File, err: File) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(out).stderr(err);
        // Ctrl-C is for this process, which ends the command and then puts things back.
        command.process_group(0);
        for (name, value) in self.environment.iter().chain(&self.hidden) {
            command.env(name, value);
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
            // Root's home and its caches are not that user's to write.
            command
                .env("HOME", "/nonexistent")
                .env_remove("XDG_CACHE_HOME")
                .env("USER", &account.user);
        }
        command
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_nul| text.to_string(), |quoted| quoted.into_owned())
}

/// Waits for the command's end; `None` when it was ended because of an interruption.
fn wait(child: &mut Child, interrupt: &Interrupt) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if interrupt.came() {
            stop(child)?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends a command with all that it started: politely, and after two seconds not.
fn stop(child: &mut Child) -> io::Result<()> {
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    // The child is not waited for yet, so the number is still its own.
    let _ = killpg(group, Signal::SIGTERM);
    for _ in 0..200 {
        if child.try_wait()?.is_some() {
            break;
        }
        std::thread::sleep(LOOK);
    }
    let _ = killpg(group, Signal::SIGKILL);
    child.wait().map(drop)
}

fn content(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last lines of a command's output: where it says what was wrong.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Tool {
        Tool::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn the_line_is_what_a_person_would_type() {
        let tool = Tool::new("/usr/bin/python3")
            .args(["-m", "venv", "/srv/my app"])
            .env("APACHE_CONFDIR", "/etc/x y")
            .quietly("NOBODY", "sees")
            .within(Path::new("/srv"));
        assert_eq!(
            tool.line(),
            "cd /srv && APACHE_CONFDIR='/etc/x y' /usr/bin/python3 -m venv '/srv/my app'"
        );
    }

    #[test]
    fn output_keeps_its_order_and_failure_shows_it() {
        let tool = shell("echo one; echo two >&2; echo three; exit 3");
        let error = tool.run(&Interrupt::default()).unwrap_err().to_string();
        assert!(error.ends_with("failed (exit status: 3):\none\ntwo\nthree"), "{error}");
    }

    #[test]
    fn an_interruption_ends_the_command_and_what_it_started() {
        let interrupt = Interrupt::default();
        let marker = tempfile::tempdir().unwrap();
        let started = marker.path().join("started");
        let script =
            format!("sleep 600 & echo $! > {0}.part; mv {0}.part {0}; wait", started.display());
        let other = interrupt.clone();
        let seen = started.clone();
        let watcher = std::thread::spawn(move || {
            while !seen.exists() {
                std::thread::sleep(LOOK);
            }
            other.raise();
        });
        let error = shell(&script).run(&interrupt).unwrap_err();
        watcher.join().unwrap();
        assert!(matches!(error, ToolError::Interrupted { .. }), "{error}");
        let sleeper = std::fs::read_to_string(started).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim()));
        assert!(state.is_err() || state.unwrap().contains(") Z "), "the sleeper still runs");
    }
}
