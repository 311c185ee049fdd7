//! `docs/matrix.md`: each directive and option, whether it takes effect, and which compatibility
//! cases use it on both servers.

use std::fs;
use std::path::Path;

use pinion_config::directives::{DIRECTIVES, Status};
use pinion_config::options::{OPTIONS, Origin};

use crate::failure::{Failure, Result};
use crate::paths;

/// One file of cases: its area, and its text.
struct Cases {
    area: String,
    text: String,
}

/// The page, without its first line.
pub(super) fn page() -> Result<String> {
    let cases = read()?;
    let mut page = String::from(
        "# Matrix\n\nWhat is accepted, whether it takes effect, and which compatibility cases (`compat/src/cases`) use it. \
         What mod_wsgi has too is compared with it there.\n\n\
         | directive or option | of | takes effect | used by |\n|---|---|---|---|\n",
    );
    for directive in DIRECTIVES {
        let effect = if directive.status == Status::Honoured { "yes" } else { "not needed" };
        page.push_str(&row(
            &directive.title(),
            directive.origin,
            effect,
            &users(&cases, directive.name),
        ));
    }
    for option in OPTIONS {
        let written = format!("{}=", option.name);
        page.push_str(&row(&written, option.origin, "yes", &users(&cases, &written)));
    }
    Ok(page)
}

fn row(name: &str, origin: Origin, effect: &str, users: &[&str]) -> String {
    let origin = super::origin(origin);
    format!("| `{name}` | {origin} | {effect} | {} |\n", users.join(", "))
}

fn read() -> Result<Vec<Cases>> {
    let mut cases = Vec::new();
    read_folder(&paths::root().join("compat/src/cases"), "", &mut cases)?;
    cases.sort_by(|a, b| a.area.cmp(&b.area));
    Ok(cases)
}

/// Reads the areas of a folder; those of an inner one are named behind it.
fn read_folder(folder: &Path, above: &str, cases: &mut Vec<Cases>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Failure::file(folder))? {
        let file = entry.map_err(Failure::file(folder))?.path();
        let area = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let area = match &area[..] {
            // A folder's own file holds what its areas share.
            "mod" => above.trim_end_matches(':').to_owned(),
            _ => format!("{above}{area}"),
        };
        if file.is_dir() {
            read_folder(&file, &format!("{area}::"), cases)?;
        } else if !area.is_empty() && file.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&file).map_err(Failure::file(&file))?;
            // In a string's source, a line break is the letter n, which would join the next word.
            cases.push(Cases { area, text: text.replace("\\n", "\n") });
        }
    }
    Ok(())
}

fn users<'a>(cases: &'a [Cases], name: &str) -> Vec<&'a str> {
    let using = cases.iter().filter(|cases| mentions(&cases.text, name));
    using.map(|cases| cases.area.as_str()).collect()
}

/// Whether `name` stands in `text` as a word of its own: `home=` is not in `python-home=`, nor
/// `WSGIScriptAlias` in `WSGIScriptAliasMatch`.
fn mentions(text: &str, name: &str) -> bool {
    let part_of_word =
        |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        // A value may follow an option's equals sign at once.
        let after = text[at + name.len()..].chars().next().filter(|_| !name.ends_with('='));
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_count() {
        assert!(mentions("x python-home=/a", "python-home="));
        assert!(!mentions("x python-home=/a", "home="));
        assert!(mentions("x\nWSGIScriptAlias / x", "WSGIScriptAlias"));
        assert!(!mentions("WSGIScriptAliasMatch x", "WSGIScriptAlias"));
    }
}
