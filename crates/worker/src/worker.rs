//! This process: what it was told to be, and what its threads share.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use pinion_unix::epoll::Epoll;
use pinion_unix::shared::SharedWords;
use pinion_unix::sockets::{self, Wait};
use pinion_unix::{clock, inherited};
use pinion_wire::message::http::FIRST_DESCRIPTOR;
use pinion_wire::message::{self, Bit, Rein, RetireReason, StartSpec, StopReason, Warning};
use pinion_wire::status::{self, StatusPage};
use pyo3::{Py, PyAny};

use crate::again::{self, Again};
use crate::area::Bank;
use crate::connection::Connection;
use crate::http::Door;
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::posts::Posts;
use crate::scripts::Scripts;
use crate::seat::Seat;
use crate::telemetry::Reporter;
use crate::text::pieces;

/// The descriptor of the reins.
const REINS: i32 = 3;
/// The descriptor of the status page.
const PAGE: i32 = 4;
/// The descriptor of the questions for the scoreboard, where the group may ask them.
const SCOREBOARD: i32 = 5;

/// Apache's level for what only helps to look for something.
pub(crate) const DEBUG: u8 = 7;

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A descriptor that the manager gives is missing.
    #[error("descriptor {0} is missing ({1}); workers are started by pinion's manager")]
    Descriptor(i32, io::Error),
    /// The first message cannot be received.
    #[error("no start message: {0}")]
    Receive(io::Error),
    /// The first message cannot be read. It comes by a channel that nobody else has, so whoever wrote it has other messages.
    #[error(
        "the server and this worker core are of different builds of Pinion: {0}\nhint: install the program, its lib/pinion and mod_pinion.so of one build, and start the server anew"
    )]
    Message(#[from] message::MessageError),
    /// The first message is another one, or the manager has gone.
    #[error("the manager did not say what to start")]
    NoStart,
    /// What else the system refuses.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// Started twice.
    #[error("started already")]
    Twice,
}

/// Where the worker stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Not ready yet.
    Loading = 0,
    /// Serves requests.
    Serving = 1,
    /// Finishes what is begun or queued.
    Stopping = 2,
    /// Serves nothing any more; the interpreter is being left.
    Ended = 3,
}

/// All connections of a worker, by number, locked.
pub(crate) type Connections<'a> = MutexGuard<'a, HashMap<u32, Arc<Connection>>>;

/// This process.
pub(crate) struct Worker {
    /// What the manager wants it to be.
    pub(crate) spec: StartSpec,
    /// All connections that wait for a request.
    pub(crate) epoll: Epoll,
    /// Who waits at that.
    pub(crate) seat: Seat,
    /// Which thread runs which request.
    pub(crate) posts: Posts,
    /// The scripts that were loaded, or could not be.
    pub(crate) scripts: Scripts,
    /// What is counted of its requests.
    pub(crate) metrics: Metrics,
    /// Who reports to a receiver of telemetry.
    pub(crate) reporter: OnceLock<Reporter>,
    /// Tells the application's subscribers that the process stops.
    pub(crate) tell: OnceLock<Py<PyAny>>,
    reins: OwnedFd,
    page: SharedWords,
    /// The front door of its own.
    pub(crate) door: Option<Door>,
    /// Where to ask for Apache's scoreboard.
    pub(crate) scoreboard: Option<OwnedFd>,
    connections: Mutex<HashMap<u32, Arc<Connection>>>,
    /// The memory that front doors share.
    pub(crate) bank: Bank,
    /// Blocks that were sent several times.
    pub(crate) again: Again,
    stage: AtomicU8,
    wake: (OwnedFd, OwnedFd),
    started: SystemTime,
    served: AtomicU64,
    retired: AtomicBool,
    reason: Mutex<StopReason>,
    /// The thread that takes Python's lock now and then.
    pub(crate) monitor: Monitor,
}

static WORKER: OnceLock<Worker> = OnceLock::new();

/// This process, once it was started.
pub(crate) fn worker() -> Option<&'static Worker> {
    WORKER.get()
}

