//! The time.

use std::fmt;
use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::libc;

/// Nanoseconds of `CLOCK_MONOTONIC`, the same in all processes of the machine; never 0.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the call to write to; Linux always has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    (seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)).max(1)
}

/// Milliseconds of `CLOCK_MONOTONIC` at the cost of a few instructions; they may lag a few behind (`CLOCK_MONOTONIC_COARSE`).
#[must_use]
pub fn milliseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the call to write to; Linux always has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Seconds since 1970, at the cost of a few instructions; it may lag a few milliseconds behind (`CLOCK_REALTIME_COARSE`).
#[must_use]
pub fn seconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the call to write to; Linux always has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0)
}

/// A moment in the machine's time zone; its `Display` is how Apache's error log writes it:
/// `Sun Nov 22 18:55:34.123456 2026`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The year.
    pub year: i32,
    /// The month, from 0.
    pub month: usize,
    /// The day of the month, from 1.
    pub day: i32,
    /// The day of the week, 0 for Sunday.
    pub weekday: usize,
    /// The hour.
    pub hour: i32,
    /// The minute.
    pub minute: i32,
    /// The second.
    pub second: i32,
    /// The microsecond in that second.
    pub micros: u32,
}

impl LocalTime {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self::at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// A moment, as time since 1970.
    #[must_use]
    pub fn at(since_epoch: Duration) -> Self {
        let parts = parts(since_epoch.as_secs());
        Self {
            year: parts.tm_year.saturating_add(1900),
            month: usize::try_from(parts.tm_mon).unwrap_or(0),
            day: parts.tm_mday,
            weekday: usize::try_from(parts.tm_wday).unwrap_or(0),
            hour: parts.tm_hour,
            minute: parts.tm_min,
            second: parts.tm_sec,
            micros: since_epoch.subsec_micros(),
        }
    }
}

/// How many seconds the machine's time zone was before that of Greenwich, at a time in seconds since 1970.
#[must_use]
pub fn zone_offset(second: u64) -> i32 {
    i32::try_from(parts(second).tm_gmtoff).unwrap_or(0)
}

/// A second since 1970 in the machine's time zone.
fn parts(second: u64) -> libc::tm {
    let second = libc::time_t::try_from(second).unwrap_or(libc::time_t::MAX);
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call, which may fail and leaves the zeros then.
    unsafe { libc::localtime_r(&raw const second, parts.as_mut_ptr()) };
    // SAFETY: `tm` is made of integers and a pointer, for all of which zero is a value.
    unsafe { parts.assume_init() }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let day = DAYS.get(self.weekday).unwrap_or(&"???");
        let month = MONTHS.get(self.month).unwrap_or(&"???");
        let Self { year, day: date, hour, minute, second, micros, .. } = self;
        write!(out, "{day} {month} {date:02} {hour:02}:{minute:02}:{second:02}.{micros:06} {year}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back() {
        let first = monotonic_ns();
        assert!(first > 0);
        assert!(monotonic_ns() >= first);
    }

    #[test]
    fn the_coarse_clock_is_the_same_clock() {
        let before = monotonic_ns() / 1_000_000;
        // It lags by no more than a tick, the longest of which is 10 ms.
        let coarse = milliseconds();
        let after = monotonic_ns() / 1_000_000;
        assert!(coarse + 10 >= before && coarse <= after, "{before} {coarse} {after}");
    }

    #[test]
    fn local_time_reads_as_in_apaches_log() {
        let time = LocalTime {
            year: 2026,
            month: 10,
            day: 2,
            weekday: 0,
            hour: 8,
            minute: 55,
            second: 4,
            micros: 12,
        };
        assert_eq!(time.to_string(), "Sun Nov 02 08:55:04.000012 2026");
        // Whatever the time zone, a day after the epoch is in the first days of 1970.
        let early = LocalTime::at(Duration::new(86_400, 5_000));
        assert_eq!((early.year, early.month, early.micros), (1970, 0, 5));
    }

    #[test]
    fn the_zone_is_that_of_local_time() {
        let second = 1_700_000_000;
        let offset = zone_offset(second);
        let local = LocalTime::at(Duration::from_secs(second));
        let shifted = second.saturating_add_signed(i64::from(offset));
        let clock = (shifted / 3600 % 24, shifted / 60 % 60, shifted % 60);
        assert_eq!(clock, (local.hour as u64, local.minute as u64, local.second as u64));
    }
}
