//! What the balancer tells the hosts of a request, and which host it chooses.

use std::collections::BTreeSet;

use pinion_testbed::http::{Answer, Client};
use pinion_testbed::wait_until;

use crate::world::{LIMIT, World};

#[test]
fn hosts_see_what_the_client_asked_for_and_a_session_stays_with_its_host() {
    let Some(world) = World::new(&["STICKY"]) else { return };
    let url = world.url("/work?seen");
    let client = world.network.address("client").to_string();
    let host_of =
        |answer: &Answer| answer.text().split_whitespace().nth(2).unwrap_or_default().to_owned();
    world.on("client", || {
        // The client's own words about who it is are not believed.
        let headers = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-host", "evil.test"),
            ("x-forwarded-proto", "https"),
            ("host", "www.example.org"),
        ];
        let seen = Client::new(LIMIT).send("GET", &url, &headers, b"").unwrap();
        let words = seen.text();
        let words: Vec<&str> = words.split_whitespace().skip(3).collect();
        assert_eq!(
            words,
            ["0", &client, "http", "www.example.org", "www.example.org"],
            "{}",
            world.logs()
        );

        // With its cookie a client stays where it was; others are spread.
        let session = Client::new(LIMIT);
        let first = session.get(&url).unwrap();
        assert!(first.header("set-cookie").unwrap().starts_with("PINION_ROUTE=."));
        for _ in 0..6 {
            let again = session.get(&url).unwrap();
            assert_eq!((host_of(&again), again.header("set-cookie")), (host_of(&first), None));
        }
        let mut others = BTreeSet::new();
        let all = || {
            others.insert(host_of(&Client::new(LIMIT).get(&url).unwrap()));
            others.len() == 3
        };
        assert!(wait_until(LIMIT, all), "{}", world.logs());

        // When the host is gone, another takes over, and keeps the client.
        world.network.cut(&host_of(&first)).unwrap();
        let moved = session.get(&url).unwrap();
        assert_ne!(host_of(&moved), host_of(&first));
        assert_eq!(host_of(&session.get(&url).unwrap()), host_of(&moved));
        for private in ["/health", "/balancer-manager"] {
            assert_eq!(session.get(&world.url(private)).unwrap().status, 403);
        }
    });
}
