//! What is different about requests and answers of HTTP/2 (RFC 9113, section 8). Whether a message is well-formed by the rules of its
//! frames is looked at before.

use crate::answer::SERVER;
use crate::head::{BodyLength, Field, Fields, Head, Limits, Target, Version};
use crate::head::{check_host, read_length};
use crate::refusal::Refusal;

/// What stands in front of a request's fields (section 8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pseudo<'a> {
    /// `:method`.
    pub method: &'a str,
    /// `:path`, with the query.
    pub path: &'a str,
    /// `:authority`.
    pub authority: Option<&'a str>,
    /// Whether no body follows.
    pub ended: bool,
}

/// A request's head.
///
/// # Errors
/// What cannot be served, or exceeds a limit; the other streams of the connection go on.
pub fn head<'a>(
    pseudo: &Pseudo<'a>,
    fields: impl IntoIterator<Item = Field<'a>>,
    limits: &Limits,
) -> Result<Head<'a>, Refusal> {
    let target = Target::parse(pseudo.method, pseudo.path)?;
    // As HTTP/1 would have it.
    let line = pseudo.method.len() + pseudo.path.len() + " HTTP/2.0 ".len();
    if line > limits.line {
        return Err(Refusal::LONG_LINE);
    }
    let mut facts = Facts { authority: pseudo.authority, host: None, length: None };
    let mut kept = smallvec::SmallVec::new();
    for (name, value) in fields {
        if kept.len() == limits.fields {
            return Err(Refusal::MANY_FIELDS);
        }
        facts.note(name, value)?;
        kept.push((name, value));
    }
    facts.check_authority()?;
    let body = match facts.length {
        _ if pseudo.ended => BodyLength::Known(0),
        Some(length) => BodyLength::Known(length),
        None => BodyLength::Chunked,
    };
    Ok(Head {
        method: pseudo.method,
        target: target.whole,
        path: target.path,
        query: target.query,
        authority: pseudo.authority,
        version: Version::Http2,
        fields: Fields(kept),
        size: 0,
        body,
        keep_alive: true,
        // No interim answer is sent: a client may not wait for one for ever (RFC 9110, section 10.1.1).
        expects_continue: false,
    })
}

/// What the fields say of host and body.
struct Facts<'a> {
    authority: Option<&'a str>,
    host: Option<&'a [u8]>,
    length: Option<u64>,
}

impl<'a> Facts<'a> {
    fn note(&mut self, name: &str, value: &'a [u8]) -> Result<(), Refusal> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 if is("Host") => match self.host.replace(value) {
                Some(_) => Err(Refusal::BAD_HOST),
                None => check_host(value),
            },
            6 if is("Expect") => {
                let known = value.trim_ascii().eq_ignore_ascii_case(b"100-continue");
                if known { Ok(()) } else { Err(Refusal::EXPECTATION) }
            }
            14 if is("Content-Length") => match (read_length(value), self.length) {
                (Some(length), None) => {
                    self.length = Some(length);
                    Ok(())
                }
                _ => Err(Refusal::BAD_LENGTH),
            },
            _ => Ok(()),
        }
    }

    /// One of them names the host; where both do, they are the same.
    fn check_authority(&self) -> Result<(), Refusal> {
        match (self.authority, self.host) {
            (None, None) => Err(Refusal::BAD_HOST),
            (Some(authority), Some(host))
                if !authority.as_bytes().eq_ignore_ascii_case(host.trim_ascii()) =>
            {
                Err(Refusal::BAD_HOST)
            }
            (Some(authority), _) => check_host(authority.as_bytes()),
            (None, Some(_)) => Ok(()),
        }
    }
}

/// Whether an answer with this status has no body, whatever the application says.
#[must_use]
pub fn is_bodiless(status: u16) -> bool {
    crate::answer::is_bodiless(status)
}

