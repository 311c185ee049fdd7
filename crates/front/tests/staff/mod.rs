#![expect(clippy::unwrap_used, reason = "in a test, a panic says where it went wrong")]

//! A manager and a worker made of threads, to see what the front door does with them.

use std::{
    io::IoSlice,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use pinion_front::{BodyFault, Client, Door, Front, Gone, Outcome, Request};
use pinion_unix::{
    area::Outside,
    shared::SharedWords,
    sockets::{self, Wait},
};
use pinion_wire::{
    Header, Kind,
    answer::{FilePart, HeadRef, LogRef, Welcome},
    board::{self, Board, SlotState, SlotView},
    frame::{self, REQUEST_MAY_RELOAD},
    message::{
        self, AcquireReply, Buffers, Death, Door as Ask, HelloReply, InquireReply, Mounted,
        Timeouts,
    },
    request::{BodyLength, RequestWriter, Target},
};

pub(crate) const TARGET: Target<'static> = Target {
    script: b"/srv/a.wsgi",
    callable: b"application",
    process_group: b"g",
    application_group: b"",
};

/// A worker's side of a connection.
pub(crate) struct Line(OwnedFd);

impl Line {
    /// The next frame; `None` at the end.
    pub(crate) fn receive(&self) -> Option<(Header, Vec<u8>)> {
        let mut head = [0; Header::SIZE];
        self.fill(&mut head)?;
        let header = Header::decode(&head).unwrap();
        let mut payload = vec![0; header.len as usize];
        self.fill(&mut payload)?;
        Some((header, payload))
    }

    fn fill(&self, mut buffer: &mut [u8]) -> Option<()> {
        while !buffer.is_empty() {
            match sockets::recv_with_fd(self.0.as_fd(), buffer, Wait::Yes).ok()? {
                (0, _) => return None,
                (count, _) => buffer = &mut buffer[count..],
            }
        }
        Some(())
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        // Whoever has stopped listening is what a test is about.
        let _ = sockets::send_all(self.0.as_fd(), &mut [IoSlice::new(bytes)]);
    }

    pub(crate) fn send_file(&self, bytes: &[u8], file: &OwnedFd) {
        sockets::send_with_fd(self.0.as_fd(), bytes, file.as_fd()).unwrap();
    }

    pub(crate) fn frame(&self, kind: Kind, flags: u16, seq: u32, payload: &[u8]) {
        let mut out = Vec::new();
        frame::push(&mut out, kind, flags, seq, payload);
        self.send(&out);
    }
}

/// What a worker does with a connection: called with the connection's ordinal and its line.
type Play = dyn Fn(usize, Line) + Send + Sync;
/// What the manager says when asked about a request.
type Say = dyn Fn(bool) -> InquireReply + Send + Sync;

pub(crate) struct Stage {
    pub(crate) front: Front,
    pub(crate) board: SharedWords,
    pub(crate) acquired: Arc<Mutex<Vec<message::Until>>>,
    lifelines: Lifelines,
}

/// The lifelines of all who said hello; `None` where the manager of then has died.
type Lifelines = Arc<Mutex<Vec<Option<OwnedFd>>>>;

impl Stage {
    /// How often somebody said hello.
    pub(crate) fn hellos(&self) -> usize {
        self.lifelines.lock().unwrap().len()
    }

    /// Closes all lifelines, as the death of a manager does.
    pub(crate) fn forget_children(&mut self) {
        self.lifelines.lock().unwrap().fill_with(|| None);
    }
}

/// Two ready slots whose connections are served by `play`; questions are answered by `say`.
pub(crate) fn stage(
    timeouts: Timeouts,
    play: impl Fn(usize, Line) + Send + Sync + 'static,
    say: impl Fn(bool) -> InquireReply + Send + Sync + 'static,
) -> Stage {
    let board = SharedWords::create(c"test-board", board::WORDS).unwrap();
    let page = Board::new(board.words()).unwrap();
    for slot in 0..2 {
        page.slot(slot).unwrap().set(SlotView { state: SlotState::Ready, epoch: 1 });
    }
    page.mount(0).unwrap().set_loaded_mtime(5);
    let (near, far) = sockets::seqpacket_pair().unwrap();
    let acquired = Arc::new(Mutex::new(Vec::new()));
    let (noted, lifelines) = (Arc::clone(&acquired), Lifelines::default());
    let living = Arc::clone(&lifelines);
    thread::spawn(move || manage(&far, timeouts, Arc::new(play), &say, (&noted, &living)));
    let copy = SharedWords::from_fd(board.fd().try_clone_to_owned().unwrap(), board::WORDS);
    let front = Front::new(Door::new(near), copy.unwrap(), std::process::id(), 1);
    Stage { front, board, acquired, lifelines }
}

