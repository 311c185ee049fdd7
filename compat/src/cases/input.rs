//! Request bodies: `wsgi.input`, transfer codings, limits, and clients that do not keep their word.

use crate::context::{SOON, json};
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use pinion_testbed::raw::Connection;
use serde_json::{Value, json as literal};
use std::time::Duration;

const BODY: &[u8] = b"one\ntwo\nthree";
const CHUNKED: &str = "Transfer-Encoding: chunked";
const CHUNKS: &[u8] = b"4\r\none\n\r\n5;x=y\r\ntwo\nt\r\n4\r\nhree\r\n0\r\nTrailer: x\r\n\r\n";

pub(super) fn suites() -> Vec<Suite> {
    let daemon = common(Suite::new("input_daemon", daemon))
        .case("large_body_is_echoed", large_body_is_echoed)
        .only_pinion("mod_wsgi sends the whole body to the daemon first, and both wait for ever");
    let embedded = common(Suite::new("input_embedded", embedded))
        .case("large_body_is_echoed", large_body_is_echoed);
    vec![daemon, embedded]
}

fn common(suite: Suite) -> Suite {
    suite
        .case("read", read)
        .case("read_with_size", read_with_size)
        .case("read_zero_and_negative", read_zero_and_negative)
        .case("read_takes_no_none", read_takes_no_none)
        .only_original("Pinion takes None for no limit, as Python's own files do")
        .case("readline", readline)
        .case("readline_with_size", readline_with_size)
        .case("readlines", readlines)
        .case("readlines_with_hint", readlines_with_hint)
        .case("iteration", iteration)
        .case("methods_can_be_mixed", methods_can_be_mixed)
        .case("close_is_harmless", close_is_harmless)
        .case("no_body_reads_empty", no_body_reads_empty)
        .case("length_zero_reads_empty", length_zero_reads_empty)
        .case("long_lines", long_lines)
        .case("large_body_is_whole", large_body_is_whole)
        .case("body_is_echoed", body_is_echoed)
        .case("unread_body_leaves_the_connection_usable", unread_body)
        .case("half_read_body_leaves_the_connection_usable", half_read_body)
        .case("pipelined_requests", pipelined_requests)
        .case("parallel_requests_do_not_mix", parallel_requests)
        .case("slow_body_arrives_in_pieces", slow_body)
        .case("chunked_without_directive_is_411", chunked_is_411)
        .case("chunked_with_directive", chunked_with_directive)
        .case("chunked_large_body", chunked_large_body)
        .case("chunked_with_length_ignores_the_length", chunked_with_length)
        .case("bad_chunk_size_is_400", bad_chunk_size)
        .case("other_transfer_coding_is_501", other_transfer_coding)
        .case("unchunked_transfer_coding_is_400", unchunked_transfer_coding)
        .case("bad_content_length_is_400", bad_content_length)
        .case("differing_content_lengths_are_400", differing_content_lengths)
        .case("over_limit_is_413_before_the_application", over_limit_is_413)
        .case("chunked_over_limit_is_413", chunked_over_limit)
        .case("expect_continue", expect_continue)
        .case("body_cut_short_is_never_taken_for_whole", body_cut_short)
        .case("reset_inside_the_body", reset_inside_the_body)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess input threads=4\nWSGIProcessGroup input");
    embedded(site)
}

fn embedded(site: &mut Site) -> Outcome {
    let script = super::app(site, "input.wsgi")?;
    let script = script.display();
    site.config(format!(
        "WSGIApplicationGroup %{{GLOBAL}}\n\
         WSGIScriptAlias /app {script}\nWSGIScriptAlias /chunked {script}\n\
         WSGIScriptAlias /limited {script}\n\
         <Location /chunked>\nWSGIChunkedRequest On\n</Location>\n\
         <Location /limited>\nWSGIChunkedRequest On\nLimitRequestBody 10\n</Location>"
    ));
    Ok(())
}

/// What the operations gave on [`BODY`], without the closing CONTENT_LENGTH.
fn perform(context: &Context, ops: &str) -> Result<Value, Failed> {
    let mut results = json(&context.post(&format!("/app/?ops={ops}"), BODY)?)?;
    let length = results.as_array_mut().and_then(Vec::pop);
    assert_eq!(length, Some(literal!("13")));
    Ok(results)
}

