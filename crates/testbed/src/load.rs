//! A bounded closed-loop load: some connections, each asking again as soon as it was answered.

use crate::Error;
use crate::raw::Connection;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Failures kept with their reason; beyond that they are only counted.
const KEPT: usize = 100;

/// What to ask, how often at a time, and for how long.
#[derive(Debug, Clone)]
pub struct Load {
    /// The port of 127.0.0.1.
    pub port: u16,
    /// Connections that ask at the same time.
    pub connections: usize,
    /// No request begins after that.
    pub duration: Duration,
    /// The request line's method.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// The Host header.
    pub host: String,
    /// The body sent with each request.
    pub body: Vec<u8>,
    /// What each body must be; any if none.
    pub expect: Option<Vec<u8>>,
}

impl Load {
    /// GET of `path` on that port.
    pub fn get(port: u16, path: &str, connections: usize, duration: Duration) -> Self {
        Self {
            port,
            connections,
            duration,
            method: "GET".to_owned(),
            path: path.to_owned(),
            host: "localhost".to_owned(),
            body: Vec::new(),
            expect: None,
        }
    }

    /// Runs the load to its end.
    pub fn run(&self) -> Report {
        let begin = Instant::now();
        let request = self.request();
        let mut report = Report::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|_| scope.spawn(|| self.client(&request, begin)))
                .collect();
            for thread in threads {
                match thread.join() {
                    Ok(part) => report.add(part),
                    Err(_) => report.fail(begin.elapsed(), "a client thread panicked".to_owned()),
                }
            }
        });
        report.elapsed = begin.elapsed();
        report
    }

    /// Runs the load in the background while `meanwhile` disturbs the server, and gives both results.
    pub fn run_while<T>(&self, meanwhile: impl FnOnce() -> T) -> (Report, T) {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| self.run());
            let result = meanwhile();
            let report = load.join().unwrap_or_else(|_| {
                let mut report = Report::default();
                report.fail(Duration::ZERO, "the load panicked".to_owned());
                report
            });
            (report, result)
        })
    }

    fn is_repeatable(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    fn request(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, self.host);
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        if !self.is_repeatable() {
            // A server may close a kept connection at any moment, and what must not be repeated could
            // not be sent again then (RFC 9112, 9.3.1): it gets a connection of its own.
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }

    fn client(&self, request: &[u8], begin: Instant) -> Report {
        let mut report = Report::default();
        let mut idle = None;
        while begin.elapsed() < self.duration {
            let start = Instant::now();
            match self.ask(request, &mut idle, &mut report.retried) {
                Ok(status) => {
                    report.requests += 1;
                    *report.statuses.entry(status).or_default() += 1;
                    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                    report.latency.saturating_record(micros);
                }
                Err(error) => {
                    idle = None;
                    report.fail(begin.elapsed(), error.to_string());
                }
            }
        }
        report
    }

    /// One request; on a kept connection that the server closed before a byte of the answer, a
    /// request that may be repeated is sent once more on a new one, as every browser does.
    fn ask(
        &self,
        request: &[u8],
        idle: &mut Option<Connection>,
        retried: &mut u64,
    ) -> Result<u16, Error> {
        if let Some(kept) = idle.take() {
            match self.exchange(request, kept, idle) {
                Err((error, silent)) => {
                    if !(silent && self.is_repeatable()) {
                        return Err(error);
                    }
                    *retried += 1;
                }
                Ok(status) => return Ok(status),
            }
        }
        self.exchange(request, Connection::open(self.port)?, idle).map_err(|(error, _)| error)
    }

    /// Sends and receives on one connection; the error says whether no byte had come.
    fn exchange(
        &self,
        request: &[u8],
        mut connection: Connection,
        idle: &mut Option<Connection>,
    ) -> Result<u16, (Error, bool)> {
        connection.send(request).map_err(|error| (error, true))?;
        let answer = match connection.head(&self.method) {
            Ok(head) => head,
            Err(error) => {
                let silent = !connection.has_pending();
                return Err((error, silent));
            }
        };
        let mut framing = answer.framing;
        let mut body = Vec::new();
        let mut length = 0;
        while let Some(piece) = connection.piece(&mut framing).map_err(|error| (error, false))? {
            length += piece.len();
            if self.expect.is_some() {
                body.extend(piece);
            }
        }
        if self.expect.as_ref().is_some_and(|expected| answer.status == 200 && *expected != body) {
            let reason = format!("unexpected body of {length} bytes");
            return Err((Error::http(&self.path, reason), false));
        }
        let closing = answer.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case(b"close")
        });
        if !closing {
            *idle = Some(connection);
        }
        Ok(answer.status)
    }
}

/// What came of a load.
#[derive(Debug, Clone)]
pub struct Report {
    /// Requests that were answered whole, whatever the status.
    pub requests: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without a whole answer, or with the wrong body.
    pub failed: u64,
    /// The first of these, with the time since the begin and the reason.
    pub failures: Vec<(Duration, String)>,
    /// Requests sent again because a kept connection was closed before it answered.
    pub retried: u64,
    /// Microseconds from sending to the last byte, of answered requests.
    pub latency: Histogram<u64>,
    /// From the begin to the end of the last request.
    pub elapsed: Duration,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            requests: 0,
            statuses: BTreeMap::new(),
            failed: 0,
            failures: Vec::new(),
            retried: 0,
            latency: histogram(),
            elapsed: Duration::ZERO,
        }
    }
}

impl Report {
    /// Answered requests a second.
    pub fn throughput(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let requests = self.requests as f64;
        requests / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// The time within which that share (0 to 1) of the requests was answered.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.latency.value_at_quantile(share))
    }

    /// Answers with another status than that one.
    pub fn other_than(&self, status: u16) -> u64 {
        self.statuses.iter().filter(|(code, _)| **code != status).map(|(_, count)| count).sum()
    }

    fn fail(&mut self, at: Duration, reason: String) {
        self.failed += 1;
        if self.failures.len() < KEPT {
            self.failures.push((at, reason));
        }
    }

    fn add(&mut self, part: Self) {
        self.requests += part.requests;
        self.failed += part.failed;
        self.retried += part.retried;
        for (status, count) in part.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.failures.extend(part.failures);
        self.failures.sort();
        self.failures.truncate(KEPT);
        // Both have the same bounds, so no value can be out of range.
        let _ = self.latency.add(part.latency);
    }
}

/// Up to an hour in microseconds, with three digits.
fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 3_600_000_000, 3) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are constants that the crate documents as valid"),
    }
}
