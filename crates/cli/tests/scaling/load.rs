//! A bounded load of requests that are all told apart, and what became of each.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pinion_testbed::http::Client;

use crate::world::{LIMIT, World};

/// The longest that a load runs, should nobody stop it.
const LONGEST: Duration = Duration::from_secs(120);
/// No more requests than that in one load.
const MOST: usize = 60_000;
/// The size of the bodies that are posted.
const BODY: usize = 20_000;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// What tells it apart.
    pub(crate) id: String,
    pub(crate) began: Instant,
    /// Status, the host that the balancer names, and the text; or why there is no answer.
    pub(crate) answer: Result<(u16, Option<String>, String), String>,
}

impl Request {
    /// As it stands in the hosts' journals.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.id)
    }

    /// Whether it was answered as it should be.
    pub(crate) fn is_right(&self) -> bool {
        self.answered_by().is_some()
    }

    /// The host whose application has answered, with what this request asked for.
    pub(crate) fn answered_by(&self) -> Option<String> {
        let Ok((200, _, text)) = &self.answer else { return None };
        let mut words = text.strip_prefix(&self.line())?.split_whitespace();
        let host = words.next()?;
        let length = if self.method == "POST" { BODY } else { 0 };
        (words.next()? == length.to_string()).then(|| host.to_owned())
    }

    /// The number of the host that the balancer gave it to last.
    pub(crate) fn given_to(&self) -> Option<&str> {
        self.answer.as_ref().ok()?.1.as_deref()
    }
}

/// Sends one request from the client's host, on a connection of its own; with the cookie of a session that belongs to `home`, if there
/// is one.
pub(crate) fn ask(
    world: &World,
    path: &str,
    method: &'static str,
    id: String,
    home: Option<&str>,
) -> Request {
    let url = world.url(&format!("{path}?{id}"));
    let body = if method == "POST" { vec![b'x'; BODY] } else { Vec::new() };
    let cookie = home.map(|home| format!("PINION_ROUTE=.{}", number(home))).unwrap_or_default();
    let began = Instant::now();
    // A client of its own, so that no cookie of another request comes with it.
    let headers = [("connection", "close"), ("cookie", &cookie)];
    let answer = Client::new(LIMIT).send(method, &url, &headers, &body);
    let answer = answer.map_err(|error| error.to_string());
    let answer = answer.map(|answer| (answer.status, answer.header("x-served-by"), answer.text()));
    Request { method, id, began, answer }
}

/// The number by which the balancer knows a host.
pub(crate) fn number(host: &str) -> &str {
    host.trim_start_matches("app")
}

/// A load that runs until it is stopped.
pub(crate) struct Load<'w> {
    world: &'w World,
    stopped: AtomicBool,
    done: AtomicUsize,
}

impl<'w> Load<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self { world, stopped: AtomicBool::new(false), done: AtomicUsize::new(0) }
    }

    /// Requests that have ended, however.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets each client end with the request that it has.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Asks with so many clients at a time, each GET and POST in turn, while `meanwhile` disturbs the hosts; then stops.
    pub(crate) fn run_while<T>(
        &self,
        clients: usize,
        meanwhile: impl FnOnce() -> T,
    ) -> (Vec<Request>, T) {
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..clients).map(|number| scope.spawn(move || self.client(number))).collect();
            // Also where `meanwhile` panics, or the scope would wait for clients that go on.
            let _stop = Stop(self);
            let result = meanwhile();
            self.stop();
            let all = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            (all, result)
        })
    }

    fn client(&self, number: usize) -> Vec<Request> {
        self.world.network.enter("client").unwrap();
        let begin = Instant::now();
        let mut requests = Vec::new();
        while !self.stopped.load(Ordering::Relaxed)
            && begin.elapsed() < LONGEST
            && self.done() < MOST
        {
            let id = format!("{number}.{}", requests.len());
            let method = if requests.len().is_multiple_of(2) { "GET" } else { "POST" };
            requests.push(ask(self.world, "/work", method, id, None));
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        requests
    }
}

struct Stop<'a>(&'a Load<'a>);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
