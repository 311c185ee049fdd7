//! Stays with a client that asks again at once.
//!
//! Behind each response of a kept connection, httpd's event MPM hands the connection to its listener, which hands it to another
//! thread when the next request has come. A client that sends that request soon, as a proxy under load does, makes the
//! two hand-overs cost more than many a request. So responses leave before httpd has
//! tidied up, and where the last gap between a response and the next request was short, the thread waits for the
//! next one itself, for 50 ms at most: httpd looks for it behind the hook that this is called from.
//!
//! Under load, a thread that is woken, by the worker or by its client, waits for its turn: whoever wakes it has more to do for others
//! (`rush` in the worker, which knows when).

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use pinion_httpd::{Connection, Request};
use pinion_unix::lookout::{self, Vain};
use pinion_unix::scheduling::Scheduling;

use crate::{child, module::Pinion, sleepers::Sleepers};

/// So much of a response's body may be in files, in bytes, for it to be sent on before httpd does it: httpd may still have all of that, as
/// it sends files when the client takes them. Of blocks it never has more (its `FlushMaxThreshold`).
const HELD: usize = 64 * 1024;
/// So long a thread sleeps for the next request without being called off.
const BLINK: Duration = Duration::from_millis(5);
/// The longest gap that is worth a wait.
const LULL: Duration = Duration::from_millis(50);
/// A client whose last request came so soon had sent it before it had the answer, and perhaps more with it.
const TOGETHER: Duration = Duration::from_micros(200);
/// The longest gap that is worth looking again and again for, where this thread has nobody to give the processor to.
const GLANCE: Duration = Duration::from_micros(300);
/// How long that is done.
const LOOK: Duration = Duration::from_micros(250);

/// Requests that this process has in its hands, those waited for among them.
static BUSY: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SCHEDULING: RefCell<Scheduling> = RefCell::default();
}

/// A worker has answered this thread's request. From now on the thread waits for its turn when it wakes, if that `is_so`, or else may take the
/// processor from who runs.
pub(crate) fn wait_for_turns(is_so: bool) {
    SCHEDULING.with_borrow_mut(|scheduling| scheduling.set_batch(is_so));
}

/// Whether this thread waits for its turn.
pub(crate) fn waits_for_turns() -> bool {
    SCHEDULING.with_borrow(Scheduling::is_batch)
}

/// Threads that have slept for longer than a blink.
static SLEEPERS: Sleepers = Sleepers::new();

/// Counts a request as in this process's hands, while it lives.
pub(crate) struct Presence(());

impl Presence {
    /// For a request that has come: where few threads are left for others, one that sleeps is called off.
    pub(crate) fn of_request() -> Self {
        let presence = Self::new();
        if let Some(child) = child::get()
            && !child.means.leaves_threads(BUSY.load(Ordering::SeqCst))
        {
            SLEEPERS.call_off();
        }
        presence
    }

    fn new() -> Self {
        BUSY.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether this process has nothing in its hands but one request, and a processor to spare for it.
pub(crate) fn is_alone(means: Means) -> bool {
    means.processors > 1 && BUSY.load(Ordering::Relaxed) <= 1
}

/// Whether this is the only request in this process's hands, and will be looked for the one behind it.
pub(crate) fn is_near(request: Request<'_>, means: Means) -> bool {
    let pace = pace_of(request).map(|(_, pace)| pace).filter(|pace| pace.rest.get() == 0);
    let others = BUSY.load(Ordering::Relaxed).saturating_sub(1);
    pace.and_then(|pace| pace.gap.get()).is_some_and(|gap| plan(gap, others, means) == Plan::Look)
}

/// What is known of how quickly a client asks again.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the last response had left, in µs since 1970; 0 while none has.
    left: Cell<i64>,
    /// From then to the request behind it.
    gap: Cell<Option<Duration>>,
    /// The response has left and its request is not tidied up yet.
    due: Cell<bool>,
    /// Requests to come that are not to be waited for.
    rest: Cell<u8>,
}

/// What this process may spend on waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// The threads that serve requests, from which a wait takes one away.
    pub(crate) threads: usize,
    /// The processors.
    pub(crate) processors: usize,
}

impl Means {
    /// Whether some threads are free for connections that nobody waits for when `busy` are not.
    fn leaves_threads(self, busy: usize) -> bool {
        // With one thread, httpd waits itself.
        busy + 1 + self.threads / 6 < self.threads
    }
}

/// What to do about the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing: httpd finds it.
    Leave,
    /// Look again and again, for [`LOOK`].
    Look,
    /// Sleep until it is here, for [`BLINK`], and up to [`LULL`] as long as nobody needs the thread.
    Sleep,
}

