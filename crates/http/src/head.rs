//! The head of a request, as RFC 9112 has it and nothing looser.
//!
//! `httparse` reads it; what it lets pass for the sake of old clients is refused here: line ends other than CR LF, and
//! everything that makes two servers see two different ends of a request (sections 2.2, 5, 6.1 and 6.3).

use std::mem::MaybeUninit;

use memchr::{memchr, memchr_iter};

use crate::refusal::Refusal;

/// Fields that are read without memory of their own.
const FEW: usize = 128;
/// How many bytes of empty lines may stand before a request: a client that sends a line end too much is known, one that sends
/// nothing else is not.
const MOST_EMPTY: usize = 8;

/// What a head may be at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The request line, in bytes.
    pub line: usize,
    /// The head, in bytes.
    pub head: usize,
    /// The number of fields.
    pub fields: usize,
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// As it stands in `SERVER_PROTOCOL`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// How long a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none, or it is this long.
    Known(u64),
    /// It comes in chunks.
    Chunked,
}

/// One field.
pub type Field<'a> = (&'a str, &'a [u8]);

/// A head that may be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The method, as it came.
    pub method: &'a str,
    /// The target, as it came.
    pub target: &'a str,
    /// The path of the target, not decoded; `*` for `OPTIONS *`.
    pub path: &'a str,
    /// What stands behind the question mark.
    pub query: &'a str,
    /// The host that the target names itself (absolute form, section 3.2.2; `:authority` in HTTP/2), which counts instead of the
    /// Host field.
    pub authority: Option<&'a str>,
    /// The version of HTTP that it came by.
    pub version: Version,
    /// The fields in their order.
    pub fields: Fields<'a>,
    /// How many bytes the head takes.
    pub size: usize,
    /// The body's length.
    pub body: BodyLength,
    /// Whether the client wants the connection to go on behind the answer.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// Fields, of which few need no memory of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a>(pub(crate) smallvec::SmallVec<[Field<'a>; 24]>);

impl<'a> std::ops::Deref for Fields<'a> {
    type Target = [Field<'a>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> Head<'a> {
    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|field| field.1)
    }
}

/// Reads the head at the front of `bytes`; `None` when it is not whole yet. Empty lines before it are passed over
/// (section 2.2) and count as its own.
///
/// # Errors
/// What is no request, or exceeds a limit; the connection cannot go on then.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<Head<'a>>, Refusal> {
    read(bytes, limits, |head| Ok(head.clone()))
}

/// As [`parse`], for who only looks at the head: it is too large to be moved about for each request.
///
/// # Errors
/// As [`parse`], and those of `then`.
pub fn read<'a, T>(
    bytes: &'a [u8],
    limits: &Limits,
    then: impl FnOnce(&Head<'a>) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let mut few = [const { MaybeUninit::uninit() }; FEW];
    if limits.fields <= FEW {
        return read_into(bytes, limits, &mut few[..limits.fields], then);
    }
    let mut many = vec![MaybeUninit::uninit(); limits.fields];
    read_into(bytes, limits, &mut many, then)
}

fn read_into<'a, T>(
    bytes: &'a [u8],
    limits: &Limits,
    room: &mut [MaybeUninit<httparse::Header<'a>>],
    then: impl FnOnce(&Head<'a>) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, room);
    let size = match parsed {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return check_partial(bytes, limits).map(|()| None),
        // Which version it is, only the whole line tells.
        Err(httparse::Error::Version) if !has_line(bytes) => {
            return check_partial(bytes, limits).map(|()| None);
        }
        Err(error) => return Err(refuse(error, bytes, limits)),
    };
    check_lines(&bytes[..size])?;
    check_size(&bytes[..size], limits)?;
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Refusal::BAD_LINE);
    };
    let mut facts = Facts::new(minor);
    for header in request.headers.iter() {
        facts.note(header.name, header.value)?;
    }
    let target = Target::parse(method, target)?;
    let (body, keep_alive) = facts.conclude()?;
    let head = Head {
        method,
        target: target.whole,
        path: target.path,
        query: target.query,
        authority: target.authority,
        version: if minor == 0 { Version::Http10 } else { Version::Http11 },
        fields: Fields(request.headers.iter().map(|one| (one.name, one.value)).collect()),
        size,
        body,
        keep_alive,
        expects_continue: facts.expects_continue && minor > 0 && body != BodyLength::Known(0),
    };
    then(&head).map(Some)
}

