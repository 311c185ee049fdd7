//! An answer, from `start_response` to its end: a state machine that says for each call of the
//! application what is to be sent, and what it has done wrong (PEP 3333, "The start_response()
//! Callable", "Handling the Content-Length Header", "Buffering and Streaming").

use thiserror::Error;

use crate::status::Status;

/// An answer in the making. It holds no bytes: it counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    state: State,
    head_request: bool,
    bodiless: bool,
    declared: Option<u64>,
    sent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `start_response` was not called.
    Waiting,
    /// It was called; nothing is sent, so that it may be called again.
    Started,
    /// The head is sent.
    Committed,
    /// The request is over.
    Closed,
}

/// What is to be sent for a piece of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Whether the head has to be sent first.
    pub head: bool,
    /// How many of the bytes are to be sent; the rest is to be discarded without a word, since
    /// it exceeds the Content-Length or the answer has no body.
    pub take: u64,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is whole.
    Complete {
        /// Whether the head has to be sent first: there was no output.
        head: bool,
    },
    /// It is shorter than it said. The client's connection must be cut, or it would take the
    /// next answer for the rest of this one.
    Truncated {
        /// Whether the head has to be sent first: there was no output.
        head: bool,
        /// What the Content-Length said.
        declared: u64,
        /// What was sent.
        sent: u64,
    },
}

/// What becomes of an answer whose application has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is sent yet: the server answers 500 instead.
    Replace,
    /// The head is sent: the connection must be cut.
    Cut,
    /// The answer was whole already; the client has what it asked for.
    TooLate,
}

/// Why `start_response` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StartError {
    /// The head is sent. In Python a `RuntimeError`.
    #[error("start_response() was called again without exc_info after output was sent")]
    Sent,
    /// The head is sent and `exc_info` was given: that exception is raised again.
    #[error("start_response() was called with exc_info after output was sent")]
    Reraise,
    /// The request is over. In Python a `RuntimeError`.
    #[error("start_response() was called after the request had ended")]
    Closed,
}

/// Why output is refused. In Python a `RuntimeError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OutputError {
    /// `start_response` comes first.
    #[error("start_response() must be called before the first output")]
    NotStarted,
    /// The request is over.
    #[error("write() was called after the request had ended")]
    Closed,
}

impl Response {
    /// An answer to a request. `head_request` tells that the method is HEAD, and was not mapped
    /// to GET: then what the application yields is discarded and may fall short of its length.
    pub fn new(head_request: bool) -> Self {
        Self {
            state: State::Waiting,
            head_request,
            bodiless: head_request,
            declared: None,
            sent: 0,
        }
    }

    /// The application calls `start_response` with a status and, perhaps, a Content-Length.
    ///
    /// Before anything is sent, a further call replaces the one before. PEP 3333 asks for
    /// `exc_info` then; mod_wsgi does without, and applications have come to rely on it.
    ///
    /// # Errors
    /// When the head is sent, or the request is over.
    pub fn start(
        &mut self,
        status: &Status<'_>,
        content_length: Option<u64>,
        exc_info: bool,
    ) -> Result<(), StartError> {
        match self.state {
            State::Closed => Err(StartError::Closed),
            State::Committed if exc_info => Err(StartError::Reraise),
            State::Committed => Err(StartError::Sent),
            State::Waiting | State::Started => {
                self.state = State::Started;
                self.bodiless = self.head_request || status.is_bodiless();
                self.declared = content_length;
                Ok(())
            }
        }
    }

    /// The application calls `write()`: the head is sent even for no bytes.
    ///
    /// # Errors
    /// Before `start_response`, and after the request's end.
    pub fn write(&mut self, length: usize) -> Result<Accepted, OutputError> {
        let head = self.commit()?;
        Ok(Accepted { head, take: self.count(length as u64) })
    }

    /// The application's iterable yields a block: an empty one sends nothing and does not even
    /// need `start_response` (PEP 3333, "Buffering and Streaming").
    ///
    /// # Errors
    /// Before `start_response`, and after the request's end.
    pub fn block(&mut self, length: usize) -> Result<Accepted, OutputError> {
        if length == 0 && self.state != State::Closed {
            return Ok(Accepted { head: false, take: 0 });
        }
        self.write(length)
    }

    /// The application returns a file of which `remaining` bytes are left from its current
    /// position. Where no Content-Length was given, this is it, and is to be sent in the head.
    ///
    /// # Errors
    /// Before `start_response`, and after the request's end.
    pub fn file(&mut self, remaining: u64) -> Result<Accepted, OutputError> {
        if self.state == State::Started && self.declared.is_none() {
            self.declared = Some(remaining);
        }
        let head = self.commit()?;
        Ok(Accepted { head, take: self.count(remaining) })
    }

