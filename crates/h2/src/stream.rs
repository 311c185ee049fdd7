//! From a request to its answer.

use std::collections::VecDeque;
use std::fs::File;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use pinion_http::answer;
use pinion_http::head::BodyLength;
use pinion_http::http2::{self, Pseudo};
use pinion_http::plan::{self, Plan};
use pinion_http::refusal::Refusal;
use pinion_wire::answer::{End, HeadRef};
use tokio::time::{Instant, timeout};

use crate::activity::Active;
use crate::connection::Connection;
use crate::exchange::{Exchange, Note, Said};
use crate::input::{Input, Stop};
use crate::output::Output;
use crate::patience::Watch;
use crate::pipe::{self, Ended, FilePart, Filler, Piece};
use crate::site::{Asked, Site, Sorted};

/// How much of a body is awaited before a serving thread takes the request: a client that sends slowly keeps no thread from others
/// until then.
const AWAITED: usize = 128 * 1024;
/// How much of an answer is awaited by who has the request, as long as all of it is here at once.
const AT_ONCE: usize = pipe::OWN;

/// One request.
pub(crate) struct Stream<S: Site> {
    connection: Arc<Connection<S>>,
    watch: Arc<Watch>,
    active: Active,
}

type Answer = Response<Output>;

impl<S: Site> Stream<S> {
    /// A request on a connection.
    pub(crate) fn new(connection: Arc<Connection<S>>, watch: Arc<Watch>, active: Active) -> Self {
        Self { connection, watch, active }
    }

    /// Answers it.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let input = Input::new(body, self.connection.settings().body);
        let head_only = parts.method == hyper::Method::HEAD;
        let note = match self.sort(&parts, &input) {
            Ok(Sorted::Own(plan)) => return self.own(plan),
            Ok(Sorted::Application(frame)) => Note::new(self.connection.site().clone(), frame),
            Err(refusal) => return self.refuse(refusal, head_only),
        };
        self.ask(note, input, head_only).await
    }

    /// Where the request goes.
    fn sort(&self, parts: &Parts, input: &Input) -> Result<Sorted, Refusal> {
        let (uri, peer, site) = (&parts.uri, self.connection.peer(), self.connection.site());
        let method = parts.method.as_str();
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let authority = uri.authority().map(|authority| authority.as_str());
        let fields = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let settings = self.connection.settings();
        let pseudo = Pseudo { method, path, authority, ended: input.is_over() };
        let head =
            http2::head(&pseudo, fields, &settings.limits).and_then(|head| match head.body {
                BodyLength::Known(length) if settings.body.is_some_and(|limit| length > limit) => {
                    Err(Refusal::LONG_BODY)
                }
                _ => Ok(head),
            });
        let sorted = head.and_then(|head| site.sort(peer, &head));
        sorted.inspect_err(|refusal| {
            let sent = text_of(refusal).len() as u64;
            site.refused(peer, &Asked { method, path, authority }, refusal.status, sent);
        })
    }

    /// Has the application answer.
    async fn ask(self, mut note: Note<S>, mut input: Input, head_only: bool) -> Answer {
        let here = match self.await_body(&mut input).await {
            Ok(here) => here,
            Err(refusal) => {
                // Of a stream whose body is broken nobody gets an answer.
                if refusal != Refusal::BAD_CHUNK {
                    note.status(refusal.status);
                    note.sent(text_of(&refusal).len() as u64);
                }
                return self.refuse(refusal, head_only);
            }
        };
        let begun = match self.connection.pool().lease().await {
            Ok(lease) => {
                let slowest = self.connection.settings().slowest();
                Exchange::begin(lease, (input, &here), note, slowest)
            }
            Err(error) => {
                let text = format!("HTTP/2: no connection to the serving threads: {error}");
                self.connection.site().log(3, &text);
                note.status(503);
                return self.say(503, head_only);
            }
        };
        drop(here);
        match begun {
            Ok(exchange) => self.relay(exchange, head_only).await,
            Err(_) => self.say(502, head_only),
        }
    }

    /// Waits for a part of the body.
    async fn await_body(&self, input: &mut Input) -> Result<Vec<u8>, Refusal> {
        let mut here = Vec::new();
        let begun = Instant::now();
        while here.len() < AWAITED && !input.is_over() {
            let taken = input.taken();
            let came = poll_fn(|cx| input.poll_into(&mut here, AWAITED, cx));
            let slowest = self.connection.settings().slowest();
            let came = match slowest.left(begun.elapsed(), taken) {
                None => came.await,
                Some(left) => timeout(left, came).await.map_err(|_| Refusal::TIMEOUT)?,
            };
            came.map_err(|stop| match stop {
                Stop::TooLong => Refusal::LONG_BODY,
                Stop::Broken => Refusal::BAD_CHUNK,
            })?;
        }
        Ok(here)
    }

    /// Waits for the application's answer.
    async fn relay(self, mut exchange: Exchange<S>, head_only: bool) -> Answer {
        match poll_fn(|cx| exchange.poll_said(cx)).await {
            Ok(Said::Head(payload)) => match HeadRef::decode(&payload) {
                Ok(head) if head.status >= 200 => {
                    exchange.note().status(head.status);
                    self.begin(exchange, &head, head_only).await
                }
                _ => self.fail(exchange, 500, head_only),
            },
            Ok(Said::End(end)) => {
                let status = status_of(end);
                exchange.note().status(status);
                exchange.note().sent(words(status).len() as u64);
                exchange.finish();
                self.say(status, head_only)
            }
            // The worker ends, or what it says is no answer.
            Ok(Said::Piece(_)) | Err(_) => self.fail(exchange, 502, head_only),
        }
    }

    fn fail(self, mut exchange: Exchange<S>, status: u16, head_only: bool) -> Answer {
        exchange.note().status(status);
        self.say(status, head_only)
    }

    /// The answer's head is here; its body, if it has one, may follow.
    async fn begin(self, mut exchange: Exchange<S>, head: &HeadRef<'_>, head_only: bool) -> Answer {
        let (here, ended) = gather(&mut exchange).await;
        let (status, headers) = (head.status, head.headers().collect::<Vec<_>>());
        let is_bodiless = head_only || http2::is_bodiless(head.status);
        let here = if is_bodiless { VecDeque::new() } else { here };
        let connection = self.connection.clone();
        let Some(ended) = ended else {
            let (filler, taker) = pipe::pipe(connection.shared());
            let output = Output::of(here, self.watch, self.active);
            // Without a body, the serving thread's last words are awaited all the same.
            tokio::spawn(pump(exchange, filler, is_bodiless));
            let output = if is_bodiless { output } else { output.and(taker) };
            return connection.respond(status, &headers, output);
        };
        exchange.finish();
        let output = Output::of(here, self.watch, self.active);
        if ended == Ended::Whole || is_bodiless {
            return connection.respond(status, &headers, output);
        }
        let (filler, taker) = pipe::pipe(connection.shared());
        filler.end(ended);
        connection.respond(status, &headers, output.and(taker))
    }

    /// Gives an answer of the front door's own.
    fn own(self, plan: Plan<File>) -> Answer {
        let Plan { status, headers, body } = plan;
        let piece = match body {
            plan::Body::Nothing => None,
            plan::Body::Text(text) => Some(Piece::Bytes(text.into_owned().into())),
            plan::Body::File { file, from, length } => {
                Some(Piece::File(FilePart { file, offset: from, left: length }))
            }
        };
        let output = Output::of(piece.into_iter().collect(), self.watch, self.active);
        let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.connection.respond(status, &headers.collect::<Vec<_>>(), output)
    }

    fn refuse(self, refusal: Refusal, head_only: bool) -> Answer {
        self.own(Plan::text(refusal.status, text_of(&refusal), head_only))
    }

    fn say(self, status: u16, head_only: bool) -> Answer {
        self.own(Plan::text(status, words(status), head_only))
    }
}

