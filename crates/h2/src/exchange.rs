//! One request on a connection to the serving threads.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pinion_unix::clock;
use pinion_wire::answer::End;
use pinion_wire::frame::{self, BODY_LAST, Kind};
use pinion_wire::request::RequestWriter;
use tokio::time::Instant;

use crate::backend::Frame;
use crate::clock::{Deadline, Slowest};
use crate::input::Input;
use crate::pipe::Piece;
use crate::pool::Lease;
use crate::site::Site;

/// The status in the access log of a request whose client has taken it back, or gone, before there was an answer. No answer has it;
/// nginx writes the same.
const CLIENT_GONE: u16 = 499;

/// What the serving thread says.
#[derive(Debug)]
pub(crate) enum Said {
    /// Status and fields.
    Head(Vec<u8>),
    /// A piece of the answer's body.
    Piece(Piece),
    /// The request is done.
    End(End),
}

/// One request that a serving thread has, or will have.
#[derive(Debug)]
pub(crate) struct Exchange<S: Site> {
    lease: Lease<S>,
    input: Input,
    /// How many bytes of the body each question asks for that was not answered.
    wants: VecDeque<u32>,
    slowest: Slowest,
    wait: Deadline,
    /// Since when the client is waited for, and how long it was before.
    since: Option<Instant>,
    waited: Duration,
    /// How much of the body had come when the request began.
    counted: u64,
    /// The serving thread has said its last word.
    is_done: bool,
    note: Note<S>,
}

/// What the access log is told of a request when this is dropped.
#[derive(Debug)]
pub(crate) struct Note<S: Site> {
    site: Arc<S>,
    /// The request, without its body.
    frame: Vec<u8>,
    begun: u64,
    status: u16,
    sent: u64,
}

impl<S: Site> Note<S> {
    /// Of a request that begins now.
    pub(crate) fn new(site: Arc<S>, frame: Vec<u8>) -> Self {
        Self { site, frame, begun: clock::monotonic_ns(), status: CLIENT_GONE, sent: 0 }
    }

    /// The answer's status.
    pub(crate) fn status(&mut self, status: u16) {
        self.status = status;
    }

    /// So many bytes of its body were handed on.
    pub(crate) fn sent(&mut self, count: u64) {
        self.sent += count;
    }
}

impl<S: Site> Drop for Note<S> {
    fn drop(&mut self) {
        self.site.answered(&self.frame, self.begun, self.status, self.sent);
    }
}

impl<S: Site> Exchange<S> {
    /// Gives a request to the serving threads, with what has come of its body.
    pub(crate) fn begin(
        mut lease: Lease<S>,
        (input, here): (Input, &[u8]),
        mut note: Note<S>,
        slowest: Slowest,
    ) -> io::Result<Self> {
        let backend = lease.backend().inspect_err(|_| note.status(502))?;
        let seq = backend.begin();
        let mut frame = note.frame.clone();
        RequestWriter::extend(&mut frame, here);
        RequestWriter::stamp(&mut frame, seq, clock::monotonic_ns());
        backend.frames().append(&mut frame);
        let (wants, wait, counted) = (VecDeque::new(), Deadline::default(), input.taken());
        let (since, waited) = (None, Duration::ZERO);
        let is_done = false;
        Ok(Self { lease, input, wants, slowest, wait, since, waited, counted, is_done, note })
    }

    /// What the access log is told.
    pub(crate) fn note(&mut self) -> &mut Note<S> {
        &mut self.note
    }

    /// What the serving thread says next; lines for the log are passed on, and questions for the body answered.
    pub(crate) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Said>> {
        loop {
            self.poll_feed(cx)?;
            let said = match ready!(self.lease.backend()?.poll_frame(cx))? {
                Frame::Want(amount) => {
                    self.wants.push_back(amount);
                    continue;
                }
                Frame::Log(level, line) => {
                    self.lease.site().log(level, &line);
                    continue;
                }
                Frame::Head(payload) => Said::Head(payload),
                Frame::Data(bytes) => {
                    self.note.sent(bytes.len() as u64);
                    Said::Piece(Piece::Bytes(bytes))
                }
                Frame::File(part) => {
                    self.note.sent(part.left);
                    Said::Piece(Piece::File(part))
                }
                Frame::End(end) => {
                    self.is_done = true;
                    Said::End(end)
                }
            };
            return Poll::Ready(Ok(said));
        }
    }

    /// Answers questions for the body with what has come of it, and sends. Something is to be done whenever this has the context woken.
    pub(crate) fn poll_feed(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            // What the serving thread does not take is not asked for from the client.
            if self.lease.backend()?.poll_flush(cx)?.is_pending() {
                return Ok(());
            }
            let Some(want) = self.wants.front() else { return Ok(()) };
            let most = usize::try_from(*want).unwrap_or(usize::MAX);
            let Poll::Ready(part) = self.input.poll_part(most, cx) else {
                self.since.get_or_insert_with(Instant::now);
                let limit = self.slowest.left(self.waited, self.input.taken() - self.counted);
                if self.wait.poll(limit, cx).is_pending() {
                    return Ok(());
                }
                self.input.fail("Timeout");
                continue;
            };
            self.waited += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
            self.wants.pop_front();
            self.wait.reset();
            let is_last = self.input.is_over();
            let backend = self.lease.backend()?;
            let seq = backend.seq();
            let (kind, flags, payload) = match &part {
                Ok(bytes) => (Kind::Body, if is_last { BODY_LAST } else { 0 }, &bytes[..]),
                Err(reason) => (Kind::BodyFailed, 0, reason.as_bytes()),
            };
            frame::push(backend.frames(), kind, flags, seq, payload);
        }
    }

    /// The request is over, and what is left of its body not wanted any more. Its connection serves others if it is done.
    pub(crate) fn finish(self) {
        if self.is_done {
            self.lease.give_back();
        }
    }
}
