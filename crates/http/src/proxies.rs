//! Proxies in front of the worker, and what they say of a request: the rules of `WSGITrustedProxies` and
//! `WSGITrustedProxyHeaders`, which are the same under Apache (`pinion_config::proxies`).

use std::borrow::Cow;

pub use pinion_config::proxies::Rewrite;

use pinion_config::proxies::{Header, NetworkError, Networks, Trust};
use pinion_wire::message::http::ProxySpec;

/// Which proxies are believed, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    headers: Vec<Header>,
    /// `None` for any peer.
    networks: Option<Networks>,
}

/// A word of the settings that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// No address and no network.
    #[error("trusted proxy {text:?}: {error}")]
    Network {
        /// The word.
        text: String,
        /// What is wrong with it.
        error: NetworkError,
    },
    /// No header that can be trusted.
    #[error("trusted proxy header {0:?} is not known")]
    Header(String),
}

/// The headers of a request that proxies set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent<'r>(Vec<(Header, Cow<'r, [u8]>)>);

impl Proxies {
    /// Reads the settings; `None` where no header is believed, so that there is nothing to do.
    ///
    /// # Errors
    /// The word that is none.
    pub fn new(spec: &ProxySpec) -> Result<Option<Self>, ProxyError> {
        let mut networks = Networks::default();
        for text in &spec.networks {
            let parsed = Networks::parse(text);
            let error = |error| ProxyError::Network { text: text.clone(), error };
            networks.extend(parsed.map_err(error)?);
        }
        let find =
            |name: &String| Header::find(name).ok_or_else(|| ProxyError::Header(name.clone()));
        let headers = spec.headers.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let networks = (!spec.networks.is_empty()).then_some(networks);
        Ok((!headers.is_empty()).then_some(Self { headers, networks }))
    }

    /// What is to be shown instead, for a request that `peer` (an address as text; empty for a Unix socket) has sent. A
    /// variable in [`Rewrite::hidden`] is left out, the values of [`Rewrite::set`] replace those there are.
    #[must_use]
    pub fn rewrite<'v>(&self, peer: &[u8], sent: &'v Sent<'_>) -> Rewrite<'v> {
        let trust = Trust { headers: &self.headers, proxies: self.networks.as_ref() };
        trust.rewrite(peer, |variable| sent.get(variable))
    }
}

impl<'r> Sent<'r> {
    /// Picks them from a request's fields. One that comes several times is a list, in which the last proxy's word stands
    /// last; to take the first line alone would be to believe the client.
    pub fn collect(fields: impl IntoIterator<Item = (&'r str, &'r [u8])>) -> Self {
        let mut sent = Self::default();
        for (name, value) in fields {
            // Nearly all fields of a request begin with another letter.
            let Some(header) = name.starts_with(['x', 'X']).then(|| Header::find(name)).flatten()
            else {
                continue;
            };
            match sent.0.iter_mut().find(|(other, _)| *other == header) {
                Some((_, list)) => {
                    let list = list.to_mut();
                    list.extend_from_slice(b", ");
                    list.extend_from_slice(value);
                }
                None => sent.0.push((header, Cow::Borrowed(value))),
            }
        }
        sent
    }

    fn get(&self, variable: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(header, _)| header.variable() == variable);
        found.map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_config::proxies::HEADERS;

    fn spec(networks: &str, headers: &str) -> ProxySpec {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        ProxySpec { networks: words(networks), headers: words(headers) }
    }

    fn sent<'r>(lines: &[(&'r str, &'r str)]) -> Sent<'r> {
        Sent::collect(lines.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    fn shown<'r>(rewrite: &'r Rewrite<'_>, name: &str) -> Option<&'r str> {
        let found = rewrite.set.iter().find(|(other, _)| *other == name)?;
        Some(std::str::from_utf8(&found.1).unwrap())
    }

    #[test]
    fn without_a_header_there_is_nothing_to_do() {
        assert_eq!(Proxies::new(&spec("", "")), Ok(None));
        assert_eq!(Proxies::new(&spec("10.0.0.0/8", "")), Ok(None));
    }

    #[test]
    fn words_that_are_none_are_named() {
        for (networks, headers, message) in [
            (
                "10.0.0.1 elsewhere",
                "X-Real-IP",
                "trusted proxy \"elsewhere\": not an address or network",
            ),
            (
                "0.0.0.0/0",
                "",
                "trusted proxy \"0.0.0.0/0\": a network of all addresses protects nothing",
            ),
            ("", "X-Real-IP X-Odd", "trusted proxy header \"X-Odd\" is not known"),
        ] {
            let error = Proxies::new(&spec(networks, headers)).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn a_proxy_is_believed_and_nobody_else() {
        let spec = spec("10.0.0.0/8", "X-Forwarded-For x-forwarded-proto X-Forwarded-Host");
        let proxies = Proxies::new(&spec).unwrap().unwrap();
        let sent = sent(&[
            ("Host", "inside"),
            ("x-forwarded-for", "198.51.100.1, 203.0.113.9"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "example.org"),
            ("X-Real-IP", "198.51.100.2"),
            ("X-Other", "1"),
        ]);
        let rewrite = proxies.rewrite(b"10.1.2.3", &sent);
        assert_eq!(shown(&rewrite, "REMOTE_ADDR"), Some("203.0.113.9"));
        assert_eq!(shown(&rewrite, "HTTP_HOST"), Some("example.org"));
        assert_eq!((rewrite.https, &rewrite.hidden[..]), (Some(true), &["HTTP_X_REAL_IP"][..]));
        for peer in ["192.0.2.1", "", "10.1.2.3:80"] {
            let rewrite = proxies.rewrite(peer.as_bytes(), &sent);
            assert_eq!(
                (rewrite.set.len(), rewrite.https, rewrite.hidden.len()),
                (0, None, 4),
                "{peer}"
            );
        }
    }

    #[test]
    fn lines_of_one_name_are_one_list() {
        let proxies = Proxies::new(&spec("10.0.0.1", "X-Forwarded-For")).unwrap().unwrap();
        let sent = sent(&[("X-Forwarded-For", "198.51.100.1"), ("X-FORWARDED-FOR", "203.0.113.9")]);
        let rewrite = proxies.rewrite(b"10.0.0.1", &sent);
        assert_eq!(shown(&rewrite, "REMOTE_ADDR"), Some("203.0.113.9"));
    }

    #[test]
    fn each_header_is_picked() {
        for header in HEADERS {
            let name = header.name().to_ascii_lowercase();
            let picked = Sent::collect([(&*name, &b"value"[..])]);
            assert_eq!(picked.get(header.variable()), Some(&b"value"[..]), "{name}");
        }
    }
}
