//! A worker's process: its reins, its output, its status page.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use pinion_unix::{
    process::{Credentials, Limits, NotSet, Spawn, SpawnError, Started},
    shared::SharedWords,
    sockets::{self, Wait},
};
use pinion_wire::{
    message::{self, GroupSpec, Rein, StartSpec, http},
    status::{self, Begun, StatusPage},
};

use super::stacks::Stacks;

/// The worker's descriptor of the reins, and of its status page.
const REINS: i32 = 3;
const PAGE: i32 = 4;
/// Where a worker asks for the scoreboard, if it may.
const SCOREBOARD: i32 = 5;
/// How much of the output is kept for the report of a death, in bytes.
const KEPT: usize = 16 * 1024;
/// How much is read at once, so that a worker that writes without end does not keep the manager from others.
const READ: usize = 64 * 1024;
/// How often as much is read when the worker has died.
const REST: usize = 16;
/// How many reins may wait for a worker to take them.
const WAITING: usize = 1024;
/// The file in the library folder that a worker's Python runs.
const BOOTSTRAP: &str = "pinion_worker.py";

/// Why a worker's process cannot be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// The system refuses a channel or the page.
    #[error("its channels cannot be made: {0}")]
    Channels(#[from] io::Error),
    /// The process did not come up.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The first message cannot be written.
    #[error(transparent)]
    Message(#[from] message::MessageError),
    /// The first message is longer than a socket takes.
    #[error("its configuration cannot be sent, is env-file too long? {0}")]
    Send(#[source] io::Error),
}

/// A running process.
pub(super) struct Process {
    pub(super) pid: u32,
    /// It runs a script and no requests; its children end with it.
    pub(super) service: bool,
    reins: OwnedFd,
    /// Reins that the socket has no room for: Linux lets ten messages wait.
    waiting: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
    output: Option<File>,
    ended: bool,
    page: SharedWords,
    stacks: Stacks,
    /// The last of what it wrote.
    kept: Vec<u8>,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
}

impl Process {
    /// Starts a process and sends its first message; says also which limits it runs without.
    pub(super) fn start(
        library: &Path,
        start: StartSpec,
        scoreboard: BorrowedFd<'_>,
        front: &[OwnedFd],
    ) -> Result<(Self, Vec<NotSet>), StartError> {
        let (reins, theirs) = sockets::seqpacket_pair()?;
        let (output, writer) = sockets::pipe()?;
        let page = SharedWords::create(c"pinion-status", status::WORDS)?;
        let group = start.group.clone();
        let bytes = message::encode(&Rein::Start(Box::new(start)))?;
        sockets::send_message(reins.as_fd(), &bytes, &[], Wait::No).map_err(StartError::Send)?;
        let started =
            spawn(library, &group, [writer.as_fd(), theirs.as_fd(), page.fd(), scoreboard], front)?;
        let process = Self {
            pid: started.pid,
            service: group.is_service(),
            reins,
            waiting: VecDeque::new(),
            output: Some(File::from(output)),
            ended: false,
            page,
            stacks: Stacks::default(),
            kept: Vec::new(),
            partial: Vec::new(),
        };
        Ok((process, started.refused))
    }

    pub(super) fn reins(&self) -> BorrowedFd<'_> {
        self.reins.as_fd()
    }

    pub(super) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// Sends a rein with a descriptor, or keeps it until the worker has room for it.
    ///
    /// # Errors
    /// When the worker has gone, or takes nothing for too long.
    pub(super) fn send(&mut self, rein: &Rein, descriptor: Option<OwnedFd>) -> io::Result<()> {
        if self.waiting.len() >= WAITING {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let bytes = message::encode(rein).map_err(io::Error::other)?;
        self.waiting.push_back((bytes, descriptor));
        self.send_waiting()
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn send_waiting(&mut self) -> io::Result<()> {
        while let Some((bytes, descriptor)) = self.waiting.front() {
            let descriptor = descriptor.as_ref().map(AsFd::as_fd);
            match sockets::send_message(self.reins(), bytes, descriptor.as_slice(), Wait::No) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // One that cannot be sent must not keep the next ones waiting.
                other => {
                    self.waiting.pop_front();
                    other?;
                }
            }
        }
        Ok(())
    }

    /// Whether reins wait.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Reads output that is there; returns the whole lines in it that are worth keeping.
    pub(super) fn read_output(&mut self) -> String {
        self.read_piece();
        let line_end = self.partial.iter().rposition(|byte| *byte == b'\n');
        let whole = match line_end {
            Some(end) => end + 1,
            None if self.partial.len() >= READ => self.partial.len(),
            None => 0,
        };
        let lines: Vec<u8> = self.partial.drain(..whole).collect();
        let lines = self.stacks.filter(&String::from_utf8_lossy(&lines));
        self.keep(&lines);
        lines
    }

    /// Reads once; whether there was something.
    fn read_piece(&mut self) -> bool {
        let Some(output) = &mut self.output else { return false };
        let mut piece = vec![0; READ];
        match output.read(&mut piece) {
            Ok(count) if count > 0 => {
                self.partial.extend_from_slice(&piece[..count]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => {
                self.ended = true;
                false
            }
        }
    }

    fn keep(&mut self, lines: &str) {
        self.kept.extend_from_slice(lines.as_bytes());
        let excess = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..excess);
    }

    /// Reads what a dead process has left, and the line without an end. Nobody waits: a child of the
    /// application's own may hold the pipe open for ever.
    pub(super) fn rest_of_output(&mut self) -> String {
        for _ in 0..REST {
            if !self.read_piece() {
                break;
            }
        }
        let rest = std::mem::take(&mut self.partial);
        let mut rest = self.stacks.filter(&String::from_utf8_lossy(&rest));
        rest.push_str(&self.stacks.rest());
        self.keep(&rest);
        rest
    }

    /// Whether the output has ended.
    pub(super) fn output_ended(&self) -> bool {
        self.ended
    }

    /// Gives the ended output's descriptor up.
    pub(super) fn close_output(&mut self) -> Option<File> {
        self.output.take()
    }

    /// What it wrote last.
    pub(super) fn last_output(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    /// When Python's lock was had last.
    pub(super) fn last_beat(&self) -> u64 {
        StatusPage::new(self.page.words()).map_or(0, |page| page.last_beat())
    }

    /// When it had something to do last.
    pub(super) fn last_active(&self) -> u64 {
        StatusPage::new(self.page.words()).map_or(0, |page| page.last_active())
    }

    /// How many connections its own front door has.
    pub(super) fn open(&self) -> u64 {
        StatusPage::new(self.page.words()).map_or(0, |page| page.open())
    }

    /// The requests that it has begun and not ended.
    pub(super) fn begun(&self) -> Vec<Begun> {
        StatusPage::new(self.page.words()).map(|page| page.all()).unwrap_or_default()
    }
}

fn spawn(
    library: &Path,
    group: &GroupSpec,
    [writer, reins, page, scoreboard]: [BorrowedFd<'_>; 4],
    front: &[OwnedFd],
) -> Result<Started, SpawnError> {
    let mut spawn = Spawn::new(&group.python);
    for argument in &group.interpreter.arguments {
        spawn.arg(argument);
    }
    spawn
        .arg(library.join(BOOTSTRAP))
        .folder(group.home.as_deref().unwrap_or("/"))
        .descriptor(1, writer)
        .descriptor(2, writer)
        .descriptor(REINS, reins)
        .descriptor(PAGE, page)
        // Apache's signals to its process group are not meant for applications.
        .new_session();
    if group.server_metrics {
        spawn.descriptor(SCOREBOARD, scoreboard);
    }
    if group.http.is_some() {
        for (number, descriptor) in (http::FIRST_DESCRIPTOR..).zip(front) {
            spawn.descriptor(number, descriptor.as_fd());
        }
    }
    for name in ["PATH", "TZ", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            spawn.env(name, value);
        }
    }
    for (name, value) in &group.env {
        spawn.env(name, value);
    }
    if let Some(seed) = group.interpreter.hash_seed {
        spawn.env("PYTHONHASHSEED", seed.to_string());
    }
    if let Some(mask) = group.umask {
        spawn.umask(mask);
    }
    let limits = &group.limits;
    spawn.limits(Limits {
        priority: limits.priority,
        cpu_seconds: limits.cpu_seconds,
        memory: limits.memory,
        virtual_memory: limits.virtual_memory,
    });
    if let Some(root) = &group.chroot {
        spawn.root(root);
    }
    if group.is_service() {
        // Its script may become a program that knows nothing of the manager.
        spawn.end_with_parent();
    }
    if let Some(identity) = &group.identity {
        spawn.credentials(Credentials {
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups.clone(),
        });
    }
    spawn.spawn()
}
