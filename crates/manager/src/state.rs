//! What the manager decides: events in, actions out, no I/O.
//!
//! - [`worker`]: the states of a worker and which may follow which.
//! - [`pair`], [`slots`]: what is known of pairs and of the board's numbers.
//! - `requests`: what Apache's children ask through the door.
//! - `configure`: what a configuration changes.
//! - `loading`: what workers tell about their loading.
//! - `replace`: which workers to start, to close, to end.
//! - `exits`: what a worker's death means; [`deaths`] remembers it.
//! - `timers`: what becomes due; `watch`: workers that hang or have nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use pinion_config::Code;
use pinion_wire::board::SlotState;
use pinion_wire::message::{
    AcquireReply, Bit, GroupSpec, InquireReply, MountKey, PairKey, Rein, Settings, StartSpec, Until,
};
use pinion_wire::status::Begun;

mod configure;
pub mod deaths;
mod exits;
mod loading;
pub mod pair;
mod replace;
mod requests;
pub mod slots;
mod timers;
mod watch;
pub mod worker;

use deaths::Deaths;
use pair::Pair;
use slots::{Numbers, Slots};
use worker::Worker;

/// Milliseconds of the monotonic clock.
pub type Millis = u64;

/// A worker. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u64);

/// A descriptor that came through the door and waits for what shall be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// A child of Apache, known by its lifeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId(pub u64);

/// A pair in the manager's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The configuration came.
    Configured(Box<Settings>),
    /// A child of Apache said hello.
    ChildHello {
        /// It.
        child: ChildId,
        /// Its process.
        pid: u32,
        /// Its configuration's generation.
        generation: u32,
    },
    /// Its lifeline ended.
    ChildGone(ChildId),
    /// A child asks where a mount is served.
    Acquired {
        /// Whom to answer.
        waiter: WaiterId,
        /// The mount.
        mount: MountKey,
        /// What to wait for.
        until: Until,
    },
    /// A child wants a connection.
    Opened {
        /// The connection's other end.
        waiter: WaiterId,
        /// The slot.
        slot: u32,
        /// The epoch.
        epoch: u32,
    },
    /// A child asks what became of a request.
    Inquired(deaths::Inquiry),
    /// A worker's process runs.
    Spawned {
        /// The worker.
        worker: WorkerId,
        /// The process.
        pid: u32,
    },
    /// A worker's process could not be started.
    SpawnFailed {
        /// The worker.
        worker: WorkerId,
        /// Why.
        reason: String,
    },
    /// A worker says something.
    Bit {
        /// The worker.
        worker: WorkerId,
        /// What.
        bit: Bit,
    },
    /// A worker's reins ended: it is dead or about to be.
    ReinsEnded(WorkerId),
    /// A worker's process was reaped.
    Exited {
        /// The worker.
        worker: WorkerId,
        /// How it ended.
        exit: Exit,
    },
    /// Time has passed.
    Tick,
    /// Have every worker write its Python stacks.
    DumpStacks,
    /// Let every worker say that it will end soon.
    Leave,
    /// Let every worker finish what it has, however long graceful-timeout allows, then end.
    Drain,
    /// End everything.
    Stop,
}

/// How a worker's process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// In words: "killed by SIGSEGV", "exited with status 3".
    pub cause: String,
    /// Whether a signal ended it.
    pub signalled: bool,
    /// What it wrote last.
    pub output: String,
    /// The requests that it had begun and not ended.
    pub begun: Vec<Begun>,
}

/// A worker to start.
#[derive(Clone, Debug)]
pub struct Order {
    /// The worker.
    pub worker: WorkerId,
    /// Its first rein.
    pub start: StartSpec,
}

/// A signal that a worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Start a worker, and tell [`Event::Spawned`] or [`Event::SpawnFailed`].
    Spawn(Box<Order>),
    /// Send a rein.
    Rein(WorkerId, Rein),
    /// Signal a worker.
    Signal(WorkerId, EndSignal),
    /// Pass the waiter's descriptor to a worker as its connection of this number.
    Connect {
        /// The worker.
        worker: WorkerId,
        /// The connection's number.
        connection: u32,
        /// The descriptor.
        waiter: WaiterId,
    },
    /// Tell the waiter that there is no connection.
    Refuse(WaiterId, &'static str),
    /// Answer a Hello.
    ReplyHello(ChildId, Option<u32>),
    /// Answer an Acquire.
    ReplyAcquire(WaiterId, AcquireReply),
    /// Answer an Inquire.
    ReplyInquire(WaiterId, InquireReply),
    /// Set a slot's state on the board.
    SetSlot {
        /// The slot.
        slot: usize,
        /// Its state.
        state: SlotState,
        /// Its epoch.
        epoch: u32,
    },
    /// Set the modification time that ready workers have loaded, in microseconds.
    SetMtime {
        /// The mount's number on the board.
        mount: usize,
        /// The time.
        mtime: u64,
    },
    /// Note on the board which process has a row of counts.
    OwnRow(u32, u32),
    /// Take a child's row of counts off the board.
    ForgetRow(u32),
    /// Write to the log of a server, or to the main log.
    Log(LogLine),
    /// End the manager.
    Exit,
}

