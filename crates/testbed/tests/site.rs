//! A private Apache starts, answers, reloads and stops, without and with a server under test.

use nix::sys::signal::Signal;
use pinion_testbed::load::Load;
use pinion_testbed::raw::{self, Connection};
use pinion_testbed::{Error, Mpm, Server, Site, http, packages, wait_until};
use std::time::Duration;

const HELLO: &str = "def application(environ, start_response):\n    \
                     start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
                     return [b'hello']\n";

#[test]
fn serves_static_files_under_each_mpm() {
    packages::ensure(packages::APACHE).unwrap();
    for mpm in [Mpm::Event, Mpm::Worker, Mpm::Prefork] {
        let mut site = Site::bare().unwrap();
        site.write("htdocs/a.txt", "static").unwrap();
        site.mpm(mpm);
        let mut apache = site.start().unwrap();
        assert_eq!(http::get(&apache.url("/a.txt")).unwrap().text(), "static", "{mpm:?}");
        apache.graceful().unwrap();
        assert_eq!(http::get(&apache.url("/a.txt")).unwrap().text(), "static", "{mpm:?}");
        assert!(apache.stop().unwrap().left.is_empty());
        assert!(!apache.running());
    }
}

#[test]
fn two_sites_have_two_ports_and_hosts_have_logs() {
    packages::ensure(packages::APACHE).unwrap();
    let mut first = Site::bare().unwrap();
    let second = Site::bare().unwrap();
    assert_ne!(first.port(), second.port());
    first.module("rewrite").host("a.test", "RewriteEngine On\nRewriteRule ^/gone$ - [G]");
    let apache = first.start().unwrap();
    let head = "GET /gone HTTP/1.1\r\nHost: a.test\r\nConnection: close";
    assert_eq!(raw::exchange(apache.port(), head, b"").unwrap().status, 410);
    assert!(apache.host_log("a.test").path().exists());
}

#[test]
fn a_bad_configuration_is_reported() {
    packages::ensure(packages::APACHE).unwrap();
    let mut site = Site::bare().unwrap();
    site.config("NoSuchDirective on");
    let tested = site.configtest().unwrap();
    assert!(!tested.success);
    assert!(tested.output().contains("NoSuchDirective"), "{}", tested.output());
    assert!(matches!(site.start(), Err(Error::Exited { log, .. }) if log.contains("NoSuch")));
}

#[test]
fn dropping_it_leaves_no_process() {
    packages::ensure(packages::APACHE).unwrap();
    let apache = Site::bare().unwrap().start().unwrap();
    let processes = apache.processes();
    assert!(!processes.is_empty());
    drop(apache);
    assert!(wait_until(Duration::from_secs(5), || !processes.iter().any(|p| p.alive())));
}

#[test]
fn a_load_counts_answers_and_failures() {
    packages::ensure(packages::APACHE).unwrap();
    let site = Site::bare().unwrap();
    site.write("htdocs/a.txt", "static").unwrap();
    let mut apache = site.start().unwrap();
    let mut load = Load::get(apache.port(), "/a.txt", 3, Duration::from_millis(300));
    load.expect = Some(b"static".to_vec());
    let report = load.run();
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    assert_eq!(report.statuses.get(&200), Some(&report.requests));
    assert!(report.requests > 3 && report.latency.len() == report.requests);
    load.expect = Some(b"other".to_vec());
    assert!(load.run().failed > 0);
    apache.signal(Signal::SIGKILL);
}

#[test]
fn mod_wsgi_answers_from_a_daemon_and_can_be_reset() {
    let server = Server::mod_wsgi().unwrap();
    let mut site = Site::new(&server).unwrap();
    let script = site.write("hello.wsgi", HELLO).unwrap();
    site.config("WSGIDaemonProcess hello threads=2\nWSGIProcessGroup hello")
        .config(format!("WSGIScriptAlias / {}", script.display()));
    let mut apache = site.start().unwrap();
    assert_eq!(http::get(&apache.url("/")).unwrap().text(), "hello");
    let mut connection = Connection::open(apache.port()).unwrap();
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
    connection.reset().unwrap();
    assert_eq!(http::post(&apache.url("/"), b"body").unwrap().text(), "hello");
    assert!(apache.stop().unwrap().left.is_empty());
}
