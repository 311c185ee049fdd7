//! Files of environment variables, as `env-file=` names them.

use thiserror::Error;

use crate::group::EnvPair;
use crate::options::is_variable_name;

/// A line that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct EnvFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineProblem {
    /// No `NAME=VALUE`.
    #[error("not NAME=VALUE with a valid variable name")]
    NotAVariable,
    /// A quote without its partner.
    #[error("the quote is not closed on this line")]
    OpenQuote,
    /// Something after a closed quote.
    #[error("there is text after the closing quote")]
    AfterQuote,
    /// A character that an environment cannot hold.
    #[error("the value holds a zero byte")]
    Zero,
}

/// Reads lines of `NAME=VALUE`.
///
/// Empty lines and lines that begin with `#` do not count, nor does `export ` before a name. A
/// value in single quotes is taken as it is; in double quotes, `\n`, `\t`, `\"`, `\\` and `\$`
/// are resolved. Without quotes it ends before ` #` and loses the blanks around it. Nothing is
/// substituted: no value depends on another.
///
/// # Errors
/// The first line that is none of this.
pub fn parse(text: &str) -> Result<Vec<EnvPair>, EnvFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pairs = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        pairs.push(pair(line).map_err(|problem| EnvFileError { line: at + 1, problem })?);
    }
    Ok(pairs)
}

fn pair(line: &str) -> Result<EnvPair, LineProblem> {
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, raw) = line.split_once('=').ok_or(LineProblem::NotAVariable)?;
    let name = name.trim_end();
    if !is_variable_name(name) {
        return Err(LineProblem::NotAVariable);
    }
    let raw = raw.trim_start();
    let value = match raw.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&raw[1..], quote)?,
        Some('#') | None => String::new(),
        Some(_) => raw.find(" #").map_or(raw, |end| &raw[..end]).trim_end().to_owned(),
    };
    if value.contains('\0') {
        return Err(LineProblem::Zero);
    }
    Ok(EnvPair { name: name.to_owned(), value })
}

fn quoted(text: &str, quote: char) -> Result<String, LineProblem> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            _ if c == quote => {
                let rest = chars.as_str().trim_start();
                let over = rest.is_empty() || rest.starts_with('#');
                return if over { Ok(value) } else { Err(LineProblem::AfterQuote) };
            }
            '\\' if quote == '"' => match chars.next().ok_or(LineProblem::OpenQuote)? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                escaped @ ('"' | '\\' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            _ => value.push(c),
        }
    }
    Err(LineProblem::OpenQuote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|pair| (pair.name, pair.value)).collect()
    }

    #[test]
    fn lines_comments_and_quotes_are_understood() {
        let text = "\u{feff}# a comment\n\nA=1\n  export B = two words  # really\r\nC='it''\n";
        assert_eq!(parse(text).unwrap_err().line, 5);
        let text = "A=1\nexport B = two words # x\r\nC='a \\n $b' # x\nD=\"a\\n\\\"b\\\" \\$c\"\nE=\nF=a#b\nG=#x";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "a \\n $b"),
            ("D", "a\n\"b\" $c"),
            ("E", ""),
            ("F", "a#b"),
            ("G", ""),
        ];
        assert_eq!(pairs(text), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, problem) in [
            ("A=1\nB", 2, LineProblem::NotAVariable),
            ("1A=x", 1, LineProblem::NotAVariable),
            ("A B=x", 1, LineProblem::NotAVariable),
            ("A=\"x", 1, LineProblem::OpenQuote),
            ("A=\"x\\", 1, LineProblem::OpenQuote),
            ("A='x'y", 1, LineProblem::AfterQuote),
            ("A=x\0y", 1, LineProblem::Zero),
        ] {
            assert_eq!(parse(text), Err(EnvFileError { line, problem }), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(value in "[^\\x00\\r\\n]{0,40}") {
            let escaped =
                value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
            prop_assert_eq!(pairs(&format!("A=\"{escaped}\"")), [("A".to_owned(), value)]);
        }
    }
}
