//! Times of requests, as the log writes them.

use std::io::Write as _;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAY: i64 = 86_400;

/// A second, written for the log once and kept by who writes lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    second: u64,
    /// `[06/Nov/1994:08:49:37 +0000]`.
    apache: String,
    /// `1994-11-06T08:49:37`.
    moment: String,
    /// `+00:00`.
    zone: String,
}

impl Stamp {
    /// A second since 1970, where the local time is `offset` seconds before that of Greenwich.
    #[must_use]
    pub fn new(second: u64, offset: i32) -> Self {
        let local = i64::try_from(second).unwrap_or(0).saturating_add(i64::from(offset));
        let (year, month, day) = date(local.div_euclid(DAY));
        let clock = local.rem_euclid(DAY);
        let (hour, minute, of_minute) = (clock / 3600, clock / 60 % 60, clock % 60);
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs() / 60;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let name = MONTHS[month - 1];
        let time = format!("{hour:02}:{minute:02}:{of_minute:02}");
        Self {
            second,
            apache: format!("[{day:02}/{name}/{year:04}:{time} {sign}{hours:02}{minutes:02}]"),
            moment: format!("{year:04}-{month:02}-{day:02}T{time}"),
            zone: format!("{sign}{hours:02}:{minutes:02}"),
        }
    }

    /// The stamp of a second since 1970; `offset` is asked for the zone's offset in seconds only where it is another
    /// second than last.
    pub fn at(&mut self, second: u64, offset: impl FnOnce(u64) -> i32) -> &Self {
        if second != self.second {
            *self = Self::new(second, offset(second));
        }
        self
    }

    /// As Apache's `%t`.
    #[must_use]
    pub fn apache(&self) -> &[u8] {
        self.apache.as_bytes()
    }

    /// As RFC 3339 has it, with microseconds.
    pub fn push_json(&self, micros: u32, out: &mut Vec<u8>) {
        // Writing to memory never fails.
        let _ = write!(out, "{}.{:06}{}", self.moment, micros.min(999_999), self.zone);
    }
}

/// Year, month and day of a day since 1970 in the Gregorian calendar. Years are counted from March, so that the day
/// that leap years add is their last.
fn date(day: i64) -> (i64, usize, i64) {
    const CENTURIES: i64 = 146_097;
    const TO_MARCH_OF_0: i64 = 719_468;
    let day = day + TO_MARCH_OF_0;
    let (era, of_era) = (day.div_euclid(CENTURIES), day.rem_euclid(CENTURIES));
    let leaps = of_era / 1460 - of_era / 36_524 + of_era / 146_096;
    let year = (of_era - leaps) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let is_next = month >= 10;
    let month = if is_next { month - 9 } else { month + 3 };
    (400 * era + year + i64::from(is_next), usize::try_from(month).unwrap_or(1), of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(stamp: &Stamp, micros: u32) -> String {
        let mut out = Vec::new();
        stamp.push_json(micros, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_local() {
        for (second, offset, apache, moment) in [
            (0, 0, "[01/Jan/1970:00:00:00 +0000]", "1970-01-01T00:00:00.000007+00:00"),
            (784_111_777, 3600, "[06/Nov/1994:09:49:37 +0100]", "1994-11-06T09:49:37.000007+01:00"),
            (
                784_111_777,
                -12_600,
                "[06/Nov/1994:05:19:37 -0330]",
                "1994-11-06T05:19:37.000007-03:30",
            ),
            (0, -3600, "[31/Dec/1969:23:00:00 -0100]", "1969-12-31T23:00:00.000007-01:00"),
            (951_782_399, 1, "[29/Feb/2000:00:00:00 +0000]", "2000-02-29T00:00:00.000007+00:00"),
            (4_107_542_400, 0, "[01/Mar/2100:00:00:00 +0000]", "2100-03-01T00:00:00.000007+00:00"),
        ] {
            let stamp = Stamp::new(second, offset);
            assert_eq!(std::str::from_utf8(stamp.apache()), Ok(apache));
            assert_eq!(json(&stamp, 7), moment);
        }
    }

    #[test]
    fn the_zone_is_asked_for_once_a_second() {
        let mut stamp = Stamp::new(5, 0);
        assert_eq!(stamp.at(5, |_| panic!("known")), &Stamp::new(5, 0));
        assert_eq!(stamp.at(6, |second| i32::try_from(second).unwrap() * 60), &Stamp::new(6, 360));
        assert_eq!(stamp.at(6, |_| panic!("known")), &Stamp::new(6, 360));
    }

    proptest! {
        #[test]
        fn dates_are_those_of_http(second in 0_u64..253_402_300_799) {
            let http = crate::date::format(second);
            let words: Vec<_> = http.split([' ', ',']).filter(|word| !word.is_empty()).collect();
            let expected = format!("[{}/{}/{}:{} +0000]", words[1], words[2], words[3], words[4]);
            let stamp = Stamp::new(second, 0);
            prop_assert_eq!(std::str::from_utf8(stamp.apache()), Ok(&*expected));
        }

        #[test]
        fn no_number_makes_it_panic(second: u64, offset: i32, micros: u32) {
            json(&Stamp::new(second, offset), micros);
        }
    }
}
