//! `WSGIAccessScript`, `WSGIAuthUserScript` and `WSGIAuthGroupScript`: scripts that decide who may see what.
//!
//! They run in a worker of the implicit process group. Whatever goes wrong, the answer is no.

mod decide;
pub(crate) mod ssl;

use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;

use pinion_config::{CalledScript, Code, DirSettings, NameTemplate};
use pinion_httpd::{
    Answer, Authentication, Authorization, RealmHash, Request, Requirement,
    log::{self, Level},
};
use pinion_wire::call::{Argument, Call, Returned};

use crate::{
    call::{Callee, Seen, call},
    module::Pinion,
    names::Namer,
    relay,
};
use decide::{Complaint, Password, Said};

fn settings(request: Request<'_>) -> &DirSettings {
    &request.dir_config::<Pinion>().settings
}

/// `WSGIAccessScript`: whether the client's machine may ask.
pub(crate) fn access(request: Request<'_>) -> Answer {
    let Some(script) = &settings(request).access_script else { return Answer::Declined };
    let host = request.client_host().map_or(&b""[..], CStr::to_bytes);
    let allowed = ask(request, script, "allow_access", &[host], decide::access);
    if allowed == Some(true) {
        return Answer::Ok;
    }
    if !request.password_may_do() {
        let file = text(request.filename());
        let text = format!("Client denied by server configuration: '{file}'.");
        complain(request, &Complaint::new(Code::AccessDenied, text));
    }
    Answer::Http(403)
}

/// `WSGIAuthUserScript` for `AuthBasicProvider wsgi`.
pub(crate) fn check_password(request: Request<'_>, user: &CStr, password: &CStr) -> Authentication {
    let Some(script) = &settings(request).auth_user_script else {
        complain(request, &no_script(Code::AuthBasicNoScript, "user authentication"));
        return Authentication::Failed;
    };
    let arguments = [user.to_bytes(), password.to_bytes()];
    match ask(request, script, "check_password", &arguments, decide::password) {
        Some(Password::Right) => Authentication::Granted,
        Some(Password::RightFor(name)) => {
            request.set_user(&name);
            Authentication::Granted
        }
        Some(Password::Wrong) => Authentication::Denied,
        Some(Password::NoUser) => Authentication::UserNotFound,
        None => Authentication::Failed,
    }
}

/// `WSGIAuthUserScript` for `AuthDigestProvider wsgi`.
pub(crate) fn realm_hash(request: Request<'_>, user: &CStr, realm: &CStr) -> RealmHash {
    let Some(script) = &settings(request).auth_user_script else {
        complain(request, &no_script(Code::AuthDigestNoScript, "user authentication"));
        return RealmHash::Failed;
    };
    let arguments = [user.to_bytes(), realm.to_bytes()];
    match ask(request, script, "get_realm_hash", &arguments, decide::realm_hash) {
        Some(Some(hash)) => RealmHash::Found(hash),
        Some(None) => RealmHash::UserNotFound,
        None => RealmHash::Failed,
    }
}

/// `WSGIAuthGroupScript` for `Require wsgi-group`.
pub(crate) fn authorize(request: Request<'_>, requirement: &Requirement) -> Authorization {
    let Some(user) = request.user() else { return Authorization::NoUser };
    let Some(script) = &settings(request).auth_group_script else {
        complain(request, &no_script(Code::GroupNoScript, "group authorization"));
        return Authorization::Failed;
    };
    let arguments = [user.to_bytes()];
    let Some(groups) = ask(request, script, "groups_for_user", &arguments, decide::groups) else {
        return Authorization::Failed;
    };
    let (user, uri) = (text(Some(user)), text(request.uri()));
    match decide::is_member(&groups, &requirement.line, &user, &uri) {
        Ok(()) => Authorization::Granted,
        Err(complaint) => {
            complain(request, &complaint);
            Authorization::Denied
        }
    }
}

/// Calls a function of a script; `None` where it said nothing that can be used. The log says why.
fn ask<T>(
    request: Request<'_>,
    script: &CalledScript,
    function: &str,
    arguments: &[&[u8]],
    understand: fn(&Returned, &str) -> Said<T>,
) -> Option<T> {
    let application_group = application_group(request, script);
    let path = script.path.as_os_str().as_bytes();
    let callee = Callee {
        script: path,
        process_group: "",
        application_group: &application_group,
        seen: Seen::CutDown,
    };
    let asked = Call {
        functions: vec![function.to_owned()],
        arguments: arguments.iter().map(|bytes| Argument::Latin1(bytes.to_vec())).collect(),
    };
    let returned = call(request, callee, &asked).ok()?;
    match understand(returned.first()?, &path.escape_ascii().to_string()) {
        Said::Well(said) => Some(said),
        Said::Wrong(complaint) => {
            complain(request, &complaint);
            None
        }
        Said::Raised => None,
    }
}

/// The name of the application group. Of the variables, mod_wsgi knows `%{GLOBAL}` and `%{SERVER}` here.
fn application_group(request: Request<'_>, script: &CalledScript) -> String {
    if script.application_group == "%{SERVER}" {
        Namer::new(request, b"").expand(&NameTemplate::Server)
    } else {
        script.application_group.clone()
    }
}

fn no_script(code: Code, purpose: &str) -> Complaint {
    Complaint::new(code, format!("Location of WSGI {purpose} script not provided."))
}

fn complain(request: Request<'_>, complaint: &Complaint) {
    let prefix = relay::prefix(request.filename().map_or(b"", CStr::to_bytes));
    let text = format!("{}: {}", complaint.code, complaint.text);
    log::request_bytes(request, Level::Error, &[prefix.as_slice(), text.as_bytes()].concat());
}

fn text(string: Option<&CStr>) -> String {
    string.map(|string| string.to_bytes().escape_ascii().to_string()).unwrap_or_default()
}
