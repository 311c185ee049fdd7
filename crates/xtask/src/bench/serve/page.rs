//! `docs/benchmarks-serve.md`.

use std::fmt::Write as _;

use super::super::selection::Selection;
use super::super::{machine, page};
use super::contest::{Measured, SECONDS};
use super::servers::SERVERS;
use crate::failure::Result;

/// Writes the page.
pub(super) fn write(selection: &Selection, measured: &Measured, text: &str) -> Result<()> {
    let versions: Vec<String> = SERVERS
        .iter()
        .filter(|server| !measured.skipped.iter().any(|skipped| skipped.name == server.name))
        .filter_map(|server| server.requirement.map(str::to_owned))
        .collect();
    let machine = machine::list(&[("Servers", versions.join(", "))]);
    let (rounds, seconds) = (selection.rounds(), selection.seconds(SECONDS));
    let about = format!(
        "# pinion serve beside other servers\n\n\
         `cargo xtask bench serve --rounds {rounds} --seconds {seconds}`: interleaved rounds in one run, servers that are started \
         anew in each and asked in an order that changes (all with the same PYTHONHASHSEED, another one each time), wrk with one \
         thread as the client on the same machine, one process each. `1×1` and `1×4` are processes × threads. A ratio is that of the \
         medians, with the lowest and highest ratio of a round. The commands are at the end.\n\n{machine}"
    );
    page::replace("docs/benchmarks-serve.md", &format!("{about}\n{text}{}", commands()))
}

fn commands() -> String {
    let mut text = String::from("### Commands\n\n");
    for server in SERVERS {
        let quoted = server.command.iter().map(|word| {
            if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() }
        });
        let line: Vec<String> = quoted.collect();
        let _ = writeln!(text, "    {}", line.join(" "));
    }
    text
}
