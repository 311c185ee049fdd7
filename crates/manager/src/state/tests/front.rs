//! Workers with a front door of their own: draining, and files that change.

use super::*;
use pinion_wire::message::http::{HttpLimits, HttpSpec, HttpTimes, ListenerSpec, ProxySpec};

const READY: WorkerState = WorkerState::Ready;
const LOADING: WorkerState = WorkerState::Loading;
const CLOSING: WorkerState = WorkerState::Closing;

/// A group whose workers listen by themselves.
fn serving() -> GroupSpec {
    let http = HttpSpec {
        generation: 1,
        listeners: vec![ListenerSpec { name: "localhost".into(), port: 80, tls: false }],
        access_log: None,
        mount: String::new(),
        statics: Vec::new(),
        health: None,
        proxies: ProxySpec::default(),
        limits: HttpLimits::default(),
        times: HttpTimes::default(),
        tls: None,
        watch: Some(Vec::new()),
    };
    GroupSpec { http: Some(Box::new(http)), ..group("g") }
}

impl Sim {
    fn changed(&mut self, worker: WorkerId, path: &str, mtime: u64) {
        self.event(Event::Bit { worker, bit: Bit::Changed { path: path.into(), mtime } });
    }

    fn has_ended(&self) -> bool {
        self.done.iter().any(|action| matches!(action, Action::Exit))
    }
}

#[test]
fn draining_lets_connections_end_and_then_the_manager() {
    let mut sim = Sim::served(vec![serving()]);
    let workers = sim.in_state(READY);
    sim.world.open = workers.iter().map(|worker| (*worker, 2)).collect();
    sim.event(Event::Drain);
    assert_eq!(sim.told(&Rein::Drain), workers);
    assert_eq!(sim.in_state(CLOSING), workers);
    sim.pass(1_000);
    assert!(sim.stopped().is_empty(), "both have connections");
    sim.world.open.insert(workers[0], 0);
    sim.pass(1_000);
    assert_eq!(sim.stopped(), [workers[0]]);
    sim.exit(workers[0], "exited with status 0");
    assert!(!sim.has_ended());
    assert!(sim.in_state(LOADING).is_empty(), "nothing new is begun");
    sim.world.open.clear();
    sim.pass(100);
    assert_eq!(sim.stopped(), workers);
    sim.exit(workers[1], "exited with status 0");
    assert!(sim.has_ended());
    assert!(sim.signalled().is_empty() && sim.logged(Code::DrainTimeout).is_empty());
}

#[test]
fn workers_that_are_to_tell_of_the_end_serve_on_and_so_do_those_that_come_later() {
    let mut sim = Sim::served(vec![serving()]);
    let workers = sim.in_state(READY);
    sim.event(Event::Leave);
    assert_eq!(sim.told(&Rein::Leave), workers);
    assert_eq!(sim.in_state(READY), workers);
    sim.exit(workers[0], "killed by SIGSEGV");
    sim.pass(3_000);
    let loading = sim.in_state(LOADING);
    assert_eq!(loading.len(), 1, "it is replaced as at any time");
    sim.make_ready(loading[0]);
    assert!(sim.told(&Rein::Leave).contains(&loading[0]));
    sim.event(Event::Drain);
    assert_eq!(sim.told(&Rein::Drain), [workers[1], loading[0]]);
}

#[test]
fn draining_takes_no_longer_than_its_group_allows() {
    let mut sim = Sim::served(vec![serving()]);
    let workers = sim.in_state(READY);
    sim.world.open = workers.iter().map(|worker| (*worker, 1)).collect();
    sim.event(Event::Drain);
    sim.pass(2_900);
    assert!(sim.stopped().is_empty());
    sim.pass(200);
    assert_eq!(sim.stopped(), workers);
    assert_eq!(sim.logged(Code::DrainTimeout).len(), 2);
}

#[test]
fn draining_ends_what_loads_and_takes_no_other_configuration() {
    let mut sim = Sim::new(vec![serving()]);
    sim.acquire(mount("g", "", "/app"), Until::Ready);
    let loading = sim.in_state(LOADING);
    sim.event(Event::Drain);
    let killed: Vec<_> = loading.iter().map(|worker| (*worker, EndSignal::Kill)).collect();
    assert_eq!(sim.signalled(), killed);
    sim.event(Event::Configured(Box::new(settings(2, vec![group("g")]))));
    for worker in loading {
        sim.exit(worker, "killed by SIGKILL");
    }
    assert!(sim.running.is_empty());
    assert!(sim.has_ended());
}

#[test]
fn draining_without_workers_is_over_at_once() {
    let mut sim = Sim::new(vec![serving()]);
    sim.event(Event::Drain);
    assert!(sim.has_ended());
}

