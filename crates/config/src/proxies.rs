//! What becomes of a request's variables behind a proxy: `WSGITrustedProxies` and
//! `WSGITrustedProxyHeaders`.
//!
//! The rules are those of mod_wsgi's documentation of the two directives. Where several headers of a family are
//! trusted, which it calls indeterminate, the one that stands last in the directive counts, as in mod_wsgi 6.1.1;
//! and without any `WSGITrustedProxies` every peer is trusted, as there.

mod headers;
mod networks;

pub use headers::{Form, HEADERS, Header, NAMES, Purpose};
pub use networks::{NetworkError, Networks};

use std::borrow::Cow;

/// What is trusted at a place.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'c> {
    /// The headers, in the order of the directive.
    pub headers: &'c [Header],
    /// The proxies; `None` for any peer.
    pub proxies: Option<&'c Networks>,
}

/// What is to be shown to an application instead of what the server knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rewrite<'v> {
    /// Variables that are not to be shown.
    pub hidden: Vec<&'static str>,
    /// Variables with another value.
    pub set: Vec<(&'static str, Cow<'v, [u8]>)>,
    /// Whether the client speaks `https` with the proxy, if that was told.
    pub https: Option<bool>,
    /// Where the application appears to be mounted, if that was told.
    pub mount: Option<&'v [u8]>,
}

impl Rewrite<'_> {
    /// Whether the server's own value of a variable is not to be shown.
    pub fn replaces(&self, name: &[u8]) -> bool {
        self.hidden.iter().any(|hidden| hidden.as_bytes() == name)
            || self.set.iter().any(|(set, _)| set.as_bytes() == name)
    }
}

impl Trust<'_> {
    /// Looks at a request: `peer` is who asked, as text, and `variable` gives the value of a variable such as
    /// `HTTP_X_FORWARDED_FOR` where the request has it.
    pub fn rewrite<'v>(
        &self,
        peer: &[u8],
        variable: impl Fn(&'static str) -> Option<&'v [u8]>,
    ) -> Rewrite<'v> {
        let mut rewrite = Rewrite::default();
        let trusted = self.proxies.is_none_or(|proxies| proxies.contains_text(peer));
        let is_last = |header: &Header| {
            let of_family = |other: &&Header| other.purpose() == header.purpose();
            let mut family = self.headers.iter().rev().filter(of_family);
            family.find(|other| variable(other.variable()).is_some()) == Some(header)
        };
        for header in HEADERS {
            if !self.headers.iter().any(|other| other.purpose() == header.purpose()) {
                continue;
            }
            let Some(value) = variable(header.variable()) else { continue };
            if trusted && is_last(header) {
                self.apply(*header, value, &mut rewrite);
            } else {
                rewrite.hidden.push(header.variable());
            }
        }
        rewrite
    }

    fn apply<'v>(&self, header: Header, value: &'v [u8], rewrite: &mut Rewrite<'v>) {
        if header.form() == Form::Chain {
            return self.walk(header, value, rewrite);
        }
        let mut set = |name| rewrite.set.push((name, Cow::Borrowed(value)));
        match header.purpose() {
            Purpose::Client => set("REMOTE_ADDR"),
            Purpose::Host => set("HTTP_HOST"),
            Purpose::Port => set("SERVER_PORT"),
            Purpose::Server => set("SERVER_NAME"),
            Purpose::Mount => {
                set("SCRIPT_NAME");
                rewrite.mount = Some(value);
            }
            Purpose::Scheme => rewrite.https = Some(is_https(header.form(), value)),
        }
    }

    /// Finds the client in a list to which each proxy has added who asked it. With known proxies it is the last
    /// that is none of them, or the first where all are; what stands before may be the client's invention and
    /// is not shown. Where all peers are trusted, it is the first.
    fn walk<'v>(&self, header: Header, value: &'v [u8], rewrite: &mut Rewrite<'v>) {
        let items: Vec<&[u8]> = value
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|item| !item.is_empty())
            .collect();
        let Some(proxies) = self.proxies else {
            if let Some(first) = items.first() {
                rewrite.set.push(("REMOTE_ADDR", Cow::Borrowed(first)));
            }
            return;
        };
        let client = items.iter().rposition(|item| !proxies.contains_text(item)).unwrap_or(0);
        if let Some(address) = items.get(client) {
            rewrite.set.push(("REMOTE_ADDR", Cow::Borrowed(address)));
            rewrite.set.push((header.variable(), Cow::Owned(items[client..].join(&b", "[..]))));
        }
    }
}

fn is_https(form: Form, value: &[u8]) -> bool {
    let yes: &[&[u8]] = if form == Form::Flag { &[b"on", b"true", b"1"] } else { &[b"https"] };
    yes.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
