//! A host that is cut off under load, and comes back.

use std::collections::BTreeMap;
use std::time::Instant;

use pinion_testbed::http::Client;
use pinion_testbed::wait_until;

use crate::load::{Load, Request, ask};
use crate::world::{HOSTS, LIMIT, World};

/// Requests that wait at the gate, of each method: enough for each host to have some.
const HELD: usize = 6;

#[test]
fn nothing_is_lost_but_what_a_host_was_running_when_it_was_cut_off() {
    let Some(world) = World::new(&[]) else { return };
    let load = Load::new(&world);
    let (requests, (held, cut)) = load.run_while(6, || disturb(&world, &load));
    assert!(requests.len() > 300, "too few to tell: {}", requests.len());

    let host = cut.host;
    let number = host.trim_start_matches("app");
    let all: Vec<&Request> = requests.iter().chain(&held).collect();
    let lost: Vec<&&Request> = all.iter().filter(|request| !request.is_right()).collect();
    for request in &lost {
        let excused = request.method == "POST"
            && request.began < cut.at
            && request.given_to() == Some(number);
        assert!(excused, "{request:?}, cut at {:?}\n{}", cut.at, world.logs());
    }
    // The requests that were held there: a POST is lost, and said to be; a GET was run again elsewhere.
    for request in &held {
        if !cut.running.contains(&request.line()) {
            assert!(request.is_right(), "{request:?}\n{}", world.logs());
        } else if request.method == "POST" {
            assert!(matches!(request.answer, Ok((502 | 504, _, _))), "{request:?}");
        } else {
            assert_ne!(request.answered_by().unwrap(), host);
        }
    }
    each_post_ran_once(&world, &all);
}

/// What was cut off, when, and with what in its hands.
struct Cut {
    host: &'static str,
    at: Instant,
    running: Vec<String>,
}

/// Cuts a host off, waits until the balancer has passed it over, and lets it come back.
fn disturb(world: &World, load: &Load<'_>) -> (Vec<Request>, Cut) {
    let each_has = |count: usize| HOSTS.iter().all(|host| world.begun(host).len() >= count);
    assert!(wait_until(LIMIT, || each_has(20)), "{}", world.logs());
    let gate = world.gate();
    std::thread::scope(|scope| {
        let held: Vec<_> = (0..2 * HELD)
            .map(|number| {
                scope.spawn(move || {
                    world.network.enter("client").unwrap();
                    let method = if number < HELD { "GET" } else { "POST" };
                    ask(world, &Client::new(LIMIT), "/held", method, format!("held.{number}"))
                })
            })
            .collect();
        let waiting = |host: &str| -> Vec<String> {
            let running = world.running(host).into_iter();
            running.filter(|request| request.contains("held")).collect()
        };
        let all = || HOSTS.iter().map(|host| waiting(host).len()).sum::<usize>() == 2 * HELD;
        assert!(wait_until(LIMIT, all), "{}", world.logs());
        let both = |host: &&&str| {
            let waiting = waiting(host);
            ["GET", "POST"].iter().all(|method| waiting.iter().any(|one| one.starts_with(method)))
        };
        let host = *HOSTS.iter().find(both).expect("a host with both, by their number");

        let running = waiting(host);
        world.network.cut(host).unwrap();
        let cut = Cut { host, at: Instant::now(), running };
        world.wait_until_out(host);
        let (from, begun) = (load.done(), world.begun(host).len());
        assert!(wait_until(LIMIT, || load.done() > from + 200), "{}", world.logs());
        drop(gate);
        let held = held.into_iter().map(|thread| thread.join().unwrap()).collect();

        world.network.mend(host).unwrap();
        world.wait_until_in(host);
        assert!(wait_until(LIMIT, || world.begun(host).len() > begun + 20), "{}", world.logs());
        (held, cut)
    })
}

/// Only what may be repeated has been; and what was answered ran where the answer came from.
pub(crate) fn each_post_ran_once(world: &World, all: &[&Request]) {
    let mut ran: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for host in HOSTS {
        for request in world.begun(host) {
            ran.entry(request).or_default().push(host);
        }
    }
    for request in all {
        let hosts = ran.get(&request.line()).map_or(&[][..], Vec::as_slice);
        if let Some(host) = request.answered_by() {
            assert!(hosts.contains(&host.as_str()), "{request:?} ran on {hosts:?}");
        }
        let most = if request.method == "POST" { 1 } else { 2 };
        assert!(hosts.len() <= most, "{request:?} ran on {hosts:?}");
    }
}
