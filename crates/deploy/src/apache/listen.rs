//! The ports that Apache listens on, and who else does.

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;

use super::Facts;

/// One address that a configuration listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address; `None` for all.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

impl Listen {
    /// Reads `80`, `127.0.0.1:80`, `*:80` or `[::1]:80`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, port) = text.rsplit_once(':').unwrap_or(("*", text));
        let address = match address.trim_start_matches('[').trim_end_matches(']') {
            "*" => None,
            address => Some(address.parse().ok()?),
        };
        Some(Self { address, port: port.parse().ok()? })
    }

    /// Where a client on this machine reaches it.
    pub fn reach(&self) -> IpAddr {
        match self.address {
            Some(address) if !address.is_unspecified() => address,
            _ => IpAddr::from([127, 0, 0, 1]),
        }
    }
}

impl Facts {
    /// What the configuration's files listen on. Lines in `<IfModule>` count where the module is
    /// loaded; lines in other conditions always do.
    pub fn listens(&self) -> Vec<Listen> {
        let texts = self.files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
        texts.flat_map(|text| listens(&text, &self.modules)).collect()
    }

    /// Whether the configuration already contains this file.
    pub fn includes(&self, file: &std::path::Path) -> bool {
        let real = |path: &PathBuf| path.canonicalize().ok();
        let wanted = real(&file.to_owned());
        self.files.iter().any(|known| known == file || (wanted.is_some() && real(known) == wanted))
    }
}

fn listens(text: &str, modules: &BTreeSet<String>) -> Vec<Listen> {
    let mut closed: usize = 0;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some((word, rest)) = pinion_config::words::next_word(line) else { continue };
        match word.to_ascii_lowercase().as_str() {
            "<ifmodule" if closed > 0 || !holds(rest, modules) => closed += 1,
            "</ifmodule>" => closed = closed.saturating_sub(1),
            "listen" if closed == 0 => {
                let address = pinion_config::words::next_word(rest);
                found.extend(address.and_then(|(address, _)| Listen::parse(&address)));
            }
            _ => {}
        }
    }
    found
}

/// Whether `ssl_module>`, `!ssl_module>` or `mod_ssl.c>` is true.
fn holds(condition: &str, modules: &BTreeSet<String>) -> bool {
    let condition = condition.trim().trim_end_matches('>').trim();
    let (name, wanted) = match condition.strip_prefix('!') {
        Some(name) => (name, false),
        None => (condition, true),
    };
    let symbol = match name.strip_prefix("mod_").and_then(|name| name.strip_suffix(".c")) {
        Some(stem) => format!("{stem}_module"),
        None => name.to_owned(),
    };
    modules.contains(&symbol) == wanted
}

/// Whether somebody listens on the port, so that Apache could not; with the system's words.
pub fn port_owner(port: u16) -> Option<String> {
    let error = TcpListener::bind(("0.0.0.0", port)).err()?;
    (error.kind() == std::io::ErrorKind::AddrInUse).then(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_each_form() {
        let all = |port| Some(Listen { address: None, port });
        assert_eq!(Listen::parse("80"), all(80));
        assert_eq!(Listen::parse("*:443"), all(443));
        assert_eq!(Listen::parse("[::1]:80").unwrap().reach().to_string(), "::1");
        assert_eq!(Listen::parse("0.0.0.0:80").unwrap().reach().to_string(), "127.0.0.1");
        assert_eq!(Listen::parse("example.org:80"), None);
        assert_eq!(Listen::parse("80x"), None);
    }

    #[test]
    fn conditions_on_modules_count() {
        let text = "# Listen 1\nListen 80\n<IfModule ssl_module>\n<IfModule !alias_module>\nListen 2\n\
                    </IfModule>\n  Listen 443\n</IfModule>\n<IfModule mod_gnutls.c>\nListen 444\n</IfModule>\n";
        let with = |names: &[&str]| -> Vec<u16> {
            let modules = names.iter().map(|name| (*name).to_owned()).collect();
            listens(text, &modules).into_iter().map(|listen| listen.port).collect()
        };
        assert_eq!(with(&[]), [80]);
        assert_eq!(with(&["ssl_module", "alias_module"]), [80, 443]);
        assert_eq!(with(&["ssl_module"]), [80, 2, 443]);
    }

    #[test]
    fn a_port_in_use_is_told() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(port_owner(port).is_some());
    }
}
