//! Bodies of megabytes in both directions, whatever becomes of them on their way.

use std::net::Ipv4Addr;
use std::time::Duration;

use libtest_mimic::Failed;
use pinion_testbed::Site;
use pinion_testbed::raw::Connection;

use crate::suite::Outcome;
use crate::{Context, Suite};

/// Lengths around those at which another way is taken.
const LENGTHS: [usize; 8] =
    [32_769, 65_536, 65_537, 262_144, 262_145, 1_048_576, 1_048_577, 9_000_001];
const LONG: usize = 3_000_001;

pub(super) fn suites() -> Vec<Suite> {
    vec![common(Suite::new("bulk_daemon", daemon)), common(Suite::new("bulk_embedded", embedded))]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("long_answers_are_whole", long_answers)
        .case("long_pieces_are_whole", long_pieces)
        .case("long_answers_by_filters_are_whole", filtered)
        .case("long_answers_end_where_their_length_says", truncated)
        .case("long_bodies_are_whole", long_bodies)
        .case("long_chunked_bodies_are_whole", chunked_bodies)
        .case("long_bodies_that_come_slowly", slow_body)
        .case("parallel_long_bodies_do_not_mix", parallel)
        .case("answers_that_are_kept_are_whole", kept)
        .case("answers_that_are_kept_do_not_mix", kept_in_parallel)
        .case("slow_readers_get_all", slow_readers)
        .case("clients_that_leave_harm_nobody", leaving)
        .case("long_error_pages_are_replaced", overridden)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess bulk threads=4\nWSGIProcessGroup bulk");
    embedded(site)
}

fn embedded(site: &mut Site) -> Outcome {
    let script = super::app(site, "bulk.wsgi")?;
    let script = script.display();
    // Filters that look at what passes, and such as do not.
    for name in ["buffer", "expires", "headers", "reqtimeout"] {
        site.module(name);
    }
    site.config(format!(
        "Header set X-Bulk yes\nExpiresActive On\nExpiresDefault A60\n\
         WSGIApplicationGroup %{{GLOBAL}}\nWSGIChunkedRequest On\n\
         WSGIScriptAlias /bulk {script}\nWSGIScriptAlias /filtered {script}\n\
         WSGIScriptAlias /override {script}\n\
         <Location /filtered>\nSetOutputFilter BUFFER\n</Location>\n\
         <Location /override>\nWSGIErrorOverride On\nErrorDocument 500 \"document 500\"\n</Location>"
    ));
    Ok(())
}

/// What `bulk.wsgi` makes.
fn pattern(key: &str, length: usize) -> Vec<u8> {
    let alphabet: Vec<u8> = (65..90).collect();
    let mut unit = [format!("{key}:").as_bytes(), &alphabet.repeat(4)].concat();
    unit.truncate(101);
    let mut all = unit.repeat(length / 101);
    all.resize(length, b'.');
    all
}

fn check(context: &Context, path: &str, key: &str, length: usize) -> Outcome {
    let answer = context.get(&format!("{path}?key={key}&length={length}"))?;
    assert!(answer.body == pattern(key, length), "{path}: {} of {length}", answer.body.len());
    Ok(())
}

fn long_answers(context: &Context) -> Outcome {
    let headers = context.get("/bulk/all?key=a&length=100000")?;
    assert_eq!(headers.header("X-Bulk").as_deref(), Some("yes"));
    assert!(headers.header("Expires").is_some());
    LENGTHS.iter().try_for_each(|length| check(context, "/bulk/all", "a", *length))?;
    let path = format!("/bulk/all?key=a&length={LONG}");
    let head = context.ask("HEAD", &path, &[], b"")?;
    assert_eq!((head.status, head.body.len()), (200, 0));
    Ok(())
}

fn long_pieces(context: &Context) -> Outcome {
    check(context, "/bulk/pieces", "p", 9_000_001)
}

fn filtered(context: &Context) -> Outcome {
    for length in [LONG, 65_537] {
        check(context, "/filtered/all", "f", length)?;
    }
    Ok(())
}

fn truncated(context: &Context) -> Outcome {
    let over = context.get(&format!("/bulk/over?key=o&length={LONG}"))?;
    assert!(over.body == pattern("o", LONG)[..LONG - 1]);
    let mut short = context.send("GET", &format!("/bulk/short?key=s&length={LONG}"), &[], b"")?;
    short.head("GET")?;
    assert!(short.rest() == pattern("s", LONG));
    Ok(())
}

fn is_same(answer: &pinion_testbed::http::Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (200, "same"));
}

fn long_bodies(context: &Context) -> Outcome {
    for length in LENGTHS {
        for size in [-1, 65_536, 300_000] {
            let path = format!("/bulk/check?key=b&length={length}&size={size}");
            is_same(&context.post(&path, &pattern("b", length))?);
        }
    }
    Ok(())
}

fn chunked_bodies(context: &Context) -> Outcome {
    for (length, size) in [(LONG, 17_001), (9_000_001, 1_000_000)] {
        let body = pattern("c", length);
        let mut sent = Vec::new();
        for chunk in body.chunks(size) {
            sent.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            sent.extend_from_slice(chunk);
            sent.extend_from_slice(b"\r\n");
        }
        sent.extend_from_slice(b"0\r\n\r\n");
        let path = format!("/bulk/check?key=c&length={length}");
        is_same(&context.ask("POST", &path, &["Transfer-Encoding: chunked"], &sent)?);
    }
    Ok(())
}