    /// The Content-Length that holds, given by the application or by [`Response::file`].
    pub fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Whether the answer has no body: to HEAD, and with 204 and 304.
    pub fn is_bodiless(&self) -> bool {
        self.bodiless
    }

    /// Whether what still comes would be discarded, so that the iterable need not be read on.
    pub fn is_full(&self) -> bool {
        self.declared.is_some_and(|declared| self.sent >= declared)
    }

    /// The application has returned, its iterable is used up.
    ///
    /// # Errors
    /// When `start_response` was never called.
    pub fn finish(&mut self) -> Result<End, OutputError> {
        let head = self.commit()?;
        self.state = State::Closed;
        Ok(match self.declared {
            Some(declared) if !self.bodiless && self.sent < declared => {
                End::Truncated { head, declared, sent: self.sent }
            }
            _ => End::Complete { head },
        })
    }

    /// The application has raised an exception, or has yielded what is no bytes.
    pub fn fail(&mut self) -> Failure {
        let failure = match self.state {
            State::Waiting | State::Started => Failure::Replace,
            // All that was announced is sent: the exception is logged and nothing else.
            State::Committed if self.bodiless || self.is_full() => Failure::TooLate,
            State::Committed => Failure::Cut,
            State::Closed => Failure::TooLate,
        };
        self.state = State::Closed;
        failure
    }

    fn commit(&mut self) -> Result<bool, OutputError> {
        match self.state {
            State::Waiting => Err(OutputError::NotStarted),
            State::Closed => Err(OutputError::Closed),
            State::Committed => Ok(false),
            State::Started => {
                self.state = State::Committed;
                Ok(true)
            }
        }
    }

