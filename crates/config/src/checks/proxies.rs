//! Checks of what is believed of proxies.

use super::{Checker, Subject};
use crate::codes::Code;

impl Checker<'_> {
    /// Looks at the whole configuration: which lines meet in a request is Apache's to merge.
    pub(super) fn proxies(&mut self) {
        let named = (&self.config.proxies_named, &self.config.proxy_headers_named);
        let (code, directive, place, problem, hint) = match named {
            (None, Some(place)) => (
                Code::ProxiesNotNamed,
                "WSGITrustedProxyHeaders",
                place,
                "no WSGITrustedProxies says whose headers these are, so anybody's count",
                "name the proxies: WSGITrustedProxies 10.0.0.5",
            ),
            (Some(place), None) => (
                Code::ProxyHeadersNotNamed,
                "WSGITrustedProxies",
                place,
                "no WSGITrustedProxyHeaders says what to believe, so nothing is",
                "name the headers: WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto",
            ),
            _ => return,
        };
        let subject = Subject { directive, value: String::new(), place: Some(place) };
        self.find(code, &subject, problem, hint);
    }
}
