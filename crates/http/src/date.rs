//! Dates as HTTP writes them (RFC 9110, section 5.6.7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The length of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
const LENGTH: usize = 29;

/// The last second that four digits of a year can name: the end of 9999.
const LAST: u64 = 253_402_300_799;

/// The value of `Date`, made anew once a second.
#[derive(Debug, Clone, Copy)]
pub struct Date {
    second: u64,
    text: [u8; LENGTH],
}

impl Default for Date {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Date {
    /// The date of a time in seconds since 1970.
    #[must_use]
    pub fn new(second: u64) -> Self {
        let mut text = [0; LENGTH];
        text.copy_from_slice(format(second).as_bytes());
        Self { second, text }
    }

    /// The text for the time it was asked for last.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// As [`Date::at`], as a copy that stays as it is.
    #[must_use]
    pub fn at_copy(&mut self, second: u64) -> Self {
        self.at(second);
        *self
    }

    /// The date of a time in seconds since 1970; free of cost while that is the second it was asked for last.
    pub fn at(&mut self, second: u64) -> &[u8] {
        if second != self.second {
            *self = Self::new(second);
        }
        &self.text
    }
}

/// A time in seconds since 1970 in the form that HTTP prefers (IMF-fixdate); years beyond 9999 become its end.
#[must_use]
pub fn format(second: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second.min(LAST)))
}

/// A date in any of the three forms that HTTP has had, in seconds since 1970; `None` for anything else, which
/// includes dates before 1970.
#[must_use]
pub fn parse(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of RFC 9110.
    const EXAMPLE: u64 = 784_111_777;

    #[test]
    fn all_three_forms_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(EXAMPLE), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "0",
            "784111777",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "1994-11-06T08:49:37Z",
            "\u{e9}",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GM\xff"), None);
    }

    #[test]
    fn the_date_follows_the_second() {
        let mut date = Date::new(EXAMPLE);
        assert_eq!(date.at(EXAMPLE), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date.at(EXAMPLE + 1), b"Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(date.at(EXAMPLE), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(format(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(second in 0..=LAST) {
            let text = format(second);
            prop_assert_eq!(text.len(), LENGTH);
            prop_assert_eq!(parse(text.as_bytes()), Some(second));
        }

        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&text);
        }
    }
}
