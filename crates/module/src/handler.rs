//! Answers a request for a WSGI script.

use std::{
    cell::RefCell,
    ffi::{CStr, OsStr},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    time::Duration,
};

use pinion_config::{Code, HANDLER_CALLABLE, HandlerScript};
use pinion_front::Request as FrontRequest;
use pinion_httpd::{Answer, FileKind, PathInfo, Request, log::Level};
use pinion_wire::frame::{REQUEST_IS_NO_ACTIVITY, REQUEST_MAY_RELOAD, REQUEST_NEXT_IS_NEAR};
use pinion_wire::request::{BodyLength, RequestWriter, Target};

use crate::{
    body, child, dispatch,
    effective::Effective,
    environ::{self, Parts},
    module::Pinion,
    names::{Namer, Names},
    outcome::conclude,
    pace::{self, Presence},
    path::Split,
    relay::{Relay, Rules},
    say, stripped, translate,
};

/// The handler's name in `SetHandler` and `AddHandler`.
pub(crate) const HANDLER: &CStr = c"wsgi-script";
/// The media type that means the same, for `AddType`.
const MEDIA_TYPE: &CStr = c"application/x-httpd-wsgi";
/// How long a request waits for workers to come up when nothing limits it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// How long the request that notices a changed script waits for it to load: longer than applications take, shorter than
/// people wait.
pub(crate) const RELOAD_PATIENCE: Duration = Duration::from_secs(15);

thread_local! {
    /// The request frame of the thread's request; kept for its capacity.
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What another module answers has no use for what the worker of this thread's last request has said of its load. And what is started for
/// it would keep that.
pub(crate) fn prepare(request: Request<'_>) {
    if pace::waits_for_turns() && !is_named(request) && handler_script(request).is_none() {
        pace::wait_for_turns(false);
    }
}

/// Whether the handler's name says that the request is for a script.
fn is_named(request: Request<'_>) -> bool {
    request.handler().is_some_and(|handler| handler == HANDLER || handler == MEDIA_TYPE)
}

/// Answers a request, if it is one for a script.
pub(crate) fn handle(request: Request<'_>) -> Answer {
    if request.handler().is_none() {
        return Answer::Declined;
    }
    let ours = is_named(request);
    let handled = if ours { None } else { handler_script(request).map(Script::Handler) };
    if !ours && handled.is_none() {
        return Answer::Declined;
    }
    let _presence = Presence::of_request();
    pace::came(request);
    let script = match handled {
        Some(script) => script,
        None => match may_run(request) {
            Ok(()) => Script::Requested,
            Err(answer) => return answer,
        },
    };
    match body::announced(request, settings(request).chunked_request()) {
        Ok(body) => serve(request, script, body),
        Err(answer) => answer,
    }
}

/// Which script answers a request.
#[derive(Clone, Copy)]
enum Script<'r> {
    /// The file that the request was mapped to.
    Requested,
    /// That of a handler; the file that the request was mapped to need not be there.
    Handler(&'r HandlerScript),
}

impl<'r> Script<'r> {
    fn path(self, request: Request<'r>) -> &'r [u8] {
        match self {
            Self::Requested => request.filename().map_or(b"", CStr::to_bytes),
            Self::Handler(script) => script.path.as_os_str().as_bytes(),
        }
    }

    /// Its modification time in microseconds since 1970, where changes are to be noticed.
    fn changed_at(self, request: Request<'_>, settings: Effective<'_>) -> Option<u64> {
        if !settings.script_reloading() {
            return None;
        }
        match self {
            Self::Requested => u64::try_from(request.file_mtime_micros()?).ok(),
            Self::Handler(script) => modified(script.path.as_os_str().as_bytes()),
        }
    }
}

/// The settings that hold for a request.
pub(crate) fn settings<'r>(request: Request<'r>) -> Effective<'r> {
    let place = &request.dir_config::<Pinion>().settings;
    let handler = handler_script(request).map(|script| &*script.options);
    let alias = || translate::alias_of(request).map(|alias| &alias.script.options);
    Effective { place, alias: handler.or_else(alias) }
}

/// The script behind the request's handler.
pub(crate) fn handler_script(request: Request<'_>) -> Option<&HandlerScript> {
    let scripts = &request.dir_config::<Pinion>().settings.handler_scripts;
    if scripts.is_empty() {
        return None;
    }
    let handler = request.handler().filter(|handler| *handler != HANDLER)?.to_bytes();
    scripts.iter().find(|script| script.name.as_bytes() == handler)
}

/// Whether the file that the request was mapped to may run as a script.
fn may_run(request: Request<'_>) -> Result<(), Answer> {
    match request.file_kind() {
        FileKind::Regular => {}
        FileKind::Missing => {
            return Err(refuse(
                request,
                404,
                Code::ScriptMissing,
                "Target WSGI script not found or unable to stat.",
            ));
        }
        FileKind::Folder | FileKind::Other => {
            return Err(refuse(
                request,
                403,
                Code::ScriptIsFolder,
                "Attempt to invoke directory as WSGI application.",
            ));
        }
    }
    let aliased = translate::alias_of(request).is_some();
    if !aliased && !request.may_execute() {
        let text = "Options ExecCGI is off in this directory.";
        return Err(refuse(request, 403, Code::ExecutionOff, text));
    }
    let has_path_info = request.path_info().is_some_and(|path| !path.is_empty());
    if has_path_info && request.path_info_rule() == PathInfo::Reject {
        return Err(refuse(
            request,
            404,
            Code::PathInfoRefused,
            "AcceptPathInfo off disallows user's path.",
        ));
    }
    Ok(())
}

