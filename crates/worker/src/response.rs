//! The state of one answer: what may be sent still, and the frames that are to be sent.

use pinion_wire::answer::{self, End, LogRef, Place};
use pinion_wire::frame::{self, DATA_FLUSH};
use pinion_wire::{Header, Kind};
use pinion_wsgi::response::{self as rules, Failure, OutputError, StartError};
use pinion_wsgi::status::Status;

use crate::head::Head;
use crate::reply::{Ending, Reply};

/// The most that goes in one Data frame.
pub(crate) const LONGEST_DATA: usize = 1024 * 1024;
/// Blocks up to this length are copied behind the frames that wait, so that one call sends all.
pub(crate) const SHORT_DATA: usize = 32 * 1024;

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    /// The request's number on its connection.
    pub(crate) seq: u32,
    /// Frames that are to be sent.
    pub(crate) frames: Vec<u8>,
    /// Flags of the `End` frame beside how the request ended.
    pub(crate) end_flags: u16,
    rules: rules::Response,
    head: Option<Head>,
    code: u16,
    /// For a client of the worker's own front door, `frames` are the bytes that it gets.
    reply: Option<Reply>,
}

impl Response {
    /// The answer to request number `seq`; `head_request` for a request that is answered without body.
    /// `frames` is an empty vector whose memory is used.
    pub(crate) fn new(seq: u32, head_request: bool, frames: Vec<u8>) -> Self {
        let rules = rules::Response::new(head_request);
        Self { seq, frames, end_flags: 0, rules, head: None, code: 0, reply: None }
    }

