//! Clients that are just quick enough for each piece, and too slow over all.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use pinion_testbed::raw::{Connection, Framing};
use pinion_wire::message::StartSpec;
use pinion_wire::message::http::{HttpSpec, StaticSpec};

use super::hostile::{Siege, until};
use super::http::request;

/// A pause that is short beside [`PATIENCE`].
const PAUSE: Duration = Duration::from_millis(5);
/// How long a single piece may take here, in milliseconds.
const PATIENCE: u64 = 1_000;

/// One thread, and clients that must take a hundred megabytes a second.
fn strict(spec: &mut StartSpec, http: &mut HttpSpec) {
    spec.group.threads = 1;
    http.times.body = PATIENCE;
    http.limits.rate = 100_000_000;
}

/// Takes a piece now and then until there is nothing more; how much that was, and whether it was the answer's end.
fn sip(client: &mut Connection, framing: &mut Framing) -> (usize, bool) {
    let mut taken = 0;
    loop {
        std::thread::sleep(PAUSE);
        match client.piece(framing) {
            Ok(Some(piece)) => taken += piece.len(),
            Ok(None) => return (taken, true),
            Err(_) => return (taken, false),
        }
    }
}

fn ask(siege: &Siege, path: &str) -> (Connection, Framing) {
    let mut slow = Connection::from(Ipv4Addr::LOCALHOST, Some(4096), siege.server.port).unwrap();
    slow.send(request("GET", path, "", b"")).unwrap();
    let framing = slow.head("GET").unwrap().framing;
    (slow, framing)
}

/// One that takes an answer bit by bit keeps its thread for no longer than the rate allows.
pub(super) fn readers_that_only_stay_alive_are_ended(python: &Path) {
    let siege = Siege::lay(python, strict);
    let (mut slow, mut framing) = ask(&siege, "/endless");
    let (_, is_whole) = sip(&mut slow, &mut framing);
    assert!(!is_whole);
    siege.server.worker.log("closed");
    siege.is_survived();
}

/// The same where no thread waits for it: what is left is sent as it takes it.
pub(super) fn readers_of_what_is_left_are_ended_too(python: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let long = std::fs::File::create(folder.path().join("long.bin")).unwrap();
    long.set_len(1 << 32).unwrap();
    let siege = Siege::lay(python, |spec, http| {
        strict(spec, http);
        let folder = folder.path().to_str().unwrap().to_owned();
        http.statics = vec![StaticSpec { prefix: "/static".to_owned(), folder, file: None }];
    });
    let (mut slow, mut framing) = ask(&siege, "/static/long.bin");
    let (_, is_whole) = sip(&mut slow, &mut framing);
    assert!(!is_whole);
    siege.is_survived();
}

/// Without such a limit they get all of it, as long as no piece takes too long.
pub(super) fn without_a_rate_slow_readers_get_all(python: &Path) {
    let siege = Siege::lay(python, |spec, http| {
        strict(spec, http);
        http.times.body = 30_000;
        http.limits.rate = 0;
    });
    let (mut slow, mut framing) = ask(&siege, "/big");
    assert_eq!(sip(&mut slow, &mut framing), (3_050_010, true));
    drop(slow);
    until("its thread is free", || siege.running() == 0);
    siege.is_survived();
}

/// A client that sends a long body just quickly enough for each piece, by HTTP/2, keeps no thread either.
pub(super) fn senders_by_http2_that_only_stay_alive_are_ended(python: &Path) {
    use super::https;
    use crate::suite::h2::{Client, request, whole};
    use bytes::Bytes;
    let server = https::Server::start(python, strict);
    let settings = server.identity.client(&["h2"]).unwrap();
    let mut client = Client::open(server.inner.port, &settings);
    let (answer, mut stream) = client.begin(request("POST", "/failing_read", &[]));
    let failed = client.run(async move {
        // So much is awaited without a thread.
        stream.reserve_capacity(150_000);
        let mut left = 150_000;
        while left > 0 {
            let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
            let room = room.unwrap().unwrap().min(left);
            stream.send_data(Bytes::from(vec![b'x'; room]), false).unwrap();
            left -= room;
        }
        let dripping = tokio::spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                if stream.send_data(Bytes::from_static(b"x"), false).is_err() {
                    break;
                }
            }
        });
        let answer = whole(answer).await.unwrap();
        dripping.abort();
        answer
    });
    assert!(failed.text().contains("Timeout"), "{}", failed.text());
}
