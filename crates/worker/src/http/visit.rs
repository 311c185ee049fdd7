//! Running a client's request.

use std::sync::Arc;

use pinion_http::access::Record;
use pinion_http::answer::Asked;
use pinion_unix::clock;
use pinion_wire::Header;
use pinion_wire::frame::FrameError;
use pinion_wire::request::RequestRef;
use pyo3::prelude::*;

use super::arrive::Memory;
use super::{Client, Door};
use crate::desk::Desk;
use crate::environ::Maker;
use crate::exchange::{Exchange, Left, Peer};
use crate::reply::{BodySender, Ending, Reply};
use crate::response::Response;
use crate::serve::{Active, RequestLine};
use crate::worker::Worker;
use crate::{events, request, worker};

/// A client's request.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The client. This thread owns its turn.
    pub(super) client: Arc<Client>,
    /// The request's number on its connection.
    pub(super) seq: u32,
    /// It, as a front door outside would send it.
    pub(super) frame: Vec<u8>,
    /// What of it concerns the answer.
    pub(super) asked: Asked,
    /// What has come, or will, behind its head and what the frame has of its body.
    pub(super) behind: Behind,
}

/// What follows on a connection, as far as the running request is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nothing is known of.
    Nothing,
    /// Another request has come, at least in part.
    Request,
    /// More of its body.
    Body,
}

/// A request that was run, whose last bytes are to be sent.
pub(crate) struct Visited {
    client: Arc<Client>,
    frame: Vec<u8>,
    /// When it was begun, nanoseconds of the monotonic clock.
    begun: u64,
    bytes: Vec<u8>,
    ending: Ending,
    /// The status, and how many bytes of a body.
    told: (u16, u64),
}

/// Runs a request. Its last bytes are sent by [`Visited::leave`].
pub(crate) fn run(
    py: Python<'_>,
    worker: &Worker,
    maker: &Maker,
    desk: &mut Desk,
    visit: Visit,
    arrived: u64,
) {
    let Visit { client, seq, frame, asked, behind } = visit;
    let date = desk.memory.date.at_copy(clock::seconds());
    let sender = (behind == Behind::Body).then(|| client.clone() as Arc<dyn BodySender>);
    let ends = if behind == Behind::Request { never } else { is_draining };
    let reply = Reply::new(asked, date, sender, ends);
    let mut out = desk.memory();
    let begun = clock::monotonic_ns();
    let Left { frames: bytes, ending, told } = match decode(&frame) {
        Err(_) => fail(reply, out),
        Ok(request) => {
            out.clear();
            let response = Response::for_client(seq, asked.head, out, reply);
            let exchange = maker.kits.begin(Some(Peer::Client(client.clone())), seq, response);
            serve(py, worker, maker, desk, &client, &request, &exchange, (arrived, begun))
        }
    };
    desk.finish_visit(Visited { client, frame, begun, bytes, ending, told });
}

/// Whether connections are to end behind their next answer.
fn is_draining() -> bool {
    worker::worker().and_then(|worker| worker.door.as_ref()).is_some_and(Door::is_draining)
}

/// What has come behind this request already is answered too.
fn never() -> bool {
    false
}

fn decode(frame: &[u8]) -> Result<RequestRef<'_>, FrameError> {
    RequestRef::decode_own(frame.get(Header::SIZE..).unwrap_or_default())
}

fn fail(mut reply: Reply, mut frames: Vec<u8>) -> Left {
    reply.push_own(&mut frames, 500);
    Left { frames, ending: reply.ending(), told: (reply.status, reply.body) }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one request, borrowed from four owners"
)]
fn serve(
    py: Python<'_>,
    worker: &Worker,
    maker: &Maker,
    desk: &Desk,
    client: &Arc<Client>,
    request: &RequestRef<'_>,
    exchange: &Arc<Exchange>,
    (arrived, now): (u64, u64),
) -> Left {
    let line = RequestLine::of(request);
    let thread = desk.thread();
    maker.begin(now);
    if let Some(status) = worker.status() {
        let shown = [line.method, b" ", line.mount, line.path];
        status.begin(thread, client.number, exchange.seq(), now, &shown);
    }
    worker.posts.begin(thread, exchange);
    worker.count_request();
    let _active = Active::new(worker);
    let watch = worker.metrics.begin(thread, arrived, request);
    events::begin(exchange);
    let end = request::run(py, worker, maker, request, exchange, false);
    let is_told = events::is_measured();
    if !is_told {
        drop(exchange.kept.forget(py));
    }
    let left = exchange.finish(py, end);
    worker.posts.end(py, thread);
    if let Some(watch) = watch {
        worker.metrics.end(watch, exchange.code(py), exchange.meter());
    }
    if is_told {
        events::finished(py, exchange, end);
    }
    maker.end(py);
    left
}

impl Visited {
    /// Sends what is left and goes on with the client. Nothing here waits. Gives the memory back.
    pub(crate) fn leave(
        self,
        worker: &Worker,
        thread: usize,
        memory: &mut Memory,
        spare: &mut Vec<u8>,
    ) -> Option<Box<Visit>> {
        let Self { client, frame, begun, mut bytes, mut ending, told } = self;
        let door = worker.door.as_ref()?;
        let goes_on = ending == Ending::Keep;
        if door.answer((worker, thread), &client, &bytes, (begun, goes_on)).is_err() {
            ending = Ending::Cut;
        }
        if let Some((log, request)) = door.log.as_ref().zip(decode(&frame).ok()) {
            let record = Record { status: told.0, sent: told.1, ..Record::of(&request) };
            log.note(&mut memory.scribe, record, request.queued_ns);
        }
        if bytes.capacity() <= 1024 * 1024 {
            bytes.clear();
            *spare = bytes;
        }
        if frame.capacity() <= 256 * 1024 {
            memory.frame = frame;
        }
        if let Some(status) = worker.status() {
            status.end(thread);
        }
        let next = door.conclude(worker, &client, ending, memory);
        if worker.stage() == crate::worker::Stage::Stopping {
            worker.wake();
        }
        next
    }
}
