use super::*;
use proptest::prelude::*;

const TAG: &str = "\"abc\"";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const FILE: Validators<'_> = Validators { tag: TAG, modified: Some(784_111_777) };
/// A file that was changed in this second.
const FRESH: Validators<'_> = Validators { tag: TAG, modified: None };

/// The fields of a request: name and value, one a line.
fn fields(lines: &str) -> Fields<'_> {
    let lines = lines.lines().map(|line| line.split_once(": ").unwrap());
    Fields::collect(lines.map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

fn check(lines: &str, expected: Verdict) {
    assert_eq!(judge(&fields(lines), FILE), expected, "{lines}");
}

#[test]
fn if_none_match_compares_weakly() {
    for list in ["\"abc\"", "W/\"abc\"", "*", " * ", "\"x\", \"abc\"", "\"x\",,W/\"abc\" ,\"y\""] {
        check(&format!("If-None-Match: {list}"), Verdict::NotModified);
    }
    for list in [
        "",
        "abc",
        "\"ABC\"",
        "\"abc",
        "abc\"",
        "\"abc\"x",
        "w/\"abc\"",
        "W/ \"abc\"",
        "\"x\" \"abc\"",
        "x, \"abc\"",
        "*, \"x\"",
        "\"a,b\"",
        "\"x,\"abc\"\"",
        "'abc'",
    ] {
        check(&format!("If-None-Match: {list}"), Verdict::Proceed);
    }
}

#[test]
fn if_match_compares_strongly() {
    for list in ["\"abc\"", "*", "\"x\", \"abc\"", "W/\"abc\", \"abc\""] {
        check(&format!("If-Match: {list}"), Verdict::Proceed);
    }
    for list in ["", "W/\"abc\"", "\"x\"", "abc", "\"a b\", \"abc\""] {
        check(&format!("If-Match: {list}"), Verdict::Failed);
    }
}

#[test]
fn dates_are_compared_by_the_second() {
    for (name, date, expected) in [
        ("If-Modified-Since", BEFORE, Verdict::Proceed),
        ("If-Modified-Since", THEN, Verdict::NotModified),
        ("If-Modified-Since", AFTER, Verdict::NotModified),
        ("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT", Verdict::NotModified),
        ("If-Modified-Since", "Sun Nov  6 08:49:37 1994", Verdict::NotModified),
        ("If-Modified-Since", "yesterday", Verdict::Proceed),
        ("If-Unmodified-Since", BEFORE, Verdict::Failed),
        ("If-Unmodified-Since", THEN, Verdict::Proceed),
        ("If-Unmodified-Since", AFTER, Verdict::Proceed),
        ("If-Unmodified-Since", "yesterday", Verdict::Proceed),
    ] {
        check(&format!("{name}: {date}"), expected);
    }
    check(&format!("If-Modified-Since: {THEN}\nIf-Modified-Since: {THEN}"), Verdict::Proceed);
}

#[test]
fn a_file_that_changes_now_is_known_by_its_tag_only() {
    let verdict = |lines: &str| judge(&fields(lines), FRESH);
    assert_eq!(verdict(&format!("If-Modified-Since: {AFTER}")), Verdict::Proceed);
    assert_eq!(verdict(&format!("If-Unmodified-Since: {AFTER}")), Verdict::Failed);
    assert_eq!(verdict("If-None-Match: \"abc\""), Verdict::NotModified);
    assert!(!range_counts(&fields(&format!("If-Range: {THEN}")), FRESH));
    assert!(range_counts(&fields("If-Range: \"abc\""), FRESH));
}

/// Section 13.2.2: tags stand before dates, and what forbids before what saves a transfer.
#[test]
fn the_order_of_conditions() {
    for (lines, expected) in [
        ("", Verdict::Proceed),
        ("If-Match: \"abc\"\nIf-Unmodified-Since: {BEFORE}", Verdict::Proceed),
        ("If-Match: \"x\"\nIf-Unmodified-Since: {AFTER}", Verdict::Failed),
        ("If-None-Match: \"x\"\nIf-Modified-Since: {AFTER}", Verdict::Proceed),
        ("If-None-Match: \"abc\"\nIf-Modified-Since: {BEFORE}", Verdict::NotModified),
        ("If-Match: \"x\"\nIf-None-Match: \"abc\"", Verdict::Failed),
        ("If-Match: \"abc\"\nIf-None-Match: \"abc\"", Verdict::NotModified),
        ("If-Unmodified-Since: {BEFORE}\nIf-None-Match: \"abc\"", Verdict::Failed),
        ("If-Unmodified-Since: {AFTER}\nIf-Modified-Since: {AFTER}", Verdict::NotModified),
        ("If-Match: \"abc\"\nIf-Modified-Since: {AFTER}", Verdict::NotModified),
    ] {
        check(&lines.replace("{BEFORE}", BEFORE).replace("{AFTER}", AFTER), expected);
    }
}

#[test]
fn if_range_names_this_very_state() {
    let counts = |value: &str| range_counts(&fields(&format!("If-Range: {value}")), FILE);
    assert!(range_counts(&fields(""), FILE));
    for value in ["\"abc\"", THEN, "Sunday, 06-Nov-94 08:49:37 GMT"] {
        assert!(counts(value), "{value}");
    }
    for value in ["", "*", "W/\"abc\"", "\"x\"", "\"abc\", \"x\"", "\"abc\" ", BEFORE, AFTER, "abc"]
    {
        assert!(!counts(value), "{value}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
        for name in ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"] {
            let fields = Fields::collect([(name.as_bytes(), &value[..])]);
            judge(&fields, FILE);
            range_counts(&fields, FILE);
        }
    }

    #[test]
    fn a_tag_is_found_wherever_it_stands(
        before in prop::collection::vec("(W/)?\"[!#-~]{0,6}\"", 0..4),
        after in prop::collection::vec("(W/)?\"[!#-~]{0,6}\"", 0..4),
    ) {
        let all: Vec<_> = before.iter().map(String::as_str).chain([TAG]).chain(after.iter().map(String::as_str)).collect();
        let line = format!("If-None-Match: {}", all.join(", "));
        prop_assert_eq!(judge(&fields(&line), FILE), Verdict::NotModified);
    }
}
