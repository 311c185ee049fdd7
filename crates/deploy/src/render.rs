//! Templates, strict: an undefined name is an error, and so is a value that no filter has quoted.
//!
//! Filters quote by the rules of the file that is written: `apache` for an argument of a directive,
//! `folder` for that of `<Directory>`, `python` for a literal, `shell` for a word of a command,
//! `plain` for comments and prose. What a rule cannot quote is refused.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use pinion_config::Code;
use serde::Serialize;

use crate::error::Advice;

/// A template that could not be filled.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {file}: {}", reason(source))]
pub struct RenderError {
    /// The file that was to be written.
    file: &'static str,
    #[source]
    source: Error,
}

impl Advice for RenderError {
    fn code(&self) -> Code {
        Code::NameUnquotable
    }

    fn hint(&self) -> String {
        "choose a name or path without such characters; nothing was written".to_owned()
    }
}

/// The innermost reason: what a filter said.
fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.to_string(),
    }
}

/// Fills a template; `file` is what errors call the result.
///
/// # Errors
/// A value that cannot be quoted, or a name that the template does not have.
pub fn render(
    file: &'static str,
    template: &str,
    values: impl Serialize,
) -> Result<String, RenderError> {
    fill(template, Value::from(Serde(values))).map_err(|source| RenderError { file, source })
}

fn fill(template: &str, values: Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_name| AutoEscape::Custom("quoted".into()));
    environment.set_formatter(|out, _state, value| {
        let harmless = matches!(value.kind(), ValueKind::Number);
        if !harmless && !value.is_safe() {
            return Err(refuse(format!("the template does not quote {value}")));
        }
        out.write_str(&value.to_string()).map_err(Error::from)
    });
    environment.add_filter("apache", |text: &str| apache(text).map(Value::from_safe_string));
    environment.add_filter("folder", |text: &str| folder(text).map(Value::from_safe_string));
    environment.add_filter("python", |text: &str| python(text).map(Value::from_safe_string));
    environment.add_filter("shell", |text: &str| shell(text).map(Value::from_safe_string));
    environment.add_filter("dotted", |text: &str| dotted(text).map(Value::from_safe_string));
    environment.add_filter("plain", |text: &str| plain(text).map(Value::from_safe_string));
    environment.render_str(template, values)
}

fn refuse(detail: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// Refuses what would end the line that it stands on.
fn one_line(text: &str) -> Result<&str, Error> {
    match text.chars().find(|c| c.is_control()) {
        Some(bad) => Err(refuse(format!("{text:?} holds {bad:?}, which cannot be quoted"))),
        None => Ok(text),
    }
}

/// An argument of a directive, in quotes where it needs them: Apache takes `\"` and `\\` in them, and
/// replaces `${NAME}` before it looks at quotes.
fn apache(text: &str) -> Result<String, Error> {
    if text.contains("${") {
        let problem = format!("{text:?} holds `${{`, which Apache replaces even in quotes");
        return Err(refuse(problem));
    }
    let bare = |c: char| c.is_ascii_alphanumeric() || "/._-:@+,=*[]".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        return Ok(text.to_owned());
    }
    Ok(format!("\"{}\"", one_line(text)?.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The argument of `<Directory>`, which is a pattern where it holds `*`, `?` or `[`.
fn folder(text: &str) -> Result<String, Error> {
    if !text.contains(['*', '?', '[']) {
        return apache(text);
    }
    let literal = text.chars().fold(String::new(), |mut pattern, c| {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            '\\' => pattern.push_str("\\\\"),
            other => pattern.push(other),
        }
        pattern
    });
    apache(&literal)
}

/// A string literal of Python 3.
fn python(text: &str) -> Result<String, Error> {
    Ok(format!("\"{}\"", one_line(text)?.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Python names divided by dots, for an import.
fn dotted(text: &str) -> Result<String, Error> {
    if crate::values::dotted(text) {
        return Ok(text.to_owned());
    }
    Err(refuse(format!("{text:?} is no name that Python can import")))
}

/// A word of a POSIX shell's command.
///
/// # Errors
/// It holds control characters.
fn shell(text: &str) -> Result<String, Error> {
    Ok(word(one_line(text)?))
}

/// A word of a POSIX shell's command, for messages; a NUL, which no command can hold, is dropped.
pub fn word(text: &str) -> String {
    let text = text.replace('\0', "");
    shlex::try_quote(&text).map_or_else(|_nul| String::new(), |word| word.into_owned())
}

/// Text of a comment or of prose: on one line, and not ending in the backslash that would make the
/// next line part of a comment of Apache's.
fn plain(text: &str) -> Result<String, Error> {
    Ok(one_line(text)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    fn filled(template: &str, value: &str) -> Result<String, RenderError> {
        render("x", template, context! { value })
    }

    #[test]
    fn each_filter_quotes_by_its_rules() {
        let nasty = "/a b/\"c\"/d\\e/$f%g'ü[h]*";
        for (filter, quoted) in [
            ("apache", "\"/a b/\\\"c\\\"/d\\\\e/$f%g'ü[h]*\""),
            ("folder", "\"/a b/\\\"c\\\"/d\\\\\\\\e/$f%g'ü[[]h][*]\""),
            ("python", "\"/a b/\\\"c\\\"/d\\\\e/$f%g'ü[h]*\""),
            ("plain", nasty),
        ] {
            assert_eq!(filled(&format!("{{{{ value|{filter} }}}}"), nasty).unwrap(), quoted);
        }
        assert_eq!(filled("{{ value|shell }}", "/a/b").unwrap(), "/a/b");
        assert_eq!(filled("{{ value|shell }}", "/a b'c").unwrap(), "\"/a b'c\"");
    }

    #[test]
    fn what_cannot_be_quoted_is_refused_and_named() {
        for filter in ["apache", "folder", "python", "shell", "plain"] {
            for bad in ["a\nb", "a\0b", "a\rb"] {
                let error = filled(&format!("{{{{ value|{filter} }}}}"), bad).unwrap_err();
                assert!(error.to_string().starts_with("cannot write x: \"a\\"), "{error}");
            }
        }
        assert!(filled("{{ value|apache }}", "/a${HOME}").is_err());
    }

    #[test]
    fn nothing_is_undefined_or_unquoted() {
        assert!(filled("{{ other|apache }}", "").is_err());
        assert!(filled("{{ value }}", "x").unwrap_err().to_string().contains("does not quote"));
        assert_eq!(render("x", "{{ n }}", context! { n => 3 }).unwrap(), "3");
    }
}
