//! What follows an answer: the next request, or the end of the connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pinion_http::answer::{self, Asked};
use pinion_http::body::Decoder;
use pinion_http::refusal::Refusal;
use pinion_tls::Failure;
use pinion_unix::clock;

use super::arrive::{Looked, Memory};
use super::client::{Client, locked, now_ms};
use super::inbound::{Inbound, Phase, slowest};
use super::visit::Visit;
use super::{Door, Held};
use crate::reply::{BodySender, Ending};
use crate::worker::Worker;

/// How long a client on whose connection nothing comes has to see the last answer, in milliseconds.
pub(super) const LINGER: u64 = 2_000;
/// How long one has that goes on sending.
const LONGEST_LINGER: u64 = 5_000;
/// How much of what one sends is thrown away.
const MOST_LINGER: u64 = 64 * 1024 * 1024;
/// How much of a body that nobody reads is received so that the connection can go on.
const REST: u64 = 256 * 1024;
/// How long something that has come waits for a thread, in milliseconds, before it is asked again whether it does.
const BUSY: u64 = 1_000;

impl BodySender for Client {
    fn sends_too_much(&self) -> bool {
        is_too_much(&self.inbound())
    }
}

impl Door {
    /// Sends the last bytes of an answer to a request that a thread began at `begun`. Where the thread has more requests in its hands and
    /// the connection goes on, the system may hold them until those are served.
    pub(super) fn answer(
        &self,
        (worker, thread): (&Worker, usize),
        client: &Arc<Client>,
        bytes: &[u8],
        (begun, goes_on): (u64, bool),
    ) -> io::Result<()> {
        let now = clock::monotonic_ns();
        let has_more = worker.seat.has_more(thread);
        let is_over = {
            let mut held = locked(&self.held);
            let Held { batch, clients } = &mut *held;
            batch.note(now.saturating_sub(begun));
            if has_more && goes_on && batch.may_wait() && client.hold() {
                clients.push(client.clone());
                self.holds.store(true, Ordering::Relaxed);
                batch.is_over(clients.len() == 1, now)
            } else {
                !has_more
            }
        };
        let sent = client.send_some_of(bytes);
        if is_over {
            self.release();
        }
        sent
    }

    /// Lets the answers that the system holds leave.
    pub(crate) fn release(&self) {
        if self.holds.load(Ordering::Relaxed) {
            let held = {
                let mut held = locked(&self.held);
                self.holds.store(false, Ordering::Relaxed);
                std::mem::take(&mut held.clients)
            };
            held.iter().for_each(|client| client.release());
        }
    }

    /// Sends what is kept. One that does not take its answers is not served more of them, and only taking more prolongs its time.
    pub(super) fn flush(&self, client: &Client, inbound: &mut Inbound) -> Option<Looked> {
        match client.flush() {
            Ok(true) => self.note_sent(client, inbound),
            Ok(false) => {
                let taken = client.taken();
                if !client.is_handshaking() && inbound.taken.replace(taken) != Some(taken) {
                    let due = self.due_for(inbound, taken);
                    client.wait_until(due.saturating_sub(1), due.min(1));
                }
                return Some(Looked::More);
            }
            Err(_) => return Some(Looked::Ended),
        }
        None
    }

    /// Until when a client may take the next piece of what is kept for it, of which it has ever taken so much; 0 for any time. That may
    /// be over already: who takes a bit at each look would otherwise always have another moment.
    fn due_for(&self, inbound: &mut Inbound, taken: u64) -> u64 {
        let (now, patience) = (now_ms(), self.spec.times.body);
        let (since, before) = *inbound.unsent.get_or_insert((now, taken));
        let all = slowest(self.spec.limits.rate, patience, taken - before);
        if patience == 0 { 0 } else { since.saturating_add(all).min(now + patience) }
    }

    /// All that was kept is sent.
    fn note_sent(&self, client: &Client, inbound: &mut Inbound) {
        let waited = inbound.taken.take().is_some();
        inbound.unsent = None;
        if let Phase::Linger { is_told: is_told @ false, .. } = &mut inbound.phase {
            *is_told = true;
            client.end();
        }
        if waited {
            let idle = client.patience(self.spec.times.idle);
            client.wait_until(now_ms(), if inbound.phase.is_over() { LINGER } else { idle });
        }
    }

    /// Whether a connection has ended because no TLS is spoken on it: the client is given time to see what it was told.
    pub(super) fn has_failed(
        &self,
        worker: &Worker,
        client: &Client,
        inbound: &mut Inbound,
    ) -> bool {
        let Some(failure) = client.take_failure() else { return false };
        worker.mention(&format!("no TLS with '{}': {failure}", client.from.address));
        inbound.consume(inbound.here().len());
        !matches!(failure, Failure::Socket(_)) && !self.leave(client, inbound)
    }

