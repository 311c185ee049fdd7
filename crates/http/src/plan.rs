//! Answers that the worker gives without the application.

use std::borrow::Cow;

use crate::answer;

/// What is to be sent. The connection adds what is its own: `Date`, `Server`, `Connection`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<F> {
    /// The status code.
    pub status: u16,
    /// The header fields, `Content-Length` with them where the status may have one. Values are printable ASCII.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// What follows the head; nothing for HEAD, whose headers are those of GET.
    pub body: Body<F>,
}

/// What follows a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<F> {
    /// Nothing.
    Nothing,
    /// A few words.
    Text(Cow<'static, str>),
    /// A part of a file. Where the file turns out to be shorter, the connection has to be closed.
    File {
        /// The file.
        file: F,
        /// The first byte.
        from: u64,
        /// How many bytes follow, at least one.
        length: u64,
    },
}

/// The media type of a [`Body::Text`].
const PLAIN: &str = "text/plain; charset=utf-8";

impl<F> Plan<F> {
    /// An answer of a few words; HEAD gets its headers only.
    #[must_use]
    pub fn text(status: u16, text: impl Into<Cow<'static, str>>, head: bool) -> Self {
        let (mut plan, text) = (Self::empty(status), text.into());
        plan.header("Content-Type", PLAIN);
        plan.header("Content-Length", text.len().to_string());
        if !head {
            plan.body = Body::Text(text);
        }
        plan
    }

    /// An answer that says its status and no more; HEAD gets its headers only.
    #[must_use]
    pub fn status(status: u16, head: bool) -> Self {
        Self::text(status, format!("{status} {}\n", answer::reason(status)), head)
    }

    /// An answer without a body and, so far, without any header.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::with_capacity(8), body: Body::Nothing }
    }

    /// Adds a header field.
    pub fn header(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.headers.push((name, value.into()));
    }

    /// The same with another header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.header(name, value);
        self
    }

    /// The value of a header field.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// How many bytes of body are to be sent: what the access log counts if all goes well.
    #[must_use]
    pub fn length(&self) -> u64 {
        match &self.body {
            Body::Nothing => 0,
            Body::Text(text) => text.len() as u64,
            Body::File { length, .. } => *length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_itself() {
        let plan: Plan<()> = Plan::status(404, false);
        assert_eq!(plan.body, Body::Text("404 Not Found\n".into()));
        let (status, length) = (plan.status, plan.length());
        assert_eq!((status, length, plan.value("content-length")), (404, 14, Some("14")));
        let head: Plan<()> = Plan::status(404, true);
        assert_eq!((head.headers, head.body), (plan.headers, Body::Nothing));
    }
}
