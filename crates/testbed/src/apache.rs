//! A running private Apache.

use crate::command::Finished;
use crate::process::{self, Process};
use crate::site::Site;
use crate::{Error, command, wait};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Carried in the environment of Apache and all that it starts, to find what it leaves behind.
const MARK: &str = "PINION_TESTBED";
/// The longest that a start, a graceful restart or a stop may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(90);
/// What descendants get to end after their parent ended.
const GRACE: Duration = Duration::from_millis(1000);

/// A private Apache that answers on 127.0.0.1; stopped, with all its processes, when dropped.
#[derive(Debug)]
pub struct Apache {
    site: Site,
    child: Child,
    ended: Option<ExitStatus>,
    mark: String,
}

/// How a stop went.
#[derive(Debug, Clone)]
pub struct Stopped {
    /// From the signal to the end of the last process.
    pub took: Duration,
    /// Descendants that still ran a second after Apache's end; they were killed then.
    pub left: Vec<Process>,
}

impl Apache {
    /// Starts the site's Apache, whose configuration is written, and waits until it answers.
    pub(crate) fn start(site: Site) -> Result<Self, Error> {
        let mark = format!("{}-{}", std::process::id(), site.port());
        let child = spawn(&site, &mark)?;
        let mut apache = Self { site, child, ended: None, mark };
        apache.wait_until_answering()?;
        Ok(apache)
    }

    /// Starts it again after a [`Self::stop`], with the configuration as it is now.
    ///
    /// # Errors
    /// As [`Site::start`].
    pub fn restart(&mut self) -> Result<(), Error> {
        if self.ended().is_none() {
            self.stop()?;
        }
        self.site.write_configuration()?;
        self.child = spawn(&self.site, &self.mark)?;
        self.ended = None;
        self.wait_until_answering()
    }

    /// The address of a path that begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// The port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.site.port()
    }

    /// The server root.
    pub fn root(&self) -> &Path {
        self.site.root()
    }

    /// The site, for writing files while it is served.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The site, for changing its configuration before a [`Self::graceful`].
    pub fn site_mut(&mut self) -> &mut Site {
        &mut self.site
    }

    /// The parent's process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(i32::MAX)
    }

    /// The main server's error log.
    pub fn log(&self) -> Log {
        Log { path: self.root().join("logs/error.log") }
    }

    /// The error log of a virtual host.
    pub fn host_log(&self, name: &str) -> Log {
        Log { path: self.root().join(format!("logs/{name}.error.log")) }
    }

    /// Every living process of this Apache, the parent aside: by descent and by mark.
    pub fn processes(&self) -> Vec<Process> {
        let found: BTreeSet<Process> = process::descendants(self.pid())
            .into_iter()
            .chain(process::with_environment(MARK, &self.mark))
            .filter(|process| process.pid != self.pid())
            .collect();
        found.into_iter().collect()
    }

    /// What `apachectl graceful` does: tests the configuration, then signals the parent, and waits
    /// until it says that it serves again.
    ///
    /// # Errors
    /// The configuration is refused, or the parent does not come back in time.
    pub fn graceful(&self) -> Result<(), Error> {
        let tested = self.site.configtest()?;
        if !tested.success {
            return Err(Error::Command {
                command: "apache2 -t".to_owned(),
                status: tested.status.clone(),
                output: tested.output(),
            });
        }
        let from = self.log().size();
        command::run(self.site.httpd().args(["-k", "graceful"]))?;
        self.log().wait_for_from(from, "resuming normal operations", LIMIT).map(drop)
    }

    /// What `apache2 -t` says of the configuration as it is now.
    ///
    /// # Errors
    /// apache2 cannot be run.
    pub fn configtest(&self) -> Result<Finished, Error> {
        self.site.configtest()
    }

    /// Whether the parent still runs.
    pub fn running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// Stops it as `apachectl stop` does, waits for its end, and kills what is left of it.
    ///
    /// # Errors
    /// The parent does not end in time (it is killed then).
    pub fn stop(&mut self) -> Result<Stopped, Error> {
        let mut tree = self.processes();
        let begin = Instant::now();
        self.signal(Signal::SIGTERM);
        let ended = wait::wait_until(LIMIT, || self.ended().is_some());
        tree.extend(process::with_environment(MARK, &self.mark));
        tree.retain(|process| process.pid != self.pid());
        tree.sort();
        tree.dedup();
        let gone = wait::wait_until(GRACE, || !tree.iter().any(Process::alive));
        let took = begin.elapsed();
        let left =
            if gone { Vec::new() } else { tree.into_iter().filter(Process::alive).collect() };
        self.kill_tree(&left);
        if !ended {
            return Err(Error::Timeout {
                what: "apache2's end after SIGTERM".to_owned(),
                after: LIMIT,
                context: self.log().tail(),
            });
        }
        Ok(Stopped { took, left })
    }

    /// Kills the parent alone, at once, as the out-of-memory killer does.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.ended = self.child.wait().ok();
    }

    /// Sends a signal to the parent.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            // Its own child, not yet waited for: the number cannot be another's.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal);
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    fn wait_until_answering(&mut self) -> Result<(), Error> {
        let port = self.port();
        let answered = wait::poll(LIMIT, || match self.ended() {
            Some(status) => Some(Err(status)),
            None => answers(port).then_some(Ok(())),
        });
        match answered {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => {
                let console = Log { path: self.root().join("logs/console.log") };
                let log = format!("{}{}", console.tail(), self.log().tail());
                Err(Error::Exited { status: status.to_string(), log })
            }
            None => Err(Error::Timeout {
                what: "apache2's first answer".to_owned(),
                after: LIMIT,
                context: self.log().tail(),
            }),
        }
    }

    fn kill_tree(&mut self, processes: &[Process]) {
        for process in processes {
            process.signal(Signal::SIGKILL);
        }
        if self.ended().is_none() {
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let tree = self.processes();
            self.signal(Signal::SIGTERM);
            wait::wait_until(Duration::from_secs(5), || self.ended().is_some());
            self.kill_tree(&tree);
        }
        let left = process::with_environment(MARK, &self.mark);
        self.kill_tree(&left);
    }
}

