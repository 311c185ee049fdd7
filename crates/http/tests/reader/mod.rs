//! Reads a connection's bytes by the rules, as a server would.

use pinion_http::body::Decoder;
use pinion_http::environ::decode_path;
use pinion_http::head::{Limits, parse};
use pinion_http::refusal::Refusal;

/// What `pinion serve` allows when nothing is said.
pub(crate) const LIMITS: Limits = Limits { line: 8190, head: 65_536, fields: 100 };

/// A request that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// Whole requests, and why there are no more, if that is known.
pub(crate) type Seen = (Vec<Request>, Option<Refusal>);

/// Reads bytes that come at once.
pub(crate) fn read(bytes: &[u8]) -> Seen {
    read_in([bytes])
}

/// Reads bytes that come in pieces.
pub(crate) fn read_in<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let (mut reader, mut requests) = (Reader::default(), Vec::new());
    for piece in pieces {
        reader.here.extend_from_slice(piece);
        if let Err(refusal) = reader.go_on(&mut requests) {
            return (requests, Some(refusal));
        }
    }
    (requests, None)
}

#[derive(Default)]
struct Reader {
    here: Vec<u8>,
    /// The request whose body comes, and whether another may follow.
    coming: Option<(Request, Decoder, bool)>,
    ended: bool,
}

impl Reader {
    fn go_on(&mut self, requests: &mut Vec<Request>) -> Result<(), Refusal> {
        while !self.ended {
            if self.coming.is_none() && !self.take_head()? {
                return Ok(());
            }
            let Some((request, decoder, _)) = &mut self.coming else { return Ok(()) };
            while !decoder.is_ended() {
                let step = decoder.step(&self.here)?;
                let used = step.skip + step.take;
                request.body.extend_from_slice(&self.here[step.skip..used]);
                self.here.drain(..used);
                if used == 0 {
                    return Ok(());
                }
            }
            if let Some((request, _, keep_alive)) = self.coming.take() {
                requests.push(request);
                self.ended = !keep_alive;
            }
        }
        Ok(())
    }

    fn take_head(&mut self) -> Result<bool, Refusal> {
        let Some(head) = parse(&self.here, &LIMITS)? else { return Ok(false) };
        decode_path(head.path, &mut Vec::new())?;
        let request = Request {
            method: head.method.to_owned(),
            target: head.target.to_owned(),
            body: Vec::new(),
        };
        let (decoder, keep_alive, size) =
            (Decoder::new(head.body, None)?, head.keep_alive, head.size);
        drop(head);
        self.coming = Some((request, decoder, keep_alive));
        self.here.drain(..size);
        Ok(true)
    }
}