    fn count(&mut self, length: u64) -> u64 {
        let room = match self.declared {
            _ if self.bodiless => 0,
            Some(declared) => declared.saturating_sub(self.sent),
            None => u64::MAX,
        };
        let take = length.min(room);
        self.sent = self.sent.saturating_add(take);
        take
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn started(status: &str, length: Option<u64>) -> Response {
        let mut response = Response::new(false);
        response.start(&Status::parse(status.as_bytes()).unwrap(), length, false).unwrap();
        response
    }

    fn again(response: &mut Response, exc_info: bool) -> Result<(), StartError> {
        response.start(&Status::parse(b"500 X").unwrap(), None, exc_info)
    }

    const fn accepted(head: bool, take: u64) -> Accepted {
        Accepted { head, take }
    }

    #[test]
    fn the_head_goes_with_the_first_block_that_is_not_empty() {
        let mut response = started("200 OK", None);
        assert_eq!(response.block(0), Ok(accepted(false, 0)));
        assert_eq!(response.block(3), Ok(accepted(true, 3)));
        assert_eq!(response.block(4), Ok(accepted(false, 4)));
        assert_eq!(response.finish(), Ok(End::Complete { head: false }));
    }

    #[test]
    fn write_sends_the_head_even_for_nothing() {
        let mut response = started("200 OK", None);
        assert_eq!(response.write(0), Ok(accepted(true, 0)));
        assert_eq!(response.write(2), Ok(accepted(false, 2)));
    }

    #[test]
    fn an_answer_without_output_has_a_head() {
        assert_eq!(started("200 OK", None).finish(), Ok(End::Complete { head: true }));
        assert_eq!(started("200 OK", Some(0)).finish(), Ok(End::Complete { head: true }));
    }

    #[test]
    fn start_response_comes_first_but_may_come_after_empty_blocks() {
        let mut response = Response::new(false);
        assert_eq!(response.block(0), Ok(accepted(false, 0)));
        assert_eq!(response.block(1), Err(OutputError::NotStarted));
        assert_eq!(response.write(0), Err(OutputError::NotStarted));
        assert_eq!(response.file(1), Err(OutputError::NotStarted));
        assert_eq!(response.clone().finish(), Err(OutputError::NotStarted));
        assert_eq!(response.fail(), Failure::Replace);
    }

    #[test]
    fn start_response_can_be_repeated_until_something_is_sent() {
        let mut response = started("200 OK", Some(3));
        assert_eq!(again(&mut response, false), Ok(()));
        assert_eq!(again(&mut response, true), Ok(()));
        assert_eq!(response.declared(), None);
        response.block(1).unwrap();
        assert_eq!(again(&mut response, false), Err(StartError::Sent));
        assert_eq!(again(&mut response, true), Err(StartError::Reraise));
        assert_eq!(response.fail(), Failure::Cut);
    }

    #[test]
    fn what_exceeds_the_length_is_discarded() {
        let mut response = started("200 OK", Some(4));
        assert_eq!(response.block(3), Ok(accepted(true, 3)));
        assert!(!response.is_full());
        assert_eq!(response.block(3), Ok(accepted(false, 1)));
        assert!(response.is_full());
        assert_eq!(response.block(3), Ok(accepted(false, 0)));
        assert_eq!(response.finish(), Ok(End::Complete { head: false }));
    }

    #[test]
    fn what_falls_short_of_it_is_told() {
        let mut response = started("200 OK", Some(4));
        response.block(3).unwrap();
        let end = End::Truncated { head: false, declared: 4, sent: 3 };
        assert_eq!(response.finish(), Ok(end));
        let end = End::Truncated { head: true, declared: 4, sent: 0 };
        assert_eq!(started("200 OK", Some(4)).finish(), Ok(end));
    }

    #[test]
    fn answers_without_a_body_discard_it_and_cannot_fall_short() {
        for (head_request, status) in [(true, "200 OK"), (false, "204 X"), (false, "304 X")] {
            let mut response = Response::new(head_request);
            let status = Status::parse(status.as_bytes()).unwrap();
            response.start(&status, Some(9), false).unwrap();
            assert!(response.is_bodiless());
            assert_eq!(response.block(3), Ok(accepted(true, 0)));
            assert_eq!(response.finish(), Ok(End::Complete { head: false }));
        }
        let mut response = started("304 X", None);
        response.start(&Status::parse(b"200 OK").unwrap(), None, true).unwrap();
        assert!(!response.is_bodiless());
    }

    #[test]
    fn a_file_adds_a_missing_length_and_obeys_a_given_one() {
        let mut response = started("200 OK", None);
        assert_eq!(response.file(10), Ok(accepted(true, 10)));
        assert_eq!(response.declared(), Some(10));
        assert_eq!(response.finish(), Ok(End::Complete { head: false }));
        assert_eq!(started("200 OK", Some(4)).file(10), Ok(accepted(true, 4)));
        let mut after_write = started("200 OK", None);
        after_write.write(1).unwrap();
        assert_eq!(after_write.file(10), Ok(accepted(false, 10)));
        assert_eq!(after_write.declared(), None);
        let mut short = started("200 OK", Some(20));
        short.file(10).unwrap();
        assert!(matches!(short.finish(), Ok(End::Truncated { sent: 10, .. })));
    }

    #[test]
    fn a_failure_is_answered_as_far_as_the_answer_is() {
        assert_eq!(started("200 OK", None).fail(), Failure::Replace);
        let mut begun = started("200 OK", None);
        begun.block(1).unwrap();
        assert_eq!(begun.fail(), Failure::Cut);
        let mut whole = started("200 OK", Some(1));
        whole.block(1).unwrap();
        assert_eq!(whole.fail(), Failure::TooLate);
        let mut ended = started("200 OK", None);
        ended.finish().unwrap();
        assert_eq!(ended.fail(), Failure::TooLate);
    }

    #[test]
    fn after_the_end_nothing_is_taken() {
        let mut response = started("200 OK", None);
        response.finish().unwrap();
        assert_eq!(response.write(1), Err(OutputError::Closed));
        assert_eq!(response.block(0), Err(OutputError::Closed));
        assert_eq!(response.finish(), Err(OutputError::Closed));
        assert_eq!(again(&mut response, false), Err(StartError::Closed));
    }

    proptest! {
        #[test]
        fn the_client_never_gets_more_than_was_announced(
            declared in proptest::option::of(0_u64..40),
            blocks in proptest::collection::vec((any::<bool>(), 0_usize..20), 0..8),
        ) {
            let mut response = started("200 OK", declared);
            let (mut heads, mut sent) = (0, 0);
            for (by_write, length) in blocks {
                let taken =
                    if by_write { response.write(length) } else { response.block(length) }.unwrap();
                heads += u32::from(taken.head);
                sent += taken.take;
            }
            let (End::Complete { head } | End::Truncated { head, .. }) = response.finish().unwrap();
            prop_assert_eq!(heads + u32::from(head), 1);
            if let Some(declared) = declared {
                prop_assert!(sent <= declared);
            }
        }
    }
}
