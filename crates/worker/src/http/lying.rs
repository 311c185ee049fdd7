//! Bodies that lie in their sockets until enough of them has come.
//!
//! The system is told how much that is (`SO_RCVLOWAT`), so one event tells of all of it, no thread looks at each piece, and whoever
//! wants the body has it copied once, to where it is wanted.

use std::os::fd::AsFd;
use std::time::Duration;

use pinion_unix::sockets;

use super::arrive::AWAITED;
use super::client::now_ms;
use super::inbound::{Inbound, Phase};
use super::{Client, Door};

/// The longest body that is awaited whole. What is longer is taken by a thread when [`AWAITED`] bytes are here.
const WHOLE: usize = 1024 * 1024;
/// Of how few missing bytes nothing is expected.
const FEW: usize = 16 * 1024;

/// How much of a body is here, received or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// Enough for a thread.
    Enough,
    /// The socket tells when more has come.
    Part,
    /// The system keeps no more of it: some is to be received.
    Cramped,
    /// Nobody knows: it is to be received.
    Unknown,
}

impl Client {
    /// Has the socket tell of so many bytes of `all`, if it can; whether it does.
    pub(super) fn await_least(&self, inbound: &mut Inbound, bytes: usize, all: usize) -> bool {
        let is_tcp = !self.is_secure() && !self.from.address.is_empty();
        let bytes = if is_tcp && bytes >= FEW { bytes } else { 1 };
        inbound.least.set(self.as_fd(), bytes, all) && bytes > 1
    }

    fn unread(&self) -> usize {
        sockets::unread(self.as_fd()).unwrap_or(0)
    }

    /// Whether something can be received, or the connection has ended, whatever the socket tells of.
    pub(super) fn has_any_input(&self) -> bool {
        self.has_input() || self.unread() > 0
    }
}

impl Door {
    /// Looks how much of an awaited body lies in the socket.
    pub(super) fn look_into(&self, client: &Client, inbound: &mut Inbound) -> Lies {
        let Some(Needed { missing, all, is_whole }) = needed(inbound) else { return Lies::Unknown };
        let (before, unread) = (inbound.lying.take(), client.unread());
        client.set_lying(false);
        if unread >= missing {
            inbound.is_whole = is_whole;
            inbound.lying = Some(unread);
            return Lies::Enough;
        }
        if client.is_closed() {
            return Lies::Unknown;
        }
        if inbound.least.is_set() && client.has_input() {
            return Lies::Cramped;
        }
        if !client.await_least(inbound, missing, all) {
            inbound.is_cramped = true;
            return Lies::Unknown;
        }
        inbound.lying = Some(unread);
        client.set_lying(true);
        if before.is_none_or(|before| before < unread) {
            self.give_time(client, inbound);
        }
        Lies::Part
    }

    /// One who has sent something has more time, if it was enough: with what comes too slowly, there will never be enough for a thread.
    fn give_time(&self, client: &Client, inbound: &mut Inbound) {
        let Phase::Body(coming) = &inbound.phase else { return };
        let (now, come) = (now_ms(), inbound.has_come(&coming.decoder));
        match inbound.lies_since {
            0 => inbound.begin_waiting(come),
            since => inbound.note_waited(now.saturating_sub(since)),
        }
        inbound.lies_since = now;
        match inbound.body_patience(self.spec.times.body, self.spec.limits.rate, come) {
            None => client.wait_until(now, 0),
            Some(Duration::ZERO) => client.wait_until(now.saturating_sub(1), 1),
            Some(limit) => client.wait_until(now, limit.as_millis() as u64),
        }
    }

    /// As [`Door::note_come`], of all clients.
    pub(super) fn note_progress(&self) {
        let lying = self.clients().lying();
        for client in lying {
            if let Some(mut inbound) = client.inbound_now() {
                self.note_come(&client, &mut inbound);
            }
        }
    }

    /// One who has sent more of what is awaited has more time.
    pub(super) fn note_come(&self, client: &Client, inbound: &mut Inbound) {
        let before = inbound.lying.filter(|_| inbound.is_lying());
        let unread = before.map_or(0, |_| client.unread());
        if before.is_some_and(|before| before < unread) {
            inbound.lying = Some(unread);
            self.give_time(client, inbound);
        }
    }
}

/// What must have come before a thread takes a request.
struct Needed {
    /// So many bytes must lie in the socket.
    missing: usize,
    /// So many have come then.
    all: usize,
    /// Whether that is the whole body.
    is_whole: bool,
}

/// What must have come of an awaited body; `None` where it is received as it comes.
fn needed(inbound: &Inbound) -> Option<Needed> {
    let Phase::Body(coming) = &inbound.phase else { return None };
    if inbound.is_cramped || coming.decoder.taken() > 0 {
        return None;
    }
    let left = usize::try_from(coming.decoder.left()?).unwrap_or(usize::MAX);
    let is_whole = left <= WHOLE;
    let all = if is_whole { left } else { AWAITED };
    let missing = all.checked_sub(inbound.here().len()).filter(|missing| *missing >= FEW)?;
    Some(Needed { missing, all, is_whole })
}
