//! Waiting for a condition, with a limit.

use std::time::{Duration, Instant};

/// Time between two looks at a condition.
const STEP: Duration = Duration::from_millis(10);

/// Calls `look` until it returns a value or `timeout` is over; the last look is after the limit.
pub fn poll<T>(timeout: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + timeout;
    loop {
        let over = Instant::now() >= end;
        if let Some(found) = look() {
            return Some(found);
        }
        if over {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

/// Whether `condition` became true within `timeout`.
pub fn wait_until(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    poll(timeout, || condition().then_some(())).is_some()
}