    /// Answers what is no request; the connection ends once the client has seen that. Whether it has ended already.
    pub(super) fn refuse(
        &self,
        client: &Client,
        inbound: &mut Inbound,
        memory: &mut Memory,
        refusal: Refusal,
    ) -> bool {
        let asked = Asked { minor: 1, head: false, keep_alive: false };
        let mut out = Vec::new();
        let date = memory.date.at(clock::seconds());
        let line = (refusal.status, answer::reason(refusal.status));
        let text = format!("{}\n", refusal.text);
        answer::push_own(&mut out, &asked, line, &[], &text, date);
        self.note_refused(client, inbound, (refusal.status, text.len()), memory);
        client.send_some_of(&out).is_err() || self.leave(client, inbound)
    }

    /// The last answer is on its way: lets the client see it before the connection ends; whether it has ended already.
    pub(super) fn leave(&self, client: &Client, inbound: &mut Inbound) -> bool {
        let now = now_ms();
        let until = now + LONGEST_LINGER;
        inbound.phase = Phase::Linger { until, left: MOST_LINGER, is_told: false };
        inbound.decoder = None;
        client.wait_until(now, LINGER);
        matches!(self.flush(client, inbound), Some(Looked::Ended))
    }

    /// A request was answered; goes on with the client.
    pub(crate) fn conclude(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        ending: Ending,
        memory: &mut Memory,
    ) -> Option<Box<Visit>> {
        client.await_no_more();
        let is_over = self.settle(client, &mut client.inbound(), ending);
        if is_over {
            self.forget(worker, client);
            return None;
        }
        self.look(worker, client, memory, false)
    }

    /// What is behind an answer on the connection; whether that is over.
    pub(super) fn settle(&self, client: &Client, inbound: &mut Inbound, ending: Ending) -> bool {
        let ended = inbound.decoder.as_ref().is_none_or(Decoder::is_ended);
        match ending {
            Ending::Cut => return true,
            Ending::Keep if ended => self.next(client, inbound),
            Ending::Keep if !is_too_much(inbound) => {
                // What has come already keeps nobody waiting.
                let all = inbound.decoder.as_ref().and_then(Decoder::left);
                let most = all.filter(|_| inbound.is_whole).map_or(REST, |all| all.max(REST));
                inbound.phase = Phase::Rest(most);
                client.wait_until(now_ms(), LINGER);
            }
            Ending::Keep | Ending::Close => {
                let is_last = ended && inbound.closes && inbound.here().is_empty();
                let is_sent = match self.flush(client, inbound) {
                    None => true,
                    Some(Looked::Ended) => return true,
                    Some(_) => false,
                };
                // What has come and was not received would have the system reset the connection, and the answer might be lost.
                if is_sent && is_last && !client.has_any_input() {
                    client.tell_end();
                    return true;
                }
                return self.leave(client, inbound);
            }
        }
        false
    }

    /// The client has taken too long; this thread owns its turn.
    pub(super) fn expire(&self, worker: &Worker, client: &Arc<Client>, memory: &mut Memory) {
        let mut inbound = client.inbound();
        let is_unsent = self.flush(client, &mut inbound).is_some();
        // It may have done something since somebody looked.
        self.note_come(client, &mut inbound);
        let is_due = client.is_due(now_ms());
        if !is_due || (!is_unsent && waits_for_us(client, &inbound)) {
            if is_due {
                client.wait_until(now_ms(), BUSY);
            }
            drop(inbound);
            return client.pass_turn_on();
        }
        let is_begun = match &inbound.phase {
            Phase::Head => !inbound.here().is_empty(),
            Phase::Body(_) => true,
            Phase::Running | Phase::Rest(_) | Phase::Linger { .. } => false,
        };
        let is_over =
            is_unsent || !is_begun || self.refuse(client, &mut inbound, memory, Refusal::TIMEOUT);
        drop(inbound);
        if is_over {
            if !is_unsent {
                client.tell_end();
            }
            self.forget(worker, client);
        } else {
            let left = self.look(worker, client, memory, true);
            debug_assert!(left.is_none(), "nothing is served to who lingers");
        }
    }
}

/// Whether so much of a request's body is still to come that nobody waits for it behind the answer.
fn is_too_much(inbound: &Inbound) -> bool {
    let Some(decoder) = inbound.decoder.as_ref().filter(|decoder| !decoder.is_ended()) else {
        return false;
    };
    // Who waits to be told to send the body has not been told, and may send it or not.
    let is_here = inbound.is_whole;
    inbound.must_continue || (!is_here && decoder.left().is_some_and(|left| left > REST))
}

/// Whether a client has sent something, and all threads were busy.
fn waits_for_us(client: &Client, inbound: &Inbound) -> bool {
    let is_awaited = matches!(inbound.phase, Phase::Head | Phase::Body(_));
    inbound.waits_for_us || (is_awaited && client.has_input())
}
