use super::worker::WorkerState;
use super::*;
use deaths::Inquiry;
use pinion_wire::message::{AcquireReply, ServerLog, Timeouts};
use std::collections::BTreeMap;

mod front;
mod life;
mod limits;
mod random;

/// A world that tests arrange.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) in_flight: BTreeMap<usize, u64>,
    pub(super) open: BTreeMap<WorkerId, u64>,
    pub(super) begun: BTreeMap<WorkerId, Vec<Begun>>,
    pub(super) mtimes: BTreeMap<Vec<u8>, u64>,
    /// When workers gave signs of life, in milliseconds.
    pub(super) beats: BTreeMap<WorkerId, Millis>,
    /// When workers had something to do, in milliseconds.
    pub(super) active: BTreeMap<WorkerId, Millis>,
}

impl Sight for World {
    fn open(&self, worker: WorkerId) -> u64 {
        self.open.get(&worker).copied().unwrap_or(0)
    }

    fn in_flight(&self, slot: usize) -> u64 {
        self.in_flight.get(&slot).copied().unwrap_or(0)
    }

    fn served(&self, _: usize) -> u64 {
        0
    }

    fn begun(&self, worker: WorkerId) -> Vec<Begun> {
        self.begun.get(&worker).cloned().unwrap_or_default()
    }

    fn beat(&self, worker: WorkerId) -> u64 {
        self.beats.get(&worker).copied().unwrap_or(0) * 1_000_000
    }

    fn active(&self, worker: WorkerId) -> u64 {
        self.active.get(&worker).copied().unwrap_or(0) * 1_000_000
    }

    fn mtime(&self, script: &[u8]) -> u64 {
        self.mtimes.get(script).copied().unwrap_or(0)
    }
}

/// A group of two processes.
pub(super) fn group(name: &str) -> GroupSpec {
    GroupSpec {
        processes: 2,
        threads: 5,
        multiprocess: true,
        timeouts: Timeouts { graceful: 3_000, shutdown: 4_000, ..Timeouts::default() },
        ..GroupSpec::new(name, "/usr/bin/python3")
    }
}

fn settings(generation: u32, groups: Vec<GroupSpec>) -> Settings {
    Settings {
        generation,
        servers: vec![ServerLog { name: "localhost".into(), log: 0, level: 4, plain: false }],
        logs: 1,
        groups,
        preload: Vec::new(),
        library: "/usr/lib/pinion".into(),
        ..Settings::default()
    }
}

fn mount(group: &str, application_group: &str, script: &str) -> MountKey {
    MountKey {
        pair: PairKey { process_group: group.into(), application_group: application_group.into() },
        script: script.into(),
        callable: "application".into(),
    }
}

/// A core in a world, and what came of its actions.
struct Sim {
    core: Core,
    world: World,
    now: Millis,
    /// Workers whose processes run.
    running: BTreeMap<WorkerId, StartSpec>,
    board: BTreeMap<usize, (SlotState, u32)>,
    replies: BTreeMap<WaiterId, AcquireReply>,
    mtimes: BTreeMap<usize, u64>,
    /// Actions other than those above, since they were taken.
    done: Vec<Action>,
    next_waiter: u64,
}

impl Sim {
    fn new(groups: Vec<GroupSpec>) -> Self {
        let mut world = World::default();
        world.mtimes.insert(b"/app".to_vec(), 1);
        let mut sim = Self {
            core: Core::default(),
            world,
            now: 1_000,
            running: BTreeMap::new(),
            board: BTreeMap::new(),
            replies: BTreeMap::new(),
            mtimes: BTreeMap::new(),
            done: Vec::new(),
            next_waiter: 0,
        };
        sim.event(Event::Configured(Box::new(settings(1, groups))));
        sim
    }

