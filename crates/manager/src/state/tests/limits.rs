//! Workers that hang, that have nothing to do, that run no requests.

use super::*;
use pinion_wire::message::{RetireReason, StopReason};

const READY: WorkerState = WorkerState::Ready;
const LOADING: WorkerState = WorkerState::Loading;

fn timed(timeouts: Timeouts) -> GroupSpec {
    GroupSpec { timeouts, ..group("g") }
}

fn app() -> MountKey {
    mount("g", "", "/app")
}

impl Sim {
    fn begin(&mut self, worker: WorkerId, seq: u32) {
        let since_ns = self.now * 1_000_000;
        let begun = Begun { connection: 1, seq, since_ns, line: "GET /slow".into() };
        self.world.begun.entry(worker).or_default().push(begun);
    }

    fn beat(&mut self) {
        for worker in self.in_state(READY) {
            self.world.beats.insert(worker, self.now);
        }
    }
}

#[test]
fn a_request_over_its_time_alone_is_interrupted_and_the_worker_stays() {
    let times = Timeouts { request: 1_000, interrupt: 2_000, ..Timeouts::default() };
    let mut sim = Sim::served(vec![timed(times)]);
    let worker = sim.in_state(READY)[0];
    sim.begin(worker, 7);
    sim.pass(800);
    assert!(sim.logged(Code::RequestInterrupted).is_empty());
    sim.pass(400);
    assert_eq!(sim.told(&Rein::Interrupt { connection: 1, seq: 7 }), [worker]);
    assert_eq!(sim.logged(Code::RequestInterrupted).len(), 1);
    sim.begin(worker, 8);
    sim.world.begun.get_mut(&worker).unwrap().remove(0);
    sim.pass(1_200);
    assert_eq!(sim.told(&Rein::Interrupt { connection: 1, seq: 8 }), [worker], "each on its own");
    sim.world.begun.clear();
    sim.pass(10_000);
    assert_eq!(sim.told(&Rein::Interrupt { connection: 1, seq: 7 }), [worker], "once");
    assert_eq!((sim.running.len(), sim.in_state(READY).len()), (2, 2));
}

#[test]
fn a_request_that_goes_on_in_spite_of_its_interruption_costs_the_worker() {
    let times = Timeouts { request: 1_000, interrupt: 2_000, ..Timeouts::default() };
    let mut sim = Sim::served(vec![timed(times)]);
    let worker = sim.in_state(READY)[0];
    sim.begin(worker, 7);
    sim.pass(2_900);
    assert_eq!(sim.running.len(), 2);
    sim.pass(300);
    assert_eq!(sim.logged(Code::RequestTimeout).len(), 1);
    let new = sim.in_state(LOADING);
    sim.make_ready(new[0]);
    assert_eq!(sim.in_state(WorkerState::Closing), [worker]);
    sim.pass(20);
    let reason = StopReason::RequestTimeout;
    assert_eq!(sim.told(&Rein::Stop(reason)), [worker]);
}

#[test]
fn a_worker_whose_lock_cannot_be_had_is_replaced_without_waiting_for_it() {
    let times = Timeouts { deadlock: 5_000, shutdown: 4_000, ..Timeouts::default() };
    let mut sim = Sim::served(vec![timed(times)]);
    let workers = sim.in_state(READY);
    let slot = sim.core.workers()[&workers[0]].slot;
    sim.world.in_flight.insert(slot, 1);
    for _ in 0..20 {
        sim.beat();
        sim.pass(500);
    }
    assert_eq!(sim.running.len(), 2);
    for _ in 0..12 {
        let now = sim.now;
        sim.world.beats.insert(workers[1], now);
        sim.pass(500);
    }
    assert_eq!(sim.told(&Rein::Beat), [workers[0]]);
    let [line] = sim.logged(Code::Deadlock)[..] else { panic!("logged once") };
    assert!(line.text.contains("deadlock-timeout=5"), "{}", line.text);
    sim.make_ready(sim.in_state(LOADING)[0]);
    sim.pass(20);
    let reason = StopReason::DeadlockTimeout;
    assert_eq!(sim.told(&Rein::Stop(reason)), [workers[0]], "its requests will not end");
    sim.pass(4_100);
    assert_eq!(sim.signalled().last(), Some(&(workers[0], EndSignal::Kill)));
}