/// Takes the descriptors that the manager gave and waits for its first message.
pub(crate) fn start() -> Result<&'static Worker, StartError> {
    pinion_unix::heap::keep();
    let reins = inherited::take(REINS).map_err(|error| StartError::Descriptor(REINS, error))?;
    let page = inherited::take(PAGE).map_err(|error| StartError::Descriptor(PAGE, error))?;
    let page = SharedWords::from_fd(page, status::WORDS)?;
    let mut bytes = Vec::new();
    sockets::recv_message(reins.as_fd(), &mut bytes, None).map_err(StartError::Receive)?;
    if bytes.is_empty() {
        return Err(StartError::NoStart);
    }
    let Rein::Start(mut spec) = message::decode(&bytes)? else { return Err(StartError::NoStart) };
    let scoreboard = spec.group.server_metrics.then(|| inherited::take(SCOREBOARD)).transpose();
    let scoreboard = scoreboard.map_err(|error| StartError::Descriptor(SCOREBOARD, error))?;
    let scripts = Scripts::new(spec.group.fold_case);
    let door =
        Door::take(&mut spec).map_err(|error| StartError::Descriptor(FIRST_DESCRIPTOR, error))?;
    let worker = Worker {
        door,
        seat: Seat::new(spec.group.threads, cfg!(Py_GIL_DISABLED)),
        posts: Posts::new(spec.group.threads),
        metrics: Metrics::new(&spec),
        reporter: OnceLock::new(),
        tell: OnceLock::new(),
        spec: *spec,
        epoll: Epoll::new()?,
        scripts,
        reins,
        page,
        scoreboard,
        connections: Mutex::default(),
        bank: Bank::new(again::forget),
        again: Again::default(),
        stage: AtomicU8::new(Stage::Loading as u8),
        wake: wake_pipe()?,
        started: SystemTime::now(),
        served: AtomicU64::new(0),
        retired: AtomicBool::new(false),
        reason: Mutex::new(StopReason::Shutdown),
        monitor: Monitor::default(),
    };
    WORKER.set(worker).map_err(|_| StartError::Twice)?;
    WORKER.get().ok_or(StartError::NoStart)
}

/// A pipe whose ends both do not block, as Python wants it of a wake-up descriptor.
fn wake_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = sockets::pipe()?;
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((reader, writer))
}

