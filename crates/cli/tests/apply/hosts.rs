//! Sites on a port of their own, by TLS too, and an Apache that does not run yet.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pinion_testbed::{Port, run, wait_until};

use crate::world::{World, fine, project};

const APPLICATION: &str = "def app(environ, start_response):\n    \
    start_response('200 OK', [])\n    \
    return [environ['wsgi.url_scheme'].encode(), b' ', environ['HTTP_HOST'].encode()]\n";

/// A certificate for a name, signed by nobody but itself, and its key.
fn certificate(folder: &Path, name: &str) -> (String, String) {
    let path = |file: &str| folder.join(file).display().to_string();
    let (certificate, key) = (path("site.pem"), path("site.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.arg("-subj").arg(format!("/CN={name}"));
    openssl.arg("-addext").arg(format!("subjectAltName=DNS:{name}"));
    run(openssl.args(["-keyout", &key, "-out", &certificate])).unwrap();
    (certificate, key)
}

#[test]
fn a_site_with_a_certificate_is_asked_by_tls_on_a_port_that_apache_did_not_have() {
    let (folder, keys) = (project(&[("hello.py", APPLICATION)]), tempfile::tempdir().unwrap());
    let (certificate, key) = certificate(keys.path(), "tls.pinion.test");
    let (world, taken) = (World::new(), Port::take().unwrap());
    let port = taken.number().to_string();
    let ssl = "LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\n";
    world.apache.site().write("mods-available/ssl.load", ssl).unwrap();
    let before = world.picture();

    let host = ["--mount-point", "/", "--server-name", "tls.pinion.test", "--port", &port];
    let tls = ["--certificate", &certificate, "--certificate-key", &key];
    let more = ["--application", "hello:app"];
    let said = fine(world.deploy_bare(folder.path(), "hello", &[&more[..], &host, &tls].concat()));
    let address = format!("https://tls.pinion.test:{port}/");
    assert!(said.contains(&format!("{address} answers 200")), "{said}");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--cacert", &certificate, "--resolve"]);
    let page = run(curl.arg(format!("tls.pinion.test:{port}:127.0.0.1")).arg(&address)).unwrap();
    assert_eq!(page, format!("https tls.pinion.test:{port}"));

    // What is asked for the second time is there already.
    let again = fine(world.deploy_bare(folder.path(), "hello", &[]));
    for step in ["load the modules", &format!("let Apache listen on port {port}")] {
        assert!(again.contains(&format!("as it should be  {step}")), "{again}");
    }
    fine(world.undeploy(folder.path(), &["--purge"]));
    assert_eq!(world.picture(), before);
    let free = || std::net::TcpListener::bind(format!("127.0.0.1:{port}")).is_ok();
    assert!(wait_until(Duration::from_secs(30), free), "Apache still listens on {port}");
}

#[test]
fn a_stopped_apache_is_started_and_runs_as_long_as_a_site_that_was_deployed_needs_it() {
    let folders = [project(&[("hello.py", APPLICATION)]), project(&[("hello.py", APPLICATION)])];
    let [one, other] = [folders[0].path(), folders[1].path()];
    let mut world = World::new();
    let before = world.picture();
    world.apache.stop().unwrap();
    let more = ["--application", "hello:app"];

    let started = Started(world.root().join("run/httpd.pid"));
    let said = fine(world.deploy_bare(one, "one", &more));
    assert!(said.contains("done  start Apache"), "{said}");
    let address = format!("http 127.0.0.1:{}", world.apache.port());
    assert_eq!(world.get("/one/").text(), address);

    fine(world.deploy_bare(other, "other", &more));
    fine(world.undeploy(one, &["--purge"]));
    assert_eq!(world.get("/one/").status, 404);
    assert_eq!(world.get("/other/").text(), address);

    fine(world.undeploy(other, &["--purge"]));
    assert!(wait_until(Duration::from_secs(30), || !started.0.exists()), "Apache still runs");
    assert_eq!(world.picture(), before);
}

/// An Apache that nobody waits for; stopped when a test ends early.
struct Started(std::path::PathBuf);

impl Drop for Started {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(&self.0) {
            let _ = Command::new("kill").arg(pid.trim()).status();
        }
    }
}
