//! Whether it is better for all if whoever is woken waits for its turn.
//!
//! It is while a worker is under load and its requests only compute. A front
//! door's thread that takes the processor from the worker that wakes it, in the middle of what the worker has found, makes the
//! others wait, and a worker that takes it from a front door's thread finds one request where it would find several.
//! Where there are few requests, waiting for a turn costs each of them time, most of all while other programs keep the processors busy.

use pinion_unix::scheduling::Scheduling;
use pinion_unix::{clock, usage};

/// So many requests are looked at together.
const WINDOW: u32 = 64;
/// Where few of them are of many, a rush begins with at most so many sleeps for as many requests,
const BEGINS: u32 = WINDOW * 3 / 4;
/// and ends with more than so many.
const ENDS: u32 = WINDOW * 7 / 8;
/// More sleeps than this count as so many.
const MOST: u32 = 2 * WINDOW;
/// It lasts no longer than this without a full window, in milliseconds.
const LONGEST: u64 = 250;

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
    /// When that was, in milliseconds.
    since: u64,
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
            since: 0,
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
        if self.served > 0 && self.is_on() && clock::milliseconds() > self.since + LONGEST {
            self.end();
        }
        if self.served == 0 {
            (self.from, self.since) = (usage::thread_waits(), clock::milliseconds());
        }
        self.served += 1;
        self.of_many += u32::from(company == Company::Many);
        self.looked_for += u32::from(company == Company::Near);
        if self.served == WINDOW {
            let slept = usage::thread_waits().saturating_sub(self.from);
            self.close(u32::try_from(slept).unwrap_or(MOST));
        }
    }

    /// Whether it is better to wait for turns.
    pub(crate) fn is_on(&self) -> bool {
        self.scheduling.is_batch()
    }

    /// Ends a window in which the thread `slept` so many times.
    fn close(&mut self, slept: u32) {
        let sleeps = slept.saturating_add(self.looked_for).min(MOST);
        self.sleeps = self.sleeps.midpoint(sleeps);
        let limit = match (self.of_many > WINDOW / 2, self.is_on()) {
            // Requests that wait for something make one sleep each. (The average is rounded down.)
            (true, _) => WINDOW - 2,
            (false, true) => ENDS,
            (false, false) => BEGINS,
        };
        self.scheduling.set_batch(self.sleeps <= limit);
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
            rush.close(WINDOW / 2);
            assert!(rush.is_on());
            rush.close(WINDOW * 13 / 16);
            assert!(rush.is_on());
            let windows = (1..9).find(|_| {
                rush.close(2 * WINDOW);
                !rush.is_on()
            });
            assert!(windows.is_some_and(|windows| windows <= 3), "{windows:?}");
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

    /// A window in which the thread sleeps `slept` times, and `of_many` requests are of many.
    fn window(rush: &mut Rush, slept: u32, of_many: u32) -> bool {
        rush.of_many = of_many;
        rush.close(slept);
        rush.is_on()
    }

    #[test]
    fn one_of_many_waits_for_its_turn_unless_it_waits_for_something_else() {
        alone(|mut rush| {
            assert!(!window(&mut rush, WINDOW - 3, WINDOW / 2));
            assert!(window(&mut rush, WINDOW - 4, WINDOW / 2 + 1));
            assert!(window(&mut rush, WINDOW - 1, WINDOW));
            let windows = (1..9).find(|_| !window(&mut rush, WINDOW, WINDOW));
            assert!(windows.is_some_and(|windows| windows <= 3), "{windows:?}");
        });
    }

    #[test]
    fn requests_are_counted() {
        alone(|mut rush| {
            for number in 1..=4 * WINDOW {
                rush.served(true, Company::Many);
                assert_eq!(rush.is_on(), number >= WINDOW);
                assert_eq!((rush.served, rush.of_many), (number % WINDOW, number % WINDOW));
            }
        });
    }

    #[test]
    fn it_ends_with_the_first_request_behind_a_long_gap() {
        alone(|mut rush| {
            for _ in 0..WINDOW + 1 {
                rush.served(true, Company::None);
            }
            assert!(rush.is_on());
            rush.since -= 2 * LONGEST;
            rush.served(true, Company::None);
            assert!(!rush.is_on());
            assert_eq!(rush.served, 1);
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
