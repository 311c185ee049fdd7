//! Reading a request's body for the application.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pinion_http::answer::CONTINUE;
use pinion_http::body::Decoder;
use pinion_unix::epoll::Trigger;
use pinion_unix::sockets;

use super::Client;
use super::client::now_ms;
use super::inbound::Inbound;
use super::way::ROOM;
use crate::connection::Received;
use crate::target::{Source, Target};

/// How much of a body must have come before a thread that waits for more than that is woken.
const PIECE: usize = 128 * 1024;
/// How long it waits for so much before it takes what there is.
const STEP: Duration = Duration::from_millis(250);

/// Why a body cannot be read on.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The client has gone.
    Gone,
    /// The request was answered, and what comes belongs to others.
    Over,
    /// What came is no body, or did not come in time.
    Broken(String),
}

/// Where a body goes.
pub(crate) enum Goal<'a, 'b> {
    /// To the end of what is here; so many bytes are wanted at least, but some are enough for now.
    Some(&'a mut Vec<u8>, usize),
    /// To memory that is to be filled.
    All(&'a mut Target<'b>),
}

impl Goal<'_, '_> {
    /// How many bytes there are.
    fn len(&self) -> usize {
        match self {
            Self::Some(bytes, _) => bytes.len(),
            Self::All(target) => target.filled().len(),
        }
    }

    /// How many more there is room for.
    fn room(&self) -> usize {
        match self {
            Self::Some(..) => usize::MAX,
            Self::All(target) => target.left(),
        }
    }

    /// How many more are wanted.
    fn wanted(&self) -> usize {
        match self {
            Self::Some(_, wanted) => *wanted,
            Self::All(target) => target.left(),
        }
    }

    /// Whether nothing more needs to come, if there were `before` bytes at first.
    fn is_reached(&self, before: usize) -> bool {
        match self {
            Self::Some(bytes, _) => bytes.len() > before,
            Self::All(target) => target.left() == 0,
        }
    }

    /// Appends bytes, for which there is room.
    fn put(&mut self, more: &[u8]) {
        match self {
            Self::Some(bytes, _) => bytes.extend_from_slice(more),
            Self::All(target) => {
                target.take(Source::Here(more), more.len());
            }
        }
    }
}

impl Client {
    /// Takes what there is of the body of request number `seq`, waiting for `patience` milliseconds at most (0: for ever) where too
    /// little is here. Returns whether the body has ended.
    pub(crate) fn read_body(
        &self,
        seq: u32,
        goal: &mut Goal<'_, '_>,
        patience: u64,
    ) -> Result<bool, BodyError> {
        let before = goal.len();
        let mut waited = None;
        loop {
            let mut inbound = self.inbound();
            // A thread that the application has left behind must not take what the next request brings.
            if !inbound.is_running(seq) {
                if waited.is_some() {
                    // The request may have ended before this thread began to wait: then nobody else lets the epoll tell again.
                    drop(inbound);
                    self.await_no_more();
                }
                return Err(BodyError::Over);
            }
            inbound.note_waited(waited.take().unwrap_or_default());
            take_body(&mut inbound, goal)?;
            let ended = inbound.decoder.as_ref().is_none_or(Decoder::is_ended);
            if ended || goal.is_reached(before) {
                return Ok(ended);
            }
            if inbound.must_continue {
                self.tell_to_continue(&mut inbound).map_err(|_| BodyError::Gone)?;
            }
            let left = inbound.decoder.as_ref().and_then(Decoder::left);
            let received = match left.filter(|_| !self.is_secure()) {
                Some(left) => self.receive_plain(&mut inbound, goal, left)?,
                None => self.receive(&mut inbound),
            };
            match received {
                Received::Some => {}
                Received::Gone => return Err(BodyError::Gone),
                Received::Nothing => {
                    let taken = inbound.decoder.as_ref().map_or(0, Decoder::taken);
                    let limit = inbound.body_patience(patience, self.rate, taken);
                    let wanted = left.map_or(1, |left| fitting(left, goal.wanted()).min(PIECE));
                    let of_first = !self.await_least(&mut inbound, wanted, wanted);
                    // Without the lock: the request may end meanwhile.
                    drop(inbound);
                    waited = Some(self.wait_for_input(limit, of_first)?);
                }
            }
        }
    }

