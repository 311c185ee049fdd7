//! The wrappers inside a real Apache: `examples/probe.rs` is loaded into a private server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use pinion_testbed::http::{self, Client};
use pinion_testbed::raw::{Connection, Framing};
use pinion_testbed::{Apache, Site};

type Outcome = Result<(), Failed>;

const SOON: Duration = Duration::from_secs(30);

/// Where cargo leaves the example: next to the folder of this test.
fn probe() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("cargo runs tests in PROFILE/deps");
    profile.join("examples/libprobe.so")
}

fn site() -> Result<Site, Failed> {
    let probe = probe();
    if !probe.exists() {
        return Err(format!("{}: cargo build --example probe", probe.display()).into());
    }
    let mut site = Site::bare()?;
    site.config(format!("LoadModule probe_module {}\n", probe.display()));
    site.config("<IfModule mod_probe.c>\nProbeFlag on\n</IfModule>\n");
    Ok(site)
}

fn serve() -> Result<Apache, Failed> {
    let mut site = site()?;
    site.log_level("info");
    site.config("ProbeWords one \"two words\"\n<Location />\nSetHandler probe\n</Location>\n");
    Ok(site.start()?)
}

/// Fails with `whole` unless it holds `part`.
fn holds(whole: &str, part: &str) -> Outcome {
    if whole.contains(part) { Ok(()) } else { Err(format!("no `{part}` in:\n{whole}").into()) }
}

fn a_request_is_seen_as_it_is() -> Outcome {
    let apache = serve()?;
    let answer = http::get(&apache.url("/some/where?a=%20b"))?;
    let text = answer.text();
    for part in [
        "uri: Some(\"/some/where\")",
        "args: Some(\"a=%20b\")",
        "method: Some(\"GET\")",
        "head: false",
        "initial: true",
        "execute: false",
        "virtual: false",
        "log: true",
        "marked: None",
        "hung up: false",
        "debug: false",
        "env REQUEST_METHOD: \"GET\"",
        "env QUERY_STRING: \"a=%20b\"",
        "env SERVER_PROTOCOL: \"HTTP/1.1\"",
    ] {
        holds(&text, part)?;
    }
    assert_eq!(answer.header_all("Set-Cookie"), ["a=1", "b=2"]);
    Ok(())
}

fn configuration_is_collected_and_merged() -> Outcome {
    let mut site = site()?;
    site.config("SetHandler probe\nProbeWords outer\nProbePlace top\n");
    site.config("<Location /in>\nProbePlace inner\n</Location>\n");
    site.host("one.test", "ProbeRaw \"as it\" stands");
    let apache = site.start()?;
    let inner = exchange(&apache, "GET /in HTTP/1.1\r\nHost: one.test\r\n\r\n")?;
    holds(&inner, "virtual: true")?;
    holds(&inner, "server: Some(\"one.test\")")?;
    holds(&inner, "=On\", \"ProbeWords:")?;
    holds(&inner, "=\\\"as it\\\" stands\"]")?;
    holds(&inner, "place: [\"top@\", \"inner@/in\"]")?;
    holds(&http::get(&apache.url("/out"))?.text(), "place: [\"top@\"]")
}

fn exchange(apache: &Apache, request: &str) -> Result<String, Failed> {
    let mut connection = Connection::open(apache.port())?;
    connection.send(request)?;
    Ok(connection.answer("GET")?.text())
}

fn a_refused_directive_stops_the_server() -> Outcome {
    let mut site = site()?;
    site.config("ProbeRefuse 100%s\n");
    let tested = site.configtest()?;
    assert!(!tested.success);
    holds(&tested.output(), "ProbeRefuse does not like 100%s")?;

    let mut site = self::site()?;
    site.config("ProbeFlag maybe\n");
    holds(&site.configtest()?.output(), "ProbeFlag must be On or Off")?;

    let mut site = self::site()?;
    site.config("ProbeWords\n");
    holds(&site.configtest()?.output(), "ProbeWords takes 1-2 arguments, words")
}

fn a_failed_check_stops_the_server() -> Outcome {
    let mut site = site()?;
    site.config("ProbeRaw fail\n");
    let tested = site.configtest()?;
    assert!(!tested.success);
    holds(&tested.output(), "probe: told to fail, 100%s")
}

fn a_name_is_translated_by_an_expression() -> Outcome {
    let apache = serve()?;
    let text = http::get(&apache.url("/mapped/passwd/and/on"))?.text();
    holds(&text, "marked: Some(2)")?;
    holds(&text, "filename: Some(\"/etc/passwd\")")?;
    holds(&text, "path_info: Some(\"/and/on\")")?;
    holds(&text, "missing: false")
}

