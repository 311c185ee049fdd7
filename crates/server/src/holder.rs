//! Who listens on an address, as `/proc` tells.

use std::fs;
use std::path::Path;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Who listens on a port of TCP, if this user may know.
pub fn of_port(port: u16) -> Option<Holder> {
    holding(&sockets_at(port))
}

/// Whether anybody listens on a port of TCP.
pub fn is_held(port: u16) -> bool {
    !sockets_at(port).is_empty()
}

/// The inodes of the sockets that listen on a port of TCP.
fn sockets_at(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].iter();
    let tables = tables.filter_map(|table| fs::read_to_string(table).ok());
    tables.flat_map(|table| listening(&table, port)).collect()
}

/// Who listens on a Unix socket, if this user may know.
pub fn of_unix(path: &Path) -> Option<Holder> {
    let table = fs::read_to_string("/proc/net/unix").ok()?;
    let path = path.to_str()?;
    // Num RefCount Protocol Flags Type St Inode Path
    let inodes = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (fields.get(7) == Some(&path)).then(|| fields[6].to_owned())
    });
    holding(&inodes.collect::<Vec<_>>())
}

/// The inodes of the sockets that listen on the port.
fn listening(table: &str, port: u16) -> Vec<String> {
    let ending = format!(":{port:04X}");
    let of_line = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let found = fields.get(1)?.ends_with(&ending) && *fields.get(3)? == LISTENING;
        found.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

fn holding(inodes: &[String]) -> Option<Holder> {
    let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if wanted.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    // The lowest number is the oldest one: a server's parent rather than its children.
    let mut found: Vec<u32> = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| holds(*pid, &wanted))
        .collect();
    found.sort_unstable();
    let pid = *found.first()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Holder { pid, name: name.trim().to_owned() })
}

/// The child of a process that runs a program of this name, if there is one.
pub fn child_of(parent: u32, name: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let is_it = |pid: &u32| {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        // The name stands in parentheses and may hold some; behind it come the state and the parent's number.
        let Some((head, tail)) = stat.rsplit_once(')') else { return false };
        let is_child = tail.split_whitespace().nth(1).is_some_and(|pid| pid == parent.to_string());
        is_child && head.split_once('(').is_some_and(|(_, known)| known == name)
    };
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it)
}

fn holds(pid: u32, wanted: &[String]) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| target.to_str().is_some_and(|target| wanted.iter().any(|one| one == target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_told_and_who_only_connects_is_not() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder = of_port(port).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.name.is_empty() && is_held(port));
        drop(listener);
        assert_eq!(of_port(port), None);
        assert!(!is_held(port));
    }

    #[test]
    fn a_child_is_known_by_its_parent_and_name() {
        let mut child = std::process::Command::new("/bin/cat");
        let mut child = child.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let own = std::process::id();
        while child_of(own, "cat").is_none() {
            // It has not called exec yet.
            std::thread::yield_now();
        }
        assert_eq!(child_of(own, "cat"), Some(child.id()));
        assert_eq!(child_of(own, "no such name"), None);
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn who_listens_on_a_unix_socket_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(of_unix(&path).unwrap().pid, std::process::id());
        assert_eq!(of_unix(&folder.path().join("other")), None);
    }
}