fn slow_body(context: &Context) -> Outcome {
    let (length, body) = (300_000, pattern("s", 300_000));
    let path = format!("/bulk/check?key=s&length={length}");
    let mut connection =
        context.send("POST", &path, &[&format!("Content-Length: {length}")], b"")?;
    for piece in body.chunks(50_001) {
        std::thread::sleep(Duration::from_millis(20));
        connection.send(piece)?;
    }
    is_same(&connection.answer("POST")?);
    Ok(())
}

/// Asks for an answer and sends a body, both long and of its own, again and again on one connection.
fn converse(port: u16, key: &str, rounds: usize) -> Result<(), String> {
    let lost = |error: pinion_testbed::Error| error.to_string();
    let mut connection = Connection::open(port).map_err(lost)?;
    for round in 1..=rounds {
        let length = 100_000 * round;
        let body = pattern(key, length);
        let what = format!("?key={key}&length={length} HTTP/1.1\r\nHost: localhost\r\n");
        connection.send(format!("GET /bulk/all{what}\r\n")).map_err(lost)?;
        if connection.answer("GET").map_err(lost)?.body != body {
            return Err(format!("{key}, round {round}: another answer"));
        }
        let head = format!("POST /bulk/check{what}Content-Length: {length}\r\n\r\n");
        connection.send([head.as_bytes(), &body].concat()).map_err(lost)?;
        let answer = connection.answer("POST").map_err(lost)?;
        if answer.text() != "same" {
            return Err(format!("{key}, round {round}: {}", answer.text()));
        }
    }
    Ok(())
}

fn parallel(context: &Context) -> Outcome {
    let port = context.apache.port();
    std::thread::scope(|scope| {
        let client = |number: usize| scope.spawn(move || converse(port, &number.to_string(), 12));
        let clients: Vec<_> = (0..8).map(client).collect();
        for thread in clients {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })
}

/// A client that takes little at once.
fn sipping(context: &Context, path: &str) -> Result<Connection, Failed> {
    let mut connection = Connection::from(Ipv4Addr::LOCALHOST, Some(4096), context.apache.port())?;
    connection
        .send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))?;
    Ok(connection)
}

fn kept(context: &Context) -> Outcome {
    let lengths = LENGTHS.iter().chain([&2_097_152, &2_097_153]);
    for length in lengths.flat_map(|length| [length; 4]) {
        check(context, "/bulk/kept", "k", *length)?;
        check(context, "/filtered/kept", "k", *length)?;
        let (path, body) = (format!("/bulk/kept?yielded=1&key=y&length={length}"), *length);
        assert!(context.get(&path)?.body == pattern("y", body), "{path}");
    }
    let head = context.ask("HEAD", "/bulk/kept?key=k&length=1048576", &[], b"")?;
    assert_eq!((head.status, head.body.len()), (200, 0));
    Ok(())
}

/// Asks for answers that an application keeps, of more of them than a worker can; some are not read to their end.
fn browse(port: u16, client: usize) -> Result<(), String> {
    let lost = |error: pinion_testbed::Error| error.to_string();
    let mut connection = Connection::open(port).map_err(lost)?;
    for round in 0..60 {
        let (which, length) = ((client * 7 + round * round) % 20, 600_000);
        let ask = format!(
            "GET /bulk/kept?key=n{which}&length={length} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        connection.send(ask).map_err(lost)?;
        if (round + client).is_multiple_of(9) {
            connection.head("GET").map_err(lost)?;
            connection.reset().map_err(lost)?;
            connection = Connection::from(Ipv4Addr::LOCALHOST, Some(4096), port).map_err(lost)?;
            continue;
        }
        if connection.answer("GET").map_err(lost)?.body != pattern(&format!("n{which}"), length) {
            return Err(format!("client {client}, round {round}: not answer {which}"));
        }
    }
    Ok(())
}

fn kept_in_parallel(context: &Context) -> Outcome {
    let port = context.apache.port();
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..8).map(|client| scope.spawn(move || browse(port, client))).collect();
        for thread in clients {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })
}

fn slow_readers(context: &Context) -> Outcome {
    let mut readers = Vec::new();
    for number in 0..3 {
        let path = format!("/bulk/all?key=r{number}&length=9000001");
        readers.push((number, sipping(context, &path)?));
    }
    std::thread::sleep(Duration::from_millis(100));
    check(context, "/bulk/all", "quick", LONG)?;
    for (number, mut reader) in readers {
        let answer = reader.answer("GET")?;
        assert!(answer.body == pattern(&format!("r{number}"), 9_000_001));
    }
    Ok(())
}

fn leaving(context: &Context) -> Outcome {
    for number in 0..60 {
        let mut reader = sipping(context, "/bulk/all?key=l&length=9000001")?;
        reader.head("GET")?;
        reader.reset()?;
        let path = "/bulk/check?key=l&length=9000001";
        let sent = pattern("l", 200_000 + number);
        let sender = context.send("POST", path, &["Content-Length: 9000001"], &sent)?;
        sender.reset()?;
    }
    converse(context.apache.port(), "after", 20)?;
    Ok(())
}

fn overridden(context: &Context) -> Outcome {
    let path = format!("?key=e&length={LONG}");
    let answer = context.get(&format!("/override/error{path}"))?;
    // In embedded mode the directive has no effect on mod_wsgi.
    if answer.body.len() != LONG {
        assert_eq!((answer.status, answer.text().as_str()), (500, "document 500"));
    }
    let answer = context.get(&format!("/bulk/error{path}"))?;
    assert!(answer.status == 500 && answer.body == pattern("e", LONG));
    check(context, "/override/all", "e", LONG)
}
