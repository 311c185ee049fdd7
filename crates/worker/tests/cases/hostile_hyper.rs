//! The same clients at this front door and at hyper's: requests in pieces, expectations, and ends anywhere, as dice choose. Both give the
//! same answers, in the same order, and no other.

use std::path::Path;

use pinion_testbed::raw::Connection;

use super::hostile::Siege;
use super::http::request;
use crate::suite::dice::Dice;
use crate::suite::other;

/// What a client saw: the statuses, interim ones too, each with its body.
type Seen = Vec<(u16, Vec<u8>)>;

/// One request, and what its client does.
struct Step {
    head: Vec<u8>,
    body: Vec<u8>,
    /// Whether it waits to be told to go on.
    waits: bool,
}

fn step(dice: &mut Dice) -> Step {
    let bytes = vec![b'a' + dice.below(26) as u8; dice.one_of(&[0, 1, 300, 70_000])];
    let expects = dice.below(2) == 0 && !bytes.is_empty();
    let expectation = if expects { "Expect: 100-continue\r\n" } else { "" };
    let (framing, body) = match dice.below(3) {
        0 => {
            return Step {
                head: request("GET", "/hello", "", b""),
                body: Vec::new(),
                waits: false,
            };
        }
        1 => (format!("Content-Length: {}\r\n", bytes.len()), bytes),
        _ => {
            let (first, second) = bytes.split_at(bytes.len() / 3);
            let chunk = |part: &[u8]| match part.len() {
                0 => Vec::new(),
                length => [format!("{length:x}\r\n").as_bytes(), part, b"\r\n"].concat(),
            };
            let all = [chunk(first), chunk(second), b"0\r\n\r\n".to_vec()].concat();
            ("Transfer-Encoding: chunked\r\n".to_owned(), all)
        }
    };
    let head = request("POST", "/echo", &format!("{framing}{expectation}"), b"");
    Step { head, body, waits: expects && dice.below(2) == 0 }
}

/// Plays the client of a seed to the connection's end.
fn play(seed: u64, port: u16) -> Seen {
    let mut dice = Dice::new(seed);
    let mut client = Connection::open(port).unwrap();
    let mut seen = Vec::new();
    let (count, pipelined) = (dice.below(5) + 1, dice.below(2) == 0);
    // How much of the last request is sent: most often all.
    let is_cut = dice.below(3) == 0;
    let mut open = 0;
    for number in 0..count {
        let Step { head, body, waits } = step(&mut dice);
        let all = [&head[..], &body].concat();
        if is_cut && number + 1 == count {
            let sent = dice.below(all.len());
            dice.send(&mut client, &all[..sent]);
            break;
        }
        open += 1;
        if waits && open == 1 {
            dice.send(&mut client, &head);
            seen.push((client.interim().unwrap(), Vec::new()));
            dice.send(&mut client, &body);
        } else {
            dice.send(&mut client, &all);
        }
        if !pipelined {
            open = 0;
            let answer = client.answer("POST").unwrap();
            seen.push((answer.status, answer.body));
        }
    }
    client.half_close().unwrap();
    while let Ok(answer) = client.answer("POST") {
        seen.push((answer.status, answer.body));
    }
    assert_eq!(client.rest(), b"", "seed {seed}: what is no answer");
    seen
}

pub(super) fn clients_see_the_same_as_elsewhere(python: &Path) {
    let siege = Siege::lay(python, |spec, _| spec.group.threads = 2);
    let other = other::start();
    for seed in 0..150 {
        let (ours, theirs) = (play(seed, siege.server.port), play(seed, other));
        let shown = |seen: &Seen| {
            seen.iter().map(|(status, body)| (*status, body.len())).collect::<Vec<_>>()
        };
        assert!(ours == theirs, "seed {seed}: {:?} and {:?}", shown(&ours), shown(&theirs));
    }
    siege.is_survived();
}
