//! Certificates.

use pinion_testbed::raw::{Connection, Framing};
use pinion_testbed::tls::{self, Identity};
use pinion_testbed::wait_until;
use pinion_unix::signals::Signal;

use crate::world::{LIMIT, Project, Serving};

fn project(identity: &Identity) -> Project {
    let project = Project::hello();
    project.write("cert.pem", &identity.certificate);
    project.write("key.pem", &identity.key);
    project
}

const ARGUMENTS: [&str; 6] =
    ["--certificate", "cert.pem", "--key", "key.pem", "--bind", "https://127.0.0.1:0"];

fn port(serving: &Serving) -> u16 {
    let log = serving.log();
    let rest = log.split("https://127.0.0.1:").nth(1).unwrap_or_else(|| panic!("{log}"));
    rest[..rest.find('/').unwrap()].parse().unwrap()
}

fn ask(port: u16, settings: &tls::Settings) -> Option<String> {
    let mut connection = Connection::open_tls(port, settings).ok()?;
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    Some(connection.answer("GET").ok()?.text())
}

#[test]
fn a_new_certificate_comes_with_sighup_and_a_bad_one_does_not() {
    let (old, new) = (Identity::new().unwrap(), Identity::new().unwrap());
    let (trusts_old, trusts_new) = (old.client(&[]).unwrap(), new.client(&[]).unwrap());
    let project = project(&old);
    let mut serving = project.serve(&ARGUMENTS);
    let port = port(&serving);
    assert_eq!(ask(port, &trusts_old).as_deref(), Some("hello"));
    project.write("cert.pem", &new.certificate);
    serving.signal(Signal::SIGHUP);
    serving.wait_for("PIN0905: ");
    serving.wait_for("PIN0910: the reload is refused");
    assert_eq!(ask(port, &trusts_old).as_deref(), Some("hello"));
    project.write("key.pem", &new.key);
    serving.signal(Signal::SIGHUP);
    let taken_over = || ask(port, &trusts_new).as_deref() == Some("hello");
    assert!(wait_until(LIMIT, taken_over), "{}", serving.log());
    serving.stop();
}

/// `GET /` in HTTP/2, as few bytes as that takes (RFC 9113, 3.4 and 6; RFC 7541, appendix A).
const H2_REQUEST: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \x00\x00\x00\x04\x00\x00\x00\x00\x00\
    \x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x84\x87\x41\x01x";

#[test]
fn http2_is_chosen_by_alpn_and_the_key_may_be_in_the_certificates_file() {
    let identity = Identity::new().unwrap();
    let project = Project::hello();
    project.write("both.pem", &format!("{}{}", identity.certificate, identity.key));
    let mut serving =
        project.serve(&["--certificate", "both.pem", "--bind", "https://127.0.0.1:0"]);
    let settings = identity.client(&["h2", "http/1.1"]).unwrap();
    let mut connection = Connection::open_tls(port(&serving), &settings).unwrap();
    let chosen = connection.tls().and_then(tls::protocol);
    assert_eq!(chosen.as_deref(), Some("h2"));
    connection.send(H2_REQUEST).unwrap();
    let mut framing = Framing::Close;
    let mut came = Vec::new();
    while !came.windows(5).any(|part| part == b"hello") {
        let piece = connection.piece(&mut framing).unwrap();
        came.extend(piece.unwrap_or_else(|| panic!("it ended: {came:?}")));
    }
    drop(connection);
    serving.stop();
}

#[test]
fn bad_certificates_are_told() {
    let (one, other) = (Identity::new().unwrap(), Identity::new().unwrap());
    let project = project(&one);
    project.write("other.pem", &other.key);
    project.write("nothing.pem", "nothing\n");
    let cut = &one.certificate[..one.certificate.len() / 2];
    project.write("cut.pem", cut);
    let said = |certificate: &str, key: &str| {
        project.said(&["--certificate", certificate, "--key", key, "--bind", "https://127.0.0.1:0"])
    };
    for (certificate, key, expected) in [
        (
            "cert.pem",
            "other.pem",
            "PIN0905: /FOLDER/other.pem: the private key does not belong to the certificate\nhint: give the key with which this certificate was requested; they are renewed together",
        ),
        (
            "nothing.pem",
            "key.pem",
            "PIN0905: /FOLDER/nothing.pem: the certificate file holds no certificate\nhint: give a PEM file that begins with the server's own certificate, the authorities' behind it",
        ),
        (
            "cert.pem",
            "cert.pem",
            "PIN0905: /FOLDER/cert.pem: the key file holds no private key\nhint: give the PEM file of the certificate's private key (PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY)",
        ),
        (
            "cut.pem",
            "key.pem",
            "PIN0905: /FOLDER/cut.pem: the certificate file is no PEM file: a section has no end\nhint: give a PEM file that begins with the server's own certificate, the authorities' behind it",
        ),
        (
            "gone.pem",
            "key.pem",
            "PIN0506: cannot read /FOLDER/gone.pem: No such file or directory (os error 2)\nhint: check the path",
        ),
    ] {
        assert_eq!(said(certificate, key), format!("pinion: {expected}\nexit status: 2\n"));
    }
}

#[test]
fn an_address_with_tls_needs_a_certificate() {
    let project = Project::hello();
    assert_eq!(
        project.said(&["--bind", "https://127.0.0.1:0"]),
        "pinion: PIN0504: --bind https://127.0.0.1:0 is given, but no --certificate\nhint: add --certificate\nexit status: 2\n"
    );
    assert_eq!(
        project.said(&["--key", "key.pem", "--bind", "127.0.0.1:0"]),
        "pinion: PIN0504: --key is given, but no --certificate\nhint: add --certificate\nexit status: 2\n"
    );
}