    /// As [`Response::new`], for a client of the worker's own front door.
    pub(crate) fn for_client(seq: u32, head_request: bool, bytes: Vec<u8>, reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::new(seq, head_request, bytes) }
    }

    /// Nobody asks for the answer any more.
    pub(crate) fn let_go(&mut self) {
        (self.head, self.reply) = (None, None);
    }

    /// What becomes of the client's connection.
    pub(crate) fn ending(&self) -> Ending {
        self.reply.as_ref().map_or(Ending::Cut, Reply::ending)
    }

    /// The status and how many bytes of a body the client was sent.
    pub(crate) fn told(&self) -> (u16, u64) {
        self.reply.as_ref().map_or((self.code, 0), |reply| (reply.status, reply.body))
    }

    /// What was said to the log, as frames, where those are not sent with the answer.
    pub(crate) fn take_logs(&mut self) -> Option<Vec<u8>> {
        self.reply.as_mut().map(|reply| std::mem::take(&mut reply.logs))
    }

    /// How much waits to be sent or logged.
    pub(crate) fn logged(&self) -> usize {
        self.reply.as_ref().map_or(self.frames.len(), |reply| reply.logs.len())
    }

    /// The whole body is here: so long is it, where the application has not said so itself.
    pub(crate) fn know_length(&mut self, length: u64) {
        let to_client = self.reply.is_some() && !self.rules.is_bodiless();
        if let Some(head) = self.head.as_mut().filter(|head| to_client && head.length.is_none()) {
            head.set_length(length);
        }
    }

    /// Takes the head. A head that is not on its way yet is replaced.
    ///
    /// # Errors
    /// When it is on its way, or the request is over.
    pub(crate) fn start(&mut self, head: Head, exc_info: bool) -> Result<(), StartError> {
        self.rules.start(&head.status(), head.length, exc_info)?;
        self.code = head.status().code;
        self.head = Some(head);
        Ok(())
    }

    /// Whether nothing of a body is sent, whatever there is.
    pub(crate) fn is_bodiless(&self) -> bool {
        self.rules.is_bodiless()
    }

    /// Whether a head was given.
    pub(crate) fn is_started(&self) -> bool {
        self.code != 0
    }

    /// Whether the head is on its way.
    pub(crate) fn is_head_gone(&self) -> bool {
        self.is_started() && self.head.is_none()
    }

    /// The status code, 0 when there is none.
    pub(crate) fn code(&self) -> u16 {
        self.code
    }

    /// How many of `len` bytes of the body may be sent: not beyond the Content-Length, none of an answer without
    /// body. They count as sent; the head is put into the frames before them.
    ///
    /// # Errors
    /// Without a head, or when the request is over.
    pub(crate) fn admit(&mut self, len: usize) -> Result<usize, OutputError> {
        let accepted = self.rules.write(len)?;
        self.let_head_go(accepted.head);
        Ok(usize::try_from(accepted.take).unwrap_or(len).min(len))
    }

    /// How many bytes of a file may be sent of which `left` are left. An answer without Content-Length
    /// gets this one.
    ///
    /// # Errors
    /// As [`Response::admit`].
    pub(crate) fn admit_file(&mut self, left: u64) -> Result<u64, OutputError> {
        let accepted = self.rules.file(left)?;
        if let Some(head) = self.head.as_mut().filter(|head| head.length.is_none()) {
            head.set_length(left);
        }
        self.let_head_go(accepted.head);
        Ok(accepted.take)
    }

    fn let_head_go(&mut self, now: bool) {
        let Some(head) = self.head.take_if(|_| now) else { return };
        if let Some(reply) = &mut self.reply {
            return reply.push_head(&mut self.frames, &head);
        }
        let Status { code, reason } = head.status();
        answer::push_head(&mut self.frames, self.seq, code, reason, head.headers());
    }

    /// Appends a Data frame.
    pub(crate) fn push_data(&mut self, block: &[u8], flush: bool) {
        if let Some(reply) = &mut self.reply {
            return reply.push_data(&mut self.frames, block);
        }
        for (header, part) in data_frames(block, self.seq, flush) {
            self.frames.extend_from_slice(&header);
            self.frames.extend_from_slice(part);
        }
    }

    /// Appends one Log frame.
    pub(crate) fn push_log(&mut self, level: u8, line: &[u8]) {
        if let Some(reply) = &mut self.reply {
            return reply.push_log(level, self.seq, line);
        }
        frame::push(&mut self.frames, Kind::Log, level.into(), self.seq, line);
    }

    /// Appends one Log frame that says where it was logged.
    pub(crate) fn push_placed_log(&mut self, level: u8, place: Place<'_>, line: &[u8]) {
        LogRef { level, place: Some(place), text: line }.push(&mut self.frames, self.seq);
    }

    /// Appends the frame that tells what the functions of a call returned.
    pub(crate) fn push_returned(&mut self, payload: &[u8]) {
        frame::push(&mut self.frames, Kind::Returned, 0, self.seq, payload);
    }

    /// Appends the End frame: of an answer whose application has returned, if `end` says complete. It is called
    /// truncated where it is shorter than its Content-Length, and complete where all was sent before the application failed.
    pub(crate) fn end(&mut self, end: End) {
        if self.reply.is_some() {
            return self.end_reply(end);
        }
        let end = match end {
            End::Complete => match self.rules.finish() {
                Ok(rules::End::Complete { head }) => {
                    self.let_head_go(head);
                    End::Complete
                }
                Ok(rules::End::Truncated { head, .. }) => {
                    self.let_head_go(head);
                    End::Truncated
                }
                Err(_) => End::Failed,
            },
            End::Failed | End::Interrupted if self.rules.fail() == Failure::TooLate => {
                End::Complete
            }
            other => other,
        };
        frame::push(&mut self.frames, Kind::End, end as u16 | self.end_flags, self.seq, &[]);
    }

    /// The answer to a client whose request has run too long; `None` where another one has begun.
    pub(crate) fn give_up(&mut self) -> Option<Vec<u8>> {
        if self.is_head_gone() {
            return None;
        }
        let (mut bytes, reply) = (Vec::new(), self.reply.as_mut()?);
        reply.push_last(&mut bytes, 504);
        Some(bytes)
    }

    /// What stands before and behind a block that goes to a client; `None` for another front door.
    pub(crate) fn around(
        &mut self,
        length: usize,
    ) -> Option<(arrayvec::ArrayVec<u8, 18>, &'static [u8])> {
        self.reply.as_mut().map(|reply| reply.around(length))
    }

    fn end_reply(&mut self, end: End) {
        let ended = if end == End::Complete { self.finish_reply() } else { None };
        let Some(reply) = &mut self.reply else { return };
        match ended {
            Some(ended) => reply.finish(&mut self.frames, ended),
            None => reply.fail(&mut self.frames, end, self.rules.fail()),
        }
    }

    fn finish_reply(&mut self) -> Option<rules::End> {
        // Where the head is still here, nothing was written: the body is empty.
        self.know_length(0);
        let ended = self.rules.finish().ok()?;
        let (rules::End::Complete { head } | rules::End::Truncated { head, .. }) = ended;
        self.let_head_go(head);
        Some(ended)
    }
}

