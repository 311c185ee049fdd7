//! Machines of their own on one machine: network namespaces behind a bridge that nothing outside of them reaches.

use crate::{Error, command, packages, place, process};
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where `ip netns` keeps namespaces by name.
const NAMESPACES: &str = "/run/netns";
/// The beginning of the names of all namespaces made here; the number of the process that made them follows.
const PREFIX: &str = "pinion-";

/// Hosts with a network among themselves; taken away when dropped.
///
/// Addresses are of 192.0.2.0/24, which is reserved for examples (RFC 5737). The bridge has a namespace of its own, so this
/// machine itself has no address in that network.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    hosts: Vec<String>,
}

impl Network {
    /// Makes a network of these hosts; `None` where this process may not, with the reason as a line on standard error.
    ///
    /// # Errors
    /// iproute2 could not be installed, or a host could not be made although namespaces can be.
    pub fn of(hosts: &[&str]) -> Result<Option<Self>, Error> {
        if !place::is_root() {
            return Ok(skip("only root can make network namespaces"));
        }
        packages::ensure(&["iproute2"])?;
        remove_stale();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{PREFIX}{}-{count}", std::process::id());
        let network = Self { prefix, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() };
        if let Err(error) = ip(&["netns", "add", &network.bridge()]) {
            return Ok(skip(&format!("no network namespace can be made here: {error}")));
        }
        network.build()?;
        Ok(Some(network))
    }

    /// The address of a host.
    ///
    /// # Panics
    /// There is no host of that name.
    #[must_use]
    pub fn address(&self, host: &str) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, self.number(host))
    }

    /// A command that runs on a host.
    #[must_use]
    pub fn command(&self, host: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        // It becomes the program, which keeps the process number.
        command.args(["netns", "exec", &self.namespace(host)]).arg(program);
        command
    }

    /// Lets this thread be on a host from now on: the sockets that it makes belong to that one.
    ///
    /// # Errors
    /// The host is gone.
    pub fn enter(&self, host: &str) -> Result<(), Error> {
        let path = PathBuf::from(NAMESPACES).join(self.namespace(host));
        let what = || format!("entering {}", path.display());
        let file = File::open(&path).map_err(Error::io(what()))?;
        setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| Error::io(what())(errno.into()))
    }

    /// Pulls a host's cable out: nothing comes from it or reaches it any more, and nobody is told.
    ///
    /// # Errors
    /// The host is gone.
    pub fn cut(&self, host: &str) -> Result<(), Error> {
        self.set_cable(host, "down")
    }

    /// Plugs a host's cable in again.
    ///
    /// # Errors
    /// The host is gone.
    pub fn mend(&self, host: &str) -> Result<(), Error> {
        self.set_cable(host, "up")
    }

    fn set_cable(&self, host: &str, state: &str) -> Result<(), Error> {
        ip(&["-n", &self.bridge(), "link", "set", &port(self.number(host)), state])
    }

    fn build(&self) -> Result<(), Error> {
        let bridge = self.bridge();
        ip(&["-n", &bridge, "link", "add", "bridge0", "type", "bridge"])?;
        ip(&["-n", &bridge, "link", "set", "bridge0", "up"])?;
        for host in &self.hosts {
            let (name, port) = (self.namespace(host), port(self.number(host)));
            let address = format!("{}/24", self.address(host));
            ip(&["netns", "add", &name])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
            let pair = ["type", "veth", "peer", "name", &port, "netns", &bridge];
            ip(&[&["-n", &name, "link", "add", "eth0"][..], &pair[..]].concat())?;
            ip(&["-n", &bridge, "link", "set", &port, "master", "bridge0", "up"])?;
            ip(&["-n", &name, "address", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &name, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    /// The host's part of its address.
    fn number(&self, host: &str) -> u8 {
        let found = self.hosts.iter().position(|known| known == host);
        let at = found.unwrap_or_else(|| panic!("no host {host} in {:?}", self.hosts));
        10 + u8::try_from(at).unwrap_or(u8::MAX - 10)
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn bridge(&self) -> String {
        format!("{}-bridge", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove(|name| name.starts_with(&format!("{}-", self.prefix)));
    }
}

fn port(number: u8) -> String {
    format!("port{number}")
}

/// Removes what processes that were killed have left.
fn remove_stale() {
    remove(|name| {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
        pid.is_some_and(|pid| process::Process::find(pid).is_none())
    });
}

/// Removes namespaces; their ends of cables go with them.
fn remove(which: impl Fn(&str) -> bool) {
    let entries = std::fs::read_dir(NAMESPACES).ok().into_iter().flatten();
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if which(&name) {
            // What cannot be removed now is looked at by the next one.
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), Error> {
    command::run(Command::new("ip").args(arguments)).map(drop)
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skip(why: &str) -> Option<Network> {
    eprintln!("skipped: {why}");
    None
}
