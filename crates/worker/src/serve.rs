//! The loop of a serving thread.

use std::sync::Arc;

use pinion_unix::clock;
use pinion_wire::Header;
use pinion_wire::answer::End;
use pinion_wire::frame::{REQUEST_IS_NO_ACTIVITY, REQUEST_MAY_RELOAD};
use pinion_wire::request::{BodyLength, RequestRef, RequestWriter, Target};
use pyo3::prelude::*;

use crate::desk::{Desk, Job, Next};
use crate::environ::Maker;
use crate::exchange::{Exchange, Left, Peer};
use crate::metrics::Watch;
use crate::response::Response;
use crate::rush::Rush;
use crate::worker::Worker;
use crate::{call, events, http, request};

/// Serves requests until the process ends.
pub(crate) fn serve(py: Python<'_>, worker: &'static Worker, thread: usize) -> PyResult<()> {
    let maker = Maker::new(py, worker, thread)?;
    let mut desk = Desk::new(worker, thread);
    let mut rush = Rush::default();
    worker.posts.take(py, thread)?;
    loop {
        // Who leads has nobody to give the GIL to while more requests are here.
        let leads = worker.seat.is_sole(thread);
        let at_once = if leads { desk.next(false) } else { Next::Nothing };
        let (next, arrived) = match at_once {
            found @ (Next::Job(_) | Next::Visit(_)) => (found, worker.metrics.clock()),
            Next::Nothing => py.detach(|| {
                let next = desk.next(true);
                (next, worker.metrics.clock())
            }),
        };
        let begun = worker.seat.begin(thread);
        match next {
            Next::Job(job) => run(py, worker, &maker, &mut desk, job, arrived),
            Next::Visit(visit) => http::run(py, worker, &maker, &mut desk, *visit, arrived),
            Next::Nothing => return Ok(()),
        }
        worker.seat.end(thread, begun);
        rush.served(worker.seat.is_sole(thread), desk.company());
        desk.under_load = rush.is_on();
    }
}

fn run(py: Python<'_>, worker: &Worker, maker: &Maker, desk: &mut Desk, job: Job, arrived: u64) {
    let memory = desk.memory();
    let request = RequestRef::decode(job.payload()).map_err(|error| error.to_string());
    let frames = match request.and_then(|request| meant_for(worker, request)) {
        Err(error) => {
            let number = job.connection.number;
            py.detach(|| worker.log(3, &format!("connection {number} closed: {error}")));
            job.connection.close();
            memory
        }
        Ok(request) => {
            let line = RequestLine::of(&request);
            let mut response = Response::new(job.seq, line.method == b"HEAD", memory);
            response.end_flags = desk.end_flags();
            let peer = Some(Peer::Front(job.connection.clone()));
            let exchange = maker.kits.begin(peer, job.seq, response);
            let mut watch = None;
            let shown = [line.method, b" ", line.mount, line.path];
            let now = clock::monotonic_ns();
            maker.begin(now);
            let end = if worker.is_expired(request.queued_ns)
                || !desk.begin(&job, request.queued_ns, now, &shown)
            {
                End::Expired
            } else {
                worker.posts.begin(desk.thread(), &exchange);
                let is_activity = job.flags & REQUEST_IS_NO_ACTIVITY == 0;
                let _active = is_activity.then(|| Active::new(worker));
                if job.is_call {
                    call::run(py, worker, maker, &request, &exchange)
                } else {
                    worker.count_request();
                    let may_reload = job.flags & REQUEST_MAY_RELOAD != 0;
                    watch = worker.metrics.begin(desk.thread(), arrived, &request);
                    events::begin(&exchange);
                    request::run(py, worker, maker, &request, &exchange, may_reload)
                }
            };
            let frames = finish(py, worker, (desk, &job), &exchange, watch, end);
            maker.end(py);
            frames
        }
    };
    desk.finish(job, frames);
}

/// Ends a request; returns the frames that are left to be sent.
fn finish(
    py: Python<'_>,
    worker: &Worker,
    (desk, job): (&Desk, &Job),
    exchange: &Arc<Exchange>,
    watch: Option<Watch>,
    end: End,
) -> Vec<u8> {
    let told = events::is_measured();
    if !told {
        drop(exchange.kept.forget(py));
    }
    let Left { mut frames, .. } = exchange.finish(py, end);
    worker.posts.end(py, desk.thread());
    if told {
        // The client does not wait for subscribers.
        exchange.send_rest(py, &job.connection, &mut frames);
    }
    if let Some(watch) = watch {
        worker.metrics.end(watch, exchange.code(py), exchange.meter());
    }
    if told {
        events::finished(py, exchange, end);
    }
    frames
}

