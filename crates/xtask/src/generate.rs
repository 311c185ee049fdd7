//! `cargo xtask generate`: the reference pages, from the tables that the program itself uses.

mod compatibility;
mod matrix;
mod serve;

use std::fs;

use clap::Args;
use pinion_config::codes::{self, Entry, Never};
use pinion_config::directives::{DIRECTIVES, Directive, Status};
use pinion_config::options::{DaemonOption, OPTIONS, Origin};

use pinion_deploy::parameters::{Kind, PARAMETERS};

use crate::failure::{Failure, Result};
use crate::{paths, say};

/// The head of each page: who edits it by hand loses the edit.
const NOTE: &str = "<!-- Made by `cargo xtask generate`. -->\n\n";

/// What to do with the pages.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write nothing; fail where a page is not what it should be
    #[arg(long)]
    pub(crate) check: bool,
}

/// Writes the pages, or checks them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let pages = [
        ("docs/compatibility.md", format!("{NOTE}{}", compatibility::page()?)),
        ("docs/directives.md", directives()),
        ("docs/errors.md", errors()),
        ("docs/parameters.md", parameters()),
        ("docs/serve-options.md", format!("{NOTE}{}", serve::page())),
        ("docs/matrix.md", format!("{NOTE}{}", matrix::page()?)),
    ];
    for (name, page) in pages {
        let file = paths::root().join(name);
        let same = fs::read_to_string(&file).is_ok_and(|present| present == page);
        if options.check && !same {
            return Err(Failure::wrong(
                format!("{name} is not what the tables say"),
                "cargo xtask generate, and commit the page with the change",
            ));
        }
        if !same {
            fs::write(&file, page).map_err(Failure::file(&file))?;
            say::line(format_args!("wrote {name}"));
        }
    }
    Ok(())
}

fn directives() -> String {
    let mut page = format!(
        "{NOTE}# Directives\n\nNames and meanings are mod_wsgi's where the table says so; such a configuration works unchanged.\n\n"
    );
    page.push_str("| directive | takes effect | of |\n|---|---|---|\n");
    for directive in DIRECTIVES {
        let name = directive.title();
        let link = format!("[{name}](#{})", anchor(&name));
        page.push_str(&format!(
            "| {link} | {} | {} |\n",
            effect(directive),
            origin(directive.origin)
        ));
    }
    page.extend(DIRECTIVES.iter().map(section));
    page.push_str("\n## Options of WSGIDaemonProcess\n\n");
    page.push_str("| option | default | what it does | of |\n|---|---|---|---|\n");
    page.extend(OPTIONS.iter().map(option));
    page
}

fn section(directive: &Directive) -> String {
    let contexts: Vec<_> = directive.contexts.iter().map(|context| context.as_str()).collect();
    let mut text = format!("\n## {}\n\n{}\n\n", directive.title(), directive.help);
    text.push_str(&format!("    {}\n\n", directive.usage()));
    if !directive.default.is_empty() {
        text.push_str(&format!("- Default: `{}`\n", directive.default));
    }
    text.push_str(&format!("- Context: {}\n", contexts.join(", ")));
    if directive.status == Status::NotNeeded {
        text.push_str("- Accepted so that a configuration loads; Pinion has no need of it.\n");
    }
    text
}

fn option(option: &DaemonOption) -> String {
    let written = format!("`{}={}`", option.name, option.kind.placeholder());
    let help = option.help;
    format!(
        "| {written} | {} | {} | {} |\n",
        cell(option.default),
        cell(help),
        origin(option.origin)
    )
}

fn effect(directive: &Directive) -> &'static str {
    match directive.status {
        Status::Honoured => "yes",
        Status::NotNeeded => "not needed",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::ModWsgi => "mod_wsgi",
        Origin::Pinion => "Pinion",
    }
}

/// The parameters of a deployment, from the table that the command line is made of.
fn parameters() -> String {
    let mut page = format!(
        "{NOTE}# Parameters of a deployment\n\nEach is a long option of `pinion deploy`, and a key in `[deploy]` of the project's pinion.toml, \
         where `pinion deploy` keeps what it was given.\n\n| option | default | what it is | also spelled |\n|---|---|---|---|\n"
    );
    for parameter in PARAMETERS {
        let option = match parameter.kind {
            Kind::Switch(off, _) => format!("`--{off}`"),
            _ => format!("`--{} {}`", parameter.name, parameter.placeholder),
        };
        let short = parameter.short.map(|letter| format!("`-{letter}`"));
        let aliases = parameter.aliases.iter().map(|name| format!("`--{name}`"));
        let others: Vec<_> = short.into_iter().chain(aliases).collect();
        let (default, help) = (cell(parameter.default), cell(parameter.help));
        page.push_str(&format!("| {option} | {default} | {help} | {} |\n", others.join(", ")));
    }
    page
}

fn errors() -> String {
    let mut page = format!(
        "{NOTE}# Messages\n\nEach message of Pinion begins with a code. Codes keep their meaning for ever.\n"
    );
    page.extend(codes::REGISTRY.iter().map(message));
    page.push_str(
        "\n## Codes of mod_wsgi that no message has\n\nPinion's messages have mod_wsgi's codes wherever the condition is the same. \
         Alerts that wait for one of these can be taken away.\n\n| codes | about | why not |\n|---|---|---|\n",
    );
    for Never { numbers, about, why } in codes::NEVER {
        let ids: Vec<_> = numbers.iter().map(|number| format!("WSGI{number:04}")).collect();
        page.push_str(&format!("| {} | {} | {} |\n", ids.join(", "), cell(about), cell(why)));
    }
    page
}

fn message(entry: &Entry) -> String {
    format!(
        "\n## {}: {}\n\n{}. {}\n\n- What follows: {}\n- What to do: {}\n",
        entry.id,
        entry.title,
        capital(entry.severity.as_str()),
        entry.cause,
        entry.outcome,
        entry.action
    )
}

/// A heading's anchor, as forges make it.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(['<', '>'], "")
}

/// Text for a cell of a table, where a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the shipped sources say, tests included.
    fn sources() -> String {
        let mut text = String::new();
        for folder in ["crates", "python"] {
            for entry in walk(&paths::root().join(folder)) {
                let name = entry.to_string_lossy();
                let shipped = name.ends_with(".rs") || name.ends_with(".py");
                if shipped && !name.contains("/config/src/codes") && !name.contains("/tests/") {
                    text.push_str(&fs::read_to_string(&entry).unwrap());
                }
            }
        }
        text
    }

    fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn the_codes_that_the_sources_name_are_those_of_the_registry() {
        let sources = sources();
        for (at, _) in sources.match_indices("WSGI0") {
            let id = &sources[at..at + 8];
            let known = codes::REGISTRY.iter().any(|entry| entry.id == id);
            assert!(known || !id[4..].bytes().all(|b| b.is_ascii_digit()), "{id}");
        }
        // The reference is not to speak of what no message says.
        for entry in codes::REGISTRY {
            let name = format!("Code::{:?}", entry.code);
            assert!(
                sources.contains(entry.id) || sources.contains(&name),
                "{} is not used",
                entry.id
            );
        }
    }

    #[test]
    fn every_directive_option_and_code_is_on_its_page() {
        let (directives, errors) = (directives(), errors());
        for directive in DIRECTIVES {
            assert!(directives.contains(&format!("\n## {}\n", directive.title())));
        }
        for option in OPTIONS {
            assert!(directives.contains(&format!("| `{}=", option.name)));
        }
        for entry in codes::REGISTRY {
            assert!(errors.contains(&format!("\n## {}: ", entry.id)));
        }
    }
}
