//! Bytes of a connection: where they are cut changes nothing, and what is accepted as a head has no lone CR or LF in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinion_http::body::Decoder;
use pinion_http::head::{Limits, parse};

const LIMITS: Limits = Limits { line: 1000, head: 4000, fields: 30 };

/// What was read: each request's target with its body, how much was used, and whether the rest was refused.
#[derive(Debug, PartialEq)]
struct Read {
    requests: Vec<(String, Vec<u8>)>,
    used: usize,
    refused: bool,
}

#[derive(Default)]
struct Reader {
    here: Vec<u8>,
    used: usize,
    coming: Option<(String, Vec<u8>, Decoder)>,
    requests: Vec<(String, Vec<u8>)>,
}

impl Reader {
    fn consume(&mut self, count: usize) {
        self.here.drain(..count);
        self.used += count;
    }

    /// Reads what is here; `None` once it is refused.
    fn go_on(&mut self) -> Option<()> {
        loop {
            let Some((target, mut body, mut decoder)) = self.coming.take() else {
                let Some(head) = parse(&self.here, &LIMITS).ok()? else { return Some(()) };
                let (size, target) = (head.size, head.target.to_owned());
                let decoder = Decoder::new(head.body, Some(100_000)).ok()?;
                drop(head);
                check_head(&self.here[..size]);
                self.consume(size);
                self.coming = Some((target, Vec::new(), decoder));
                continue;
            };
            while !decoder.is_ended() {
                let step = decoder.step(&self.here).ok()?;
                let used = step.skip + step.take;
                body.extend_from_slice(&self.here[step.skip..used]);
                self.consume(used);
                if used == 0 {
                    self.coming = Some((target, body, decoder));
                    return Some(());
                }
            }
            self.requests.push((target, body));
        }
    }
}

fn check_head(head: &[u8]) {
    for (at, byte) in head.iter().enumerate() {
        match byte {
            b'\r' => assert_eq!(head.get(at + 1), Some(&b'\n')),
            b'\n' => assert!(at > 0 && head[at - 1] == b'\r'),
            _ => assert_ne!(*byte, 0),
        }
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut reader, mut refused) = (Reader::default(), false);
    for piece in pieces {
        reader.here.extend_from_slice(piece);
        if reader.go_on().is_none() {
            refused = true;
            break;
        }
    }
    Read { requests: reader.requests, used: reader.used, refused }
}

fuzz_target!(|data: &[u8]| {
    let Some((size, bytes)) = data.split_first() else { return };
    let whole = read(std::iter::once(bytes));
    let cut = read(bytes.chunks(usize::from(*size % 64) + 1));
    assert_eq!(whole.requests, cut.requests);
    // Of what is refused, how much was used before may differ.
    assert_eq!(whole.refused, cut.refused);
    assert!(whole.refused || whole.used == cut.used);
});
