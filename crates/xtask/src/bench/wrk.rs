//! The load generator of the throughput measurements.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pinion_testbed::run;

use super::workload::Workload;
use crate::failure::{Failure, Result};

/// What wrk saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    /// Answers.
    pub(super) requests: u64,
    /// From the first request to the end.
    pub(super) elapsed: Duration,
    /// Median time of an answer.
    pub(super) p50: Duration,
    /// 99 of 100 answers took at most this.
    pub(super) p99: Duration,
    /// Statuses of 400 and above, refused connections, and answers that did not come in time.
    pub(super) errors: u64,
    /// Connections that were closed: the event MPM does that to kept ones when all threads of a
    /// child are busy.
    pub(super) closed: u64,
}

impl Seen {
    /// Answers a second.
    pub(super) fn rate(&self) -> f64 {
        // Counts stay far below 2^32 in the seconds that a measurement takes.
        f64::from(u32::try_from(self.requests).unwrap_or(u32::MAX)).max(1.0)
            / self.elapsed.as_secs_f64().max(1e-6)
    }
}

/// Asks the server at `url` for `workload` on `connections` for `seconds`.
pub(super) fn load(url: &str, workload: &Workload, connections: u32, seconds: u32) -> Result<Seen> {
    let mut wrk = Command::new("timeout");
    wrk.arg((seconds + 30).to_string()).arg("wrk");
    wrk.args(["--threads", "1", "--timeout", "10s"]);
    wrk.args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")]);
    wrk.arg("--script").arg(script()).arg(format!("{url}/{}", workload.name));
    match workload.upload {
        Some(bytes) => wrk.env("BENCH_BODY_BYTES", bytes.to_string()),
        None => wrk.env_remove("BENCH_BODY_BYTES"),
    };
    let said = run(&mut wrk)?;
    said.lines().find_map(parse).ok_or_else(|| {
        Failure::wrong(format!("wrk gave no result:\n{said}"), "wrk 4.1 or newer is needed")
    })
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/report.lua")
}

/// Reads the line that `apps/report.lua` writes.
fn parse(line: &str) -> Option<Seen> {
    let numbers: Option<Vec<u64>> =
        line.strip_prefix("RESULT ")?.split(' ').map(|word| word.parse().ok()).collect();
    let [requests, elapsed, p50, p99, errors, closed] = numbers?[..] else { return None };
    let micros = Duration::from_micros;
    Some(Seen {
        requests,
        elapsed: micros(elapsed),
        p50: micros(p50),
        p99: micros(p99),
        errors,
        closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_line_is_read() {
        let seen = parse("RESULT 1000 2000000 150 900 3 4").unwrap();
        assert_eq!((seen.requests, seen.errors, seen.closed), (1000, 3, 4));
        assert_eq!((seen.elapsed, seen.p99), (Duration::from_secs(2), Duration::from_micros(900)));
        assert_eq!(parse("Requests/sec: 100"), None);
        assert_eq!(parse("RESULT 1 2 3"), None);
    }
}
