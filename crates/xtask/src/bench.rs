//! `cargo xtask bench`: mod_wsgi and Pinion side by side, in interleaved rounds of one run.

mod calibrate;
pub(crate) mod disturb;
mod lifespan;
pub(crate) mod machine;
pub(crate) mod page;
mod report;
mod stats;
mod subject;
mod table;
mod targets;
pub(crate) mod usage;
mod workload;
mod wrk;

use clap::{Args, Subcommand};
use pinion_testbed::{Apache, Server, packages};

use crate::failure::{Failure, Result};
use crate::say;
use crate::server::On;
use calibrate::Rounds;
use lifespan::Lifespan;
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
    /// Three rounds of one second, at 32 connections and hello world at 1
    #[arg(long)]
    quick: bool,
    /// Only this workload; may be repeated
    #[arg(long, value_name = "WORKLOAD")]
    only: Vec<String>,
    /// Only this number of connections; may be repeated
    #[arg(long, value_name = "N")]
    connections: Vec<u32>,
    /// Rounds of each measurement [default: 5, or 3 with --quick]
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of one measurement [default: 2, or 1 with --quick]
    #[arg(long)]
    seconds: Option<u32>,
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
}

/// What one run measured.
#[derive(Debug)]
struct Measured {
    table: Table,
    lifespans: Vec<Lifespan>,
}

/// Measures, prints the tables, and writes the page where that was asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(Other::Disturb(options)) = &options.other {
        return disturb::run(options);
    }
    let loads = options.loads()?;
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
        self.rounds.unwrap_or(if self.quick { 3 } else { 5 }).max(1)
    }

    fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(if self.quick { 1 } else { 2 }).max(1)
    }

    /// The loads that were asked for.
    fn loads(&self) -> Result<Vec<(&'static Workload, u32)>> {
        let known = |name: &String| WORKLOADS.iter().any(|workload| workload.name == *name);
        if let Some(name) = self.only.iter().find(|name| !known(name)) {
            let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return Err(Failure::wrong(
                format!("there is no workload {name}"),
                format!("one of {}", names.join(", ")),
            ));
        }
        let mut loads = Vec::new();
        for workload in WORKLOADS {
            if !self.only.is_empty() && !self.only.iter().any(|name| name == workload.name) {
                continue;
            }
            let counts = if self.connections.is_empty() { CONNECTIONS } else { &self.connections };
            let quick = |count: &u32| *count == 32 || (*count == 1 && workload.name == "hello");
            let wanted = counts
                .iter()
                .filter(|count| !self.quick || !self.connections.is_empty() || quick(count));
            loads.extend(wanted.map(|count| (workload, *count)));
        }
        Ok(loads)
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
            wrk::load(apache, workload, connections, 1)?;
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
    let seen = wrk::load(apache, workload, connections, seconds)?;
    let cpu = usage::cpu(apache).saturating_sub(before);
    Ok(Sample { seen, cpu, others: machine.used_by_others(cpu) })
}

/// One line a subject, while the reader waits for the rest.
fn progress(table: &Table, workload: &Workload, connections: u32) {
    say::step(format_args!("{}, {connections} connections", workload.title));
    for cell in table.cells() {
        if cell.workload == workload && cell.connections == connections {
            let of = |measure| cell.spread(measure).map_or(0.0, |Spread { median, .. }| median);
            say::line(format_args!(
                "{:<20} {:>9.0}/s  p99 {:>8.0} µs  CPU {:>7.0} µs  failed {}",
                cell.subject.to_string(),
                of(Measure::Throughput),
                of(Measure::P99),
                of(Measure::Cpu),
                cell.errors(),
            ));
        }
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
