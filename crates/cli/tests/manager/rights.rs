//! What the system does not let a new worker do, by the codes that mod_wsgi has for it. No Apache can show most of these: without
//! the rights that are missing here, its own children do not start.

use pinion_unix::users::effective_uid;
use pinion_wire::message::{GroupSpec, Identity, Limits, Until};

use super::apache::Apache;

/// A manager that a shell starts after `before`, with one group of one worker that `change` makes.
fn started(before: &str, change: impl FnOnce(&mut GroupSpec)) -> Apache {
    let mut apache = Apache::prepare_by("ok", before);
    apache.settings.groups[0].processes = 1;
    change(&mut apache.settings.groups[0]);
    apache.configure();
    apache
}

/// The same for a worker that is not started, for which the log says so.
fn refused(before: &str, words: &str, change: impl FnOnce(&mut GroupSpec)) {
    if effective_uid() != 0 {
        // Only root has rights that can be taken away.
        return;
    }
    let apache = started(before, change);
    let _asked = apache.ask_acquire(Until::Ready);
    apache.wait_for_log(words);
}

fn identity(uid: u32, gid: u32) -> Option<Identity> {
    Some(Identity { uid, gid, groups: vec![gid] })
}

/// Runs the manager without a capability.
fn without(capability: &str) -> String {
    format!("exec setpriv --bounding-set=-{capability} --inh-caps=-{capability} --")
}

#[test]
fn a_root_folder_that_is_not_there() {
    refused("exec", "WSGI0003: Unable to change root directory to '/not/there': ", |group| {
        group.chroot = Some("/not/there".to_owned());
    });
}

#[test]
fn a_group_that_may_not_be_taken() {
    refused(&without("setgid"), "WSGI0004: Unable to set group id to gid=60: ", |group| {
        group.identity = identity(5, 60);
    });
}

#[test]
fn supplementary_groups_that_may_not_be_taken() {
    // Its own group may be taken by everybody.
    let words = "WSGI0005: Unable to set supplementary groups for uid=5: ";
    refused(&without("setgid"), words, |group| group.identity = identity(5, 0));
}

#[test]
fn a_user_who_may_not_be_taken() {
    refused(&without("setuid"), "WSGI0007: Unable to change to uid=5: ", |group| {
        group.identity = identity(5, 60);
    });
}

#[test]
fn a_working_folder_that_is_not_there() {
    let words = "WSGI0009: Unable to change working directory to '/not/there': ";
    refused("exec", words, |group| group.home = Some("/not/there".to_owned()));
}

#[test]
fn a_users_folder_that_is_not_there() {
    let words =
        "WSGI0010: Unable to change working directory to home directory '/not/there' for uid=5: ";
    refused("exec", words, |group| {
        (group.home, group.home_is_users) = (Some("/not/there".to_owned()), true);
        group.identity = identity(5, 60);
    });
}

/// Limits that the system refuses keep no worker from serving.
#[test]
fn limits_that_may_not_be_set_are_told() {
    if effective_uid() != 0 {
        return;
    }
    let before = format!(
        "ulimit -t 1000; ulimit -d 4000000; ulimit -v 8000000; {}",
        without("sys_nice,-sys_resource")
    );
    let apache = started(&before, |group| {
        group.limits = Limits {
            priority: Some(-5),
            cpu_seconds: 2_000,
            memory: 5_000_000 * 1024,
            virtual_memory: 9_000_000 * 1024,
            ..Limits::default()
        };
    });
    super::mounted(apache.acquire(Until::Ready));
    for words in [
        "WSGI0075: cpu-priority of the worker cannot be set: ",
        "WSGI0076: cpu-time-limit of the worker cannot be set: ",
        "WSGI0077: memory-limit of the worker cannot be set: ",
        "WSGI0078: virtual-memory-limit of the worker cannot be set: ",
    ] {
        apache.wait_for_log(words);
    }
    apache.stop();
}
