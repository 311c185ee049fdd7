//! What single directives set, for the whole server and for a part of its URL space.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::interpreter::{InterpreterSetting, Interpreters};
use crate::names::NameTemplate;
use crate::proxies::{Header, Networks, Trust};
use crate::scripts::{self, CalledScript, HandlerScript};
use crate::telemetry::{Telemetry, TelemetrySetting};

/// Settings of the whole server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSettings {
    /// `WSGIPythonHome`: for the embedded group, and for groups without `python-home`.
    pub python_home: Option<PathBuf>,
    /// `WSGIPythonPath`, for the embedded group.
    pub python_path: Vec<PathBuf>,
    /// `WSGIPythonEggs`, for the embedded group.
    pub python_eggs: Option<PathBuf>,
    /// `WSGIRestrictStdin`: reading `sys.stdin` raises an exception.
    pub restrict_stdin: bool,
    /// `WSGIRestrictStdout`: writing to `sys.stdout` raises an exception.
    pub restrict_stdout: bool,
    /// `WSGICaseSensitivity Off`: paths that differ in upper and lower case name the same script.
    pub fold_case: bool,
    /// `WSGIRestrictEmbedded`: requests without a process group are answered 500.
    pub restrict_embedded: bool,
    /// `WSGIServerMetrics`: embedded applications may look at Apache's scoreboard.
    pub server_metrics: bool,
    /// The directives about Python interpreters.
    pub interpreters: Interpreters,
    /// The three directives about telemetry.
    pub telemetry: Telemetry,
    /// `WSGISocketPrefix`, accepted and not needed: sockets are inherited.
    pub socket_prefix: Option<PathBuf>,
    /// `PinionPrefix`: where Pinion's files are, when not beside the module.
    pub prefix: Option<PathBuf>,
}

/// One setting of the whole server, as a directive gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of ServerSettings with the same name")]
pub enum ServerSetting {
    PythonHome(PathBuf),
    PythonPath(Vec<PathBuf>),
    PythonEggs(PathBuf),
    RestrictStdin(bool),
    RestrictStdout(bool),
    /// Sets `fold_case` to the opposite.
    CaseSensitivity(bool),
    RestrictEmbedded(bool),
    ServerMetrics(bool),
    Interpreter(InterpreterSetting),
    Telemetry(TelemetrySetting),
    /// What is accepted, and nothing follows from.
    Nothing,
    SocketPrefix(PathBuf),
    Prefix(PathBuf),
}

impl ServerSettings {
    /// Takes a setting over; the last one counts.
    pub fn set(&mut self, setting: ServerSetting) {
        match setting {
            ServerSetting::PythonHome(path) => self.python_home = Some(path),
            ServerSetting::PythonPath(paths) => self.python_path = paths,
            ServerSetting::PythonEggs(path) => self.python_eggs = Some(path),
            ServerSetting::RestrictStdin(on) => self.restrict_stdin = on,
            ServerSetting::RestrictStdout(on) => self.restrict_stdout = on,
            ServerSetting::CaseSensitivity(on) => self.fold_case = !on,
            ServerSetting::RestrictEmbedded(on) => self.restrict_embedded = on,
            ServerSetting::ServerMetrics(on) => self.server_metrics = on,
            ServerSetting::Interpreter(setting) => self.interpreters.set(setting),
            ServerSetting::Telemetry(setting) => self.telemetry.set(setting),
            ServerSetting::Nothing => {}
            ServerSetting::SocketPrefix(path) => self.socket_prefix = Some(path),
            ServerSetting::Prefix(path) => self.prefix = Some(path),
        }
    }
}

/// `WSGIMapHEADToGET`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapHead {
    /// The application sees HEAD.
    Off,
    /// The application sees GET.
    On,
    /// The application sees GET when an output filter needs the whole body.
    #[default]
    Auto,
}

