//! `cargo xtask bench`: mod_wsgi and Pinion side by side, in interleaved rounds of one run.

mod calibrate;
mod compare;
pub(crate) mod disturb;
mod lifespan;
pub(crate) mod machine;
pub(crate) mod page;
mod report;
mod selection;
mod serve;
mod stats;
mod subject;
mod table;
mod targets;
pub(crate) mod usage;
mod workload;
mod wrk;

use std::fmt;

use clap::{Args, Subcommand};
use pinion_testbed::{Apache, Server, packages};

use crate::failure::{Failure, Result};
use crate::say;
use crate::server::On;
use calibrate::Rounds;
use lifespan::Lifespan;
use selection::Selection;
use stats::Spread;
use subject::{Mode, Subject};
use table::{Measure, Sample, Table};
use usage::Machine;
use workload::{CONNECTIONS, WORKLOADS, Workload};

/// What to measure, and how long.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    selection: Selection,
    /// The servers to measure
    #[arg(long, value_enum, default_value_t)]
    on: On,
    /// Write the result to docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Fail where a target is missed
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Throughput and failures while Apache restarts, scripts change and workers are killed
    Disturb(disturb::Options),
    /// Two builds of Pinion side by side: what a change costs
    Compare(compare::Options),
    /// pinion serve beside other WSGI servers
    Serve(serve::Options),
}

/// What one run measured.
#[derive(Debug)]
struct Measured {
    table: Table<Subject>,
    lifespans: Vec<Lifespan>,
}

/// Measures, prints the tables, and writes the page where that was asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.other {
        Some(Other::Disturb(options)) => return disturb::run(options),
        Some(Other::Compare(options)) => return compare::run(options),
        Some(Other::Serve(options)) => return serve::run(options),
        None => {}
    }
    let workloads: Vec<_> = WORKLOADS.iter().collect();
    let loads = options.selection.loads(&workloads, CONNECTIONS)?;
    packages::ensure(packages::APACHE)?;
    packages::ensure(&["wrk"])?;
    let mut contest = Contest::start(options.on)?;
    let measured = contest.measure(&loads, options)?;
    let text = report::markdown(&measured);
    say::line(format_args!("\n{text}"));
    if options.write {
        page::write("bench", &section(options, &text))?;
    }
    let missed = targets::outcomes(&measured.table).iter().filter(|it| !it.passed()).count();
    if options.strict && missed > 0 {
        return Err(Failure::wrong(format!("{missed} targets were missed"), "see the first table"));
    }
    Ok(())
}

impl Options {
    fn rounds(&self) -> u32 {
        self.selection.rounds()
    }

    fn seconds(&self) -> u32 {
        self.selection.seconds(2)
    }

    /// The command that measures the same again.
    fn line(&self) -> String {
        format!("cargo xtask bench --rounds {} --seconds {}", self.rounds(), self.seconds())
    }
}

/// The servers that are measured, all running.
struct Contest {
    rounds: Rounds,
    running: Vec<(Subject, Server, Apache)>,
}

impl Contest {
    fn start(on: On) -> Result<Self> {
        let rounds = calibrate::rounds()?;
        let mut running = Vec::new();
        for which in on.servers() {
            let server = which.prepare()?;
            for mode in Mode::ALL {
                let subject = Subject { which: *which, mode };
                running.push((subject, server.clone(), subject.start(&server, rounds)?));
            }
        }
        Ok(Self { rounds, running })
    }

    fn measure(
        &mut self,
        loads: &[(&'static Workload, u32)],
        options: &Options,
    ) -> Result<Measured> {
        let mut table = Table::default();
        for (workload, connections) in loads {
            self.warm(workload, *connections)?;
            for _ in 0..options.rounds() {
                for (subject, _, apache) in &self.running {
                    let sample = sample(apache, workload, *connections, options.seconds())?;
                    table.add(workload, *connections, *subject, sample);
                }
            }
            progress(&table, workload, *connections);
        }
        let lifespans = self.lifespans(options.rounds())?;
        Ok(Measured { table, lifespans })
    }

    /// Lets Apache start the children, and the servers the threads, that this load needs.
    fn warm(&self, workload: &Workload, connections: u32) -> Result<()> {
        for (_, _, apache) in &self.running {
            wrk::load(&apache.url(""), workload, connections, 1)?;
        }
        Ok(())
    }

    fn lifespans(&mut self, rounds: u32) -> Result<Vec<Lifespan>> {
        say::step("memory, cold starts, graceful restarts");
        let mut lifespans: Vec<_> = self
            .running
            .iter()
            .map(|(subject, _, apache)| Lifespan::after_load(*subject, apache))
            .collect();
        for _ in 0..rounds {
            for (lifespan, (_, server, apache)) in lifespans.iter_mut().zip(&mut self.running) {
                lifespan.round(apache, server, self.rounds)?;
            }
        }
        Ok(lifespans)
    }
}

fn sample(apache: &Apache, workload: &Workload, connections: u32, seconds: u32) -> Result<Sample> {
    let (machine, before) = (Machine::now(), usage::cpu(apache));
    let seen = wrk::load(&apache.url(""), workload, connections, seconds)?;
    let cpu = usage::cpu(apache).saturating_sub(before);
    Ok(Sample { seen, cpu, others: machine.used_by_others(cpu), unanswered: 0 })
}

/// One line a subject, while the reader waits for the rest.
fn progress<S: Copy + PartialEq + fmt::Display>(
    table: &Table<S>,
    workload: &Workload,
    connections: u32,
) {
    say::step(format_args!("{}, {connections} connections", workload.title));
    for cell in table.under((workload, connections)) {
        let of = |measure| cell.spread(measure).map_or(0.0, |Spread { median, .. }| median);
        say::line(format_args!(
            "{:<20} {:>9.0}/s  p99 {:>8.0} µs  CPU {:>7.1} µs  failed {}",
            cell.subject.to_string(),
            of(Measure::Throughput),
            of(Measure::P99),
            of(Measure::Cpu),
            cell.errors(),
        ));
    }
}

fn section(options: &Options, text: &str) -> String {
    format!(
        "## Side by side\n\n`{}`: interleaved rounds in one run, wrk with one thread as the client on the same \
         machine, the same Apache configuration on both sides (Debian's sizes of the event MPM, `AllowOverride None`, \
         `FollowSymLinks`, no limit on requests per connection). `embedded` names no process group; `1×5` and `2×15` are \
         processes × threads. A ratio is that of the medians, with the lowest and highest ratio of a round.\n\n{}\n{text}",
        options.line(),
        machine::describe(),
    )
}
