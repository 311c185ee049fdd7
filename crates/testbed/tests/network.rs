//! Hosts in network namespaces.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use pinion_testbed::{Network, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn hosts_reach_each_other_until_one_is_cut_off_and_again_when_it_is_mended() {
    let Some(network) = Network::of(&["one", "two"]).unwrap() else { return };
    let address = SocketAddr::from((network.address("two"), 8000));
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| {
            network.enter("two").unwrap();
            TcpListener::bind(address).unwrap()
        });
        let _listener = listener.join().unwrap();
        let (network, reaches) = (&network, move || {
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        });
        let client = scope.spawn(move || {
            network.enter("one").unwrap();
            assert!(wait_until(LIMIT, reaches));
            network.cut("two").unwrap();
            assert!(!reaches());
            network.mend("two").unwrap();
            assert!(wait_until(LIMIT, reaches));
        });
        client.join().unwrap();
    });
    // This machine itself is not in that network.
    assert!(TcpListener::bind(address).is_err());
    assert_eq!(network.command("one", "/bin/true".as_ref()).status().unwrap().code(), Some(0));
    drop(network);
    let left = std::fs::read_dir("/run/netns").unwrap();
    let own = format!("pinion-{}-", std::process::id());
    assert_eq!(
        left.filter(|name| name.as_ref().unwrap().file_name().to_string_lossy().starts_with(&own))
            .count(),
        0
    );
}
