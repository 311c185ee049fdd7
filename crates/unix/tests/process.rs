//! Processes are started for real. In a binary of its own: a process between fork and exec holds copies of all
//! descriptors, which would keep the other tests' connections open.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use pinion_unix::process::{Credentials, ExitCause, Spawn, ended, kill, kill_group, reap};
use pinion_unix::signals::{self, Signal};
use pinion_unix::sockets::{Wait, pipe, readable, recv_with_fd, stream_pair};
use pinion_unix::users;

/// All that comes through a pipe until everyone has closed it.
fn read_all(output: OwnedFd) -> String {
    let (mut text, mut file) = (Vec::new(), File::from(output));
    loop {
        assert!(readable(file.as_fd(), Some(Duration::from_secs(20))).unwrap());
        let mut part = [0; 4096];
        match file.read(&mut part).unwrap() {
            0 => return String::from_utf8(text).unwrap(),
            length => text.extend_from_slice(&part[..length]),
        }
    }
}

/// Waits for a child of this test.
fn wait_for(pid: u32) -> ExitCause {
    loop {
        if let Some((ended, cause)) = reap(Some(pid)).unwrap() {
            assert_eq!(ended, pid);
            return cause;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a shell script prints, and how it ends.
fn shell(script: &str, prepare: impl FnOnce(&mut Spawn<'_>)) -> (String, ExitCause) {
    let (output, far) = pipe().unwrap();
    let pid = {
        let mut spawn = Spawn::new("/bin/sh");
        spawn.arg("-c").arg(script).descriptor(1, far.as_fd());
        prepare(&mut spawn);
        spawn.spawn().unwrap().pid
    };
    drop(far);
    let cause = wait_for(pid);
    (read_all(output), cause)
}

fn is_root() -> bool {
    users::effective_uid() == 0
}

#[test]
fn a_process_gets_what_was_named_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let (text, cause) = shell("env | sort; pwd; umask; cat; ls /proc/self/fd", |spawn| {
        spawn.env("A", "1").env("B", "x=y").env("A", "2").folder(&path).umask(0o27);
    });
    assert_eq!(cause, ExitCause::Status(0));
    let expected = format!("A=2\nB=x=y\nPWD={0}\n{0}\n0027\n0\n1\n2\n3\n", path.display());
    assert_eq!(text, expected, "descriptor 3 is the folder that ls reads");
}

#[test]
fn descriptors_get_their_numbers_even_crosswise() {
    let (mut first, mut second) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    write!(first, "first").unwrap();
    write!(second, "second").unwrap();
    // Sources that lie under wanted numbers, each under the other's.
    let (low, high) = (first.as_fd(), second.as_fd());
    let (a, b) = (low.as_raw_fd(), high.as_raw_fd());
    let script = format!("cat /proc/self/fd/{a} /proc/self/fd/{b}");
    let (output, far) = pipe().unwrap();
    let mut spawn = Spawn::new("/bin/sh");
    spawn.arg("-c").arg(&script).env("PATH", "/usr/bin:/bin");
    spawn.descriptor(1, far.as_fd()).descriptor(a, high).descriptor(b, low);
    assert_eq!(wait_for(spawn.spawn().unwrap().pid), ExitCause::Status(0));
    drop(far);
    assert_eq!(read_all(output), "secondfirst");
}

#[test]
fn failures_name_the_step() {
    let failure = |spawn: &Spawn<'_>| spawn.spawn().unwrap_err().to_string();
    let missing = Spawn::new("/no/such/python");
    assert_eq!(failure(&missing), "exec /no/such/python: No such file or directory (os error 2)");
    let mut folder = Spawn::new("/bin/true");
    folder.folder("/no/such/folder");
    assert!(failure(&folder).starts_with("chdir /no/such/folder: No such file"));
    let mut nul = Spawn::new("/bin/true");
    nul.arg("a\0b");
    assert_eq!(failure(&nul), "a NUL byte in \"a\\0b\"");
}

#[test]
fn rights_are_given_up_for_good() {
    let wanted = Credentials { uid: 65_534, gid: 65_533, groups: vec![65_532, 65_533] };
    if !is_root() {
        let mut spawn = Spawn::new("/bin/true");
        spawn.credentials(wanted);
        let failure = spawn.spawn().unwrap_err().to_string();
        assert!(failure.starts_with("setgid 65533: "), "{failure}");
        return;
    }
    let (text, cause) = shell("id -u; id -g; id -G; umask", |spawn| {
        spawn.credentials(wanted).env("PATH", "/usr/bin:/bin").umask(0o77);
    });
    assert_eq!(cause, ExitCause::Status(0));
    assert_eq!(text, "65534\n65533\n65533 65532\n0077\n");

    let secret = tempfile::tempdir().unwrap();
    std::fs::set_permissions(secret.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut spawn = Spawn::new("/bin/true");
    spawn.credentials(Credentials { uid: 65_534, gid: 65_534, groups: Vec::new() });
    spawn.folder(secret.path());
    let failure = spawn.spawn().unwrap_err().to_string();
    assert!(failure.contains("chdir") && failure.contains("Permission denied"), "{failure}");
}

#[test]
fn signals_are_at_their_defaults() {
    signals::ignore(&[Signal::SIGPIPE]).unwrap();
    let (_, cause) = shell("kill -PIPE $$; exit 3", |_| {});
    assert_eq!(cause.to_string(), "killed by SIGPIPE");
}

#[test]
fn a_session_of_its_own_is_made() {
    let script = "set -- $(cat /proc/$$/stat); echo $1 $6";
    let (text, _) = shell(script, |spawn| {
        spawn.new_session().env("PATH", "/usr/bin:/bin");
    });
    let ids: Vec<_> = text.split_whitespace().collect();
    assert_eq!(ids[0], ids[1], "the session's id is the process's own");
}

#[test]
fn a_process_is_signalled_and_reaped() {
    let (near, far) = stream_pair().unwrap();
    let mut spawn = Spawn::new("/bin/sh");
    spawn.arg("-c").arg("echo up >&3; exec sleep 100").descriptor(3, far.as_fd());
    spawn.env("PATH", "/usr/bin:/bin");
    let pid = spawn.spawn().unwrap().pid;
    drop(far);
    assert!(readable(near.as_fd(), Some(Duration::from_secs(20))).unwrap());
    recv_with_fd(near.as_fd(), &mut [0; 8], Wait::No).unwrap();
    assert_eq!(reap(Some(pid)).unwrap(), None);
    kill(pid, Signal::SIGKILL).unwrap();
    let cause = wait_for(pid);
    assert_eq!(cause, ExitCause::Signal { number: 9, core: false });
    assert_eq!(cause.to_string(), "killed by SIGKILL");
    assert!(reap(Some(pid)).is_err(), "no child any more");
    assert!(kill(0, Signal::SIGTERM).is_err(), "never a whole process group");
    assert!(kill(u32::MAX, Signal::SIGTERM).is_err());
    assert_eq!(ExitCause::Status(3).to_string(), "exited with status 3");
}

#[test]
fn a_group_is_signalled_while_its_dead_leader_waits_to_be_collected() {
    let (output, far) = pipe().unwrap();
    let leader = {
        let mut spawn = Spawn::new("/bin/sh");
        spawn.arg("-c").arg("sleep 600 & exit 7").descriptor(1, far.as_fd()).new_session();
        spawn.spawn().unwrap().pid
    };
    drop(far);
    // The other tests of this file have children too.
    while !std::fs::read_to_string(format!("/proc/{leader}/stat")).unwrap().contains(") Z ") {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(ended().unwrap().is_some());
    kill_group(leader, Signal::SIGKILL).unwrap();
    // It ends when the child has gone, too.
    assert_eq!(read_all(output), "");
    assert_eq!(wait_for(leader), ExitCause::Status(7));
}
