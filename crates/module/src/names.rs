//! The names of groups and callables at a request.

use std::ffi::{CStr, CString};

use pinion_config::{NameTemplate, names::RequestNames};
use pinion_httpd::Request;

use crate::effective::Effective;

/// Fills variables in names with what a request knows.
pub(crate) struct Namer<'r> {
    request: Request<'r>,
    server: String,
    host: String,
    script_name: String,
}

impl<'r> Namer<'r> {
    /// For a request whose path names the script by `script_name`.
    pub(crate) fn new(request: Request<'r>, script_name: &[u8]) -> Self {
        let text = |name: Option<&CStr>| {
            name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        Self {
            request,
            server: text(request.server().name()),
            host: text(request.hostname()),
            script_name: String::from_utf8_lossy(script_name).into_owned(),
        }
    }

    /// The name that a template means.
    pub(crate) fn expand(&self, template: &NameTemplate) -> String {
        let names = RequestNames {
            server_name: &self.server,
            host: &self.host,
            port: self.request.server_port(),
            script_name: &self.script_name,
        };
        template.expand(&names, &|name| self.variable(name))
    }

    /// `%{ENV:name}`: the request's notes, then `subprocess_env`, then the server's own environment.
    fn variable(&self, name: &str) -> Option<String> {
        let key = CString::new(name).ok()?;
        let request = self.request;
        let value = request.notes().get(&key).or_else(|| request.subprocess_env().get(&key));
        match value {
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => std::env::var(name).ok(),
        }
    }
}

/// The names of the groups and the callable, expanded for a request.
pub(crate) struct Names {
    pub(crate) process_group: String,
    pub(crate) application_group: String,
    pub(crate) callable: Option<String>,
}

impl Names {
    /// As the directives say.
    pub(crate) fn of(namer: &Namer<'_>, settings: Effective<'_>) -> Self {
        Self {
            process_group: namer.expand(settings.process_group()),
            application_group: namer.expand(settings.application_group()),
            callable: settings.callable_template().map(|name| namer.expand(name)),
        }
    }
}
