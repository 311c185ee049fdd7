//! What is counted of requests: how long each phase took, how much went in and out, how busy each
//! thread was. All times are nanoseconds of one monotonic clock, which the caller reads.

/// Entries of a histogram: 16 octaves from 1 ms, each in four parts, and one for all that is longer.
pub const BUCKETS: usize = 65;
/// How many phases there are.
pub const PHASES: usize = 8;

/// A part of a request's time. The last three overlap with the application's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Phase {
    /// From the request's arrival at the web server until it is queued.
    Server = 0,
    /// Until a thread takes it.
    Queue = 1,
    /// Until the application is called.
    Daemon = 2,
    /// In the application.
    Application = 3,
    /// All of the above.
    Request = 4,
    /// Waiting for the interpreter's lock.
    GilWait = 5,
    /// Waiting for the request's body.
    InputRead = 6,
    /// Waiting for the answer to be taken.
    OutputWrite = 7,
}

/// How long something took, over many requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// All together.
    pub sum: u64,
    /// The shortest; `u64::MAX` when there was none.
    pub least: u64,
    /// The longest.
    pub most: u64,
    /// How many fell into each part of the histogram.
    pub buckets: [u32; BUCKETS],
}

impl Default for Distribution {
    fn default() -> Self {
        Self { sum: 0, least: u64::MAX, most: 0, buckets: [0; BUCKETS] }
    }
}

impl Distribution {
    fn add(&mut self, time: u64) {
        self.sum = self.sum.saturating_add(time);
        self.least = self.least.min(time);
        self.most = self.most.max(time);
        self.buckets[bucket(time)] += 1;
    }
}

/// The part of the histogram that a time belongs to.
fn bucket(time: u64) -> usize {
    let millis = time / 1_000_000;
    let Some(octave) = millis.checked_ilog2() else { return 0 };
    if octave >= 16 {
        return BUCKETS - 1;
    }
    let begin = 1_000_000_u64 << octave;
    octave as usize * 4 + ((time - begin) * 4 / begin) as usize
}

/// A request that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The time of each [`Phase`].
    pub phases: [u64; PHASES],
    /// Processor time of its thread.
    pub cpu: u64,
    /// Its status; 0 when it had none.
    pub status: u16,
    /// What went in and out.
    pub traffic: Traffic,
}

/// What went in and out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of bodies that applications read.
    pub input_bytes: u64,
    /// How often they read.
    pub input_reads: u64,
    /// Bytes of answers.
    pub output_bytes: u64,
    /// In how many parts applications gave them.
    pub output_writes: u64,
    /// How often the interpreter's lock was waited for.
    pub gil_waits: u64,
}

impl Traffic {
    fn add(&mut self, other: &Self) {
        self.input_bytes += other.input_bytes;
        self.input_reads += other.input_reads;
        self.output_bytes += other.output_bytes;
        self.output_writes += other.output_writes;
        self.gil_waits += other.gil_waits;
    }
}

/// What happened in an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub since: u64,
    /// How long it was.
    pub period: u64,
    /// How many requests ended.
    pub completed: u64,
    /// The times of each [`Phase`].
    pub phases: [Distribution; PHASES],
    /// How many answers had a status of each hundred, from 100; without one it counts as 500.
    pub classes: [u64; 5],
    /// What went in and out.
    pub traffic: Traffic,
    /// What each thread did.
    pub threads: Vec<ThreadInterval>,
}

impl Interval {
    /// How many threads ended a request or have one.
    #[must_use]
    pub fn active_threads(&self) -> usize {
        self.threads.iter().filter(|thread| thread.completed > 0 || thread.current > 0).count()
    }

    /// Time that threads spent in requests, all together.
    #[must_use]
    pub fn busy(&self) -> u64 {
        self.threads.iter().map(|thread| thread.busy).sum()
    }
}

/// What one thread did in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadInterval {
    /// How many requests it ended.
    pub completed: u32,
    /// How long it was in requests.
    pub busy: u64,
    /// Processor time of those that ended.
    pub cpu: u64,
    /// How long its present request has run; 0 for none.
    pub current: u64,
    /// The longest that ended.
    pub longest: u64,
}

/// One thread's place in the ledger.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// When its present request began.
    begun: Option<u64>,
    /// How many it has ended, ever.
    ended: u64,
    interval: ThreadInterval,
}

/// Counts the requests of a process.
#[derive(Clone, Debug)]
pub struct Ledger {
    places: Vec<Place>,
    open: Interval,
    busy_before: u64,
}

impl Ledger {
    /// An empty ledger of that many threads, from `now` on.
    #[must_use]
    pub fn new(threads: usize, now: u64) -> Self {
        let open = Interval { since: now, ..Interval::default() };
        Self { places: vec![Place::default(); threads], open, busy_before: 0 }
    }

    /// A request begins on that thread.
    pub fn begin(&mut self, thread: usize, now: u64) {
        if let Some(place) = self.places.get_mut(thread) {
            place.begun = Some(now);
        }
    }

