//! What Pinion has to reach beside the others, in the same run.

use std::fmt;

use super::super::stats::Spread;
use super::super::table::{Cell, Measure, Table};
use super::super::workload::Workload;
use super::contest::Measured;
use super::servers::PINION;
use super::subject::Subject;

/// A bound on the ratio of Pinion's throughput to another's with as many threads.
struct Bound {
    workload: &'static str,
    connections: u32,
    threads: u8,
    beside: &'static str,
    at_least: f64,
}

const BOUNDS: &[Bound] = &[
    Bound { workload: "hello", connections: 32, threads: 1, beside: "bjoern", at_least: 1.0 },
    Bound { workload: "hello", connections: 32, threads: 1, beside: "granian", at_least: 1.7 },
    Bound { workload: "hello", connections: 32, threads: 4, beside: "granian", at_least: 1.7 },
];

/// Who is so close to the first is level with it: where an application sleeps, all servers do the same.
const LEVEL: f64 = 0.97;
/// How much more memory than the interpreter with the application an idle server may take, in megabytes.
const MORE_MEMORY: f64 = 5.0;
/// How much later than the interpreter's first line the first answer may come, in milliseconds.
const MORE_TIME: f64 = 30.0;

/// What came of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was reached.
    Pass,
    /// Neither is ahead.
    Level,
    /// It was not reached.
    Miss,
}

impl Verdict {
    fn of(reached: bool) -> Self {
        if reached { Self::Pass } else { Self::Miss }
    }

    fn first(ratio: f64) -> Self {
        match ratio {
            1.0.. => Self::Pass,
            LEVEL.. => Self::Level,
            _ => Self::Miss,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Level => "level",
            Self::Miss => "**miss**",
        })
    }
}

/// A target, and what came.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What was to be reached.
    pub(super) what: String,
    /// The bound.
    pub(super) wanted: String,
    /// The figure.
    pub(super) came: String,
    /// How they compare.
    pub(super) verdict: Verdict,
}

/// Pinion beside the best of the others with as many threads.
#[derive(Debug)]
pub(super) struct First {
    /// The best of the others.
    pub(super) best: Subject,
    /// The ratio of Pinion's throughput to its.
    pub(super) ratio: Spread,
    /// Who is first.
    pub(super) verdict: Verdict,
}

/// How many targets were missed.
pub(super) fn missed(measured: &Measured) -> usize {
    let firsts = measured.table.loads().into_iter().flat_map(|load| {
        [1, 4].into_iter().filter_map(move |threads| first(&measured.table, load, threads))
    });
    let verdicts = outcomes(measured).into_iter().map(|outcome| outcome.verdict);
    let all = verdicts.chain(firsts.map(|first| first.verdict));
    all.filter(|verdict| *verdict == Verdict::Miss).count()
}

/// The outcome of each target whose both sides were measured.
pub(super) fn outcomes(measured: &Measured) -> Vec<Outcome> {
    let ratios = BOUNDS.iter().filter_map(|bound| bound.outcome(&measured.table));
    let costs = measured.lifespans.iter().filter(|lifespan| is_pinion(lifespan.subject));
    let costs = costs.flat_map(|lifespan| {
        let interpreter = &measured.interpreter;
        let who = lifespan.subject;
        [
            more(
                format!("memory of {who}, idle, beyond the interpreter with the application"),
                (&lifespan.memory.pss, &interpreter.memory.pss),
                (MORE_MEMORY, "MB"),
            ),
            more(
                format!("{who}'s first answer, behind the interpreter's own start"),
                (&lifespan.starts, &interpreter.starts),
                (MORE_TIME, "ms"),
            ),
        ]
    });
    ratios.chain(costs.flatten()).collect()
}

impl Bound {
    fn outcome(&self, table: &Table<Subject>) -> Option<Outcome> {
        let is_it = |(workload, connections): &(&Workload, u32)| {
            workload.name == self.workload && *connections == self.connections
        };
        let load = table.loads().into_iter().find(is_it)?;
        let find = |name| {
            let mut cells = table.under(load);
            let is_it =
                |subject: Subject| subject.server.name == name && subject.threads == self.threads;
            cells.find(|cell| is_it(cell.subject)).map(|cell| cell.subject)
        };
        let ratio = table.ratio(load, Measure::Throughput, find(PINION)?, find(self.beside)?)?;
        Some(Outcome {
            what: format!(
                "{}, {} connections, 1×{}: throughput, Pinion : {}",
                load.0.title, self.connections, self.threads, self.beside
            ),
            wanted: format!("≥ {:.1}", self.at_least),
            came: format!("{ratio:.2}"),
            verdict: Verdict::of(ratio.median >= self.at_least),
        })
    }
}