/// Something to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The server, as an index into [`Settings::servers`]; `None` for the main log.
    pub server: Option<u32>,
    /// The condition.
    pub code: Code,
    /// The worker's process, where it is about one.
    pub pid: Option<u32>,
    /// What happened; one line or more.
    pub text: String,
}

/// What the decisions need to see of the world.
pub trait Sight {
    /// How many requests are counted at a slot.
    fn in_flight(&self, slot: usize) -> u64;
    /// How many requests a slot has been given since the start.
    fn served(&self, slot: usize) -> u64;
    /// What a worker has begun and not ended.
    fn begun(&self, worker: WorkerId) -> Vec<Begun>;
    /// When Python's lock was had last in a worker, in nanoseconds of the monotonic clock; 0 before it was.
    fn beat(&self, worker: WorkerId) -> u64;
    /// When a worker had something to do last, in nanoseconds of the monotonic clock; 0 before it had.
    fn active(&self, worker: WorkerId) -> u64;
    /// How many connections a worker with a front door of its own has.
    fn open(&self, worker: WorkerId) -> u64;
    /// A script's modification time in microseconds since 1970; 0 when there is none.
    fn mtime(&self, script: &[u8]) -> u64;
}

/// A child of Apache.
#[derive(Clone, Copy, Debug)]
struct Child {
    generation: u32,
    row: Option<u32>,
}

/// The state of everything.
#[derive(Debug)]
pub struct Core {
    now: Millis,
    settings: Settings,
    pairs: BTreeMap<PairId, Pair>,
    workers: BTreeMap<WorkerId, Worker>,
    children: BTreeMap<ChildId, Child>,
    /// Rows that an earlier manager has given to processes that have not said hello to this one.
    rows: BTreeMap<u32, u32>,
    slots: Slots,
    slot_numbers: Numbers,
    mount_numbers: Numbers,
    deaths: Deaths,
    stopping: Option<Millis>,
    leaving: bool,
    draining: bool,
    exited: bool,
    watched_at: Millis,
    last_id: u64,
    actions: Vec<Action>,
}

impl Default for Core {
    fn default() -> Self {
        Self {
            now: 0,
            settings: Settings::default(),
            pairs: BTreeMap::new(),
            workers: BTreeMap::new(),
            children: BTreeMap::new(),
            rows: BTreeMap::new(),
            slots: Slots::default(),
            slot_numbers: Numbers::slots(),
            mount_numbers: Numbers::mounts(),
            deaths: Deaths::default(),
            stopping: None,
            leaving: false,
            draining: false,
            exited: false,
            watched_at: 0,
            last_id: 0,
            actions: Vec::new(),
        }
    }
}

impl Core {
    /// A manager that takes over a board on which another one has worked. `rows` are those in which living children
    /// count, with their processes: each is kept for its child. Apache's children may remember which
    /// slots were whose, so those are not given to anyone, and epochs go on.
    #[must_use]
    pub fn taking_over(epochs: &[u32], rows: BTreeMap<u32, u32>) -> Self {
        let mut core = Self { rows, ..Self::default() };
        core.slots.continue_from(epochs.iter().copied());
        for (slot, epoch) in epochs.iter().enumerate() {
            if *epoch > 0 {
                core.slot_numbers.reserve(slot);
                // The workers of before have noticed their manager's death and take nothing new.
                let state = SlotState::Empty;
                core.actions.push(Action::SetSlot { slot, state, epoch: *epoch });
            }
        }
        core
    }

    /// Takes note of what happened at time `now` and says what is to be done, in this order.
    pub fn handle(&mut self, now: Millis, event: Event, sight: &dyn Sight) -> Vec<Action> {
        self.now = self.now.max(now);
        match event {
            Event::Configured(settings) => self.configured(*settings, sight),
            Event::ChildHello { child, pid, generation } => self.hello(child, pid, generation),
            Event::ChildGone(child) => self.child_gone(child, sight),
            Event::Acquired { waiter, mount, until } => self.acquired(waiter, &mount, until, sight),
            Event::Opened { waiter, slot, epoch } => self.opened(waiter, slot, epoch),
            Event::Inquired(inquiry) => self.inquired(inquiry, sight),
            Event::Spawned { worker, pid } => self.spawned(worker, pid),
            Event::SpawnFailed { worker, reason } => self.spawn_failed(worker, reason, sight),
            Event::Bit { worker, bit } => self.bit(worker, bit, sight),
            Event::ReinsEnded(worker) => self.reins_ended(worker, sight),
            Event::Exited { worker, exit } => self.worker_exited(worker, exit, sight),
            Event::Tick => self.tick(sight),
            Event::Leave => self.tell_end(),
            Event::Drain => self.drain(sight),
            Event::DumpStacks => self.dump_stacks(),
            Event::Stop => self.stop(),
        }
        self.exit_when_done();
        std::mem::take(&mut self.actions)
    }