    /// The request of that thread has ended.
    pub fn end(&mut self, thread: usize, now: u64, finished: &Finished) {
        let Some(place) = self.places.get_mut(thread) else { return };
        let Some(begun) = place.begun.take() else { return };
        place.ended += 1;
        place.interval.completed += 1;
        place.interval.busy += now.saturating_sub(begun.max(self.open.since));
        place.interval.cpu += finished.cpu;
        place.interval.longest = place.interval.longest.max(now.saturating_sub(begun));
        self.open.completed += 1;
        for (distribution, time) in self.open.phases.iter_mut().zip(finished.phases) {
            distribution.add(time);
        }
        let class = usize::from(finished.status / 100);
        self.open.classes[if (1..=5).contains(&class) { class - 1 } else { 4 }] += 1;
        self.open.traffic.add(&finished.traffic);
    }

    /// Ends the interval and begins the next one.
    pub fn take(&mut self, now: u64) -> Interval {
        let fresh = Interval { since: now, ..Interval::default() };
        let mut taken = std::mem::replace(&mut self.open, fresh);
        taken.period = now.saturating_sub(taken.since);
        for place in &mut self.places {
            let mut thread = std::mem::take(&mut place.interval);
            if let Some(begun) = place.begun {
                thread.busy += now.saturating_sub(begun.max(taken.since));
                thread.current = now.saturating_sub(begun).max(1);
            }
            taken.threads.push(thread);
        }
        self.busy_before += taken.busy();
        taken
    }

    /// How many requests are running.
    #[must_use]
    pub fn active(&self) -> usize {
        self.places.iter().filter(|place| place.begun.is_some()).count()
    }

    /// How many requests each thread has ended, ever.
    pub fn ended(&self) -> impl Iterator<Item = u64> + '_ {
        self.places.iter().map(|place| place.ended)
    }

    /// Time that threads have spent in requests, ever, up to the last ended interval.
    #[must_use]
    pub fn busy(&self) -> u64 {
        self.busy_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn times_fall_into_quarters_of_octaves() {
        for (time, expected) in [
            (0, 0),
            (MS - 1, 0),
            (MS, 0),
            (MS + MS / 4, 1),
            (2 * MS - 1, 3),
            (2 * MS, 4),
            (3 * MS, 6),
            (1024 * MS, 40),
            (65_536 * MS - 1, 63),
            (65_536 * MS, 64),
            (u64::MAX, 64),
        ] {
            assert_eq!(bucket(time), expected, "{time}");
        }
    }

    fn finished(status: u16, request: u64) -> Finished {
        let mut phases = [0; PHASES];
        phases[Phase::Request as usize] = request;
        let traffic = Traffic { output_bytes: 10, ..Traffic::default() };
        Finished { phases, cpu: 5, status, traffic }
    }

    #[test]
    fn an_interval_holds_what_ended_in_it() {
        let mut ledger = Ledger::new(2, 1000);
        ledger.begin(0, 1100);
        assert_eq!(ledger.active(), 1);
        ledger.end(0, 1400, &finished(200, 3 * MS));
        ledger.begin(0, 1500);
        ledger.end(0, 1550, &finished(0, MS));
        ledger.begin(1, 1600);
        let interval = ledger.take(2000);
        assert_eq!((interval.period, interval.completed), (1000, 2));
        assert_eq!(interval.classes, [0, 1, 0, 0, 1]);
        assert_eq!(interval.traffic.output_bytes, 20);
        let request = &interval.phases[Phase::Request as usize];
        assert_eq!((request.sum, request.least, request.most), (4 * MS, MS, 3 * MS));
        assert_eq!((request.buckets[0], request.buckets[6]), (1, 1));
        let first = ThreadInterval { completed: 2, busy: 350, cpu: 10, current: 0, longest: 300 };
        let second = ThreadInterval { busy: 400, current: 400, ..ThreadInterval::default() };
        assert_eq!(interval.threads, [first, second]);
        assert_eq!((interval.active_threads(), interval.busy()), (2, 750));
    }

    #[test]
    fn a_long_request_is_busy_in_each_interval() {
        let mut ledger = Ledger::new(1, 0);
        ledger.begin(0, 100);
        assert_eq!(ledger.take(1000).threads[0].busy, 900);
        assert_eq!(ledger.take(2000).threads[0].current, 1900);
        ledger.end(0, 2300, &finished(200, 0));
        let last = ledger.take(3000).threads[0];
        assert_eq!((last.busy, last.longest, last.completed), (300, 2200, 1));
        assert_eq!(ledger.busy(), 900 + 1000 + 300);
        assert_eq!(ledger.ended().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn an_end_without_a_beginning_counts_nothing() {
        let mut ledger = Ledger::new(1, 0);
        ledger.end(0, 5, &finished(200, 0));
        ledger.end(9, 5, &finished(200, 0));
        assert_eq!(ledger.take(10).completed, 0);
    }
}