/// Starts the parent, which stays this process's child.
fn spawn(site: &Site, mark: &str) -> Result<Child, Error> {
    let console = site.root().join("logs/console.log");
    let open = || File::create(&console).map_err(Error::io("making console.log"));
    let (out, err) = (open()?, open()?);
    let mut command = site.httpd();
    // When it stops, Apache's parent signals its whole process group: it needs one of its own.
    command.env(MARK, mark).arg("-DFOREGROUND").process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(Error::io("starting apache2"))
}

/// Whether Apache answers a request that reaches no application.
pub(crate) fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"OPTIONS * HTTP/1.0\r\n\r\n")?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        Ok(&start == b"HTTP/")
    };
    ask().unwrap_or(false)
}

/// An error log.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// The log at a path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All that was written so far; empty if the file is absent.
    pub fn text(&self) -> String {
        self.text_from(0)
    }

    /// What was written after the first `offset` bytes.
    pub fn text_from(&self, offset: usize) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(offset..).unwrap_or_default()).into_owned()
    }

    /// Bytes written so far.
    pub fn size(&self) -> usize {
        std::fs::metadata(&self.path).map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(0))
    }

    /// The first line that contains `pattern`, waiting for it.
    ///
    /// # Errors
    /// No such line within `timeout`; the error shows the end of the log.
    pub fn wait_for(&self, pattern: &str, timeout: Duration) -> Result<String, Error> {
        self.wait_for_from(0, pattern, timeout)
    }

    /// The first line after `offset` bytes that contains `pattern`, waiting for it.
    ///
    /// # Errors
    /// No such line within `timeout`; the error shows the end of the log.
    pub fn wait_for_from(
        &self,
        offset: usize,
        pattern: &str,
        timeout: Duration,
    ) -> Result<String, Error> {
        let find = || {
            let text = self.text_from(offset);
            text.lines().find(|line| line.contains(pattern)).map(str::to_owned)
        };
        wait::poll(timeout, find).ok_or_else(|| Error::Timeout {
            what: format!("`{pattern}` in {}", self.path.display()),
            after: timeout,
            context: self.tail(),
        })
    }

    /// The last lines, for messages.
    pub fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n") + "\n"
    }
}
