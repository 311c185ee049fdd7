//! The client of a request that a check makes: it keeps what came.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use pinion_front::{BodyFault, Client, Gone};
use pinion_wire::answer::{FilePart, HeadRef, LogRef};
use pinion_wire::message::Death;

/// What is kept of a page: enough to find its resources.
const MOST: usize = 4 * 1024 * 1024;

/// An answer as it comes.
#[derive(Debug)]
pub(super) struct Recorder {
    /// The status; `None` until one has come.
    pub(super) status: Option<u16>,
    /// Names in lower case, and values.
    pub(super) headers: Vec<(String, String)>,
    /// The first bytes of the body.
    pub(super) body: Vec<u8>,
    /// What the application logged.
    pub(super) log: String,
    /// How the worker died, if it did.
    pub(super) death: Option<String>,
    deadline: Instant,
}

impl Recorder {
    /// A client that waits until `deadline`.
    pub(super) fn new(deadline: Instant) -> Self {
        Self {
            status: None,
            headers: Vec::new(),
            body: Vec::new(),
            log: String::new(),
            death: None,
            deadline,
        }
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Client for Recorder {
    fn head(&mut self, head: &HeadRef<'_>) -> Result<(), Gone> {
        let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        self.status = Some(head.status);
        self.headers =
            head.headers().map(|(name, value)| (text(name).to_lowercase(), text(value))).collect();
        Ok(())
    }

    fn data(&mut self, bytes: &[u8], _flush: bool, _last: bool) -> Result<(), Gone> {
        self.keep(bytes);
        // An answer without an end would keep the check for ever.
        if self.cancelled() { Err(Gone) } else { Ok(()) }
    }

    fn file(&mut self, file: OwnedFd, part: FilePart) -> Result<(), Gone> {
        let length = usize::try_from(part.length).unwrap_or(MOST).min(MOST);
        let mut bytes = vec![0; length];
        let read = File::from(file).read_at(&mut bytes, part.offset).map_err(|_unreadable| Gone)?;
        self.keep(&bytes[..read]);
        Ok(())
    }

    fn log(&mut self, log: &LogRef<'_>) {
        self.log.push_str(&String::from_utf8_lossy(log.text));
        if !self.log.ends_with('\n') {
            self.log.push('\n');
        }
    }

    fn body(&mut self, _most: usize, _into: &mut Vec<u8>) -> Result<bool, BodyFault> {
        Ok(true)
    }

    fn worker_died(&mut self, death: &Death) {
        self.death = Some(format!("{}\n{}", death.cause, death.stack));
    }

    fn answered(&self) -> bool {
        self.status.is_some()
    }

    fn cancelled(&self) -> bool {
        Instant::now() >= self.deadline
    }
}
