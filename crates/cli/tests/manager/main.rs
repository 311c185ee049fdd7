//! The real manager with workers that only pretend, and this test in the place of Apache.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use std::os::fd::AsFd;

use pinion_unix::process::{ExitCause, kill};
use pinion_unix::signals::Signal;
use pinion_wire::board::SlotState;
use pinion_wire::message::{AcquireReply, Control, InquireReply, Mounted, Until};

mod apache;
mod rights;

use apache::{Apache, wait_until};

fn mounted(reply: AcquireReply) -> Mounted {
    let AcquireReply::Mounted(mounted) = reply else { panic!("{reply:?}") };
    mounted
}

#[test]
fn a_person_is_told_that_the_manager_is_not_for_the_command_line() {
    let program = env!("CARGO_BIN_EXE_pinion");
    let output = std::process::Command::new(program).arg("manager").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("pinion: descriptor 3 is not the control channel"), "{text}");
    assert!(text.contains("\nhint: "), "{text}");
    let output = std::process::Command::new(program).arg("--version").output().unwrap();
    assert_eq!(output.stdout, concat!("pinion ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
}

#[test]
fn workers_start_serve_die_and_are_replaced() {
    let mut apache = Apache::start("ok");
    assert_eq!(apache.hello().row, Some(0));
    let place = mounted(apache.acquire(Until::Ready));
    assert_eq!((place.first_slot, place.slots, place.processes), (0, 6, 2));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    assert_eq!(apache.loaded_mtime(place), apache.script_mtime());

    let (slot, epoch) = apache.ready()[0];
    let (connection, welcome) = apache.open(slot, epoch).expect("a welcome");
    assert_eq!(apache.inquire(slot, epoch, welcome.connection, 2, false), InquireReply::Waiting);
    let running = apache.inquire(slot, epoch, welcome.connection, 1, false);
    assert!(matches!(running, InquireReply::Running { .. }), "{running:?}");

    kill(welcome.pid, Signal::SIGKILL).unwrap();
    let reply = apache.inquire(slot, epoch, welcome.connection, 1, true);
    let InquireReply::Dead(death) = reply else { panic!("{reply:?}") };
    assert_eq!((death.pid, &death.cause[..]), (welcome.pid, "killed by SIGKILL"));
    assert!(death.begun_ms.is_some());
    drop(connection);
    assert!(apache.open(slot, epoch).is_err(), "nobody is there");
    wait_until("another worker is ready", || apache.ready().len() == 2);

    apache.wait_for_log("[wsgi:error] [pid ");
    apache.wait_for_log("loading: ok");
    apache.wait_for_log("PIN0201: ");
    apache.wait_for_log("GET /made-up");
    apache.stop();
}

#[test]
fn more_connections_than_a_socket_takes_messages_are_all_passed_on() {
    let apache = Apache::start("ok");
    mounted(apache.acquire(Until::Ready));
    let (slot, epoch) = apache.ready()[0];
    let asked: Vec<_> = (0..100).map(|_| apache.ask_open(slot, epoch)).collect();
    let numbers: Vec<_> =
        asked.iter().map(|near| apache::welcome(near.as_fd()).unwrap().connection).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
}

#[test]
fn a_changed_script_is_served_by_new_workers() {
    let apache = Apache::start("ok");
    let place = mounted(apache.acquire(Until::Ready));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    let old = apache.pids();
    let mtime = apache.write_script("ok again");

    mounted(apache.acquire(Until::Changed(mtime)));
    assert_eq!(apache.loaded_mtime(place), mtime);
    wait_until("the old workers are gone", || old.iter().all(|pid| !apache::lives(*pid)));
    wait_until("both new workers are ready", || apache.ready().len() == 2);
}

#[test]
fn a_script_that_fails_is_told_and_mended() {
    let apache = Apache::start("fail");
    let reply = apache.acquire(Until::Ready);
    let AcquireReply::Failed { detail: Some(detail), retry_ms } = reply else {
        panic!("{reply:?}")
    };
    assert!(detail.ends_with("ValueError: broken") && retry_ms <= 1000, "{detail} {retry_ms}");
    apache.write_script("die");
    let reply = apache.acquire(Until::Ready);
    let AcquireReply::Failed { detail: Some(detail), .. } = reply else { panic!("{reply:?}") };
    assert!(detail.contains("exited with status 3") && detail.contains("made up"), "{detail}");
    apache.write_script("ok");
    mounted(apache.acquire(Until::Ready));
}

#[test]
fn a_script_that_breaks_leaves_the_old_workers() {
    let apache = Apache::start("ok");
    mounted(apache.acquire(Until::Ready));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    let before = apache.ready();
    let mtime = apache.write_script("fail");
    mounted(apache.acquire(Until::Changed(mtime)));
    assert_eq!(apache.ready(), before);
    apache.wait_for_log("PIN0208: ");
    apache.wait_for_log("ValueError: broken");
}

#[test]
fn a_load_that_hangs_is_ended() {
    let mut apache = Apache::prepare("hang");
    apache.settings.groups[0].timeouts.startup = 300;
    apache.configure();
    let reply = apache.acquire(Until::Ready);
    let AcquireReply::Failed { detail: Some(detail), .. } = reply else { panic!("{reply:?}") };
    assert!(detail.contains("startup-timeout=0.300"), "{detail}");
}

#[test]
fn an_interpreter_that_is_missing_is_named() {
    let mut apache = Apache::prepare("ok");
    apache.settings.groups[0].python = "/no/such/python".into();
    apache.configure();
    let reply = apache.acquire(Until::Ready);
    let AcquireReply::Failed { detail: Some(detail), .. } = reply else { panic!("{reply:?}") };
    assert!(detail.contains("exec /no/such/python: No such file"), "{detail}");
}

#[test]
fn a_new_configuration_replaces_what_it_changes() {
    let mut apache = Apache::start("ok");
    mounted(apache.acquire(Until::Ready));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    let (before, old) = (apache.ready(), apache.pids());
    apache.settings.generation += 1;
    apache.configure();
    apache.wait_for_log("PIN0406: ");
    assert_eq!(apache.ready(), before, "nothing has changed");
    apache.settings.groups[0].env.push(("NEW".into(), "1".into()));
    apache.settings.groups[0].processes = 3;
    apache.configure();
    wait_until("the old workers are gone", || old.iter().all(|pid| !apache::lives(*pid)));
    wait_until("three new workers are ready", || apache.ready().len() == 3);
    apache.settings.groups.clear();
    let old = apache.pids();
    apache.configure();
    wait_until("all workers are gone", || old.iter().all(|pid| !apache::lives(*pid)));
    assert_eq!(apache.acquire(Until::Ready), AcquireReply::UnknownGroup);
}

#[test]
fn nothing_is_left_when_apache_dies() {
    let mut apache = Apache::start("ok");
    mounted(apache.acquire(Until::Ready));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    let pids = apache.pids();
    assert_eq!(pids.len(), 2);
    apache.close_control();
    assert_eq!(apache.wait_for_manager(), ExitCause::Status(0));
    assert!(pids.iter().all(|pid| !apache::lives(*pid)));
}

#[test]
fn a_worker_that_hangs_at_the_end_is_killed() {
    let mut apache = Apache::prepare("hang");
    apache.settings.groups[0].timeouts.shutdown = 400;
    apache.configure();
    let asked = apache.ask_acquire(Until::Ready);
    apache.wait_for_log("loading: hang");
    let pids = apache.pids();
    apache.send(&Control::Stop);
    let stopping = apache::reply::<AcquireReply>(asked.as_fd());
    assert_eq!(stopping, AcquireReply::Stopping);
    assert_eq!(apache.wait_for_manager(), ExitCause::Status(0));
    assert!(pids.iter().all(|pid| !apache::lives(*pid)));
}

#[test]
fn another_manager_takes_over_when_one_dies() {
    let mut apache = Apache::start("ok");
    let place = mounted(apache.acquire(Until::Ready));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    let old = apache.pids();
    kill(apache.manager_pid(), Signal::SIGKILL).unwrap();
    assert!(matches!(apache.wait_for_manager(), ExitCause::Signal { number: 9, .. }));
    // Asked while there is no manager: the next one answers.
    let asked = apache.ask_acquire(Until::Ready);
    wait_until("the old workers see that", || old.iter().all(|pid| !apache::lives(*pid)));
    apache.start_manager();
    apache.configure();
    let next = mounted(apache::reply(asked.as_fd()));
    assert!(next.first_slot >= place.first_slot + place.slots, "{next:?}");
    let slot = apache.ready()[0];
    assert!(slot.0 >= next.first_slot);
    assert!(apache.open(slot.0, slot.1).is_ok());
}

#[test]
fn a_request_that_takes_too_long_has_its_worker_replaced() {
    let mut apache = Apache::prepare("ok");
    let timeouts = &mut apache.settings.groups[0].timeouts;
    (timeouts.request, timeouts.graceful, timeouts.shutdown) = (300, 300, 600);
    apache.configure();
    mounted(apache.acquire(Until::Ready));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    let (slot, epoch) = apache.ready()[0];
    let (_connection, welcome) = apache.open(slot, epoch).unwrap();
    apache.wait_for_log("PIN0304: ");
    apache.wait_for_log(&format!("stacks of {}", welcome.pid));
    wait_until("its worker is gone", || !apache::lives(welcome.pid));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    assert_ne!(apache.state(slot), (SlotState::Ready, epoch));
}

#[test]
fn a_full_log_does_not_stop_the_manager() {
    let mut apache = Apache::prepare("ok");
    apache.log_to("/dev/full");
    apache.configure();
    mounted(apache.acquire(Until::Ready));
    wait_until("both workers are ready", || apache.ready().len() == 2);
    assert_eq!(apache.hello().row, Some(0));
}
