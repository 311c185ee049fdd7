//! A host that is cut off under load, and comes back.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::time::Instant;

use pinion_testbed::wait_until;

use crate::load::{Load, Request, ask, number};
use crate::world::{Gate, HOSTS, LIMIT, World};

/// Requests that wait at the gate, of each method: enough for each host to have some.
const HELD: usize = 6;
/// Clients whose sessions belong to the host: enough for each process of the balancer to have spoken with it before.
const BOUND: usize = 12;

#[test]
fn nothing_is_lost_but_what_a_host_was_running_when_it_was_cut_off() {
    let Some(world) = World::new(&["STICKY"]) else { return };
    let load = Load::new(&world);
    let (requests, (held, bound, cut)) = load.run_while(6, || disturb(&world, &load));
    assert!(requests.len() > 300, "too few to tell: {}", requests.len());

    let all: Vec<&Request> = requests.iter().chain(&held).chain(&bound).collect();
    for request in all.iter().filter(|request| !request.is_right()) {
        let excused = request.method == "POST"
            && request.began < cut.at
            && request.given_to() == Some(number(cut.host));
        assert!(excused, "{request:?}, cut at {:?}\n{}", cut.at, world.logs());
    }
    // The requests that were held there: a POST is lost, and said to be; a GET was run again elsewhere.
    for request in &held {
        if !cut.running.contains(&request.line()) {
            assert!(request.is_right(), "{request:?}\n{}", world.logs());
        } else if request.method == "POST" {
            assert!(matches!(request.answer, Ok((502 | 504, _, _))), "{request:?}");
        } else {
            assert_ne!(request.answered_by().unwrap(), cut.host);
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

/// Cuts a host off, waits until the balancer has passed it over, and lets it come back: the requests that were held, and those whose
/// session belonged to the host.
fn disturb(world: &World, load: &Load<'_>) -> (Vec<Request>, Vec<Request>, Cut) {
    let each_has = |count: usize| HOSTS.iter().all(|host| world.begun(host).len() >= count);
    assert!(wait_until(LIMIT, || each_has(20)), "{}", world.logs());
    let gate = world.gate();
    std::thread::scope(|scope| {
        let held: Vec<_> = (0..2 * HELD)
            .map(|number| {
                scope.spawn(move || {
                    world.network.enter("client").unwrap();
                    let method = if number < HELD { "GET" } else { "POST" };
                    ask(world, "/held", method, format!("held.{number}"), None)
                })
            })
            .collect();
        let (host, running) = chosen(world);
        let (bound, cut) = cut(world, host, running, gate);
        world.wait_until_out(host);
        let (from, begun) = (load.done(), world.begun(host).len());
        assert!(wait_until(LIMIT, || load.done() > from + 200), "{}", world.logs());
        let held = held.into_iter().map(|thread| thread.join().unwrap()).collect();

        world.network.mend(host).unwrap();
        world.wait_until_in(host);
        assert!(wait_until(LIMIT, || world.begun(host).len() > begun + 20), "{}", world.logs());
        (held, bound, cut)
    })
}

/// A host that holds requests of both methods, with these, once all that are to be held are.
fn chosen(world: &World) -> (&'static str, Vec<String>) {
    let waiting = |host: &str| -> Vec<String> {
        let running = world.running(host).into_iter();
        running.filter(|request| request.contains("held")).collect()
    };
    let all = || HOSTS.iter().map(|host| waiting(host).len()).sum::<usize>() == 2 * HELD;
    assert!(wait_until(LIMIT, all), "{}", world.logs());
    let both = |(_, waiting): &(&str, Vec<String>)| {
        ["GET", "POST"].iter().all(|method| waiting.iter().any(|one| one.starts_with(method)))
    };
    let mut hosts = HOSTS.map(|host| (host, waiting(host))).into_iter();
    hosts.find(both).expect("a host with both, by their number")
}

/// Cuts the host off between two requests of each client whose session belongs to it. What the others hold goes on then.
fn cut(world: &World, host: &'static str, running: Vec<String>, gate: Gate) -> (Vec<Request>, Cut) {
    let barrier = Barrier::new(BOUND + 1);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..BOUND)
            .map(|number| {
                let barrier = &barrier;
                scope.spawn(move || {
                    world.network.enter("client").unwrap();
                    let ask =
                        |word| ask(world, "/work", "POST", format!("{word}.{number}"), Some(host));
                    let before = ask("before");
                    barrier.wait();
                    barrier.wait();
                    [before, ask("after")]
                })
            })
            .collect();
        barrier.wait();
        let cut = world.network.cut(host).map(|()| Cut { host, at: Instant::now(), running });
        drop(gate);
        barrier.wait();
        let bound: Vec<_> = clients.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let before = bound.iter().filter(|request| request.id.starts_with("before"));
        assert!(before.into_iter().all(|request| request.answered_by().as_deref() == Some(host)));
        (bound, cut.unwrap())
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
