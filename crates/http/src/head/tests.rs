use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { line: 100, head: 1000, fields: 10 };

fn refused(bytes: &[u8]) -> Refusal {
    parse(bytes, &LIMITS).expect_err(&bytes.escape_ascii().to_string())
}

fn with(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n").into_bytes()
}

#[test]
fn a_head_is_read_when_it_is_whole() {
    let bytes = b"\r\nGET /a/b?c=d HTTP/1.1\r\nHost: h:80\r\nX: \xe9 \r\n\r\nrest";
    for cut in 0..bytes.len() - 4 {
        assert_eq!(parse(&bytes[..cut], &LIMITS), Ok(None), "{cut}");
    }
    let head = parse(bytes, &LIMITS).unwrap().unwrap();
    assert_eq!((head.method, head.path, head.query), ("GET", "/a/b", "c=d"));
    assert_eq!(
        (head.size, head.version, head.keep_alive),
        (bytes.len() - 4, Version::Http11, true)
    );
    assert_eq!(&head.fields[..], [("Host", &b"h:80"[..]), ("X", b"\xe9")]);
    assert_eq!(head.body, BodyLength::Known(0));
}

#[test]
fn lines_end_with_both_characters() {
    for bytes in [
        &b"GET / HTTP/1.1\nHost: h\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: h\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\n",
        b"GET / HTTP/1.1\r\nHost: h\nX: y",
        b"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        assert_eq!(refused(bytes), Refusal::BAD_LINE_END, "{}", bytes.escape_ascii());
    }
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
        b"GET /\rx HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        assert_eq!(refused(bytes).status, 400, "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_no_request_line_is_refused() {
    for line in [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET /",
        "GET\t/ HTTP/1.1",
        "G\u{e9}T / HTTP/1.1",
        "GET / HTTP/1.1x",
        "GET / http/1.1",
        "GET / HTTP/11",
        "GET x HTTP/1.1",
        "GET * HTTP/1.1",
        "GET /x#y HTTP/1.1",
        "GET ftp://h/ HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http://a@b/ HTTP/1.1",
        "(GET) / HTTP/1.1",
    ] {
        let bytes = format!("{line}\r\nHost: h\r\n\r\n").into_bytes();
        assert_eq!(refused(&bytes).status, 400, "{line}");
    }
    for version in ["2.0", "1.2", "3.0", "0.9"] {
        let bytes = format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n").into_bytes();
        assert_eq!(refused(&bytes), Refusal::OTHER_VERSION, "{version}");
        // Wherever it is cut, nothing else is said before the line is whole.
        for cut in 0.."GET / HTTP/2.0\r".len() {
            assert_eq!(parse(&bytes[..cut], &LIMITS), Ok(None), "{version}, {cut}");
        }
    }
    assert_eq!(refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status, 505);
    assert_eq!(refused(b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), Refusal::CONNECT);
}

#[test]
fn targets_come_in_three_forms() {
    let target = |line: &str| {
        let bytes = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
        let head = parse(bytes.as_bytes(), &LIMITS).unwrap().unwrap();
        (head.path.to_owned(), head.query.to_owned(), head.authority.map(str::to_owned))
    };
    let own = |path: &str, query: &str, authority: Option<&str>| {
        (path.to_owned(), query.to_owned(), authority.map(str::to_owned))
    };
    assert_eq!(target("OPTIONS *"), own("*", "", None));
    assert_eq!(target("GET /a?b?c"), own("/a", "b?c", None));
    assert_eq!(target("GET http://x:1/a?b"), own("/a", "b", Some("x:1")));
    assert_eq!(target("GET HTTPS://x"), own("/", "", Some("x")));
    assert_eq!(target("GET http://x?q"), own("/", "q", Some("x")));
    assert_eq!(target("GET //x/y"), own("//x/y", "", None));
}

#[test]
fn fields_are_names_and_values() {
    for field in [
        "X : y\r\n",
        "X\t: y\r\n",
        " X: y\r\n",
        "X: y\r\n z\r\n",
        "X: y\r\n\tz\r\n",
        ": y\r\n",
        "X\r\n",
        "X: a\0b\r\n",
        "X: a\x01b\r\n",
        "X: a\x7fb\r\n",
        "X(: y\r\n",
    ] {
        let status = refused(&with(field)).status;
        assert_eq!(status, 400, "{field:?}");
    }
}

#[test]
fn one_host_is_named() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    ] {
        assert_eq!(refused(bytes), Refusal::BAD_HOST, "{}", bytes.escape_ascii());
    }
    assert!(parse(b"GET / HTTP/1.0\r\n\r\n", &LIMITS).unwrap().is_some());
    assert!(parse(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", &LIMITS).unwrap().is_some());
}

#[test]
fn a_body_has_one_length() {
    let body = |fields: &str| parse(&with(fields), &LIMITS).map(|head| head.unwrap().body);
    assert_eq!(body("Content-Length: 12\r\n"), Ok(BodyLength::Known(12)));
    assert_eq!(body("Transfer-Encoding: Chunked\r\n"), Ok(BodyLength::Chunked));
    for bad in ["", "+1", "-1", "1,1", "1 1", "0x1", "1.0", "18446744073709551616", "\u{b2}"] {
        let found = body(&format!("Content-Length: {bad}\r\n"));
        assert_eq!(found, Err(Refusal::BAD_LENGTH), "{bad:?}");
    }
    let twice = "Content-Length: 5\r\ncontent-length: 5\r\n";
    assert_eq!(body(twice), Err(Refusal::BAD_LENGTH));
    for both in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 0\r\n",
    ] {
        assert_eq!(body(both), Err(Refusal::TWO_LENGTHS), "{both}");
    }
    for other in ["gzip", "chunked, gzip", "gzip, chunked", "identity", "x", "", "chunked;q=1"] {
        let found = body(&format!("Transfer-Encoding: {other}\r\n"));
        assert_eq!(found, Err(Refusal::OTHER_CODING), "{other:?}");
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(body(twice), Err(Refusal::BAD_CODING));
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), Refusal::BAD_CODING);
}

