//! Whatever happens in whatever order, some things stay true.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Acquire { group: bool, application_group: u8 },
    Changed,
    Ready(usize),
    Fail(usize),
    Die(usize),
    ReinsEnd(usize),
    Retire(usize),
    Open(u32),
    Busy(usize, u64),
    Pass(u64),
    Configure(u32),
    Child(u64),
    ChildGone(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let worker = 0..8_usize;
    prop_oneof![
        3 => (any::<bool>(), 0..3_u8)
            .prop_map(|(group, application_group)| Step::Acquire { group, application_group }),
        1 => Just(Step::Changed),
        6 => worker.clone().prop_map(Step::Ready),
        1 => worker.clone().prop_map(Step::Fail),
        3 => worker.clone().prop_map(Step::Die),
        1 => worker.clone().prop_map(Step::ReinsEnd),
        1 => worker.prop_map(Step::Retire),
        1 => (0..30_u32).prop_map(Step::Open),
        1 => (0..30_usize, 0..3_u64).prop_map(|(slot, count)| Step::Busy(slot, count)),
        4 => (0..3_000_u64).prop_map(Step::Pass),
        1 => (0..4_u32).prop_map(Step::Configure),
        1 => (0..3_u64).prop_map(Step::Child),
        1 => (0..3_u64).prop_map(Step::ChildGone),
    ]
}

impl Sim {
    fn nth(&self, place: usize) -> Option<WorkerId> {
        let count = self.running.len();
        (count > 0).then(|| *self.running.keys().nth(place % count).unwrap())
    }

    fn step(&mut self, step: &Step, asked: &mut Vec<WaiterId>) {
        match *step {
            Step::Acquire { group, application_group } => {
                let name = if group { "g" } else { "other" };
                let key = mount(name, &application_group.to_string(), "/app");
                asked.push(self.acquire(key, Until::Ready));
            }
            Step::Changed => {
                let mtime = self.world.mtime(b"/app") + 1;
                self.world.mtimes.insert(b"/app".to_vec(), mtime);
                asked.push(self.acquire(mount("g", "0", "/app"), Until::Changed(mtime)));
            }
            Step::Ready(place) => self.nth(place).into_iter().for_each(|id| self.make_ready(id)),
            Step::Fail(place) => {
                self.nth(place).into_iter().for_each(|id| self.fail(id, "ValueError: x"));
            }
            Step::Die(place) => {
                self.nth(place).into_iter().for_each(|id| self.exit(id, "killed by SIGSEGV"));
            }
            Step::ReinsEnd(place) => {
                self.nth(place).into_iter().for_each(|id| self.event(Event::ReinsEnded(id)));
            }
            Step::Retire(place) => {
                let reason = pinion_wire::message::RetireReason::Asked;
                let bit = Bit::Retire { reason };
                let worker = self.nth(place);
                worker
                    .into_iter()
                    .for_each(|worker| self.event(Event::Bit { worker, bit: bit.clone() }));
            }
            Step::Open(slot) => {
                let waiter = self.waiter();
                self.event(Event::Opened { waiter, slot, epoch: 2 });
            }
            Step::Busy(slot, count) => {
                self.world.in_flight.insert(slot, count);
            }
            Step::Pass(millis) => self.pass(millis),
            Step::Configure(variant) => {
                let mut changed = group("g");
                changed.processes = variant % 2 + 1;
                let groups =
                    if variant < 3 { vec![changed, group("other")] } else { vec![changed] };
                self.event(Event::Configured(Box::new(settings(variant, groups))));
            }
            Step::Child(child) => {
                self.event(Event::ChildHello { child: ChildId(child), pid: 7, generation: 1 });
            }
            Step::ChildGone(child) => self.event(Event::ChildGone(ChildId(child))),
        }
    }

    fn check(&self) {
        let workers = self.core.workers();
        let mut seen = std::collections::BTreeSet::new();
        for worker in workers.values() {
            assert!(seen.insert(worker.slot), "two workers in slot {}", worker.slot);
        }
        for (id, pair) in &self.core.pairs {
            for worker in self.core.workers_of(*id).map(|(_, worker)| worker) {
                let slots = pair.old_slots.iter().chain([&pair.slots]);
                let slots = slots.chain(pair.fallback.iter().map(|fallback| &fallback.slots));
                assert!(slots.clone().any(|slots| slots.contains(&worker.slot)), "foreign slot");
            }
        }
        let by_slot: BTreeMap<_, _> =
            workers.values().map(|worker| (worker.slot, worker)).collect();
        for (slot, (state, epoch)) in &self.board {
            let worker = by_slot.get(slot).filter(|worker| worker.epoch == *epoch);
            let expected = match worker.map(|worker| worker.state()) {
                None => SlotState::Empty,
                Some(WorkerState::Ready) => SlotState::Ready,
                Some(_) => SlotState::Closing,
            };
            assert_eq!(*state, expected, "slot {slot}");
        }
    }

    /// A worker is only taken from requests by its pair when another one takes them.
    fn check_closed(&self, before: &[(WorkerId, PairId)]) {
        for (id, pair) in before {
            let closed = self
                .core
                .workers()
                .get(id)
                .is_some_and(|worker| worker.state() == WorkerState::Closing);
            let staying = self.core.pairs.get(pair).is_some_and(|pair| pair.leaving.is_none());
            if closed && staying {
                assert!(self.core.has_ready(*pair), "{id:?} was closed and nobody took over");
            }
        }
    }
}

proptest! {
    #[test]
    fn the_invariants_hold(steps in prop::collection::vec(step(), 1..120)) {
        let mut sim = Sim::new(vec![group("g"), group("other")]);
        let mut asked = Vec::new();
        for step in &steps {
            let ready: Vec<_> = sim
                .in_state(WorkerState::Ready)
                .into_iter()
                .map(|id| (id, sim.core.workers()[&id].pair))
                .collect();
            sim.step(step, &mut asked);
            sim.check();
            if !matches!(step, Step::Die(_) | Step::ReinsEnd(_) | Step::Fail(_)) {
                sim.check_closed(&ready);
            }
        }
        // From here on all goes well: then all who wait are answered.
        sim.world.in_flight.clear();
        for _ in 0..200 {
            for worker in sim.in_state(WorkerState::Loading) {
                sim.make_ready(worker);
            }
            let ending = sim.core.workers().iter().filter(|(_, worker)| worker.state().is_ending());
            for worker in ending.map(|(id, _)| *id).collect::<Vec<_>>() {
                sim.exit(worker, "exited with status 0");
            }
            sim.pass(500);
            sim.check();
        }
        for waiter in &asked {
            prop_assert!(sim.replies.contains_key(waiter), "{waiter:?} waits for ever");
        }
        for pair in sim.core.pairs.values() {
            prop_assert_eq!(&pair.old_slots, &vec![]);
        }
        let late = sim.acquire(mount("g", "late", "/app"), Until::Ready);
        sim.event(Event::Stop);
        prop_assert_eq!(&sim.replies[&late], &AcquireReply::Stopping);
        sim.pass(10_000);
        prop_assert!(sim.done.iter().any(|action| matches!(action, Action::Exit)));
    }
}