/// Settings of a folder, a location or a virtual host; what is `None` was not set there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirSettings {
    /// `WSGIProcessGroup`.
    pub process_group: Option<NameTemplate>,
    /// `WSGIApplicationGroup`.
    pub application_group: Option<NameTemplate>,
    /// `WSGICallableObject`.
    pub callable_object: Option<NameTemplate>,
    /// `WSGIPassAuthorization`.
    pub pass_authorization: Option<bool>,
    /// `WSGIScriptReloading`.
    pub script_reloading: Option<bool>,
    /// `WSGIChunkedRequest`.
    pub chunked_request: Option<bool>,
    /// `WSGIErrorOverride`.
    pub error_override: Option<bool>,
    /// `WSGIMapHEADToGET`.
    pub map_head_to_get: Option<MapHead>,
    /// `WSGIDispatchScript`.
    pub dispatch_script: Option<CalledScript>,
    /// `WSGIHandlerScript`: those of this place and of the places around it, no name twice.
    pub handler_scripts: Vec<HandlerScript>,
    /// `WSGIRestrictProcess`: the only process groups that may be used; the implicit one is the empty name.
    pub restrict_process: Option<Vec<String>>,
    /// `WSGIIgnoreActivity`.
    pub ignore_activity: Option<bool>,
    /// `WSGIAccessScript`.
    pub access_script: Option<CalledScript>,
    /// `WSGIAuthUserScript`.
    pub auth_user_script: Option<CalledScript>,
    /// `WSGIAuthGroupScript`.
    pub auth_group_script: Option<CalledScript>,
    /// `WSGITrustedProxies`.
    pub trusted_proxies: Option<Networks>,
    /// `WSGITrustedProxyHeaders`, in the order in which they are written.
    pub trusted_proxy_headers: Option<Vec<Header>>,
}

/// One setting of a folder, as a directive gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of DirSettings with the same name")]
pub enum DirSetting {
    ProcessGroup(NameTemplate),
    ApplicationGroup(NameTemplate),
    CallableObject(NameTemplate),
    PassAuthorization(bool),
    ScriptReloading(bool),
    ChunkedRequest(bool),
    ErrorOverride(bool),
    MapHeadToGet(MapHead),
    /// What is accepted, and nothing follows from.
    Nothing,
    DispatchScript(CalledScript),
    /// One entry of `handler_scripts`.
    HandlerScript(HandlerScript),
    RestrictProcess(Vec<String>),
    IgnoreActivity(bool),
    AccessScript(CalledScript),
    AuthUserScript(CalledScript),
    AuthGroupScript(CalledScript),
    TrustedProxies(Networks),
    TrustedProxyHeaders(Vec<Header>),
}

impl DirSettings {
    /// Takes a setting over; the last one counts, but for lists.
    pub fn set(&mut self, setting: DirSetting) {
        match setting {
            DirSetting::ProcessGroup(name) => self.process_group = Some(name),
            DirSetting::ApplicationGroup(name) => self.application_group = Some(name),
            DirSetting::CallableObject(name) => self.callable_object = Some(name),
            DirSetting::PassAuthorization(on) => self.pass_authorization = Some(on),
            DirSetting::ScriptReloading(on) => self.script_reloading = Some(on),
            DirSetting::ChunkedRequest(on) => self.chunked_request = Some(on),
            DirSetting::ErrorOverride(on) => self.error_override = Some(on),
            DirSetting::MapHeadToGet(how) => self.map_head_to_get = Some(how),
            DirSetting::Nothing => {}
            DirSetting::DispatchScript(script) => self.dispatch_script = Some(script),
            DirSetting::HandlerScript(script) => scripts::add(&mut self.handler_scripts, script),
            DirSetting::RestrictProcess(groups) => self.restrict_process = Some(groups),
            DirSetting::IgnoreActivity(on) => self.ignore_activity = Some(on),
            DirSetting::AccessScript(script) => self.access_script = Some(script),
            DirSetting::AuthUserScript(script) => self.auth_user_script = Some(script),
            DirSetting::AuthGroupScript(script) => self.auth_group_script = Some(script),
            // Each line adds to those before it in the same section.
            DirSetting::TrustedProxies(networks) => {
                self.trusted_proxies.get_or_insert_default().extend(networks);
            }
            DirSetting::TrustedProxyHeaders(headers) => {
                self.trusted_proxy_headers.get_or_insert_default().extend(headers);
            }
        }
    }

    /// The settings of an inner section laid over those of an outer one, as Apache merges them.
    #[must_use]
    pub fn merge(base: &Self, over: &Self) -> Self {
        Self {
            process_group: over.process_group.clone().or_else(|| base.process_group.clone()),
            application_group: over
                .application_group
                .clone()
                .or_else(|| base.application_group.clone()),
            callable_object: over.callable_object.clone().or_else(|| base.callable_object.clone()),
            pass_authorization: over.pass_authorization.or(base.pass_authorization),
            script_reloading: over.script_reloading.or(base.script_reloading),
            chunked_request: over.chunked_request.or(base.chunked_request),
            error_override: over.error_override.or(base.error_override),
            map_head_to_get: over.map_head_to_get.or(base.map_head_to_get),
            dispatch_script: over.dispatch_script.clone().or_else(|| base.dispatch_script.clone()),
            handler_scripts: scripts::merge(&base.handler_scripts, &over.handler_scripts),
            restrict_process: over
                .restrict_process
                .clone()
                .or_else(|| base.restrict_process.clone()),
            ignore_activity: over.ignore_activity.or(base.ignore_activity),
            access_script: over.access_script.clone().or_else(|| base.access_script.clone()),
            auth_user_script: over
                .auth_user_script
                .clone()
                .or_else(|| base.auth_user_script.clone()),
            auth_group_script: over
                .auth_group_script
                .clone()
                .or_else(|| base.auth_group_script.clone()),
            trusted_proxies: over.trusted_proxies.clone().or_else(|| base.trusted_proxies.clone()),
            trusted_proxy_headers: over
                .trusted_proxy_headers
                .clone()
                .or_else(|| base.trusted_proxy_headers.clone()),
        }
    }

