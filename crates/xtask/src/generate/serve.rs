//! The options of `pinion serve`, from the table that the command line is made of.

use pinion_server::options::{Kind, OPTIONS, ServeOption};

use super::cell;

/// The page.
pub(super) fn page() -> String {
    let mut page = "# Options of pinion serve\n\nEach is a long option of `pinion serve`, a key in `[serve]` of the project's pinion.toml, \
         and an environment variable. The command line counts before the environment, the environment before the file.\n\n\
         - On the command line, `--no-reload` and the like take a switch back.\n\
         - In pinion.toml, numbers and switches are TOML's own; an option that may be repeated takes a list.\n\
         - In a variable, several values are words as in a shell; a switch is `true` or `false`.\n\
         - Relative paths are relative to the current folder, in pinion.toml to the folder of the file.\n"
        .to_owned();
    let mut group = None;
    for option in OPTIONS {
        if group != Some(option.group) {
            group = Some(option.group);
            let title = option.group.title();
            page.push_str(&format!(
                "\n## {title}\n\n| option | default | what it is | variable |\n|---|---|---|---|\n"
            ));
        }
        page.push_str(&row(option));
    }
    page
}

fn row(option: &ServeOption) -> String {
    let name = match option.kind {
        Kind::Switch(..) => format!("`--{}`", option.name),
        _ => format!("`--{} {}`", option.name, option.placeholder),
    };
    let short = option.short.map(|letter| format!(", `-{letter}`"));
    let alias = option.alias.map(|name| format!(", `--{name}`"));
    let others: String = short.into_iter().chain(alias).collect();
    let (default, help) = (cell(option.default), cell(option.help));
    format!("| {name}{others} | {default} | {help} | `{}` |\n", option.variable())
}
