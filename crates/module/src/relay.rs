//! Hands a worker's answer on to httpd: [`pinion_front::Client`] for one request.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::Duration;

use pinion_config::Code;
use pinion_front::{BodyFault, Client, Gone};
use pinion_httpd::{
    Blocking, Brigade, Piece, Request, SentFile, Status as Apr,
    log::{self, Level},
};
use pinion_unix::area::Outside;
use pinion_wire::{
    answer::{FilePart, HeadRef, LogRef},
    message::Death,
};
use pinion_wsgi::{
    headers::{self, HeaderKind},
    status::Status,
};
use smallvec::SmallVec;

use crate::pace;

/// Blocks up to this length are copied at once: httpd would keep a copy anyway until the response is whole.
const SHORT: usize = 8 * 1024;

/// How the answer is to be treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// `WSGIErrorOverride`: an error status gets httpd's error page, not the application's body.
    pub(crate) error_override: bool,
    /// The application has a process group. mod_wsgi takes what its daemons send as a CGI program's answer:
    /// a `Status` header is the status, and a local `Location` with 200 is followed inside the server.
    pub(crate) daemon: bool,
    /// The longest header that a daemon may answer with, name and value.
    pub(crate) header: usize,
    /// How long the client may leave its answer unread, where that is not httpd's `Timeout`.
    pub(crate) client_timeout: Option<Duration>,
}

/// One request, as its answer comes in.
pub(crate) struct Relay<'r> {
    request: Request<'r>,
    rules: Rules,
    output: Brigade<'r>,
    input: Brigade<'r>,
    state: State,
    /// How much of the body is in files, in bytes.
    files: usize,
    /// Where [`State::Elsewhere`] is.
    elsewhere: Vec<u8>,
    /// What each line of the application's output begins with.
    prefix: Vec<u8>,
    /// Why nothing more can be read of the request's body. httpd's filter says it once, and then that the body has ended.
    broken_body: Option<String>,
    /// The client has left its answer unread for too long.
    stalled: Option<Stalled>,
    /// The connection's own timeout, while the answer has another one.
    timeout_before: Option<Duration>,
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        if let Some(timeout) = self.timeout_before {
            self.request.connection().set_timeout(timeout);
        }
    }
}

/// What was done when the client left its answer unread for too long: mod_wsgi tells the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stalled {
    /// What had come was to leave before more was waited for.
    Flushing,
    /// A part of the answer was passed on.
    Passing,
}

/// How far the answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has come.
    Waiting,
    /// The head has come; the body goes to the client.
    Open,
    /// The head has come with an error status, and httpd shall make the page: the body is dropped.
    Overridden(u16),
    /// The head has come and says which page of this server to send instead: the body is dropped.
    Elsewhere,
    /// The head was not fit to be sent.
    Unfit,
    /// A header was longer than `header-buffer-size`.
    TooLong,
    /// The end of the answer was passed on.
    Ended,
}

impl<'r> Relay<'r> {
    pub(crate) fn new(request: Request<'r>, rules: Rules) -> Self {
        let (output, input) = (Brigade::new(request), Brigade::new(request));
        let prefix = prefix(request.filename().map_or(b"", std::ffi::CStr::to_bytes));
        let (state, elsewhere) = (State::Waiting, Vec::new());
        let set = |timeout| request.connection().set_timeout(timeout);
        let timeout_before = rules.client_timeout.and_then(set);
        Self {
            request,
            rules,
            output,
            input,
            state,
            files: 0,
            elsewhere,
            prefix,
            broken_body: None,
            stalled: None,
            timeout_before,
        }
    }

    /// The path of this server whose page is to be sent instead.
    pub(crate) fn elsewhere(&self) -> Option<&[u8]> {
        (self.state == State::Elsewhere).then_some(&self.elsewhere)
    }

    /// The error status whose page httpd shall make.
    pub(crate) fn overridden(&self) -> Option<u16> {
        match self.state {
            State::Overridden(status) => Some(status),
            _ => None,
        }
    }

    /// Whether what the worker sent as a head cannot be sent to a client.
    pub(crate) fn is_unfit(&self) -> bool {
        matches!(self.state, State::Unfit | State::TooLong)
    }

    /// Whether that is because a header is longer than `header-buffer-size`.
    pub(crate) fn is_too_long(&self) -> bool {
        self.state == State::TooLong
    }

    /// Whether the client has left its answer unread for too long.
    pub(crate) fn stalled(&self) -> Option<Stalled> {
        self.stalled
    }

    /// How much of the body is in files, in bytes.
    pub(crate) fn files(&self) -> usize {
        self.files
    }

    /// Ends an answer that is whole.
    pub(crate) fn complete(&mut self) {
        if self.state == State::Open {
            self.state = State::Ended;
            // When the client has gone there is nobody left to tell.
            let _ = self.output.pass(&[Piece::End]);
        }
    }

