//! A request's way through the front door: find a worker, try, and try again where that is safe.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pinion_unix::{clock, shared::SharedWords};
use pinion_wire::{
    FrameError,
    answer::End,
    board::{Board, Claim, Row},
    frame::{REQUEST_IS_ONE_OF_MANY, REQUEST_MAY_RELOAD, REQUEST_TAKES_AREA},
    message::{AcquireReply, Death, InquireReply, Until},
    request::{RequestWriter, Target},
};

use crate::{
    areas::Areas,
    client::Client,
    door::{Door, DoorError},
    greeting::Greeting,
    pool::{self, Connection, Pool},
    queue::{Counted, Queue},
    relay::{Exchange, Overdue, Relayed, Word},
    route::{Avoid, NoSlot, Route, Routes, mount_key, write_name},
};

/// How often a request that no worker had begun is given to another one.
const FRESH_TRIES: u32 = 5;
/// How long a request waits for a worker that is on its way before it queues behind others.
const SOON: Duration = Duration::from_secs(1);

/// So many requests in a worker's hands are many.
const MANY: u64 = 5;

/// A request to be served.
#[derive(Debug)]
pub struct Request<'a> {
    /// The application.
    pub target: Target<'a>,
    /// The finished frame of a [`RequestWriter`], at its start.
    pub frame: &'a mut [u8],
    /// GET, HEAD or OPTIONS without a body: may be begun twice.
    pub repeatable: bool,
    /// The script's modification time in microseconds since 1970, when changes are to be noticed.
    pub script_mtime: Option<u64>,
    /// How long to wait for workers to be ready.
    pub patience: Duration,
    /// Whether nothing else runs in this process, and there are processors enough: then, if the application's workers have no other request
    /// either, the first part of an answer is looked for a moment before this thread goes to sleep.
    pub alone: bool,
    /// How long the request that notices a change waits for workers that have loaded it. Later, the old ones serve it.
    pub reload_patience: Duration,
}

/// How a request ended.
#[derive(Debug)]
pub enum Outcome {
    /// The worker answered, as far as [`End`] says.
    Done(End),
    /// The client has gone, or what the application wants to send cannot be sent.
    ClientGone,
    /// It could not be served.
    Trouble(Trouble),
}

/// Why a request could not be served.
#[derive(Debug)]
pub enum Trouble {
    /// The application cannot be loaded. 500.
    NotLoaded {
        /// Its traceback, when nobody has logged it yet.
        detail: Option<String>,
        /// Milliseconds until the next attempt.
        retry_ms: u64,
    },
    /// No process group of that name. 500.
    UnknownGroup(String),
    /// The process group runs a script of its own and no requests. 504.
    NoThreads(String),
    /// Too many application groups. 503.
    BoardFull,
    /// The server is stopping. 503.
    Stopping,
    /// The backlog stayed full for connect-timeout. 503.
    Backlog,
    /// Not begun within queue-timeout. 504.
    QueueTimeout,
    /// Not done within request-timeout. 504.
    RequestTimeout,
    /// No byte within socket-timeout. 504.
    SocketTimeout,
    /// The worker died, and the request must not or did not go to another. 502.
    Died(Box<Death>),
    /// The connection to the worker was lost without a known cause. 502.
    Lost,
    /// The manager cannot be reached. 503.
    Manager(DoorError),
    /// The worker broke the protocol. 502.
    Garbled(FrameError),
}

/// What the tries of one request share.
struct Round {
    /// How long to wait for workers.
    deadline: Instant,
    /// The slot of the try before, and workers with the script as it was: others are better.
    avoid: Avoid,
}

/// What one try came to.
enum Tried {
    Finished(Outcome),
    /// Not begun: try again.
    Fresh(Trouble),
    /// Begun, and nothing of an answer came.
    Begun(Trouble),
    /// The worker of this slot and epoch is to be replaced first.
    Stale(u32, u32),
}

