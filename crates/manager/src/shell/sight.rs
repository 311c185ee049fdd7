//! What decisions see of the world.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
};

use pinion_unix::shared::SharedWords;
use pinion_wire::{board::Board, status::Begun};

use super::process::Process;
use crate::state::{Sight, WorkerId};

/// The board and the workers' pages, and the file system's times.
pub(super) struct View<'a> {
    pub(super) board: &'a SharedWords,
    pub(super) workers: &'a BTreeMap<WorkerId, Process>,
}

impl Sight for View<'_> {
    fn in_flight(&self, slot: usize) -> u64 {
        let board = Board::new(self.board.words());
        board.and_then(|board| board.slot(slot)).map_or(0, |slot| slot.count())
    }

    fn served(&self, slot: usize) -> u64 {
        let board = Board::new(self.board.words());
        board.and_then(|board| board.slot(slot)).map_or(0, |slot| slot.served())
    }

    fn begun(&self, worker: WorkerId) -> Vec<Begun> {
        self.workers.get(&worker).map(Process::begun).unwrap_or_default()
    }

    fn beat(&self, worker: WorkerId) -> u64 {
        self.workers.get(&worker).map_or(0, Process::last_beat)
    }

    fn active(&self, worker: WorkerId) -> u64 {
        self.workers.get(&worker).map_or(0, Process::last_active)
    }

    fn open(&self, worker: WorkerId) -> u64 {
        self.workers.get(&worker).map_or(0, Process::open)
    }

    fn mtime(&self, script: &[u8]) -> u64 {
        let Ok(data) = std::fs::metadata(OsStr::from_bytes(script)) else { return 0 };
        let seconds = u64::try_from(data.mtime()).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(data.mtime_nsec()).unwrap_or(0) / 1_000
    }
}

/// How often the kernel's out-of-memory killer has killed a process of this machine since it booted.
pub(super) fn oom_kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}
