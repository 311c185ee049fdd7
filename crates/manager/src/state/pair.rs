//! A pair: what is configured for it, its mounts, who waits for it, and how its loading goes.

use std::ops::Range;
use std::rc::Rc;

use pinion_wire::message::{GroupSpec, Mounted, PairKey, StartMount, Until};

use super::{Millis, Sight, WaiterId};

/// A script and callable of a pair.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The script's path.
    pub script: Vec<u8>,
    /// The callable's name.
    pub callable: String,
    /// Its number on the board.
    pub number: usize,
    /// The script's modification time as the ready workers have it, in microseconds; 0 before any has loaded it.
    pub loaded: u64,
}

/// Who waits for an answer to an Acquire.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Whom to answer.
    pub waiter: WaiterId,
    /// Which of the pair's mounts, by place.
    pub mount: usize,
    /// For what.
    pub until: Until,
    /// No set before this one will do; 0 where any does.
    pub set: u64,
}

/// What goes on serving while a new set of workers loads.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// The set.
    pub set: u64,
    /// What it runs with.
    pub spec: Rc<GroupSpec>,
    /// Its slots.
    pub slots: Range<usize>,
}

/// Why a pair has no workers at the moment.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The script that does not load.
    pub script: Vec<u8>,
    /// Its modification time when it did not.
    pub mtime: u64,
    /// The last line of the traceback or other reason.
    pub summary: String,
    /// When to try again.
    pub retry_at: Millis,
    /// When to look at the script again.
    pub look_at: Millis,
}

/// Why a pair's workers are to be closed and not replaced.
#[derive(Clone, Copy, Debug)]
pub enum Leaving {
    /// The configuration of this generation does not name its group; not later than the time.
    Removed {
        /// The generation.
        generation: u32,
        /// When children of older generations need not be waited for any more.
        by: Millis,
    },
    /// Another pair of the group takes its place.
    Evicted,
}

/// A pair.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Its names.
    pub key: PairKey,
    /// What the last configuration says.
    pub configured: Rc<GroupSpec>,
    /// What its workers are started with: the same, or the one before when that one did not load.
    pub spec: Rc<GroupSpec>,
    /// The slots for its workers.
    pub slots: Range<usize>,
    /// Slots of an earlier configuration, given up when they are empty.
    pub old_slots: Vec<Range<usize>>,
    /// The set to which new workers belong.
    pub set: u64,
    /// What serves as long as no worker of `set` has been ready.
    pub fallback: Option<Fallback>,
    /// The script for whose change `set` was started, and the change that was reported.
    pub changed: Option<(Vec<u8>, u64)>,
    /// A change that was reported while `set` loads: the next set is for it.
    pub next_change: Option<(Vec<u8>, u64)>,
    /// Its mounts.
    pub mounts: Vec<Mount>,
    /// Who waits.
    pub waiting: Vec<Waiting>,
    /// Set while loading fails.
    pub failure: Option<Failure>,
    /// How many loads have failed in a row.
    pub failures: u32,
    /// How many workers have died within a second of being ready, in a row.
    pub quick_deaths: u32,
    /// Set when it is to go.
    pub leaving: Option<Leaving>,
    /// Started by the configuration, not by a request.
    pub preloaded: bool,
    /// It has no workers until somebody asks for it.
    pub asleep: bool,
    /// When it was last asked for, and how many requests its slots had served then.
    pub used: (Millis, u64),
}

/// How many slots a pair of `processes` workers has: as many again for a replacement, and two to begin
/// the next one with while the last is not gone.
#[must_use]
pub fn slots_for(processes: u32) -> usize {
    usize::try_from(processes).unwrap_or(usize::MAX / 4).saturating_mul(2).saturating_add(2)
}

/// How long to wait after so many failures in a row: 1, 2, 4 … 30 seconds.
#[must_use]
pub fn back_off(failures: u32) -> Millis {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    doubled.saturating_mul(1_000).min(30_000)
}

impl Pair {
    /// A pair without mounts and workers.
    #[must_use]
    pub fn new(key: PairKey, spec: Rc<GroupSpec>, slots: Range<usize>, set: u64) -> Self {
        Self {
            key,
            configured: Rc::clone(&spec),
            spec,
            slots,
            old_slots: Vec::new(),
            set,
            fallback: None,
            changed: None,
            next_change: None,
            mounts: Vec::new(),
            waiting: Vec::new(),
            failure: None,
            failures: 0,
            quick_deaths: 0,
            leaving: None,
            preloaded: false,
            asleep: false,
            used: (0, 0),
        }
    }

    /// How many workers it has when all are well.
    #[must_use]
    pub fn processes(&self) -> usize {
        usize::try_from(self.spec.processes.max(1)).unwrap_or(usize::MAX)
    }