#[test]
fn only_workers_with_a_front_door_are_told_to_drain() {
    let mut sim = Sim::served(vec![group("g")]);
    sim.event(Event::Drain);
    assert!(sim.told(&Rein::Drain).is_empty());
    assert_eq!(sim.in_state(CLOSING).len(), 2);
    sim.world.in_flight.insert(0, 1);
    sim.pass(100);
    assert_eq!(sim.stopped().len(), 1, "requests that Apache's children count");
}

#[test]
fn a_worker_that_was_replaced_drains_first() {
    let mut sim = Sim::served(vec![serving()]);
    let old = sim.in_state(READY);
    sim.world.open = old.iter().map(|worker| (*worker, 1)).collect();
    let mut again = serving();
    again.http.as_mut().unwrap().generation = 2;
    sim.event(Event::Configured(Box::new(settings(2, vec![again]))));
    assert!(sim.told(&Rein::Drain).is_empty(), "the old ones serve until the new ones do");
    for worker in sim.in_state(LOADING) {
        assert_eq!(sim.running[&worker].group.http.as_ref().unwrap().generation, 2);
        sim.make_ready(worker);
    }
    assert_eq!(sim.told(&Rein::Drain), old);
    sim.pass(1_000);
    assert!(sim.stopped().is_empty());
    sim.world.open.clear();
    sim.pass(100);
    assert_eq!(sim.stopped(), old);
}

#[test]
fn a_changed_file_is_loaded_by_new_workers_once_for_all_who_see_it() {
    let mut sim = Sim::served(vec![serving()]);
    let old = sim.in_state(READY);
    sim.changed(old[0], "/shop/views.py", 7);
    let loading = sim.in_state(LOADING);
    assert_eq!((loading.len(), sim.in_state(READY)), (2, old.clone()));
    sim.changed(old[1], "/shop/views.py", 7);
    assert_eq!(sim.in_state(LOADING), loading);
    let said = sim.logged(Code::ScriptChanged);
    assert_eq!(said.len(), 1);
    assert!(said[0].text.starts_with("/shop/views.py has changed"), "{}", said[0].text);
    for worker in loading.iter().copied() {
        sim.make_ready(worker);
    }
    assert_eq!((sim.in_state(READY), sim.in_state(CLOSING)), (loading, old));
}

#[test]
fn a_change_while_a_load_is_under_way_begins_another_load() {
    let mut sim = Sim::served(vec![serving()]);
    let old = sim.in_state(READY);
    sim.changed(old[0], "/shop/views.py", 7);
    let first = sim.in_state(LOADING);
    sim.changed(old[0], "/shop/views.py", 8);
    let killed: Vec<_> = first.iter().map(|worker| (*worker, EndSignal::Kill)).collect();
    assert_eq!(sim.signalled(), killed, "they may have read it before");
    for worker in &first {
        sim.exit(*worker, "killed by SIGKILL");
    }
    let second = sim.in_state(LOADING);
    assert!(second.len() == 2 && second.iter().all(|worker| !first.contains(worker)));
    assert_eq!(sim.in_state(READY), old);
}

#[test]
fn a_change_that_does_not_load_leaves_the_old_workers_and_the_next_one_is_tried() {
    let mut sim = Sim::served(vec![serving()]);
    let old = sim.in_state(READY);
    sim.changed(old[0], "/shop/views.py", 7);
    let loading = sim.in_state(LOADING);
    sim.fail(loading[0], "Traceback\nSyntaxError: x\n");
    for worker in loading {
        sim.exit(worker, "exited with status 1");
    }
    let said = sim.logged(Code::ReloadFailed);
    assert!(said.len() == 1 && said[0].text.contains("Traceback\nSyntaxError: x"), "{said:?}");
    assert_eq!(sim.in_state(READY), old);
    sim.pass(10_000);
    assert!(sim.in_state(LOADING).is_empty(), "not before something changes");
    sim.changed(old[1], "/shop/views.py", 9);
    assert_eq!(sim.in_state(LOADING).len(), 2);
}

#[test]
fn a_change_is_of_no_interest_while_draining() {
    let mut sim = Sim::served(vec![serving()]);
    let workers = sim.in_state(READY);
    sim.world.open = workers.iter().map(|worker| (*worker, 1)).collect();
    sim.event(Event::Drain);
    sim.changed(workers[0], "/shop/views.py", 7);
    assert!(sim.in_state(LOADING).is_empty() && sim.logged(Code::ScriptChanged).is_empty());
}

#[test]
fn every_worker_writes_its_stacks() {
    let mut sim = Sim::served(vec![serving(), group("other")]);
    sim.acquire(mount("other", "", "/app"), Until::Ready);
    let all: Vec<_> = sim.running.keys().copied().collect();
    assert_eq!(all.len(), 4);
    sim.event(Event::DumpStacks);
    assert_eq!(sim.told(&Rein::DumpStacks), all);
}