    /// Ends an answer that will not be whole, so that the client sees that: the last chunk is
    /// not sent and the connection is closed.
    pub(crate) fn cut(&mut self) {
        self.request.connection().close_after();
        if self.state == State::Open {
            self.state = State::Ended;
            let _ = self.output.pass(&[Piece::Broken, Piece::End]);
        }
    }

    fn pass(&mut self, pieces: &[Piece<'_, 'r>]) -> Result<(), Gone> {
        let passed = self.output.pass(pieces);
        if passed.is_err_and(Apr::is_timeout) {
            let flushing = pieces.iter().any(|piece| matches!(piece, Piece::Flush));
            self.stalled = Some(if flushing { Stalled::Flushing } else { Stalled::Passing });
        }
        if passed.is_err() || self.request.connection().is_aborted() { Err(Gone) } else { Ok(()) }
    }

    /// Passes a part of the body on.
    fn block<'d>(
        &mut self,
        pieces: impl IntoIterator<Item = Piece<'d, 'r>>,
        flush: bool,
        last: bool,
    ) -> Result<(), Gone> {
        let mut pieces: SmallVec<[_; 2]> = pieces.into_iter().collect();
        if last {
            self.state = State::Ended;
            pieces.push(Piece::End);
        } else if flush {
            pieces.push(Piece::Flush);
        }
        self.pass(&pieces)
    }

    /// Hands at most `most` bytes of the request's body to `take`: waits for the first, and takes of the others what is here. Returns
    /// how many those were, and whether the body is whole now.
    fn read_body(
        &mut self,
        most: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(usize, bool), BodyFault> {
        if let Some(reason) = &self.broken_body {
            return Err(BodyFault { reason: reason.clone() });
        }
        let (mut count, mut blocking) = (0, Blocking::Yes);
        while count < most {
            let room = most - count;
            let read = self.request.read_body(&mut self.input, room, blocking, |bytes| {
                count += bytes.len();
                take(bytes);
            });
            match read {
                Ok(filled) if filled.ended => return Ok((count, true)),
                Ok(filled) if filled.bytes == 0 && blocking == Blocking::No => break,
                Ok(_) => {}
                Err(error) => {
                    let reason = self.broken_body.insert(error.to_string()).clone();
                    self.tell_broken_body(&reason);
                    if count == 0 {
                        return Err(BodyFault { reason });
                    }
                    // What was read before the fault is handed on first.
                    break;
                }
            }
            if count > 0 {
                blocking = Blocking::No;
            }
        }
        Ok((count, false))
    }

    /// Sets status and status line; without a reason, httpd writes its own.
    fn status(&self, status: u16, reason: &[u8]) {
        let mut line = Vec::with_capacity(4 + reason.len());
        line.extend_from_slice(status.to_string().as_bytes());
        line.push(b' ');
        line.extend_from_slice(reason);
        self.request.set_status(status, (!reason.is_empty()).then_some(&line));
    }

    /// That a client goes away is for those who look for it.
    fn tell_broken_body(&self, reason: &str) {
        if !self.rules.daemon {
            return;
        }
        let gone = self.request.connection().is_aborted();
        let level = if gone { Level::Debug } else { Level::Error };
        let code = Code::BodyNotRead;
        let text = format!(
            "{code}: Request data read error when proxying data to daemon process: {reason}."
        );
        log::request_bytes(self.request, level, &[&self.prefix[..], text.as_bytes()].concat());
    }

    /// What mod_wsgi does with its daemons' answers ([`Rules::daemon`]).
    fn as_from_cgi(&mut self, head: &HeadRef<'_>) {
        for (name, value) in head.headers() {
            if name.eq_ignore_ascii_case(b"Status")
                && let Some(status) = Status::lenient(value)
            {
                self.request.headers_out().unset(c"Status");
                self.status(status.code, status.reason);
            }
            if name.eq_ignore_ascii_case(b"Location")
                && head.status == 200
                && value.starts_with(b"/")
            {
                self.elsewhere = value.to_vec();
                self.state = State::Elsewhere;
            }
        }
    }

    /// Takes a header over; false for one that must not be sent.
    fn header(&self, name: &[u8], value: &[u8], length: &mut Option<u64>) -> bool {
        let request = self.request;
        match headers::classify(name, value) {
            Ok(HeaderKind::Plain) => request.headers_out().add(name, value),
            Ok(HeaderKind::WithErrors) => request.err_headers_out().add(name, value),
            Ok(HeaderKind::Dropped) => {}
            Ok(HeaderKind::ContentType) => request.set_content_type(value),
            Ok(HeaderKind::ContentLength) => {
                let Ok(number) = headers::content_length(value, *length) else { return false };
                *length = Some(number);
                request.set_content_length(number);
            }
            Err(_) => return false,
        }
        true
    }
}

