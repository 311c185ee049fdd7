//! What of a request becomes its environ (PEP 3333, "environ Variables"; RFC 3875, section 4.1).

use pinion_config::proxies::Rewrite;
use pinion_wire::request::{Entries, RequestWriter};

use crate::answer::SERVER;
use crate::head::Head;
use crate::refusal::Refusal;

/// The names that fields get, at the longest; longer ones are left out.
const LONGEST_NAME: usize = 512;

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The mount point, as in [`pinion_wire::message::http::HttpSpec::mount`].
    pub mount: &'a str,
    /// What does not change from connection to connection ([`always`]).
    pub always: &'a Entries,
    /// What does not change from request to request of one connection ([`client`]).
    pub client: &'a Entries,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// What a proxy says instead of all this, if anybody is believed.
    pub proxied: Option<&'a Rewrite<'a>>,
}

/// The entries of all requests that come in at `SERVER_NAME` and `SERVER_PORT` for a callable of this name below a mount point.
#[must_use]
pub fn always(mount: &str, server_name: &str, server_port: &str, callable: &str) -> Entries {
    Entries::new([
        ("SCRIPT_NAME", mount),
        ("SERVER_SOFTWARE", SERVER),
        ("SERVER_NAME", server_name),
        ("SERVER_PORT", server_port),
        ("mod_wsgi.callable_object", callable),
    ])
}

/// The entries of all requests of a client of this address, which is empty on a Unix socket, where there is no port either.
#[must_use]
pub fn client(address: &str, port: Option<u16>) -> Entries {
    let port = port.map(|port| port.to_string());
    let port = port.as_ref().map(|port| ("REMOTE_PORT", port.as_str()));
    Entries::new([("REMOTE_ADDR", address)].into_iter().chain(port))
}

/// Why a request has no environ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEnviron {
    /// Its path is malformed.
    Refused(Refusal),
    /// It is not below the mount point.
    NotFound,
}

/// A path with its escapes resolved, once.
///
/// # Errors
/// An escape that is none, or stands for a zero byte.
pub fn decode_path<'p>(path: &'p str, memory: &'p mut Vec<u8>) -> Result<&'p [u8], Refusal> {
    if !path.contains('%') {
        return Ok(path.as_bytes());
    }
    memory.clear();
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first != b'%' {
            memory.push(*first);
            rest = behind;
            continue;
        }
        let byte = match behind {
            [high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        memory.push(byte.filter(|byte| *byte != 0).ok_or(Refusal::BAD_TARGET)?);
        rest = &behind[2..];
    }
    Ok(memory)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

/// The part of a decoded path below the mount point.
pub fn below<'p>(mount: &str, path: &'p [u8]) -> Option<&'p [u8]> {
    // Not for the sake of an instruction: the C library compares no bytes at all by a masked load, and where a processor must not
    // read, as at the place of an empty String, it takes a hundred times as long to find out that it need not.
    if mount.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(mount.as_bytes())?;
    (rest.is_empty() || rest[0] == b'/').then_some(rest)
}

/// Writes the entries of a request whose decoded path is `path`.
///
/// # Errors
/// When the path is not below the mount point.
pub fn write(
    head: &Head<'_>,
    path: &[u8],
    around: &Surroundings<'_>,
    out: &mut RequestWriter<'_>,
) -> Result<(), NoEnviron> {
    let info = below(around.mount, path).ok_or(NoEnviron::NotFound)?;
    out.entry(b"REQUEST_METHOD", head.method.as_bytes());
    out.entry(b"PATH_INFO", info);
    out.entries(around.always);
    out.entries(around.client);
    out.entry(b"QUERY_STRING", head.query.as_bytes());
    out.entry(b"REQUEST_URI", head.target.as_bytes());
    out.entry(b"SERVER_PROTOCOL", head.version.as_str().as_bytes());
    if around.proxied.and_then(|proxied| proxied.https).unwrap_or(around.tls) {
        out.entry(b"wsgi.url_scheme", b"https");
        out.entry(b"HTTPS", b"on");
    }
    write_fields(head, around.proxied, out);
    if let Some(proxied) = around.proxied {
        write_proxied(proxied, out);
    }
    Ok(())
}

/// What is shown instead: later entries replace earlier ones.
fn write_proxied(proxied: &Rewrite<'_>, out: &mut RequestWriter<'_>) {
    for (name, value) in &proxied.set {
        out.entry(name.as_bytes(), value);
    }
    if let Some(mount) = proxied.mount {
        out.entry(b"mod_wsgi.mount_point", mount);
    }
}