    /// Waits until something can be received; how long it took, in milliseconds. Where that is not told of the first byte, it may be
    /// there before.
    fn wait_for_input(&self, limit: Option<Duration>, of_first: bool) -> Result<u64, BodyError> {
        if !self.awaited.swap(true, Ordering::AcqRel) {
            // Or each piece of the body would wake another thread, which would find nothing to do. An error means that the connection
            // has ended.
            let _ = self.tell_of(Trigger::Never);
        }
        let start = now_ms();
        let is_short = !of_first && limit.is_none_or(|limit| limit > STEP);
        match sockets::readable(self.as_fd(), if is_short { Some(STEP) } else { limit }) {
            Ok(false) if !is_short && !self.has_any_input() => {
                Err(BodyError::Broken("Timeout".to_owned()))
            }
            Ok(_) => Ok(now_ms() - start),
            Err(_) => Err(BodyError::Gone),
        }
    }

    /// Tells the client to send the body, unless the answer is on its way: then it would be taken for a part of that.
    fn tell_to_continue(&self, inbound: &mut Inbound) -> io::Result<()> {
        let mut outbound = self.outbound();
        if outbound.is_answering {
            return Ok(());
        }
        inbound.must_continue = false;
        outbound.add(&[IoSlice::new(CONTINUE)], 0);
        self.send_on(&mut outbound).map(drop)
    }

    /// Receives a body that is not framed right to where it goes.
    fn receive_plain(
        &self,
        inbound: &mut Inbound,
        goal: &mut Goal<'_, '_>,
        left: u64,
    ) -> Result<Received, BodyError> {
        let room = fitting(left, goal.wanted().max(ROOM)).min(ROOM * 16);
        let mut way = self.way();
        let (came, (received, is_more)) = match goal {
            Goal::Some(bytes, _) => {
                let before = bytes.len();
                let received = way.receive(bytes, room);
                (&bytes[before..], received)
            }
            Goal::All(target) => way.receive_to(target, room),
        };
        inbound.is_more = is_more;
        if received == Received::Some {
            let decoder = inbound.decoder.as_mut();
            let counted = decoder.map_or(Ok(()), |decoder| decoder.step(came).map(drop));
            counted.map_err(|refusal| BodyError::Broken(refusal.text.to_owned()))?;
        }
        Ok(received)
    }
}

/// How much of `most` bytes there may be where `left` are left.
fn fitting(left: u64, most: usize) -> usize {
    usize::try_from(left).map_or(most, |left| left.min(most))
}

/// Takes what has been received of the body already, as far as there is room for it.
fn take_body(inbound: &mut Inbound, goal: &mut Goal<'_, '_>) -> Result<(), BodyError> {
    let Some(mut decoder) = inbound.decoder.take() else { return Ok(()) };
    let mut result = Ok(());
    while !decoder.is_ended() && !inbound.here().is_empty() && goal.room() > 0 {
        // Where there is not room for everything, the body is not framed, so none of this is.
        let here = &inbound.here()[..inbound.here().len().min(goal.room())];
        match decoder.step(here) {
            Ok(step) => {
                goal.put(&here[step.skip..step.skip + step.take]);
                inbound.consume(step.skip + step.take);
                if step.skip + step.take == 0 {
                    break;
                }
            }
            Err(refusal) => {
                result = Err(BodyError::Broken(refusal.text.trim_end_matches('.').to_owned()));
                break;
            }
        }
    }
    inbound.decoder = Some(decoder);
    result
}
