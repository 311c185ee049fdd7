//! The loop: what happens outside becomes events, what [`crate::state`] decides is done.
//!
//! - [`control`]: the channel to Apache's parent.
//! - [`process`]: a worker's process, its output and its status page.
//! - [`stacks`]: what of its output is worth keeping.
//! - [`logs`]: the servers' log files.
//! - [`sight`]: what decisions see of the world.
//! - [`guard`]: who looks after services when the manager is killed.
//! - [`act`]: doing what was decided.

mod act;
mod control;
mod guard;
mod logs;
mod process;
mod sight;
mod stacks;
mod start;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use pinion_config::Code;
use pinion_unix::{
    clock,
    epoll::{Epoll, Ready, Trigger},
    inherited,
    process::{self as processes, ExitCause},
    shared::SharedWords,
    signals::{self, Signal, Signals},
    sockets::{self, SocketKind},
};
use pinion_wire::{
    board::{self, Board},
    message::{self, Bit, Control, Door, GroupSpec, Settings, Warning, descriptors},
};

use crate::state::{ChildId, Core, Event, Exit, LogLine, WaiterId, WorkerId, deaths::Inquiry};
use control::{Channel, Received};
use guard::Guard;
use logs::Logs;
use process::Process;
use sight::View;

/// Why a manager cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// A descriptor is missing or is something else.
    #[error("descriptor {number} is not {what}: {source}")]
    Descriptor {
        /// Its number.
        number: i32,
        /// What it should be.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses what the loop needs.
    #[error("the manager cannot watch its channels: {0}")]
    System(#[from] io::Error),
}

/// The descriptors that a manager is started with.
#[derive(Debug)]
pub struct Channels {
    control: OwnedFd,
    door: OwnedFd,
    board: SharedWords,
    scoreboard: OwnedFd,
    /// Whether the manager is a thread of the process that tells it what to do.
    inside: bool,
}

impl Channels {
    /// For a manager inside the process that tells it what to do: the far ends of the channels and the board. That process takes
    /// its signals itself: it has them blocked before it starts the manager's thread, SIGCHLD among them, which is the manager's.
    #[must_use]
    pub fn new(control: OwnedFd, door: OwnedFd, board: SharedWords, scoreboard: OwnedFd) -> Self {
        Self { control, door, board, scoreboard, inside: true }
    }

    /// Takes over the descriptors that Apache's parent gives at exec.
    ///
    /// # Errors
    /// When they are not there: `pinion manager` was typed by a person.
    pub fn inherit() -> Result<Self, ShellError> {
        let socket = |number, kind, what| {
            let wrong = |source| ShellError::Descriptor { number, what, source };
            let fd = inherited::take(number).map_err(wrong)?;
            match sockets::socket_kind(fd.as_fd()) {
                Ok(found) if found == kind => Ok(fd),
                Ok(_) => Err(wrong(io::Error::from(io::ErrorKind::InvalidInput))),
                Err(error) => Err(wrong(error)),
            }
        };
        let (number, what) = (descriptors::BOARD, "the board");
        let wrong = |source| ShellError::Descriptor { number, what, source };
        Ok(Self {
            control: socket(descriptors::CONTROL, SocketKind::Stream, "the control channel")?,
            door: socket(descriptors::DOOR, SocketKind::SeqPacket, "the door")?,
            board: inherited::take(number)
                .and_then(|fd| SharedWords::from_fd(fd, board::WORDS))
                .map_err(wrong)?,
            scoreboard: socket(
                descriptors::SCOREBOARD,
                SocketKind::SeqPacket,
                "the way to the scoreboard",
            )?,
            inside: false,
        })
    }
}

/// What an epoll token stands for. The kind is in the highest byte, the number below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Control,
    Door,
    Signals,
    Lifeline(ChildId),
    Reins(WorkerId),
    Output(WorkerId),
}

impl Source {
    const NUMBER: u64 = (1 << 56) - 1;

