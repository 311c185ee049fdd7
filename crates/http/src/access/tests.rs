use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const RECORD: Record<'_> = Record {
    peer: b"192.0.2.7",
    user: None,
    method: b"GET",
    target: b"/a?b=c",
    protocol: b"HTTP/1.1",
    status: 200,
    sent: 512,
    referer: Some(b"http://example.org/"),
    agent: Some(b"Mozilla/5.0"),
    host: Some(b"example.org:8000"),
    micros: 42,
    duration: 1500,
    pid: 77,
};

fn line_of(format: AccessFormat, room: Room, record: &Record<'_>) -> String {
    let mut out = b"before".to_vec();
    Lines { format, room }.push(record, &Stamp::new(784_111_777, 3600), &mut out);
    let out = String::from_utf8(out).unwrap();
    let line = out.strip_prefix("before").unwrap().strip_suffix('\n').unwrap();
    line.to_owned()
}

fn combined(record: &Record<'_>) -> String {
    line_of(AccessFormat::Combined, Room::FILE, record)
}

fn parsed(room: Room, record: &Record<'_>) -> Value {
    serde_json::from_str(&line_of(AccessFormat::Json, room, record)).unwrap()
}

#[test]
fn the_formats_of_apache() {
    let start = r#"192.0.2.7 - - [06/Nov/1994:09:49:37 +0100] "GET /a?b=c HTTP/1.1" 200 512"#;
    assert_eq!(line_of(AccessFormat::Common, Room::FILE, &RECORD), start);
    assert_eq!(combined(&RECORD), format!(r#"{start} "http://example.org/" "Mozilla/5.0""#));
    let bare = Record { user: Some(b"eve"), sent: 0, referer: None, agent: None, ..RECORD };
    let expected =
        r#"192.0.2.7 - eve [06/Nov/1994:09:49:37 +0100] "GET /a?b=c HTTP/1.1" 200 - "-" "-""#;
    assert_eq!(combined(&bare), expected);
}

#[test]
fn json_has_all_there_is() {
    let expected = json!({
        "time": "1994-11-06T09:49:37.000042+01:00",
        "peer": "192.0.2.7",
        "user": null,
        "host": "example.org:8000",
        "method": "GET",
        "target": "/a?b=c",
        "protocol": "HTTP/1.1",
        "referer": "http://example.org/",
        "user_agent": "Mozilla/5.0",
        "status": 200,
        "bytes": 512,
        "duration_us": 1500,
        "pid": 77,
    });
    assert_eq!(parsed(Room::FILE, &RECORD), expected);
    let empty = parsed(Room::FILE, &Record { status: 408, ..Record::default() });
    for key in ["peer", "user", "host", "method", "target", "protocol", "referer", "user_agent"] {
        assert_eq!(empty[key], Value::Null, "{key}");
    }
}

#[test]
fn what_is_unknown_is_a_dash() {
    let unread = Record { status: 400, target: b"\x16\x03\x01 \"", ..Record::default() };
    let expected = r#"- - - [06/Nov/1994:09:49:37 +0100] "\x16\x03\x01 \"" 400 -"#;
    assert_eq!(line_of(AccessFormat::Common, Room::FILE, &unread), expected);
    let nothing = Record { status: 408, ..Record::default() };
    let expected = r#"- - - [06/Nov/1994:09:49:37 +0100] "-" 408 -"#;
    assert_eq!(line_of(AccessFormat::Common, Room::FILE, &nothing), expected);
}

#[test]
fn nothing_a_client_says_ends_a_field_or_a_line() {
    let forged = b"x\" 200 1 \"-\" \"-\"\r\n192.0.2.9 - - [06/Nov/1994:09:49:37 +0100] \"GET /";
    let record = Record { agent: Some(forged), ..RECORD };
    assert!(combined(&record).ends_with(
        r#" "x\" 200 1 \"-\" \"-\"\r\n192.0.2.9 - - [06/Nov/1994:09:49:37 +0100] \"GET /""#
    ));
    assert_eq!(parsed(Room::FILE, &record)["user_agent"], std::str::from_utf8(forged).unwrap());
    let record = Record { agent: Some(b"\\\x08\t\x0b\x0c\x1b[31m\x7f\xc3\xa9\xff"), ..RECORD };
    assert!(combined(&record).ends_with(r#" "\\\b\t\v\x0c\x1b[31m\x7f\xc3\xa9\xff""#));
    let line = line_of(AccessFormat::Json, Room::FILE, &record);
    let expected = r#""user_agent":"\\\u0008\u0009\u000b\u000c\u001b[31m\u007f\u00e9\ufffd""#;
    assert!(line.contains(expected), "{line}");
    // Where no quotes stand around it, a space would begin another field.
    let record = Record { peer: b"a b", user: Some(b"c [d"), ..RECORD };
    assert!(combined(&record).starts_with(r"a\x20b - c\x20[d [06/Nov"));
}

#[test]
fn what_is_too_long_is_cut_between_escapes() {
    let long = b"\"".repeat(5000);
    let record = Record { target: &long, ..RECORD };
    let line = line_of(AccessFormat::Common, Room::PIPE, &record);
    let quotes = "\\\"".repeat(898);
    assert!(line.contains(&format!("\"GET {quotes}... HTTP/1.1\"")), "{line}");
    let target = parsed(Room::PIPE, &record)["target"].as_str().unwrap().to_owned();
    assert_eq!(target, format!("{}...", "\"".repeat(898)));
    assert_eq!(parsed(Room::FILE, &record)["target"].as_str().unwrap().len(), 5000);
    let just = b"a".repeat(Room::PIPE.target);
    let record = Record { target: &just, ..RECORD };
    assert_eq!(parsed(Room::PIPE, &record)["target"].as_str().unwrap().len(), just.len());
}

#[test]
fn only_whole_lines_are_written_together() {
    for (lines, longest, expected) in [
        ("", 4, 0),
        ("ab\n", 4, 3),
        ("ab\ncd\n", 4, 3),
        ("ab\ncd\n", 6, 6),
        ("ab\ncd\nef\n", 8, 6),
        ("abcdef\ngh\n", 4, 7),
        ("abcdef", 4, 6),
    ] {
        assert_eq!(whole_lines(lines.as_bytes(), longest), expected, "{lines:?}");
    }
}

/// A line of `combined` read back as its fields; quotes may be escaped in those that have some.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (open, close) = match rest.chars().next()? {
            '"' => (1, '"'),
            // Only a time stands in brackets; an address may begin with one.
            '[' if fields.len() == 3 => (1, ']'),
            _ => (0, ' '),
        };
        let mut escaped = false;
        let end = rest[open..].find(|character| {
            let is_end = character == close && !escaped;
            escaped = character == '\\' && !escaped;
            is_end
        });
        let end = end.map_or(rest.len(), |end| end + open);
        fields.push(rest[open..end].to_owned());
        let behind = rest.get(end + open..)?;
        if behind.is_empty() {
            return Some(fields);
        }
        rest = behind.strip_prefix(' ')?;
    }
}

proptest! {
    #[test]
    fn lines_are_read_back_as_they_were_meant(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 7),
        status in 100_u16..600,
        sent: u64,
    ) {
        let record = Record {
            peer: &texts[0], user: Some(&texts[1]), method: &texts[2], target: &texts[3],
            referer: Some(&texts[4]), agent: Some(&texts[5]), host: Some(&texts[6]), status, sent, ..RECORD
        };
        let line = combined(&record);
        prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        let fields = fields(&line).unwrap();
        prop_assert_eq!(fields.len(), 9, "{}", line);
        prop_assert_eq!(&fields[5], &status.to_string());
        let json = parsed(Room::FILE, &record);
        for (key, text) in [("referer", &texts[4]), ("user_agent", &texts[5]), ("host", &texts[6])] {
            prop_assert_eq!(json[key].as_str().unwrap(), String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn lines_for_a_pipe_are_short(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 7),
        long: bool,
    ) {
        let texts: Vec<Vec<u8>> = texts.into_iter().map(|text| if long { b"\"\x01".repeat(3000) } else { text }).collect();
        let record = Record {
            peer: &texts[0], user: Some(&texts[1]), method: &texts[2], target: &texts[3], protocol: &texts[3],
            referer: Some(&texts[4]), agent: Some(&texts[5]), host: Some(&texts[6]), status: u16::MAX, sent: u64::MAX,
            micros: u32::MAX, duration: u64::MAX, pid: u32::MAX,
        };
        for format in [AccessFormat::Common, AccessFormat::Combined, AccessFormat::Json] {
            // The line's end comes on top.
            prop_assert!(line_of(format, Room::PIPE, &record).len() < LONGEST);
        }
    }
}
