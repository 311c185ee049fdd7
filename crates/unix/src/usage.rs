//! What this process has used.

use std::mem::MaybeUninit;
use std::time::Duration;

use nix::libc;

/// Processor time and memory of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in its own code.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// Bytes of memory that it has now; 0 where the system does not say.
    pub resident: u64,
    /// The most bytes that it ever had.
    pub most_resident: u64,
}

/// What this process has used so far.
#[must_use]
pub fn usage() -> Usage {
    let mut raw = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `raw` is a valid place for the call to write to; with this argument it cannot fail.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, raw.as_mut_ptr()) };
    // SAFETY: `rusage` is made of integers, for all of which zero is a value.
    let raw = unsafe { raw.assume_init() };
    Usage {
        user: duration(raw.ru_utime),
        system: duration(raw.ru_stime),
        resident: resident().unwrap_or(0),
        most_resident: u64::try_from(raw.ru_maxrss).unwrap_or(0) * 1024,
    }
}

/// Processor time of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadTimes {
    /// In the program's own code.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
}

/// What this thread has used so far.
#[must_use]
pub fn thread_times() -> ThreadTimes {
    let mut raw = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `raw` is a valid place for the call to write to; with this argument it cannot fail.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, raw.as_mut_ptr()) };
    // SAFETY: `rusage` is made of integers, for all of which zero is a value.
    let raw = unsafe { raw.assume_init() };
    ThreadTimes { user: duration(raw.ru_utime), system: duration(raw.ru_stime) }
}

/// How often this thread has waited for something, and given the processor up for it.
#[must_use]
pub fn thread_waits() -> u64 {
    let mut raw = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `raw` is a valid place for the call to write to; with this argument it cannot fail.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, raw.as_mut_ptr()) };
    // SAFETY: `rusage` is made of integers, for all of which zero is a value.
    let raw = unsafe { raw.assume_init() };
    u64::try_from(raw.ru_nvcsw).unwrap_or(0)
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

/// The second number of `/proc/self/statm`, which counts pages (proc(5)).
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: sysconf takes any number and touches no memory of this process.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

/// Nanoseconds of processor time that this thread has used.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the call to write to; Linux always has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted() {
        let (before, thread) = (usage(), thread_cpu_ns());
        assert!(before.resident > 0 && before.most_resident > 0);
        let mut spent = before;
        while spent.user + spent.system <= before.user + before.system {
            spent = usage();
        }
        assert!(thread_cpu_ns() > thread);
        let times = thread_times();
        assert!(times.user + times.system <= usage().user + usage().system);
    }
}
