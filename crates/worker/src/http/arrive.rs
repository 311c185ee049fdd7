//! From bytes to a request.

use std::sync::Arc;

use pinion_http::answer::Asked;
use pinion_http::body::Decoder;
use pinion_http::date::Date;
use pinion_http::environ::{self, NoEnviron, Surroundings};
use pinion_http::head::{self, BodyLength, Head, Version};
use pinion_http::proxies::{Rewrite, Sent};
use pinion_http::refusal::Refusal;
use pinion_unix::clock;
use pinion_wire::request::{self as wire, RequestWriter};

use super::client::{Client, Origin, now_ms};
use super::depart::LINGER;
use super::inbound::{Inbound, Phase, slowest};
use super::log::Scribe;
use super::lying::Lies;
use super::visit::{Behind, Visit};
use super::{Door, LISTENER};
use crate::connection::Received;
use crate::reply::Ending;
use crate::worker::{Stage, Worker};

/// How much of a body is awaited before a thread takes the request: a client that sends slowly keeps no thread from others until
/// then.
pub(super) const AWAITED: usize = 128 * 1024;
/// How much that nobody wants may be received before other clients are looked at.
const UNWANTED: usize = 256 * 1024;
/// How many requests of one client are answered before others are looked at.
const IN_A_ROW: u32 = 32;

/// A request whose body is awaited.
#[derive(Debug)]
pub(super) struct Coming {
    /// The request, as a front door outside would send it.
    pub(super) frame: Vec<u8>,
    asked: Asked,
    pub(super) decoder: Decoder,
}

/// Memory that a thread uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// For what is received, where a client has nothing left from before.
    received: Vec<u8>,
    /// For the next request.
    pub(super) frame: Vec<u8>,
    path: Vec<u8>,
    pub(super) date: Date,
    /// For answers of the front door's own.
    pub(super) out: Vec<u8>,
    pub(super) scribe: Scribe,
}

/// What became of a look at a client.
pub(super) enum Looked {
    Visit(Box<Visit>),
    /// More must come.
    More,
    /// There is more, but it is the turn of others.
    Enough,
    /// The connection has ended.
    Ended,
    /// HTTP/2 is to be spoken.
    Leaves,
}

impl Door {
    /// An event came for this token, perhaps that the client has `closed`; a request, if it is whole now.
    pub(crate) fn event(
        &self,
        worker: &Worker,
        token: u64,
        closed: bool,
        memory: &mut Memory,
    ) -> Option<Box<Visit>> {
        if token & super::CLIENT == 0 {
            debug_assert!(token >= LISTENER);
            self.accept(worker, token);
            return None;
        }
        let client = self.client(token)?;
        client.note(closed);
        if !client.turn.take() {
            // Whoever runs the request may be busy with other things than sending. What fails here fails there too.
            let _ = client.flush();
            return None;
        }
        if worker.stage() == Stage::Ended {
            // Who waits for all turns to be idle must not wait for this one, whatever has come.
            while !client.turn.release() {}
            return None;
        }
        self.look(worker, &client, memory, true)
    }

    /// Goes on with a client whose turn this thread owns; its turn is let go unless there is a request. Without `receive`, only what
    /// has come already counts, at first.
    pub(super) fn look(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        memory: &mut Memory,
        mut receive: bool,
    ) -> Option<Box<Visit>> {
        let mut is_new = receive;
        loop {
            let mut inbound = client.inbound();
            inbound.waits_for_us = false;
            if std::mem::take(&mut is_new) {
                inbound.in_a_row = 0;
            }
            inbound.lend(&mut memory.received);
            let looked = self.advance(worker, client, &mut inbound, memory, receive);
            inbound.give_back(&mut memory.received);
            drop(inbound);
            match looked {
                Looked::Visit(visit) => return Some(visit),
                Looked::Ended => {
                    self.forget(worker, client);
                    return None;
                }
                Looked::Enough => {
                    client.pass_turn_on();
                    return None;
                }
                Looked::Leaves => {
                    self.hand_over(worker, client);
                    return None;
                }
                Looked::More if client.turn.release() => return None,
                Looked::More => receive = true,
            }
        }
    }

