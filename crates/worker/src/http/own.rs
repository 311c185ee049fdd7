//! Answers that the front door gives itself: files, the health path, and paths that nobody serves. They are given where the request is
//! read, without the application and its lock.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use pinion_http::access::Record;
use pinion_http::answer::{self, Asked, Framing};
use pinion_http::environ;
use pinion_http::head::Head;
use pinion_http::health;
use pinion_http::plan::{Body, Plan};
use pinion_http::proxies::Rewrite;
use pinion_http::statics::{self, Fields, Found};
use pinion_unix::clock;
use pinion_wire::Header;
use pinion_wire::request::RequestRef;

use super::Door;
use super::accept::is_full;
use super::arrive::Memory;
use super::client::{Client, Origin};
use super::inbound::{Inbound, Phase};
use crate::reply::Ending;
use crate::worker::{Stage, Worker};

/// Files up to this length are read and sent with the head; longer ones are sent by the kernel.
const SHORT: u64 = 32 * 1024;

/// A request that the front door answers itself.
pub(super) struct Own {
    /// The answer.
    pub(super) plan: Plan<File>,
    /// Whether it stands in the access log.
    is_logged: bool,
}

impl Own {
    /// The status and how many bytes of a body follow, for the access log.
    pub(super) fn told(&self) -> Option<(u16, u64)> {
        self.is_logged.then(|| (self.plan.status, self.plan.length()))
    }
}

impl Door {
    /// The front door's own answer to a request for a decoded path, if it has one.
    pub(super) fn own(&self, worker: &Worker, head: &Head<'_>, path: &[u8]) -> Option<Own> {
        if self.spec.health.as_ref().is_some_and(|health| health.as_bytes() == path) {
            let draining = self.is_leaving() || worker.stage() >= Stage::Stopping;
            let plan = health::answer(head.method.as_bytes(), draining);
            return Some(Own { plan, is_logged: false });
        }
        let found = self.statics.find(path);
        let file = found.and_then(|found| self.file(worker, head, path, &found));
        let nowhere = environ::below(&self.spec.mount, path).is_none();
        let plan = file.or_else(|| nowhere.then(|| Plan::status(404, head.method == "HEAD")));
        plan.map(|plan| Own { plan, is_logged: true })
    }

    /// What a request for a file gets; `None` when it is the application's.
    fn file(
        &self,
        worker: &Worker,
        head: &Head<'_>,
        path: &[u8],
        found: &Found<'_>,
    ) -> Option<Plan<File>> {
        let site = self.sites.get(found.folder)?;
        let fields = head.fields.iter().map(|(name, value)| (name.as_bytes(), *value));
        let asked = statics::Asked {
            method: head.method.as_bytes(),
            query: (!head.query.is_empty()).then_some(head.query.as_bytes()),
            fields: Fields::collect(fields),
        };
        let ask = || statics::answer(found, &asked, site, clock::seconds());
        let is_missing =
            |plan: &Option<Plan<File>>| plan.as_ref().is_none_or(|plan| plan.status == 404);
        let answered = match ask() {
            Ok(plan) if is_missing(&plan) && site.renew() => ask(),
            other => other,
        };
        answered.unwrap_or_else(|error| {
            let path = path.escape_ascii();
            worker.log(3, &format!("cannot open the static file of {path}: {error}"));
            let status = if is_full(&error) { 503 } else { 500 };
            Some(Plan::status(status, head.method == "HEAD"))
        })
    }

    /// Gives the answer; what becomes of the connection.
    pub(super) fn give(
        &self,
        client: &Client,
        head: &Head<'_>,
        asked: &Asked,
        own: Own,
        proxied: Option<&Rewrite<'_>>,
        memory: &mut Memory,
    ) -> Ending {
        let begun = clock::monotonic_ns();
        let told = own.told();
        let ending = send(client, asked, own.plan, memory).unwrap_or(Ending::Cut);
        self.note_own(&client.from, head, told, proxied, begun, memory);
        ending
    }

    /// Notes an answer of the front door's own.
    pub(super) fn note_own(
        &self,
        from: &Origin,
        head: &Head<'_>,
        told: Option<(u16, u64)>,
        proxied: Option<&Rewrite<'_>>,
        begun: u64,
        memory: &mut Memory,
    ) {
        if let Some((log, (status, length))) = self.log.as_ref().zip(told) {
            let shown = |name: &str| {
                let set = proxied?.set.iter().find(|(other, _)| *other == name)?;
                Some(&*set.1)
            };
            let host = head.authority.map(str::as_bytes).or_else(|| head.field("Host"));
            let record = Record {
                peer: shown("REMOTE_ADDR").unwrap_or(from.address.as_bytes()),
                method: head.method.as_bytes(),
                target: head.target.as_bytes(),
                protocol: head.version.as_str().as_bytes(),
                status,
                sent: length,
                referer: head.field("Referer"),
                agent: head.field("User-Agent"),
                host: shown("HTTP_HOST").or(host),
                ..Record::default()
            };
            log.note(&mut memory.scribe, record, begun);
        }
    }

    /// Notes a request that was refused.
    pub(super) fn note_refused(
        &self,
        client: &Client,
        inbound: &Inbound,
        (status, length): (u16, usize),
        memory: &mut Memory,
    ) {
        let Some(log) = &self.log else { return };
        let now = clock::monotonic_ns();
        let request = match &inbound.phase {
            Phase::Body(coming) => {
                RequestRef::decode(coming.frame.get(Header::SIZE..).unwrap_or_default()).ok()
            }
            _ => None,
        };
        let peer = client.from.address.as_bytes();
        let (record, begun) = match &request {
            Some(request) => (Record::of(request), request.queued_ns),
            None => (Record { peer, ..Record::of_line(inbound.here()) }, now),
        };
        let record = Record { status, sent: length as u64, ..record };
        log.note(&mut memory.scribe, record, begun);
    }
}

fn send(
    client: &Client,
    asked: &Asked,
    plan: Plan<File>,
    memory: &mut Memory,
) -> io::Result<Ending> {
    let Plan { status, headers, body } = &plan;
    let out = &mut memory.out;
    out.clear();
    let line = (*status, answer::reason(*status).as_bytes());
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let framing = Framing::choose(asked, *status, Some(plan.length()));
    let date = memory.date.at(clock::seconds());
    let keep = answer::push_head(out, asked, line, headers, framing, date);
    match body {
        Body::Nothing => {}
        Body::Text(text) => out.extend_from_slice(text.as_bytes()),
        Body::File { file, from, length } if *length <= SHORT => {
            let start = out.len();
            out.resize(start + usize::try_from(*length).unwrap_or(0), 0);
            file.read_exact_at(&mut out[start..], *from)?;
        }
        Body::File { .. } => {}
    }
    client.send_some_of(out)?;
    if let Body::File { file, from, length } = plan.body
        && length > SHORT
    {
        client.send_file(file.into(), from, length)?;
    }
    Ok(if keep { Ending::Keep } else { Ending::Close })
}
