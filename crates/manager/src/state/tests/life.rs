//! What happens to a pair, step by step.

use super::*;

const READY: WorkerState = WorkerState::Ready;
const LOADING: WorkerState = WorkerState::Loading;

fn app() -> MountKey {
    mount("g", "", "/app")
}

#[test]
fn the_first_request_starts_all_workers_and_is_answered_by_the_first_that_is_ready() {
    let mut sim = Sim::new(vec![group("g")]);
    let (first, second) = (sim.acquire(app(), Until::Ready), sim.acquire(app(), Until::Ready));
    let loading = sim.in_state(LOADING);
    assert_eq!((loading.len(), sim.replies.len()), (2, 0));
    assert!(sim.running[&loading[0]].mounts[0].required);
    sim.make_ready(loading[1]);
    let Some(AcquireReply::Mounted(mounted)) = sim.replies.get(&first) else { panic!("waits") };
    assert_eq!((mounted.first_slot, mounted.slots, mounted.processes), (0, 6, 2));
    assert!(sim.mounted(second));
    let ready: Vec<_> =
        sim.board.iter().filter(|(_, (state, _))| *state == SlotState::Ready).collect();
    assert_eq!(ready, [(&1, &(SlotState::Ready, 2))]);
    assert_eq!(sim.mtimes, BTreeMap::from([(0, 1)]));
    let third = sim.acquire(app(), Until::Ready);
    assert!(sim.mounted(third), "answered at once");
    assert_eq!(sim.running.len(), 2);
}

#[test]
fn a_worker_whose_script_wants_to_be_loaded_anew_is_replaced() {
    let mut sim = Sim::served(vec![group("g")]);
    let before = sim.in_state(READY);
    let (slot, (_, epoch)) = sim.board.first_key_value().unwrap();
    let until = Until::Replaced { slot: u32::try_from(*slot).unwrap(), epoch: *epoch };
    let waiter = sim.acquire(app(), until);
    assert!(!sim.replies.contains_key(&waiter), "waits for the replacement");
    let loading = sim.in_state(LOADING);
    assert_eq!((loading.len(), sim.in_state(READY)), (1, before.clone()));
    sim.make_ready(loading[0]);
    assert!(sim.mounted(waiter));
    let after = sim.in_state(READY);
    assert_eq!(after.len(), 2);
    assert!(after.contains(&loading[0]) && after != before);
    // One who saw the old worker, and asks late.
    let late = sim.acquire(app(), until);
    assert!(sim.mounted(late));
    assert!(sim.in_state(LOADING).is_empty());
}

#[test]
fn a_worker_that_cannot_be_replaced_goes_on() {
    let mut sim = Sim::served(vec![group("g")]);
    let before = sim.in_state(READY);
    let (slot, (_, epoch)) = sim.board.first_key_value().unwrap();
    let until = Until::Replaced { slot: u32::try_from(*slot).unwrap(), epoch: *epoch };
    let waiter = sim.acquire(app(), until);
    let loading = sim.in_state(LOADING);
    sim.fail(loading[0], "ValueError: x");
    assert!(matches!(sim.replies[&waiter], AcquireReply::Failed { .. }));
    sim.exit(loading[0], "exited with status 1");
    assert_eq!(sim.in_state(READY), before);
}

#[test]
fn an_unknown_group_is_named() {
    let mut sim = Sim::new(vec![group("g")]);
    let waiter = sim.acquire(mount("other", "", "/app"), Until::Ready);
    assert_eq!(sim.replies[&waiter], AcquireReply::UnknownGroup);
}

#[test]
fn the_first_who_waits_gets_the_traceback_and_the_others_the_reason() {
    let mut sim = Sim::new(vec![group("g")]);
    let (first, second) = (sim.acquire(app(), Until::Ready), sim.acquire(app(), Until::Ready));
    let loading = sim.in_state(LOADING);
    sim.fail(loading[0], "Traceback\nValueError: x\n");
    let failed = |detail: Option<&str>, retry_ms| AcquireReply::Failed {
        detail: detail.map(str::to_owned),
        retry_ms,
    };
    assert_eq!(sim.replies[&first], failed(Some("Traceback\nValueError: x\n"), 1_000));
    assert_eq!(sim.replies[&second], failed(None, 1_000));
    assert_eq!(sim.signalled(), [(loading[1], EndSignal::Kill)], "it would only fail, too");
    assert!(sim.logged(Code::LoadFailed).is_empty(), "the one who was told logs it");
    sim.pass(100);
    let third = sim.acquire(app(), Until::Ready);
    assert_eq!(sim.replies[&third], failed(Some("ValueError: x"), 900));
}