    fn event(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.core.handle(self.now, event, &self.world) {
                self.act(action, &mut events);
            }
        }
    }

    fn act(&mut self, action: Action, events: &mut Vec<Event>) {
        match action {
            Action::Spawn(order) => {
                let pid = u32::try_from(order.worker.0).unwrap() + 10_000;
                events.push(Event::Spawned { worker: order.worker, pid });
                self.running.insert(order.worker, order.start);
            }
            Action::SetSlot { slot, state, epoch } => {
                self.board.insert(slot, (state, epoch));
            }
            Action::ReplyAcquire(waiter, reply) => {
                assert!(self.replies.insert(waiter, reply).is_none(), "{waiter:?} answered twice");
            }
            Action::SetMtime { mount, mtime } => {
                self.mtimes.insert(mount, mtime);
            }
            other => self.done.push(other),
        }
    }

    fn waiter(&mut self) -> WaiterId {
        self.next_waiter += 1;
        WaiterId(self.next_waiter)
    }

    fn acquire(&mut self, mount: MountKey, until: Until) -> WaiterId {
        let waiter = self.waiter();
        self.event(Event::Acquired { waiter, mount, until });
        waiter
    }

    fn in_state(&self, state: WorkerState) -> Vec<WorkerId> {
        let workers = self.core.workers().iter();
        workers.filter(|(_, worker)| worker.state() == state).map(|(id, _)| *id).collect()
    }

    fn make_ready(&mut self, worker: WorkerId) {
        let mounts = self.running.get(&worker).map(|start| start.mounts.clone());
        let loaded = mounts
            .unwrap_or_default()
            .into_iter()
            .map(|mount| (mount.script.clone(), self.world.mtime(&mount.script)))
            .collect();
        let bit = Bit::Ready { python: "3.11.2".into(), loaded };
        self.event(Event::Bit { worker, bit });
    }

    fn fail(&mut self, worker: WorkerId, reason: &str) {
        let script = b"/app".to_vec();
        let mtime = self.world.mtime(&script);
        let bit = Bit::LoadFailed { script, mtime, reason: reason.into(), warmup: false };
        self.event(Event::Bit { worker, bit });
    }

    fn exit(&mut self, worker: WorkerId, cause: &str) {
        self.running.remove(&worker);
        let begun = self.world.begun.remove(&worker).unwrap_or_default();
        let signalled = cause.starts_with("killed");
        let exit = Exit { cause: cause.into(), signalled, output: String::new(), begun };
        self.event(Event::Exited { worker, exit });
    }

    /// Lets time pass, tick by tick as the core asks for it.
    fn pass(&mut self, millis: Millis) {
        let end = self.now + millis;
        while let Some(due) = self.core.next_tick().filter(|due| *due <= end && self.now < end) {
            self.now = due.max(self.now + 1);
            self.event(Event::Tick);
            let next = self.core.next_tick();
            assert!(next.is_none_or(|next| next > self.now), "ticks in a circle at {}", self.now);
        }
        self.now = self.now.max(end);
    }

    /// A served pair whose workers are ready.
    fn served(groups: Vec<GroupSpec>) -> Self {
        let mut sim = Self::new(groups);
        sim.acquire(mount("g", "", "/app"), Until::Ready);
        for worker in sim.in_state(WorkerState::Loading) {
            sim.make_ready(worker);
        }
        assert!(sim.in_state(WorkerState::Loading).is_empty());
        sim.done.clear();
        sim
    }

    fn logged(&self, code: Code) -> Vec<&LogLine> {
        let lines = self.done.iter().filter_map(|action| match action {
            Action::Log(line) if line.code == code => Some(line),
            _ => None,
        });
        lines.collect()
    }

    fn signalled(&self) -> Vec<(WorkerId, EndSignal)> {
        let signals = self.done.iter().filter_map(|action| match action {
            Action::Signal(worker, signal) => Some((*worker, *signal)),
            _ => None,
        });
        signals.collect()
    }

    /// The workers that were told to stop, for whatever reason.
    fn stopped(&self) -> Vec<WorkerId> {
        let stopped = self.done.iter().filter_map(|action| match action {
            Action::Rein(worker, Rein::Stop(_)) => Some(*worker),
            _ => None,
        });
        stopped.collect()
    }

    fn told(&self, rein: &Rein) -> Vec<WorkerId> {
        let told = self.done.iter().filter_map(|action| match action {
            Action::Rein(worker, sent) if sent == rein => Some(*worker),
            _ => None,
        });
        told.collect()
    }

    fn mounted(&self, waiter: WaiterId) -> bool {
        matches!(self.replies.get(&waiter), Some(AcquireReply::Mounted(_)))
    }
}
