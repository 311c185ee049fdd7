//! This test in the place of Apache's parent and children.

use std::fs::{self, File};
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pinion_unix::process::{ExitCause, Spawn, kill, reap};
use pinion_unix::shared::SharedWords;
use pinion_unix::signals::Signal;
use pinion_unix::sockets::{self, Wait};
use pinion_wire::answer::Welcome;
use pinion_wire::board::{self, Board, SlotState};
use pinion_wire::message::{
    self, AcquireReply, Control, Door, GroupSpec, HelloReply, InquireReply, MountKey, Mounted,
    PairKey, ServerLog, Settings, Timeouts, Until, descriptors,
};
use pinion_wire::{Header, Kind};
use serde::de::DeserializeOwned;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Waits for a condition.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs; one that is dead and not reaped does not.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Receives an answer.
pub(crate) fn reply<T: DeserializeOwned>(near: BorrowedFd<'_>) -> T {
    let mut bytes = Vec::new();
    sockets::recv_message(near, &mut bytes, Some(LONG)).expect("an answer");
    message::decode(&bytes).unwrap()
}

/// Receives the first frame of a connection; what it says when that is not a welcome.
pub(crate) fn welcome(near: BorrowedFd<'_>) -> Result<Welcome, String> {
    assert!(sockets::readable(near, Some(LONG)).unwrap(), "no frame");
    let mut bytes = [0; 1000];
    let (length, _) =
        sockets::recv_with_fd(near, &mut bytes, Wait::No).map_err(|e| e.to_string())?;
    let Some((header, payload, _)) = Header::split(&bytes[..length]).unwrap() else {
        return Err("closed".to_owned());
    };
    match header.kind {
        Kind::Welcome => Ok(Welcome::decode(payload).unwrap()),
        _ => Err(String::from_utf8_lossy(payload).into_owned()),
    }
}

pub(crate) struct Apache {
    folder: tempfile::TempDir,
    near: OwnedFd,
    far: OwnedFd,
    board: SharedWords,
    /// Both ends of the questions for the scoreboard.
    questions: (OwnedFd, OwnedFd),
    control: Option<OwnedFd>,
    manager: u32,
    lifelines: Vec<OwnedFd>,
    log: PathBuf,
    before: String,
    pub(crate) settings: Settings,
}

impl Apache {
    /// A manager that has its configuration; the script holds `script`.
    pub(crate) fn start(script: &str) -> Self {
        let apache = Self::prepare(script);
        apache.configure();
        apache
    }

    /// A manager without configuration.
    pub(crate) fn prepare(script: &str) -> Self {
        Self::prepare_by(script, "exec")
    }

    /// The same; a shell starts it by `before`, which ends with what execs the rest.
    pub(crate) fn prepare_by(script: &str, before: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let worker = include_str!("pinion_worker.py");
        fs::write(folder.path().join("pinion_worker.py"), worker).unwrap();
        fs::write(folder.path().join("app.wsgi"), script).unwrap();
        let (near, far) = sockets::seqpacket_pair().unwrap();
        let log = folder.path().join("error.log");
        let mut apache = Self {
            settings: settings(folder.path()),
            folder,
            near,
            far,
            board: SharedWords::create(c"board", board::WORDS).unwrap(),
            questions: sockets::seqpacket_pair().unwrap(),
            control: None,
            manager: 0,
            lifelines: Vec::new(),
            log,
            before: before.to_owned(),
        };
        apache.start_manager();
        apache
    }

    pub(crate) fn start_manager(&mut self) {
        let log = self.open_log();
        let (control, theirs) = sockets::stream_pair().unwrap();
        let mut spawn = Spawn::new("/bin/sh");
        let line = format!("{} {} manager", self.before, env!("CARGO_BIN_EXE_pinion"));
        spawn
            .arg("-c")
            .arg(line)
            .env("PATH", "/usr/bin:/bin")
            .descriptor(1, log.as_fd())
            .descriptor(2, log.as_fd())
            .descriptor(descriptors::CONTROL, theirs.as_fd())
            .descriptor(descriptors::DOOR, self.far.as_fd())
            .descriptor(descriptors::BOARD, self.board.fd())
            .descriptor(descriptors::SCOREBOARD, self.questions.1.as_fd());
        self.manager = spawn.spawn().unwrap().pid;
        self.control = Some(control);
    }

    fn open_log(&self) -> File {
        File::options().create(true).append(true).open(&self.log).unwrap()
    }

    pub(crate) fn log_to(&mut self, path: &str) {
        self.log = path.into();
    }

    pub(crate) fn configure(&self) {
        let log = self.open_log();
        self.send_with(&Control::Configure(Box::new(self.settings.clone())), &[log.as_fd()]);
    }

    pub(crate) fn send(&self, message: &Control) {
        self.send_with(message, &[]);
    }

