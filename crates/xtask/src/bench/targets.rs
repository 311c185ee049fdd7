//! What Pinion has to reach beside mod_wsgi, in the same run.

use std::fmt;

use super::stats::Spread;
use super::subject::{Mode, Subject};
use super::table::{Measure, Table};
use super::workload::WORKLOADS;
use crate::server::Which;

/// A bound on a ratio of Pinion's number to mod_wsgi's.
#[derive(Debug)]
pub(super) struct Target {
    workload: &'static str,
    connections: u32,
    measure: Measure,
    ours: Mode,
    theirs: Mode,
    bound: Bound,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};
use Measure::{P99, Throughput};

/// The targets; where mod_wsgi's daemon mode is meant, processes and threads are equal.
const TARGETS: &[Target] = &[
    target("hello", 32, Throughput, Mode::ONE, Mode::Embedded, AtLeast(1.4)),
    target("hello", 32, Throughput, Mode::ONE, Mode::ONE, AtLeast(2.8)),
    target("hello", 32, Throughput, Mode::TWO, Mode::TWO, AtLeast(2.8)),
    target("hello", 32, P99, Mode::ONE, Mode::Embedded, AtMost(0.5)),
    target("hello", 1, Throughput, Mode::ONE, Mode::Embedded, AtLeast(1.1)),
    target("python", 32, Throughput, Mode::ONE, Mode::ONE, AtLeast(1.7)),
    target("python", 32, Throughput, Mode::TWO, Mode::TWO, AtLeast(1.7)),
    target("download", 32, Throughput, Mode::ONE, Mode::Embedded, AtLeast(1.0)),
    target("anew", 32, Throughput, Mode::ONE, Mode::Embedded, AtLeast(1.0)),
    target("upload", 32, Throughput, Mode::ONE, Mode::Embedded, AtLeast(1.0)),
];

const fn target(
    workload: &'static str,
    connections: u32,
    measure: Measure,
    ours: Mode,
    theirs: Mode,
    bound: Bound,
) -> Target {
    Target { workload, connections, measure, ours, theirs, bound }
}

/// A target, and what came.
#[derive(Debug)]
pub(super) struct Outcome {
    target: &'static Target,
    ratio: Spread,
}

impl Outcome {
    /// Whether it was reached.
    pub(super) fn passed(&self) -> bool {
        match self.target.bound {
            AtLeast(bound) => self.ratio.median >= bound,
            AtMost(bound) => self.ratio.median <= bound,
        }
    }
}

/// A row of a table: load, ours, theirs, wanted, came, verdict.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { workload, connections, measure, ours, theirs, bound } = self.target;
        let what = match measure {
            Throughput => "throughput",
            P99 => "p99",
            Measure::Cpu => "CPU",
        };
        let wanted = match bound {
            AtLeast(bound) => format!("≥ {bound}"),
            AtMost(bound) => format!("≤ {bound}"),
        };
        let verdict = if self.passed() { "pass" } else { "**miss**" };
        let ratio = self.ratio;
        write!(
            f,
            "| {workload} | {connections} | {what} | {ours} | {theirs} | {wanted} | {ratio:.2} | {verdict} |"
        )
    }
}

/// The outcome of each target whose both sides were measured.
pub(super) fn outcomes(table: &Table<Subject>) -> Vec<Outcome> {
    let outcome = |target: &'static Target| {
        let workload = WORKLOADS.iter().find(|workload| workload.name == target.workload)?;
        let ours = Subject { which: Which::Pinion, mode: target.ours };
        let theirs = Subject { which: Which::ModWsgi, mode: target.theirs };
        let load = (workload, target.connections);
        Some(Outcome { target, ratio: table.ratio(load, target.measure, ours, theirs)? })
    };
    TARGETS.iter().filter_map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_names_a_workload_and_counts_connections_that_are_measured() {
        for target in TARGETS {
            assert!(WORKLOADS.iter().any(|workload| workload.name == target.workload));
            assert!(super::super::workload::CONNECTIONS.contains(&target.connections));
        }
    }

    #[test]
    fn a_bound_is_met_by_the_median() {
        let ratio = Spread { median: 1.4, low: 1.0, high: 2.0 };
        assert!(Outcome { target: &TARGETS[0], ratio }.passed());
        assert!(!Outcome { target: &TARGETS[3], ratio }.passed());
        let row = Outcome { target: &TARGETS[0], ratio }.to_string();
        assert_eq!(
            row,
            "| hello | 32 | throughput | 1×5 | embedded | ≥ 1.4 | 1.40 (1.00–2.00) | pass |"
        );
    }
}