    fn advance(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        inbound: &mut Inbound,
        memory: &mut Memory,
        receive: bool,
    ) -> Looked {
        // What an event has told of stays unread where something else comes first, such as a request that is here already.
        inbound.is_more |= receive;
        if let Some(looked) = self.flush(client, inbound) {
            return looked;
        }
        let mut receive = client.is_unread(inbound);
        let mut unwanted = 0;
        loop {
            if inbound.seq == 0 && client.is_h2() {
                return Looked::Leaves;
            }
            if let Some(looked) = self.use_up(worker, client, inbound, memory) {
                return looked;
            }
            if !receive || inbound.is_lying() {
                if !inbound.is_lying() {
                    client.await_least(inbound, 1, 0);
                    self.set_patience(client, inbound);
                }
                // What TLS itself has to say may find no room.
                let flushed = client.flush();
                return if flushed.is_ok() { Looked::More } else { Looked::Ended };
            }
            if unwanted > UNWANTED {
                self.set_patience(client, inbound);
                return Looked::Enough;
            }
            match client.receive(inbound) {
                Received::Some if inbound.phase.is_over() => unwanted += inbound.here().len(),
                Received::Some => {}
                Received::Nothing => receive = false,
                Received::Gone if self.has_failed(worker, client, inbound) => {}
                Received::Gone => {
                    if !client.is_unsent() {
                        client.tell_end();
                    }
                    return Looked::Ended;
                }
            }
        }
    }

    /// Uses what has come; `None` when more must come.
    fn use_up(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        inbound: &mut Inbound,
        memory: &mut Memory,
    ) -> Option<Looked> {
        loop {
            let refused = match inbound.phase {
                Phase::Running => return None,
                Phase::Linger { .. } => return (!inbound.throw_away()).then_some(Looked::Ended),
                Phase::Head if inbound.in_a_row >= IN_A_ROW && !inbound.here().is_empty() => {
                    inbound.waits_for_us = true;
                    return Some(Looked::Enough);
                }
                Phase::Head => match self.take_head(worker, client, inbound, memory) {
                    Ok(Taken::Visit(visit)) => return Some(Looked::Visit(visit)),
                    Ok(Taken::Part) => return None,
                    Ok(Taken::Head) => continue,
                    Ok(Taken::Answered { is_over: true }) => return Some(Looked::Ended),
                    Ok(Taken::Answered { .. }) => match self.flush(client, inbound) {
                        Some(looked) => return Some(looked),
                        None => continue,
                    },
                    Err(refusal) => refusal,
                },
                Phase::Body(_) => match self.take_body(client, inbound) {
                    Ok(Some(visit)) => return Some(Looked::Visit(visit)),
                    Ok(None) => return None,
                    Err(refusal) => refusal,
                },
                Phase::Rest(_) => match pass_over(inbound) {
                    Some(true) => {
                        self.next(client, inbound);
                        continue;
                    }
                    Some(false) => return None,
                    None if self.leave(client, inbound) => return Some(Looked::Ended),
                    None => continue,
                },
            };
            if self.refuse(client, inbound, memory, refused) {
                return Some(Looked::Ended);
            }
        }
    }

    /// The next request may begin.
    pub(super) fn next(&self, client: &Client, inbound: &mut Inbound) {
        (inbound.phase, inbound.decoder) = (Phase::Head, None);
        inbound.since = if inbound.here().is_empty() { 0 } else { now_ms() };
        client.wait_until(now_ms(), client.patience(self.spec.times.idle));
    }

    /// How long the client may take now.
    fn set_patience(&self, client: &Client, inbound: &mut Inbound) {
        let times = &self.spec.times;
        match &inbound.phase {
            Phase::Head if inbound.here().is_empty() && inbound.seq > 0 => {}
            Phase::Head => {
                if inbound.since == 0 {
                    inbound.since = now_ms();
                }
                client.wait_until(inbound.since, times.head);
            }
            Phase::Body(coming) => {
                let slowest = slowest(self.spec.limits.rate, times.body, coming.decoder.taken());
                let slowest = inbound.since.saturating_add(slowest);
                let now = now_ms();
                let patience = times.body.min(slowest.saturating_sub(now)).max(1);
                client.wait_until(now, if times.body == 0 { 0 } else { patience });
            }
            Phase::Linger { until, .. } => {
                let now = now_ms();
                client.wait_until(now, LINGER.min(until.saturating_sub(now)).max(1));
            }
            Phase::Rest(_) | Phase::Running => {}
        }
    }

