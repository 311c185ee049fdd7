//! What a front door was answered.

use pinion_wire::answer::End;
use pinion_wire::area::Part;
use pinion_wire::call::Returned;

/// A whole answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How long each Data frame was.
    pub(crate) blocks: Vec<usize>,
    /// How many of them were in shared memory.
    pub(crate) shared: usize,
    /// Where those are that stay there.
    pub(crate) staying: Vec<Part>,
    /// How many parts of the body were to be put there.
    pub(crate) wants_in_area: usize,
    pub(crate) logs: Vec<String>,
    /// What the functions of a call returned.
    pub(crate) returned: Vec<Returned>,
    pub(crate) end: Option<End>,
    /// The worker said that it is under load.
    pub(crate) under_load: bool,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The log as text.
    pub(crate) fn log(&self) -> String {
        self.logs.join("\n")
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}
