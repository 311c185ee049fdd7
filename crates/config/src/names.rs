//! Names of process groups and application groups, and their expansion at a request.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of a process group: not empty, without blanks; or the embedded group's empty name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName(String);

/// Why a text is not the name of a process group.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing was written.
    #[error("a process group needs a name")]
    Empty,
    /// Blanks would divide the name where it is used as an option's value.
    #[error("a process group's name cannot hold blanks or control characters")]
    Blank,
    /// Names that begin with `%{` are variables.
    #[error("a process group's name cannot begin with %{{")]
    Variable,
}

impl GroupName {
    /// The name of the implicit group for applications without a process group.
    pub const fn embedded() -> Self {
        Self(String::new())
    }

    /// Checks the name that `WSGIDaemonProcess` gives to a group.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NameError::Blank);
        }
        if name.starts_with("%{") {
            return Err(NameError::Variable);
        }
        Ok(Self(name.to_owned()))
    }

    /// Whether this is the implicit embedded group.
    pub fn is_embedded(&self) -> bool {
        self.0.is_empty()
    }

    /// The name; empty for the embedded group, as `mod_wsgi.process_group` shows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_embedded() { "%{GLOBAL}" } else { &self.0 })
    }
}

impl TryFrom<String> for GroupName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        if name.is_empty() { Ok(Self::embedded()) } else { Self::new(&name) }
    }
}

impl From<GroupName> for String {
    fn from(name: GroupName) -> Self {
        name.0
    }
}

/// A group's or a callable's name as a directive gives it: fixed, or a variable that a request
/// fills in (mod_wsgi's documentation of `WSGIApplicationGroup` and `WSGIProcessGroup`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NameTemplate {
    /// `%{GLOBAL}`: the empty name.
    Global,
    /// `%{SERVER}`: the server's name, with its port unless it is 80 or 443.
    Server,
    /// `%{HOST}`: as `%{SERVER}`, with the host name that the request asked for.
    Host,
    /// `%{RESOURCE}`: as `%{SERVER}`, followed by `|` and `SCRIPT_NAME`.
    Resource,
    /// `%{ENV:name}`: what the lookup knows under this name.
    Env(String),
    /// The name itself.
    Fixed(String),
}

/// What a request knows that goes into names.
#[derive(Debug, Clone, Copy)]
pub struct RequestNames<'a> {
    /// The virtual host's `ServerName`.
    pub server_name: &'a str,
    /// The host name that the request asked for.
    pub host: &'a str,
    /// The port that the request came to.
    pub port: u16,
    /// `SCRIPT_NAME`, normalised.
    pub script_name: &'a str,
}

impl NameTemplate {
    /// Reads a name or a variable. What looks like a variable but is unknown stays as written.
    pub fn parse(text: &str) -> Self {
        match text {
            "%{GLOBAL}" => Self::Global,
            "%{SERVER}" => Self::Server,
            "%{HOST}" => Self::Host,
            "%{RESOURCE}" => Self::Resource,
            _ => match text.strip_prefix("%{ENV:").and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => Self::Env(name.to_owned()),
                None => Self::Fixed(text.to_owned()),
            },
        }
    }

    /// The name for a request.
    ///
    /// `env` looks a variable up in the request's notes, then in its `subprocess_env`, then in
    /// the server's environment. Its value is expanded once more, but a variable in a variable is
    /// not followed. A variable that is unknown leaves the text as it was written.
    pub fn expand(
        &self,
        request: &RequestNames<'_>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> String {
        match self {
            Self::Env(name) => match env(name).map(|value| Self::parse(&value)) {
                None => self.to_string(),
                Some(nested @ Self::Env(_)) => nested.to_string(),
                Some(found) => found.expand(request, env),
            },
            Self::Global => String::new(),
            Self::Server => with_port(request.server_name, request.port),
            Self::Host => with_port(request.host, request.port),
            Self::Resource => resource(request.server_name, request.port, request.script_name),
            Self::Fixed(name) => name.clone(),
        }
    }

    /// The name where no request is needed to know it: fixed, or `%{GLOBAL}`.
    pub fn fixed(&self) -> Option<&str> {
        match self {
            Self::Global => Some(""),
            Self::Fixed(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("%{GLOBAL}"),
            Self::Server => f.write_str("%{SERVER}"),
            Self::Host => f.write_str("%{HOST}"),
            Self::Resource => f.write_str("%{RESOURCE}"),
            Self::Env(name) => write!(f, "%{{ENV:{name}}}"),
            Self::Fixed(name) => f.write_str(name),
        }
    }
}

/// `host`, or `host:port` where the port is neither 80 nor 443.
pub fn with_port(host: &str, port: u16) -> String {
    match port {
        80 | 443 => host.to_owned(),
        _ => format!("{host}:{port}"),
    }
}

/// The name that `%{RESOURCE}` stands for: `host|/script`, with the port as [`with_port`] adds it.
pub fn resource(host: &str, port: u16, script_name: &str) -> String {
    format!("{}|{script_name}", with_port(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str, port: u16, env: &[(&str, &str)]) -> String {
        let request = RequestNames {
            server_name: "www.example.com",
            host: "alias.example.com",
            port,
            script_name: "/shop",
        };
        let lookup =
            |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        NameTemplate::parse(text).expand(&request, &lookup)
    }

    #[test]
    fn variables_are_filled_in_from_the_request() {
        assert_eq!(expand("%{RESOURCE}", 80, &[]), "www.example.com|/shop");
        assert_eq!(expand("%{RESOURCE}", 443, &[]), "www.example.com|/shop");
        assert_eq!(expand("%{RESOURCE}", 8080, &[]), "www.example.com:8080|/shop");
        assert_eq!(expand("%{SERVER}", 80, &[]), "www.example.com");
        assert_eq!(expand("%{SERVER}", 8443, &[]), "www.example.com:8443");
        assert_eq!(expand("%{HOST}", 80, &[]), "alias.example.com");
        assert_eq!(expand("%{GLOBAL}", 80, &[]), "");
        assert_eq!(expand("site", 80, &[]), "site");
        assert_eq!(expand("%{OTHER}", 80, &[]), "%{OTHER}");
    }

    #[test]
    fn a_looked_up_name_is_expanded_once_more() {
        let env = [("G", "%{GLOBAL}"), ("R", "%{RESOURCE}"), ("E", "%{ENV:G}"), ("N", "site")];
        assert_eq!(expand("%{ENV:G}", 80, &env), "");
        assert_eq!(expand("%{ENV:R}", 80, &env), "www.example.com|/shop");
        assert_eq!(expand("%{ENV:N}", 80, &env), "site");
        assert_eq!(expand("%{ENV:E}", 80, &env), "%{ENV:G}");
        assert_eq!(expand("%{ENV:none}", 80, &env), "%{ENV:none}");
    }

    #[test]
    fn templates_are_shown_as_they_were_written() {
        for text in ["%{GLOBAL}", "%{SERVER}", "%{HOST}", "%{RESOURCE}", "%{ENV:x}", "name"] {
            assert_eq!(NameTemplate::parse(text).to_string(), text);
        }
    }

    #[test]
    fn group_names_are_words() {
        assert!(GroupName::new("my-app_1.example:80").is_ok());
        assert_eq!(GroupName::new(""), Err(NameError::Empty));
        assert_eq!(GroupName::new("a b"), Err(NameError::Blank));
        assert_eq!(GroupName::new("a\u{7f}"), Err(NameError::Blank));
        assert_eq!(GroupName::new("%{GLOBAL}"), Err(NameError::Variable));
        assert!(GroupName::embedded().is_embedded());
    }
}
