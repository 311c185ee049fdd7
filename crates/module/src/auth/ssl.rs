//! What `mod_ssl.is_https` and `mod_ssl.var_lookup` tell the scripts of access control. A worker cannot ask mod_ssl, so
//! the answers go with the question.

use std::ffi::CString;

use pinion_httpd::{Request, Ssl};
use pinion_wire::request::RequestWriter;

/// mod_ssl's variables (its documentation, "Environment Variables"), those of certificates aside.
const CONNECTION: &[&str] = &[
    "HTTPS",
    "SSL_PROTOCOL",
    "SSL_SESSION_ID",
    "SSL_SESSION_RESUMED",
    "SSL_SECURE_RENEG",
    "SSL_CIPHER",
    "SSL_CIPHER_EXPORT",
    "SSL_CIPHER_USEKEYSIZE",
    "SSL_CIPHER_ALGKEYSIZE",
    "SSL_COMPRESS_METHOD",
    "SSL_VERSION_INTERFACE",
    "SSL_VERSION_LIBRARY",
    "SSL_TLS_SNI",
    "SSL_CLIENT_VERIFY",
];
/// Those of a certificate, behind `SSL_CLIENT_` or `SSL_SERVER_`.
const CERTIFICATE: &[&str] =
    &["M_VERSION", "M_SERIAL", "S_DN", "I_DN", "V_START", "V_END", "A_SIG", "A_KEY", "CERT"];
/// Those of the client's certificate alone, or of lists.
const MORE: &[&str] = &[
    "SSL_CLIENT_V_REMAIN",
    "SSL_CLIENT_CERT_RFC4523_CEA",
    "SSL_CLIENT_CERT_CHAIN_0",
    "SSL_CLIENT_CERT_CHAIN_1",
    "SSL_CLIENT_SAN_Email_0",
    "SSL_CLIENT_SAN_DNS_0",
    "SSL_CLIENT_SAN_OTHER_msUPN_0",
];
/// The parts of a name, behind `S_DN_` and `I_DN_`.
const PARTS: &[&str] = &["C", "ST", "L", "O", "OU", "CN", "T", "I", "G", "S", "D", "UID", "Email"];

/// Writes the answers: one entry for each function, the variables as a list of names and values, each ended by a NUL.
/// Without mod_ssl there is no list.
pub(crate) fn write(request: Request<'_>, out: &mut RequestWriter<'_>) {
    let ssl = Ssl::of(request);
    let secure = ssl.is_some_and(Ssl::is_https);
    out.entry(b"mod_ssl.is_https", if secure { b"1" } else { b"0" });
    let loaded = |ssl: &Ssl<'_>| ssl.variable(c"SSL_PROTOCOL").is_some();
    let Some(ssl) = ssl.filter(loaded) else { return };
    let mut list = Vec::new();
    if secure {
        names().for_each(|name| add(ssl, name, &mut list));
    } else {
        list.extend_from_slice(b"HTTPS\0off\0");
    }
    out.entry(b"mod_ssl.var_lookup", &list);
}

fn names() -> impl Iterator<Item = String> {
    let plain = CONNECTION.iter().chain(MORE).map(|name| (*name).to_owned());
    let sides = ["SSL_CLIENT_", "SSL_SERVER_"];
    let own =
        sides.into_iter().flat_map(|side| CERTIFICATE.iter().map(move |of| format!("{side}{of}")));
    let parts = sides.into_iter().flat_map(|side| {
        let whose = ["S_DN_", "I_DN_"].into_iter();
        whose.flat_map(move |whose| PARTS.iter().map(move |part| format!("{side}{whose}{part}")))
    });
    plain.chain(own).chain(parts)
}

fn add(ssl: Ssl<'_>, name: String, list: &mut Vec<u8>) {
    // The names are written above, without NULs.
    let Ok(name) = CString::new(name) else { return };
    if let Some(value) = ssl.variable(&name).filter(|value| !value.is_empty()) {
        list.extend_from_slice(name.as_bytes_with_nul());
        list.extend_from_slice(value.to_bytes_with_nul());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_twice_and_all_are_of_mod_ssl() {
        let mut all: Vec<_> = names().collect();
        assert!(all.iter().all(|name| name.starts_with("SSL_") || name == "HTTPS"));
        for name in ["SSL_CLIENT_CERT", "SSL_CLIENT_S_DN_CN", "SSL_SERVER_I_DN", "SSL_TLS_SNI"] {
            assert!(all.iter().any(|known| known == name), "{name}");
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