    /// The process group's name; `%{GLOBAL}` unless set.
    pub fn process_group(&self) -> &NameTemplate {
        self.process_group.as_ref().unwrap_or(&NameTemplate::Global)
    }

    /// The application group's name; `%{RESOURCE}` unless set.
    pub fn application_group(&self) -> &NameTemplate {
        self.application_group.as_ref().unwrap_or(&NameTemplate::Resource)
    }

    /// The callable's name, where one is set; else it is [`DEFAULT_CALLABLE`].
    pub fn callable_object(&self) -> Option<&NameTemplate> {
        self.callable_object.as_ref()
    }

    /// Whether the application sees `HTTP_AUTHORIZATION`; no unless set.
    pub fn pass_authorization(&self) -> bool {
        self.pass_authorization.unwrap_or(false)
    }

    /// Whether a changed script is reloaded; yes unless set.
    pub fn script_reloading(&self) -> bool {
        self.script_reloading.unwrap_or(true)
    }

    /// Whether chunked request bodies are taken; no unless set.
    pub fn chunked_request(&self) -> bool {
        self.chunked_request.unwrap_or(false)
    }

    /// Whether Apache's error documents replace the application's; no unless set.
    pub fn error_override(&self) -> bool {
        self.error_override.unwrap_or(false)
    }

    /// What is trusted of what proxies say; nothing unless headers are named.
    pub fn proxy_trust(&self) -> Option<Trust<'_>> {
        let headers = self.trusted_proxy_headers.as_deref()?;
        Some(Trust { headers, proxies: self.trusted_proxies.as_ref() })
    }

    /// Whether requests are no activity for `inactivity-timeout`; no unless set.
    pub fn ignore_activity(&self) -> bool {
        self.ignore_activity.unwrap_or(false)
    }

    /// Whether a process group may be used here.
    pub fn may_use(&self, group: &str) -> bool {
        self.restrict_process.as_ref().is_none_or(|allowed| allowed.iter().any(|one| one == group))
    }

    /// What becomes of HEAD; [`MapHead::Auto`] unless set.
    pub fn map_head_to_get(&self) -> MapHead {
        self.map_head_to_get.unwrap_or_default()
    }
}

/// The callable's name in a script where no directive gives another.
pub const DEFAULT_CALLABLE: &str = "application";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_section_overrides_what_it_sets_and_nothing_else() {
        let named = |s: &str| NameTemplate::Fixed(s.into());
        let mut base = DirSettings::default();
        base.set(DirSetting::ProcessGroup(named("a")));
        base.set(DirSetting::ScriptReloading(false));
        base.set(DirSetting::MapHeadToGet(MapHead::On));
        let mut over = DirSettings::default();
        over.set(DirSetting::ProcessGroup(named("b")));
        over.set(DirSetting::PassAuthorization(true));
        let merged = DirSettings::merge(&base, &over);
        assert_eq!(merged.process_group(), &named("b"));
        assert!(!merged.script_reloading());
        assert!(merged.pass_authorization());
        assert_eq!(merged.map_head_to_get(), MapHead::On);
        assert_eq!(DirSettings::merge(&merged, &DirSettings::default()), merged);
        assert_eq!(DirSettings::merge(&DirSettings::default(), &merged), merged);
    }

    #[test]
    fn what_is_not_set_has_the_documented_default() {
        let unset = DirSettings::default();
        assert_eq!(unset.process_group(), &NameTemplate::Global);
        assert_eq!(unset.application_group(), &NameTemplate::Resource);
        assert_eq!(unset.callable_object(), None);
        assert!(unset.script_reloading());
        assert!(!unset.pass_authorization() && !unset.chunked_request());
        assert!(!unset.error_override());
        assert_eq!(unset.map_head_to_get(), MapHead::Auto);
    }
}
