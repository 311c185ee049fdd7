//! Addresses to listen on, as `--bind` names them.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use pinion_deploy::values::{Expected, unquotable};

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Where.
    pub place: Place,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// All addresses of this machine, of both families.
    Everywhere(u16),
    /// The addresses of a host.
    Host(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
    /// The sockets that systemd hands over.
    Systemd,
}

impl Bind {
    /// Reads `host:port`, `[v6]:port`, `:port`, `unix:/path` or `fd:systemd`, with `https://` in front for TLS. A relative path of a
    /// Unix socket is one below `base`.
    ///
    /// # Errors
    /// What an address is.
    pub fn parse(text: &str, base: &std::path::Path) -> Result<Self, Expected> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return expected(),
            None => (false, text),
        };
        let place = match rest.split_once(':') {
            Some(("unix", path)) if !path.is_empty() && !unquotable(path) => {
                Place::Unix(base.join(path))
            }
            Some(("fd", "systemd")) => Place::Systemd,
            Some(("fd" | "unix", _)) => return expected(),
            _ => host(rest).ok_or(()).or_else(|()| expected())?,
        };
        Ok(Self { tls, place })
    }
}

fn expected<T>() -> Result<T, Expected> {
    Err(Expected(
        "`host:port`, `[v6]:port`, `:port`, `unix:/path` or `fd:systemd`, with `https://` in front for TLS"
            .to_owned(),
    ))
}

fn host(text: &str) -> Option<Place> {
    let (host, port) = text.trim_end_matches('/').rsplit_once(':')?;
    let port = port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok())??;
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        inner.parse::<Ipv6Addr>().ok()?;
        return Some(Place::Host(inner.to_owned(), port));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match host {
        "" | "*" => Some(Place::Everywhere(port)),
        _ if host.chars().all(fits) => Some(Place::Host(host.to_owned(), port)),
        _ => None,
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tls {
            f.write_str("https://")?;
        }
        match &self.place {
            Place::Everywhere(port) => write!(f, ":{port}"),
            Place::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Host(host, port) => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
            Place::Systemd => f.write_str("fd:systemd"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(text: &str) -> Result<Bind, Expected> {
        Bind::parse(text, Path::new("/base"))
    }

    #[test]
    fn each_form_is_read_and_shown() {
        for (text, shown) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("http://localhost:80/", "localhost:80"),
            ("[::1]:8000", "[::1]:8000"),
            (":8000", ":8000"),
            ("*:0", ":0"),
            ("https://example.org:443", "https://example.org:443"),
            ("https://:8443", "https://:8443"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:x.sock", "unix:/base/x.sock"),
            ("https://unix:/x", "https://unix:/x"),
            ("fd:systemd", "fd:systemd"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown, "{text}");
        }
        assert_eq!(parse("[::]:1").unwrap().place, Place::Host("::".into(), 1));
        assert_eq!(parse(":1").unwrap().place, Place::Everywhere(1));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "8000",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "localhost:+1",
            "::1:8000",
            "[::1]",
            "[x]:1",
            "ftp://x:1",
            "unix:",
            "fd:3",
            "a b:1",
            "x/y:1",
            "unix:a\nb",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
