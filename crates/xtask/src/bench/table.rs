//! What was measured, kept by workload, connections and subject.

use std::time::Duration;

use super::stats::Spread;
use super::workload::Workload;
use super::wrk::Seen;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// What wrk saw.
    pub(super) seen: Seen,
    /// CPU time of Apache and all its processes meanwhile.
    pub(super) cpu: Duration,
    /// CPU time of everything but Apache and wrk meanwhile.
    pub(super) others: Duration,
    /// Connections on which no answer had come shortly before the end, where that was looked at.
    pub(super) unanswered: u32,
}

/// A number to be taken from a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Answers a second.
    Throughput,
    /// Microseconds within which 99 of 100 answers came.
    P99,
    /// Microseconds of CPU time per answer.
    Cpu,
}

impl Measure {
    fn of(self, sample: &Sample) -> f64 {
        // Counts stay far below 2^32 in the seconds that a measurement takes.
        let requests = f64::from(u32::try_from(sample.seen.requests).unwrap_or(u32::MAX)).max(1.0);
        match self {
            Self::Throughput => sample.seen.rate(),
            Self::P99 => sample.seen.p99.as_secs_f64() * 1e6,
            Self::Cpu => sample.cpu.as_secs_f64() * 1e6 / requests,
        }
    }
}

/// The rounds of one subject under one load.
#[derive(Debug)]
pub(super) struct Cell<S> {
    /// What was asked for.
    pub(super) workload: &'static Workload,
    /// On how many connections.
    pub(super) connections: u32,
    /// Of whom.
    pub(super) subject: S,
    /// One measurement a round.
    pub(super) samples: Vec<Sample>,
}

impl<S> Cell<S> {
    /// That number of each round.
    pub(super) fn values(&self, measure: Measure) -> Vec<f64> {
        self.samples.iter().map(|sample| measure.of(sample)).collect()
    }

    /// Its spread over the rounds.
    pub(super) fn spread(&self, measure: Measure) -> Option<Spread> {
        Spread::of(&self.values(measure))
    }

    /// Failed requests of all rounds.
    pub(super) fn errors(&self) -> u64 {
        self.samples.iter().map(|sample| sample.seen.errors).sum()
    }

    /// The most connections that were left without any answer in a round.
    pub(super) fn unanswered(&self) -> u32 {
        self.samples.iter().map(|sample| sample.unanswered).max().unwrap_or(0)
    }

    /// Connections that were closed in all rounds.
    pub(super) fn closed(&self) -> u64 {
        self.samples.iter().map(|sample| sample.seen.closed).sum()
    }
}

/// All measurements.
#[derive(Debug)]
pub(super) struct Table<S>(Vec<Cell<S>>);

impl<S> Default for Table<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Copy + PartialEq> Table<S> {
    /// Adds one round's measurement.
    pub(super) fn add(
        &mut self,
        workload: &'static Workload,
        connections: u32,
        subject: S,
        sample: Sample,
    ) {
        if let Some(cell) = self.0.iter_mut().find(|cell| is(cell, workload, connections, subject))
        {
            cell.samples.push(sample);
        } else {
            self.0.push(Cell { workload, connections, subject, samples: vec![sample] });
        }
    }

    /// Processors that other programs kept busy, as a spread over all measurements.
    pub(super) fn others(&self) -> Option<Spread> {
        let samples = self.0.iter().flat_map(|cell| &cell.samples);
        let shares: Vec<f64> = samples
            .map(|sample| sample.others.as_secs_f64() / sample.seen.elapsed.as_secs_f64().max(1e-6))
            .collect();
        Spread::of(&shares)
    }

    /// All cells, in the order in which they were measured first.
    pub(super) fn cells(&self) -> &[Cell<S>] {
        &self.0
    }

    /// The loads that were measured, each once.
    pub(super) fn loads(&self) -> Vec<(&'static Workload, u32)> {
        let mut loads = Vec::new();
        for cell in &self.0 {
            if !loads.contains(&(cell.workload, cell.connections)) {
                loads.push((cell.workload, cell.connections));
            }
        }
        loads
    }

    /// The rounds of each subject under this load.
    pub(super) fn under(
        &self,
        (workload, connections): (&Workload, u32),
    ) -> impl Iterator<Item = &Cell<S>> {
        let is_it =
            move |cell: &&Cell<S>| cell.workload == workload && cell.connections == connections;
        self.0.iter().filter(is_it)
    }

    /// The ratio of one subject's number to another's under the same load, if both were measured.
    pub(super) fn ratio(
        &self,
        (workload, connections): (&Workload, u32),
        measure: Measure,
        ours: S,
        theirs: S,
    ) -> Option<Spread> {
        let values = |subject| {
            let cell = self.0.iter().find(|cell| is(cell, workload, connections, subject))?;
            Some(cell.values(measure))
        };
        Spread::ratio(&values(ours)?, &values(theirs)?)
    }
}

fn is<S: PartialEq>(cell: &Cell<S>, workload: &Workload, connections: u32, subject: S) -> bool {
    cell.workload == workload && cell.connections == connections && cell.subject == subject
}
