//! Says that an application was not shown the password that it asks for.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pinion_config::Code;
use pinion_httpd::{Request, log::Level};

use crate::{effective::Effective, say};

/// The scripts of which it was said by this process.
static SAID: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());

/// Warns where a script has answered 401 to a request whose Authorization header was kept from it, once for each script:
/// its developers look for the header in vain, and nothing else would say where it is.
pub(crate) fn warn(request: Request<'_>, settings: Effective<'_>, script: &[u8]) {
    if request.status() != 401
        || settings.pass_authorization()
        // Where Apache itself knows who the user is, the application need not see the password.
        || request.user().is_some()
        || request.subprocess_env().get(c"HTTP_AUTHORIZATION").is_some()
        || request.headers_in().get(c"Authorization").is_none()
    {
        return;
    }
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(script.to_vec()) {
        let entry = Code::AuthorizationStripped.entry();
        let text = "the application answered 401 without having been shown the Authorization header of the request";
        say::line(
            request,
            Level::Warning,
            &format!("{}: {text}; hint: {}", entry.id, entry.action),
        );
    }
}
