//! The same attacks by every way to a front door: plain, by TLS, by a Unix socket, to one worker that has all three; by several threads at
//! once, and in pieces and orders that dice choose.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use pinion_testbed::raw::Connection;
use pinion_testbed::tls::{Identity, Settings};
use pinion_wire::message::StartSpec;
use pinion_wire::message::http::{HttpSpec, HttpTimes, ListenerSpec, TlsSpec};

use super::hostile::{Siege, memory, until};
use super::http::{self, Server, request};
use super::{hostile_bytes, hostile_flow, hostile_life};
use crate::suite::Worker;
use crate::suite::dice::Dice;
use crate::suite::raw_h2::Raw;

/// A way to the front door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Tls,
    Unix,
}

const ALL: [Way; 3] = [Way::Plain, Way::Tls, Way::Unix];
/// Those that the other tests do not go.
const OTHERS: [Way; 2] = [Way::Tls, Way::Unix];

/// A server under attack by all ways.
pub(super) struct Ways {
    pub(super) siege: Siege,
    tls: (u16, Settings, Settings),
    unix: PathBuf,
    _folder: tempfile::TempDir,
}

impl Ways {
    pub(super) fn lay(python: &Path, change: impl FnOnce(&mut StartSpec, &mut HttpSpec)) -> Self {
        let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::new().unwrap());
        let path = folder.path().join("socket");
        let tcp = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, tls_port] = [0, 1].map(|number: usize| tcp[number].local_addr().unwrap().port());
        let unix = UnixListener::bind(&path).unwrap();
        unix.set_nonblocking(true).unwrap();
        tcp.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        let [plain, encrypted] = tcp;
        let sockets = [plain.into(), encrypted.into(), unix.into()];
        let worker = Worker::ready_with(python, &sockets, |_, spec| {
            let mut http = http::front(port);
            let listener =
                |name: &str, port, tls| ListenerSpec { name: name.to_owned(), port, tls };
            http.listeners.push(listener("127.0.0.1", tls_port, true));
            http.listeners.push(listener("localhost", 0, false));
            let bytes = |text: &str| text.as_bytes().to_vec();
            let (certificates, key) = (bytes(&identity.certificate), bytes(&identity.key));
            http.tls = Some(TlsSpec { certificates, key });
            change(spec, &mut http);
            spec.group.http = Some(Box::new(http));
        });
        let settings = |protocol| identity.client(&[protocol]).unwrap();
        let tls = (tls_port, settings("http/1.1"), settings("h2"));
        let siege = Siege::around(Server { worker, port });
        Self { siege, tls, unix: path, _folder: folder }
    }

    pub(super) fn connect(&self, way: Way) -> Connection {
        match way {
            Way::Plain => self.siege.server.connect(),
            Way::Tls => Connection::open_tls(self.tls.0, &self.tls.1).unwrap(),
            Way::Unix => Connection::open_unix(&self.unix).unwrap(),
        }
    }

    /// A connection on which HTTP/2 is spoken, frame by frame.
    pub(super) fn raw(&self) -> Raw {
        Raw::open(Connection::open_tls(self.tls.0, &self.tls.2).unwrap())
    }

    /// A connection to the TLS port on which no TLS is spoken.
    fn bare(&self) -> Connection {
        Connection::open(self.tls.0).unwrap()
    }
}

fn hello() -> Vec<u8> {
    request("GET", "/hello", "", b"")
}

/// No limits of time: what ends is ended by something else.
fn patient(_: &mut StartSpec, http: &mut HttpSpec) {
    http.times = HttpTimes { head: 0, body: 0, idle: 0 };
}

pub(super) fn nothing_is_smuggled(python: &Path) {
    let ways = Ways::lay(python, |_, _| {});
    let mut dice = Dice::new(1);
    for way in OTHERS {
        for attack in hostile_bytes::all() {
            hostile_bytes::attempt(ways.connect(way), attack, |client, bytes| {
                client.send(bytes).unwrap();
            });
        }
    }
    // In records that end anywhere.
    for attack in hostile_bytes::all() {
        let pieces = dice.pieces(attack.1.len() + 40, 6);
        hostile_bytes::attempt(ways.connect(Way::Tls), attack, |client, bytes| {
            for range in &pieces {
                let piece = &bytes[range.start.min(bytes.len())..range.end.min(bytes.len())];
                // One that is refused may be cut off before it has sent all.
                if client.send(piece).is_err() {
                    return;
                }
            }
            let _ = client.send(&bytes[pieces.last().unwrap().end.min(bytes.len())..]);
        });
    }
    ways.siege.is_survived();
}

