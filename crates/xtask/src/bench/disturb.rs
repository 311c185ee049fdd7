//! `cargo xtask bench disturb`: what a load notices of restarts, changed scripts and killed workers.

use std::time::{Duration, Instant};

use clap::Args;
use pinion_testbed::load::{Load, Report};
use pinion_testbed::packages;

use super::{machine, page};
use crate::disturbance::{Disturbance, Slow};
use crate::failure::{Failure, Result};
use crate::say;
use crate::server::{On, Which};

/// What to measure, and how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds of each load
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Disturbances within them
    #[arg(long, default_value_t = 6)]
    times: u32,
    /// Connections at a time
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// The servers to measure
    #[arg(long, value_enum, default_value_t)]
    on: On,
    /// Write the result to docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Fail where Pinion misses the measure
    #[arg(long)]
    strict: bool,
}

/// None, for the load that the others are compared with, then each way.
const WAYS: [Option<Disturbance>; 4] =
    [None, Some(Disturbance::Graceful), Some(Disturbance::Touch), Some(Disturbance::Kill)];

/// One load.
struct Row {
    which: Which,
    way: Option<Disturbance>,
    report: Report,
}

/// Measures each way on each server, beside the undisturbed load.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure(packages::APACHE)?;
    let mut rows = Vec::new();
    for which in options.on.servers() {
        let server = which.prepare()?;
        for way in WAYS {
            say::step(format_args!("{which}, {}", title(way)));
            let slow = Slow::start(&server)?;
            let report = load(&slow, way, options)?;
            for (at, reason) in report.failures.iter().take(3) {
                say::line(format_args!("{:.1} s: {reason}", at.as_secs_f64()));
            }
            rows.push(Row { which: *which, way, report });
        }
    }
    let text = table(&rows);
    say::line(format_args!("\n{text}"));
    if options.write {
        page::write("disturb", &section(options, &text))?;
    }
    let missed = rows.iter().filter(|row| row.which == Which::Pinion && !meets(row, &rows)).count();
    if options.strict && missed > 0 {
        return Err(Failure::wrong(format!("{missed} loads missed the measure"), "see the table"));
    }
    Ok(())
}

fn load(slow: &Slow, way: Option<Disturbance>, options: &Options) -> Result<Report> {
    let duration = Duration::from_secs(options.seconds.into());
    let load = Load::get(slow.apache.port(), "/", options.connections, duration);
    let begin = Instant::now();
    let disturb = || {
        let Some(way) = way else { return Ok(()) };
        for time in 1..=options.times {
            let due = duration * time / (options.times + 1);
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            slow.disturb(way, time as usize)?;
        }
        Ok(())
    };
    let (report, disturbed) = load.run_while(disturb);
    disturbed.map(|()| report)
}

/// None failed, at least 95 % of the undisturbed throughput, p99 at most twice the undisturbed one.
fn meets(row: &Row, rows: &[Row]) -> bool {
    let calm = undisturbed(row, rows);
    failed(&row.report) == 0
        && row.report.throughput() >= 0.95 * calm.throughput()
        && row.report.quantile(0.99) <= calm.quantile(0.99) * 2
}

fn undisturbed<'a>(row: &Row, rows: &'a [Row]) -> &'a Report {
    let calm = rows.iter().find(|other| other.which == row.which && other.way.is_none());
    // The undisturbed load of each server is its first.
    &calm.unwrap_or(&rows[0]).report
}

/// Without an answer, or with another than 200.
fn failed(report: &Report) -> u64 {
    report.failed + report.other_than(200)
}

fn title(way: Option<Disturbance>) -> String {
    way.map_or_else(|| "undisturbed".to_owned(), |way| way.to_string())
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| server | disturbed by | requests | of undisturbed | failed | p99, ms | longest, ms | measure |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let report = &row.report;
        let milliseconds = |share| report.quantile(share).as_secs_f64() * 1e3;
        let share = 100.0 * report.throughput() / undisturbed(row, rows).throughput().max(1e-9);
        text.push_str(&format!(
            "| {} | {} | {} | {share:.0} % | {} | {:.0} | {:.0} | {} |\n",
            row.which,
            title(row.way),
            report.requests,
            failed(report),
            milliseconds(0.99),
            milliseconds(1.0),
            if meets(row, rows) { "pass" } else { "**miss**" },
        ));
    }
    text
}

fn section(options: &Options, text: &str) -> String {
    format!(
        "## Disturbed\n\n`cargo xtask bench disturb --seconds {} --times {} --connections {}`: an application that takes \
         1 s to load and 20 ms a request, 2 processes × 15 threads. The measure: none failed, at least 95 % of the \
         undisturbed throughput, p99 at most twice the undisturbed one.\n\n{}\n{text}",
        options.seconds,
        options.times,
        options.connections,
        machine::describe(),
    )
}
