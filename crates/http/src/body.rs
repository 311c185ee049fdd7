//! A request's body as it comes: so many bytes, or chunks (RFC 9112, sections 6 and 7.1).

use memchr::memchr;

use crate::head::BodyLength;
use crate::refusal::Refusal;

/// The longest line of a chunk's size with its extensions, and of a trailer field, in bytes.
const LONGEST_LINE: usize = 4096;
/// The most bytes of trailer fields, which nobody reads.
const LONGEST_TRAILER: usize = 65_536;
/// The most bytes of extensions, which nobody reads either, beyond as many as the body itself has.
const LONGEST_EXTENSIONS: u64 = 16_384;

/// Takes the body out of what comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    state: State,
    /// How long the body may be; `None` for any length.
    limit: Option<u64>,
    taken: u64,
    trailer: usize,
    extensions: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes are left of a body of known length.
    Plain(u64),
    /// A chunk's size comes.
    Size,
    /// So many bytes are left of a chunk.
    Chunk(u64),
    /// The line end behind a chunk comes.
    ChunkEnd,
    /// Trailer fields come, and an empty line.
    Trailer,
    /// It has ended.
    Ended,
    /// It was none.
    Refused(Refusal),
}

/// What was found at the front of what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// So many bytes are to be passed over.
    pub skip: usize,
    /// So many behind those are the body's.
    pub take: usize,
}

impl Decoder {
    /// A body of this length, of at most `limit` bytes.
    ///
    /// # Errors
    /// A length that is too long already.
    pub fn new(length: BodyLength, limit: Option<u64>) -> Result<Self, Refusal> {
        let state = match length {
            BodyLength::Known(0) => State::Ended,
            BodyLength::Known(length) if limit.is_some_and(|limit| length > limit) => {
                return Err(Refusal::LONG_BODY);
            }
            BodyLength::Known(length) => State::Plain(length),
            BodyLength::Chunked => State::Size,
        };
        Ok(Self { state, limit, taken: 0, trailer: 0, extensions: 0 })
    }

    /// Whether the body has ended.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How many bytes are left, where that is known.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Plain(left) => Some(left),
            State::Ended => Some(0),
            _ => None,
        }
    }

    /// How many bytes of the body have come.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Looks at the front of `bytes`. A step that skips and takes nothing means that more must come, or that the body has
    /// ended.
    ///
    /// # Errors
    /// What is no chunk, and a body that becomes too long; from then on always.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, Refusal> {
        let stepped = self.try_step(bytes);
        if let Err(refusal) = stepped {
            self.state = State::Refused(refusal);
        }
        stepped
    }

    fn try_step(&mut self, bytes: &[u8]) -> Result<Step, Refusal> {
        let mut skip = 0;
        loop {
            let rest = &bytes[skip..];
            match self.state {
                State::Plain(left) => {
                    let take = here(left, rest);
                    let left = left - take as u64;
                    self.state = if left == 0 { State::Ended } else { State::Plain(left) };
                    return self.took(skip, take);
                }
                State::Chunk(left) => {
                    let take = here(left, rest);
                    let left = left - take as u64;
                    self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                    return self.took(skip, take);
                }
                State::ChunkEnd => match rest {
                    [b'\r', b'\n', ..] => (skip, self.state) = (skip + 2, State::Size),
                    [] | [b'\r'] => return Ok(Step { skip, take: 0 }),
                    _ => return Err(Refusal::BAD_CHUNK),
                },
                State::Size => match line(rest, LONGEST_LINE)? {
                    Some(line) => {
                        let (size, extension) = size(line)?;
                        self.extend(extension)?;
                        self.state = self.chunk(size)?;
                        skip += line.len() + 2;
                    }
                    None => return Ok(Step { skip, take: 0 }),
                },
                State::Trailer => match line(rest, LONGEST_LINE)? {
                    Some(line) => {
                        self.pass_over(line)?;
                        skip += line.len() + 2;
                    }
                    None => return Ok(Step { skip, take: 0 }),
                },
                State::Ended => return Ok(Step { skip, take: 0 }),
                State::Refused(refusal) => return Err(refusal),
            }
        }
    }

    fn took(&mut self, skip: usize, take: usize) -> Result<Step, Refusal> {
        self.taken += take as u64;
        Ok(Step { skip, take })
    }

    /// Counts an extension: a byte of a body is not to cost thousands.
    fn extend(&mut self, extension: usize) -> Result<(), Refusal> {
        self.extensions += extension as u64;
        let most = self.taken.saturating_add(LONGEST_EXTENSIONS);
        if self.extensions > most { Err(Refusal::BAD_CHUNK) } else { Ok(()) }
    }

    fn chunk(&self, size: u64) -> Result<State, Refusal> {
        if size == 0 {
            return Ok(State::Trailer);
        }
        let whole = self.taken.checked_add(size).ok_or(Refusal::BAD_CHUNK)?;
        if self.limit.is_some_and(|limit| whole > limit) {
            return Err(Refusal::LONG_BODY);
        }
        Ok(State::Chunk(size))
    }

    /// Applications have no way to ask for trailer fields, so they are only counted.
    fn pass_over(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.trailer += line.len() + 2;
        if line.is_empty() {
            self.state = State::Ended;
        } else if self.trailer > LONGEST_TRAILER {
            return Err(Refusal::LONG_HEAD);
        } else if !is_field(line) {
            return Err(Refusal::BAD_FIELD);
        }
        Ok(())
    }
}

