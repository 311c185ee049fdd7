//! Which compressed copy of a file a client takes: `Accept-Encoding` (RFC 9110, section 12.5.3).

/// A content coding of which a file may have a copy beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Zstandard,
    Gzip,
}

/// Those there are; where a client likes several as much, the first counts.
const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstandard, Coding::Gzip];

impl Coding {
    /// Its name in `Content-Encoding`.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstandard => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What the copy's name has behind the file's.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstandard => ".zst",
            Self::Gzip => ".gz",
        }
    }

    fn is_named(self, token: &[u8]) -> bool {
        token.eq_ignore_ascii_case(self.token().as_bytes())
            || (self == Self::Gzip && token.eq_ignore_ascii_case(b"x-gzip"))
    }
}

/// How much a client likes something, in thousandths; 0 not at all.
type Weight = u16;

/// The codings that a client takes and likes as much as the file itself, the best first.
///
/// A client that refuses the file itself (`identity;q=0`) and all copies there are gets it all the same: clients write
/// `*;q=0` where they mean other codings.
pub(super) fn accepted(field: Option<&[u8]>) -> impl Iterator<Item = Coding> {
    let field = field.unwrap_or_default();
    let identity = weight(field, |token| token.eq_ignore_ascii_case(b"identity")).unwrap_or(0);
    let any = weight(field, |token| token == b"*").unwrap_or(0);
    let mut ranked = CODINGS
        .map(|coding| (weight(field, |token| coding.is_named(token)).unwrap_or(any), coding));
    ranked.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let welcome = move |(weight, _): &(Weight, Coding)| *weight > 0 && *weight >= identity;
    ranked.into_iter().filter(welcome).map(|(_, coding)| coding)
}

/// The weight of the first element whose token is meant; elements that are malformed are none.
fn weight(field: &[u8], is_meant: impl Fn(&[u8]) -> bool) -> Option<Weight> {
    field.split(|byte| *byte == b',').find_map(|element| {
        let (token, weight) = match element.iter().position(|byte| *byte == b';') {
            Some(at) => (&element[..at], parse_weight(&element[at + 1..])?),
            None => (element, 1000),
        };
        is_meant(token.trim_ascii()).then_some(weight)
    })
}

/// `q=0.5` as 500, with at most three digits behind the dot.
fn parse_weight(parameter: &[u8]) -> Option<Weight> {
    let parameter = parameter.trim_ascii();
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, behind) = match value {
        [whole] => (*whole, &[][..]),
        [whole, b'.', behind @ ..] => (*whole, behind),
        _ => return None,
    };
    if behind.len() > 3 || !behind.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| behind.get(at).map_or(0, |byte| Weight::from(byte - b'0'));
    let thousandths = digit(0) * 100 + digit(1) * 10 + digit(2);
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(field: &str) -> String {
        let tokens: Vec<_> = accepted(Some(field.as_bytes())).map(Coding::token).collect();
        tokens.join(" ")
    }

    #[test]
    fn weights_decide_and_then_the_order_here() {
        for (field, expected) in [
            ("", ""),
            ("gzip", "gzip"),
            ("GZip", "gzip"),
            ("x-gzip", "gzip"),
            ("gzip, deflate, br, zstd", "br zstd gzip"),
            ("gzip;q=1.0, br;q=0.5", "gzip br"),
            ("br;q=0, gzip", "gzip"),
            ("br;q=0.000,gzip;q=0.001", "gzip"),
            ("*", "br zstd gzip"),
            ("*;q=0", ""),
            ("gzip, *;q=0", "gzip"),
            ("gzip;q=0, *", "br zstd"),
            ("gzip;q=0.2, *;q=0.1", "gzip br zstd"),
            ("identity", ""),
            ("identity, gzip;q=0.5", ""),
            ("identity;q=0.5, gzip", "gzip"),
            ("identity, gzip", "gzip"),
            ("identity;q=0", ""),
            ("br ; q=0.3 , gzip\t;\tq=0.4", "gzip br"),
            (",, gzip ,,", "gzip"),
            ("deflate, compress", ""),
        ] {
            assert_eq!(tokens(field), expected, "{field:?}");
        }
        assert_eq!(accepted(None).count(), 0);
    }

    #[test]
    fn elements_that_are_malformed_are_none() {
        for field in [
            "gzip;q=",
            "gzip;q=2",
            "gzip;q=1.1",
            "gzip;q=1.001",
            "gzip;q=0.1234",
            "gzip;q=.5",
            "gzip;q=-1",
            "gzip;q=0,5x",
            "gzip;level=9",
            "gzip;q=1;q=1",
            "gzip q=1",
            "g zip",
        ] {
            assert_eq!(tokens(field), "", "{field:?}");
        }
        assert_eq!(tokens("br;q=x, gzip;q=1.000, zstd;q=0."), "gzip");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(field in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = accepted(Some(&field)).count();
        }

        #[test]
        fn each_coding_appears_once_at_most(field in "[a-z*,;=.0-9 ]{0,30}(gzip|br|zstd|\\*)[;q=.0-9, ]{0,9}") {
            let found: Vec<_> = accepted(Some(field.as_bytes())).collect();
            prop_assert!(CODINGS.iter().all(|coding| found.iter().filter(|other| *other == coding).count() <= 1));
        }
    }
}
