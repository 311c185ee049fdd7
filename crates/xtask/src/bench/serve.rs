//! `cargo xtask bench serve`: `pinion serve` beside other WSGI servers, in interleaved rounds of one run.

mod canned;
mod contest;
mod lifespan;
mod page;
mod report;
mod served;
mod servers;
mod subject;
mod targets;

use clap::Args;
use pinion_testbed::packages;

use super::selection::Selection;
use super::workload::{CONNECTIONS, MANY, WORKLOADS};
use crate::failure::{Failure, Result};
use crate::say;
use contest::Contest;

/// What to measure, and how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    /// Only this server beside Pinion; may be repeated
    #[arg(long, value_name = "SERVER")]
    beside: Vec<String>,
    /// Write the result to docs/benchmarks-serve.md
    #[arg(long)]
    write: bool,
    /// Fail where a target is missed
    #[arg(long)]
    strict: bool,
}

/// Measures, prints the tables, and writes the page where that was asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    let selection = &options.selection;
    let workloads: Vec<_> =
        WORKLOADS.iter().filter(|it| !["anew", "stream"].contains(&it.name)).collect();
    let counts: Vec<u32> = CONNECTIONS.iter().copied().chain([MANY]).collect();
    let loads = selection.loads(&workloads, &counts)?;
    let servers = servers::chosen(&options.beside)?;
    packages::ensure(&["iproute2", "python3-venv", "wrk"])?;
    let measured = Contest::prepare(&servers)?.measure(&loads, selection)?;
    let text = report::markdown(&measured);
    say::line(format_args!("\n{text}"));
    if options.write {
        page::write(selection, &measured, &text)?;
    }
    let missed = targets::missed(&measured);
    if options.strict && missed > 0 {
        return Err(Failure::wrong(
            format!("{missed} targets were missed"),
            "see the first tables",
        ));
    }
    Ok(())
}
