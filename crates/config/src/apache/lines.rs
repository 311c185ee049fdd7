//! Lines of a configuration file, put together and told apart as Apache does it.

/// A directive or the begin or end of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The number of its first line, from 1.
    pub(super) number: u32,
    /// What it is.
    pub(super) kind: LineKind,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LineKind {
    /// `Name arguments`.
    Directive(String, String),
    /// `<Name arguments>`.
    Open(String, String),
    /// `</Name>`.
    Close(String),
}

/// The lines of a file that say something. A backslash at a line's end joins the next one to it, in
/// comments too; `#` begins a comment only at the start of a line.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut numbered = (1_u32..).zip(text.lines());
    while let Some((number, first)) = numbered.next() {
        let mut whole = first.to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            let Some((_, next)) = numbered.next() else { break };
            whole.push_str(next);
        }
        found.extend(kind(whole.trim()).map(|kind| Line { number, kind }));
    }
    found
}

fn kind(line: &str) -> Option<LineKind> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if let Some(name) = line.strip_prefix("</") {
        return Some(LineKind::Close(name.trim_end_matches('>').trim().to_owned()));
    }
    let (line, open) = match line.strip_prefix('<') {
        Some(inside) => (inside.strip_suffix('>').unwrap_or(inside), true),
        None => (line, false),
    };
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim().to_owned();
    Some(if open {
        LineKind::Open(name.to_owned(), rest)
    } else {
        LineKind::Directive(name.to_owned(), rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directive(number: u32, name: &'static str, rest: &str) -> Line {
        Line { number, kind: LineKind::Directive(name.into(), rest.into()) }
    }

    #[test]
    fn lines_are_joined_and_comments_left_out() {
        let text = "# one \\\n two\n A  b \\\n  c\n\n<IfModule !x.c>\n</IfModule >\nB";
        let open = LineKind::Open("IfModule".into(), "!x.c".into());
        assert_eq!(
            lines(text),
            [
                directive(3, "A", "b   c"),
                Line { number: 6, kind: open },
                Line { number: 7, kind: LineKind::Close("IfModule".into()) },
                directive(8, "B", ""),
            ]
        );
    }

    #[test]
    fn a_backslash_at_the_end_of_the_file_joins_nothing() {
        assert_eq!(lines("A b\\"), [directive(1, "A", "b")]);
        assert_eq!(lines("  \n#\n"), []);
    }
}