/// Pinion beside the others with that many threads, where both were measured.
pub(super) fn first(
    table: &Table<Subject>,
    load: (&'static Workload, u32),
    threads: u8,
) -> Option<First> {
    let equals = || table.under(load).filter(|cell| cell.subject.threads == threads);
    let ours = equals().find(|cell| is_pinion(cell.subject))?.subject;
    let others = equals().filter(|cell| !is_pinion(cell.subject) && serves_all(cell));
    let rated =
        others.filter_map(|cell| Some((cell.spread(Measure::Throughput)?.median, cell.subject)));
    let (_, best) = rated.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    let ratio = table.ratio(load, Measure::Throughput, ours, best)?;
    Some(First { best, ratio, verdict: Verdict::first(ratio.median) })
}

/// Whether more than a few of the connections were answered, where there were enough answers for that: who leaves most of them without any does
/// not serve that many.
pub(super) fn serves_all(cell: &Cell<Subject>) -> bool {
    cell.samples.iter().all(|sample| {
        let connections = u64::from(cell.connections);
        let answered = connections.saturating_sub(sample.unanswered.into());
        answered * 4 >= connections.min(sample.seen.requests)
    })
}

fn is_pinion(subject: Subject) -> bool {
    subject.server.name == PINION
}

/// By how much one median lies above the other.
fn more(
    what: String,
    (ours, theirs): (&[f64], &[f64]),
    (most, unit): (f64, &str),
) -> Option<Outcome> {
    let (ours, theirs) = (Spread::of(ours)?, Spread::of(theirs)?);
    let more = ours.median - theirs.median;
    Some(Outcome {
        what,
        wanted: format!("≤ {most:.0} {unit}"),
        came: format!("{more:.1} {unit} ({:.1} − {:.1})", ours.median, theirs.median),
        verdict: Verdict::of(more <= most),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::table::Sample;
    use super::super::super::workload::WORKLOADS;
    use super::super::super::wrk::Seen;
    use super::super::lifespan::{Interpreter, Lifespan, Memory};
    use super::super::servers::SERVERS;
    use super::*;

    fn subject(name: &str, threads: u8) -> Subject {
        let server = SERVERS.iter().find(|server| server.name == name).unwrap();
        Subject { server, threads }
    }

    /// Hello world at 32 connections, by requests a second in each round.
    fn table(cells: &[(&str, u8, &[u64])]) -> Table<Subject> {
        let mut table = Table::default();
        for (name, threads, rounds) in cells {
            for requests in *rounds {
                let second = Duration::from_secs(1);
                let (p50, p99) = (Duration::ZERO, Duration::ZERO);
                let (errors, closed) = (0, 0);
                let seen = Seen { requests: *requests, elapsed: second, p50, p99, errors, closed };
                let sample = Sample { seen, cpu: second, others: Duration::ZERO, unanswered: 0 };
                table.add(&WORKLOADS[0], 32, subject(name, *threads), sample);
            }
        }
        table
    }

    fn measured(table: Table<Subject>, lifespans: Vec<Lifespan>) -> Measured {
        let memory = Memory { pss: vec![10.0], rss: vec![12.0] };
        let interpreter = Interpreter { memory, starts: vec![20.0], loads: vec![25.0] };
        Measured { table, lifespans, interpreter, ceilings: Vec::new(), skipped: Vec::new() }
    }

    #[test]
    fn bounds_are_on_servers_and_loads_that_are_measured() {
        for bound in BOUNDS {
            assert!(subject(bound.beside, 1).server.threads.contains(&bound.threads));
            assert!(subject(PINION, 1).server.threads.contains(&bound.threads));
            assert!(WORKLOADS.iter().any(|workload| workload.name == bound.workload));
        }
    }

    #[test]
    fn a_bound_is_met_by_the_median_and_left_out_without_both_sides() {
        let both = table(&[("Pinion", 1, &[30, 10, 20]), ("bjoern", 1, &[19, 19, 19])]);
        let outcomes = outcomes(&measured(both, Vec::new()));
        assert_eq!(outcomes.len(), 1);
        assert_eq!(outcomes[0].came, "1.05 (0.53–1.58)");
        assert_eq!(outcomes[0].verdict, Verdict::Pass);
        let slow = table(&[("Pinion", 4, &[16]), ("granian", 4, &[10])]);
        assert_eq!(super::outcomes(&measured(slow, Vec::new()))[0].verdict, Verdict::Miss);
    }

    #[test]
    fn the_first_is_compared_with_the_best_of_its_equals() {
        let table = table(&[
            ("Pinion", 1, &[100]),
            ("Pinion", 4, &[98]),
            ("granian", 4, &[50]),
            ("uWSGI", 4, &[100]),
            ("bjoern", 1, &[200]),
        ]);
        let first = |threads| super::first(&table, (&WORKLOADS[0], 32), threads).unwrap();
        assert_eq!(first(4).best, subject("uWSGI", 4));
        assert_eq!(first(4).verdict, Verdict::Level);
        assert_eq!(first(1).best, subject("bjoern", 1));
        assert_eq!(first(1).verdict, Verdict::Miss);
        assert!(super::first(&table, (&WORKLOADS[1], 32), 4).is_none());
    }

    #[test]
    fn who_leaves_most_connections_without_an_answer_is_not_the_first() {
        let mut table = table(&[("Pinion", 4, &[100]), ("granian", 4, &[50])]);
        let second = Duration::from_secs(1);
        let (p50, p99) = (Duration::ZERO, Duration::ZERO);
        let seen = Seen { requests: 200, elapsed: second, p50, p99, errors: 0, closed: 0 };
        for (name, unanswered) in [("uWSGI", 28), ("cheroot", 20)] {
            let sample = Sample { seen, cpu: second, others: Duration::ZERO, unanswered };
            table.add(&WORKLOADS[0], 32, subject(name, 4), sample);
        }
        let first = |table: &_| super::first(table, (&WORKLOADS[0], 32), 4).unwrap().best;
        assert_eq!(first(&table), subject("cheroot", 4));
        // Nobody can answer more connections than there are answers.
        let seen = Seen { requests: 10_000, ..seen };
        let few = Seen { requests: 4, ..seen };
        for (seen, unanswered, counts) in [(few, 28, true), (few, 32, false), (seen, 28, false)] {
            let sample = Sample { seen, cpu: second, others: Duration::ZERO, unanswered };
            let (workload, subject) = (&WORKLOADS[0], subject("uWSGI", 4));
            let cell = Cell { workload, connections: 32, subject, samples: vec![sample] };
            assert_eq!(serves_all(&cell), counts, "{unanswered}");
        }
    }

    #[test]
    fn who_is_hardly_behind_is_level_and_whoever_is_ahead_is_first() {
        assert_eq!(Verdict::first(1.0), Verdict::Pass);
        assert_eq!(Verdict::first(0.975), Verdict::Level);
        assert_eq!(Verdict::first(0.96), Verdict::Miss);
    }

    #[test]
    fn memory_and_start_are_what_comes_on_top_of_the_interpreter() {
        let memory = Memory { pss: vec![14.0, 15.5, 14.5], rss: vec![30.0; 3] };
        let starts = vec![51.0, 49.0, 52.0];
        let lifespan = Lifespan { subject: subject(PINION, 1), memory, starts };
        let bjoern = Lifespan {
            subject: subject("bjoern", 1),
            memory: Memory::default(),
            starts: Vec::new(),
        };
        let measured = measured(Table::default(), vec![lifespan, bjoern]);
        let outcomes = outcomes(&measured);
        assert_eq!(outcomes[0].came, "4.5 MB (14.5 − 10.0)");
        assert_eq!(outcomes[1].came, "31.0 ms (51.0 − 20.0)");
        assert_eq!(
            outcomes.iter().map(|it| it.verdict).collect::<Vec<_>>(),
            [Verdict::Pass, Verdict::Miss]
        );
        assert_eq!(missed(&measured), 1);
    }
}