/// Logs why, names the script, and gives the status.
fn refuse(request: Request<'_>, status: u16, code: Code, why: &str) -> Answer {
    say::error(request, code, why);
    Answer::Http(status)
}

fn serve<'r>(request: Request<'r>, script: Script<'r>, body: BodyLength) -> Answer {
    let Some(child) = child::get() else {
        return refuse(request, 503, Code::Unreachable, "this process has no manager to ask");
    };
    let settings = settings(request);
    let uri = request.uri().map_or(&b""[..], CStr::to_bytes);
    let split = Split::of(uri, request.path_info().map_or(b"", CStr::to_bytes));
    let namer = Namer::new(request, &split.script_name);
    let mut names = Names::of(&namer, settings);
    if let Some(dispatcher) = &settings.place.dispatch_script
        && let Err(status) = dispatch::choose(request, dispatcher, &namer, &mut names)
    {
        return Answer::Http(status);
    }
    if matches!(script, Script::Handler(_)) {
        names.callable = Some(HANDLER_CALLABLE.to_owned());
    }
    if !settings.place.may_use(&names.process_group) {
        let why = format!(
            "Daemon process called '{}' cannot be accessed by this WSGI application as not a member of allowed groups.",
            names.process_group
        );
        return refuse(request, 500, Code::ProcessRestricted, &why);
    }
    if let Err(denied) = child.homes.check(request, &names.process_group) {
        say::error(request, denied.code(), &denied.to_string());
        return Answer::Http(500);
    }
    let house = child.house.rules(&names.process_group);
    let path = match house.admit(script.path(request)) {
        Ok(path) => path,
        Err(unfit) => {
            say::line(request, Level::Error, &unfit.to_string());
            return Answer::Http(unfit.status());
        }
    };
    let mut inline = Vec::new();
    if let Err(answer) = body::read_short(request, body, &mut inline) {
        // In embedded mode the application itself is told, when it reads on (as by mod_wsgi).
        if !names.process_group.is_empty() {
            return answer;
        }
    }
    let target = Target {
        script: path,
        callable: settings.callable(&names.callable).as_bytes(),
        process_group: names.process_group.as_bytes(),
        application_group: names.application_group.as_bytes(),
    };
    let parts = Parts {
        settings,
        split: &split,
        server_pid: &child.pid,
        callable: Some(settings.callable(&names.callable)),
        apache_version: &child.apache_version,
    };
    // Taken, not borrowed: an output filter may run another request for a script within this one.
    let mut frame = FRAME.take();
    frame.clear();
    let mut writer = RequestWriter::new(&mut frame, target, body);
    environ::write(request, &parts, &mut writer);
    if settings.script_reloading() {
        writer.flag(REQUEST_MAY_RELOAD);
    }
    if settings.ignore_activity() {
        writer.flag(REQUEST_IS_NO_ACTIVITY);
    }
    if pace::is_near(request, child.means) {
        writer.flag(REQUEST_NEXT_IS_NEAR);
    }
    writer.finish(&inline);
    // Applications answer ranges themselves, if they want to: httpd's filter would do it once more.
    request.headers_in().unset(c"Range");
    let asked = FrontRequest {
        target,
        frame: &mut frame,
        repeatable: body.is_none() && is_safe(request),
        script_mtime: script.changed_at(request, settings),
        patience: PATIENCE,
        alone: pace::is_alone(child.means),
        reload_patience: RELOAD_PATIENCE,
    };
    let mut relay = Relay::new(
        request,
        Rules {
            // Without effect for embedded applications (documentation of WSGIErrorOverride).
            error_override: settings.error_override() && !names.process_group.is_empty(),
            daemon: !names.process_group.is_empty(),
            header: house.header,
            client_timeout: house.client_timeout,
        },
    );
    let outcome = child.front.serve(asked, &mut relay);
    FRAME.set(frame);
    let answer = conclude(request, &mut relay, outcome, &names.process_group);
    stripped::warn(request, settings, path);
    answer
}

/// Whether the method may be begun twice (RFC 9110, 9.2.1).
fn is_safe(request: Request<'_>) -> bool {
    let method = request.method().map_or(&b""[..], CStr::to_bytes);
    [&b"GET"[..], b"HEAD", b"OPTIONS"].contains(&method)
}

/// The modification time of a script in microseconds since 1970.
pub(crate) fn modified(script: &[u8]) -> Option<u64> {
    let metadata = std::fs::metadata(OsStr::from_bytes(script)).ok()?;
    u64::try_from(metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1000).ok()
}