/// A front-door process's way to all workers.
#[derive(Debug)]
pub struct Front {
    door: Door,
    board: SharedWords,
    greeting: Greeting,
    routes: Routes,
    pool: Pool,
    areas: Areas,
    queue: Queue,
}

impl Front {
    /// Sets up the front door of the process `pid`, whose configuration is number `generation`. A manager that does not
    /// answer the hello costs the row on the board, no more.
    #[must_use]
    pub fn new(door: Door, board: SharedWords, pid: u32, generation: u32) -> Self {
        let greeting = Greeting::new(&door, pid, generation);
        Self {
            door,
            board,
            greeting,
            routes: Routes::default(),
            pool: Pool::new(),
            areas: Areas::default(),
            queue: Queue::default(),
        }
    }

    /// Serves one request.
    pub fn serve<C: Client>(&self, mut request: Request<'_>, client: &mut C) -> Outcome {
        let Some(board) = Board::new(self.board.words()) else {
            return Outcome::Trouble(Trouble::BoardFull);
        };
        let mut name = Vec::with_capacity(256);
        write_name(&mut name, &request.target);
        let mut round =
            Round { deadline: Instant::now() + request.patience, avoid: Avoid::default() };
        let mut fresh = 0;
        loop {
            let tried = self.attempt(board, &name, &mut request, client, &mut round);
            match tried.unwrap_or_else(|trouble| Tried::Finished(Outcome::Trouble(trouble))) {
                Tried::Finished(outcome) => return outcome,
                Tried::Fresh(_) if fresh < FRESH_TRIES => {
                    fresh += 1;
                    // What this process remembers may be why nobody took it.
                    self.routes.forget(&name);
                }
                // Once: the second worker to die of it is the last.
                Tried::Begun(_) if request.repeatable => request.repeatable = false,
                Tried::Stale(slot, epoch) => {
                    fresh += 1;
                    let stale = (slot, epoch);
                    let replaced = self.have_replaced(&request, stale, client, round.deadline);
                    if fresh > FRESH_TRIES || !replaced {
                        // It cannot be loaded anew: better as it is than not at all.
                        RequestWriter::unflag(request.frame, REQUEST_MAY_RELOAD);
                    }
                }
                Tried::Fresh(trouble) | Tried::Begun(trouble) => {
                    return Outcome::Trouble(trouble);
                }
            }
        }
    }

    fn attempt<C: Client>(
        &self,
        board: Board<'_>,
        name: &[u8],
        request: &mut Request<'_>,
        client: &mut C,
        round: &mut Round,
    ) -> Result<Tried, Trouble> {
        let deadline = round.deadline;
        let route = self.route(name, &request.target, client, round.deadline)?;
        if let Some(mtime) = request.script_mtime {
            let by = deadline.min(Instant::now() + request.reload_patience);
            if let Some(old) = self.notice_change(board, &route, mtime, client, by)? {
                round.avoid.old = old;
            }
        }
        let (route, claim) = self.claim(board, name, route, request, client, round)?;
        let (slot, epoch) = (claim.slot(), claim.epoch);
        round.avoid.failed = Some(slot);
        let row = self.row(board);
        let _counted = Counted { claim: Some(claim), board, row, queue: &self.queue };
        let mut connection = match self.pool.take(slot, epoch) {
            Some(connection) => connection,
            None => pool::connect(&self.door, (slot, epoch), route.mounted.buffers)
                .map_err(Trouble::Manager)?,
        };
        connection.seq = connection.seq.wrapping_add(1);
        RequestWriter::stamp(request.frame, connection.seq, clock::monotonic_ns());
        if self.areas.are_taken() {
            RequestWriter::mark(request.frame, REQUEST_TAKES_AREA);
        }
        RequestWriter::unflag(request.frame, REQUEST_IS_ONE_OF_MANY);
        if board.slot(slot).is_some_and(|slot| slot.count() >= MANY) {
            RequestWriter::mark(request.frame, REQUEST_IS_ONE_OF_MANY);
        }
        let relayed = Exchange {
            connection: &mut connection,
            adopt: &|fd| self.areas.adopt((slot, epoch), fd),
            client,
            timeouts: route.mounted.timeouts,
            alone: request.alone && route.in_flight(board) <= 1,
            inquire: &|number, seq| self.word(slot, epoch, number, seq),
            elsewhere: &|| route.has_room_beside(board, slot),
        }
        .run(request.frame);
        Ok(self.judge(relayed, slot, connection, client))
    }

