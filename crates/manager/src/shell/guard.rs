//! The manager's side of its guard.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pinion_unix::process::{self as processes, Spawn};
use pinion_unix::sockets::{self, Wait};
use pinion_wire::message;

use crate::guard::{CHANNEL, Notice};

/// This very program, even where another has taken its place in the file system: both sides speak the same language then.
const PROGRAM: &str = "/proc/self/exe";

/// The guard, which is started with the first service.
#[derive(Debug, Default)]
pub(super) struct Guard {
    running: Option<Running>,
    /// The services that run, by their processes; how long each may take to stop, in milliseconds.
    services: BTreeMap<u32, u64>,
}

#[derive(Debug)]
struct Running {
    pid: u32,
    channel: OwnedFd,
}

impl Guard {
    /// A service has begun.
    ///
    /// # Errors
    /// When there is no guard and none can be started.
    pub(super) fn began(&mut self, leader: u32, shutdown_ms: u64) -> io::Result<()> {
        self.services.insert(leader, shutdown_ms);
        let notice = Notice::Began { leader, shutdown_ms };
        if self.running.as_ref().is_some_and(|guard| tell(guard.channel.as_fd(), notice).is_ok()) {
            return Ok(());
        }
        let guard = start()?;
        for (leader, shutdown_ms) in &self.services {
            let notice = Notice::Began { leader: *leader, shutdown_ms: *shutdown_ms };
            tell(guard.channel.as_fd(), notice)?;
        }
        self.running = Some(guard);
        Ok(())
    }

    /// A service has ended, and what it had started too.
    pub(super) fn ended(&mut self, leader: u32) {
        if self.services.remove(&leader).is_some()
            && let Some(guard) = &self.running
        {
            // One that has gone knows nothing that would have to be taken back.
            let _ = tell(guard.channel.as_fd(), Notice::Ended { leader });
        }
    }

    /// A child of this process has ended that is no worker: if it was the guard, the next service starts another.
    pub(super) fn reaped(&mut self, pid: u32) {
        self.running.take_if(|guard| guard.pid == pid);
    }

    /// Sends the guard away, and waits for its end, so that nothing is left when the manager has ended.
    pub(super) fn dismiss(&mut self) {
        let Some(Running { pid, channel }) = self.running.take() else { return };
        drop(channel);
        while matches!(processes::reap(Some(pid)), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn start() -> io::Result<Running> {
    let (channel, theirs) = sockets::seqpacket_pair()?;
    let mut spawn = Spawn::new(PROGRAM);
    spawn.arg("guard").descriptor(CHANNEL, theirs.as_fd()).new_session();
    let started = spawn.spawn().map_err(io::Error::other)?;
    Ok(Running { pid: started.pid, channel })
}

fn tell(channel: BorrowedFd<'_>, notice: Notice) -> io::Result<()> {
    let bytes = message::encode(&notice).map_err(io::Error::other)?;
    sockets::send_message(channel, &bytes, &[], Wait::Yes).map(drop)
}