    fn token(self) -> u64 {
        let (kind, number) = match self {
            Self::Control => (0, 0),
            Self::Door => (1, 0),
            Self::Signals => (2, 0),
            Self::Lifeline(ChildId(number)) => (3, number),
            Self::Reins(WorkerId(number)) => (4, number),
            Self::Output(WorkerId(number)) => (5, number),
        };
        kind << 56 | number & Self::NUMBER
    }

    fn of(token: u64) -> Self {
        let number = token & Self::NUMBER;
        match token >> 56 {
            0 => Self::Control,
            1 => Self::Door,
            2 => Self::Signals,
            3 => Self::Lifeline(ChildId(number)),
            4 => Self::Reins(WorkerId(number)),
            _ => Self::Output(WorkerId(number)),
        }
    }
}

/// The manager with its descriptors.
struct Shell {
    core: Core,
    epoll: Epoll,
    control: Channel,
    door: OwnedFd,
    board: SharedWords,
    /// Where workers ask for Apache's scoreboard.
    scoreboard: OwnedFd,
    /// What workers with a front door of their own listen on, and their access log, for each generation of `HttpSpec` that may
    /// still be started.
    front: BTreeMap<u32, Vec<OwnedFd>>,
    signals: Signals,
    workers: BTreeMap<WorkerId, Process>,
    guard: Guard,
    lifelines: BTreeMap<ChildId, OwnedFd>,
    /// Descriptors that came through the door and wait.
    waiters: HashMap<WaiterId, OwnedFd>,
    logs: Logs,
    library: String,
    events: VecDeque<Event>,
    last_id: u64,
    oom_kills: u64,
    parent: Parent,
    done: bool,
}

/// What has come from Apache's parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    /// Nothing yet: the door stays shut, for nothing is known of what is asked there.
    Silent,
    /// A configuration.
    Configured,
    /// Its end, or something that cannot be understood.
    Gone,
}

/// Runs until everything is stopped.
///
/// # Errors
/// When the channels cannot be watched.
pub fn run(channels: Channels) -> Result<(), ShellError> {
    let mut shell = Shell::new(channels)?;
    let mut ready = Vec::new();
    while !shell.done {
        shell.epoll.wait(&mut ready, shell.timeout())?;
        for one in &ready {
            shell.take(*one);
        }
        if shell.core.next_tick().is_some_and(|due| due <= now_ms()) {
            shell.events.push_back(Event::Tick);
        }
        shell.handle_events();
        shell.send_waiting();
    }
    shell.guard.dismiss();
    Ok(())
}

/// How soon to try again what a worker has no room for, in milliseconds.
const SEND_AGAIN: u64 = 2;

/// How many messages are taken from a worker that has died: more than its socket holds.
const LAST_WORDS: usize = 1024;

/// Milliseconds of the monotonic clock.
fn now_ms() -> u64 {
    clock::monotonic_ns() / 1_000_000
}

impl Shell {
    fn new(channels: Channels) -> Result<Self, ShellError> {
        let Channels { control, door, board, scoreboard, inside } = channels;
        let signals: &[Signal] = if inside {
            &[Signal::SIGCHLD]
        } else {
            signals::ignore(&[Signal::SIGPIPE, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1])?;
            &[Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGUSR2]
        };
        let shell = Self {
            core: Core::taking_over(&epochs(&board), rows(&board)),
            epoll: Epoll::new()?,
            control: Channel::new(control),
            door,
            board,
            scoreboard,
            front: BTreeMap::new(),
            signals: Signals::new(signals)?,
            workers: BTreeMap::new(),
            guard: Guard::default(),
            lifelines: BTreeMap::new(),
            waiters: HashMap::new(),
            logs: Logs::default(),
            library: String::new(),
            events: VecDeque::new(),
            last_id: 0,
            oom_kills: sight::oom_kills(),
            parent: Parent::Silent,
            done: false,
        };
        shell.watch(shell.control.as_fd(), Source::Control)?;
        shell.watch(shell.signals.as_fd(), Source::Signals)?;
        Ok(shell)
    }