impl Client for Relay<'_> {
    fn head(&mut self, head: &HeadRef<'_>) -> Result<(), Gone> {
        // The worker has checked this already, but the application could have written into its process's own sockets.
        let mut length = None;
        if self.state != State::Waiting {
            return Err(Gone);
        }
        let long = |(name, value): (&[u8], &[u8])| name.len() + value.len() >= self.rules.header;
        if self.rules.daemon && head.headers().any(long) {
            self.state = State::TooLong;
            return Err(Gone);
        }
        let fit = (200..1000).contains(&head.status)
            && !head.reason.iter().any(u8::is_ascii_control)
            && head.headers().all(|(name, value)| self.header(name, value, &mut length));
        if !fit {
            self.state = State::Unfit;
            return Err(Gone);
        }
        if self.rules.error_override && (400..600).contains(&head.status) {
            self.state = State::Overridden(head.status);
            return Ok(());
        }
        self.state = State::Open;
        self.status(head.status, head.reason);
        if self.rules.daemon {
            self.as_from_cgi(head);
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8], flush: bool, last: bool) -> Result<(), Gone> {
        if self.state != State::Open {
            return Ok(());
        }
        let block = if bytes.len() <= SHORT { Piece::Copied(bytes) } else { Piece::Bytes(bytes) };
        self.block([block], flush, last)
    }

    fn under_load(&mut self, is_so: bool) {
        pace::wait_for_turns(is_so);
    }

    fn data_before_more(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if self.state != State::Open || bytes.len() > SHORT {
            return self.data(bytes, false, false);
        }
        // Each way through httpd's filters costs as much as a few such blocks.
        self.output.push_copied(bytes);
        Ok(())
    }

    fn outside_data(&mut self, parts: &[Outside<'_>], flush: bool, last: bool) -> Result<(), Gone> {
        if self.state != State::Open {
            return Ok(());
        }
        self.block(parts.iter().copied().map(Piece::Outside), flush, last)
    }

    fn file(&mut self, file: OwnedFd, part: FilePart) -> Result<(), Gone> {
        if self.state != State::Open {
            return Ok(());
        }
        let FilePart { offset, length } = part;
        self.files = self.files.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        let file = SentFile::adopt(self.request, file, true).map_err(|_| Gone)?;
        self.pass(&[Piece::File { file, offset, length }])
    }

    fn log(&mut self, log: &LogRef<'_>) {
        log_lines(self.request, &self.prefix, log);
    }

    fn body(&mut self, most: usize, into: &mut Vec<u8>) -> Result<bool, BodyFault> {
        self.read_body(most, |bytes| into.extend_from_slice(bytes)).map(|(_, last)| last)
    }

    fn body_outside(&mut self, room: Outside<'_>) -> Result<(usize, bool), BodyFault> {
        let mut filled = 0;
        self.read_body(room.len(), |bytes| filled += room.fill(filled, bytes))
    }

    fn worker_died(&mut self, death: &Death) {
        log_death(self.request, &self.prefix, death);
    }

    fn answered(&self) -> bool {
        !matches!(self.state, State::Waiting | State::Unfit | State::TooLong)
    }

    fn cancelled(&self) -> bool {
        pinion_httpd::is_stopping() && self.request.connection().has_hung_up()
    }
}

/// What each line that a script writes begins with.
pub(crate) fn prefix(script: &[u8]) -> Vec<u8> {
    [b"[script ", script, b"] "].concat()
}

/// Logs what a script has written.
pub(crate) fn log_lines(request: Request<'_>, prefix: &[u8], log: &LogRef<'_>) {
    let level = log_level(log.level);
    // httpd shows where (`%F`), if ErrorLogFormat asks for it.
    let file = log.place.and_then(|place| CString::new(place.file).ok());
    let line_number = log.place.map_or(0, |place| place.line);
    for line in log.text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() || log.text.len() == 1 {
            let line = [prefix, line].concat();
            log::request_from(request, level, file.as_deref(), line_number, &line);
        }
    }
}

/// Logs that a worker died over a request.
pub(crate) fn log_death(request: Request<'_>, prefix: &[u8], death: &Death) {
    let Death { pid, group, cause, begun_ms, stack } = death;
    let ran = begun_ms
        .map_or_else(String::new, |ms| format!(", {}.{} s in", ms / 1000, (ms % 1000) / 100));
    let line = text(request.request_line());
    let follows = if stack.is_empty() { "" } else { "; what it wrote last follows" };
    let code = Code::WorkerKilled;
    let what = format!(
        "{code}: worker {pid} of group {group:?} {cause} while serving {line}{ran}{follows}"
    );
    log::request(request, Level::Error, &what);
    log_lines(request, prefix, &LogRef { level: 3, place: None, text: stack.as_bytes() });
}

/// A string of httpd's for a message.
fn text(string: Option<&std::ffi::CStr>) -> String {
    string.map(|string| string.to_bytes().escape_ascii().to_string()).unwrap_or_default()
}

/// The level for a number of Apache's scale.
fn log_level(number: u8) -> Level {
    match number {
        0 => Level::Emergency,
        1 => Level::Alert,
        2 => Level::Critical,
        3 => Level::Error,
        4 => Level::Warning,
        5 => Level::Notice,
        6 => Level::Info,
        7 => Level::Debug,
        _ => Level::Trace,
    }
}
