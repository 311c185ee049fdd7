//! `cargo xtask soak`: a load that goes on while Apache restarts, the script changes and workers are
//! killed at random. No request may be lost, but those that a killed worker was running, and each of
//! these has to be in the log.

use std::time::{Duration, Instant};

use clap::Args;
use pinion_testbed::load::{Load, Report};
use pinion_testbed::packages;

use crate::disturbance::{Disturbance, Slow};
use crate::failure::{Failure, Result};
use crate::random::Random;
use crate::say;
use crate::server::Which;

/// How long, and with what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds of load
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Repeats the disturbances of an earlier run [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// The server module to disturb
    #[arg(long, value_enum, default_value_t = Which::Pinion)]
    server: Which,
}

/// Requests that are safe to run again, and requests that are not; the log tells them apart by path.
const SAFE: (&str, &str, usize) = ("GET", "/asked", 12);
const UNSAFE: (&str, &str, usize) = ("POST", "/posted", 4);

const WAYS: [Disturbance; 3] = [Disturbance::Graceful, Disturbance::Touch, Disturbance::Kill];

/// Loads, disturbs, counts.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure(packages::APACHE)?;
    let seed = options.seed.unwrap_or_else(Random::seed);
    let slow = Slow::start(&options.server.prepare()?)?;
    say::step(format_args!("{} s of load on {}, seed {seed}", options.seconds, options.server));
    let duration = Duration::from_secs(options.seconds.into());
    let [safe, unsafe_] = [SAFE, UNSAFE].map(|kind| load(&slow, kind, duration));
    let (safe, (unsafe_, disturbed)) =
        safe.run_while(|| unsafe_.run_while(|| disturb(&slow, duration, Random::new(seed))));
    say::line(disturbed?);
    let log = slow.apache.log().text();
    let lost = account(SAFE, &safe, &log) + account(UNSAFE, &unsafe_, &log);
    say::line(format_args!("{lost} requests lost"));
    if lost == 0 {
        return Ok(());
    }
    Err(Failure::wrong(
        format!("{lost} requests were lost"),
        format!(
            "repeat it with --seed {seed}; the end of the error log:\n{}",
            slow.apache.log().tail()
        ),
    ))
}

fn load(slow: &Slow, (method, path, connections): (&str, &str, usize), duration: Duration) -> Load {
    let mut load = Load::get(slow.apache.port(), path, connections, duration);
    method.clone_into(&mut load.method);
    if method == "POST" {
        load.body = b"a body".to_vec();
    }
    load
}

/// Disturbs at random times until just before the end, in each way equally often but in a random
/// order; says how often.
fn disturb(slow: &Slow, duration: Duration, mut random: Random) -> Result<String> {
    let begin = Instant::now();
    let mut done = Vec::new();
    let mut waiting = Vec::new();
    while begin.elapsed() + Duration::from_secs(2) < duration {
        std::thread::sleep(Duration::from_millis(200 + random.below(1800)));
        if waiting.is_empty() {
            waiting.extend(WAYS);
        }
        let way = waiting.swap_remove(random.index(waiting.len()));
        slow.disturb(way, random.index(64))?;
        done.push(way);
    }
    let count = |way: Disturbance| done.iter().filter(|done| **done == way).count();
    Ok(WAYS.map(|way| format!("{} {way}", count(way))).join(", "))
}

/// Says what came of one kind of request; returns how many were lost.
fn account((method, path, _): (&str, &str, usize), report: &Report, log: &str) -> u64 {
    let killed = report.statuses.get(&502).copied().unwrap_or(0);
    let request = format!("while serving {method} {path}");
    let logged = log.lines().filter(|line| line.contains(&request)).count() as u64;
    let lost = report.failed + report.other_than(200) - killed + killed.saturating_sub(logged);
    say::line(format_args!(
        "{method}: {} answered, p99 {:.0} ms, longest {:.0} ms; {killed} killed with their worker, {logged} \
         named in the log; {} sent again on a new connection; {lost} lost",
        report.requests,
        report.quantile(0.99).as_secs_f64() * 1e3,
        report.quantile(1.0).as_secs_f64() * 1e3,
        report.retried,
    ));
    for (status, count) in report.statuses.iter().filter(|(status, _)| **status != 200) {
        say::line(format_args!("  {count} × {status}"));
    }
    for (at, reason) in report.failures.iter().take(10) {
        say::line(format_args!("  {:.1} s: {reason}", at.as_secs_f64()));
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(statuses: &[(u16, u64)], failed: u64) -> Report {
        Report { statuses: statuses.iter().copied().collect(), failed, ..Report::default() }
    }

    #[test]
    fn a_killed_request_is_lost_unless_the_log_names_it() {
        let log = "worker 7 killed while serving POST /posted\n";
        assert_eq!(account(UNSAFE, &report(&[(200, 9), (502, 1)], 0), log), 0);
        assert_eq!(account(UNSAFE, &report(&[(200, 9), (502, 2)], 0), log), 1);
        assert_eq!(account(UNSAFE, &report(&[(200, 9), (503, 2)], 1), log), 3);
    }
}