/// The fields of an answer: those given but for what concerns one connection of HTTP/1 (section 8.2.2), and those that are the
/// server's business.
pub fn fields<'h>(
    status: u16,
    given: &[(&'h [u8], &'h [u8])],
    date: &'h [u8],
) -> Vec<(&'h [u8], &'h [u8])> {
    let options: Vec<&[u8]> = given
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"Connection"))
        .flat_map(|(_, value)| value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
        .collect();
    let is_of_connection = |name: &[u8]| {
        const NAMES: [&[u8]; 6] = [
            b"Connection",
            b"Keep-Alive",
            b"Proxy-Connection",
            b"TE",
            b"Transfer-Encoding",
            b"Upgrade",
        ];
        NAMES.iter().chain(&options).any(|other| name.eq_ignore_ascii_case(other))
    };
    let (mut dated, mut named) = (false, false);
    let mut all = Vec::with_capacity(16);
    for &(name, value) in given {
        // A 204 has no length (RFC 9110, section 8.6).
        let is_length = name.eq_ignore_ascii_case(b"Content-Length");
        if is_of_connection(name) || (is_length && status == 204) {
            continue;
        }
        dated |= name.eq_ignore_ascii_case(b"Date");
        named |= name.eq_ignore_ascii_case(b"Server");
        all.push((name, value));
    }
    if !named {
        all.push((b"server", SERVER.as_bytes()));
    }
    if !dated {
        all.push((b"date", date));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { line: 40, head: 1000, fields: 3 };
    const GET: Pseudo<'static> =
        Pseudo { method: "GET", path: "/a/b?c=d", authority: Some("h:1"), ended: true };

    fn read<'a>(pseudo: &Pseudo<'a>, fields: &[(&'a str, &'a str)]) -> Result<Head<'a>, Refusal> {
        head(pseudo, fields.iter().map(|(name, value)| (*name, value.as_bytes())), &LIMITS)
    }

    #[test]
    fn a_head_is_as_that_of_another_version() {
        let head = read(&GET, &[("x", "1"), ("cookie", "a=b")]).unwrap();
        assert_eq!(
            (head.method, head.target, head.path, head.query),
            ("GET", "/a/b?c=d", "/a/b", "c=d")
        );
        assert_eq!((head.authority, head.version.as_str()), (Some("h:1"), "HTTP/2.0"));
        assert_eq!(&head.fields[..], [("x", &b"1"[..]), ("cookie", b"a=b")]);
        assert_eq!((head.body, head.keep_alive), (BodyLength::Known(0), true));
        let all = Pseudo { method: "OPTIONS", path: "*", ..GET };
        assert_eq!(read(&all, &[]).unwrap().path, "*");
    }

    #[test]
    fn the_length_of_a_body_may_be_told() {
        let post = Pseudo { method: "POST", ended: false, ..GET };
        assert_eq!(read(&post, &[]).unwrap().body, BodyLength::Chunked);
        assert_eq!(read(&post, &[("content-length", "7")]).unwrap().body, BodyLength::Known(7));
        for value in ["", "-1", "+1", "1,1", "x"] {
            assert_eq!(read(&post, &[("content-length", value)]), Err(Refusal::BAD_LENGTH));
        }
        let twice = [("content-length", "7"), ("content-length", "7")];
        assert_eq!(read(&post, &twice), Err(Refusal::BAD_LENGTH));
        assert!(!read(&post, &[("expect", "100-Continue")]).unwrap().expects_continue);
        assert_eq!(read(&post, &[("expect", "x")]), Err(Refusal::EXPECTATION));
    }

    #[test]
    fn the_host_is_named_once_whatever_names_it() {
        let none = Pseudo { authority: None, ..GET };
        assert_eq!(read(&none, &[]), Err(Refusal::BAD_HOST));
        assert!(read(&none, &[("host", "h")]).is_ok());
        assert!(read(&GET, &[("host", "H:1")]).is_ok());
        assert_eq!(read(&GET, &[("host", "other")]), Err(Refusal::BAD_HOST));
        assert_eq!(read(&none, &[("host", "h"), ("host", "h")]), Err(Refusal::BAD_HOST));
        let user = Pseudo { authority: Some("user@h"), ..GET };
        assert_eq!(read(&user, &[]), Err(Refusal::BAD_HOST));
    }

    #[test]
    fn limits_are_those_of_other_versions() {
        let many = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")];
        assert!(read(&GET, &many[..3]).is_ok());
        assert_eq!(read(&GET, &many), Err(Refusal::MANY_FIELDS));
        let long = format!("/{}", "x".repeat(40));
        assert_eq!(read(&Pseudo { path: &long, ..GET }, &[]), Err(Refusal::LONG_LINE));
        assert_eq!(read(&Pseudo { path: "x", ..GET }, &[]), Err(Refusal::BAD_TARGET));
        assert_eq!(read(&Pseudo { method: "CONNECT", ..GET }, &[]), Err(Refusal::CONNECT));
    }

    fn sent(status: u16, given: &[(&str, &str)]) -> Vec<String> {
        let given: Vec<_> =
            given.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let all = fields(status, &given, b"now");
        all.into_iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
    }

    #[test]
    fn what_concerns_a_connection_is_left_out() {
        let given = [
            ("Content-Length", "5"),
            ("Connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Set-Cookie", "a"),
            ("Set-Cookie", "b"),
        ];
        let expected =
            ["Content-Length=5", "Set-Cookie=a", "Set-Cookie=b", "server=Pinion", "date=now"];
        assert_eq!(sent(200, &given), expected);
    }

    #[test]
    fn date_and_server_of_the_application_stand() {
        assert_eq!(sent(200, &[("DATE", "x"), ("Server", "y")]), ["DATE=x", "Server=y"]);
        assert_eq!(sent(204, &[("Content-Length", "0")]), ["server=Pinion", "date=now"]);
    }
}