pub(super) fn slow_senders_are_ended(python: &Path) {
    let ways = Ways::lay(python, |spec, http| {
        spec.group.threads = 2;
        // Enough for so many handshakes at once.
        http.times = HttpTimes { head: 1_000, body: 1_000, idle: 1_000 };
    });
    std::thread::scope(|scope| {
        for way in OTHERS {
            for (bytes, piece) in hostile_life::slow() {
                let ways = &ways;
                scope.spawn(move || {
                    let mut client = ways.connect(way);
                    // Where that takes too long, it is ended already.
                    if client.send(bytes).is_ok() {
                        hostile_life::drip(&mut client, piece);
                    }
                });
            }
        }
        // A handshake that never ends: within a record's header, within a record, and record by record.
        for (bytes, piece) in [
            (&b""[..], &b"\x16"[..]),
            (b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03", b"x"),
            (b"\x16\x03\x01\x00\x04\x01\x00\x3f\xfc", b"\x16\x03\x01\x00\x01x"),
        ] {
            let mut client = ways.bare();
            scope.spawn(move || {
                client.send(bytes).unwrap();
                hostile_life::drip(&mut client, piece);
            });
        }
    });
    ways.siege.is_survived();
}

/// By all ways at once, so that what one leaves behind would meet another.
pub(super) fn resets_leave_nothing_behind(python: &Path) {
    let ways = Ways::lay(python, |spec, _| spec.group.threads = 3);
    std::thread::scope(|scope| {
        for way in ALL {
            let ways = &ways;
            scope.spawn(move || {
                for _ in 0..10 {
                    hostile_life::reset_at_each_stage(|| ways.connect(way));
                }
            });
        }
        // Within the handshake.
        for cut in [0, 1, 5, 40] {
            let mut client = ways.bare();
            client.send(&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3].repeat(4)[..cut]).unwrap();
            client.reset().unwrap();
        }
    });
    ways.siege.is_survived();
}

pub(super) fn half_closed_clients_get_their_answers(python: &Path) {
    let ways = Ways::lay(python, patient);
    for case in hostile_flow::half_closed() {
        for way in OTHERS {
            // As TLS says it, and as one that only closes its socket.
            hostile_flow::attempt_half_closed(ways.connect(way), &case, |client| {
                client.end().unwrap();
            });
            hostile_flow::attempt_half_closed(ways.connect(way), &case, |client| {
                client.half_close().unwrap();
            });
        }
    }
    ways.siege.is_survived();
}

/// Requests with and without expectations, whose bytes are cut anywhere; the client waits to be told to go on, or does not.
pub(super) fn expectations_are_met_however_requests_are_cut(python: &Path) {
    let ways = Ways::lay(python, |_, _| {});
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let mut client = ways.connect(dice.one_of(&ALL));
        for _ in 0..dice.below(4) + 1 {
            let body = vec![b'x'; dice.one_of(&[1, 5, 1_000, 140_000])];
            let (framing, body_bytes) = if dice.below(2) == 0 {
                (format!("Content-Length: {}\r\n", body.len()), body.clone())
            } else {
                let head = format!("{:x}\r\n", body.len());
                let chunk = [head.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
                ("Transfer-Encoding: chunked\r\n".to_owned(), chunk)
            };
            let expects = dice.below(3) > 0;
            let expectation = if expects { "Expect: 100-continue\r\n" } else { "" };
            let head = request("POST", "/echo", &format!("{framing}{expectation}"), b"");
            dice.send(&mut client, &head);
            if expects && dice.below(2) == 0 {
                assert_eq!(client.interim().unwrap(), 100, "seed {seed}");
            }
            dice.send(&mut client, &body_bytes);
            let answer = client.answer("POST").unwrap();
            assert!(answer.status == 200 && answer.body == body, "seed {seed}");
        }
        client.end().unwrap();
        assert_eq!(client.rest(), b"", "seed {seed}");
    }
    ways.siege.is_survived();
}

