//! Calls functions of a script in a worker, for hooks that must know something before a request is answered.

use std::{ffi::CStr, os::fd::OwnedFd};

use pinion_config::Code;
use pinion_front::{BodyFault, Client, Gone, Outcome, Request as FrontRequest, Trouble};
use pinion_httpd::Request;
use pinion_wire::{
    answer::{End, FilePart, HeadRef, LogRef},
    call::{Call, Returned},
    message::{self, Death},
    request::{BodyLength, RequestWriter, Target},
};

use crate::{
    auth, child,
    environ::{self, Parts},
    handler::{self, PATIENCE},
    outcome, path, relay, say,
};

/// The script whose functions are called, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callee<'a> {
    /// Its absolute path.
    pub(crate) script: &'a [u8],
    /// The process group, expanded; empty for the implicit one.
    pub(crate) process_group: &'a str,
    /// The application group, expanded.
    pub(crate) application_group: &'a str,
    /// What the functions see of the request.
    pub(crate) seen: Seen,
}

/// What functions see of a request, and as whose their output is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// What an application does; logged as the called script's.
    Whole,
    /// Nothing that a `.htaccess` file could have put there; logged as the requested file's, as by mod_wsgi.
    CutDown,
}

/// Why no function was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotCalled {
    /// The script is missing or broken.
    NotLoaded,
    /// No worker did it; this HTTP status, 500 or above, tells of it.
    Unserved(u16),
}

/// Calls functions with the request's environ and the call's arguments; what they returned, one for each up to the first
/// that raised. Should the worker die over it, another is asked once: functions are called twice then.
///
/// # Errors
/// When nothing was returned. The log has said why.
pub(crate) fn call(
    request: Request<'_>,
    callee: Callee<'_>,
    call: &Call,
) -> Result<Vec<Returned>, NotCalled> {
    let Some(child) = child::get() else {
        say::error(request, Code::Unreachable, "this process has no manager to ask");
        return Err(NotCalled::Unserved(503));
    };
    let settings = handler::settings(request);
    let script_mtime = if settings.script_reloading() {
        // Workers that have loaded it would go on with what it said.
        let Some(mtime) = handler::modified(callee.script) else {
            let text = format!("cannot stat '{}'", callee.script.escape_ascii());
            say::error(request, Code::ScriptMissing, &text);
            return Err(NotCalled::NotLoaded);
        };
        Some(mtime)
    } else {
        None
    };
    let target = Target {
        script: callee.script,
        callable: b"",
        process_group: callee.process_group.as_bytes(),
        application_group: callee.application_group.as_bytes(),
    };
    let uri = request.uri().map_or(&b""[..], CStr::to_bytes);
    let split = path::Split::of(uri, request.path_info().map_or(b"", CStr::to_bytes));
    let parts = Parts {
        settings,
        split: &split,
        server_pid: &child.pid,
        callable: None,
        apache_version: &child.apache_version,
    };
    let mut frame = Vec::with_capacity(4096);
    let mut writer = RequestWriter::new(&mut frame, target, BodyLength::Known(0));
    match callee.seen {
        Seen::Whole => environ::write(request, &parts, &mut writer),
        Seen::CutDown => {
            environ::write_cut_down(request, &parts, &mut writer);
            auth::ssl::write(request, &mut writer);
        }
    }
    // No message of the protocol is such that it could not be encoded.
    writer.finish_call(&message::encode(call).map_err(|_| NotCalled::Unserved(500))?);
    let logged_as = match callee.seen {
        Seen::Whole => callee.script,
        Seen::CutDown => request.filename().map_or(&b""[..], CStr::to_bytes),
    };
    let mut caller = Caller { request, prefix: relay::prefix(logged_as), returned: None };
    let asked = FrontRequest {
        target,
        frame: &mut frame,
        repeatable: true,
        script_mtime,
        patience: PATIENCE,
        alone: false,
        reload_patience: handler::RELOAD_PATIENCE,
    };
    match (child.front.serve(asked, &mut caller), caller.returned) {
        (Outcome::Done(End::Called), Some(returned)) => Ok(returned),
        (outcome, _) => {
            let not_loaded = matches!(
                outcome,
                Outcome::Done(End::NotLoaded) | Outcome::Trouble(Trouble::NotLoaded { .. })
            );
            let status = outcome::refused(request, outcome, callee.process_group);
            Err(if not_loaded { NotCalled::NotLoaded } else { NotCalled::Unserved(status) })
        }
    }
}

/// Waits for what functions return: they answer no client and read no body.
struct Caller<'r> {
    request: Request<'r>,
    prefix: Vec<u8>,
    returned: Option<Vec<Returned>>,
}

impl Client for Caller<'_> {
    fn head(&mut self, _head: &HeadRef<'_>) -> Result<(), Gone> {
        Err(Gone)
    }

    fn data(&mut self, _bytes: &[u8], _flush: bool, _last: bool) -> Result<(), Gone> {
        Err(Gone)
    }

    fn file(&mut self, _file: OwnedFd, _part: FilePart) -> Result<(), Gone> {
        Err(Gone)
    }

    fn log(&mut self, log: &LogRef<'_>) {
        relay::log_lines(self.request, &self.prefix, log);
    }

    fn body(&mut self, _most: usize, _into: &mut Vec<u8>) -> Result<bool, BodyFault> {
        Err(BodyFault { reason: "the request's body is for the application alone".to_owned() })
    }

    fn returned(&mut self, payload: &[u8]) -> Result<(), Gone> {
        self.returned = Some(message::decode(payload).map_err(|_| Gone)?);
        Ok(())
    }

    fn worker_died(&mut self, death: &Death) {
        relay::log_death(self.request, &self.prefix, death);
    }

    fn answered(&self) -> bool {
        false
    }

    fn cancelled(&self) -> bool {
        pinion_httpd::is_stopping() && self.request.connection().has_hung_up()
    }
}