fn write_fields(head: &Head<'_>, proxied: Option<&Rewrite<'_>>, out: &mut RequestWriter<'_>) {
    let mut name = Name::default();
    for (place, (field, value)) in head.fields.iter().enumerate() {
        let is_again = |other: &&str| other.eq_ignore_ascii_case(field);
        if head.fields[..place].iter().any(|(other, _)| is_again(other)) {
            continue;
        }
        let Some(name) = name.of(field) else { continue };
        if proxied.is_some_and(|proxied| proxied.replaces(name)) {
            continue;
        }
        if name == b"HTTP_HOST"
            && let Some(authority) = head.authority
        {
            out.entry(name, authority.as_bytes());
            continue;
        }
        let more = head.fields[place + 1..].iter().filter(|(other, _)| is_again(other));
        match joined(value, more.map(|(_, value)| *value), name) {
            Some(all) => out.entry(name, &all),
            None => out.entry(name, value),
        }
    }
    if let Some(authority) = head.authority.filter(|_| head.field("Host").is_none()) {
        out.entry(b"HTTP_HOST", authority.as_bytes());
    }
}

/// The values of a field that came several times, as one (RFC 9110, section 5.3; RFC 6265, section 5.4).
fn joined<'v>(first: &[u8], more: impl Iterator<Item = &'v [u8]>, name: &[u8]) -> Option<Vec<u8>> {
    let between: &[u8] = if name == b"HTTP_COOKIE" { b"; " } else { b", " };
    let mut all: Option<Vec<u8>> = None;
    for value in more {
        let all = all.get_or_insert_with(|| first.to_vec());
        all.extend_from_slice(between);
        all.extend_from_slice(value);
    }
    all
}

/// What stands in a name for each byte of a field's; 0 for what may not be in one.
const SHOWN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte.to_ascii_uppercase();
        }
        byte += 1;
    }
    table[b'-' as usize] = b'_';
    table
};

/// The environ's name of a field.
#[derive(Default)]
struct Name(arrayvec::ArrayVec<u8, LONGEST_NAME>);

