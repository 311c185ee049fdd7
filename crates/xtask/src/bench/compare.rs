//! `cargo xtask bench compare`: two builds of Pinion beside each other, to see what a change costs.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pinion_testbed::{Apache, Server, packages};

use super::selection::Selection;
use super::stats::Spread;
use super::subject::{Mode, Subject};
use super::workload::{WORKLOADS, Workload};
use super::{calibrate, sample, wrk};
use crate::failure::{Failure, Result};
use crate::server::Which;
use crate::{dist, say};

/// What an installed site may lose by a change that it does not use.
const ALLOWED: f64 = 0.03;

/// Which builds to compare, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The staged tree of the build before, made by `cargo xtask dist` in another checkout
    #[arg(long, value_name = "DIR")]
    baseline: PathBuf,
    /// The staged tree to compare with it [default: this checkout, built now]
    #[arg(long, value_name = "DIR")]
    candidate: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
    /// Fail where the throughput fell by more than 3 %
    #[arg(long)]
    strict: bool,
}

/// A build that runs.
struct Build {
    mode: Mode,
    before: Apache,
    after: Apache,
}

/// Measures both in interleaved rounds, and prints the ratios with their spread over the rounds.
pub(super) fn run(options: &Options) -> Result<()> {
    let workloads: Vec<_> = WORKLOADS.iter().collect();
    let loads = options.selection.loads(&workloads, &[1, 32])?;
    packages::ensure(packages::APACHE)?;
    packages::ensure(&["wrk"])?;
    let candidate = match &options.candidate {
        Some(tree) => tree.clone(),
        None => dist::build()?,
    };
    let builds = start(&options.baseline, &candidate)?;
    say::line(format_args!(
        "| load | mode | before, requests/s | after : before | processor time of a request, after : before | |\n|---|---|---|---|---|---|"
    ));
    let mut slower = 0;
    for (workload, connections) in loads {
        for build in &builds {
            let figures = measure(build, workload, connections, &options.selection)?;
            slower += usize::from(!figures.is_kept());
            say::line(format_args!(
                "| {}, {connections} | {} | {} |",
                workload.title,
                build.mode,
                figures.cells()
            ));
        }
    }
    if options.strict && slower > 0 {
        return Err(Failure::wrong(
            format!("{slower} loads are slower than before by more than 3 %"),
            "see the table; on a busy machine, measure again",
        ));
    }
    Ok(())
}

fn start(before: &std::path::Path, after: &std::path::Path) -> Result<Vec<Build>> {
    let (before, after) = (Server::pinion_at(before)?, Server::pinion_at(after)?);
    let rounds = calibrate::rounds()?;
    let running = |mode| {
        let subject = Subject { which: Which::Pinion, mode };
        let (before, after) = (subject.start(&before, rounds)?, subject.start(&after, rounds)?);
        Ok(Build { mode, before, after })
    };
    Mode::ALL.into_iter().map(running).collect()
}

/// Requests in a second, and seconds of processor time for each, of each round.
#[derive(Debug, Default)]
struct Figures {
    before: (Vec<f64>, Vec<f64>),
    after: (Vec<f64>, Vec<f64>),
}

impl Figures {
    /// Whether the throughput is as before, but for the allowed part.
    fn is_kept(&self) -> bool {
        let ratio = Spread::ratio(&self.after.0, &self.before.0);
        ratio.is_some_and(|ratio| ratio.median >= 1.0 - ALLOWED)
    }

    fn cells(&self) -> String {
        let rate = Spread::of(&self.before.0).map_or_else(String::new, |rate| rate.to_string());
        let ratio = |after: &[f64], before: &[f64]| {
            Spread::ratio(after, before).map_or_else(String::new, |ratio| format!("{ratio:.3}"))
        };
        let told = if self.is_kept() { "" } else { "**slower**" };
        format!(
            "{rate} | {} | {} | {told}",
            ratio(&self.after.0, &self.before.0),
            ratio(&self.after.1, &self.before.1)
        )
    }
}

fn measure(
    build: &Build,
    workload: &Workload,
    connections: u32,
    selection: &Selection,
) -> Result<Figures> {
    for apache in [&build.before, &build.after] {
        wrk::load(&apache.url(""), workload, connections, 1)?;
    }
    let mut figures = Figures::default();
    for round in 0..selection.rounds() {
        // Each is the first as often as the other.
        let mut pair = [(&build.before, &mut figures.before), (&build.after, &mut figures.after)];
        if round % 2 == 1 {
            pair.reverse();
        }
        for (apache, (rates, times)) in pair {
            let sample = sample(apache, workload, connections, selection.seconds(2))?;
            let requests = sample.seen.requests.max(1) as f64;
            rates.push(requests / sample.seen.elapsed.max(Duration::from_millis(1)).as_secs_f64());
            times.push(sample.cpu.as_secs_f64() / requests);
        }
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(after: &[f64]) -> Figures {
        let before = (vec![100.0, 102.0, 98.0], vec![1.0; 3]);
        Figures { before, after: (after.to_vec(), vec![1.1; 3]) }
    }

    #[test]
    fn a_loss_of_more_than_three_percent_is_told() {
        assert!(figures(&[98.0, 99.0, 97.5]).is_kept());
        let slower = figures(&[96.0, 97.0, 90.0]);
        assert!(!slower.is_kept() && slower.cells().ends_with("**slower**"));
        assert_eq!(
            figures(&[100.0, 102.0, 98.0]).cells(),
            "100 (98–102) | 1.000 (1.000–1.000) | 1.100 (1.100–1.100) | "
        );
    }
}
