//! A request's body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Incoming};
use pinion_http::refusal::Refusal;

/// A request's body, as it comes.
#[derive(Debug)]
pub(crate) struct Input {
    body: Incoming,
    /// What has come and was not used.
    here: Bytes,
    /// How much has come.
    taken: u64,
    limit: Option<u64>,
    is_ended: bool,
    /// Why it does not go on.
    failed: Option<String>,
}

/// Why a body does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is too long.
    TooLong,
    /// The client has gone, or breaks the rules.
    Broken,
}

impl Input {
    /// A body that may be so long.
    pub(crate) fn new(body: Incoming, limit: Option<u64>) -> Self {
        let is_ended = body.is_end_stream();
        Self { body, here: Bytes::new(), taken: 0, limit, is_ended, failed: None }
    }

    /// Whether all of it was used.
    pub(crate) fn is_over(&self) -> bool {
        self.is_ended && self.here.is_empty()
    }

    /// How much of it has come.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// It does not go on.
    pub(crate) fn fail(&mut self, reason: &str) {
        self.failed = Some(reason.to_owned());
    }

    /// Waits until something is here, or the body is over.
    fn poll_here(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        while self.here.is_empty() && !self.is_ended {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers are of no use to an application.
                    let data = frame.into_data().unwrap_or_default();
                    self.taken += data.len() as u64;
                    if self.limit.is_some_and(|limit| self.taken > limit) {
                        return Poll::Ready(Err(Stop::TooLong));
                    }
                    self.here = data;
                    self.is_ended = self.body.is_end_stream();
                }
                Some(Err(_)) => return Poll::Ready(Err(Stop::Broken)),
                None => self.is_ended = true,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Appends what is here to `out`, at most up to `most` bytes there, waiting until it is one; fewer, or none, at the body's end.
    pub(crate) fn poll_into(
        &mut self,
        out: &mut Vec<u8>,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stop>> {
        let before = out.len();
        while out.len() < most && !self.is_over() {
            match self.poll_here(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Pending if out.len() > before => break,
                other => return other,
            }
            let count = self.here.len().min(most - out.len());
            out.extend_from_slice(&self.here.split_to(count));
        }
        Poll::Ready(Ok(()))
    }

    /// As [`Input::poll_into`], into memory of its own; the reason why there will be nothing more, in the application's words.
    pub(crate) fn poll_part(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<u8>, String>> {
        let mut part = Vec::new();
        if self.failed.is_none() {
            match ready!(self.poll_into(&mut part, most, cx)) {
                Ok(()) => return Poll::Ready(Ok(part)),
                Err(Stop::TooLong) => self.fail(Refusal::LONG_BODY.text.trim_end_matches('.')),
                Err(Stop::Broken) => self.fail("Connection closed"),
            }
        }
        Poll::Ready(Err(self.failed.clone().unwrap_or_default()))
    }
}