#[test]
fn a_failed_load_is_tried_again_after_a_pause_that_grows() {
    let mut sim = Sim::new(vec![group("g")]);
    let waiter = sim.acquire(app(), Until::Ready);
    for worker in sim.in_state(LOADING) {
        sim.fail(worker, "ValueError: x");
        sim.exit(worker, "exited with status 1");
    }
    assert!(sim.replies.contains_key(&waiter));
    sim.pass(990);
    assert!(sim.running.is_empty());
    sim.pass(20);
    let again = sim.in_state(LOADING);
    assert_eq!(again.len(), 1, "one tries for all");
    sim.fail(again[0], "ValueError: x");
    sim.exit(again[0], "exited with status 1");
    assert_eq!(sim.logged(Code::LoadBackOff).len(), 1, "the same again is said in short");
    sim.pass(1_900);
    assert!(sim.running.is_empty());
    sim.pass(200);
    let again = sim.in_state(LOADING);
    sim.make_ready(again[0]);
    assert_eq!(sim.in_state(LOADING).len(), 1, "the others follow");
}

#[test]
fn a_script_that_was_mended_is_loaded_at_once() {
    let mut sim = Sim::new(vec![group("g")]);
    sim.acquire(app(), Until::Ready);
    for worker in sim.in_state(LOADING) {
        sim.fail(worker, "ValueError: x");
        sim.exit(worker, "exited with status 1");
    }
    sim.world.mtimes.insert(b"/app".to_vec(), 2);
    sim.pass(300);
    assert_eq!(sim.in_state(LOADING).len(), 1);
    let waiter = sim.acquire(app(), Until::Ready);
    assert!(!sim.replies.contains_key(&waiter), "waits for what the mended script does");
    sim.make_ready(sim.in_state(LOADING)[0]);
    assert!(sim.mounted(waiter));
}

#[test]
fn a_worker_that_dies_is_replaced_at_once_and_its_death_is_told() {
    let mut sim = Sim::served(vec![group("g")]);
    let dead = sim.in_state(READY)[0];
    let (slot, pid) = (sim.core.workers()[&dead].slot, sim.core.workers()[&dead].pid.unwrap());
    let asked = sim.waiter();
    let since_ns = sim.now * 1_000_000;
    let begun = Begun { connection: 3, seq: 4, since_ns, line: "GET /report".into() };
    sim.world.begun.insert(dead, vec![begun]);
    sim.pass(2_000);
    let (slot_number, epoch) = (u32::try_from(slot).unwrap(), sim.board[&slot].1);
    let inquiry =
        Inquiry { waiter: asked, slot: slot_number, epoch, connection: 3, seq: 4, ended: true };
    sim.event(Event::Inquired(inquiry));
    assert!(!sim.done.iter().any(|action| matches!(action, Action::ReplyInquire(..))));
    sim.exit(dead, "killed by SIGSEGV");
    assert_eq!(sim.board[&slot], (SlotState::Empty, epoch));
    assert_eq!(sim.in_state(LOADING).len(), 1);
    let death = sim.done.iter().find_map(|action| match action {
        Action::ReplyInquire(waiter, InquireReply::Dead(death)) if *waiter == asked => Some(death),
        _ => None,
    });
    let death = death.expect("answered");
    assert_eq!((death.pid, &death.cause[..]), (pid, "killed by SIGSEGV"));
    assert_eq!(death.begun_ms, Some(2_000));
    let [line] = sim.logged(Code::WorkerKilled)[..] else { panic!("logged once") };
    assert!(line.text.contains("GET /report"), "{}", line.text);
}