/// How many of `left` bytes are here.
fn here(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

/// The line at the front, without its end; `None` when its end has not come.
fn line(bytes: &[u8], longest: usize) -> Result<Option<&[u8]>, Refusal> {
    match memchr(b'\n', bytes) {
        Some(end) if end > longest => Err(Refusal::BAD_CHUNK),
        Some(end) => match bytes[..end].strip_suffix(b"\r") {
            Some(line) if !line.contains(&b'\r') => Ok(Some(line)),
            _ => Err(Refusal::BAD_CHUNK),
        },
        None if bytes.len() > longest => Err(Refusal::BAD_CHUNK),
        None => Ok(None),
    }
}

/// The size at the front of a chunk's line, and how long what follows is: hexadecimal digits, then nothing or an extension.
fn size(line: &[u8]) -> Result<(u64, usize), Refusal> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, rest) = line.split_at(digits);
    // RFC 9112, section 7.1.1: blanks may stand around the semicolon, and only there.
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let is_extension = rest.is_empty() || rest[blanks..].starts_with(b";");
    let odd = rest.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    if number.is_empty() || number.len() > 16 || !is_extension || odd {
        return Err(Refusal::BAD_CHUNK);
    }
    let text = str::from_utf8(number).map_err(|_| Refusal::BAD_CHUNK)?;
    let number = u64::from_str_radix(text, 16).map_err(|_| Refusal::BAD_CHUNK)?;
    Ok((number, rest.len()))
}

