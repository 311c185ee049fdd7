//! What a request's end means for the client and for the log.

use pinion_config::Code;
use pinion_front::{Outcome, Trouble};
use pinion_httpd::{Answer, Request, log::Level};
use pinion_wire::answer::End;

use crate::{
    environ, pace,
    relay::{Relay, Stalled},
    say,
};

/// Ends the answer of a process group and says what httpd is to do.
pub(crate) fn conclude(
    request: Request<'_>,
    relay: &mut Relay<'_>,
    outcome: Outcome,
    group: &str,
) -> Answer {
    let begun = pinion_front::Client::answered(relay);
    let failure = match outcome {
        Outcome::Done(End::Complete) => {
            if let Some(status) = relay.overridden() {
                return Answer::Http(status);
            }
            if let Some(path) = relay.elsewhere() {
                environ::remember(request);
                request.redirect_within(path);
                return Answer::Ok;
            }
            relay.complete();
            pace::answered(request, relay.files());
            return Answer::Ok;
        }
        Outcome::ClientGone if relay.stalled().is_some() => {
            let (code, way) = match relay.stalled() {
                Some(Stalled::Flushing) => (Code::ClientSlowToRead, "read"),
                _ => (Code::ClientSlowToTake, "write"),
            };
            let text = format!("Unable to proxy response to client ({way} timeout).");
            say::error(request, code, &text);
            relay.cut();
            return Answer::Ok;
        }
        Outcome::ClientGone if !relay.is_unfit() => {
            let code = Code::ClientGone;
            let text =
                format!("{code}: the client closed the connection before the answer was whole");
            say::line(request, Level::Debug, &text);
            // Where it is the worker that broke off (a second head, no regular file), the client must see that.
            relay.cut();
            return Answer::Ok;
        }
        Outcome::ClientGone if relay.is_too_long() => Failure::new(
            500,
            Code::HeaderTooLong,
            "a header of the answer is longer than header-buffer-size",
        ),
        Outcome::ClientGone => {
            Failure::new(500, Code::HeaderInvalid, "the worker sent a head that cannot be sent")
        }
        Outcome::Done(end) => ended(end, group),
        Outcome::Trouble(trouble) => troubled(&trouble, group, begun),
    };
    failure.log(request);
    if begun {
        relay.cut();
        return Answer::Ok;
    }
    Answer::Http(failure.status)
}

/// The status where a call came to nothing; says why in the log.
pub(crate) fn refused(request: Request<'_>, outcome: Outcome, group: &str) -> u16 {
    let failure = match outcome {
        Outcome::Done(End::Complete) | Outcome::ClientGone => {
            Failure::new(502, Code::FrameInvalid, "the worker took the call for a request")
        }
        Outcome::Done(end) => ended(end, group),
        Outcome::Trouble(trouble) => troubled(&trouble, group, false),
    };
    failure.log(request);
    failure.status
}

/// A status for the client, and what the log says unless the worker has said it.
struct Failure {
    status: u16,
    said: Option<(Code, String)>,
}

impl Failure {
    fn new(status: u16, code: Code, text: impl Into<String>) -> Self {
        Self { status, said: Some((code, text.into())) }
    }

    fn silent(status: u16) -> Self {
        Self { status, said: None }
    }

    fn log(&self, request: Request<'_>) {
        let Some((code, text)) = &self.said else { return };
        for (number, line) in text.lines().enumerate() {
            if number == 0 {
                say::error(request, *code, line);
            } else {
                say::line(request, Level::Error, line);
            }
        }
    }
}

/// What the worker says of an answer that is not whole; it has logged why.
fn ended(end: End, group: &str) -> Failure {
    match end {
        End::Expired => expired(group),
        End::BodyFailed => Failure::silent(400),
        End::NoCallable => Failure::silent(404),
        End::Interrupted => Failure::silent(504),
        End::Reload => Failure::new(502, Code::FrameInvalid, "the worker did not run the request"),
        End::Called => {
            Failure::new(502, Code::FrameInvalid, "the worker took the request for a call")
        }
        End::Complete | End::Failed | End::Truncated | End::NotLoaded => Failure::silent(500),
    }
}

fn expired(group: &str) -> Failure {
    let text = format!("Queue timeout expired for WSGI daemon process '{group}'.");
    Failure::new(504, Code::QueueTimeout, text)
}

/// The worker is gone; `begun` when the answer had begun.
fn gone(group: &str, begun: bool) -> Failure {
    if begun {
        return broken_off("the worker closed the connection");
    }
    let text = format!(
        "Daemon process '{group}' closed connection before sending complete response headers."
    );
    Failure::new(502, Code::WorkerClosed, text)
}

/// The answer is not whole and its status is out.
fn broken_off(why: &str) -> Failure {
    let text = format!("Unable to proxy response from daemon to client: {why}.");
    Failure::new(502, Code::AnswerBroken, text)
}

fn silent_worker(group: &str, begun: bool) -> Failure {
    if begun {
        return broken_off("the worker sent nothing for socket-timeout");
    }
    let text = format!("Timeout when reading response headers from daemon process '{group}'.");
    Failure::new(504, Code::HeadersTimeout, text)
}

fn troubled(trouble: &Trouble, group: &str, begun: bool) -> Failure {
    match trouble {
        Trouble::NotLoaded { detail, retry_ms } => {
            let detail = detail.as_deref().unwrap_or("its traceback is further up in this log");
            let seconds = retry_ms.div_ceil(1000);
            Failure::new(
                500,
                Code::LoadFailed,
                format!(
                    "the application cannot be loaded; next attempt in {seconds} s, or when the script changes\n{detail}"
                ),
            )
        }
        Trouble::UnknownGroup(name) => {
            let text = format!("No WSGI daemon process called '{name}' has been configured.");
            Failure::new(500, Code::GroupNotDeclared, text)
        }
        Trouble::NoThreads(name) => Failure::new(
            504,
            Code::NoThreads,
            format!("process group {name:?} has no threads to run requests"),
        ),
        Trouble::BoardFull => {
            Failure::new(503, Code::Unreachable, "there is no room for another application group")
        }
        Trouble::Stopping => Failure::new(503, Code::Unreachable, "the server is stopping"),
        Trouble::Backlog => {
            let text = format!(
                "Unable to connect to WSGI daemon process '{group}' after multiple attempts as listener backlog limit was exceeded."
            );
            Failure::new(503, Code::BacklogFull, text)
        }
        Trouble::QueueTimeout => expired(group),
        Trouble::RequestTimeout => {
            Failure::new(504, Code::RequestTimeout, "the request ran longer than request-timeout")
        }
        Trouble::SocketTimeout => silent_worker(group, begun),
        Trouble::Died(_) if begun => Failure::silent(502),
        Trouble::Died(_) | Trouble::Lost => gone(group, begun),
        Trouble::Manager(error) => Failure::new(503, Code::Unreachable, error.to_string()),
        Trouble::Garbled(error) => Failure::new(502, Code::FrameInvalid, error.to_string()),
    }
}