#[test]
fn a_worker_that_leaves_requests_unbegun_must_give_a_sign_of_life() {
    let mut sim = Sim::served(vec![group("g")]);
    let workers = sim.in_state(READY);
    let ask = |sim: &mut Sim, worker: WorkerId| {
        let waiter = sim.waiter();
        let Worker { slot, epoch, .. } = sim.core.workers()[&worker];
        let slot = u32::try_from(slot).unwrap();
        let (connection, seq, ended) = (1, 1, false);
        sim.event(Event::Inquired(Inquiry { waiter, slot, epoch, connection, seq, ended }));
    };
    ask(&mut sim, workers[0]);
    ask(&mut sim, workers[1]);
    assert_eq!(sim.told(&Rein::Beat), workers);
    let now = sim.now;
    sim.world.beats.insert(workers[1], now + 1);
    sim.pass(3_000);
    assert_eq!(sim.logged(Code::WorkerWedged).len(), 1);
    assert_eq!(sim.in_state(LOADING).len(), 1, "another one for the one that is silent");
    // One that runs requests may be slow to begin more.
    sim.begin(workers[1], 1);
    sim.done.clear();
    ask(&mut sim, workers[1]);
    assert!(sim.told(&Rein::Beat).is_empty());
}

#[test]
fn a_pair_with_nothing_to_do_sleeps_until_its_next_request() {
    let times = Timeouts { inactivity: 60_000, ..Timeouts::default() };
    let mut sim = Sim::served(vec![timed(times)]);
    let workers = sim.in_state(READY);
    let (slot, now) = (sim.core.workers()[&workers[0]].slot, sim.now);
    sim.world.active.insert(workers[0], now + 30_000);
    sim.pass(80_000);
    assert_eq!(sim.in_state(READY), workers, "one of them was needed less than a minute ago");
    sim.world.in_flight.insert(slot, 1);
    sim.pass(60_000);
    assert_eq!(sim.in_state(READY), workers, "one of them is needed");
    sim.world.in_flight.clear();
    sim.pass(130_000);
    let mut stopped = sim.told(&Rein::Stop(StopReason::InactivityTimeout));
    stopped.sort_unstable();
    assert_eq!(stopped, workers);
    for worker in workers {
        sim.exit(worker, "exited with status 0");
    }
    sim.pass(60_000);
    assert!(sim.running.is_empty());
    let waiter = sim.acquire(app(), Until::Ready);
    let started = sim.in_state(LOADING);
    assert_eq!(started.len(), 2);
    sim.make_ready(started[0]);
    assert!(sim.mounted(waiter));
}

#[test]
fn a_preloaded_worker_with_nothing_to_do_is_made_anew() {
    let times = Timeouts { inactivity: 60_000, ..Timeouts::default() };
    let mut sim = Sim::new(vec![]);
    let groups = vec![GroupSpec { processes: 1, ..timed(times) }];
    let preload = vec![app()];
    let configured = Settings { preload, ..settings(1, groups) };
    sim.event(Event::Configured(Box::new(configured)));
    let worker = sim.in_state(LOADING)[0];
    sim.make_ready(worker);
    sim.pass(200_000);
    assert_eq!(sim.in_state(READY), [worker], "it is as it was at its start");
    let now = sim.now;
    sim.world.active.insert(worker, now);
    sim.pass(130_000);
    let new = sim.in_state(LOADING);
    assert_eq!((new.len(), sim.in_state(READY)), (1, vec![worker]));
    sim.make_ready(new[0]);
    sim.pass(20);
    assert_eq!(sim.told(&Rein::Stop(StopReason::InactivityTimeout)), [worker]);
}

#[test]
fn eviction_has_a_time_of_its_own() {
    let times = Timeouts { graceful: 20_000, eviction: 2_000, ..Timeouts::default() };
    let mut sim = Sim::served(vec![timed(times)]);
    let worker = sim.in_state(READY)[0];
    let slot = sim.core.workers()[&worker].slot;
    sim.world.in_flight.insert(slot, 1);
    sim.event(Event::Bit { worker, bit: Bit::Retire { reason: RetireReason::Asked } });
    sim.make_ready(sim.in_state(LOADING)[0]);
    sim.pass(1_900);
    assert!(sim.stopped().is_empty());
    sim.pass(200);
    assert_eq!(sim.told(&Rein::Stop(StopReason::Eviction)), [worker]);
    assert!(sim.logged(Code::DrainTimeout)[0].text.contains("eviction-timeout=2"));
}

#[test]
fn a_worker_that_a_signal_has_stopped_gets_nothing_new_and_is_replaced() {
    let mut sim = Sim::served(vec![group("g")]);
    let worker = sim.in_state(READY)[0];
    let slot = sim.core.workers()[&worker].slot;
    sim.event(Event::Bit { worker, bit: Bit::Leaving });
    assert_eq!(sim.board[&slot].0, SlotState::Closing);
    assert_eq!(sim.in_state(LOADING).len(), 1);
    sim.exit(worker, "exited with status 0");
    assert!(sim.logged(Code::WorkerExited).is_empty(), "it was asked to");
}

