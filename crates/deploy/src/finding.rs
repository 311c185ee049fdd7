//! What is missing or wrong with a deployment, in the one form of every warning.

use std::fmt;

use pinion_config::{Code, Severity};
use serde::Serialize;

/// One thing that is missing or wrong, with what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The condition's code; its entry in the registry says whether it is a warning or an error.
    pub code: Code,
    /// What is wrong, naming the file, package or user; lower case, no full stop.
    pub what: String,
    /// Why it matters here.
    pub why: String,
    /// The exact command that mends it, or what to do where no command can.
    pub hint: String,
}

impl Finding {
    /// A finding; the texts are lower case and without a full stop.
    pub fn new(
        code: Code,
        what: impl Into<String>,
        why: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { code, what: what.into(), why: why.into(), hint: hint.into() }
    }

    /// [`Severity::Error`] when the site cannot work, else [`Severity::Warning`].
    pub fn severity(&self) -> Severity {
        self.code.entry().severity
    }
}

/// Three lines: severity, code and what; why; hint.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity().as_str(), self.code, self.what)?;
        if !self.why.is_empty() {
            write!(f, "\n  why:  {}", self.why)?;
        }
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n  hint: {}", self.hint) }
    }
}
