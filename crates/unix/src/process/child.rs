//! What runs between fork and exec: only calls that signal-safety(7) allows, no memory taken.

use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;

use nix::libc;

use super::spawn::{Credentials, Limits};

/// What can fail in the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Step {
    Descriptors = 1,
    Priority,
    CpuTime,
    Memory,
    VirtualMemory,
    Root,
    Session,
    SetGid,
    SetGroups,
    SetUid,
    Verify,
    Parent,
    Folder,
    Exec,
}

impl Step {
    const ALL: [Self; 14] = [
        Self::Descriptors,
        Self::Priority,
        Self::CpuTime,
        Self::Memory,
        Self::VirtualMemory,
        Self::Root,
        Self::Session,
        Self::SetGid,
        Self::SetGroups,
        Self::SetUid,
        Self::Verify,
        Self::Parent,
        Self::Folder,
        Self::Exec,
    ];

    /// Reads what the child has written about what has failed: nothing when all went well.
    pub(super) fn read_report(report: &[u8]) -> Vec<(Self, io::Error)> {
        let (entries, _) = report.as_chunks::<8>();
        let read = |entry: &[u8; 8]| {
            let step = i32::from_ne_bytes(*entry.first_chunk()?);
            let errno = i32::from_ne_bytes(*entry.last_chunk()?);
            let step = Self::ALL.into_iter().find(|each| *each as i32 == step)?;
            Some((step, io::Error::from_raw_os_error(errno)))
        };
        entries.iter().filter_map(read).collect()
    }
}

/// All that the child needs, prepared before fork, and room for what it reads.
pub(super) struct Plan<'a> {
    pub(super) program: &'a CStr,
    pub(super) arguments: Vec<*const libc::c_char>,
    pub(super) environment: Vec<*const libc::c_char>,
    pub(super) folder: Option<&'a CStr>,
    pub(super) umask: Option<u32>,
    pub(super) credentials: Option<&'a Credentials>,
    /// Room for one supplementary group more than wanted, to read them back.
    pub(super) groups: Vec<libc::gid_t>,
    /// Sources and the numbers that they shall have.
    pub(super) descriptors: Vec<(RawFd, RawFd)>,
    pub(super) session: bool,
    pub(super) limits: Limits,
    pub(super) root: Option<&'a CStr>,
    /// SIGTERM comes when the parent ends.
    pub(super) end_with_parent: bool,
    /// Where failures are reported.
    pub(super) failure: RawFd,
}

type Outcome = Result<(), Step>;

fn ok(result: libc::c_int, step: Step) -> Outcome {
    if result >= 0 { Ok(()) } else { Err(step) }
}