#[test]
fn a_connection_goes_on_unless_somebody_wants_it_to_end() {
    let keep = |minor: u8, options: &str| {
        let bytes = format!("GET / HTTP/1.{minor}\r\nHost: h\r\n{options}\r\n");
        parse(bytes.as_bytes(), &LIMITS).unwrap().unwrap().keep_alive
    };
    assert!(keep(1, "") && !keep(0, ""));
    assert!(keep(0, "Connection: Keep-Alive\r\n"));
    assert!(!keep(1, "Connection: Close\r\n"));
    assert!(!keep(1, "Connection: keep-alive, close\r\n"));
    assert!(!keep(1, "Connection: x\r\nConnection: close\r\n"));
}

#[test]
fn only_a_continuation_can_be_expected() {
    let expects = |fields: &str| parse(&with(fields), &LIMITS).unwrap().unwrap().expects_continue;
    assert!(expects("Expect: 100-Continue\r\nContent-Length: 5\r\n"));
    assert!(!expects("Expect: 100-continue\r\n"));
    assert_eq!(refused(&with("Expect: 200-ok\r\n")), Refusal::EXPECTATION);
}

#[test]
fn limits_hold_before_the_head_is_whole() {
    let line = [&b"GET /"[..], &[b'x'; 200]].concat();
    assert_eq!(refused(&line), Refusal::LONG_LINE);
    let field = [&b"GET / HTTP/1.1\r\nHost: h\r\nX: "[..], &[b'x'; 2000]].concat();
    assert_eq!(refused(&field), Refusal::LONG_HEAD);
    let many = with(&"X: y\r\n".repeat(10));
    assert_eq!(refused(&many), Refusal::MANY_FIELDS);
    let wide = Limits { fields: 200, head: 10_000, ..LIMITS };
    assert!(parse(&with(&"X: y\r\n".repeat(199)), &wide).unwrap().is_some());
    assert!(parse(&with(&"X: y\r\n".repeat(200)), &wide).is_err());
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
        let _ = parse(&bytes, &LIMITS);
    }

    #[test]
    fn what_is_accepted_has_an_end_that_nobody_could_see_elsewhere(
        fields in "([A-Za-z-]{1,8}:[ a-z0-9\r\n,;]{0,12}\r\n){0,4}",
    ) {
        let bytes = with(&fields);
        if let Ok(Some(head)) = parse(&bytes, &LIMITS) {
            let text = &bytes[..head.size];
            let end = text.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
            prop_assert_eq!(end + 4, head.size);
            prop_assert!(!text.windows(2).any(|two| two[1] == b'\n' && two[0] != b'\r'));
        }
    }
}