impl Worker {
    /// The reins.
    pub(crate) fn reins(&self) -> BorrowedFd<'_> {
        self.reins.as_fd()
    }

    /// The end of the pipe that wakes the main thread, for `signal.set_wakeup_fd` and the like.
    pub(crate) fn waker(&self) -> BorrowedFd<'_> {
        self.wake.1.as_fd()
    }

    /// Wakes the main thread from [`Worker::sleep`].
    pub(crate) fn wake(&self) {
        // A full pipe wakes as well.
        let _ = nix::unistd::write(&self.wake.1, b"w");
    }

    /// Sleeps until [`Worker::wake`], a signal, or `timeout`.
    pub(crate) fn sleep(&self, timeout: Option<Duration>) {
        if sockets::readable(self.wake.0.as_fd(), timeout).unwrap_or(false) {
            let mut drained = [0; 64];
            while nix::unistd::read(&self.wake.0, &mut drained).is_ok_and(|count| count > 0) {}
        }
    }

    /// What mod_wsgi calls the interpreter of these groups.
    pub(crate) fn interpreter(&self) -> String {
        let interpreter = match self.spec.application_group.as_str() {
            "" => "main interpreter".to_owned(),
            group => format!("sub-interpreter '{group}'"),
        };
        match self.spec.group.name.as_str() {
            "" => format!("{interpreter} in embedded mode"),
            group => format!("{interpreter} of daemon process '{group}'"),
        }
    }

    /// The status page.
    pub(crate) fn status(&self) -> Option<StatusPage<'_>> {
        StatusPage::new(self.page.words())
    }

    /// Where the worker stands.
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::SeqCst) {
            0 => Stage::Loading,
            1 => Stage::Serving,
            2 => Stage::Stopping,
            _ => Stage::Ended,
        }
    }

    /// Goes on to `stage`, never back.
    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::SeqCst);
        self.wake();
    }

    /// Tells the manager. What it cannot be told any more goes to standard error.
    pub(crate) fn tell(&self, bit: &Bit) {
        if let (Err(_), Bit::Log { text, .. }) = (self.send(bit, Wait::Yes), bit) {
            // Nobody is left to complain to.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    fn send(&self, bit: &Bit, wait: Wait) -> io::Result<()> {
        let bytes = message::encode(bit).map_err(io::Error::other)?;
        sockets::send_message(self.reins.as_fd(), &bytes, &[], wait)
    }

    /// Tells the manager some text that belongs to no request, whole.
    pub(crate) fn log(&self, level: u8, text: &str) {
        for text in pieces(text) {
            self.tell(&Bit::Log { level, text: text.to_owned() });
        }
    }

    /// As [`Worker::log`], at level debug, for what clients can cause as often as they like: nobody waits for a manager that is busy.
    pub(crate) fn mention(&self, text: &str) {
        // What there is no room for is lost.
        let _ = self.send(&Bit::Log { level: DEBUG, text: text.to_owned() }, Wait::No);
    }

    /// Tells the manager something that whoever runs the server can do something about.
    pub(crate) fn warn(&self, warning: Warning, text: String) {
        self.tell(&Bit::Warn { warning, text });
    }

    /// Asks to be replaced, once.
    pub(crate) fn retire(&self, reason: RetireReason) {
        if !self.retired.swap(true, Ordering::AcqRel) {
            self.tell(&Bit::Retire { reason });
        }
    }

    /// Notes why the manager stops this worker.
    pub(crate) fn note_reason(&self, reason: StopReason) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Why this worker stops.
    pub(crate) fn reason(&self) -> StopReason {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the manager that a signal has asked this worker to stop, and stops.
    pub(crate) fn leave(&self) {
        if self.stage() < Stage::Stopping {
            self.tell(&Bit::Leaving);
        }
        self.advance(Stage::Stopping);
    }

    /// Counts a request, and asks to be replaced when there were enough.
    pub(crate) fn count_request(&self) {
        let served = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        let maximum = self.spec.group.maximum_requests;
        if maximum > 0 && served == maximum {
            self.retire(RetireReason::MaximumRequests);
        }
    }

    /// How many requests were begun.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// When this process started, in seconds since 1970.
    pub(crate) fn started(&self) -> f64 {
        self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }

    /// All connections, by number. Whoever holds them must not call Python.
    pub(crate) fn connections(&self) -> Connections<'_> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection.
    pub(crate) fn connect(&self, connection: Arc<Connection>) {
        self.connections().insert(connection.number, connection);
    }

    /// The connection of this number.
    pub(crate) fn connection(&self, number: u32) -> Option<Arc<Connection>> {
        self.connections().get(&number).cloned()
    }

    /// Ends a connection and forgets it.
    pub(crate) fn disconnect(&self, connection: &Connection) {
        connection.close();
        self.connections().remove(&connection.number);
    }

    /// Whether nothing is begun or queued.
    pub(crate) fn is_drained(&self) -> bool {
        self.connections().values().all(|one| one.turn.is_idle() && !one.has_input())
            && self.door.as_ref().is_none_or(Door::is_drained)
    }

    /// Whether nothing is begun.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections().values().all(|one| one.turn.is_idle())
            && self.door.as_ref().is_none_or(Door::is_idle)
    }

    /// How long a worker that stops waits for its requests before it tells the application's subscribers: those may never end,
    /// and the process is killed when its time is over.
    pub(crate) fn patience(&self) -> Duration {
        match self.reason() {
            // Such a request has had its time.
            StopReason::RequestTimeout => Duration::ZERO,
            _ => Duration::from_millis(self.spec.group.timeouts.shutdown_ms() / 2),
        }
    }

    /// How long requests may go on once the manager has gone, at most.
    pub(crate) fn last_wait(&self) -> Duration {
        const LONGEST: u64 = 15_000;
        match self.spec.group.timeouts.graceful {
            0 => Duration::from_millis(LONGEST),
            graceful => Duration::from_millis(graceful.min(LONGEST)),
        }
    }

    /// Notes that there is something to do, where a worker without anything is not kept.
    pub(crate) fn be_active(&self) {
        if self.spec.group.timeouts.inactivity > 0
            && let Some(page) = self.status()
        {
            page.be_active(clock::monotonic_ns());
        }
    }

    /// Whether a request queued at `queued_ns` has waited too long.
    pub(crate) fn is_expired(&self, queued_ns: u64) -> bool {
        let limit = self.spec.group.timeouts.queue.saturating_mul(1_000_000);
        limit > 0 && clock::monotonic_ns().saturating_sub(queued_ns) > limit
    }
}