    fn send_with(&self, message: &Control, fds: &[BorrowedFd<'_>]) {
        let bytes = message::encode(message).unwrap();
        let control = self.control.as_ref().unwrap().as_fd();
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        sockets::send_with_fds(control, &length, fds).unwrap();
        sockets::send_all(control, &mut [IoSlice::new(&bytes)]).unwrap();
    }

    pub(crate) fn close_control(&mut self) {
        self.control = None;
    }

    pub(crate) fn manager_pid(&self) -> u32 {
        self.manager
    }

    pub(crate) fn wait_for_manager(&mut self) -> ExitCause {
        let mut ended = None;
        wait_until("the manager ends", || {
            ended = reap(Some(self.manager)).unwrap();
            ended.is_some()
        });
        self.manager = 0;
        ended.unwrap().1
    }

    /// Has everything stopped, and looks whether it was.
    pub(crate) fn stop(mut self) {
        let pids = self.pids();
        self.send(&Control::Stop);
        assert_eq!(self.wait_for_manager(), ExitCause::Status(0));
        assert!(pids.iter().all(|pid| !lives(*pid)));
    }

    fn ask(&self, message: &Door) -> OwnedFd {
        let (near, far) = sockets::seqpacket_pair().unwrap();
        let bytes = message::encode(message).unwrap();
        sockets::send_message(self.near.as_fd(), &bytes, &[far.as_fd()], Wait::Yes).unwrap();
        near
    }

    pub(crate) fn hello(&mut self) -> HelloReply {
        let lifeline = self.ask(&Door::Hello { pid: std::process::id(), generation: 1 });
        let row = reply(lifeline.as_fd());
        self.lifelines.push(lifeline);
        row
    }

    pub(crate) fn ask_acquire(&self, until: Until) -> OwnedFd {
        let mount = MountKey {
            pair: PairKey { process_group: "app".into(), application_group: String::new() },
            script: self.script().into_os_string().into_encoded_bytes(),
            callable: "application".into(),
        };
        self.ask(&Door::Acquire { mount, until })
    }

    pub(crate) fn acquire(&self, until: Until) -> AcquireReply {
        reply(self.ask_acquire(until).as_fd())
    }

    pub(crate) fn ask_open(&self, slot: u32, epoch: u32) -> OwnedFd {
        let (near, far) = sockets::stream_pair().unwrap();
        let bytes = message::encode(&Door::Open { slot, epoch }).unwrap();
        sockets::send_message(self.near.as_fd(), &bytes, &[far.as_fd()], Wait::Yes).unwrap();
        near
    }

    pub(crate) fn open(&self, slot: u32, epoch: u32) -> Result<(OwnedFd, Welcome), String> {
        let near = self.ask_open(slot, epoch);
        let welcome = welcome(near.as_fd())?;
        Ok((near, welcome))
    }

    pub(crate) fn inquire(
        &self,
        slot: u32,
        epoch: u32,
        connection: u32,
        seq: u32,
        ended: bool,
    ) -> InquireReply {
        reply(self.ask(&Door::Inquire { slot, epoch, connection, seq, ended }).as_fd())
    }

    fn board(&self) -> Board<'_> {
        Board::new(self.board.words()).unwrap()
    }

    /// A slot's state and epoch.
    pub(crate) fn state(&self, slot: u32) -> (SlotState, u32) {
        let view = self.board().slot(slot as usize).unwrap().view();
        (view.state, view.epoch)
    }

    /// The slots that take requests, and their epochs.
    pub(crate) fn ready(&self) -> Vec<(u32, u32)> {
        let slots = (0..64).map(|slot| (slot, self.state(slot)));
        slots
            .filter(|(_, (state, _))| *state == SlotState::Ready)
            .map(|(slot, (_, epoch))| (slot, epoch))
            .collect()
    }

    pub(crate) fn loaded_mtime(&self, place: Mounted) -> u64 {
        self.board().mount(place.mount as usize).unwrap().loaded_mtime()
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("app.wsgi")
    }

    /// Writes the script; its modification time is another than before.
    pub(crate) fn write_script(&self, content: &str) -> u64 {
        let before = self.script_mtime();
        wait_until("the file system's clock goes on", || {
            fs::write(self.script(), content).unwrap();
            self.script_mtime() != before
        });
        self.script_mtime()
    }

    pub(crate) fn script_mtime(&self) -> u64 {
        let data = fs::metadata(self.script()).unwrap();
        u64::try_from(data.mtime() * 1_000_000 + data.mtime_nsec() / 1_000).unwrap()
    }

    /// The workers' processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let path = format!("/proc/{0}/task/{0}/children", self.manager);
        let children = fs::read_to_string(path).unwrap();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    pub(crate) fn wait_for_log(&self, part: &str) {
        let read = || fs::read_to_string(&self.log).unwrap_or_default();
        let end = Instant::now() + LONG;
        while !read().contains(part) {
            assert!(Instant::now() < end, "no {part:?} in the log:\n{}", read());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        self.control = None;
        if self.manager == 0 {
            return;
        }
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(reap(Some(self.manager)), Ok(None)) {
            if Instant::now() > end {
                let _ = kill(self.manager, Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn settings(folder: &std::path::Path) -> Settings {
    let library = folder.to_str().unwrap().to_owned();
    let env = vec![("TEST_SCRIPT".to_owned(), format!("{library}/app.wsgi"))];
    Settings {
        generation: 1,
        servers: vec![ServerLog { name: "localhost".into(), log: 0, level: 4, plain: false }],
        logs: 1,
        groups: vec![GroupSpec {
            processes: 2,
            multiprocess: true,
            env,
            timeouts: Timeouts { shutdown: 3_000, ..Timeouts::default() },
            ..GroupSpec::new("app", "/usr/bin/python3")
        }],
        preload: Vec::new(),
        library,
        apache: message::Apache::default(),
    }
}
