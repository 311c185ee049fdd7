//! `docs/compatibility.md`: what becomes of each of mod_wsgi's directives and options, and the case that
//! shows it.

use std::collections::BTreeSet;

use pinion_config::compatibility::{Answer, DIRECTIVES, OPTIONS, Row};

use crate::failure::{Failure, Result};
use crate::run;
use pinion_testbed as testbed;

/// The page, without its first line.
///
/// # Errors
/// A row names a case that Pinion is not asked, or cases could not be listed.
pub(super) fn page() -> Result<String> {
    check(&cases()?)?;
    let mut page = String::from(
        "# Compatibility\n\nEach directive of mod_wsgi 6.1 and each option of its `WSGIDaemonProcess`: whether Pinion honours \
         it, and the cases in `compat/src/cases` that show it (`cargo xtask compat --on both NAME`). What has no row \
         is refused with a message when Apache tests its configuration; nothing is ignored in silence.\n",
    );
    for (title, rows, form) in
        [("Directives", DIRECTIVES, ""), ("Options of WSGIDaemonProcess", OPTIONS, "=")]
    {
        page.push_str(&format!(
            "\n## {title}\n\n{}\n\n| name | answer | how, or why | shown by |\n|---|---|---|---|\n",
            counts(rows)
        ));
        page.extend(rows.iter().map(|row| line(row, form)));
    }
    Ok(page)
}

fn counts(rows: &[Row]) -> String {
    let of = |word: &str| rows.iter().filter(|row| row.answer.as_str() == word).count();
    let words = [Answer::Honoured, Answer::Differently(""), Answer::Refused("")];
    let parts: Vec<_> = words
        .iter()
        .map(|answer| (of(answer.as_str()), answer.as_str()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!("{} in all: {}.", rows.len(), parts.join(", "))
}

fn line(row: &Row, form: &str) -> String {
    let cases: Vec<_> = row.cases.iter().map(|case| format!("`{case}`")).collect();
    format!(
        "| `{}{form}` | {} | {} | {} |\n",
        row.name,
        row.answer.as_str(),
        super::cell(row.answer.explanation()),
        cases.join(", ")
    )
}

/// Each row that has an answer names cases, and each of them exists.
fn check(known: &BTreeSet<String>) -> Result<()> {
    for row in DIRECTIVES.iter().chain(OPTIONS) {
        let unknown = row.cases.iter().find(|case| !known.contains(**case));
        let wrong = match unknown {
            Some(case) => format!("the row of {} names {case}, which is no case", row.name),
            None if row.cases.is_empty() => format!("the row of {} names no case", row.name),
            None => continue,
        };
        return Err(Failure::wrong(wrong, "correct crates/config/src/compatibility.rs"));
    }
    Ok(())
}

/// The cases that Pinion is asked, as `area::case`.
fn cases() -> Result<BTreeSet<String>> {
    let mut list =
        run::cargo(["test", "--quiet", "--package", "pinion-compat", "--test", "compat"]);
    list.args(["--", "--list"]).env("PINION_COMPAT_ON", "pinion");
    let listed = testbed::run(&mut list)?;
    let name = |line: &str| Some(line.strip_prefix("pinion::")?.split(": ").next()?.to_owned());
    Ok(listed.lines().filter_map(name).collect())
}
