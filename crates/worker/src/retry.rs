//! When a script that could not be loaded is tried again.

use std::time::{Duration, Instant};

/// The longest time until then.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A script that could not be loaded.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// Its modification time in microseconds, 0 when it cannot be read.
    pub(crate) mtime: u64,
    /// The traceback.
    pub(crate) traceback: String,
    tried: Instant,
    pause: Duration,
}

impl Failed {
    /// It has just failed.
    pub(crate) fn new(mtime: u64, traceback: String, now: Instant) -> Self {
        Self { mtime, traceback, tried: now, pause: Duration::from_secs(1) }
    }

    /// The last line of the traceback: the exception itself.
    pub(crate) fn last_line(&self) -> &str {
        self.traceback.lines().next_back().unwrap_or_default()
    }

    /// Whether it is time for a fresh process to try: when the file has changed or the pause is over. The next pause is longer.
    pub(crate) fn is_due(&mut self, mtime: u64, now: Instant) -> bool {
        if mtime == self.mtime && now.duration_since(self.tried) < self.pause {
            return false;
        }
        (self.mtime, self.tried) = (mtime, now);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_script_is_due_when_it_changed_or_the_pause_is_over() {
        let start = Instant::now();
        let mut failed = Failed::new(5, "Traceback\nValueError: no".to_owned(), start);
        assert_eq!(failed.last_line(), "ValueError: no");
        let after = |seconds| start + Duration::from_secs_f64(seconds);
        assert!(!failed.is_due(5, after(0.5)));
        assert!(failed.is_due(5, after(1.5)));
        assert!(!failed.is_due(5, after(3.0)));
        assert!(failed.is_due(6, after(3.0)));
        for mtime in 0..9 {
            failed.is_due(mtime, after(3.0));
        }
        assert_eq!(failed.pause, LONGEST_PAUSE);
    }
}
