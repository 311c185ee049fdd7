//! From bytes to a request.

use std::io::IoSlice;
use std::sync::Arc;

use pinion_http::answer::{self, Asked};
use pinion_http::body::Decoder;
use pinion_http::date::Date;
use pinion_http::environ::{self, NoEnviron, Surroundings};
use pinion_http::head::{self, BodyLength, Head};
use pinion_http::refusal::Refusal;
use pinion_unix::clock;
use pinion_wire::request::{self as wire, RequestWriter, Target};

use super::client::{Client, Inbound, Phase, now_ms};
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
/// How long a client has to see the last answer, in milliseconds.
const LINGER: u64 = 2_000;

/// A request whose body is awaited.
#[derive(Debug)]
pub(super) struct Coming {
    frame: Vec<u8>,
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
        match client.flush(&worker.epoll) {
            Ok(true) => {}
            // One that does not take its answers is not served more of them.
            Ok(false) => {
                client.wait_until(now_ms(), self.spec.times.body);
                return Looked::More;
            }
            Err(_) => return Looked::Ended,
        }
        loop {
            if let Some(looked) = self.use_up(worker, client, inbound, memory) {
                return looked;
            }
            if !receive {
                self.set_patience(client, inbound);
                return Looked::More;
            }
            match client.receive(&mut inbound.bytes) {
                Received::Some => {}
                Received::Nothing => receive = false,
                Received::Gone => return Looked::Ended,
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
            match &mut inbound.phase {
                Phase::Running => return None,
                Phase::Linger(left) => {
                    let used = inbound.bytes.len();
                    *left = left.saturating_sub(used);
                    let over = *left == 0;
                    inbound.consume(used);
                    return over.then_some(Looked::Ended);
                }
                Phase::Head => match self.take_head(worker, client, inbound, memory) {
                    Ok(Some(visit)) => return Some(Looked::Visit(visit)),
                    Ok(None) if matches!(inbound.phase, Phase::Head) => return None,
                    Ok(None) => {}
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
            Phase::Rest | Phase::Running | Phase::Linger(_) => {}
        }
    }

    fn take_head(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        inbound: &mut Inbound,
        memory: &mut Memory,
    ) -> Result<Option<Box<Visit>>, Refusal> {
        if inbound.here().is_empty() || !may_be_whole(inbound) {
            return Ok(None);
        }
        let start = inbound.start;
        // Moved out so that the head can borrow it while the rest is written.
        let bytes = std::mem::take(&mut inbound.bytes);
        let taken = self.understand(worker, client, &bytes[start..], memory);
        inbound.bytes = bytes;
        let Some(Arrived { coming, size, expects_continue, own }) = taken? else {
            inbound.seen = inbound.here().len();
            return Ok(None);
        };
        inbound.consume(size);
        inbound.seq = inbound.seq.wrapping_add(1);
        inbound.since = now_ms();
        inbound.must_continue = expects_continue;
        if let Some(own) = own {
            return Ok(Some(self.visit(client, inbound, coming, Some(own))));
        }
        if coming.decoder.is_ended() || expects_continue {
            return Ok(Some(self.visit(client, inbound, coming, None)));
        }
        inbound.phase = Phase::Body(Box::new(coming));
        Ok(None)
    }

    /// Reads a head and writes it down for the application.
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
        let mut frame = std::mem::take(&mut memory.frame);
        frame.clear();
        let path = environ::decode_path(head.path, &mut memory.path)?;
        let own = self.write(worker, client, &head, path, &mut frame)?;
        let coming = Coming { frame, asked, decoder };
        let expects_continue = head.expects_continue;
        Ok(Some(Arrived { coming, size: head.size, expects_continue, own }))
    }

    /// Writes a request for the application; the status with which the door itself answers where it is none.
    fn write(
        &self,
        worker: &Worker,
        client: &Arc<Client>,
        head: &Head<'_>,
        path: &[u8],
        frame: &mut Vec<u8>,
    ) -> Result<Option<u16>, Refusal> {
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
            protocol: if head.minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" },
        };
        let mut writer = RequestWriter::new(frame, target, body);
        let written = environ::write(head, path, &around, &mut writer);
        writer.finish(b"");
        RequestWriter::stamp(frame, 0, clock::monotonic_ns());
        match written {
            Ok(()) => Ok(None),
            Err(NoEnviron::NotFound) => Ok(Some(404)),
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
        Ok(Some(self.visit(client, inbound, *coming, None)))
    }

    fn visit(
        &self,
        client: &Arc<Client>,
        inbound: &mut Inbound,
        coming: Coming,
        own: Option<u16>,
    ) -> Box<Visit> {
        let Coming { frame, asked, decoder } = coming;
        inbound.phase = Phase::Running;
        inbound.decoder = Some(decoder);
        client.wait_until(0, 0);
        Box::new(Visit { client: client.clone(), seq: inbound.seq, frame, asked, own })
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
        answer::push_own(&mut out, &asked, line, &[], &format!("{}\n", refusal.text), date);
        if client.send(&[IoSlice::new(&out)]).is_err() {
            return Some(Looked::Ended);
        }
        self.leave(worker, client, inbound).then_some(Looked::Ended)
    }

    /// The last answer is on its way: lets the client see it before the connection ends; whether it can end now.
    pub(super) fn leave(&self, worker: &Worker, client: &Client, inbound: &mut Inbound) -> bool {
        inbound.phase = Phase::Linger(REST as usize);
        client.wait_until(now_ms(), LINGER);
        match client.flush(&worker.epoll) {
            Ok(true) => client.end(),
            Ok(false) => {}
            Err(_) => return true,
        }
        false
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
        let left = inbound.decoder.as_ref().map_or(Some(0), Decoder::left);
        let ended = inbound.decoder.as_ref().is_none_or(Decoder::is_ended);
        match ending {
            Ending::Cut => {
                drop(inbound);
                self.forget(worker, client);
                return None;
            }
            Ending::Keep if ended => self.next(client, &mut inbound),
            // Who waits to be told to send the body has not been told, and may send it or not.
            Ending::Keep if !inbound.must_continue && left.is_none_or(|left| left <= REST) => {
                inbound.phase = Phase::Rest;
                client.wait_until(now_ms(), LINGER);
            }
            Ending::Keep | Ending::Close => {
                if ended && inbound.here().is_empty() && client.flush(&worker.epoll).unwrap_or(true)
                {
                    drop(inbound);
                    self.forget(worker, client);
                    return None;
                }
                self.leave(worker, client, &mut inbound);
            }
        }
        drop(inbound);
        self.look(worker, client, memory, false)
    }

    /// The client has taken too long; this thread owns its turn.
    pub(super) fn expire(&self, worker: &Worker, client: &Arc<Client>, memory: &mut Memory) {
        let mut inbound = client.inbound();
        let is_begun = match &inbound.phase {
            Phase::Head => !inbound.here().is_empty(),
            Phase::Body(_) => true,
            Phase::Running | Phase::Rest | Phase::Linger(_) => false,
        };
        let unsent = !client.flush(&worker.epoll).unwrap_or(false);
        let over = unsent
            || !is_begun
            || self.refuse(worker, client, &mut inbound, memory, Refusal::TIMEOUT).is_some();
        drop(inbound);
        if over {
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
    own: Option<u16>,
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
