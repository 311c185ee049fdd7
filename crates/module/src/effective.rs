//! The settings that hold for a request: those of its place, with the alias's own options over them.

use pinion_config::{DEFAULT_CALLABLE, DirSettings, MapHead, NameTemplate, proxies::Trust};

/// Both sources of a request's settings. Nothing is merged per request: each value is looked up where it is.
#[derive(Clone, Copy)]
pub(crate) struct Effective<'r> {
    /// What httpd merged from sections, virtual host and main server.
    pub(crate) place: &'r DirSettings,
    /// The options of the `WSGIScriptAlias` that mapped the request, or of the `WSGIHandlerScript` that answers it.
    pub(crate) alias: Option<&'r DirSettings>,
}

impl<'r> Effective<'r> {
    /// The settings that decide whether `is_set` holds for the alias's options.
    fn deciding(&self, is_set: impl Fn(&DirSettings) -> bool) -> &'r DirSettings {
        self.alias.filter(|options| is_set(options)).unwrap_or(self.place)
    }

    pub(crate) fn process_group(&self) -> &'r NameTemplate {
        self.deciding(|options| options.process_group.is_some()).process_group()
    }

    pub(crate) fn application_group(&self) -> &'r NameTemplate {
        self.deciding(|options| options.application_group.is_some()).application_group()
    }

    pub(crate) fn callable<'a>(&self, expanded: &'a Option<String>) -> &'a str {
        expanded.as_deref().unwrap_or(DEFAULT_CALLABLE)
    }

    pub(crate) fn callable_template(&self) -> Option<&'r NameTemplate> {
        self.deciding(|options| options.callable_object.is_some()).callable_object()
    }

    pub(crate) fn pass_authorization(&self) -> bool {
        self.deciding(|options| options.pass_authorization.is_some()).pass_authorization()
    }

    pub(crate) fn script_reloading(&self) -> bool {
        self.deciding(|options| options.script_reloading.is_some()).script_reloading()
    }

    pub(crate) fn chunked_request(&self) -> bool {
        self.deciding(|options| options.chunked_request.is_some()).chunked_request()
    }

    pub(crate) fn error_override(&self) -> bool {
        self.deciding(|options| options.error_override.is_some()).error_override()
    }

    pub(crate) fn proxy_trust(&self) -> Option<Trust<'r>> {
        self.place.proxy_trust()
    }

    pub(crate) fn ignore_activity(&self) -> bool {
        self.place.ignore_activity()
    }

    pub(crate) fn map_head_to_get(&self) -> MapHead {
        self.deciding(|options| options.map_head_to_get.is_some()).map_head_to_get()
    }
}