    fn watch(&self, fd: BorrowedFd<'_>, source: Source) -> io::Result<()> {
        self.epoll.add(fd, source.token(), Trigger::Level)
    }

    fn timeout(&self) -> Option<Duration> {
        let tick = self.core.next_tick().map(|due| due.saturating_sub(now_ms()));
        let send = self.workers.values().any(Process::is_waiting).then_some(SEND_AGAIN);
        tick.into_iter().chain(send).min().map(Duration::from_millis)
    }

    /// Sends what workers had no room for.
    fn send_waiting(&mut self) {
        for process in self.workers.values_mut().filter(|process| process.is_waiting()) {
            // One that has gone is reaped.
            let _ = process.send_waiting();
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Reads what is ready into events.
    fn take(&mut self, ready: Ready) {
        match Source::of(ready.token) {
            Source::Control => self.take_control(),
            Source::Door => self.take_door(),
            Source::Signals => self.take_signals(),
            Source::Lifeline(child) => self.take_lifeline(child),
            Source::Reins(worker) => {
                self.take_reins(worker);
            }
            Source::Output(worker) => self.take_output(worker),
        }
    }

    fn take_control(&mut self) {
        while self.parent != Parent::Gone && self.take_one_control() {}
    }

    /// Takes one message from Apache's parent; whether there may be another.
    fn take_one_control(&mut self) -> bool {
        match self.control.receive() {
            Ok(Received::Nothing) => {}
            Ok(Received::Message(Control::Configure(settings), mut fds)) => {
                let front = fds.split_off(fds.len().min(settings.logs as usize));
                self.take_front(&settings, front);
                self.logs.replace(fds, &settings);
                self.library.clone_from(&settings.library);
                self.events.push_back(Event::Configured(settings));
                if self.parent == Parent::Silent {
                    self.parent = Parent::Configured;
                    if let Err(error) = self.watch(self.door.as_fd(), Source::Door) {
                        self.say(Code::Internal, format!("the door cannot be watched: {error}"));
                    }
                }
                return true;
            }
            Ok(Received::Message(Control::Leave, _)) => {
                self.events.push_back(Event::Leave);
                return true;
            }
            Ok(Received::Message(Control::Drain, _)) => {
                // What nobody listens on refuses connections, so that clients and balancers go elsewhere at once.
                self.front.clear();
                self.events.push_back(Event::Drain);
                return true;
            }
            Ok(Received::Message(Control::DumpStacks, _)) => {
                self.events.push_back(Event::DumpStacks);
                return true;
            }
            Ok(Received::Message(Control::Stop, _)) => self.events.push_back(Event::Stop),
            Ok(Received::End) => self.parent_gone(),
            Err(error) => {
                self.say(Code::ProtocolVersion, format!("the server's message: {error}"));
                self.parent_gone();
            }
        }
        false
    }

    /// Keeps the descriptors of a front door. Those of a generation whose workers serve are kept as well: they go on should the new
    /// one not load.
    fn take_front(&mut self, settings: &Settings, descriptors: Vec<OwnedFd>) {
        let generation = |group: &GroupSpec| group.http.as_ref().map(|http| http.generation);
        let live: BTreeSet<u32> =
            self.core.workers().values().filter_map(|worker| generation(&worker.spec)).collect();
        self.front.retain(|known, _| live.contains(known));
        if let Some(generation) = settings.groups.iter().find_map(generation) {
            self.front.insert(generation, descriptors);
        }
    }

    fn parent_gone(&mut self) {
        self.parent = Parent::Gone;
        let _ = self.epoll.remove(self.control.as_fd());
        self.events.push_back(Event::Stop);
    }

    fn take_door(&mut self) {
        // A child may ask for what the configuration names that its parent has sent before it made the child.
        self.take_control();
        let mut bytes = Vec::new();
        let received = sockets::recv_message(self.door.as_fd(), &mut bytes, Some(Duration::ZERO));
        let Ok(mut fds) = received else { return };
        if bytes.is_empty() {
            // All senders have gone: the parent too, which the control channel tells.
            let _ = self.epoll.remove(self.door.as_fd());
            return;
        }
        let Some(socket) = fds.pop() else { return };
        let id = self.next_id();
        let waiter = WaiterId(id);
        let event = match message::decode::<Door>(&bytes) {
            Ok(Door::Hello { pid, generation }) => {
                let child = ChildId(id);
                if self.watch(socket.as_fd(), Source::Lifeline(child)).is_ok() {
                    self.lifelines.insert(child, socket);
                    self.events.push_back(Event::ChildHello { child, pid, generation });
                }
                return;
            }
            Ok(Door::Acquire { mount, until }) => Event::Acquired { waiter, mount, until },
            Ok(Door::Open { slot, epoch }) => Event::Opened { waiter, slot, epoch },
            Ok(Door::Inquire { slot, epoch, connection, seq, ended }) => {
                Event::Inquired(Inquiry { waiter, slot, epoch, connection, seq, ended })
            }
            Err(error) => return self.say(Code::ProtocolVersion, error.to_string()),
        };
        self.waiters.insert(waiter, socket);
        self.events.push_back(event);
    }

    fn take_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.next() {
            match signal {
                Signal::SIGTERM => self.events.push_back(Event::Stop),
                Signal::SIGUSR2 => self.events.push_back(Event::DumpStacks),
                _ => {}
            }
        }
        while let Ok(Some(pid)) = processes::ended() {
            self.end_group(pid);
            match processes::reap(Some(pid)) {
                Ok(Some((pid, cause))) => self.reaped(pid, cause),
                _ => break,
            }
        }
    }

    /// Ends what a service that has ended has left running: nobody but the service would.
    fn end_group(&self, pid: u32) {
        if self.workers.values().any(|process| process.pid == pid && process.service) {
            // Until it is reaped, the number is still its group's.
            let _ = processes::kill_group(pid, Signal::SIGKILL);
        }
    }

    fn reaped(&mut self, pid: u32, cause: ExitCause) {
        let Some(worker) =
            self.workers.iter().find(|(_, process)| process.pid == pid).map(|(id, _)| *id)
        else {
            return self.guard.reaped(pid);
        };
        self.guard.ended(pid);
        // What it has said comes before its death: it may have said why. What a child of the application's own says on
        // inherited reins has no end.
        for _ in 0..LAST_WORDS {
            if !self.take_reins(worker) {
                break;
            }
        }
        let Some(mut process) = self.workers.remove(&worker) else { return };
        let rest = process.rest_of_output();
        self.log_output(worker, pid, &rest);
        let mut words = cause.to_string();
        if matches!(cause, ExitCause::Signal { number, .. } if number == Signal::SIGKILL as i32) {
            let kills = sight::oom_kills();
            if kills > std::mem::replace(&mut self.oom_kills, kills) {
                words.push_str(" (the kernel's out-of-memory killer ran)");
            }
        }
        let exit = Exit {
            cause: words,
            signalled: matches!(cause, ExitCause::Signal { .. }),
            output: process.last_output(),
            begun: process.begun(),
        };
        self.events.push_back(Event::Exited { worker, exit });
    }

    fn take_lifeline(&mut self, child: ChildId) {
        // Children send nothing on it, so whatever makes it readable is its end.
        self.lifelines.remove(&child);
        self.events.push_back(Event::ChildGone(child));
    }

    /// Takes one message; whether there was one.
    fn take_reins(&mut self, worker: WorkerId) -> bool {
        let Some(process) = self.workers.get(&worker) else { return false };
        let mut bytes = Vec::new();
        let received = sockets::recv_message(process.reins(), &mut bytes, Some(Duration::ZERO));
        let ended = match received {
            Ok(_) => bytes.is_empty(),
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
            }
        };
        if ended {
            let _ = self.epoll.remove(process.reins());
            self.events.push_back(Event::ReinsEnded(worker));
        } else if !bytes.is_empty() {
            self.heed(worker, &bytes);
            return true;
        }
        false
    }

