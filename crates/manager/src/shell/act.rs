//! Doing what was decided.

use std::{os::fd::AsFd, path::Path};

use pinion_config::Code;
use pinion_unix::{
    process::{self as processes, Limit, NotSet},
    signals::Signal,
    sockets::{self, Wait},
};
use pinion_wire::{
    Kind,
    board::{Board, SlotState, SlotView},
    frame,
    message::{self, HelloReply, Rein},
};
use serde::Serialize;

use super::{
    Shell, Source,
    process::{Process, StartError},
    start::not_started,
};
use crate::state::{Action, ChildId, EndSignal, Event, LogLine, Order, WaiterId, WorkerId};

impl Shell {
    /// Does one thing.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Spawn(order) => self.spawn(*order),
            Action::Rein(worker, rein) => self.rein(worker, &rein),
            Action::Signal(worker, signal) => self.signal(worker, signal),
            Action::Connect { worker, connection, waiter } => {
                self.connect(worker, connection, waiter);
            }
            Action::Refuse(waiter, reason) => self.refuse(waiter, reason),
            Action::ReplyHello(child, row) => self.reply_hello(child, row),
            Action::ReplyAcquire(waiter, reply) => self.reply(waiter, &reply),
            Action::ReplyInquire(waiter, reply) => self.reply(waiter, &reply),
            Action::SetSlot { slot, state, epoch } => self.set_slot(slot, state, epoch),
            Action::SetMtime { mount, mtime } => {
                let board = Board::new(self.board.words());
                if let Some(mount) = board.and_then(|board| board.mount(mount)) {
                    mount.set_loaded_mtime(mtime);
                }
            }
            Action::OwnRow(row, pid) => {
                if let Some(board) = Board::new(self.board.words()) {
                    board.set_row_owner(row as usize, pid);
                }
            }
            Action::ForgetRow(row) => {
                if let Some(board) = Board::new(self.board.words()) {
                    board.forget_row(row as usize);
                }
            }
            Action::Log(line) => self.logs.line(&line),
            Action::Exit => self.done = true,
        }
    }

    fn spawn(&mut self, order: Order) {
        let worker = order.worker;
        let group = order.start.group.clone();
        let generation = order.start.group.http.as_ref().map(|http| http.generation);
        let front = generation.and_then(|generation| self.front.get(&generation));
        let started = Process::start(
            Path::new(&self.library),
            order.start,
            self.scoreboard.as_fd(),
            front.map_or(&[], Vec::as_slice),
        )
        .and_then(|(process, refused)| {
            self.watch(process.reins(), Source::Reins(worker))
                .and_then(|()| match process.output() {
                    Some(output) => self.watch(output, Source::Output(worker)),
                    None => Ok(()),
                })
                .map(|()| (process, refused))
                .map_err(StartError::Channels)
        });
        let event = match started {
            Ok((process, refused)) => {
                let pid = process.pid;
                for NotSet { limit, source } in refused {
                    let (code, option) = option_of(limit);
                    let text = format!("{option} of the worker cannot be set: {source}");
                    let server = self.core.server_of(worker);
                    self.logs.line(&LogLine { server, code, pid: Some(pid), text });
                }
                if process.service
                    && let Err(error) = self.guard.began(pid, group.timeouts.shutdown_ms())
                {
                    let text = format!(
                        "no guard for what services start, should the manager be killed: {error}"
                    );
                    let server = self.core.server_of(worker);
                    self.logs.line(&LogLine { server, code: Code::Internal, pid: Some(pid), text });
                }
                self.workers.insert(worker, process);
                Event::Spawned { worker, pid }
            }
            Err(error) => Event::SpawnFailed { worker, reason: not_started(&error, &group) },
        };
        // Before anything else that has happened: nothing can be decided about a worker that is not known.
        self.events.push_front(event);
    }

    fn rein(&mut self, worker: WorkerId, rein: &Rein) {
        if let Some(process) = self.workers.get_mut(&worker) {
            // A worker that does not take it will be ended by its deadlines.
            let _ = process.send(rein, None);
        }
    }

    fn signal(&self, worker: WorkerId, signal: EndSignal) {
        let signal = match signal {
            EndSignal::Term => Signal::SIGTERM,
            EndSignal::Kill => Signal::SIGKILL,
        };
        if let Some(process) = self.workers.get(&worker) {
            // It cannot have been reaped, so the number is still its own.
            let _ = processes::kill(process.pid, signal);
        }
    }

    fn connect(&mut self, worker: WorkerId, connection: u32, waiter: WaiterId) {
        let Some(socket) = self.waiters.remove(&waiter) else { return };
        // The front door is told on its own descriptor of the same socket if the worker takes none.
        let Ok(kept) = socket.try_clone() else { return };
        let process = self.workers.get_mut(&worker);
        let rein = Rein::Connection { connection };
        if process.is_none_or(|process| process.send(&rein, Some(socket)).is_err()) {
            self.waiters.insert(waiter, kept);
            self.refuse(waiter, "the worker takes no connection");
        }
    }

    fn refuse(&mut self, waiter: WaiterId, reason: &str) {
        if let Some(socket) = self.waiters.remove(&waiter) {
            let mut bytes = Vec::new();
            frame::push(&mut bytes, Kind::Refused, 0, 0, reason.as_bytes());
            // A fresh connection's buffer takes it; a front door that has gone needs it no more.
            let _ = sockets::send_some(socket.as_fd(), &[std::io::IoSlice::new(&bytes)], Wait::No);
        }
    }

    fn reply_hello(&self, child: ChildId, row: Option<u32>) {
        if let (Some(lifeline), Ok(bytes)) =
            (self.lifelines.get(&child), message::encode(&HelloReply { row }))
        {
            let _ = sockets::send_message(lifeline.as_fd(), &bytes, &[], Wait::No);
        }
    }

    fn reply<T: Serialize>(&mut self, waiter: WaiterId, reply: &T) {
        let Some(socket) = self.waiters.remove(&waiter) else { return };
        if let Ok(bytes) = message::encode(reply) {
            // The asking process may have given up.
            let _ = sockets::send_message(socket.as_fd(), &bytes, &[], Wait::No);
        }
    }

    fn set_slot(&self, slot: usize, state: SlotState, epoch: u32) {
        let board = Board::new(self.board.words());
        let Some(place) = board.and_then(|board| board.slot(slot)) else { return };
        if place.view().epoch != epoch && state == SlotState::Ready {
            place.clear_count();
        }
        place.set(SlotView { state, epoch });
    }
}

/// How a limit is called by those who set it, and the code for one that is not set.
fn option_of(limit: Limit) -> (Code, &'static str) {
    match limit {
        Limit::Priority => (Code::PriorityNotSet, "cpu-priority"),
        Limit::CpuTime => (Code::CpuLimitNotSet, "cpu-time-limit"),
        Limit::Memory => (Code::MemoryLimitNotSet, "memory-limit"),
        Limit::VirtualMemory => (Code::VirtualLimitNotSet, "virtual-memory-limit"),
    }
}
