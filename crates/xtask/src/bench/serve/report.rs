//! The measurements as Markdown, for the terminal and for the page.

use std::fmt::Write as _;

use super::super::report::quiet;
use super::super::stats::Spread;
use super::super::table::{Cell, Measure, Table};
use super::contest::{CANNED, Ceiling, Measured};
use super::subject::Subject;
use super::targets;

/// All tables.
pub(super) fn markdown(measured: &Measured) -> String {
    let table = &measured.table;
    [
        quiet(table),
        skipped(measured),
        targets_table(measured),
        ceilings(measured),
        firsts(table),
        ratios(table, "Throughput", Measure::Throughput),
        ratios(table, "CPU per request", Measure::Cpu),
        lifespans(measured),
        numbers(table),
    ]
    .concat()
}

fn skipped(measured: &Measured) -> String {
    let mut text = String::new();
    for it in &measured.skipped {
        let _ = writeln!(text, "Skipped: {}. {}\n", it.name, it.reason);
    }
    text
}

fn targets_table(measured: &Measured) -> String {
    let mut text = String::from("### Targets\n\n| what | wanted | came | |\n|---|---|---|---|\n");
    for it in targets::outcomes(measured) {
        let _ = writeln!(text, "| {} | {} | {} | {} |", it.what, it.wanted, it.came, it.verdict);
    }
    text + "\n"
}

/// What the client takes, beside what each server gives.
fn ceilings(measured: &Measured) -> String {
    let subjects = subjects(&measured.table);
    let heads: Vec<String> = subjects.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "### What the client takes\n\nHello world from a thread that has its answer ready and does not look at what it is asked, in the \
         same rounds: what a server with nothing to do would have with this client. Its throughput : the servers'.\n\n\
         | connections | answers/s | {} |\n|---|---|{}\n",
        heads.join(" | "),
        "---|".repeat(heads.len()),
    );
    for it in &measured.ceilings {
        let cells = measured.table.cells().iter();
        let under: Vec<_> = cells.filter(|cell| is_beside(cell, it)).collect();
        let ratios = subjects.iter().map(|subject| {
            let cell = under.iter().find(|cell| cell.subject == *subject)?;
            Spread::ratio(&it.answers, &cell.values(Measure::Throughput))
        });
        let ratios: Vec<_> =
            ratios.map(|it| it.map_or("–".into(), |it| format!("{it:.2}"))).collect();
        let answers = Spread::of(&it.answers).map_or_else(String::new, |it| it.to_string());
        let _ = writeln!(text, "| {} | {answers} | {} |", it.connections, ratios.join(" | "));
    }
    text + "\n"
}

fn is_beside(cell: &Cell<Subject>, ceiling: &Ceiling) -> bool {
    cell.workload.name == CANNED && cell.connections == ceiling.connections
}

/// All that were measured, each once.
fn subjects(table: &Table<Subject>) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    for cell in table.cells() {
        if !subjects.contains(&cell.subject) {
            subjects.push(cell.subject);
        }
    }
    subjects
}

/// Pinion beside the best of the others, with equal threads.
fn firsts(table: &Table<Subject>) -> String {
    let mut text = String::from(
        "### First of all\n\nPinion's throughput beside that of the best of the others with as many processes and threads. \
         `level`: within 3 %. Who leaves more than three quarters of the connections without any answer does not count: see the figures.\n\n\
         | load | connections | best of the others at 1×1 | Pinion : it | | best of the others at 1×4 | Pinion : it | |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for load in table.loads() {
        let cells: Vec<String> = [1, 4]
            .into_iter()
            .map(|threads| match targets::first(table, load, threads) {
                Some(it) => format!("{} | {:.2} | {}", it.best.server.name, it.ratio, it.verdict),
                None => "– | – | ".to_owned(),
            })
            .collect();
        let _ = writeln!(text, "| {} | {} | {} |", load.0.title, load.1, cells.join(" | "));
    }
    text + "\n"
}

/// Pinion beside each of the others, with equal threads.
fn ratios(table: &Table<Subject>, title: &str, measure: Measure) -> String {
    let (ours, others): (Vec<_>, Vec<_>) =
        subjects(table).into_iter().partition(|subject| subject.server.requirement.is_none());
    let heads: Vec<String> = others.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "### {title}, Pinion : others with as many threads\n\n| load | connections | {} |\n|---|---|{}\n",
        heads.join(" | "),
        "---|".repeat(heads.len()),
    );
    for load in table.loads() {
        let cells: Vec<String> = others
            .iter()
            .map(|other| {
                let equal = ours.iter().find(|subject| subject.threads == other.threads);
                let ratio = equal.and_then(|equal| table.ratio(load, measure, *equal, *other));
                ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
            })
            .collect();
        let _ = writeln!(text, "| {} | {} | {} |", load.0.title, load.1, cells.join(" | "));
    }
    text + "\n"
}

fn lifespans(measured: &Measured) -> String {
    let mut text = String::from(
        "### Memory of an idle server, start to first answer\n\n\
         Each alone on the machine, all its processes behind a first answer. PSS counts shared pages in parts, RSS in each \
         process. The interpreter's start is its first line of Python; behind the +, loading the application.\n\n\
         | server | PSS, MB | RSS, MB | first answer, ms |\n|---|---|---|---|\n",
    );
    let spread = |values: &[f64]| {
        Spread::of(values).map_or_else(|| "–".to_owned(), |spread| format!("{spread:.1}"))
    };
    let interpreter = &measured.interpreter;
    let loading: Vec<f64> =
        interpreter.loads.iter().zip(&interpreter.starts).map(|(all, own)| all - own).collect();
    let _ = writeln!(
        text,
        "| the interpreter with the application | {} | {} | {} + {} |",
        spread(&interpreter.memory.pss),
        spread(&interpreter.memory.rss),
        spread(&interpreter.starts),
        spread(&loading),
    );
    for it in &measured.lifespans {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            it.subject,
            spread(&it.memory.pss),
            spread(&it.memory.rss),
            spread(&it.starts),
        );
    }
    text + "\n"
}

fn numbers(table: &Table<Subject>) -> String {
    let mut text = String::from(
        "### Figures\n\nMedian (lowest–highest) of the rounds. `closed` counts connections that the server closed, \
         `unanswered` those that had got nothing shortly before the end of a round, at most.\n\n\
         | load | connections | server | requests/s | p99, µs | CPU per request, µs | failed | closed | unanswered |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for load in table.loads() {
        for cell in table.under(load) {
            let _ = writeln!(text, "{}", row(cell));
        }
    }
    text + "\n"
}

fn row(cell: &Cell<Subject>) -> String {
    let number = |measure| cell.spread(measure).map_or_else(String::new, |it| it.to_string());
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        cell.workload.title,
        cell.connections,
        cell.subject,
        number(Measure::Throughput),
        number(Measure::P99),
        number(Measure::Cpu),
        cell.errors(),
        cell.closed(),
        cell.unanswered(),
    )
}