/// Whether every line ends with CR LF and neither stands alone (section 2.2: a lone LF may be taken for a line end, and is
/// where servers differ).
fn check_lines(head: &[u8]) -> Result<(), Refusal> {
    let stands_alone = |(byte, next): (&u8, &u8)| (*byte == b'\r') != (*next == b'\n');
    let behind = head.get(1..).unwrap_or_default();
    // A fold looks at many bytes at a time.
    let any = head.iter().zip(behind).fold(false, |any, pair| any | stands_alone(pair));
    if any || head.first() == Some(&b'\n') || head.last() == Some(&b'\r') {
        return Err(Refusal::BAD_LINE_END);
    }
    Ok(())
}

fn check_size(head: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(head.len());
    if start > MOST_EMPTY {
        return Err(Refusal::BAD_LINE);
    }
    // All of it is no longer than a line may be, nearly always.
    let is_short = head.len() <= limits.line;
    let line = if is_short { None } else { memchr(b'\n', &head[start..]) };
    let line = line.unwrap_or(head.len());
    if line > limits.line {
        Err(Refusal::LONG_LINE)
    } else if head.len() > limits.head {
        Err(Refusal::LONG_HEAD)
    } else {
        Ok(())
    }
}

/// Whether the first line is whole.
fn has_line(bytes: &[u8]) -> bool {
    memchr(b'\n', bytes.trim_ascii_start()).is_some()
}

/// A head that is not whole yet: too long already, or wrong already?
fn check_partial(bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
    check_size(bytes, limits)?;
    let lone_feed = memchr_iter(b'\n', bytes).any(|at| at == 0 || bytes[at - 1] != b'\r');
    if lone_feed { Err(Refusal::BAD_LINE_END) } else { Ok(()) }
}

fn refuse(error: httparse::Error, bytes: &[u8], limits: &Limits) -> Refusal {
    if let Err(too_long) = check_size(bytes, limits) {
        return too_long;
    }
    match error {
        httparse::Error::TooManyHeaders => Refusal::MANY_FIELDS,
        httparse::Error::Version if names_other_version(bytes) => Refusal::OTHER_VERSION,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Refusal::BAD_FIELD,
        httparse::Error::NewLine => Refusal::BAD_LINE_END,
        _ => Refusal::BAD_LINE,
    }
}

/// Whether the first line ends with a version of HTTP, only not with one that is spoken here.
fn names_other_version(bytes: &[u8]) -> bool {
    let line = bytes.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let word = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let version = word.strip_prefix(b"HTTP/");
    version.is_some_and(|number| {
        matches!(number, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
    })
}

/// What the fields say of body and connection.
struct Facts {
    minor: u8,
    hosts: u32,
    length: Option<u64>,
    chunked: Option<bool>,
    close: bool,
    keep: bool,
    expects_continue: bool,
}

impl Facts {
    fn new(minor: u8) -> Self {
        Self {
            minor,
            hosts: 0,
            length: None,
            chunked: None,
            close: false,
            keep: false,
            expects_continue: false,
        }
    }

    fn note(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        // The lengths keep most names from being compared at all.
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 if is("Host") => {
                self.hosts += 1;
                check_host(value)
            }
            6 if is("Expect") => self.note_expectation(value),
            10 if is("Connection") => {
                self.note_options(value);
                Ok(())
            }
            14 if is("Content-Length") => self.note_length(value),
            17 if is("Transfer-Encoding") => self.note_coding(value),
            _ => Ok(()),
        }
    }

    fn note_expectation(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if !value.trim_ascii().eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::EXPECTATION);
        }
        self.expects_continue = true;
        Ok(())
    }

    fn note_options(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Section 6.3: one length, of digits alone. A second one is refused even if it is the same.
    fn note_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        match (read_length(value), self.length) {
            (Some(number), None) => {
                self.length = Some(number);
                Ok(())
            }
            _ => Err(Refusal::BAD_LENGTH),
        }
    }

    /// Section 6.1: chunked is the only coding that is known; a second field, or a list, is another one.
    fn note_coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked.is_some() {
            return Err(Refusal::BAD_CODING);
        }
        let chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
        self.chunked = Some(chunked);
        Ok(())
    }

    fn conclude(&self) -> Result<(BodyLength, bool), Refusal> {
        if self.hosts > 1 || (self.hosts == 0 && self.minor > 0) {
            return Err(Refusal::BAD_HOST);
        }
        let body = match (self.chunked, self.length) {
            // What every smuggled request begins with.
            (Some(_), Some(_)) => return Err(Refusal::TWO_LENGTHS),
            (Some(_), _) if self.minor == 0 => return Err(Refusal::BAD_CODING),
            (Some(false), None) => return Err(Refusal::OTHER_CODING),
            (Some(true), None) => BodyLength::Chunked,
            (None, length) => BodyLength::Known(length.unwrap_or(0)),
        };
        let keep_alive = !self.close && (self.minor > 0 || self.keep);
        Ok((body, keep_alive))
    }
}

