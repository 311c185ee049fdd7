//! The guard: a small process that outlives a manager that was killed, and ends what its services have left running.
//!
//! A worker sees by its reins that the manager has gone. A service's script may have become another program,
//! which gets a signal from the kernel instead, and may have started others, which notice nothing. So the manager starts one
//! guard with its first service, and tells it which services run; the end of that channel is the manager's.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use pinion_unix::process as processes;
use pinion_unix::signals::{self, Signal};
use pinion_unix::{inherited, sockets};
use pinion_wire::message;
use serde::{Deserialize, Serialize};

use crate::shell::ShellError;

/// The guard's end of the channel.
pub(crate) const CHANNEL: i32 = 3;

/// How often the guard looks whether services have ended: nobody tells it, for they are not its children.
const LOOK: Duration = Duration::from_millis(20);

/// What the manager tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// A service runs; its process leads a group.
    Began {
        /// The process.
        leader: u32,
        /// How long it may take to stop, in milliseconds.
        shutdown_ms: u64,
    },
    /// The service has ended, and its group with it.
    Ended {
        /// The process.
        leader: u32,
    },
}

/// Waits for the manager's end, and ends the services that ran then.
///
/// # Errors
/// When the channel is not there: `pinion guard` was typed by a person.
pub fn run() -> Result<(), ShellError> {
    let (number, what) = (CHANNEL, "the channel to the manager");
    let channel = inherited::take(number).map_err(|source| ShellError::Descriptor {
        number,
        what,
        source,
    })?;
    // Who stops the manager by a signal to all processes around it leaves it the time to stop its services itself.
    signals::ignore(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1])?;
    end(listen(channel.as_fd())?);
    Ok(())
}

/// The services that run when the manager ends: their processes, and how long they may take to stop.
fn listen(channel: BorrowedFd<'_>) -> io::Result<BTreeMap<u32, u64>> {
    let (mut services, mut bytes) = (BTreeMap::new(), Vec::new());
    loop {
        sockets::recv_message(channel, &mut bytes, None)?;
        if bytes.is_empty() {
            return Ok(services);
        }
        match message::decode(&bytes).map_err(io::Error::other)? {
            Notice::Began { leader, shutdown_ms } => services.insert(leader, shutdown_ms),
            Notice::Ended { leader } => services.remove(&leader),
        };
    }
}

/// Ends what is left of each service as soon as its own process has ended, or has had its time: the kernel has sent it
/// SIGTERM when the manager ended.
fn end(mut services: BTreeMap<u32, u64>) {
    let begun = Instant::now();
    loop {
        let passed = begun.elapsed();
        services.retain(|leader, shutdown_ms| {
            let stops = processes::exists(*leader) && passed < Duration::from_millis(*shutdown_ms);
            if !stops {
                // Nobody is left in it, or nobody who will end by himself.
                let _ = processes::kill_group(*leader, Signal::SIGKILL);
            }
            stops
        });
        if services.is_empty() {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinion_unix::sockets::Wait;

    fn told(notices: &[Notice]) -> BTreeMap<u32, u64> {
        let (manager, guard) = sockets::seqpacket_pair().unwrap();
        for notice in notices {
            let bytes = message::encode(notice).unwrap();
            sockets::send_message(manager.as_fd(), &bytes, &[], Wait::No).unwrap();
        }
        drop(manager);
        listen(guard.as_fd()).unwrap()
    }

    #[test]
    fn services_that_have_ended_are_not_its_business() {
        let began = |leader| Notice::Began { leader, shutdown_ms: 5_000 };
        let notices =
            [began(7), began(8), Notice::Ended { leader: 7 }, Notice::Ended { leader: 9 }];
        assert_eq!(told(&notices), BTreeMap::from([(8, 5_000)]));
        assert!(told(&[]).is_empty());
    }
}