fn read(context: &Context) -> Outcome {
    assert_eq!(perform(context, "read")?, literal!(["one\ntwo\nthree"]));
    assert_eq!(
        perform(context, "read,read,readline,readlines")?,
        literal!(["one\ntwo\nthree", "", "", []])
    );
    Ok(())
}

fn read_with_size(context: &Context) -> Outcome {
    assert_eq!(
        perform(context, "read:5,read:2,read:100,read:1")?,
        literal!(["one\nt", "wo", "\nthree", ""])
    );
    Ok(())
}

fn read_zero_and_negative(context: &Context) -> Outcome {
    assert_eq!(perform(context, "read:0,read:-1,read")?, literal!(["", "one\ntwo\nthree", ""]));
    assert_eq!(perform(context, "read:-7")?, literal!(["one\ntwo\nthree"]));
    Ok(())
}

fn read_takes_no_none(context: &Context) -> Outcome {
    assert_eq!(
        perform(context, "read:none,readline:none")?,
        literal!(["!TypeError", "!TypeError"])
    );
    Ok(())
}

fn readline(context: &Context) -> Outcome {
    assert_eq!(
        perform(context, "readline,readline,readline,readline")?,
        literal!(["one\n", "two\n", "three", ""])
    );
    Ok(())
}

fn readline_with_size(context: &Context) -> Outcome {
    assert_eq!(
        perform(context, "readline:2,readline:0,readline:-1,readline:50,readline:3")?,
        literal!(["on", "", "e\n", "two\n", "thr"])
    );
    Ok(())
}

fn readlines(context: &Context) -> Outcome {
    assert_eq!(perform(context, "readlines")?, literal!([["one\n", "two\n", "three"]]));
    Ok(())
}

fn readlines_with_hint(context: &Context) -> Outcome {
    assert_eq!(
        perform(context, "readlines:1,readlines:5")?,
        literal!([["one\n"], ["two\n", "three"]])
    );
    assert_eq!(perform(context, "readlines:0")?, literal!([["one\n", "two\n", "three"]]));
    Ok(())
}

fn iteration(context: &Context) -> Outcome {
    assert_eq!(perform(context, "iter,iter")?, literal!([["one\n", "two\n", "three"], []]));
    Ok(())
}

fn methods_can_be_mixed(context: &Context) -> Outcome {
    assert_eq!(
        perform(context, "next,read:1,readline,read:2,iter")?,
        literal!(["one\n", "t", "wo\n", "th", ["ree"]])
    );
    Ok(())
}

fn close_is_harmless(context: &Context) -> Outcome {
    assert_eq!(perform(context, "close,readline")?, literal!(["None", "one\n"]));
    Ok(())
}

fn no_body_reads_empty(context: &Context) -> Outcome {
    let results = context.json("/app/?ops=read,readline,readlines,iter,read:5")?;
    assert_eq!(results, literal!(["", "", [], [], "", "absent"]));
    Ok(())
}

fn length_zero_reads_empty(context: &Context) -> Outcome {
    let results = json(&context.post("/app/?ops=read,readline,readlines,iter", b"")?)?;
    assert_eq!(results, literal!(["", "", [], [], "0"]));
    Ok(())
}

fn long_lines(context: &Context) -> Outcome {
    let body = [vec![b'a'; 100_000], b"\n".to_vec(), vec![b'b'; 70_000]].concat();
    let results = json(&context.post("/app/?ops=readline,readline:60000,readline", &body)?)?;
    let lengths: Vec<_> = results
        .as_array()
        .ok_or("no list")?
        .iter()
        .map(|v| v.as_str().map_or(0, str::len))
        .collect();
    assert_eq!(lengths[..3], [100_001, 60_000, 10_000]);
    Ok(())
}

