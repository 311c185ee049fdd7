//! The measurements as Markdown, for the terminal and for the page.

use std::fmt::Write as _;

use super::Measured;
use super::lifespan::Lifespan;
use super::stats::Spread;
use super::subject::{Mode, Subject};
use super::table::{Cell, Measure, Table};
use super::targets;
use crate::server::Which;

/// Pinion's modes beside mod_wsgi's: like with like, and what replaces the embedded mode.
const PAIRS: [(Mode, Mode); 5] = [
    (Mode::Embedded, Mode::Embedded),
    (Mode::ONE, Mode::Embedded),
    (Mode::ONE, Mode::ONE),
    (Mode::TWO, Mode::Embedded),
    (Mode::TWO, Mode::TWO),
];

/// All tables.
pub(super) fn markdown(measured: &Measured) -> String {
    [
        quiet(&measured.table),
        targets_table(&measured.table),
        ratios(&measured.table, "Throughput", Measure::Throughput),
        ratios(&measured.table, "CPU per request", Measure::Cpu),
        numbers(&measured.table),
        lifespans(&measured.lifespans),
    ]
    .concat()
}

/// How far the figures can be trusted: what else ran on the machine meanwhile.
pub(super) fn quiet<S: Copy + PartialEq>(table: &Table<S>) -> String {
    let Some(others) = table.others() else { return String::new() };
    let warning = if others.median > 0.1 {
        " **The machine was not idle: throughput and p99 say little, CPU per request more.**"
    } else {
        ""
    };
    format!("Processors that other programs kept busy meanwhile: {others:.2}.{warning}\n\n")
}

fn targets_table(table: &Table<Subject>) -> String {
    let outcomes = targets::outcomes(table);
    if outcomes.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "### Targets\n\nRatios of Pinion's to mod_wsgi's.\n\n\
         | load | connections | what | Pinion | mod_wsgi | wanted | came | |\n|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let _ = writeln!(text, "{outcome}");
    }
    text + "\n"
}

fn ratios(table: &Table<Subject>, title: &str, measure: Measure) -> String {
    let mut rows = String::new();
    for (workload, connections) in table.loads() {
        let cells: Vec<String> = PAIRS
            .iter()
            .map(|(ours, theirs)| {
                let ours = Subject { which: Which::Pinion, mode: *ours };
                let theirs = Subject { which: Which::ModWsgi, mode: *theirs };
                let ratio = table.ratio((workload, connections), measure, ours, theirs);
                ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
            })
            .collect();
        if cells.iter().any(|cell| cell != "–") {
            let _ =
                writeln!(rows, "| {} | {connections} | {} |", workload.title, cells.join(" | "));
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let heads: Vec<String> =
        PAIRS.iter().map(|(ours, theirs)| format!("{ours} : {theirs}")).collect();
    format!(
        "### {title}, Pinion : mod_wsgi\n\n| load | connections | {} |\n|---|---|{}\n{rows}\n",
        heads.join(" | "),
        "---|".repeat(PAIRS.len()),
    )
}

fn numbers(table: &Table<Subject>) -> String {
    let mut text = String::from(
        "### Figures\n\nMedian (lowest–highest) of the rounds. `closed` counts kept connections that Apache closed, \
         as its event MPM does when all threads of a child are busy.\n\n",
    );
    text.push_str(
        "| load | connections | server | requests/s | p99, µs | CPU per request, µs | failed | closed |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    for (workload, connections) in table.loads() {
        for cell in table.under((workload, connections)) {
            let _ = writeln!(text, "{}", row(cell));
        }
    }
    text + "\n"
}

fn row(cell: &Cell<Subject>) -> String {
    let number = |measure| cell.spread(measure).map_or_else(String::new, |it| it.to_string());
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |",
        cell.workload.title,
        cell.connections,
        cell.subject,
        number(Measure::Throughput),
        number(Measure::P99),
        number(Measure::Cpu),
        cell.errors(),
        cell.closed(),
    )
}

fn lifespans(lifespans: &[Lifespan]) -> String {
    if lifespans.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "### Memory, cold start, graceful restart\n\n\
         Memory is PSS after the load above. A cold start lasts from Apache's start, a graceful restart from \
         its signal, to the application's next answer.\n\n\
         | server | memory of a worker, MB | workers | memory in all, MB | cold start, ms | graceful restart, ms |\n\
         |---|---|---|---|---|---|\n",
    );
    for it in lifespans {
        let spread = |values: &[f64]| {
            Spread::of(values).map_or_else(|| "–".to_owned(), |spread| format!("{spread:.0}"))
        };
        let _ = writeln!(
            text,
            "| {} | {:.1} | {} | {:.1} | {} | {} |",
            it.subject,
            megabytes(it.memory.worker),
            it.memory.workers,
            megabytes(it.memory.whole),
            spread(&it.cold_starts),
            spread(&it.gracefuls),
        );
    }
    text + "\n"
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
}