/// The headers and parts of the Data frames that carry `block`.
pub(crate) fn data_frames(
    block: &[u8],
    seq: u32,
    flush: bool,
) -> impl Iterator<Item = ([u8; Header::SIZE], &[u8])> {
    let last = block.len().saturating_sub(1) / LONGEST_DATA;
    block.chunks(LONGEST_DATA).enumerate().map(move |(index, part)| {
        let flags = if flush && index == last { DATA_FLUSH } else { 0 };
        (Header { kind: Kind::Data, flags, seq, len: part.len() as u32 }.encode(), part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(response: &mut Response) -> Vec<(Kind, u16, usize)> {
        let (frames, mut out) = (std::mem::take(&mut response.frames), Vec::new());
        let mut bytes = &frames[..];
        while let Some((header, payload, used)) = Header::split(bytes).unwrap() {
            out.push((header.kind, header.flags, payload.len()));
            bytes = &bytes[used..];
        }
        assert!(bytes.is_empty());
        out
    }

    fn ends(response: &mut Response, end: End) -> u16 {
        response.end(end);
        kinds(response).last().unwrap().1
    }

    fn started(status: &[u8], length: Option<u64>, head_request: bool) -> Response {
        let mut head = Head::new(status).unwrap();
        if let Some(length) = length {
            head.set_length(length);
        }
        let mut response = Response::new(3, head_request, Vec::new());
        response.start(head, false).unwrap();
        response
    }

    #[test]
    fn a_head_is_replaced_until_it_has_gone() {
        let mut response = started(b"200 OK", None, false);
        response.start(Head::new(b"503 Replaced").unwrap(), false).unwrap();
        assert_eq!((response.admit(0), response.admit(0)), (Ok(0), Ok(0)));
        let (_, payload, used) = Header::split(&response.frames).unwrap().unwrap();
        assert_eq!(answer::HeadRef::decode(payload).unwrap().status, 503);
        assert_eq!(used, response.frames.len());
        assert!(response.start(Head::new(b"200 OK").unwrap(), false).is_err());
    }

    #[test]
    fn nothing_goes_beyond_the_length() {
        let mut response = started(b"200 OK", Some(5), false);
        let admitted = [response.admit(3), response.admit(3), response.admit(1)];
        assert_eq!(admitted, [Ok(3), Ok(2), Ok(0)]);
        assert_eq!(ends(&mut response, End::Complete), End::Complete as u16);
    }

    #[test]
    fn what_is_too_short_is_truncated_and_a_late_failure_harms_nobody() {
        for (sent, end, expected) in [
            (4, End::Complete, End::Truncated),
            (5, End::Complete, End::Complete),
            (4, End::Failed, End::Failed),
            (5, End::Failed, End::Complete),
        ] {
            let mut response = started(b"200 OK", Some(5), false);
            response.admit(sent).unwrap();
            assert_eq!(ends(&mut response, end), expected as u16, "{sent} {end:?}");
        }
    }

    #[test]
    fn an_answer_without_body_has_none_and_is_complete() {
        for (status, head_request) in [(&b"200 OK"[..], true), (b"204 No Content", false)] {
            let mut response = started(status, Some(5), head_request);
            assert_eq!(response.admit(3), Ok(0));
            assert_eq!(kinds(&mut response)[0].0, Kind::Head);
            assert_eq!(ends(&mut response, End::Complete), End::Complete as u16);
        }
    }

    #[test]
    fn a_file_says_how_long_it_is() {
        let mut response = started(b"200 OK", None, false);
        assert_eq!(response.admit_file(7), Ok(7));
        let (_, payload, _) = Header::split(&response.frames).unwrap().unwrap();
        let headers: Vec<_> = answer::HeadRef::decode(payload).unwrap().headers().collect();
        assert_eq!(headers, [(&b"Content-Length"[..], &b"7"[..])]);
        assert_eq!(started(b"200 OK", Some(3), false).admit_file(7), Ok(3));
    }

    #[test]
    fn without_a_head_there_is_no_answer() {
        let mut response = Response::new(1, false, Vec::new());
        assert!(response.admit(1).is_err());
        assert_eq!(ends(&mut response, End::Complete), End::Failed as u16);
    }

    #[test]
    fn a_long_block_is_split_and_flushed_at_its_end() {
        let block = vec![7; LONGEST_DATA + 1];
        let mut response = started(b"200 OK", None, false);
        response.push_data(&block, true);
        let expected = [(Kind::Data, 0, LONGEST_DATA), (Kind::Data, DATA_FLUSH, 1)];
        assert_eq!(kinds(&mut response), expected);
        response.push_data(b"", true);
        assert_eq!(kinds(&mut response), []);
    }
}