/// Clients by all ways that do everything at random, of whom those that ask for something whole get it, whatever the others do.
pub(super) fn nobody_gets_anothers_answer(python: &Path) {
    let ways = Ways::lay(python, |spec, http| {
        spec.group.threads = 2;
        http.times = HttpTimes { head: 0, body: 0, idle: 0 };
    });
    std::thread::scope(|scope| {
        for seed in 0..6 {
            let ways = &ways;
            scope.spawn(move || {
                let mut dice = Dice::new(1000 + seed);
                for round in 0..40 {
                    let mark = format!("{seed}-{round}-{}", "m".repeat(dice.below(3000)));
                    let length = format!("Content-Length: {}\r\n", mark.len());
                    let bytes = request("POST", "/echo", &length, mark.as_bytes());
                    let mut client = ways.connect(dice.one_of(&ALL));
                    match dice.below(4) {
                        // Gone within a request, or while its answer comes.
                        0 => client.send(&bytes[..dice.below(bytes.len())]).unwrap(),
                        1 => client.send(bytes).unwrap(),
                        2 => {
                            client.send(request("GET", "/big", "", b"")).unwrap();
                            client.head("GET").unwrap();
                        }
                        _ => {
                            dice.send(&mut client, &bytes);
                            let answer = client.answer("POST").unwrap();
                            assert_eq!(answer.text(), mark, "seed {seed}, round {round}");
                            continue;
                        }
                    }
                    if dice.below(2) == 0 {
                        client.reset().unwrap();
                    } else {
                        let _ = client.end();
                    }
                }
            });
        }
    });
    ways.siege.is_survived();
}

/// How many idle connections of each kind, and how much memory one may cost, in bytes.
const IDLE: [(Kind, u64, u64); 3] = [
    (Kind::Way(Way::Unix), 500, 4 << 10),
    (Kind::Way(Way::Tls), 200, 48 << 10),
    (Kind::Http2, 200, 96 << 10),
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Way(Way),
    Http2,
}

pub(super) fn idle_connections_cost_little(python: &Path) {
    let ways = Ways::lay(python, patient);
    let worker = &ways.siege.server.worker;
    let (mut plain, mut speaking, mut bound) = (Vec::new(), Vec::new(), memory(worker.pid));
    for (kind, count, each) in IDLE {
        bound += count * each;
        for number in 0..count {
            match kind {
                Kind::Http2 => speaking.push(ways.raw()),
                Kind::Way(way) => {
                    let mut client = ways.connect(way);
                    let part = if number % 2 == 0 { &hello()[..10] } else { &hello()[..] };
                    client.send(part).unwrap();
                    if number % 2 == 1 {
                        assert_eq!(client.answer("GET").unwrap().status, 200);
                    }
                    plain.push((client, number % 2 == 0));
                }
            }
        }
    }
    let all = IDLE.iter().map(|(_, count, _)| count).sum::<u64>();
    until("all are accepted", || worker.open() == all);
    ways.siege.is_calm();
    let now = memory(worker.pid);
    assert!(now < bound + (8 << 20), "{now} with all of them, {bound} expected");
    for (client, is_begun) in plain.iter_mut().step_by(7) {
        client.send(&hello()[if *is_begun { 10 } else { 0 }..]).unwrap();
        assert_eq!(client.answer("GET").unwrap().body, b"Hello, world!");
    }
    for raw in speaking.iter_mut().step_by(7) {
        assert_eq!(raw.get(1, "/hello"), b"Hello, world!");
    }
    drop((plain, speaking));
    ways.siege.is_survived_with(48 << 20);
}

/// Where the application uses up all descriptors, those who connect by any way wait, and streams of a connection that there is are told.
pub(super) fn without_descriptors_clients_wait(python: &Path) {
    let ways = Ways::lay(python, |_, http| http.limits.connections = 100);
    let go = ways.siege.server.worker.folder.path().join("go");
    let mut speaking = ways.raw();
    assert_eq!(speaking.get(1, "/hello"), b"Hello, world!");
    let mut hoarder = ways.connect(Way::Unix);
    hoarder.send(request("GET", &format!("/descriptors?path={}", go.display()), "", b"")).unwrap();
    ways.siege.server.worker.log("holding");
    let mut waiting: Vec<_> =
        (0..10).map(|number| ways.connect([Way::Plain, Way::Unix][number % 2])).collect();
    for client in &mut waiting {
        client.send(hello()).unwrap();
    }
    ways.siege.server.worker.log("others wait");
    // One is kept for the next request; for more at once there are none.
    speaking.request(3, "/hello");
    speaking.request(5, "/hello");
    for stream in [3, 5] {
        let body = speaking.body(stream);
        assert!(body == b"Hello, world!" || body.starts_with(b"503 "), "{}", body.escape_ascii());
    }
    ways.siege.is_calm();
    std::fs::write(go, "").unwrap();
    assert_eq!(hoarder.answer("GET").unwrap().body, b"let go");
    for client in &mut waiting {
        assert_eq!(client.answer("GET").unwrap().body, b"Hello, world!");
    }
    assert_eq!(speaking.get(7, "/hello"), b"Hello, world!");
    drop((hoarder, waiting, speaking));
    ways.siege.is_survived_with(96 << 20);
}