    /// Takes what a worker says; it is the application's process, so nothing it says is beyond doubt.
    fn heed(&mut self, worker: WorkerId, bytes: &[u8]) {
        match message::decode::<Bit>(bytes) {
            Ok(Bit::Log { level, text }) => {
                let pid = self.workers.get(&worker).map(|process| process.pid);
                self.logs.say(self.core.server_of(worker), level, pid, &text);
            }
            Ok(Bit::Warn { warning, text }) => {
                let code = match warning {
                    Warning::FewFiles => Code::FewFiles,
                    Warning::ConnectionsWait => Code::ConnectionsWait,
                };
                self.say_of(worker, code, text);
            }
            Ok(bit) => self.events.push_back(Event::Bit { worker, bit }),
            Err(error) => {
                self.say_of(
                    worker,
                    Code::ProtocolVersion,
                    format!("the worker's message: {error}"),
                );
            }
        }
    }

    /// Logs something about a worker, for the server in which its group was declared.
    fn say_of(&mut self, worker: WorkerId, code: Code, text: String) {
        let server = self.core.server_of(worker);
        let pid = self.workers.get(&worker).map(|process| process.pid);
        self.logs.line(&LogLine { server, code, pid, text });
    }

    fn take_output(&mut self, worker: WorkerId) {
        let Some(process) = self.workers.get_mut(&worker) else { return };
        let (pid, lines) = (process.pid, process.read_output());
        if process.output_ended()
            && let Some(output) = process.close_output()
        {
            let _ = self.epoll.remove(output.as_fd());
        }
        if !lines.is_empty() {
            self.log_output(worker, pid, &lines);
        }
    }