/// The request, if it is for an application of this worker: a front door that remembers what another manager told it
/// must not have one application run with another's rights.
fn meant_for<'a>(worker: &Worker, request: RequestRef<'a>) -> Result<RequestRef<'a>, String> {
    let Target { process_group, application_group, .. } = request.target;
    let (group, spec) = (String::from_utf8_lossy(process_group), &worker.spec);
    if group == *spec.group.name
        && String::from_utf8_lossy(application_group) == *spec.application_group
    {
        return Ok(request);
    }
    let application_group = application_group.escape_ascii();
    Err(format!(
        "a request for process group '{group}', application group '{application_group}', came to the wrong worker"
    ))
}

/// A request that shows that the worker is needed, from its beginning to its end.
pub(crate) struct Active<'a>(&'a Worker);

impl<'a> Active<'a> {
    pub(crate) fn new(worker: &'a Worker) -> Self {
        worker.be_active();
        Self(worker)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.be_active();
    }
}

/// What of a request is of interest beside the application.
#[derive(Default)]
pub(crate) struct RequestLine<'a> {
    /// The method.
    pub(crate) method: &'a [u8],
    /// `SCRIPT_NAME`.
    pub(crate) mount: &'a [u8],
    /// `PATH_INFO`.
    pub(crate) path: &'a [u8],
}

impl<'a> RequestLine<'a> {
    /// Of a request.
    pub(crate) fn of(request: &RequestRef<'a>) -> Self {
        let mut line = Self::default();
        let mut missing = 3;
        for (name, value) in request.environ() {
            match name {
                b"REQUEST_METHOD" => line.method = value,
                b"SCRIPT_NAME" => line.mount = value,
                b"PATH_INFO" => line.path = value,
                _ => continue,
            }
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
        line
    }
}

/// Requests `path` of the application at `script`, as a client would; why it fails, if it does.
pub(crate) fn warm_up(
    py: Python<'_>,
    worker: &Worker,
    script: &[u8],
    callable: &str,
    path: &str,
) -> PyResult<Option<String>> {
    let frame = synthetic(worker, script, callable, path);
    let Ok(request) = RequestRef::decode(&frame[Header::SIZE..]) else { return Ok(None) };
    let maker = Maker::new(py, worker, 0)?;
    maker.begin(clock::monotonic_ns());
    let exchange = maker.kits.begin(None, 0, Response::new(0, false, Vec::new()));
    let end = request::run(py, worker, &maker, &request, &exchange, false);
    let status = exchange.response(py, |response| response.code());
    let trouble = exchange.take_trouble(py);
    drop(exchange.kept.forget(py));
    exchange.finish(py, end);
    Ok(match (end, status) {
        (End::Complete, 0..500) => None,
        (End::Complete, _) => Some(format!("warmup={path}: the application answered {status}")),
        _ => Some(format!("warmup={path}: {}", trouble.trim_end())),
    })
}

/// A request frame for `GET path` that no client sent.
fn synthetic(worker: &Worker, script: &[u8], callable: &str, path: &str) -> Vec<u8> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let group = &worker.spec.group.name;
    let target = Target {
        script,
        callable: callable.as_bytes(),
        process_group: group.as_bytes(),
        application_group: worker.spec.application_group.as_bytes(),
    };
    let mut frame = Vec::new();
    let mut writer = RequestWriter::new(&mut frame, target, BodyLength::Known(0));
    let name = worker.spec.server_name.as_str();
    for (key, value) in [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", path),
        ("QUERY_STRING", query),
        ("REQUEST_URI", path),
        ("SERVER_NAME", name),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTP_HOST", name),
        ("HTTP_USER_AGENT", "pinion-warmup"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("mod_wsgi.callable_object", callable),
    ] {
        writer.entry(key.as_bytes(), value.as_bytes());
    }
    writer.entry(b"SCRIPT_FILENAME", script);
    writer.finish(b"");
    RequestWriter::stamp(&mut frame, 0, clock::monotonic_ns());
    frame
}