    fn take_head(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        inbound: &mut Inbound,
        memory: &mut Memory,
    ) -> Result<Taken, Refusal> {
        if inbound.here().is_empty() || !may_be_whole(inbound) {
            return Ok(Taken::Part);
        }
        let taken = self.understand(worker, client, inbound.here(), memory)?;
        let Some(Arrived { coming, size, expects_continue, closes, own }) = taken else {
            inbound.seen = inbound.here().len();
            return Ok(Taken::Part);
        };
        inbound.consume(size);
        inbound.seq = inbound.seq.wrapping_add(1);
        inbound.since = now_ms();
        (inbound.must_continue, inbound.closes) = (expects_continue, closes);
        inbound.in_a_row += 1;
        (inbound.is_cramped, inbound.is_whole, inbound.lies_since) = (false, false, 0);
        if let Some(ending) = own {
            inbound.decoder = Some(coming.decoder);
            let is_over = self.settle(client, inbound, ending);
            return Ok(Taken::Answered { is_over });
        }
        if coming.decoder.is_ended() || expects_continue {
            return Ok(Taken::Visit(self.visit(client, inbound, coming)));
        }
        inbound.phase = Phase::Body(Box::new(coming));
        Ok(Taken::Head)
    }

    /// Reads a head, and answers it or writes it down for the application.
    fn understand(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        bytes: &[u8],
        memory: &mut Memory,
    ) -> Result<Option<Arrived>, Refusal> {
        head::read(bytes, &self.limits, |head| self.receive(worker, client, head, memory))
    }

    fn receive(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        head: &Head<'_>,
        memory: &mut Memory,
    ) -> Result<Arrived, Refusal> {
        let limit = Some(self.spec.limits.body).filter(|limit| *limit > 0);
        let decoder = Decoder::new(head.body, limit)?;
        let stopping = self.is_leaving() || worker.stage() >= Stage::Stopping;
        let asked = Asked {
            minor: u8::from(head.version != Version::Http10),
            head: head.method == "HEAD",
            keep_alive: head.keep_alive && !stopping,
        };
        let mut frame = Vec::new();
        let own = self.prepare(&client.from, head, memory, |path, proxied, memory| {
            if let Some(own) = self.own(worker, head, path) {
                return Ok(Some(self.give(client, head, &asked, own, proxied, memory)));
            }
            frame = std::mem::take(&mut memory.frame);
            frame.clear();
            self.write(&client.from, (head, path), proxied, &mut frame)?;
            Ok(None)
        })?;
        let coming = Coming { frame, asked, decoder };
        let (expects_continue, closes) = (head.expects_continue, !head.keep_alive);
        Ok(Arrived { coming, size: head.size, expects_continue, closes, own })
    }