impl Plan<'_> {
    /// Becomes the program, or reports and exits. For the child of a fork alone.
    pub(super) fn run(&mut self) -> ! {
        let step = self.become_program().err().unwrap_or(Step::Exec);
        self.report(step);
        // SAFETY: ends this process without running what the parent has registered for its own end.
        unsafe { libc::_exit(127) }
    }

    /// Tells the parent what has failed, as `errno` says.
    fn report(&self, step: Step) {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        let mut report = [0; 8];
        report[..4].copy_from_slice(&(step as i32).to_ne_bytes());
        report[4..].copy_from_slice(&errno.to_ne_bytes());
        // SAFETY: the buffer has that many bytes. That it cannot be written changes nothing.
        unsafe { libc::write(self.failure, report.as_ptr().cast(), report.len()) };
    }

    /// Takes priority and limits over, while this process still may.
    fn limit(&self) {
        let Limits { priority, cpu_seconds, memory, virtual_memory } = self.limits;
        if let Some(priority) = priority {
            // SAFETY: takes numbers; 0 is this process.
            let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, priority) };
            if set != 0 {
                self.report(Step::Priority);
            }
        }
        let limits = [
            (cpu_seconds, libc::RLIMIT_CPU, Step::CpuTime),
            (memory, libc::RLIMIT_DATA, Step::Memory),
            (virtual_memory, libc::RLIMIT_AS, Step::VirtualMemory),
        ];
        for (limit, resource, step) in limits.into_iter().filter(|(limit, ..)| *limit > 0) {
            let limit = libc::rlimit { rlim_cur: limit, rlim_max: hard_limit(resource, limit) };
            // SAFETY: a structure of this function.
            if unsafe { libc::setrlimit(resource, &raw const limit) } != 0 {
                self.report(step);
            }
        }
    }

    /// Returns only on failure.
    fn become_program(&mut self) -> Outcome {
        self.install_descriptors()?;
        if self.session {
            // SAFETY: takes nothing.
            ok(unsafe { libc::setsid() }, Step::Session)?;
        }
        if let Some(mask) = self.umask {
            // SAFETY: takes a number and cannot fail.
            unsafe { libc::umask(mask) };
        }
        self.limit();
        if let Some(root) = self.root {
            // SAFETY: strings that end with NUL.
            ok(unsafe { libc::chroot(root.as_ptr()) }, Step::Root)?;
            // SAFETY: as above. A working folder outside of the new root would be a way out of it.
            ok(unsafe { libc::chdir(c"/".as_ptr()) }, Step::Root)?;
        }
        if let Some(wanted) = self.credentials {
            take_credentials(wanted, &mut self.groups)?;
        }
        if self.end_with_parent {
            // SAFETY: takes numbers. After the rights were taken, for that undoes it.
            let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
            ok(set, Step::Parent)?;
        }
        if let Some(folder) = self.folder {
            // SAFETY: a string that ends with NUL.
            ok(unsafe { libc::chdir(folder.as_ptr()) }, Step::Folder)?;
        }
        default_signals();
        let (arguments, environment) = (self.arguments.as_ptr(), self.environment.as_ptr());
        // SAFETY: both arrays end with a null pointer and hold strings that end with NUL, which `Spawn` keeps.
        let result = unsafe { libc::execve(self.program.as_ptr(), arguments, environment) };
        ok(result, Step::Exec)
    }

    fn install_descriptors(&mut self) -> Outcome {
        // First all sources go above the numbers that are wanted, so that no dup2 overwrites one that is still needed.
        let above = self.descriptors.iter().map(|(_, number)| *number).fold(2, RawFd::max) + 1;
        self.failure = duplicate_above(self.failure, above)?;
        for (source, _) in &mut self.descriptors {
            *source = duplicate_above(*source, above)?;
        }
        for (source, number) in &self.descriptors {
            // SAFETY: numbers; what this process had under `number` is not used any more before exec.
            ok(unsafe { libc::dup2(*source, *number) }, Step::Descriptors)?;
        }
        // What others have opened without close-on-exec; a kernel older than 5.11 leaves it open.
        let first = above as libc::c_uint;
        // SAFETY: changes only what exec does with the descriptors.
        unsafe {
            libc::syscall(
                libc::SYS_close_range,
                first,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        Ok(())
    }
}

/// The limit that the process itself cannot raise its own to: for processor time the present one, or a process that was
/// told that its time is over would be killed at once.
fn hard_limit(resource: libc::__rlimit_resource_t, limit: u64) -> u64 {
    let mut present = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a place to write to.
    let known = unsafe { libc::getrlimit(resource, &raw mut present) } == 0;
    if resource == libc::RLIMIT_CPU && known { present.rlim_max.max(limit) } else { limit }
}

fn duplicate_above(fd: RawFd, above: RawFd) -> Result<RawFd, Step> {
    // SAFETY: takes numbers.
    let new = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, above) };
    ok(new, Step::Descriptors).map(|()| new)
}

/// Takes the rights in the only order that works (the group needs the user's rights), and looks whether they
/// were taken: a process must never run an application with more than it was given.
fn take_credentials(wanted: &Credentials, room: &mut [libc::gid_t]) -> Outcome {
    let Credentials { uid, gid, groups } = wanted;
    // SAFETY: takes numbers.
    ok(unsafe { libc::setresgid(*gid, *gid, *gid) }, Step::SetGid)?;
    // SAFETY: the list has that many entries.
    ok(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }, Step::SetGroups)?;
    // SAFETY: takes numbers.
    ok(unsafe { libc::setresuid(*uid, *uid, *uid) }, Step::SetUid)?;
    verify_credentials(wanted, room)
}

fn verify_credentials(wanted: &Credentials, room: &mut [libc::gid_t]) -> Outcome {
    let (mut uids, mut gids) = ([0; 3], [0; 3]);
    let [real, effective, saved] = &mut uids;
    // SAFETY: three places to write to.
    ok(unsafe { libc::getresuid(real, effective, saved) }, Step::Verify)?;
    let [real, effective, saved] = &mut gids;
    // SAFETY: three places to write to.
    ok(unsafe { libc::getresgid(real, effective, saved) }, Step::Verify)?;
    // SAFETY: `room` has that many entries.
    let count = unsafe { libc::getgroups(room.len() as libc::c_int, room.as_mut_ptr()) };
    ok(count, Step::Verify)?;
    let present = room.get(..count as usize).unwrap_or_default();
    let same_groups = present.iter().all(|each| wanted.groups.contains(each))
        && wanted.groups.iter().all(|each| present.contains(each));
    let right = uids == [wanted.uid; 3] && gids == [wanted.gid; 3] && same_groups;
    // SAFETY: takes a number; that it works would mean that root's rights can be had back.
    let regained = wanted.uid != 0 && unsafe { libc::setuid(0) } == 0;
    if right && !regained {
        return Ok(());
    }
    nix::errno::Errno::EPERM.set();
    Err(Step::Verify)
}

/// Undoes what this process ignores, catches and blocks: exec keeps the first and the last.
fn default_signals() {
    for number in 1..=64 {
        // SAFETY: the default for a signal runs none of this process's code; those that cannot be changed refuse.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: fills the set in.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was filled in; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
}
