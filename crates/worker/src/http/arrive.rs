//! From bytes to a request.

use std::io::IoSlice;
use std::sync::Arc;

use pinion_http::answer::{self, Asked};
use pinion_http::body::Decoder;
use pinion_http::date::Date;
use pinion_http::environ::{self, NoEnviron, Surroundings};
use pinion_http::head::{self, BodyLength, Head};
use pinion_http::proxies::{Rewrite, Sent};
use pinion_http::refusal::Refusal;
use pinion_tls::Failure;
use pinion_unix::clock;
use pinion_wire::request::{self as wire, RequestWriter, Target};

use super::client::{Client, Inbound, Phase, now_ms};
use super::log::Scribe;
use super::own::protocol;
use super::visit::Visit;
use super::{Door, LISTENER};
use crate::connection::Received;
use crate::reply::Ending;
use crate::worker::{Stage, Worker};

/// How much of a body is awaited before a thread takes the request: a client that sends slowly keeps no thread from others until
/// then.
const AWAITED: usize = 128 * 1024;
/// How much of a body that nobody reads is received so that the connection can go on, or that the client sees the answer.
const REST: u64 = 256 * 1024;
/// How slow a body may come over all, in bytes a second, beyond the time between two pieces.
const SLOWEST: u64 = 500;
/// How many answers of its own the front door gives before it looks whether a client asks for yet more.
const AT_A_TURN: u32 = 32;
/// How long a client has to see the last answer, in milliseconds.
const LINGER: u64 = 2_000;

/// A request whose body is awaited.
#[derive(Debug)]
pub(super) struct Coming {
    /// The request, as a front door outside would send it.
    pub(super) frame: Vec<u8>,
    asked: Asked,
    decoder: Decoder,
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
    /// How many of those were given in this turn.
    given: u32,
    pub(super) scribe: Scribe,
}

/// What became of a look at a client.
pub(super) enum Looked {
    Visit(Box<Visit>),
    /// More must come.
    More,
    /// The connection has ended.
    Ended,
}