    /// Counts the request at a worker's slot, waiting for one as long as the group's settings allow.
    fn claim<C: Client>(
        &self,
        board: Board<'_>,
        name: &[u8],
        mut route: Arc<Route>,
        request: &Request<'_>,
        client: &C,
        round: &Round,
    ) -> Result<(Arc<Route>, Claim), Trouble> {
        let (mut connect_by, mut soon_by) = (None, None::<Instant>);
        loop {
            let patient = soon_by.is_none_or(|by| Instant::now() < by);
            match route.claim(board, self.row(board), patient, &round.avoid) {
                Ok(claim) => return Ok((route, claim)),
                Err(NoSlot::NoneReady) => {
                    self.routes.forget(name);
                    route = self.route(name, &request.target, client, round.deadline)?;
                }
                Err(NoSlot::Soon) => {
                    soon_by.get_or_insert_with(|| Instant::now() + SOON);
                    self.queue.wait();
                }
                Err(NoSlot::Full) => {
                    let limit = Duration::from_millis(route.mounted.timeouts.connect);
                    let by = *connect_by.get_or_insert_with(|| Instant::now() + limit);
                    if Instant::now() >= by || client.cancelled() {
                        return Err(Trouble::Backlog);
                    }
                    self.queue.wait();
                }
            }
        }
    }