    fn log_output(&mut self, worker: WorkerId, pid: u32, text: &str) {
        // faulthandler's empty lines stand between stacks that may have been taken out.
        let lines: Vec<_> = text.lines().filter(|line| !line.trim_end().is_empty()).collect();
        self.logs.output(self.core.server_of(worker), "error", Some(pid), &lines.join("\n"));
    }

    /// Logs something that the loop itself has met.
    fn say(&mut self, code: Code, text: String) {
        self.logs.line(&LogLine { server: None, code, pid: None, text });
    }

    /// Has all events decided upon, and those that doing so brings.
    fn handle_events(&mut self) {
        while let Some(event) = self.events.pop_front() {
            let view = View { board: &self.board, workers: &self.workers };
            for action in self.core.handle(now_ms(), event, &view) {
                self.act(action);
            }
        }
    }
}

/// The epochs that an earlier manager has left on the board.
fn epochs(board: &SharedWords) -> Vec<u32> {
    let board = Board::new(board.words());
    let slots = (0..board::SLOTS).filter_map(|slot| board?.slot(slot));
    slots.map(|slot| slot.view().epoch).collect()
}

/// The rows in which children count that an earlier manager has known, with their processes. What the dead have
/// left is taken off.
fn rows(board: &SharedWords) -> BTreeMap<u32, u32> {
    let mut rows = BTreeMap::new();
    let Some(board) = Board::new(board.words()) else { return rows };
    for (row, number) in (0..board::ROWS).zip(0..) {
        match board.row_owner(row) {
            Some(pid) if processes::exists(pid) => {
                rows.insert(number, pid);
            }
            Some(_) => board.forget_row(row),
            None => {}
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_sources_apart() {
        for source in [
            Source::Control,
            Source::Door,
            Source::Signals,
            Source::Lifeline(ChildId(7)),
            Source::Reins(WorkerId(7)),
            Source::Output(WorkerId(1 << 40)),
        ] {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
