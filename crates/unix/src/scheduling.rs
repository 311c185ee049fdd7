//! How the system schedules a thread.

use std::marker::PhantomData;

use nix::libc;

/// How the system schedules the thread that has made this: at first in whatever way it did, then as [`Scheduling::set_batch`] says.
///
/// A thread whose policy somebody else has chosen (systemd's `CPUSchedulingPolicy=`, `chrt`) keeps that.
#[derive(Debug, Default)]
pub struct Scheduling {
    state: State,
    /// Policies belong to threads.
    not_send: PhantomData<*const ()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing was changed yet.
    #[default]
    Unknown,
    Usual,
    Batch,
    /// Is not to be changed, or cannot be.
    Fixed,
}

impl Scheduling {
    /// With `batch`, the thread waits for its turn when it wakes (`SCHED_BATCH`); without, it may take the processor from who runs at that moment
    /// (`SCHED_OTHER`). Its share of the processors is the same (sched(7)). Threads and processes that it starts meanwhile begin as it is:
    /// `SCHED_RESET_ON_FORK` is for other policies.
    ///
    /// Does nothing where it is so already, and where the system does not allow it.
    pub fn set_batch(&mut self, batch: bool) {
        let wanted = if batch { State::Batch } else { State::Usual };
        match self.state {
            State::Fixed => {}
            state if state == wanted => {}
            State::Unknown if !batch => {}
            _ if self.policy() != policy() => self.state = State::Fixed,
            _ => {
                let policy = if batch { libc::SCHED_BATCH } else { libc::SCHED_OTHER };
                self.state = if set_policy(policy) { wanted } else { State::Fixed };
            }
        }
    }

    /// The policy that the thread has if nobody else has changed it.
    fn policy(&self) -> libc::c_int {
        if self.state == State::Batch { libc::SCHED_BATCH } else { libc::SCHED_OTHER }
    }

    /// Whether the thread waits for its turn.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.state == State::Batch
    }
}

/// This thread's policy.
fn policy() -> libc::c_int {
    // SAFETY: takes a number and touches no memory of this process; 0 is this thread (sched_getscheduler(2)).
    unsafe { libc::sched_getscheduler(0) }
}

fn set_policy(policy: libc::c_int) -> bool {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a live value that the call only reads; 0 is this thread (sched_setscheduler(2)).
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) == 0 }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_waits_for_its_turn_and_takes_it_again() {
        thread::spawn(|| {
            let mut scheduling = Scheduling::default();
            scheduling.set_batch(false);
            assert_eq!((policy(), scheduling.is_batch()), (libc::SCHED_OTHER, false));
            for _ in 0..2 {
                scheduling.set_batch(true);
                scheduling.set_batch(true);
                assert_eq!((policy(), scheduling.is_batch()), (libc::SCHED_BATCH, true));
                scheduling.set_batch(false);
                assert_eq!((policy(), scheduling.is_batch()), (libc::SCHED_OTHER, false));
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn what_somebody_has_chosen_is_kept() {
        for before in [&[][..], &[true], &[true, false]] {
            thread::spawn(|| {
                let mut scheduling = Scheduling::default();
                before.iter().for_each(|batch| scheduling.set_batch(*batch));
                assert!(set_policy(libc::SCHED_IDLE));
                let last = before.last() == Some(&true);
                for batch in [!last, last, !last] {
                    scheduling.set_batch(batch);
                    assert_eq!((policy(), scheduling.is_batch()), (libc::SCHED_IDLE, false));
                }
            })
            .join()
            .unwrap();
        }
    }
}