    /// Notes slots that are to be given up when they are empty, unless they are in use again.
    pub fn discard(&mut self, slots: Range<usize>) {
        let kept = self.fallback.as_ref().is_some_and(|fallback| fallback.slots == slots);
        if slots != self.slots && !kept && !self.old_slots.contains(&slots) {
            self.old_slots.push(slots);
        }
    }

    /// How to call it in messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let PairKey { process_group, application_group } = &self.key;
        format!("process group '{process_group}', application group '{application_group}'")
    }

    /// How many workers of its set it shall have now, when so many are ready.
    #[must_use]
    pub fn wanted(&self, ready: usize, now: Millis) -> usize {
        match &self.failure {
            _ if self.asleep => 0,
            Some(failure) if now < failure.retry_at => ready,
            // What has just failed is tried by one worker, not by all at once.
            Some(_) => self.processes().min(ready + 1),
            None => self.processes(),
        }
    }

    /// Where a mount of it is.
    #[must_use]
    pub fn find(&self, script: &[u8], callable: &str) -> Option<usize> {
        self.mounts.iter().position(|mount| mount.script == script && mount.callable == callable)
    }

    /// The answer for those who ask where a mount is served.
    #[must_use]
    pub fn mounted(&self, mount: usize) -> Mounted {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let slots = self.fallback.as_ref().map_or(&self.slots, |fallback| &fallback.slots);
        Mounted {
            mount: number(self.mounts.get(mount).map_or(0, |mount| mount.number)),
            first_slot: number(slots.start),
            slots: number(slots.len()),
            processes: self.spec.processes,
            threads: self.spec.threads,
            backlog: self.spec.listen_backlog,
            timeouts: self.spec.timeouts,
            buffers: self.spec.buffers,
        }
    }

    /// What a new worker loads. A worker without a script that has never loaded, or that has been removed, is of use
    /// for the others; it must have those that worked before, the one whose change it is started for, and
    /// (when `nobody_serves`) those that are waited for.
    #[must_use]
    pub fn start_mounts(&self, nobody_serves: bool, sight: &dyn Sight) -> Vec<StartMount> {
        let single = self.mounts.iter().all(|mount| mount.script == self.mounts[0].script);
        let awaited = |place| self.waiting.iter().any(|waiting| waiting.mount == place);
        let has_changed =
            |script: &[u8]| self.changed.as_ref().is_some_and(|(changed, _)| changed == script);
        self.mounts
            .iter()
            .enumerate()
            .filter(|(_, mount)| single || sight.mtime(&mount.script) != 0)
            .map(|(place, mount)| StartMount {
                script: mount.script.clone(),
                callable: mount.callable.clone(),
                // What is only imported never was what kept an application from being served.
                required: !mount.callable.is_empty()
                    && (single
                        || mount.loaded != 0
                        || has_changed(&mount.script)
                        || (nobody_serves && awaited(place))),
            })
            .collect()
    }
}

/// The last line of a reason that says something.
#[must_use]
pub fn summary(reason: &str) -> String {
    reason
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no reason given")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{World, group};
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let pauses: Vec<_> = (1..8).map(back_off).collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(back_off(u32::MAX), 30_000);
    }

    #[test]
    fn the_summary_is_the_last_line() {
        assert_eq!(summary("Traceback\n  File\nValueError: x\n\n"), "ValueError: x");
        assert_eq!(summary(""), "no reason given");
    }

    #[test]
    fn a_worker_must_have_what_worked_what_changed_and_what_is_waited_for() {
        let key = PairKey { process_group: "g".into(), application_group: String::new() };
        let mut pair = Pair::new(key, Rc::new(group("g")), 0..6, 1);
        let mut world = World::default();
        let mount = |script: &str, loaded| Mount {
            script: script.into(),
            callable: "application".into(),
            number: 0,
            loaded,
        };
        let required = |pair: &Pair, world: &World, nobody_serves| {
            pair.start_mounts(nobody_serves, world)
                .iter()
                .map(|mount| mount.required)
                .collect::<Vec<_>>()
        };
        pair.mounts.push(mount("/a", 0));
        assert_eq!(
            required(&pair, &world, true),
            vec![true],
            "the only one, even if it is missing"
        );
        pair.mounts.extend([mount("/b", 5), mount("/c", 0), mount("/gone", 7)]);
        for script in ["/a", "/b", "/c"] {
            world.mtimes.insert(script.into(), 1);
        }
        assert_eq!(required(&pair, &world, true), vec![false, true, false]);
        pair.changed = Some((b"/c".to_vec(), 9));
        let until = Until::Ready;
        pair.waiting.push(Waiting { waiter: WaiterId(1), mount: 0, until, set: 0 });
        assert_eq!(required(&pair, &world, false), vec![false, true, true]);
        assert_eq!(required(&pair, &world, true), vec![true, true, true]);
    }
}
