//! Words of a raw argument string, divided as Apache's own `ap_getword_conf` does.

/// The first word of `text` and what follows it, leading blanks removed from both.
///
/// A word that begins with `"` or `'` ends at the same quote; inside it a backslash protects the
/// quote and itself. A quote without its partner runs to the end, as it does in Apache. Elsewhere
/// a word ends at a blank, and two backslashes stand for one. `None` when only blanks are left.
pub fn next_word(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches(blank);
    let first = text.chars().next()?;
    let (word, rest) = match first {
        '"' | '\'' => quoted(&text[1..], first),
        _ => {
            let end = text.find(blank).unwrap_or(text.len());
            (unescape(&text[..end], None), &text[end..])
        }
    };
    Some((word, rest.trim_start_matches(blank)))
}

/// All words of `text`.
pub fn words(mut text: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((word, rest)) = next_word(text) {
        found.push(word);
        text = rest;
    }
    found
}

/// A `name=value` option at the start of `text`, and what follows it.
///
/// The name runs to `=` or to a blank; the value is the word after `=`. `None` when only blanks
/// are left.
pub fn next_option(text: &str) -> Option<(RawOption<'_>, &str)> {
    let text = text.trim_start_matches(blank);
    if text.is_empty() {
        return None;
    }
    let end = text.find(|c: char| c == '=' || blank(c)).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    let Some(raw) = after.strip_prefix('=') else {
        return Some((RawOption { name, value: None }, after.trim_start_matches(blank)));
    };
    let (value, rest) = option_value(raw);
    Some((RawOption { name, value: Some(value) }, rest.trim_start_matches(blank)))
}

/// One option as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawOption<'a> {
    /// What stands before the `=`.
    pub name: &'a str,
    /// What stands after it, quotes resolved; `None` when there was no `=`.
    pub value: Option<String>,
}

/// The value after `name=`: a word, or `NAME="two words"`, where the quote opens after a further
/// `=` (Apache's own rule would end that word at the blank).
fn option_value(raw: &str) -> (String, &str) {
    // Apache skips blanks after the `=` too: `threads= 3` is accepted by mod_wsgi.
    let raw = raw.trim_start_matches(blank);
    if !raw.starts_with(['"', '\'']) {
        let end = raw.find(blank).unwrap_or(raw.len());
        if let Some(equals) = raw[..end].find("=\"").or_else(|| raw[..end].find("='")) {
            let (name, rest) = raw.split_at(equals + 1);
            if let Some((value, rest)) = next_word(rest) {
                return (format!("{name}{value}"), rest);
            }
        }
    }
    next_word(raw).unwrap_or_default()
}

fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = text[at + 1..].starts_with(['\\', quote]),
            _ if c == quote => return (unescape(&text[..at], Some(quote)), &text[at + 1..]),
            _ => {}
        }
    }
    (unescape(text, Some(quote)), "")
}

fn unescape(text: &str, quote: Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next) if c == '\\' && (next == '\\' || Some(next) == quote) => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

fn blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_divided_at_blanks_and_quotes_keep_them() {
        assert_eq!(words(r#" a "b c"	'd e' f"#), ["a", "b c", "d e", "f"]);
        assert_eq!(words(r#""a \"b\" \\ \x""#), [r#"a "b" \ \x"#]);
        assert_eq!(words(r"a\\b\c"), [r"a\b\c"]);
        assert_eq!(words(r#""open end"#), ["open end"]);
        assert_eq!(words(r#""" x"#), ["", "x"]);
        assert!(words("  ").is_empty());
    }

    fn options(text: &str) -> Vec<(&str, Option<String>)> {
        let mut rest = text;
        let mut found = Vec::new();
        while let Some((option, after)) = next_option(rest) {
            found.push((option.name, option.value));
            rest = after;
        }
        found
    }

    #[test]
    fn options_have_a_name_and_a_value() {
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(
            options(r#"threads=3 display-name="a b" user='x y' flag"#),
            [
                ("threads", some("3")),
                ("display-name", some("a b")),
                ("user", some("x y")),
                ("flag", None)
            ]
        );
        assert_eq!(options("threads= 3"), [("threads", some("3"))]);
        assert_eq!(options("threads="), [("threads", some(""))]);
        assert_eq!(options("processes = 3")[0], ("processes", None));
    }

    #[test]
    fn the_value_of_a_variable_may_be_quoted_by_itself_or_with_its_name() {
        let expected = [("env", Some("NAME=a b".to_owned())), ("threads", Some("1".to_owned()))];
        assert_eq!(options(r#"env=NAME="a b" threads=1"#), expected);
        assert_eq!(options(r#"env="NAME=a b" threads=1"#), expected);
        assert_eq!(options(r"env=NAME='a b' threads=1"), expected);
        assert_eq!(options("env=A=b=c"), [("env", Some("A=b=c".to_owned()))]);
    }

    proptest! {
        #[test]
        fn a_quoted_word_comes_back_as_it_was(text in "[^\\x00]{0,40}") {
            let quoted = format!("\"{}\" rest", text.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(next_word(&quoted), Some((text, "rest")));
        }

        #[test]
        fn any_text_is_divided_without_end(text in ".{0,80}") {
            words(&text);
            options(&text);
        }
    }
}
