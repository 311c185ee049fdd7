//! What a front door does for one request while a worker answers it.

use std::os::fd::OwnedFd;

use pinion_unix::area::Outside;
use pinion_wire::{
    answer::{FilePart, HeadRef, LogRef},
    message::Death,
};

/// The client cannot be reached any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("client connection closed")]
pub struct Gone;

/// Why the request's body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request body cannot be read: {reason}")]
pub struct BodyFault {
    /// What the application's OSError says.
    pub reason: String,
}

/// One request of a front door, as [`crate::Front::serve`] needs it.
pub trait Client {
    /// Status and headers have come.
    ///
    /// # Errors
    /// The head is not fit to be sent (the front door answers 500 then), or the client has gone.
    fn head(&mut self, head: &HeadRef<'_>) -> Result<(), Gone>;

    /// A part of the body has come. `flush`: the client shall have it now. `last`: the answer is whole with it. The bytes are
    /// overwritten after the call.
    ///
    /// # Errors
    /// When the client has gone.
    fn data(&mut self, bytes: &[u8], flush: bool, last: bool) -> Result<(), Gone>;

    /// As [`Client::data`], with a part behind which another one is here already: the next call brings it, at once. So the client may get
    /// both together.
    ///
    /// # Errors
    /// As [`Client::data`].
    fn data_before_more(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.data(bytes, false, false)
    }

    /// As [`Client::data`], with bytes in one or more places that the worker may change at any time: nothing may rely on reading the same
    /// twice. Who cannot hand them on unread has them copied.
    ///
    /// # Errors
    /// As [`Client::data`].
    fn outside_data(&mut self, parts: &[Outside<'_>], flush: bool, last: bool) -> Result<(), Gone> {
        let mut copy = Vec::new();
        parts.iter().for_each(|part| part.append_to(&mut copy));
        self.data(&copy, flush, last)
    }

    /// A part of the body is in a file.
    ///
    /// # Errors
    /// When the client has gone.
    fn file(&mut self, file: OwnedFd, part: FilePart) -> Result<(), Gone>;

    /// The application wrote this to its log.
    fn log(&mut self, log: &LogRef<'_>);

    /// Appends at least one and at most `most` bytes of the request's body to `into`, waiting for the first
    /// but not for more; nothing at its end. Returns whether the body is whole now.
    ///
    /// # Errors
    /// When the client sent something that is no body, or went away.
    fn body(&mut self, most: usize, into: &mut Vec<u8>) -> Result<bool, BodyFault>;

    /// As [`Client::body`], but puts the bytes into `room`, from its start on. Returns how many those are as well.
    ///
    /// # Errors
    /// As [`Client::body`].
    fn body_outside(&mut self, room: Outside<'_>) -> Result<(usize, bool), BodyFault> {
        let mut bytes = Vec::new();
        let last = self.body(room.len(), &mut bytes)?;
        Ok((room.fill(0, &bytes), last))
    }

    /// What the functions of a call returned has come: an encoded list of [`pinion_wire::call::Returned`]. Whoever
    /// has not made a call expects none.
    ///
    /// # Errors
    /// When it was not asked for.
    fn returned(&mut self, _payload: &[u8]) -> Result<(), Gone> {
        Err(Gone)
    }

    /// The request has ended, and its worker said whether it finds several each time that it wakes ([`pinion_wire::frame::END_UNDER_LOAD`]).
    fn under_load(&mut self, _is_so: bool) {}

    /// The worker died while it ran this request: to be logged, whether the request goes to another worker or not.
    fn worker_died(&mut self, death: &Death);

    /// Whether the head of an answer has come: then the request cannot be begun anew.
    fn answered(&self) -> bool;

    /// Whether the server is being stopped at once, so that waiting any longer is of no use. Asked about
    /// once a second while nothing comes.
    fn cancelled(&self) -> bool;
}
