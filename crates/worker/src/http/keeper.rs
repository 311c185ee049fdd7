//! The thread that ends what takes too long. It never takes the GIL.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::arrive::Memory;
use super::client::{Client, now_ms};
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
        let due: Vec<Arc<Client>> = door.clients().due(now_ms());
        for client in due {
            // Somebody who has its turn sees to it.
            if client.turn.take() {
                door.expire(worker, &client, &mut memory);
            }
        }
    }
}