fn manage(
    door: &OwnedFd,
    timeouts: Timeouts,
    play: Arc<Play>,
    say: &Say,
    (acquired, lifelines): (&Mutex<Vec<message::Until>>, &Lifelines),
) {
    let (mut bytes, mut opened) = (Vec::new(), 0);
    while let Ok(mut fds) = sockets::recv_message(door.as_fd(), &mut bytes, None) {
        let Some(socket) = fds.pop() else { return };
        let reply = |bytes: Vec<u8>| {
            let _ = sockets::send_message(socket.as_fd(), &bytes, &[], Wait::Yes);
        };
        match message::decode::<Ask>(&bytes).unwrap() {
            Ask::Hello { .. } => {
                // Held until the only copy is in it: who has read the reply finds the lifeline there.
                let mut lifelines = lifelines.lock().unwrap();
                reply(message::encode(&HelloReply { row: Some(0) }).unwrap());
                lifelines.push(Some(socket));
            }
            Ask::Acquire { until, .. } => {
                acquired.lock().unwrap().push(until);
                let mounted = Mounted {
                    mount: 0,
                    first_slot: 0,
                    slots: 2,
                    processes: 2,
                    threads: 5,
                    backlog: 10,
                    timeouts,
                    buffers: Buffers::default(),
                };
                reply(message::encode(&AcquireReply::Mounted(mounted)).unwrap());
            }
            Ask::Open { .. } => {
                let (ordinal, play) = (opened, Arc::clone(&play));
                opened += 1;
                thread::spawn(move || {
                    let line = Line(socket);
                    let welcome = Welcome { pid: 1, connection: ordinal as u32 + 1 };
                    line.frame(Kind::Welcome, 0, 0, &welcome.encode());
                    play(ordinal, line);
                });
            }
            Ask::Inquire { ended, .. } => reply(message::encode(&say(ended)).unwrap()),
        }
    }
}

/// What the manager says of a worker that was killed.
pub(crate) fn dead(begun: bool) -> InquireReply {
    InquireReply::Dead(Box::new(Death {
        pid: 1,
        group: "g".into(),
        cause: "killed by SIGKILL".into(),
        begun_ms: begun.then_some(12),
        stack: String::new(),
    }))
}

/// A client that writes down what it is told.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    pub(crate) flushes: usize,
    /// Parts of the body that came with others behind them.
    pub(crate) joined: usize,
    pub(crate) last: bool,
    pub(crate) log: Vec<String>,
    pub(crate) deaths: usize,
    /// What the client sends, block by block.
    pub(crate) upload: Vec<Vec<u8>>,
    pub(crate) hangs_up: bool,
    /// How many parts in an area came together.
    pub(crate) together: Vec<usize>,
    /// What the worker said of its load.
    pub(crate) under_load: Option<bool>,
}

impl Client for Notes {
    fn head(&mut self, head: &HeadRef<'_>) -> Result<(), Gone> {
        self.status = Some(head.status);
        Ok(())
    }

    fn data(&mut self, bytes: &[u8], flush: bool, last: bool) -> Result<(), Gone> {
        self.body.extend_from_slice(bytes);
        self.flushes += usize::from(flush);
        self.last |= last;
        if self.hangs_up { Err(Gone) } else { Ok(()) }
    }

    fn data_before_more(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.joined += 1;
        self.data(bytes, false, false)
    }

    fn outside_data(&mut self, parts: &[Outside<'_>], flush: bool, last: bool) -> Result<(), Gone> {
        self.together.push(parts.len());
        let mut bytes = Vec::new();
        parts.iter().for_each(|part| part.append_to(&mut bytes));
        self.data(&bytes, flush, last)
    }

    fn under_load(&mut self, is_so: bool) {
        self.under_load = Some(is_so);
    }

    fn file(&mut self, file: OwnedFd, part: FilePart) -> Result<(), Gone> {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; part.length as usize];
        std::fs::File::from(file).read_exact_at(&mut bytes, part.offset).map_err(|_| Gone)?;
        self.body.extend_from_slice(&bytes);
        Ok(())
    }

    fn log(&mut self, log: &LogRef<'_>) {
        self.log.push(format!("{} {}", log.level, String::from_utf8_lossy(log.text)));
    }

    fn body(&mut self, most: usize, into: &mut Vec<u8>) -> Result<bool, BodyFault> {
        if self.upload.is_empty() {
            return Err(BodyFault { reason: "gone".into() });
        }
        let mut block = self.upload.remove(0);
        let rest = block.split_off(block.len().min(most));
        if !rest.is_empty() {
            self.upload.insert(0, rest);
        }
        into.extend_from_slice(&block);
        Ok(self.upload.is_empty())
    }

    fn worker_died(&mut self, _death: &Death) {
        self.deaths += 1;
    }

    fn answered(&self) -> bool {
        self.status.is_some()
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Serves one request.
pub(crate) fn serve(stage: &Stage, repeatable: bool, notes: &mut Notes) -> Outcome {
    serve_with(stage, repeatable, 0, notes)
}

/// Serves a request whose script may be loaded anew.
pub(crate) fn serve_flagged(stage: &Stage, notes: &mut Notes) -> Outcome {
    serve_with(stage, true, REQUEST_MAY_RELOAD, notes)
}

fn serve_with(stage: &Stage, repeatable: bool, flags: u16, notes: &mut Notes) -> Outcome {
    let mut frame = Vec::new();
    let mut writer = RequestWriter::new(&mut frame, TARGET, BodyLength::Known(0));
    writer.flag(flags);
    writer.finish(b"");
    let request = Request {
        target: TARGET,
        frame: &mut frame,
        repeatable,
        script_mtime: Some(5),
        patience: Duration::from_secs(20),
        alone: true,
        reload_patience: Duration::from_millis(300),
    };
    let board = Board::new(stage.board.words()).unwrap();
    let counts = || [0, 1].map(|slot| board.slot(slot).unwrap().count());
    let before = counts();
    let outcome = stage.front.serve(request, notes);
    assert_eq!(counts(), before, "a claim was not released");
    outcome
}