#[test]
fn what_a_living_worker_does_is_told() {
    let mut sim = Sim::served(vec![group("g")]);
    let worker = sim.in_state(READY)[0];
    let slot = u32::try_from(sim.core.workers()[&worker].slot).unwrap();
    let since_ns = sim.now * 1_000_000;
    sim.world
        .begun
        .insert(worker, vec![Begun { connection: 1, seq: 1, since_ns, line: "GET /".into() }]);
    sim.now += 70;
    let mut ask = |epoch, seq, ended| {
        let inquiry = Inquiry { waiter: WaiterId(99), slot, epoch, connection: 1, seq, ended };
        sim.event(Event::Inquired(inquiry));
        sim.pass(1_000);
        match sim.done.pop() {
            Some(Action::ReplyInquire(_, reply)) => reply,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(2, 1, false), InquireReply::Running { since_ms: 70 });
    assert_eq!(ask(2, 2, false), InquireReply::Waiting);
    assert_eq!(ask(3, 1, false), InquireReply::Unknown);
    assert_eq!(ask(2, 2, true), InquireReply::Waiting, "after a second");
}

#[test]
fn workers_that_keep_dying_are_replaced_after_a_pause() {
    let mut sim = Sim::served(vec![group("g")]);
    for _ in 0..2 {
        let worker = sim.in_state(READY)[0];
        sim.exit(worker, "killed by SIGSEGV");
        assert_eq!(sim.in_state(LOADING).len(), 1, "replaced at once");
        sim.make_ready(sim.in_state(LOADING)[0]);
    }
    for worker in sim.in_state(READY) {
        sim.exit(worker, "killed by SIGSEGV");
    }
    assert!(sim.running.is_empty());
    assert_eq!(sim.logged(Code::LoadBackOff).len(), 2);
    sim.pass(2_100);
    assert_eq!(sim.in_state(LOADING).len(), 1);
}

#[test]
fn a_changed_script_is_loaded_beside_the_old_workers() {
    let mut sim = Sim::served(vec![group("g")]);
    let old = sim.in_state(READY);
    sim.world.mtimes.insert(b"/app".to_vec(), 2);
    let waiter = sim.acquire(app(), Until::Changed(2));
    let new = sim.in_state(LOADING);
    assert_eq!((new.len(), sim.in_state(READY)), (2, old.clone()));
    let meanwhile = sim.acquire(app(), Until::Ready);
    assert!(sim.mounted(meanwhile), "the old ones serve");
    assert!(!sim.mounted(waiter), "who reported the change sees the new ones");
    sim.make_ready(new[0]);
    assert!(sim.mounted(waiter));
    assert_eq!(sim.mtimes[&0], 2);
    assert_eq!(sim.in_state(WorkerState::Closing), [old[0]]);
    sim.make_ready(new[1]);
    assert_eq!(sim.in_state(WorkerState::Closing), old);
    sim.pass(20);
    assert_eq!(sim.stopped(), old);
}

#[test]
fn a_changed_script_that_does_not_load_leaves_the_old_workers() {
    let mut sim = Sim::served(vec![group("g")]);
    let old = sim.in_state(READY);
    sim.world.mtimes.insert(b"/app".to_vec(), 2);
    let waiter = sim.acquire(app(), Until::Changed(2));
    let new = sim.in_state(LOADING);
    sim.fail(new[0], "SyntaxError: invalid syntax");
    assert!(sim.mounted(waiter));
    assert_eq!(sim.in_state(READY), old);
    assert_eq!(sim.signalled(), [(new[1], EndSignal::Kill)]);
    let [line] = sim.logged(Code::ReloadFailed)[..] else { panic!("logged once") };
    assert!(line.text.contains("SyntaxError"));
    assert_eq!(sim.mtimes[&0], 1, "so that the next change is noticed");
    for worker in new {
        sim.exit(worker, "killed by SIGKILL");
    }
    sim.pass(60_000);
    assert_eq!(sim.in_state(READY), old);
    assert_eq!(sim.running.len(), 2);
    sim.world.mtimes.insert(b"/app".to_vec(), 3);
    let waiter = sim.acquire(app(), Until::Changed(3));
    sim.make_ready(sim.in_state(LOADING)[0]);
    assert!(sim.mounted(waiter));
}

#[test]
fn a_closing_worker_is_stopped_when_its_requests_are_done() {
    let mut sim = Sim::served(vec![group("g")]);
    let old = sim.in_state(READY);
    let slot = sim.core.workers()[&old[0]].slot;
    sim.world.in_flight.insert(slot, 1);
    let reason = pinion_wire::message::RetireReason::MaximumRequests;
    sim.event(Event::Bit { worker: old[0], bit: Bit::Retire { reason } });
    assert_eq!(sim.board[&slot].0, SlotState::Ready, "it serves until it is replaced");
    sim.make_ready(sim.in_state(LOADING)[0]);
    assert_eq!(sim.board[&slot].0, SlotState::Closing);
    let waiter = sim.waiter();
    let opened = Event::Opened { waiter, slot: u32::try_from(slot).unwrap(), epoch: 2 };
    sim.event(opened.clone());
    assert!(matches!(sim.done.last(), Some(Action::Connect { connection: 1, .. })));
    sim.pass(2_000);
    assert!(sim.stopped().is_empty());
    sim.world.in_flight.clear();
    sim.pass(20);
    assert_eq!(sim.stopped(), [old[0]]);
    sim.event(opened);
    assert!(matches!(sim.done.last(), Some(Action::Refuse(..))));
}

#[test]
fn a_closing_worker_that_does_not_finish_is_ended_step_by_step() {
    let mut sim = Sim::served(vec![group("g")]);
    let old = sim.in_state(READY)[0];
    let slot = sim.core.workers()[&old].slot;
    sim.world.in_flight.insert(slot, 1);
    let since_ns = sim.now * 1_000_000;
    let begun = Begun { connection: 1, seq: 1, since_ns, line: "GET /slow".into() };
    sim.world.begun.insert(old, vec![begun]);
    let reason = pinion_wire::message::RetireReason::Asked;
    sim.event(Event::Bit { worker: old, bit: Bit::Retire { reason } });
    sim.make_ready(sim.in_state(LOADING)[0]);
    sim.pass(3_050);
    assert_eq!(sim.told(&Rein::DumpStacks), [old]);
    assert_eq!(sim.stopped(), [old]);
    assert!(sim.logged(Code::DrainTimeout)[0].text.contains("GET /slow"));
    sim.pass(2_000);
    assert_eq!(sim.signalled(), [(old, EndSignal::Term)]);
    sim.pass(2_000);
    assert_eq!(sim.signalled()[1], (old, EndSignal::Kill));
    sim.done.clear();
    sim.exit(old, "killed by SIGKILL");
    assert!(sim.logged(Code::WorkerKilled).is_empty(), "that was the manager's doing");
}

#[test]
fn a_request_over_its_time_is_dumped_once_and_its_worker_replaced() {
    let mut spec = group("g");
    spec.timeouts.request = 1_000;
    let mut sim = Sim::served(vec![spec]);
    let worker = sim.in_state(READY)[0];
    sim.world.in_flight.insert(sim.core.workers()[&worker].slot, 1);
    let since_ns = sim.now * 1_000_000;
    let begun = Begun { connection: 1, seq: 1, since_ns, line: "GET /loop".into() };
    sim.world.begun.insert(worker, vec![begun]);
    sim.pass(900);
    assert!(sim.logged(Code::RequestTimeout).is_empty());
    sim.pass(300);
    assert!(sim.logged(Code::RequestTimeout)[0].text.contains("GET /loop"));
    assert_eq!(sim.in_state(LOADING).len(), 1);
    // Its replacement does not load: it is closed all the same, and killed in the end.
    sim.fail(sim.in_state(LOADING)[0], "ValueError: x");
    assert_eq!(sim.in_state(WorkerState::Closing), [worker]);
    sim.pass(3_100 + 4_100);
    assert_eq!(sim.signalled().last(), Some(&(worker, EndSignal::Kill)));
    assert_eq!(sim.logged(Code::RequestTimeout).len(), 1);
    let doom = sim.core.workers()[&worker].doom.clone();
    assert_eq!(doom.as_deref(), Some("killed after request-timeout=1"));
}

#[test]
fn a_load_that_takes_too_long_is_dumped_killed_and_counted_as_failed() {
    let mut spec = group("g");
    (spec.timeouts.startup, spec.timeouts.shutdown) = (2_000, 1_000);
    let mut sim = Sim::new(vec![spec]);
    let waiter = sim.acquire(app(), Until::Ready);
    let loading = sim.in_state(LOADING);
    sim.pass(2_050);
    assert_eq!(sim.told(&Rein::DumpStacks), loading);
    assert_eq!(sim.told(&Rein::Stop(pinion_wire::message::StopReason::StartupTimeout)), loading);
    sim.pass(1_050);
    assert_eq!(sim.in_state(WorkerState::Killing), loading);
    sim.exit(loading[0], "killed by SIGKILL");
    let Some(AcquireReply::Failed { detail: Some(detail), .. }) = sim.replies.get(&waiter) else {
        panic!("{:?}", sim.replies)
    };
    assert!(detail.contains("not loaded within startup-timeout=2"), "{detail}");
}

#[test]
fn a_worker_that_is_killed_while_it_loads_is_started_again() {
    let mut sim = Sim::new(vec![group("g")]);
    let waiter = sim.acquire(app(), Until::Ready);
    let killed = |sim: &mut Sim| {
        let worker = sim.in_state(LOADING)[0];
        sim.exit(worker, "killed by SIGKILL");
    };
    killed(&mut sim);
    killed(&mut sim);
    assert_eq!((sim.in_state(LOADING).len(), sim.replies.len()), (2, 0));
    assert_eq!(sim.logged(Code::WorkerKilled).len(), 2);
    killed(&mut sim);
    assert!(matches!(sim.replies[&waiter], AcquireReply::Failed { .. }), "it goes on and on");
}

#[test]
fn an_interpreter_that_cannot_be_run_is_a_failed_load() {
    let mut sim = Sim::new(vec![group("g")]);
    let waiter = sim.acquire(app(), Until::Ready);
    let worker = sim.in_state(LOADING)[0];
    sim.event(Event::SpawnFailed {
        worker,
        reason: "cannot start: exec /usr/bin/python3: gone".into(),
    });
    let Some(AcquireReply::Failed { detail: Some(detail), .. }) = sim.replies.get(&waiter) else {
        panic!("{:?}", sim.replies)
    };
    assert!(detail.contains("exec /usr/bin/python3: gone"), "{detail}");
}

#[test]
fn an_unchanged_group_keeps_its_workers_and_a_changed_one_gets_new_ones() {
    let mut sim = Sim::served(vec![group("g"), group("other")]);
    let old = sim.in_state(READY);
    let mut same = group("g");
    same.server = 7;
    sim.event(Event::Configured(Box::new(settings(2, vec![same.clone()]))));
    assert_eq!((sim.in_state(READY), sim.running.len()), (old.clone(), 2));
    assert_eq!(sim.core.server_of(old[0]), Some(7), "it logs where it is declared now");
    same.processes = 3;
    sim.event(Event::Configured(Box::new(settings(3, vec![same]))));
    let new = sim.in_state(LOADING);
    assert_eq!((new.len(), sim.in_state(READY)), (3, old.clone()));
    assert_eq!(sim.running[&new[0]].group.processes, 3);
    for worker in &new {
        sim.make_ready(*worker);
    }
    assert_eq!(sim.in_state(WorkerState::Closing), old);
    let waiter = sim.acquire(app(), Until::Ready);
    let AcquireReply::Mounted(mounted) = sim.replies[&waiter] else { panic!("not mounted") };
    assert_eq!((mounted.first_slot, mounted.slots), (6, 8), "more workers need more slots");
}

#[test]
fn a_changed_group_that_does_not_load_goes_on_as_before() {
    let mut sim = Sim::served(vec![group("g")]);
    let old = sim.in_state(READY);
    let mut changed = group("g");
    changed.python = "/other/python".into();
    sim.event(Event::Configured(Box::new(settings(2, vec![changed.clone()]))));
    sim.fail(sim.in_state(LOADING)[0], "ModuleNotFoundError: x");
    assert_eq!(sim.in_state(READY), old);
    sim.exit(old[0], "killed by SIGKILL");
    let again = *sim.in_state(LOADING).last().unwrap();
    assert_eq!(sim.running[&again].group.python, "/usr/bin/python3", "what is known to work");
    sim.make_ready(again);
    // The same configuration again is another attempt.
    sim.event(Event::Configured(Box::new(settings(3, vec![changed]))));
    let again = *sim.in_state(LOADING).last().unwrap();
    assert_eq!(sim.running[&again].group.python, "/other/python");
}

#[test]
fn a_removed_group_is_closed_when_no_child_of_before_is_left() {
    let mut sim = Sim::served(vec![group("g")]);
    let old = sim.in_state(READY);
    sim.event(Event::ChildHello { child: ChildId(1), pid: 1, generation: 1 });
    sim.event(Event::ChildHello { child: ChildId(2), pid: 2, generation: 2 });
    sim.event(Event::Configured(Box::new(settings(2, vec![]))));
    sim.pass(100);
    assert_eq!(sim.in_state(READY), old);
    let late = sim.acquire(app(), Until::Ready);
    assert!(sim.mounted(late), "a child of before still finds it");
    sim.event(Event::ChildGone(ChildId(1)));
    assert_eq!(sim.in_state(WorkerState::Closing), old);
    assert!(sim.done.iter().any(|action| matches!(action, Action::ForgetRow(0))));
    sim.pass(20);
    for worker in old {
        sim.exit(worker, "exited with status 0");
    }
    let gone = sim.acquire(app(), Until::Ready);
    assert_eq!(sim.replies[&gone], AcquireReply::UnknownGroup);
}

#[test]
fn preloaded_mounts_start_with_the_configuration() {
    let mut sim = Sim::new(vec![group("g")]);
    let mut with_preload = settings(2, vec![group("g")]);
    with_preload.preload = vec![app(), mount("g", "", "/app"), mount("g", "two", "/app")];
    sim.event(Event::Configured(Box::new(with_preload)));
    assert_eq!(sim.in_state(LOADING).len(), 4, "two pairs of two");
}

#[test]
fn stopping_answers_all_and_ends_all_step_by_step() {
    let mut sim = Sim::served(vec![group("g")]);
    let workers = sim.in_state(READY);
    let waiter = sim.acquire(mount("g", "new", "/app"), Until::Ready);
    sim.event(Event::Stop);
    assert_eq!(sim.replies[&waiter], AcquireReply::Stopping);
    assert_eq!(sim.stopped().len(), 4);
    assert!(
        workers
            .iter()
            .all(|worker| { sim.board[&sim.core.workers()[worker].slot].0 == SlotState::Closing })
    );
    sim.pass(4_100);
    assert_eq!(sim.signalled().len(), 8, "SIGTERM, then SIGKILL");
    assert_eq!(sim.logged(Code::StoppedHard).len(), 4);
    assert!(!sim.done.iter().any(|action| matches!(action, Action::Exit)));
    for worker in sim.running.keys().copied().collect::<Vec<_>>() {
        sim.exit(worker, "killed by SIGKILL");
    }
    assert!(matches!(sim.done.last(), Some(Action::Exit)));
    let late = sim.acquire(app(), Until::Ready);
    assert_eq!(sim.replies[&late], AcquireReply::Stopping);
}

#[test]
fn the_pair_that_was_used_least_makes_room_for_another() {
    let mut one = group("g");
    one.processes = 1;
    let mut sim = Sim::new(vec![one]);
    for number in 0..64 {
        sim.now += 10;
        sim.acquire(mount("g", &number.to_string(), "/app"), Until::Ready);
        sim.make_ready(sim.in_state(LOADING)[0]);
    }
    sim.now += 10;
    sim.acquire(mount("g", "0", "/app"), Until::Ready);
    let waiter = sim.acquire(mount("g", "one more", "/app"), Until::Ready);
    let closing = sim.in_state(WorkerState::Closing);
    assert_eq!(closing.len(), 1);
    assert_eq!(sim.running[&closing[0]].application_group, "1");
    sim.make_ready(sim.in_state(LOADING)[0]);
    assert!(sim.mounted(waiter));
}

#[test]
fn when_all_pairs_are_busy_there_is_no_room() {
    let mut one = group("g");
    one.processes = 1;
    let mut sim = Sim::new(vec![one]);
    for number in 0..64 {
        sim.acquire(mount("g", &number.to_string(), "/app"), Until::Ready);
    }
    let waiter = sim.acquire(mount("g", "one more", "/app"), Until::Ready);
    assert_eq!(sim.replies[&waiter], AcquireReply::Full);
}

#[test]
fn a_worker_without_reins_is_replaced_and_ended() {
    let mut sim = Sim::served(vec![group("g")]);
    let worker = sim.in_state(READY)[0];
    sim.event(Event::ReinsEnded(worker));
    assert_eq!(sim.in_state(LOADING).len(), 1);
    sim.exit(worker, "exited with status 3");
    assert_eq!(sim.logged(Code::WorkerExited).len(), 1, "nobody had asked it to");
}

#[test]
fn a_manager_that_takes_over_a_board_leaves_the_slots_of_before_alone() {
    let mut sim = Sim::new(vec![]);
    let mut epochs = vec![0; pinion_wire::board::SLOTS];
    epochs[..6].fill(5);
    sim.core = Core::taking_over(&epochs, BTreeMap::new());
    sim.event(Event::Configured(Box::new(settings(1, vec![group("g")]))));
    let waiter = sim.acquire(app(), Until::Ready);
    sim.make_ready(sim.in_state(LOADING)[0]);
    let AcquireReply::Mounted(mounted) = sim.replies[&waiter] else { panic!("not mounted") };
    assert_eq!(mounted.first_slot, 6);
    assert_eq!(sim.board[&0], (SlotState::Empty, 5), "those of before serve no more");
}