    /// Finds out what a request's path is and what proxies say of it, for `then`.
    pub(super) fn prepare<T>(
        &self,
        from: &Origin,
        head: &Head<'_>,
        memory: &mut Memory,
        then: impl FnOnce(&[u8], Option<&Rewrite<'_>>, &mut Memory) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut decoded = std::mem::take(&mut memory.path);
        let path = environ::decode_path(head.path, &mut decoded)?;
        let sent = self.proxies.as_ref().map(|_| Sent::collect(head.fields.iter().copied()));
        let proxied = self.proxies.as_ref().zip(sent.as_ref());
        let peer = from.address.as_bytes();
        let proxied = proxied.map(|(proxies, sent)| proxies.rewrite(peer, sent));
        let done = then(path, proxied.as_ref(), memory);
        memory.path = decoded;
        done
    }

    /// Writes a request for the application.
    pub(super) fn write(
        &self,
        from: &Origin,
        (head, path): (&Head<'_>, &[u8]),
        proxied: Option<&Rewrite<'_>>,
        frame: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let body = match head.body {
            BodyLength::Known(length) => wire::BodyLength::Known(length),
            BodyLength::Chunked => wire::BodyLength::Chunked,
        };
        let listener = self.listener(from);
        let around = Surroundings {
            mount: &self.spec.mount,
            always: listener.map_or(&self.nothing, |listener| &listener.always),
            client: &from.entries,
            tls: listener.is_some_and(|listener| listener.is_tls()),
            proxied,
        };
        let mut writer = RequestWriter::begin(frame, &self.start, body);
        let written = environ::write(head, path, &around, &mut writer);
        writer.finish(b"");
        RequestWriter::stamp(frame, 0, clock::monotonic_ns());
        match written {
            // The front door itself answers what is not below the mount point.
            Ok(()) | Err(NoEnviron::NotFound) => Ok(()),
            Err(NoEnviron::Refused(refusal)) => Err(refusal),
        }
    }

    /// Takes what has come of an awaited body.
    fn take_body(
        &self,
        client: &Arc<Client>,
        inbound: &mut Inbound,
    ) -> Result<Option<Box<Visit>>, Refusal> {
        let lies = self.look_into(client, inbound);
        if matches!(lies, Lies::Part | Lies::Cramped) {
            return Ok(None);
        }
        let Phase::Body(mut coming) = std::mem::replace(&mut inbound.phase, Phase::Running) else {
            return Ok(None);
        };
        if lies == Lies::Enough {
            return Ok(Some(self.visit(client, inbound, *coming)));
        }
        let taken = coming.take(inbound);
        if taken.is_ok() && (coming.decoder.is_ended() || coming.decoder.taken() >= AWAITED as u64)
        {
            return Ok(Some(self.visit(client, inbound, *coming)));
        }
        inbound.phase = Phase::Body(coming);
        taken.map(|()| None)
    }

    fn visit(&self, client: &Arc<Client>, inbound: &mut Inbound, coming: Coming) -> Box<Visit> {
        let Coming { frame, asked, decoder } = coming;
        inbound.begin_waiting(inbound.has_come(&decoder));
        inbound.lying = None;
        let behind = match (decoder.is_ended(), inbound.here().is_empty()) {
            (false, _) => Behind::Body,
            (true, false) => Behind::Request,
            (true, true) => Behind::Nothing,
        };
        inbound.phase = Phase::Running;
        inbound.decoder = Some(decoder);
        client.wait_until(0, 0);
        client.begin();
        Box::new(Visit { client: client.clone(), seq: inbound.seq, frame, asked, behind })
    }
}

impl Coming {
    /// Takes what has come of the body.
    fn take(&mut self, inbound: &mut Inbound) -> Result<(), Refusal> {
        while !self.decoder.is_ended() {
            let step = self.decoder.step(inbound.here())?;
            self.frame.extend_from_slice(&inbound.here()[step.skip..step.skip + step.take]);
            inbound.consume(step.skip + step.take);
            if step.skip + step.take == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// A head that was read.
struct Arrived {
    coming: Coming,
    size: usize,
    expects_continue: bool,
    closes: bool,
    /// The front door has answered it.
    own: Option<Ending>,
}

/// What became of the front of what was received.
enum Taken {
    /// No whole head.
    Part,
    /// A head, whose body must come.
    Head,
    /// A request.
    Visit(Box<Visit>),
    /// A request that the front door has answered; whether the connection is over.
    Answered { is_over: bool },
}

/// Whether there is a reason to read the head: where it was not whole before, only a new empty line is one, or too much of it. (Or a
/// client that sends byte by byte would have each of them read again and again.)
fn may_be_whole(inbound: &Inbound) -> bool {
    let (here, seen) = (inbound.here(), inbound.seen);
    if seen == 0 || here.len() / 4096 != seen / 4096 {
        return true;
    }
    let fresh = &here[seen.saturating_sub(3)..];
    memchr::memmem::find(fresh, b"\n\r\n").is_some()
        || memchr::memmem::find(fresh, b"\n\n").is_some()
}

/// Throws the rest of a body away; whether it has ended. `None` when it is none, or too long for that.
fn pass_over(inbound: &mut Inbound) -> Option<bool> {
    let Some(mut decoder) = inbound.decoder.take() else { return Some(true) };
    let Phase::Rest(mut most) = inbound.phase else { return None };
    while !decoder.is_ended() {
        let step = decoder.step(inbound.here()).ok()?;
        let used = step.skip + step.take;
        inbound.consume(used);
        most = most.checked_sub(used as u64)?;
        if used == 0 {
            break;
        }
    }
    let ended = decoder.is_ended();
    (inbound.decoder, inbound.phase) = (Some(decoder), Phase::Rest(most));
    Some(ended)
}