    /// The workers that there are.
    #[must_use]
    pub fn workers(&self) -> &BTreeMap<WorkerId, Worker> {
        &self.workers
    }

    /// The server to whose log a worker's output goes.
    #[must_use]
    pub fn server_of(&self, worker: WorkerId) -> Option<u32> {
        let worker = self.workers.get(&worker)?;
        Some(self.pairs.get(&worker.pair)?.configured.server)
    }

    fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(self.now);
        for pair in self.pairs.values_mut() {
            for waiting in pair.waiting.drain(..) {
                self.actions.push(Action::ReplyAcquire(waiting.waiter, AcquireReply::Stopping));
            }
        }
        let workers: Vec<_> = self.workers.keys().copied().collect();
        for worker in workers {
            self.ask_to_stop(worker);
        }
    }

    /// All workers are to tell their clients that they end soon; those that become ready later are told then.
    fn tell_end(&mut self) {
        self.leaving = true;
        let ready: Vec<_> = self.workers.keys().copied().collect();
        for worker in ready {
            self.tell_to_leave(worker);
        }
    }

    /// Has a worker with a front door of its own tell its clients.
    pub(super) fn tell_to_leave(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        if self.leaving
            && worker.spec.http.is_some()
            && worker.state() == worker::WorkerState::Ready
        {
            self.actions.push(Action::Rein(id, Rein::Leave));
        }
    }

    /// Nothing new is begun; what is begun may take as long as its group allows.
    fn drain(&mut self, sight: &dyn Sight) {
        self.draining = true;
        for pair in self.pairs.values_mut() {
            pair.leaving = Some(pair::Leaving::Evicted);
        }
        self.reconcile_all(sight);
    }

    fn dump_stacks(&mut self) {
        let workers = self.workers.keys().map(|worker| Action::Rein(*worker, Rein::DumpStacks));
        self.actions.extend(workers);
    }

    fn exit_when_done(&mut self) {
        if self.draining && self.workers.is_empty() {
            self.stop();
        }
        let Some(since) = self.stopping else { return };
        // A process that SIGKILL does not end waits for its disk; the manager does not.
        let longest =
            self.workers.values().map(|worker| replace::shutdown_time(&worker.spec)).max();
        let over = longest.is_none_or(|longest| self.now >= since + longest + 2_000);
        if over && !self.exited {
            self.exited = true;
            self.actions.push(Action::Exit);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Takes so many slots and marks each of them on the board as given out.
    fn take_slots(&mut self, count: usize) -> Option<std::ops::Range<usize>> {
        let slots = self.slot_numbers.take(count)?;
        for slot in slots.clone() {
            let epoch = self.slots.next_epoch(slot);
            self.actions.push(Action::SetSlot { slot, state: SlotState::Empty, epoch });
        }
        Some(slots)
    }

    fn log(&mut self, server: Option<u32>, code: Code, pid: Option<u32>, text: String) {
        self.actions.push(Action::Log(LogLine { server, code, pid, text }));
    }

    fn log_pair(&mut self, pair: PairId, code: Code, pid: Option<u32>, text: String) {
        let server = self.pairs.get(&pair).map(|pair| pair.configured.server);
        self.log(server, code, pid, text);
    }

    fn pair_of(&self, key: &PairKey) -> Option<PairId> {
        self.pairs.iter().find(|(_, pair)| pair.key == *key).map(|(id, _)| *id)
    }

    fn group(&self, name: &str) -> Option<&GroupSpec> {
        self.settings.groups.iter().find(|group| group.name == name)
    }

    fn child_set(&self) -> BTreeSet<ChildId> {
        self.children.keys().copied().collect()
    }

    fn workers_of(&self, pair: PairId) -> impl Iterator<Item = (WorkerId, &Worker)> {
        let own = move |worker: &Worker| worker.pair == pair;
        self.workers.iter().filter(move |(_, worker)| own(worker)).map(|(id, worker)| (*id, worker))
    }

    fn has_ready(&self, pair: PairId) -> bool {
        self.workers_of(pair).any(|(_, worker)| worker.state() == worker::WorkerState::Ready)
    }
}

#[cfg(test)]
mod tests;