/// What to do where the last gap was `gap` and `others` more requests are in the process's hands.
fn plan(gap: Duration, others: usize, means: Means) -> Plan {
    if gap > LULL || !means.leaves_threads(others + 1) {
        Plan::Leave
    } else if others > 0 {
        Plan::Sleep
    } else if gap <= GLANCE && means.processors > 1 {
        Plan::Look
    } else {
        Plan::Leave
    }
}

fn pace_of<'r>(request: Request<'r>) -> Option<(Connection<'r>, &'r Pace)> {
    let connection = request.connection();
    (!connection.is_secondary()).then(|| (connection, connection.kept::<Pinion>()))
}

/// Notes that a request has come.
pub(crate) fn came(request: Request<'_>) {
    let Some((_, pace)) = pace_of(request) else { return };
    pace.due.set(false);
    let gap = match pace.left.get() {
        0 => None,
        left => u64::try_from(request.request_time_micros() - left).ok().map(Duration::from_micros),
    };
    pace.gap.set(gap);
}

/// Sends on what httpd still has of a whole response, of which `files` bytes are in files, unless that could take long.
pub(crate) fn answered(request: Request<'_>, files: usize) {
    let Some((connection, pace)) = pace_of(request) else { return };
    // Where the client has not taken most of what was sent, httpd sends the rest when it does, without a thread.
    if files > HELD || !connection.is_kept_alive() || !connection.has_room() {
        return;
    }
    // Where it cannot be sent, httpd finds out next.
    if connection.flush(request).is_ok() {
        pace.left.set(now_micros());
        pace.due.set(true);
    }
}

/// Waits for the next request on the connection, where that is worth it.
pub(crate) fn stay(request: Request<'_>) {
    let Some((connection, pace)) = pace_of(request) else { return };
    let (true, Some(gap), Some(child)) = (pace.due.replace(false), pace.gap.get(), child::get())
    else {
        return;
    };
    if let Some(rest) = pace.rest.get().checked_sub(1) {
        return pace.rest.set(rest);
    }
    let _presence = Presence::new();
    let others = BUSY.load(Ordering::Relaxed).saturating_sub(1);
    let came = match plan(gap, others, child.means) {
        Plan::Leave => return,
        Plan::Look => look(connection),
        Plan::Sleep => sleep(request, connection, gap, child.means),
    };
    if let Err(Vain { rest }) = came {
        pace.rest.set(rest);
    }
}

/// Sleeps until the next request is here: for a blink, and then as long as no other request needs the thread. No more than a third of the threads do
/// that, as what other modules answer calls nobody off.
fn sleep<'r>(
    request: Request<'r>,
    connection: Connection<'r>,
    gap: Duration,
    means: Means,
) -> Result<(), Vain> {
    if gap < TOGETHER && connection.has_input(request) {
        return Ok(());
    }
    if connection.await_client(BLINK) || connection.has_input(request) {
        return Ok(());
    }
    let slept = SLEEPERS.sleep(means.threads / 3, |bell| {
        // Looked at behind the entry among the sleepers, so that a request that comes now sees the one or calls off the other.
        let is_free = means.leaves_threads(BUSY.load(Ordering::SeqCst));
        is_free && connection.await_client_or(bell, LULL - BLINK)
    });
    if slept == Some(true) { Ok(()) } else { Err(Vain { rest: lookout::REST }) }
}

/// Microseconds since 1970, as httpd counts a request's time.
fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(0)
}

fn look(connection: Connection<'_>) -> Result<(), Vain> {
    lookout::look(LOOK, || connection.await_client(Duration::ZERO).then_some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEANS: Means = Means { threads: 25, processors: 2 };

    fn gap(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_client_alone_that_asks_at_once_is_looked_for() {
        assert_eq!(plan(gap(60), 0, MEANS), Plan::Look);
        assert_eq!(plan(gap(60), 0, Means { processors: 1, ..MEANS }), Plan::Leave);
        assert_eq!(plan(gap(900), 0, MEANS), Plan::Leave);
    }

    #[test]
    fn one_of_many_is_slept_for() {
        assert_eq!(plan(gap(1500), 3, MEANS), Plan::Sleep);
        assert_eq!(plan(gap(60), 3, MEANS), Plan::Sleep);
        assert_eq!(plan(gap(49_000), 3, MEANS), Plan::Sleep);
        assert_eq!(plan(gap(50_001), 3, MEANS), Plan::Leave);
    }

    #[test]
    fn threads_are_left_for_other_connections() {
        assert_eq!(plan(gap(500), 18, MEANS), Plan::Sleep);
        assert_eq!(plan(gap(500), 19, MEANS), Plan::Leave);
        for threads in [1, 2] {
            assert_eq!(plan(gap(500), 1, Means { threads, ..MEANS }), Plan::Leave);
        }
        assert_eq!(plan(gap(60), 0, Means { threads: 1, ..MEANS }), Plan::Leave);
    }
}
