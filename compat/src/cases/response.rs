//! Responses: statuses, headers, iterables, streaming, lengths, and applications that fail.

use super::failing;
use crate::context::SOON;
use crate::suite::Outcome;
use crate::{Context, Suite};
use libtest_mimic::Failed;
use pinion_testbed::Site;
use pinion_testbed::http::Answer;
use pinion_testbed::raw::Connection;
use std::time::Duration;

pub(super) fn suites() -> Vec<Suite> {
    let daemon = common(Suite::new("response_daemon", daemon))
        .case("local_location_with_200_is_followed_inside", local_location)
        .case("status_header_replaces_the_status", status_header_replaces_the_status)
        .case("broken_off_body_is_shown_to_the_client", failing::broken_off_body_is_cut)
        .only_pinion("mod_wsgi's daemons end the chunked body as if it were whole");
    let embedded = common(Suite::new("response_embedded", embedded))
        .case("broken_off_body_is_shown_to_the_client", failing::broken_off_body_is_cut);
    vec![daemon, embedded]
}

fn common(suite: Suite) -> Suite {
    failing::cases(streaming(headers(statuses(
        suite
            .case("wsgiref_validator_finds_nothing", validator)
            .case("plain", plain)
            .case("several_items_join", several_items_join)
            .case("empty_iterable", empty_iterable)
            .case("generator", generator)
            .case("start_response_in_the_generator", start_response_in_the_generator)
            .case("any_iterable", any_iterable)
            .case("write_comes_before_the_iterable", write_comes_before_the_iterable)
            .case("write_during_iteration", write_during_iteration)
            .case("write_takes_bytes_only", write_takes_bytes_only)
            .case("start_response_takes_no_keywords", start_response_takes_no_keywords)
            .case("headers_are_taken_at_the_call", headers_are_taken_at_the_call)
            .case("megabyte", megabyte)
            .case("many_small_items", many_small_items)
            .case("close_is_called", close_is_called)
            .case("close_is_called_after_an_error", close_is_called_after_an_error)
            .case("error_in_close_keeps_the_answer", error_in_close)
            .case("close_is_called_after_a_disconnect", close_after_a_disconnect),
    ))))
}

fn statuses(suite: Suite) -> Suite {
    suite
        .case("status_and_reason_pass", status_and_reason_pass)
        .case("status_without_reason", status_without_reason)
        .case("invalid_status_is_500", invalid_status_is_500)
        .case("status_204_has_no_body", status_204)
        .case("status_304_has_no_body", status_304)
        .case("error_page_of_the_application_stays", own_error_page)
        .case("redirects_pass_as_given", redirects_pass)
        .case("head_is_asked_as_head_without_filters", head_has_no_body)
        .case("second_start_response_replaces", second_start_response)
        .case("exc_info_before_headers_replaces", exc_info_before)
        .case("exc_info_after_headers_raises_again", exc_info_after)
}

fn headers(suite: Suite) -> Suite {
    suite
        .case("several_set_cookie", several_set_cookie)
        .case("several_www_authenticate", several_www_authenticate)
        .case("header_values_pass", header_values_pass)
        .case("no_content_type_is_invented", no_content_type_is_invented)
        .case("big_headers", big_headers)
        .case("control_characters_split_nothing", no_response_splitting)
        .case("invalid_headers_are_500", invalid_headers_are_500)
        .case("header_pairs_must_be_tuples_in_a_list", header_types)
        .case("repeated_length_and_type", repeated_length_and_type)
        .case("ranges_and_conditions_are_the_applications", ranges_and_conditions)
        .case("invalid_content_length_is_500", invalid_content_length)
        .case("date_and_server_stay_apaches", date_and_server_stay)
        .case("nul_and_colon_are_500", nul_and_colon)
        .only_pinion("mod_wsgi cuts the value at a NUL, and its daemons let a colon pass")
        .case("own_transfer_encoding_breaks_no_framing", own_transfer_encoding)
        .only_pinion("mod_wsgi sends the header but no chunks, which breaks the connection")
}