#[test]
fn a_group_without_threads_runs_its_script_and_no_requests() {
    let service = GroupSpec { threads: 0, processes: 1, ..group("g") };
    let mut sim = Sim::new(vec![]);
    let script = MountKey { callable: String::new(), ..app() };
    let configured = Settings { preload: vec![script], ..settings(1, vec![service]) };
    sim.event(Event::Configured(Box::new(configured)));
    let worker = sim.in_state(LOADING)[0];
    let slot = sim.core.workers()[&worker].slot;
    sim.make_ready(worker);
    assert_ne!(sim.board[&slot].0, SlotState::Ready);
    let waiter = sim.acquire(app(), Until::Ready);
    assert_eq!(sim.replies[&waiter], AcquireReply::NoThreads);
    sim.event(Event::ReinsEnded(worker));
    assert_eq!(sim.in_state(READY), [worker], "it has become another program");
    sim.pass(200);
    sim.exit(worker, "exited with status 0");
    assert!(sim.in_state(LOADING).is_empty());
    sim.pass(900);
    let again = sim.in_state(LOADING);
    assert_eq!(again.len(), 1, "a second after it was started");
    assert_eq!(sim.logged(Code::ServiceEnded).len(), 1);
    sim.make_ready(again[0]);
    sim.event(Event::Stop);
    assert_eq!(sim.signalled(), [(again[0], EndSignal::Term)]);
}

#[test]
fn changes_faster_than_loads_keep_nobody_waiting_for_ever() {
    let mut sim = Sim::served(vec![GroupSpec { processes: 1, ..group("g") }]);
    let old = sim.in_state(READY);
    let change = |sim: &mut Sim, mtime| {
        sim.world.mtimes.insert(b"/app".to_vec(), mtime);
        sim.acquire(app(), Until::Changed(mtime))
    };
    let first = change(&mut sim, 2);
    let loading = sim.in_state(LOADING);
    let (second, third) = (change(&mut sim, 3), change(&mut sim, 4));
    assert_eq!(sim.in_state(LOADING), loading, "what loads is let come to its end");
    sim.make_ready(loading[0]);
    assert!(sim.mounted(first));
    assert!(!sim.mounted(second) && !sim.mounted(third), "they have asked for later code");
    let next = sim.in_state(LOADING);
    assert_eq!(next.len(), 1, "one load for both");
    sim.make_ready(next[0]);
    assert!(sim.mounted(second) && sim.mounted(third));
    sim.pass(20);
    assert_eq!(sim.stopped(), [old[0], loading[0]]);
    assert_eq!(sim.mtimes[&0], 4);
}

#[test]
fn a_change_that_does_not_load_does_not_hide_the_next_one() {
    let mut sim = Sim::served(vec![GroupSpec { processes: 1, ..group("g") }]);
    sim.world.mtimes.insert(b"/app".to_vec(), 2);
    let first = sim.acquire(app(), Until::Changed(2));
    let broken = sim.in_state(LOADING)[0];
    sim.world.mtimes.insert(b"/app".to_vec(), 3);
    let second = sim.acquire(app(), Until::Changed(3));
    sim.fail(broken, "SyntaxError: half written");
    assert!(sim.mounted(first), "by the old worker");
    assert!(!sim.mounted(second));
    sim.exit(broken, "exited with status 1");
    let next = sim.in_state(LOADING);
    sim.make_ready(next[0]);
    assert!(sim.mounted(second));
    assert_eq!(sim.mtimes[&0], 3);
}

#[test]
fn a_row_in_which_a_child_counts_is_kept_for_it_by_the_next_manager() {
    let mut sim = Sim::new(vec![]);
    sim.core = Core::taking_over(&[], BTreeMap::from([(0, 500), (2, 700)]));
    let row_of = |sim: &mut Sim, child, pid| {
        sim.event(Event::ChildHello { child: ChildId(child), pid, generation: 1 });
        let reply = sim.done.iter().rev().find_map(|action| match action {
            Action::ReplyHello(_, row) => Some(*row),
            _ => None,
        });
        reply.unwrap()
    };
    assert_eq!(row_of(&mut sim, 1, 900), Some(1), "a new child gets a row that nobody has");
    assert_eq!(row_of(&mut sim, 2, 700), Some(2), "its own");
    assert_eq!(row_of(&mut sim, 3, 901), Some(3));
    assert!(sim.done.iter().any(|action| matches!(action, Action::OwnRow(1, 900))));
}