impl Name {
    /// `None` for what must not reach an application: names that another name could be mistaken for (with an underscore, or
    /// what is neither letter nor digit), and `Proxy`, which programs take for a variable of theirs.
    fn of(&mut self, field: &str) -> Option<&[u8]> {
        const PREFIX: &[u8] = b"HTTP_";
        if field.len() > LONGEST_NAME - PREFIX.len() || field.eq_ignore_ascii_case("Proxy") {
            return None;
        }
        self.0.clear();
        // There is room: both lengths were looked at.
        self.0.extend(PREFIX.iter().copied());
        for byte in field.bytes() {
            match SHOWN[usize::from(byte)] {
                0 => return None,
                shown => self.0.push(shown),
            }
        }
        Some(match self.0.as_slice() {
            b"HTTP_CONTENT_TYPE" | b"HTTP_CONTENT_LENGTH" => &self.0[PREFIX.len()..],
            _ => &self.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::{Limits, parse};
    use crate::proxies::{Proxies, Sent};
    use pinion_wire::message::http::ProxySpec;
    use pinion_wire::request::{BodyLength, RequestRef, Target};
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    const LIMITS: Limits = Limits { line: 1000, head: 10_000, fields: 100 };
    static ALWAYS: LazyLock<Entries> =
        LazyLock::new(|| always("", "127.0.0.1", "8000", "application"));
    static CLIENT: LazyLock<Entries> = LazyLock::new(|| client("127.0.0.2", Some(40_000)));

    fn around() -> Surroundings<'static> {
        Surroundings { mount: "", always: &ALWAYS, client: &CLIENT, tls: false, proxied: None }
    }

    fn environ(
        head: &str,
        around: &Surroundings<'_>,
    ) -> Result<BTreeMap<String, String>, NoEnviron> {
        let head = parse(head.as_bytes(), &LIMITS).unwrap().unwrap();
        let mut memory = Vec::new();
        let path = decode_path(head.path, &mut memory).map_err(NoEnviron::Refused)?;
        let target =
            Target { script: b"", callable: b"", process_group: b"", application_group: b"" };
        let mut frame = Vec::new();
        let mut writer = RequestWriter::new(&mut frame, target, BodyLength::Known(0));
        write(&head, path, around, &mut writer)?;
        writer.finish(b"");
        let request = RequestRef::decode(&frame[pinion_wire::Header::SIZE..]).unwrap();
        let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
        Ok(request.environ().map(|(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn a_request_becomes_an_environ() {
        let head =
            "GET /a%20b/%e9?x=%20 HTTP/1.1\r\nHost: h:1\r\nContent-Type: t\r\nX-One: 1\r\n\r\n";
        let environ = environ(head, &around()).unwrap();
        for (name, value) in [
            ("REQUEST_METHOD", "GET"),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", "/a b/\u{e9}"),
            ("QUERY_STRING", "x=%20"),
            ("REQUEST_URI", "/a%20b/%e9?x=%20"),
            ("HTTP_HOST", "h:1"),
            ("CONTENT_TYPE", "t"),
            ("HTTP_X_ONE", "1"),
            ("REMOTE_PORT", "40000"),
            ("SERVER_PORT", "8000"),
        ] {
            assert_eq!(environ.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!environ.contains_key("HTTPS"));
    }

    #[test]
    fn what_could_be_mistaken_for_another_field_is_left_out() {
        let head = "GET / HTTP/1.1\r\nHost: h\r\nX_One: 1\r\nProxy: p\r\nX.Two: 2\r\nContent_Length: 5\r\n\r\n";
        let environ = environ(head, &around()).unwrap();
        let ours: Vec<_> = environ.keys().filter(|name| name.starts_with("HTTP_")).collect();
        assert_eq!(ours, ["HTTP_HOST"]);
        assert!(!environ.contains_key("CONTENT_LENGTH"));
    }

    #[test]
    fn fields_that_come_again_are_joined() {
        let head = "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nCookie: a=1\r\na: 2\r\ncookie: b=2\r\nA: 3\r\n\r\n";
        let environ = environ(head, &around()).unwrap();
        assert_eq!((&environ["HTTP_A"][..], &environ["HTTP_COOKIE"][..]), ("1, 2, 3", "a=1; b=2"));
    }

    #[test]
    fn a_target_that_names_the_host_counts_instead_of_the_field() {
        let environ = environ("GET http://real:81/x HTTP/1.1\r\nHost: other\r\n\r\n", &around());
        let environ = environ.unwrap();
        assert_eq!((&environ["HTTP_HOST"][..], &environ["PATH_INFO"][..]), ("real:81", "/x"));
    }

    #[test]
    fn a_mount_point_is_taken_off_the_path() {
        let always = always("/app", "127.0.0.1", "8000", "application");
        let around = Surroundings { mount: "/app", always: &always, ..around() };
        for (path, info) in [("/app", ""), ("/app/", "/"), ("/app/x", "/x"), ("/%61pp/x", "/x")] {
            let environ = environ(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"), &around);
            let environ = environ.unwrap();
            assert_eq!((&environ["SCRIPT_NAME"][..], &environ["PATH_INFO"][..]), ("/app", info));
        }
        for path in ["/", "/apple", "/ap"] {
            let environ = environ(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"), &around);
            assert_eq!(environ, Err(NoEnviron::NotFound), "{path}");
        }
    }

    #[test]
    fn a_trusted_proxy_has_the_last_word() {
        let spec = ProxySpec {
            networks: vec!["127.0.0.2".to_owned()],
            headers: ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Script-Name"]
                .map(str::to_owned)
                .to_vec(),
        };
        let proxies = Proxies::new(&spec).unwrap().unwrap();
        let text = "GET /x HTTP/1.1\r\nHost: in\r\nX-Forwarded-For: 192.0.2.1, 192.0.2.7\r\n\
            X-Real-IP: 192.0.2.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: out\r\nX-Script-Name: /m\r\n\r\n";
        let head = parse(text.as_bytes(), &LIMITS).unwrap().unwrap();
        let sent = Sent::collect(head.fields.iter().copied());
        let rewrite = proxies.rewrite(b"127.0.0.2", &sent);
        let shown = environ(text, &Surroundings { proxied: Some(&rewrite), ..around() }).unwrap();
        for (name, value) in [
            ("REMOTE_ADDR", "192.0.2.7"),
            ("HTTP_X_FORWARDED_FOR", "192.0.2.7"),
            ("HTTP_HOST", "out"),
            ("SCRIPT_NAME", "/m"),
            ("PATH_INFO", "/x"),
            ("mod_wsgi.mount_point", "/m"),
            ("wsgi.url_scheme", "https"),
            ("HTTPS", "on"),
        ] {
            assert_eq!(shown.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!shown.contains_key("HTTP_X_REAL_IP"));
        let rewrite = proxies.rewrite(b"127.0.0.3", &sent);
        let shown = environ(text, &Surroundings { proxied: Some(&rewrite), ..around() }).unwrap();
        assert_eq!((&shown["REMOTE_ADDR"][..], &shown["HTTP_HOST"][..]), ("127.0.0.2", "in"));
        assert!(!shown.keys().any(|name| name.starts_with("HTTP_X_") || name == "HTTPS"));
        // What it says counts over TLS, too.
        let rewrite = Rewrite { https: Some(false), ..Rewrite::default() };
        let around = Surroundings { tls: true, proxied: Some(&rewrite), ..around() };
        assert!(!environ(text, &around).unwrap().contains_key("HTTPS"));
    }

    #[test]
    fn escapes_that_are_none_are_refused() {
        for path in ["/%", "/%4", "/%zz", "/%00", "/%+1"] {
            let environ = environ(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"), &around());
            assert_eq!(environ, Err(NoEnviron::Refused(Refusal::BAD_TARGET)), "{path}");
        }
    }
}
