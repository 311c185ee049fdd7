//! The thread that ends what takes too long. It never takes the GIL.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pinion_unix::clock;

use super::arrive::Memory;
use super::client::{Client, now_ms};
use crate::exchange::Exchange;
use crate::worker::{Stage, Worker};

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Starts the thread.
pub(super) fn start(worker: &'static Worker) -> io::Result<()> {
    let builder = std::thread::Builder::new().name("pinion-keeper".to_owned());
    builder.spawn(move || keep(worker)).map(drop)
}

fn keep(worker: &'static Worker) {
    let Some(door) = &worker.door else { return };
    let mut memory = Memory::default();
    while worker.stage() < Stage::Ended {
        std::thread::sleep(INTERVAL);
        door.resume(worker);
        if door.is_draining() {
            // Again: one may have come, or begun to wait, just before.
            door.hurry();
        }
        give_up_late(worker);
        door.note_progress();
        let due: Vec<Arc<Client>> = door.clients().due(now_ms());
        for client in due {
            // Somebody who has its turn sees to it.
            if client.turn.take() {
                door.expire(worker, &client, &mut memory);
            }
        }
    }
}

/// Tells the clients of requests that have run for too long, as the manager reckons it. The manager replaces the worker.
fn give_up_late(worker: &Worker) {
    let timeouts = &worker.spec.group.timeouts;
    let (Some(status), 1..) = (worker.status(), timeouts.request) else { return };
    let limit = timeouts.request.saturating_add(timeouts.interrupt).saturating_mul(1_000_000);
    let now = clock::monotonic_ns();
    let late = status.all().into_iter();
    let mut late = late.filter(|begun| now.saturating_sub(begun.since_ns) >= limit).peekable();
    if late.peek().is_none() {
        return;
    }
    let running = worker.posts.running();
    for begun in late {
        let is_it = |exchange: &&Arc<Exchange>| exchange.is(begun.connection, begun.seq);
        if let Some(exchange) = running.iter().find(is_it) {
            exchange.give_up();
        }
    }
}
