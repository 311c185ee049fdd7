//! What a check has found, in the one form that every message to an operator has.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codes::{Code, Severity};

/// Where a directive stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The configuration file.
    pub file: String,
    /// The line in it, from 1.
    pub line: u32,
}

impl Place {
    /// A line of a file.
    pub fn new(file: impl Into<String>, line: u32) -> Self {
        Self { file: file.into(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One thing that is wrong with a configuration.
///
/// Displayed on one line, as `PIN0102: /etc/site.conf:7: WSGIDaemonProcess shop python-home=/x:
/// no such folder; hint: …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The condition's code.
    pub code: Code,
    /// Where the directive stands; `None` while Apache itself says it.
    pub place: Option<Place>,
    /// The directive's name.
    pub directive: String,
    /// The value that is wrong, as it was written.
    pub value: String,
    /// What is wrong with it, lower case, no full stop.
    pub problem: String,
    /// What to do; empty when the problem says it all.
    pub hint: String,
}

impl Finding {
    /// Whether Apache may start all the same.
    pub fn severity(&self) -> Severity {
        self.code.entry().severity
    }
}

impl std::error::Error for Finding {}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code)?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.directive)?;
        if !self.value.is_empty() {
            write!(f, " {}", printable(&self.value))?;
        }
        write!(f, ": {}", printable(&self.problem))?;
        if !self.hint.is_empty() {
            write!(f, "; hint: {}", printable(&self.hint))?;
        }
        Ok(())
    }
}

/// The text with control characters replaced, so that a message stays on its line.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_its_hint() {
        let mut finding = Finding {
            code: Code::OptionValue,
            place: None,
            directive: "WSGIDaemonProcess".into(),
            value: "processes=3x".into(),
            problem: "not a whole\nnumber".into(),
            hint: String::new(),
        };
        let code = Code::OptionValue.as_str();
        assert_eq!(
            finding.to_string(),
            format!("{code}: WSGIDaemonProcess processes=3x: not a whole?number")
        );
        finding.place = Some(Place::new("/etc/a.conf", 7));
        finding.hint = "give one".into();
        assert_eq!(
            finding.to_string(),
            format!(
                "{code}: /etc/a.conf:7: WSGIDaemonProcess processes=3x: \
                 not a whole?number; hint: give one"
            )
        );
    }
}