/// Whether a line is a field (RFC 9112, section 5): no folded one, no name with blanks behind it.
fn is_field(line: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name = memchr(b':', line).unwrap_or(0);
    let is_odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    name > 0 && line[..name].iter().all(is_token) && !line[name..].iter().any(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds pieces; what the body is, and what is left behind it.
    fn decode(length: BodyLength, pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>, bool), Refusal> {
        let mut decoder = Decoder::new(length, Some(1000))?;
        let (mut body, mut inbox) = (Vec::new(), Vec::new());
        for piece in pieces {
            inbox.extend_from_slice(piece);
            loop {
                let Step { skip, take } = decoder.step(&inbox)?;
                body.extend_from_slice(&inbox[skip..skip + take]);
                inbox.drain(..skip + take);
                if skip + take == 0 {
                    break;
                }
            }
        }
        Ok((body, inbox, decoder.is_ended()))
    }

    #[test]
    fn a_plain_body_ends_where_it_says() {
        let (body, rest, ended) = decode(BodyLength::Known(5), &[b"ab", b"cdeGET /"]).unwrap();
        assert_eq!((&body[..], &rest[..], ended), (&b"abcde"[..], &b"GET /"[..], true));
        assert!(!decode(BodyLength::Known(5), &[b"ab"]).unwrap().2);
    }

    #[test]
    fn chunks_are_found_wherever_they_are_cut() {
        let whole = b"3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\nrest";
        for cut in 0..whole.len() {
            let (body, rest, ended) =
                decode(BodyLength::Chunked, &[&whole[..cut], &whole[cut..]]).unwrap();
            assert_eq!((&body[..], &rest[..], ended), (&b"abc0123456789"[..], &b"rest"[..], true));
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(decode(BodyLength::Chunked, &single).unwrap().0, b"abc0123456789");
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bad in [
            &b"\r\nabc"[..],
            b"0x3\r\nabc\r\n",
            b"+3\r\nabc\r\n",
            b"-3\r\nabc\r\n",
            b" 3\r\nabc\r\n",
            b"3 \r\nabc\r\n",
            b"3\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3\r\nabc\rX",
            b"3;a\rb\r\nabc\r\n",
            b"3;a\0\r\nabc\r\n",
            b"10000000000000000\r\nabc",
            b"fffffffffffffffff\r\nabc",
            b"ffffffffffffffff\r\nabc",
            b"3,3\r\nabc\r\n",
            b"0\r\nX: y\n\r\n",
            b"0\r\nX: \x01\r\n\r\n",
            b"3\x0c;x\r\nabc\r\n",
            b"3 x\r\nabc\r\n",
            b"0\r\nGET / HTTP/1.1\r\n\r\n",
            b"0\r\nX : y\r\n\r\n",
            b"0\r\n: y\r\n\r\n",
            b"0\r\nX: y\r\n folded\r\n\r\n",
        ] {
            assert!(decode(BodyLength::Chunked, &[bad]).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn lines_and_trailers_have_limits() {
        let long = [&b"3;"[..], &[b'x'; 5000]].concat();
        assert_eq!(decode(BodyLength::Chunked, &[&long]), Err(Refusal::BAD_CHUNK));
        let extended = b"1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nx\r\n".repeat(900);
        assert_eq!(decode(BodyLength::Chunked, &[&extended]), Err(Refusal::BAD_CHUNK));
        let trailer = [&b"0\r\n"[..], &b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(3000)].concat();
        assert_eq!(decode(BodyLength::Chunked, &[&trailer]), Err(Refusal::LONG_HEAD));
    }

    #[test]
    fn what_was_refused_once_stays_refused() {
        let mut decoder = Decoder::new(BodyLength::Chunked, None).unwrap();
        assert_eq!(decoder.step(b"0\r\nno field\r\n"), Err(Refusal::BAD_FIELD));
        assert_eq!(decoder.step(b"\r\n\r\n"), Err(Refusal::BAD_FIELD));
        assert!(!decoder.is_ended());
    }

    #[test]
    fn a_body_that_is_too_long_is_refused_before_it_comes() {
        assert_eq!(Decoder::new(BodyLength::Known(11), Some(10)), Err(Refusal::LONG_BODY));
        let mut decoder = Decoder::new(BodyLength::Chunked, Some(10)).unwrap();
        assert_eq!(decoder.step(b"b\r\n"), Err(Refusal::LONG_BODY));
        let mut decoder = Decoder::new(BodyLength::Chunked, Some(10)).unwrap();
        assert_eq!(decoder.step(b"a\r\n0123456789\r\n").unwrap(), Step { skip: 3, take: 10 });
        assert_eq!(decoder.step(b"\r\n1\r\n"), Err(Refusal::LONG_BODY));
    }
}