fn text_of(refusal: &Refusal) -> String {
    format!("{}\n", refusal.text)
}

fn words(status: u16) -> String {
    format!("{status} {}\n", answer::reason(status))
}

/// The status for a request that has no answer of its own, as by HTTP/1.
fn status_of(end: End) -> u16 {
    match end {
        End::BodyFailed => 400,
        End::Interrupted => 504,
        End::Expired => 503,
        _ => 500,
    }
}

/// What of an answer's body is here at once, and how it ends if that is here too.
async fn gather<S: Site>(exchange: &mut Exchange<S>) -> (VecDeque<Piece>, Option<Ended>) {
    let (mut here, mut held) = (VecDeque::new(), 0);
    while held < AT_ONCE {
        let said = poll_fn(|cx| Poll::Ready(exchange.poll_said(cx))).await;
        match said {
            Poll::Pending => return (here, None),
            Poll::Ready(Ok(Said::Piece(piece))) => {
                held += if let Piece::Bytes(bytes) = &piece { bytes.len() } else { 0 };
                here.push_back(piece);
            }
            Poll::Ready(Ok(Said::End(End::Complete))) => return (here, Some(Ended::Whole)),
            Poll::Ready(_) => return (here, Some(Ended::Cut)),
        }
    }
    (here, None)
}

/// Brings the rest of an answer to the client, as it takes it.
async fn pump<S: Site>(mut exchange: Exchange<S>, filler: Filler, is_bodiless: bool) {
    let mut piece = None;
    let ended = poll_fn(|cx| {
        loop {
            if is_bodiless {
                piece = None;
            } else if filler.poll_closed(cx).is_ready() {
                return Poll::Ready(None);
            }
            match filler.poll_put(&mut piece, cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) if !is_bodiless => return Poll::Ready(None),
                Poll::Ready(false) => {}
                // The application may read on meanwhile.
                Poll::Pending => {
                    return match exchange.poll_feed(cx) {
                        Ok(()) => Poll::Pending,
                        Err(_) => Poll::Ready(Some(Ended::Cut)),
                    };
                }
            }
            match exchange.poll_said(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Said::Piece(next))) => piece = Some(next),
                Poll::Ready(Ok(Said::End(End::Complete))) => {
                    return Poll::Ready(Some(Ended::Whole));
                }
                Poll::Ready(Ok(Said::End(_))) => return Poll::Ready(Some(Ended::Cut)),
                Poll::Ready(Ok(Said::Head(_)) | Err(_)) => return Poll::Ready(Some(Ended::Cut)),
            }
        }
    });
    if let Some(ended) = ended.await {
        exchange.finish();
        filler.end(ended);
    }
}