    fn row<'b>(&self, board: Board<'b>) -> Option<Row<'b>> {
        self.greeting.row().and_then(|row| board.row(row as usize))
    }

    /// Where the mount is served; asks the manager, and so starts the workers, when that is not known.
    fn route<C: Client>(
        &self,
        name: &[u8],
        target: &Target<'_>,
        client: &C,
        deadline: Instant,
    ) -> Result<Arc<Route>, Trouble> {
        if let Some(route) = self.routes.find(name) {
            return Ok(route);
        }
        self.greeting.renew(&self.door);
        let key = mount_key(target);
        let patience = deadline.saturating_duration_since(Instant::now());
        let reply = self
            .door
            .acquire(&key, Until::Ready, patience, &|| client.cancelled())
            .map_err(Trouble::Manager)?;
        match reply {
            AcquireReply::Mounted(mounted) => {
                Ok(self.routes.learn(name.to_vec(), Route { key, mounted }))
            }
            AcquireReply::Failed { detail, retry_ms } => {
                Err(Trouble::NotLoaded { detail, retry_ms })
            }
            AcquireReply::UnknownGroup => Err(Trouble::UnknownGroup(key.pair.process_group)),
            AcquireReply::NoThreads => Err(Trouble::NoThreads(key.pair.process_group)),
            AcquireReply::Full => Err(Trouble::BoardFull),
            AcquireReply::Stopping => Err(Trouble::Stopping),
        }
    }

    /// Reports a changed script if nobody has yet, and waits for the first worker that has loaded it. If none comes, the
    /// old ones serve this request too. Returns those that were there before, which may go on while others load.
    fn notice_change<C: Client>(
        &self,
        board: Board<'_>,
        route: &Route,
        mtime: u64,
        client: &C,
        deadline: Instant,
    ) -> Result<Option<Vec<(usize, u32)>>, Trouble> {
        let mount = board.mount(route.mounted.mount as usize);
        if !mount.is_some_and(|mount| mount.claim_change(mtime)) {
            return Ok(None);
        }
        let before = route.ready(board);
        let patience = deadline.saturating_duration_since(Instant::now());
        let cancelled = || client.cancelled();
        match self.door.acquire(&route.key, Until::Changed(mtime), patience, &cancelled) {
            Ok(_) | Err(DoorError::Timeout(_)) => Ok(Some(before)),
            Err(error) => Err(Trouble::Manager(error)),
        }
    }

    /// Has a worker replaced whose script wants to be loaded anew, and waits for that. False when it goes on as it is.
    fn have_replaced<C: Client>(
        &self,
        request: &Request<'_>,
        (slot, epoch): (u32, u32),
        client: &C,
        deadline: Instant,
    ) -> bool {
        let patience = deadline.saturating_duration_since(Instant::now());
        let until = Until::Replaced { slot, epoch };
        let key = mount_key(&request.target);
        let reply = self.door.acquire(&key, until, patience, &|| client.cancelled());
        matches!(reply, Ok(AcquireReply::Mounted(_)))
    }

    fn word(&self, slot: usize, epoch: u32, number: u32, seq: u32) -> Word {
        match self.door.inquire((slot as u32, epoch), (number, seq), false) {
            Ok(InquireReply::Running { since_ms }) => Word::Running(since_ms),
            Ok(InquireReply::Dead(_)) => Word::Gone,
            Ok(InquireReply::Waiting | InquireReply::Unknown) | Err(_) => Word::Waiting,
        }
    }

    fn judge<C: Client>(
        &self,
        relayed: Relayed,
        slot: usize,
        connection: Connection,
        client: &mut C,
    ) -> Tried {
        let trouble = match relayed {
            Relayed::Done(End::Reload) => {
                let epoch = connection.epoch;
                self.pool.put(slot, connection);
                return Tried::Stale(slot as u32, epoch);
            }
            Relayed::Done(end) => {
                self.pool.put(slot, connection);
                return Tried::Finished(Outcome::Done(end));
            }
            Relayed::ClientGone => return Tried::Finished(Outcome::ClientGone),
            Relayed::Refused | Relayed::TakenBack => return Tried::Fresh(Trouble::Lost),
            Relayed::Lost { heard } => return self.post_mortem(heard, slot, &connection, client),
            Relayed::Overdue(Overdue::Queue) => Trouble::QueueTimeout,
            Relayed::Overdue(Overdue::Request) => Trouble::RequestTimeout,
            Relayed::Overdue(Overdue::Socket) => Trouble::SocketTimeout,
            Relayed::Cancelled => Trouble::Stopping,
            Relayed::Garbled(error) => Trouble::Garbled(error),
        };
        Tried::Finished(Outcome::Trouble(trouble))
    }

    /// The connection ended: what became of the worker, and had it begun?
    fn post_mortem<C: Client>(
        &self,
        heard: bool,
        slot: usize,
        connection: &Connection,
        client: &mut C,
    ) -> Tried {
        let place = (slot as u32, connection.epoch);
        let request = (connection.number, connection.seq);
        let death = match self.door.inquire(place, request, true) {
            Ok(InquireReply::Dead(death)) => Some(death),
            // The manager knows the worker and says that it has not begun.
            Ok(InquireReply::Waiting) if !heard => return Tried::Fresh(Trouble::Lost),
            Ok(_) | Err(_) => None,
        };
        let begun = heard || death.as_ref().is_none_or(|death| death.begun_ms.is_some());
        if let (true, Some(death)) = (begun, &death) {
            client.worker_died(death);
        }
        let answered = client.answered();
        let trouble = death.map_or(Trouble::Lost, Trouble::Died);
        match (begun, answered) {
            (false, _) => Tried::Fresh(trouble),
            (true, false) => Tried::Begun(trouble),
            (true, true) => Tried::Finished(Outcome::Trouble(trouble)),
        }
    }
}