/// Bytes that do not repeat soon, and their SHA-1 as the script must find it.
fn large() -> Vec<u8> {
    (0..20_000_003_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

const LARGE_SHA1: &str = "a9d2dd243220ab827dbc00a9c97600e10ffd14ac";

fn large_body_is_whole(context: &Context) -> Outcome {
    let body = large();
    let result = json(&context.post("/app/digest", &body)?)?;
    assert_eq!(result, literal!({"total": body.len(), "sha1": LARGE_SHA1}));
    Ok(())
}

fn body_is_echoed(context: &Context) -> Outcome {
    let body = large().split_off(19_970_000);
    assert!(context.post("/app/echo", &body)?.body == body);
    Ok(())
}

fn large_body_is_echoed(context: &Context) -> Outcome {
    let body = large();
    let mut sender =
        context.send("POST", "/app/echo", &[&format!("Content-Length: {}", body.len())], b"")?;
    // The answer comes while the body is still sent, so both directions must go on at once.
    let mut reader = sender.try_clone()?;
    let echoed = std::thread::scope(|scope| -> Result<Vec<u8>, Failed> {
        let answer = scope.spawn(move || reader.answer("POST"));
        sender.send(&body)?;
        let answer = answer.join().map_err(|_| "the reader panicked")??;
        Ok(answer.body)
    })?;
    assert!(echoed == body, "{} of {} bytes, or others", echoed.len(), body.len());
    Ok(())
}

fn keep_alive(context: &Context, first: &str, body: &[u8]) -> Outcome {
    let mut connection = Connection::open(context.apache.port())?;
    for _ in 0..3 {
        let head = format!(
            "POST {first} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.send([head.as_bytes(), body].concat())?;
        assert_eq!(connection.answer("POST")?.status, 200);
        connection.send("GET /app/?ops=read HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        assert_eq!(json(&connection.answer("GET")?)?, literal!(["", "absent"]));
    }
    Ok(())
}

fn unread_body(context: &Context) -> Outcome {
    keep_alive(context, "/app/unread", BODY)?;
    keep_alive(context, "/app/unread", &vec![b'x'; 300_000])
}

fn half_read_body(context: &Context) -> Outcome {
    keep_alive(context, "/app/?ops=read:5", BODY)?;
    keep_alive(context, "/app/?ops=read:5", &vec![b'x'; 300_000])
}

fn pipelined_requests(context: &Context) -> Outcome {
    let mut connection = Connection::open(context.apache.port())?;
    let post = "POST /app/?ops=read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n";
    connection.send(format!("{post}one{post}two{post}GET"))?;
    for expected in ["one", "two", "GET"] {
        assert_eq!(json(&connection.answer("POST")?)?, literal!([expected, "3"]));
    }
    Ok(())
}

/// Each client gets its own bodies back, over connections that are kept.
fn parallel_requests(context: &Context) -> Outcome {
    let client = |number: usize| -> Result<(), String> {
        let lost = |error: pinion_testbed::Error| error.to_string();
        let mut connection = Connection::open(context.apache.port()).map_err(lost)?;
        for round in 0..50 {
            let body = format!("client {number} round {round};").repeat(1 + round * 7);
            let head = format!(
                "POST /app/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            connection.send(head + &body).map_err(lost)?;
            let answer = connection.answer("POST").map_err(lost)?;
            if answer.text() != body {
                return Err(format!("client {number}, round {round}: {answer:?}"));
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|number| scope.spawn(move || client(number))).collect();
        for thread in clients {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })
}

fn slow_body(context: &Context) -> Outcome {
    let path = "/app/?ops=readline,read:4,read";
    let mut connection = context.send("POST", path, &["Content-Length: 13"], b"on")?;
    for piece in ["e\n", "two", "\n", "thre", "e"] {
        std::thread::sleep(Duration::from_millis(20));
        connection.send(piece)?;
    }
    assert_eq!(json(&connection.answer("POST")?)?, literal!(["one\n", "two\n", "three", "13"]));
    Ok(())
}

fn chunked_is_411(context: &Context) -> Outcome {
    assert_eq!(context.ask("POST", "/app/?ops=read", &[CHUNKED], CHUNKS)?.status, 411);
    Ok(())
}

fn chunked_with_directive(context: &Context) -> Outcome {
    let answer = context.ask("POST", "/chunked/?ops=read:3,readline,read", &[CHUNKED], CHUNKS)?;
    assert_eq!(json(&answer)?, literal!(["one", "\n", "two\nthree", "absent"]));
    let answer = context.ask("POST", "/chunked/?ops=iter", &[CHUNKED], CHUNKS)?;
    assert_eq!(json(&answer)?, literal!([["one\n", "two\n", "three"], "absent"]));
    Ok(())
}

fn chunked_large_body(context: &Context) -> Outcome {
    let body = large();
    let mut sent = Vec::new();
    for chunk in body.chunks(70_001) {
        sent.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        sent.extend(chunk);
        sent.extend(b"\r\n");
    }
    sent.extend(b"0\r\n\r\n");
    let result = json(&context.ask("POST", "/chunked/digest", &[CHUNKED], &sent)?)?;
    assert_eq!(result, literal!({"total": body.len(), "sha1": LARGE_SHA1}));
    Ok(())
}

fn chunked_with_length(context: &Context) -> Outcome {
    let headers = [CHUNKED, "Content-Length: 3"];
    let answer = context.ask("POST", "/chunked/?ops=read", &headers, CHUNKS)?;
    assert_eq!(json(&answer)?, literal!(["one\ntwo\nthree", "absent"]));
    Ok(())
}

fn bad_chunk_size(context: &Context) -> Outcome {
    let mut connection = context.send("POST", "/chunked/?ops=read", &[CHUNKED], b"zz\r\n")?;
    assert_eq!(connection.answer("POST")?.status, 400);
    Ok(())
}

fn other_transfer_coding(context: &Context) -> Outcome {
    let headers = ["Transfer-Encoding: gzip, chunked"];
    for path in ["/app/?ops=read", "/chunked/?ops=read"] {
        assert_eq!(context.ask("POST", path, &headers, CHUNKS)?.status, 501, "{path}");
    }
    Ok(())
}

fn unchunked_transfer_coding(context: &Context) -> Outcome {
    let headers = ["Transfer-Encoding: gzip"];
    assert_eq!(context.ask("POST", "/chunked/?ops=read", &headers, CHUNKS)?.status, 400);
    Ok(())
}

fn bad_content_length(context: &Context) -> Outcome {
    for length in ["abc", "-1", "+3", "3, 4", "", "99999999999999999999999", "0x3"] {
        let header = format!("Content-Length: {length}");
        let answer = context.ask("POST", "/app/?ops=read", &[&header], BODY)?;
        assert_eq!(answer.status, 400, "{length:?}");
    }
    Ok(())
}

fn differing_content_lengths(context: &Context) -> Outcome {
    let headers = ["Content-Length: 3", "Content-Length: 4"];
    assert_eq!(context.ask("POST", "/app/?ops=read", &headers, BODY)?.status, 400);
    Ok(())
}

fn over_limit_is_413(context: &Context) -> Outcome {
    assert_eq!(context.post("/limited/?ops=read", b"12345678901")?.status, 413);
    assert_eq!(json(&context.post("/limited/?ops=read", b"1234567890")?)?[0], "1234567890");
    // Refused although no byte of the body came: the application cannot have been asked.
    let mut waiting = context.send("POST", "/limited/?ops=read", &["Content-Length: 11"], b"")?;
    assert_eq!(waiting.answer("POST")?.status, 413);
    Ok(())
}

fn chunked_over_limit(context: &Context) -> Outcome {
    let body = b"b\r\n12345678901\r\n0\r\n\r\n";
    let mut connection = context.send("POST", "/limited/?ops=read", &[CHUNKED], body)?;
    assert_eq!(connection.head("POST")?.status, 413);
    Ok(())
}

fn expect_continue(context: &Context) -> Outcome {
    let headers = ["Content-Length: 3", "Expect: 100-continue"];
    let mut connection = context.send("POST", "/app/?ops=read", &headers, b"")?;
    assert_eq!(connection.interim()?, 100);
    connection.send("abc")?;
    assert_eq!(json(&connection.answer("POST")?)?[0], "abc");
    let headers = ["Content-Length: 11", "Expect: 100-continue"];
    let mut refused = context.send("POST", "/limited/?ops=read", &headers, b"")?;
    assert_eq!(refused.interim()?, 413);
    Ok(())
}

fn body_cut_short(context: &Context) -> Outcome {
    let from = context.log().size();
    let header = "Content-Length: 100000";
    let mut connection = context.send("POST", "/app/interrupted", &[header], &[b'x'; 40_000])?;
    connection.half_close()?;
    connection.rest();
    assert_eq!(context.post("/app/?ops=read", BODY)?.status, 200);
    // The application logs how its read ended; it may be told a moment after the client.
    let taken = pinion_testbed::wait_until(Duration::from_millis(500), || {
        context.log().text_from(from).contains("compat: read ended")
    });
    assert!(!taken, "the application took 40,000 of 100,000 bytes for the whole body");
    Ok(())
}

fn reset_inside_the_body(context: &Context) -> Outcome {
    for _ in 0..5 {
        let header = "Content-Length: 1000000";
        context.send("POST", "/app/digest", &[header], &[b'x'; 20_000])?.reset()?;
    }
    let end = std::time::Instant::now() + SOON;
    for _ in 0..10 {
        assert_eq!(context.post("/app/?ops=read", BODY)?.status, 200);
    }
    assert!(std::time::Instant::now() < end, "requests after resets took too long");
    Ok(())
}
