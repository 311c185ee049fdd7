//! Hosts that are restarted one after the other.

use pinion_testbed::wait_until;
use pinion_unix::signals::Signal;

use crate::cut::each_post_ran_once;
use crate::load::{Load, Request, ask};
use crate::world::{HOSTS, LIMIT, World};

/// Requests that a host has when it is told to end.
const HELD: usize = 4;

#[test]
fn hosts_that_are_restarted_one_after_the_other_lose_nothing() {
    let Some(world) = World::new(&[]) else { return };
    let load = Load::new(&world);
    let (requests, held) = load.run_while(6, || {
        HOSTS.iter().flat_map(|host| restart(&world, &load, host)).collect::<Vec<_>>()
    });
    let all: Vec<&Request> = requests.iter().chain(&held).collect();
    assert!(all.len() > 300, "too few to tell: {}", all.len());
    for request in &all {
        assert!(request.is_right(), "{request:?}\n{}", world.logs());
    }
    each_post_ran_once(&world, &all);
}

/// Has a host end while it holds requests, and starts it again.
fn restart(world: &World, load: &Load<'_>, host: &'static str) -> Vec<Request> {
    let gate = world.gate();
    std::thread::scope(|scope| {
        let held: Vec<_> = (0..HOSTS.len() * HELD)
            .map(|number| {
                scope.spawn(move || {
                    world.network.enter("client").unwrap();
                    let method = if number % 2 == 0 { "GET" } else { "POST" };
                    ask(world, "/held", method, format!("held.{host}.{number}"), None)
                })
            })
            .collect();
        let waiting = || world.running(host).iter().filter(|one| one.contains("held")).count();
        assert!(wait_until(LIMIT, || waiting() >= HELD / 2), "{}", world.logs());
        let has = waiting();

        world.signal(host, Signal::SIGTERM);
        world.wait_until_out(host);
        assert_ne!(world.health(host), Some(200), "{}", world.logs());
        let from = load.done();
        assert!(wait_until(LIMIT, || load.done() > from + 100), "{}", world.logs());
        // It does not go while it has something to do.
        assert!(waiting() >= has && world.is_running(host), "{}", world.logs());
        drop(gate);
        let held = held.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(world.wait_for_end(host).success(), "{}", world.logs());

        let begun = world.begun(host).len();
        world.restart(host);
        world.wait_until_in(host);
        assert!(wait_until(LIMIT, || world.begun(host).len() > begun + 20), "{}", world.logs());
        held
    })
}
