//! A client's connection.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use pinion_http::date::Date;
use pinion_unix::clock;
use pinion_unix::sockets::{self, Wait};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::activity::Activity;
use crate::clock::Clock;
use crate::link::Link;
use crate::locked;
use crate::output::Output;
use crate::patience::Runner;
use crate::pipe;
use crate::pool::Pool;
use crate::site::{Settings, Site};
use crate::socket::Socket;
use crate::sockets::Sockets;
use crate::stream::Stream;
use crate::thread::{Arrival, Ending};

/// How many requests of a connection are served at once.
const STREAMS: u32 = 128;
/// How much of a body a client may send before it is taken, by stream.
const STREAM_WINDOW: u32 = 128 * 1024;
/// How much by connection. A request whose body waits for a serving thread takes nothing from one that has it.
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// How much of an answer is handed to the protocol before the client has room for it.
const SEND_BUFFER: usize = 64 * 1024;
/// How long a connection on which nothing goes on may take to end, and how long its client has to see the end.
const LAST: Duration = Duration::from_secs(2);
/// How much of what a client still sends is thrown away then.
const REST: usize = 256 * 1024;
/// What stands for no limit.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// What all connections share.
pub(crate) struct Shared<S> {
    pub(crate) site: Arc<S>,
    pub(crate) settings: Settings,
    pub(crate) pool: Arc<Pool<S>>,
    pub(crate) date: Mutex<Date>,
    /// Whether connections are to end.
    pub(crate) ending: watch::Receiver<Ending>,
    pub(crate) sockets: Arc<Sockets>,
}

/// A client's connection, for its streams.
pub(crate) struct Connection<S: Site> {
    shared: Arc<Shared<S>>,
    peer: S::Peer,
    /// What its answers may hold beyond what is each one's own.
    room: Arc<Semaphore>,
}

impl<S: Site> Connection<S> {
    /// Its client.
    pub(crate) fn peer(&self) -> &S::Peer {
        &self.peer
    }

    /// The worker.
    pub(crate) fn site(&self) -> &Arc<S> {
        &self.shared.site
    }

    /// Connections to the serving threads.
    pub(crate) fn pool(&self) -> &Arc<Pool<S>> {
        &self.shared.pool
    }

    /// What holds for all clients.
    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// What its answers may hold beyond what is each one's own.
    pub(crate) fn shared(&self) -> Arc<Semaphore> {
        self.room.clone()
    }

    /// An answer with these fields, as far as HTTP/2 has them, and those of the server.
    pub(crate) fn respond(
        &self,
        status: u16,
        given: &[(&[u8], &[u8])],
        output: Output,
    ) -> Response<Output> {
        let date = locked(&self.shared.date).at_copy(clock::seconds());
        let fields = pinion_http::http2::fields(status, given, date.text());
        let mut response = Response::new(output);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in fields {
            // What is neither was refused when the application gave it.
            let field = HeaderName::from_bytes(name).ok().zip(HeaderValue::from_bytes(value).ok());
            if let Some((name, value)) = field {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// Serves a connection until it has ended.
pub(crate) async fn serve<S: Site>(shared: Arc<Shared<S>>, arrival: Arrival<S::Peer>) {
    let Arrival { peer, socket, session, received } = arrival;
    let Ok(socket) = Socket::new(socket) else { return };
    let known = shared.sockets.add(socket);
    let socket = known.socket();
    let (activity, patience) = (Activity::new(), shared.settings.piece);
    let link = Link::new(socket.clone(), session, received, patience, activity.clone());
    let room = Arc::new(Semaphore::new(pipe::SHARED));
    let connection = Arc::new(Connection { shared: shared.clone(), peer, room });
    let runner = Runner::new(shared.settings.slowest());
    let builder = builder(&shared.settings, runner.clone());
    let streams = activity.clone();
    let service = service_fn(move |request| {
        let stream = Stream::new(connection.clone(), runner.begin(), streams.begin());
        async move { Ok::<_, Infallible>(stream.answer(request).await) }
    });
    let connection = builder.serve_connection(link, service);
    let driven = drive(&shared, &activity, connection, |connection| connection.graceful_shutdown());
    if let Err(error) = driven.await {
        shared.site.log(7, &format!("HTTP/2: a connection ended: {error}"));
    }
    // What follows a last word that was not read may take it back (RFC 9293, section 3.10.7).
    let _ = sockets::shutdown(socket.as_fd(), Shutdown::Write);
    let _ = timeout(LAST, pass_over(socket)).await;
}

fn builder(settings: &Settings, runner: Runner) -> http2::Builder<Runner> {
    let mut builder = http2::Builder::new(runner);
    builder
        .timer(Clock)
        .auto_date_header(false)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(settings.limits.head).unwrap_or(u32::MAX));
    if let Some(idle) = settings.idle {
        builder.keep_alive_interval(idle).keep_alive_timeout(idle);
    }
    builder
}

/// What a connection waits for.
enum Event {
    Ended(hyper::Result<()>),
    /// It is to end.
    Finish,
    Time,
}

/// Lets a connection go on until it ends, or nothing goes on any more. `finish` has it end with what runs.
async fn drive<S: Site, C: Future<Output = hyper::Result<()>>>(
    shared: &Shared<S>,
    activity: &Activity,
    connection: C,
    finish: impl Fn(Pin<&mut C>),
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let mut ending = shared.ending.clone();
    let mut draining = pin!(ending.wait_for(|ending| *ending == Ending::Draining));
    // How many requests there were when the end was announced.
    let mut announced = None;
    let idle = shared.settings.idle.unwrap_or(LONG);
    let mut sleep = pin!(sleep_until(Instant::now() + shared.settings.first.unwrap_or(LONG)));
    let mut is_ending = false;
    loop {
        let event = poll_fn(|cx| {
            if announced.is_none() && *shared.ending.borrow() != Ending::Not {
                announced = Some(activity.requests());
            }
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(Event::Ended(result));
            }
            let has_come = announced.is_some_and(|before| activity.requests() > before);
            if !is_ending && (has_come || draining.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(Event::Finish);
            }
            sleep.as_mut().poll(cx).map(|()| Event::Time)
        });
        let event = event.await;
        let now = Instant::now();
        let due = match event {
            Event::Ended(result) => return result,
            Event::Finish => now,
            Event::Time if activity.requests() == 0 => now,
            Event::Time => {
                let limit = if is_ending { LAST } else { idle };
                activity.quiet_since().unwrap_or(now) + limit
            }
        };
        if due > now {
            sleep.as_mut().reset(due);
        } else if is_ending {
            return Ok(());
        } else {
            is_ending = true;
            finish(connection.as_mut());
            sleep.as_mut().reset(now + LAST);
        }
    }
}

/// Throws away what a client still sends, until it has seen the connection's end.
async fn pass_over(socket: &Socket) -> io::Result<()> {
    let (mut scratch, mut left) = (vec![0; 4096], REST);
    while left > 0 {
        let came = poll_fn(|cx| {
            socket.poll_read(cx, |socket| sockets::recv_with_fd(socket, &mut scratch, Wait::No))
        });
        match came.await? {
            (0, _) => break,
            (count, _) => left = left.saturating_sub(count),
        }
    }
    Ok(())
}