fn a_body_is_read_and_sent_as_it_comes() -> Outcome {
    let apache = serve()?;
    let body: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(http::post(&apache.url("/echo"), &body)?.body, body);

    let mut connection = Connection::open(apache.port())?;
    connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    connection.send("3\r\nabc\r\n")?;
    let mut framing = connection.head("POST")?.framing;
    assert_eq!(connection.piece(&mut framing)?, Some(b"abc".to_vec()));
    connection.send("2\r\nde\r\n0\r\n\r\n")?;
    assert_eq!(connection.piece(&mut framing)?, Some(b"de".to_vec()));
    assert_eq!(connection.piece(&mut framing)?, None);
    Ok(())
}

fn a_request_that_came_with_another_is_seen() -> Outcome {
    let apache = serve()?;
    let mut connection = Connection::open(apache.port())?;
    let one = "GET /more HTTP/1.1\r\nHost: x\r\n\r\n";
    // In one write, so that httpd reads them at once and the socket is empty behind the first.
    connection.send(one.repeat(3))?;
    for said in ["yes", "yes", "no"] {
        assert_eq!(connection.answer("GET")?.text(), said);
    }
    // Looking has taken nothing.
    connection.send(one)?;
    assert_eq!(connection.answer("GET")?.text(), "no");
    Ok(())
}

fn a_bad_body_is_refused() -> Outcome {
    let apache = serve()?;
    let mut connection = Connection::open(apache.port())?;
    connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n")?;
    assert_eq!(connection.answer("POST")?.status, 400);
    let mut connection = Connection::open(apache.port())?;
    connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    connection.send("nonsense\r\n")?;
    assert_eq!(connection.answer("POST")?.status, 400);
    Ok(())
}

fn a_broken_response_is_seen_to_be_cut() -> Outcome {
    let apache = serve()?;
    let mut connection = Connection::open(apache.port())?;
    connection.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut framing = connection.head("GET")?.framing;
    assert_eq!(framing, Framing::Chunked);
    assert_eq!(connection.piece(&mut framing)?, Some(b"begun".to_vec()));
    assert!(connection.piece(&mut framing).is_err(), "the last chunk must be missing");
    assert_eq!(connection.rest(), b"", "httpd closes the connection");
    Ok(())
}

fn a_file_is_sent_from_its_descriptor() -> Outcome {
    let apache = serve()?;
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 253) as u8).collect();
    let path = apache.site().write("htdocs/big", &content)?;
    let path = path.display().to_string();
    let url = apache.url("/file");
    let answer = Client::default().send("GET", &url, &[("X-File", &path)], b"")?;
    assert_eq!(answer.body, content[2..]);
    assert_eq!(answer.header("Content-Length").as_deref(), Some("2999998"));
    Ok(())
}

fn a_status_line_is_sent_as_given() -> Outcome {
    let apache = serve()?;
    let mut connection = Connection::open(apache.port())?;
    connection.send("GET /status HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let answer = connection.answer("GET")?;
    assert_eq!((answer.status, answer.reason.as_str()), (404, "Never Here"));
    assert_eq!(answer.header("Content-Encoding").as_deref(), Some("identity"));
    Ok(())
}

fn a_panic_is_an_error_500_and_a_line_in_the_log() -> Outcome {
    let apache = serve()?;
    assert_eq!(http::get(&apache.url("/panic"))?.status, 500);
    apache.log().wait_for("a bug in Pinion: handler panicked: the probe was told to", SOON)?;
    assert_eq!(http::get(&apache.url("/"))?.status, 200);
    Ok(())
}

fn state_and_watches_survive_a_restart() -> Outcome {
    let mut apache = serve()?;
    let log = apache.log();
    log.wait_for("probe: configuration 1, generation 1, true", SOON)?;
    log.wait_for("probe: child of MpmLimits", SOON)?;
    log.wait_for("probe: child process: Died(0)", SOON)?;
    for count in 2..=3 {
        apache.graceful()?;
        log.wait_for(&format!("probe: configuration {count}, generation"), SOON)?;
        assert_eq!(http::get(&apache.url("/"))?.status, 200);
    }
    log.wait_for("probe: the response has left, 100%n", SOON)?;
    assert!(apache.stop()?.left.is_empty());
    let text = log.text();
    assert_eq!(text.matches("probe: child process").count(), 1, "told once: {text}");
    assert!(!text.contains("panicked"), "{text}");
    Ok(())
}

macro_rules! trials {
    ($($name:ident)*) => { vec![$(Trial::test(stringify!($name), $name)),*] };
}

fn main() {
    let absent = !Path::new("/usr/sbin/apache2").exists();
    let trials = trials![
        a_request_is_seen_as_it_is
        configuration_is_collected_and_merged
        a_refused_directive_stops_the_server
        a_failed_check_stops_the_server
        a_name_is_translated_by_an_expression
        a_body_is_read_and_sent_as_it_comes
        a_request_that_came_with_another_is_seen
        a_bad_body_is_refused
        a_broken_response_is_seen_to_be_cut
        a_file_is_sent_from_its_descriptor
        a_status_line_is_sent_as_given
        a_panic_is_an_error_500_and_a_line_in_the_log
        state_and_watches_survive_a_restart
    ];
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(absent)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