impl Door {
    /// An event came for this token; a request, if it is whole now.
    pub(crate) fn event(
        &self,
        worker: &Worker,
        token: u64,
        memory: &mut Memory,
    ) -> Option<Box<Visit>> {
        if token & super::CLIENT == 0 {
            debug_assert!(token >= LISTENER);
            self.accept(worker, token);
            return None;
        }
        let client = self.client(token)?;
        if !client.turn.take() {
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
        memory.given = 0;
        loop {
            let mut inbound = client.inbound();
            if inbound.bytes.capacity() == 0 {
                std::mem::swap(&mut inbound.bytes, &mut memory.received);
            }
            let looked = self.advance(worker, client, &mut inbound, memory, receive);
            if inbound.bytes.is_empty() && memory.received.capacity() == 0 {
                std::mem::swap(&mut inbound.bytes, &mut memory.received);
            }
            drop(inbound);
            match looked {
                Looked::Visit(visit) => return Some(visit),
                Looked::Ended => {
                    self.forget(worker, client);
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
        mut receive: bool,
    ) -> Looked {
        if let Some(looked) = self.flush(worker, client) {
            return looked;
        }
        if let Phase::Linger { is_told, .. } = &mut inbound.phase
            && !std::mem::replace(is_told, true)
        {
            self.let_see(client);
        }
        loop {
            if let Some(looked) = self.use_up(worker, client, inbound, memory) {
                return looked;
            }
            if !receive {
                self.set_patience(client, inbound);
                // What TLS itself has to say may find no room.
                let flushed = client.flush(&worker.epoll);
                return if flushed.is_ok() { Looked::More } else { Looked::Ended };
            }
            if memory.given >= AT_A_TURN {
                // Others are served before it, however quickly it asks.
                let told = client.tell_again(&worker.epoll);
                return if told.is_ok() { Looked::More } else { Looked::Ended };
            }
            match client.receive(inbound) {
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

    /// Whether a connection has ended because no TLS is spoken on it: the client is given time to see what it was told.
    fn has_failed(&self, worker: &Worker, client: &Client, inbound: &mut Inbound) -> bool {
        let Some(failure) = client.take_failure() else { return false };
        worker.log(7, &format!("no TLS with '{}': {failure}", client.from.address));
        inbound.consume(inbound.here().len());
        !matches!(failure, Failure::Socket(_)) && !self.leave(worker, client, inbound)
    }

    /// Sends what is kept; one that does not take its answers is not served more of them.
    fn flush(&self, worker: &Worker, client: &Client) -> Option<Looked> {
        match client.flush(&worker.epoll) {
            Ok(true) => None,
            Ok(false) => {
                if !client.is_handshaking() {
                    client.wait_until(now_ms(), self.spec.times.body);
                }
                Some(Looked::More)
            }
            Err(_) => Some(Looked::Ended),
        }
    }

    /// The last answer was sent: gives the client time to see it.
    fn let_see(&self, client: &Client) {
        client.end();
        client.wait_until(now_ms(), LINGER);
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
            match &mut inbound.phase {
                Phase::Running => return None,
                Phase::Linger { left, .. } => {
                    let used = inbound.bytes.len();
                    *left = left.saturating_sub(used);
                    let over = *left == 0;
                    inbound.consume(used);
                    return over.then_some(Looked::Ended);
                }
                Phase::Head => match self.take_head(worker, client, inbound, memory) {
                    Ok(Taken::Visit(visit)) => return Some(Looked::Visit(visit)),
                    Ok(Taken::Part) => return None,
                    Ok(Taken::Head) => {}
                    Ok(Taken::Answered { is_over: true }) => return Some(Looked::Ended),
                    Ok(Taken::Answered { .. }) => {
                        memory.given += 1;
                        if let Some(looked) = self.flush(worker, client) {
                            return Some(looked);
                        }
                    }
                    Err(refusal) => return self.refuse(worker, client, inbound, memory, refusal),
                },
                Phase::Body(_) => match self.take_body(client, inbound) {
                    Ok(Some(visit)) => return Some(Looked::Visit(visit)),
                    Ok(None) => return None,
                    Err(refusal) => return self.refuse(worker, client, inbound, memory, refusal),
                },
                Phase::Rest => match pass_over(inbound) {
                    Ok(true) => self.next(client, inbound),
                    Ok(false) => return None,
                    Err(_) => return Some(Looked::Ended),
                },
            }
        }
    }

    /// The next request may begin.
    fn next(&self, client: &Client, inbound: &mut Inbound) {
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
                let taken = coming.decoder.taken();
                let slowest = inbound.since + times.body + taken * 1_000 / SLOWEST;
                let now = now_ms();
                let patience = times.body.min(slowest.saturating_sub(now)).max(1);
                client.wait_until(now, if times.body == 0 { 0 } else { patience });
            }
            Phase::Rest | Phase::Running | Phase::Linger { .. } => {}
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
        let start = inbound.start;
        // Moved out so that the head can borrow it while the rest is written.
        let bytes = std::mem::take(&mut inbound.bytes);
        let taken = self.understand(worker, client, &bytes[start..], memory);
        inbound.bytes = bytes;
        let Some(Arrived { coming, size, expects_continue, own }) = taken? else {
            inbound.seen = inbound.here().len();
            return Ok(Taken::Part);
        };
        inbound.consume(size);
        inbound.seq = inbound.seq.wrapping_add(1);
        inbound.since = now_ms();
        inbound.must_continue = expects_continue;
        if let Some(ending) = own {
            inbound.decoder = Some(coming.decoder);
            let is_over = self.settle(worker, client, inbound, ending);
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
        let Some(head) = head::parse(bytes, &self.limits)? else { return Ok(None) };
        let limit = Some(self.spec.limits.body).filter(|limit| *limit > 0);
        let decoder = Decoder::new(head.body, limit)?;
        let stopping = self.is_draining() || worker.stage() >= Stage::Stopping;
        let asked = Asked {
            minor: head.minor,
            head: head.method == "HEAD",
            keep_alive: head.keep_alive && !stopping,
        };
        let mut decoded = std::mem::take(&mut memory.path);
        let path = environ::decode_path(head.path, &mut decoded)?;
        let sent = self.proxies.as_ref().map(|_| Sent::collect(head.fields.iter().copied()));
        let peer = client.from.address.as_bytes();
        let proxied = self.proxies.as_ref().zip(sent.as_ref());
        let proxied = proxied.map(|(proxies, sent)| proxies.rewrite(peer, sent));
        let mut frame = Vec::new();
        let own = match self.own(worker, &head, path) {
            Some(own) => Some(self.give(client, &head, &asked, own, proxied.as_ref(), memory)),
            None => {
                frame = std::mem::take(&mut memory.frame);
                frame.clear();
                self.write(worker, client, (&head, path), proxied.as_ref(), &mut frame)?;
                None
            }
        };
        memory.path = decoded;
        let coming = Coming { frame, asked, decoder };
        let expects_continue = head.expects_continue;
        Ok(Some(Arrived { coming, size: head.size, expects_continue, own }))
    }

    /// Writes a request for the application.
    fn write(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        (head, path): (&Head<'_>, &[u8]),
        proxied: Option<&Rewrite<'_>>,
        frame: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let spec = &worker.spec;
        let target = Target {
            script: &self.mount.0,
            callable: self.mount.1.as_bytes(),
            process_group: spec.group.name.as_bytes(),
            application_group: spec.application_group.as_bytes(),
        };
        let body = match head.body {
            BodyLength::Known(length) => wire::BodyLength::Known(length),
            BodyLength::Chunked => wire::BodyLength::Chunked,
        };
        let listener = self.listener(client);
        let around = Surroundings {
            mount: &self.spec.mount,
            server_name: listener.map_or("", |listener| listener.name()),
            server_port: listener.map_or("", |listener| listener.port()),
            remote_addr: &client.from.address,
            remote_port: &client.from.port,
            tls: listener.is_some_and(|listener| listener.is_tls()),
            callable: &self.mount.1,
            protocol: protocol(head.minor),
            proxied,
        };
        let mut writer = RequestWriter::new(frame, target, body);
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
        let Inbound { bytes, start, phase: Phase::Body(coming), .. } = inbound else {
            return Ok(None);
        };
        let mut used = 0;
        while !coming.decoder.is_ended() {
            let here = &bytes[*start + used..];
            let step = coming.decoder.step(here)?;
            coming.frame.extend_from_slice(&here[step.skip..step.skip + step.take]);
            used += step.skip + step.take;
            if step.skip + step.take == 0 {
                break;
            }
        }
        let enough = coming.decoder.is_ended() || coming.decoder.taken() >= AWAITED as u64;
        inbound.consume(used);
        if !enough {
            return Ok(None);
        }
        let Phase::Body(coming) = std::mem::replace(&mut inbound.phase, Phase::Running) else {
            return Ok(None);
        };
        Ok(Some(self.visit(client, inbound, *coming)))
    }

    fn visit(&self, client: &Arc<Client>, inbound: &mut Inbound, coming: Coming) -> Box<Visit> {
        let Coming { frame, asked, decoder } = coming;
        inbound.phase = Phase::Running;
        inbound.decoder = Some(decoder);
        client.wait_until(0, 0);
        Box::new(Visit { client: client.clone(), seq: inbound.seq, frame, asked })
    }

    /// Answers what is no request; the connection ends once the client has seen that.
    pub(super) fn refuse(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        inbound: &mut Inbound,
        memory: &mut Memory,
        refusal: Refusal,
    ) -> Option<Looked> {
        let asked = Asked { minor: 1, head: false, keep_alive: false };
        let mut out = Vec::new();
        let date = memory.date.at(clock::seconds());
        let line = (refusal.status, answer::reason(refusal.status));
        let text = format!("{}\n", refusal.text);
        answer::push_own(&mut out, &asked, line, &[], &text, date);
        self.note_refused(client, inbound, (refusal.status, text.len()), memory);
        if client.send(&[IoSlice::new(&out)]).is_err() {
            return Some(Looked::Ended);
        }
        self.leave(worker, client, inbound).then_some(Looked::Ended)
    }

    /// The last answer is on its way: lets the client see it before the connection ends; whether it can end now.
    pub(super) fn leave(&self, worker: &Worker, client: &Client, inbound: &mut Inbound) -> bool {
        let flushed = client.flush(&worker.epoll);
        let is_told = flushed.as_ref().is_ok_and(|all| *all);
        inbound.phase = Phase::Linger { left: REST as usize, is_told };
        if is_told {
            self.let_see(client);
        } else {
            client.wait_until(now_ms(), self.spec.times.body);
        }
        flushed.is_err()
    }

    /// A request was answered; goes on with the client.
    pub(crate) fn conclude(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        ending: Ending,
        memory: &mut Memory,
    ) -> Option<Box<Visit>> {
        let mut inbound = client.inbound();
        let is_over = self.settle(worker, client, &mut inbound, ending);
        let is_more = inbound.is_more;
        drop(inbound);
        if is_over {
            self.forget(worker, client);
            return None;
        }
        self.look(worker, client, memory, is_more)
    }

    /// What is behind an answer on the connection; whether that is over.
    fn settle(
        &self,
        worker: &Worker,
        client: &Client,
        inbound: &mut Inbound,
        ending: Ending,
    ) -> bool {
        let left = inbound.decoder.as_ref().map_or(Some(0), Decoder::left);
        let ended = inbound.decoder.as_ref().is_none_or(Decoder::is_ended);
        match ending {
            Ending::Cut => return true,
            Ending::Keep if ended => self.next(client, inbound),
            // Who waits to be told to send the body has not been told, and may send it or not.
            Ending::Keep if !inbound.must_continue && left.is_none_or(|left| left <= REST) => {
                inbound.phase = Phase::Rest;
                client.wait_until(now_ms(), LINGER);
            }
            Ending::Keep | Ending::Close => {
                let is_last = ended && inbound.here().is_empty();
                let flushed = client.flush(&worker.epoll);
                if is_last && matches!(flushed, Ok(true)) {
                    client.tell_end();
                }
                return (is_last && flushed.unwrap_or(true)) || self.leave(worker, client, inbound);
            }
        }
        false
    }

    /// The client has taken too long; this thread owns its turn.
    pub(super) fn expire(&self, worker: &Worker, client: &Arc<Client>, memory: &mut Memory) {
        let mut inbound = client.inbound();
        let is_begun = match &inbound.phase {
            Phase::Head => !inbound.here().is_empty(),
            Phase::Body(_) => true,
            Phase::Running | Phase::Rest | Phase::Linger { .. } => false,
        };
        let unsent = !client.flush(&worker.epoll).unwrap_or(false);
        let over = unsent
            || !is_begun
            || self.refuse(worker, client, &mut inbound, memory, Refusal::TIMEOUT).is_some();
        drop(inbound);
        if over {
            if !unsent {
                client.tell_end();
            }
            self.forget(worker, client);
        } else {
            let left = self.look(worker, client, memory, true);
            debug_assert!(left.is_none(), "nothing is served to who lingers");
        }
    }
}

/// A head that was read.
struct Arrived {
    coming: Coming,
    size: usize,
    expects_continue: bool,
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

/// Throws the rest of a body away; whether it has ended.
fn pass_over(inbound: &mut Inbound) -> Result<bool, Refusal> {
    let Some(mut decoder) = inbound.decoder.take() else { return Ok(true) };
    while !decoder.is_ended() {
        let step = decoder.step(inbound.here())?;
        inbound.consume(step.skip + step.take);
        if step.skip + step.take == 0 {
            break;
        }
    }
    let ended = decoder.is_ended();
    inbound.decoder = Some(decoder);
    Ok(ended)
}
