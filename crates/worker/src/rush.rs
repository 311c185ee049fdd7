//! Whether it is better for all if whoever is woken waits for its turn.
//!
//! It is while a worker is under load and its requests only compute. A front
//! door's thread that takes the processor from the worker that wakes it, in the middle of what the worker has found, makes the
//! others wait, and a worker that takes it from a front door's thread finds one request where it would find several.
//! Where there are few requests, waiting for a turn costs each of them time, most of all while other programs keep the processors busy.

use pinion_unix::scheduling::Scheduling;
use pinion_unix::usage;

/// So many requests are looked at together.
const WINDOW: u32 = 64;
/// Where few of them are of many, a rush begins with at most so many sleeps for as many requests,
const BEGINS: u32 = WINDOW * 3 / 4;
/// and ends with more than so many.
const ENDS: u32 = WINDOW * 7 / 8;

/// What else was there besides a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// As far as is known, nothing.
    None,
    /// Many others ([`pinion_wire::frame::REQUEST_IS_ONE_OF_MANY`]).
    Many,
    /// Nothing, and the next one is looked for without going to sleep.
    Near,
}

/// What is known of one thread. Belongs to it.
#[derive(Debug)]
pub(crate) struct Rush {
    scheduling: Scheduling,
    /// Requests of this window, how many of them were of many, and how many looked for without going to sleep.
    served: u32,
    of_many: u32,
    looked_for: u32,
    /// How often the thread had slept when the window began.
    from: u64,
    /// Sleeps for [`WINDOW`] requests, of this window and, with less weight, of those before.
    sleeps: u32,
}

impl Default for Rush {
    fn default() -> Self {
        Self {
            scheduling: Scheduling::default(),
            served: 0,
            of_many: 0,
            looked_for: 0,
            from: 0,
            sleeps: WINDOW,
        }
    }
}

impl Rush {
    /// A request was served by this thread, which is the only one of its worker that serves if it `is_sole`.
    pub(crate) fn served(&mut self, is_sole: bool, company: Company) {
        if !is_sole {
            return self.end();
        }
        if self.served == 0 {
            self.from = usage::thread_waits();
        }
        self.served += 1;
        self.of_many += u32::from(company == Company::Many);
        self.looked_for += u32::from(company == Company::Near);
        if self.served == WINDOW {
            let slept = usage::thread_waits().saturating_sub(self.from);
            self.close(u32::try_from(slept).unwrap_or(WINDOW));
        }
    }

    /// Whether it is better to wait for turns.
    pub(crate) fn is_on(&self) -> bool {
        self.scheduling.is_batch()
    }

    /// Ends a window in which the thread `slept` so many times.
    fn close(&mut self, slept: u32) {
        let sleeps = slept.saturating_add(self.looked_for).min(WINDOW);
        self.sleeps = self.sleeps.midpoint(sleeps);
        let limit = if self.is_on() { ENDS } else { BEGINS };
        self.scheduling.set_batch(self.of_many > WINDOW / 2 || self.sleeps <= limit);
        (self.served, self.of_many, self.looked_for) = (0, 0, 0);
    }

    /// Others serve as well.
    fn end(&mut self) {
        self.scheduling.set_batch(false);
        (self.served, self.of_many, self.looked_for, self.sleeps) = (0, 0, 0, WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// On a thread of its own, whose scheduling is nobody else's.
    fn alone(test: impl FnOnce(Rush) + Send + 'static) {
        thread::spawn(|| test(Rush::default())).join().unwrap();
    }

    #[test]
    fn one_sleep_for_each_request_is_no_rush() {
        alone(|mut rush| {
            for _ in 0..20 {
                rush.close(WINDOW - 2);
                assert!(!rush.is_on());
            }
        });
    }

    #[test]
    fn two_requests_a_sleep_are_one_and_it_ends_with_them() {
        alone(|mut rush| {
            let windows = (1..).find(|_| {
                rush.close(WINDOW / 2);
                rush.is_on()
            });
            assert_eq!(windows, Some(1));
            rush.close(WINDOW * 13 / 16);
            assert!(rush.is_on());
            let windows = (1..).find(|_| {
                rush.close(2 * WINDOW);
                !rush.is_on()
            });
            assert!(windows <= Some(3), "{windows:?}");
        });
    }

    #[test]
    fn what_is_looked_for_awake_counts_as_slept_for() {
        alone(|mut rush| {
            for _ in 0..20 * WINDOW {
                rush.served(true, Company::Near);
                assert!(!rush.is_on());
            }
        });
    }

    #[test]
    fn one_of_many_waits_for_its_turn_however_often_the_thread_sleeps() {
        alone(|mut rush| {
            for (of_many, is_on) in [(WINDOW / 2, false), (WINDOW / 2 + 1, true), (3, false)] {
                for number in 0..WINDOW {
                    thread::sleep(Duration::from_micros(1));
                    let company = if number < of_many { Company::Many } else { Company::None };
                    rush.served(true, company);
                }
                assert_eq!(rush.is_on(), is_on, "{of_many}");
            }
        });
    }

    #[test]
    fn it_ends_when_others_serve_as_well() {
        alone(|mut rush| {
            for _ in 0..4 * WINDOW {
                rush.served(true, Company::None);
            }
            assert!(rush.is_on());
            rush.served(false, Company::Many);
            assert!(!rush.is_on());
            // And does not begin where it was.
            rush.close(WINDOW * 13 / 16);
            assert!(!rush.is_on());
        });
    }
}
