//! What a process is started with.

use std::ffi::{CString, NulError, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::libc;

use super::child::{Plan, Step};
use super::to_pid;
use crate::system::check;

/// Whose rights a process gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User id: real, effective and saved.
    pub uid: u32,
    /// Group id: real, effective and saved.
    pub gid: u32,
    /// Supplementary groups, complete.
    pub groups: Vec<u32>,
}

/// What the system grants a process; 0 leaves a limit as this process has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The nice value.
    pub priority: Option<i32>,
    /// Processor time in seconds; SIGXCPU comes then, each second again.
    pub cpu_seconds: u64,
    /// Memory for data in bytes.
    pub memory: u64,
    /// Virtual memory in bytes.
    pub virtual_memory: u64,
}

/// A limit that the system did not set; the process runs without it.
#[derive(Debug)]
pub struct NotSet {
    /// Which.
    pub limit: Limit,
    /// Why not.
    pub source: io::Error,
}

/// One of [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::priority`].
    Priority,
    /// [`Limits::cpu_seconds`].
    CpuTime,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::virtual_memory`].
    VirtualMemory,
}

/// A process that was started.
#[derive(Debug)]
pub struct Started {
    /// Its number.
    pub pid: u32,
    /// What the system refused.
    pub refused: Vec<NotSet>,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A program, argument, variable or folder with a NUL byte in it.
    #[error("a NUL byte in {0:?}")]
    Nul(String),
    /// This process cannot make another.
    #[error("cannot prepare a process: {0}")]
    Prepare(#[source] io::Error),
    /// The new process failed before the program ran.
    #[error("{step}: {source}")]
    Child {
        /// Which part of the way it was.
        part: Part,
        /// What failed, with its argument: `setuid 33`, `chdir /srv`, `exec /usr/bin/python3`.
        step: String,
        /// Why.
        source: io::Error,
    },
}

/// What a new process does before its program runs, as far as callers tell the parts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Taking its root folder.
    Root,
    /// Taking its group.
    Group,
    /// Taking its supplementary groups.
    Groups,
    /// Taking its user.
    User,
    /// Entering its working folder.
    Folder,
    /// Anything else, running the program included.
    Other,
}

impl Part {
    fn of(step: Step) -> Self {
        match step {
            Step::Root => Self::Root,
            Step::SetGid => Self::Group,
            Step::SetGroups => Self::Groups,
            Step::SetUid => Self::User,
            Step::Folder => Self::Folder,
            _ => Self::Other,
        }
    }
}

/// A process to be started.
///
/// It gets the arguments, environment and descriptors that are named here and nothing else of this process
/// but its standard streams; signals are at their defaults and unblocked.
#[derive(Debug)]
pub struct Spawn<'fd> {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    folder: Option<CString>,
    umask: Option<u32>,
    credentials: Option<Credentials>,
    descriptors: Vec<(BorrowedFd<'fd>, RawFd)>,
    session: bool,
    limits: Limits,
    root: Option<CString>,
    end_with_parent: bool,
    nul: Option<String>,
}

impl<'fd> Spawn<'fd> {
    /// Starts with `program`, a path, which is also the first argument.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut this = Self {
            program: CString::default(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            umask: None,
            credentials: None,
            descriptors: Vec::new(),
            session: false,
            limits: Limits::default(),
            root: None,
            end_with_parent: false,
            nul: None,
        };
        this.program = this.c_string(program.as_ref().as_bytes().to_vec());
        this.arguments.push(this.program.clone());
        this
    }

    /// Adds an argument.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        let argument = self.c_string(argument.as_ref().as_bytes().to_vec());
        self.arguments.push(argument);
        self
    }

    /// Sets an environment variable; the last value for a name counts.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        let mut entry = name.as_ref().as_bytes().to_vec();
        entry.push(b'=');
        self.environment.retain(|present| !present.as_bytes().starts_with(&entry));
        entry.extend_from_slice(value.as_ref().as_bytes());
        let entry = self.c_string(entry);
        self.environment.push(entry);
        self
    }

    /// Sets the working folder, which is entered with the new rights.
    pub fn folder(&mut self, folder: impl AsRef<OsStr>) -> &mut Self {
        self.folder = Some(self.c_string(folder.as_ref().as_bytes().to_vec()));
        self
    }

    /// Sets the file mode creation mask.
    pub fn umask(&mut self, mask: u32) -> &mut Self {
        self.umask = Some(mask);
        self
    }

    /// Sets whose rights it gets.
    pub fn credentials(&mut self, credentials: Credentials) -> &mut Self {
        self.credentials = Some(credentials);
        self
    }

    /// Gives it `fd` as descriptor `number`. Without one for number 0, it reads `/dev/null`.
    pub fn descriptor(&mut self, number: RawFd, fd: BorrowedFd<'fd>) -> &mut Self {
        self.descriptors.push((fd, number));
        self
    }

    /// Makes it the leader of a session of its own.
    pub fn new_session(&mut self) -> &mut Self {
        self.session = true;
        self
    }

    /// Sets what the system grants it.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// Sets its root folder, in which program, folder and all else are looked for.
    pub fn root(&mut self, root: impl AsRef<OsStr>) -> &mut Self {
        self.root = Some(self.c_string(root.as_ref().as_bytes().to_vec()));
        self
    }

    /// Has it sent SIGTERM when this process ends.
    pub fn end_with_parent(&mut self) -> &mut Self {
        self.end_with_parent = true;
        self
    }

    /// Starts the process; returns its id when the program runs, and which limits it runs without.
    ///
    /// # Errors
    /// When it could not be started; no process is left behind then.
    pub fn spawn(&self) -> Result<Started, SpawnError> {
        if let Some(nul) = &self.nul {
            return Err(SpawnError::Nul(nul.clone()));
        }
        let (failure, failure_end) = failure_pipe().map_err(SpawnError::Prepare)?;
        let null = File::open("/dev/null").map_err(SpawnError::Prepare)?;
        let mut plan = self.plan(&null, failure_end.as_raw_fd());
        let pid = fork_blocked(&mut plan).map_err(SpawnError::Prepare)?;
        drop(failure_end);
        let mut report = Vec::new();
        // An error in reading leaves the report empty: then the process is what its exit will tell.
        let _ = File::from(failure).read_to_end(&mut report);
        let mut refused = Vec::new();
        for (step, source) in Step::read_report(&report) {
            match limit_of(step) {
                Some(limit) => refused.push(NotSet { limit, source }),
                None => {
                    collect(pid);
                    let (part, step) = (Part::of(step), self.describe(step));
                    return Err(SpawnError::Child { part, step, source });
                }
            }
        }
        Ok(Started { pid, refused })
    }

    fn plan(&self, null: &File, failure: RawFd) -> Plan<'_> {
        let mut descriptors: Vec<_> =
            self.descriptors.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect();
        if self.descriptors.iter().all(|(_, number)| *number != libc::STDIN_FILENO) {
            descriptors.push((null.as_fd().as_raw_fd(), libc::STDIN_FILENO));
        }
        let room = self.credentials.as_ref().map_or(0, |wanted| wanted.groups.len() + 1);
        Plan {
            program: &self.program,
            arguments: pointers(&self.arguments),
            environment: pointers(&self.environment),
            folder: self.folder.as_deref(),
            umask: self.umask,
            credentials: self.credentials.as_ref(),
            groups: vec![0; room],
            descriptors,
            session: self.session,
            limits: self.limits,
            root: self.root.as_deref(),
            end_with_parent: self.end_with_parent,
            failure,
        }
    }

    fn describe(&self, step: Step) -> String {
        let (uid, gid) =
            self.credentials.as_ref().map_or((0, 0), |wanted| (wanted.uid, wanted.gid));
        match step {
            Step::Descriptors => "installing descriptors".to_owned(),
            Step::Priority | Step::CpuTime | Step::Memory | Step::VirtualMemory => {
                "setting limits".to_owned()
            }
            Step::Root => {
                let root = self.root.as_deref().unwrap_or_default();
                format!("chroot {}", root.to_string_lossy())
            }
            Step::Parent => "binding it to its parent".to_owned(),
            Step::Session => "setsid".to_owned(),
            Step::SetGid => format!("setgid {gid}"),
            Step::SetGroups => "setgroups".to_owned(),
            Step::SetUid => format!("setuid {uid}"),
            Step::Verify => format!("verifying the rights of user {uid} and group {gid}"),
            Step::Folder => {
                let folder = self.folder.as_deref().unwrap_or_default();
                format!("chdir {}", folder.to_string_lossy())
            }
            Step::Exec => format!("exec {}", self.program.to_string_lossy()),
        }
    }

    fn c_string(&mut self, bytes: Vec<u8>) -> CString {
        CString::new(bytes).unwrap_or_else(|error: NulError| {
            self.nul = Some(String::from_utf8_lossy(&error.into_vec()).into_owned());
            CString::default()
        })
    }
}

fn limit_of(step: Step) -> Option<Limit> {
    match step {
        Step::Priority => Some(Limit::Priority),
        Step::CpuTime => Some(Limit::CpuTime),
        Step::Memory => Some(Limit::Memory),
        Step::VirtualMemory => Some(Limit::VirtualMemory),
        _ => None,
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

fn failure_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (near, far) = crate::sockets::pipe()?;
    // SAFETY: clears O_NONBLOCK of an open descriptor: here the reader waits for the program to start.
    check(unsafe { libc::fcntl(near.as_raw_fd(), libc::F_SETFL, 0) })?;
    Ok((near, far))
}

/// Forks with all signals blocked, so that none of this process's handlers can run in the child.
fn fork_blocked(plan: &mut Plan<'_>) -> io::Result<u32> {
    use nix::sys::signal::{SigSet, SigmaskHow};
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child calls nothing but `Plan::run`, which makes only async-signal-safe calls and never returns.
    let forked = check(unsafe { libc::fork() });
    if matches!(forked, Ok(0)) {
        plan.run();
    }
    before.thread_set_mask()?;
    u32::try_from(forked?).map_err(io::Error::other)
}

/// Waits for a child that has failed and is about to exit. That someone else has collected it is as good.
fn collect(pid: u32) {
    if let Ok(number) = to_pid(pid) {
        // SAFETY: the status is not asked for.
        let wait = || check(unsafe { libc::waitpid(number, std::ptr::null_mut(), 0) });
        let _ = crate::system::retry(wait);
    }
}
