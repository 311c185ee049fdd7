//! The headers in which proxies say what they were asked: `WSGITrustedProxyHeaders`.

use serde::{Deserialize, Serialize};

/// What a header says about the request that the proxy was sent. The headers of one purpose are a family: as soon
/// as one of them is trusted, the others are hidden from applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// The client's address: `REMOTE_ADDR`.
    Client,
    /// The scheme: `wsgi.url_scheme`.
    Scheme,
    /// The host that was asked for: `HTTP_HOST`.
    Host,
    /// The port that was asked for: `SERVER_PORT`.
    Port,
    /// The server's name: `SERVER_NAME`.
    Server,
    /// The path under which the application appears: `SCRIPT_NAME`.
    Mount,
}

/// How a header is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The value as it is.
    Plain,
    /// A list of addresses, to which each proxy adds the one that asked it.
    Chain,
    /// `https` or something else.
    Scheme,
    /// A yes (`on`, `true`, `1`) to the question whether it was `https`.
    Flag,
}

macro_rules! headers {
    ($($header:ident, $name:literal, $variable:literal, $purpose:ident, $form:ident;)*) => {
        /// A header that can be trusted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Header {
            $(#[doc = $name] $header,)*
        }

        /// The headers that can be trusted, those of a family together.
        pub const HEADERS: &[Header] = &[$(Header::$header,)*];

        /// Their names, for messages.
        pub const NAMES: &[&str] = &[$($name,)*];

        impl Header {
            /// Its name.
            pub fn name(self) -> &'static str {
                NAMES[self as usize]
            }

            /// The variable in which CGI, and so WSGI, shows it.
            pub fn variable(self) -> &'static str {
                match self {
                    $(Self::$header => $variable,)*
                }
            }

            /// What it says.
            pub fn purpose(self) -> Purpose {
                match self {
                    $(Self::$header => Purpose::$purpose,)*
                }
            }

            /// How it is written.
            pub fn form(self) -> Form {
                match self {
                    $(Self::$header => Form::$form,)*
                }
            }
        }
    };
}

headers! {
    ForwardedFor, "X-Forwarded-For", "HTTP_X_FORWARDED_FOR", Client, Chain;
    ClientIp, "X-Client-IP", "HTTP_X_CLIENT_IP", Client, Plain;
    RealIp, "X-Real-IP", "HTTP_X_REAL_IP", Client, Plain;
    ForwardedProto, "X-Forwarded-Proto", "HTTP_X_FORWARDED_PROTO", Scheme, Scheme;
    ForwardedScheme, "X-Forwarded-Scheme", "HTTP_X_FORWARDED_SCHEME", Scheme, Scheme;
    Scheme, "X-Scheme", "HTTP_X_SCHEME", Scheme, Scheme;
    ForwardedHttps, "X-Forwarded-HTTPS", "HTTP_X_FORWARDED_HTTPS", Scheme, Flag;
    ForwardedSsl, "X-Forwarded-SSL", "HTTP_X_FORWARDED_SSL", Scheme, Flag;
    Https, "X-HTTPS", "HTTP_X_HTTPS", Scheme, Flag;
    ForwardedHost, "X-Forwarded-Host", "HTTP_X_FORWARDED_HOST", Host, Plain;
    Host, "X-Host", "HTTP_X_HOST", Host, Plain;
    ForwardedPort, "X-Forwarded-Port", "HTTP_X_FORWARDED_PORT", Port, Plain;
    ForwardedServer, "X-Forwarded-Server", "HTTP_X_FORWARDED_SERVER", Server, Plain;
    ScriptName, "X-Script-Name", "HTTP_X_SCRIPT_NAME", Mount, Plain;
    ForwardedScriptName, "X-Forwarded-Script-Name", "HTTP_X_FORWARDED_SCRIPT_NAME", Mount, Plain;
}

impl Header {
    /// The header with this name; upper and lower case do not matter.
    pub fn find(name: &str) -> Option<Self> {
        HEADERS.iter().copied().find(|header| header.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_has_its_variable_and_is_found() {
        for header in HEADERS.iter().copied() {
            let variable = format!("HTTP_{}", header.name().to_ascii_uppercase().replace('-', "_"));
            assert_eq!(header.variable(), variable);
            assert_eq!(Header::find(&header.name().to_ascii_lowercase()), Some(header));
        }
        for name in ["", "Forwarded", "X-Forwarded", "X-Forwarded-For,X-Host", "HTTP_X_HOST"] {
            assert_eq!(Header::find(name), None, "{name}");
        }
    }
}
