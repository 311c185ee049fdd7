//! `docs/benchmarks.md`: each command owns one part of it and leaves the others alone.

use std::fs;

use crate::failure::{Failure, Result};
use crate::{paths, say};

/// Replaces the part called `name` by `text`, or adds it at the end.
pub(crate) fn write(name: &str, text: &str) -> Result<()> {
    let file = paths::root().join("docs/benchmarks.md");
    let page = fs::read_to_string(&file).unwrap_or_else(|_| "# Benchmarks\n".to_owned());
    fs::write(&file, replaced(&page, name, text)).map_err(Failure::file(&file))?;
    say::line("wrote docs/benchmarks.md");
    Ok(())
}

/// Writes a page of one command's own.
pub(super) fn replace(name: &str, text: &str) -> Result<()> {
    let file = paths::root().join(name);
    fs::write(&file, format!("{}\n", text.trim_end())).map_err(Failure::file(&file))?;
    say::line(format_args!("wrote {name}"));
    Ok(())
}

fn replaced(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let part = format!("{begin}\n{}\n{end}", text.trim_end());
    let before = page.split_once(&begin);
    match before.and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1))) {
        Some((before, after)) => format!("{before}{part}{after}"),
        None => format!("{}\n\n{part}\n", page.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_added_once_and_replaced_afterwards() {
        let page = replaced("# Title\n", "a", "one\n");
        assert_eq!(page, "# Title\n\n<!-- begin a -->\none\n<!-- end a -->\n");
        let page = replaced(&page, "b", "two");
        let page = replaced(&page, "a", "three");
        assert_eq!(
            page,
            "# Title\n\n<!-- begin a -->\nthree\n<!-- end a -->\n\n<!-- begin b -->\ntwo\n<!-- end b -->\n"
        );
    }
}