/// The value of a Content-Length field, of digits alone.
pub(crate) fn read_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let number = digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    // Beyond what any file or memory can be, numbers are a problem of whoever calculates with them.
    number.filter(|number| !digits.is_empty() && i64::try_from(*number).is_ok())
}

/// What a host and its port are made of.
const PART_OF_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut marks = b"-._~%!$&'()*+;=:[]".as_slice();
    while let [first, rest @ ..] = marks {
        table[*first as usize] = true;
        marks = rest;
    }
    table
};

/// Section 3.2 and RFC 3986, section 3.2.2: a host is a name or an address and perhaps a port; what could be taken for a path, a
/// user or a list is neither.
pub(crate) fn check_host(value: &[u8]) -> Result<(), Refusal> {
    let is_part = |byte: &u8| PART_OF_HOST[usize::from(*byte)];
    let value = value.trim_ascii();
    let port = value.iter().rposition(|byte| matches!(byte, b':' | b']'));
    let port = port.filter(|at| value[*at] == b':').map_or(&b""[..], |at| &value[at + 1..]);
    let is_host = value.iter().all(is_part) && port.iter().all(u8::is_ascii_digit);
    if is_host { Ok(()) } else { Err(Refusal::BAD_HOST) }
}

/// A request's target (section 3.2).
pub(crate) struct Target<'a> {
    pub(crate) whole: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    authority: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(crate) fn parse(method: &str, whole: &'a str) -> Result<Self, Refusal> {
        if method == "CONNECT" {
            return Err(Refusal::CONNECT);
        }
        if whole == "*" {
            let own = Self { whole, path: whole, query: "", authority: None };
            return if method == "OPTIONS" { Ok(own) } else { Err(Refusal::BAD_TARGET) };
        }
        // Nearly all targets begin with their path.
        let absolute = if whole.starts_with('/') { None } else { absolute(whole) };
        let (authority, rest) = match absolute {
            Some((authority, rest)) => (Some(authority), rest),
            None => (None, whole),
        };
        let rest = if rest.is_empty() && authority.is_some() { "/" } else { rest };
        let question = memchr(b'?', rest.as_bytes());
        let (path, query) = question.map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
        let path = if path.is_empty() && authority.is_some() { "/" } else { path };
        // A fragment is never sent (RFC 9110, section 7.1), and what is not ASCII is escaped (RFC 3986, section 2).
        let has_fragment = rest.bytes().fold(false, |any, byte| any | (byte == b'#'));
        if !path.starts_with('/') || has_fragment || !whole.is_ascii() {
            return Err(Refusal::BAD_TARGET);
        }
        if let Some(authority) = authority {
            check_host(authority.as_bytes())?;
        }
        Ok(Self { whole, path, query, authority })
    }
}

/// The authority of a target in absolute form, and what follows it.
fn absolute(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    (known && end > 0).then(|| rest.split_at(end))
}

#[cfg(test)]
mod tests;
