//! An answer as HTTP/1.1, in the bytes that the client gets.

use std::fmt::Debug;
use std::sync::Arc;

use pinion_http::answer::{self, Asked, CHUNK_END, Framing, LAST_CHUNK};
use pinion_http::date::Date;
use pinion_wire::Kind;
use pinion_wire::answer::End;
use pinion_wire::frame;
use pinion_wsgi::response::{self as rules, Failure};

use crate::head::Head;

/// What becomes of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It goes on.
    Keep,
    /// It ends once the client has seen the answer.
    Close,
    /// It ends at once, so that the client sees that the answer is not whole.
    Cut,
}

/// Who sends the body of a request.
pub(crate) trait BodySender: Debug + Send + Sync {
    /// Whether so much of it is still to come that the connection ends behind the answer.
    fn sends_too_much(&self) -> bool;
}

/// What is special about an answer that goes to a client and to no other front door.
#[derive(Debug)]
pub(crate) struct Reply {
    asked: Asked,
    date: Date,
    /// Who sends a body that is not all here.
    sender: Option<Arc<dyn BodySender>>,
    /// Whether connections are to end behind their next answer.
    ends: fn() -> bool,
    framing: Option<Framing>,
    ending: Ending,
    /// The status that was sent; 0 before.
    pub(crate) status: u16,
    /// How many bytes of the body were handed on.
    pub(crate) body: u64,
    /// Log frames: their lines go to the manager.
    pub(crate) logs: Vec<u8>,
}

impl Reply {
    /// The answer to a request.
    /// `ends` is asked when its head is written: the server may have begun to drain while the application ran.
    pub(crate) fn new(
        asked: Asked,
        date: Date,
        sender: Option<Arc<dyn BodySender>>,
        ends: fn() -> bool,
    ) -> Self {
        let ending = if asked.keep_alive { Ending::Keep } else { Ending::Close };
        let (framing, logs) = (None, Vec::new());
        Self { asked, date, sender, ends, framing, ending, status: 0, body: 0, logs }
    }

    /// What becomes of the connection.
    pub(crate) fn ending(&self) -> Ending {
        self.ending
    }

    /// Appends the head.
    pub(crate) fn push_head(&mut self, out: &mut Vec<u8>, head: &Head) {
        let status = head.status();
        let framing = Framing::choose(&self.asked, status.code, head.length);
        let line = (status.code, status.reason);
        self.look_around();
        let date = self.date.text();
        let keep = answer::push_head(out, &self.asked, line, head.headers(), framing, date);
        self.framing = Some(framing);
        self.status = status.code;
        if !keep {
            self.ending = Ending::Close;
        }
    }

    /// Where too much of a body is still to come to be waited for, or the server drains, the client is told that the connection ends.
    fn look_around(&mut self) {
        if (self.ends)() || self.sender.as_ref().is_some_and(|sender| sender.sends_too_much()) {
            self.asked.keep_alive = false;
        }
    }

    /// What stands before and behind a block of the body.
    pub(crate) fn around(&mut self, length: usize) -> (arrayvec::ArrayVec<u8, 18>, &'static [u8]) {
        self.body += length as u64;
        match self.framing {
            Some(Framing::Chunked) if length > 0 => (answer::chunk_line(length), CHUNK_END),
            _ => (arrayvec::ArrayVec::new(), b""),
        }
    }

    /// Appends a block of the body.
    pub(crate) fn push_data(&mut self, out: &mut Vec<u8>, block: &[u8]) {
        let (before, behind) = self.around(block.len());
        for part in [before.as_slice(), block, behind] {
            out.extend_from_slice(part);
        }
    }

    /// Keeps a line for the log.
    pub(crate) fn push_log(&mut self, level: u8, seq: u32, line: &[u8]) {
        frame::push(&mut self.logs, Kind::Log, level.into(), seq, line);
    }

    /// Ends an answer whose head is on its way and whose application has returned.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>, ended: rules::End) {
        match ended {
            rules::End::Complete { .. } if self.framing == Some(Framing::Chunked) => {
                out.extend_from_slice(LAST_CHUNK);
            }
            rules::End::Complete { .. } => {}
            rules::End::Truncated { .. } => self.ending = Ending::Cut,
        }
    }

    /// Ends an answer that cannot be finished: by another one where nothing was sent yet.
    pub(crate) fn fail(&mut self, out: &mut Vec<u8>, end: End, failure: Failure) {
        match failure {
            Failure::TooLate => {
                if self.framing == Some(Framing::Chunked) {
                    self.ending = Ending::Cut;
                }
            }
            Failure::Cut => self.ending = Ending::Cut,
            Failure::Replace => self.push_error(out, end),
        }
    }

    fn push_error(&mut self, out: &mut Vec<u8>, end: End) {
        let status = match end {
            End::BodyFailed => 400,
            End::Interrupted => 504,
            End::Expired => 503,
            _ => 500,
        };
        self.push_own(out, status);
    }

    /// Appends an answer of the server's own, behind which the connection ends.
    pub(crate) fn push_last(&mut self, out: &mut Vec<u8>, status: u16) {
        self.asked.keep_alive = false;
        self.push_own(out, status);
    }

    /// Appends an answer of the server's own.
    pub(crate) fn push_own(&mut self, out: &mut Vec<u8>, status: u16) {
        let reason = answer::reason(status);
        let text = format!("{status} {reason}\n");
        let line = (status, reason);
        self.look_around();
        let keep = answer::push_own(out, &self.asked, line, &[], &text, self.date.text());
        (self.status, self.body) = (status, text.len() as u64);
        self.ending = if keep && status != 400 { Ending::Keep } else { Ending::Close };
    }
}