fn streaming(suite: Suite) -> Suite {
    suite
        .case("first_item_arrives_before_the_second_is_made", stream_by_generator)
        .case("first_write_arrives_before_the_second", stream_by_write)
        .case("body_over_content_length_is_cut", body_over_length)
        .case("body_under_content_length_ends_the_connection", body_under_length)
        .case("content_length_zero", content_length_zero)
}

fn daemon(site: &mut Site) -> Outcome {
    site.config("WSGIDaemonProcess response threads=6\nWSGIProcessGroup response");
    embedded(site)
}

fn embedded(site: &mut Site) -> Outcome {
    let script = super::app(site, "response.wsgi")?;
    let validated = super::app(site, "validated.wsgi")?;
    site.writable_folder("go")?;
    site.config(format!(
        "WSGIApplicationGroup %{{GLOBAL}}\nWSGIScriptAlias /validated {}\nWSGIScriptAlias / {}\n\
         ErrorDocument 404 /error_status",
        validated.display(),
        script.display()
    ));
    Ok(())
}

/// Status and body.
fn said(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

/// GET that must be a 500 of Apache's own, with nothing of the application's in it.
pub(super) fn is_500(context: &Context, path: &str) -> Outcome {
    let answer = context.get(path)?;
    assert_eq!(answer.status, 500, "{path}");
    assert!(answer.text().contains("Internal Server Error"), "{path}: {}", answer.text());
    for name in ["X-Bad", "X-Injected"] {
        assert_eq!(answer.header(name), None, "{path}");
    }
    Ok(())
}

/// Asks, and waits until the log has that text.
pub(super) fn logs(
    context: &Context,
    path: &str,
    expected: &str,
) -> Result<Result<Answer, Failed>, Failed> {
    let from = context.log().size();
    let answer = context.get(path);
    context.log().wait_for_from(from, expected, SOON)?;
    Ok(answer)
}

fn validator(context: &Context) -> Outcome {
    let body = b"head line\nlines\nand more";
    for path in ["/validated", "/validated/x?a=b"] {
        let answer = context.post(path, body)?;
        assert_eq!(said(&answer), ok("written,head| line\n|lines\nand more|"), "{path}");
        assert_eq!(said(&context.get(path)?), ok("written,|||"), "{path}");
    }
    Ok(())
}

fn plain(context: &Context) -> Outcome {
    let answer = context.get("/plain")?;
    assert_eq!(said(&answer), ok("plain"));
    assert_eq!(answer.header("Content-Type").as_deref(), Some("text/plain"));
    Ok(())
}

fn several_items_join(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/several")?), ok("one,two,three"));
    Ok(())
}

fn empty_iterable(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/empty")?), ok(""));
    Ok(())
}

fn generator(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/generator")?), ok("abc"));
    Ok(())
}

fn start_response_in_the_generator(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/late_start")?), (201, "late".to_owned()));
    Ok(())
}

fn any_iterable(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/returns?tuple")?), ok("ab"));
    assert_eq!(said(&context.get("/returns?set")?), ok("a"));
    assert_eq!(said(&context.get("/iterator_protocol")?), ok("zero,one"));
    assert_eq!(said(&context.get("/nested_io")?), ok("line one\nline two\n"));
    Ok(())
}

fn write_comes_before_the_iterable(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/uses_write")?), ok("written,twice,returned"));
    Ok(())
}

fn write_during_iteration(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/uses_write_after_return")?), ok("from iter,item"));
    Ok(())
}

fn write_takes_bytes_only(context: &Context) -> Outcome {
    is_500(context, "/write_text")
}

fn start_response_takes_no_keywords(context: &Context) -> Outcome {
    let answer = context.get("/start_by_keyword")?;
    assert_eq!(said(&answer), ok("keyword"));
    assert_eq!(answer.header("X-Keyword").as_deref(), Some("refused"));
    Ok(())
}

fn headers_are_taken_at_the_call(context: &Context) -> Outcome {
    let answer = context.get("/same_thread")?;
    assert_eq!(said(&answer), ok("body"));
    assert_eq!(answer.header("X-Late"), None);
    Ok(())
}

fn megabyte(context: &Context) -> Outcome {
    let answer = context.get("/megabyte")?;
    assert!(answer.body.len() == 1 << 20 && answer.body.iter().all(|byte| *byte == b'm'));
    Ok(())
}

fn many_small_items(context: &Context) -> Outcome {
    assert_eq!(context.get("/slow_pieces")?.text(), "0123456789".repeat(2000));
    Ok(())
}

fn close_is_called(context: &Context) -> Outcome {
    let answer = logs(context, "/closes", "compat: closed whole")??;
    assert_eq!(said(&answer), ok("ab"));
    Ok(())
}

fn close_is_called_after_an_error(context: &Context) -> Outcome {
    // Whether the answer was whole is another case's matter.
    let _ = logs(context, "/closes_on_error", "compat: closed failing")?;
    let answer = logs(context, "/closes_on_first_error", "compat: closed failing first")??;
    assert_eq!(answer.status, 500);
    Ok(())
}

fn error_in_close(context: &Context) -> Outcome {
    let answer = logs(context, "/close_fails", "ValueError: failed in close")??;
    assert_eq!(said(&answer), ok("fine"));
    Ok(())
}

fn close_after_a_disconnect(context: &Context) -> Outcome {
    let from = context.log().size();
    let mut connection = context.send("GET", "/endless", &[], b"")?;
    connection.head("GET")?;
    connection.reset()?;
    context.log().wait_for_from(from, "compat: closed endless", SOON)?;
    Ok(())
}

fn status_and_reason_pass(context: &Context) -> Outcome {
    for (name, status, reason) in [("unknown", 299, "Odd Reason"), ("high", 999, "Far Out")] {
        let answer = context.get(&format!("/bad_status?{name}"))?;
        assert_eq!((answer.status, answer.reason.as_str()), (status, reason));
        assert_eq!(answer.text(), "body");
    }
    Ok(())
}

fn status_without_reason(context: &Context) -> Outcome {
    let answer = context.get("/bad_status?no_reason")?;
    assert_eq!((answer.status, answer.reason.as_str()), (200, "OK"));
    Ok(())
}

fn invalid_status_is_500(context: &Context) -> Outcome {
    for name in [
        "no_number",
        "text_number",
        "short",
        "long",
        "int",
        "bytes",
        "none",
        "newline",
        "not_latin",
        "empty",
    ] {
        is_500(context, &format!("/bad_status?{name}"))?;
    }
    Ok(())
}

fn status_204(context: &Context) -> Outcome {
    keeps_connection(context, "/no_content", 204, "X-Seen", "yes")
}

fn status_304(context: &Context) -> Outcome {
    keeps_connection(context, "/not_modified", 304, "ETag", "\"abc\"")
}

/// The answer has no body at all: the next one on the same connection is read right.
fn keeps_connection(
    context: &Context,
    path: &str,
    status: u16,
    header: &str,
    value: &str,
) -> Outcome {
    let mut connection = Connection::open(context.apache.port())?;
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
    let answer = connection.answer("GET")?;
    assert_eq!(said(&answer), (status, String::new()));
    assert_eq!(answer.header(header).as_deref(), Some(value));
    connection.send("GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    assert_eq!(said(&connection.answer("GET")?), ok("plain"));
    Ok(())
}

fn own_error_page(context: &Context) -> Outcome {
    let answer = context.get("/error_status")?;
    assert_eq!(said(&answer), (404, "own 404 page".to_owned()));
    assert_eq!(answer.reason, "Not Here");
    assert_eq!(answer.header("X-Own").as_deref(), Some("yes"));
    let answer = context.get("/server_error_status")?;
    assert_eq!(said(&answer), (500, "own 500 page".to_owned()));
    Ok(())
}

fn redirects_pass(context: &Context) -> Outcome {
    for to in ["/elsewhere?a=b", "http://other.example/x", "relative"] {
        let answer = context.get(&format!("/redirect?to={}", to.replace('?', "%3F")))?;
        assert_eq!(answer.status, 302);
        assert_eq!(answer.header("Location").as_deref(), Some(to));
        assert_eq!(answer.text(), "moved");
    }
    Ok(())
}

fn head_has_no_body(context: &Context) -> Outcome {
    let answer = context.ask("HEAD", "/head_only", &[], b"")?;
    assert_eq!(said(&answer), ok(""));
    assert_eq!(answer.header("Content-Length").as_deref(), Some("5"));
    assert_eq!(answer.header("X-Method").as_deref(), Some("HEAD"));
    let mut connection = Connection::open(context.apache.port())?;
    connection.send(
        "HEAD /megabyte HTTP/1.1\r\nHost: localhost\r\n\r\nGET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )?;
    assert_eq!(said(&connection.answer("HEAD")?), ok(""));
    assert_eq!(said(&connection.answer("GET")?), ok("plain"));
    Ok(())
}

fn second_start_response(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/start_twice")?), (201, "body".to_owned()));
    Ok(())
}

fn exc_info_before(context: &Context) -> Outcome {
    let answer = context.get("/exc_info_before")?;
    assert_eq!(said(&answer), (503, "replaced".to_owned()));
    assert_eq!(answer.reason, "Replaced");
    assert_eq!(answer.header("X-Second").as_deref(), Some("yes"));
    assert_eq!(answer.header("X-First"), None);
    Ok(())
}

fn exc_info_after(context: &Context) -> Outcome {
    let _ = logs(context, "/exc_info_after", "compat: raised again KeyError('late')")?;
    Ok(())
}

fn several_set_cookie(context: &Context) -> Outcome {
    let answer = context.get("/cookies")?;
    let cookies = answer.header_all("Set-Cookie");
    assert_eq!(cookies, ["a=1; Path=/", "b=2; HttpOnly", "c=3"]);
    assert_eq!(answer.header("X-Between").as_deref(), Some("yes"));
    let vary = answer.header_all("Vary").join(",").replace(' ', "");
    assert_eq!(vary, "Cookie,Accept");
    Ok(())
}

fn several_www_authenticate(context: &Context) -> Outcome {
    let answer = context.get("/www_authenticate")?;
    assert_eq!(said(&answer), (401, "own 401".to_owned()));
    assert_eq!(
        answer.header_all("WWW-Authenticate"),
        ["Basic realm=\"one\"", "Digest realm=\"two\""]
    );
    assert_eq!(answer.header("X-Plain").as_deref(), Some("yes"));
    Ok(())
}

fn header_values_pass(context: &Context) -> Outcome {
    let answer = context.get("/special_headers")?;
    for (name, value) in [
        ("Content-Type", "text/x-compat; charset=koi8-r"),
        ("Last-Modified", "Thu, 01 Jan 2015 00:00:00 GMT"),
        ("X-Latin", "caf\u{e9}"),
        ("X-Empty", ""),
        ("ETag", "\"x\""),
        ("Cache-Control", "no-store"),
    ] {
        assert_eq!(answer.header(name).as_deref(), Some(value), "{name}");
    }
    assert!(answer.headers.iter().any(|(name, _)| name == "X-MiXeD"), "{:?}", answer.headers);
    let answer = context.get("/bad_header?tab")?;
    assert_eq!(answer.header("X-Bad").as_deref(), Some("a\tb"));
    Ok(())
}

fn no_content_type_is_invented(context: &Context) -> Outcome {
    assert_eq!(context.get("/no_type")?.header("Content-Type"), None);
    Ok(())
}

fn big_headers(context: &Context) -> Outcome {
    let answer = context.get("/big_header")?;
    assert_eq!(said(&answer), ok("big header"));
    assert_eq!(answer.header("X-Big").map(|value| value.len()), Some(30_000));
    assert_eq!(answer.header("X-59").map(|value| value.len()), Some(100));
    Ok(())
}

fn no_response_splitting(context: &Context) -> Outcome {
    for name in ["newline", "bare_newline", "carriage_return", "name_newline"] {
        is_500(context, &format!("/bad_header?{name}"))?;
    }
    Ok(())
}

fn invalid_headers_are_500(context: &Context) -> Outcome {
    for name in [
        "name_space",
        "name_empty",
        "not_latin",
        "value_int",
        "value_bytes",
        "value_none",
        "name_bytes",
    ] {
        is_500(context, &format!("/bad_header?{name}"))?;
    }
    // Apache itself refuses this one, and may cut its own error page short.
    let mut connection = context.send("GET", "/bad_header?control", &[], b"")?;
    assert_eq!(connection.head("GET")?.status, 500);
    Ok(())
}

fn header_types(context: &Context) -> Outcome {
    for name in ["not_a_tuple", "list_pair", "triple", "tuple_of_headers", "none", "dict"] {
        is_500(context, &format!("/bad_header?{name}"))?;
    }
    Ok(())
}

fn invalid_content_length(context: &Context) -> Outcome {
    is_500(context, "/bad_header?length_text")?;
    is_500(context, "/bad_header?length_negative")
}

fn date_and_server_stay(context: &Context) -> Outcome {
    let answer = context.get("/special_headers")?;
    assert_eq!(answer.header_all("Server").len(), 1);
    assert!(answer.header("Server").is_some_and(|value| value.starts_with("Apache/2.4")));
    assert_eq!(answer.header_all("Date").len(), 1);
    Ok(())
}

fn nul_and_colon(context: &Context) -> Outcome {
    is_500(context, "/bad_header?nul")?;
    is_500(context, "/bad_header?name_colon")
}

fn own_transfer_encoding(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/hop_by_hop?Transfer-Encoding=chunked")?), ok("hop"));
    Ok(())
}

fn local_location(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/location_200")?), ok("plain"));
    Ok(())
}

fn repeated_length_and_type(context: &Context) -> Outcome {
    let answer = context.get("/length_twice")?;
    assert_eq!(said(&answer), ok("body"));
    assert_eq!(answer.header_all("Content-Length"), ["4"]);
    assert_eq!(context.get("/type_twice")?.header_all("Content-Type"), ["text/second"]);
    Ok(())
}

/// Apache answers no range and no condition from what the application sent.
fn ranges_and_conditions(context: &Context) -> Outcome {
    for header in ["Range: bytes=2-4", "If-None-Match: \"same\""] {
        let answer = context.ask("GET", "/with_etag", &[header], b"")?;
        assert_eq!(said(&answer), ok("0123456789"), "{header}");
    }
    Ok(())
}

fn status_header_replaces_the_status(context: &Context) -> Outcome {
    for status in ["404", "404+x", "404x"] {
        let answer = context.get(&format!("/hop_by_hop?Status={status}"))?;
        assert_eq!(said(&answer), (404, "hop".to_owned()), "{status}");
        assert_eq!(answer.header("Status"), None, "{status}");
        assert_eq!(answer.reason, "Not Found", "{status}");
    }
    Ok(())
}

fn stream_by_generator(context: &Context) -> Outcome {
    streams(context, "stream")
}

fn stream_by_write(context: &Context) -> Outcome {
    streams(context, "write_streams")
}

/// The first part is read while the application still waits for the file that lets it go on.
fn streams(context: &Context, path: &str) -> Outcome {
    let go = context.path(&format!("go/{path}"));
    let mut connection = context.send("GET", &format!("/{path}?go={}", go.display()), &[], b"")?;
    let mut framing = connection.head("GET")?.framing;
    connection.read_timeout(Duration::from_secs(15))?;
    assert_eq!(connection.piece(&mut framing)?.as_deref(), Some(&b"first"[..]));
    std::fs::write(&go, "")?;
    let mut rest = Vec::new();
    while let Some(piece) = connection.piece(&mut framing)? {
        rest.extend(piece);
    }
    assert_eq!(rest, b"second");
    Ok(())
}

fn body_over_length(context: &Context) -> Outcome {
    let mut connection = Connection::open(context.apache.port())?;
    for _ in 0..2 {
        connection.send("GET /too_long HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let answer = connection.answer("GET")?;
        assert_eq!(said(&answer), ok("12345"));
        assert_eq!(answer.header("Content-Length").as_deref(), Some("5"));
    }
    Ok(())
}

fn body_under_length(context: &Context) -> Outcome {
    ends_early(context, "/too_short", b"123")
}

/// A kept connection is closed after so much of a body that was to be longer.
pub(super) fn ends_early(context: &Context, path: &str, body: &[u8]) -> Outcome {
    let mut connection = Connection::open(context.apache.port())?;
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
    let head = connection.head("GET")?;
    assert_eq!(head.status, 200);
    connection.read_timeout(Duration::from_secs(3))?;
    assert_eq!(connection.rest(), body);
    Ok(())
}

fn content_length_zero(context: &Context) -> Outcome {
    assert_eq!(said(&context.get("/length_zero")?), ok(""));
    Ok(())
}
