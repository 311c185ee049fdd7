//! Plays manager and front door for one worker process.

use std::collections::HashMap;
mod answer;
pub(crate) mod areas;
pub(crate) mod dice;
pub(crate) mod h2;
pub(crate) mod other;
pub(crate) mod raw_h2;

use std::fs;
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pinion_unix::process::{self, ExitCause, Spawn};
use pinion_unix::shared::SharedWords;
use pinion_unix::signals::Signal;
use pinion_unix::sockets::{self, Wait};
use pinion_wire::answer::{End, FilePart, HeadRef, Welcome, decode_want};
use pinion_wire::area::Part;
use pinion_wire::call::{Argument, Call};
use pinion_wire::frame::{
    self, BODY_LAST, DATA_STAYS, END_UNDER_LOAD, IN_AREA, REQUEST_MAY_RELOAD,
};
use pinion_wire::message::http::FIRST_DESCRIPTOR;
use pinion_wire::message::{self, Apache, Bit, GroupSpec, Rein, StartMount, StartSpec};
use pinion_wire::request::{BodyLength, RequestWriter, Target};
use pinion_wire::status::{self, Begun, StatusPage};
use pinion_wire::{Header, Kind};

pub(crate) use answer::Answer;
use areas::Shared;

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(20);

/// Whether a process has ended, even if its parent, who may be the first process of a container, has not asked how.
pub(crate) fn has_ended(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| line.is_empty())
}

/// For each free-threaded interpreter, the core that was built for it and the name of that.
pub(crate) static FREE_THREADED: OnceLock<HashMap<PathBuf, (PathBuf, String)>> = OnceLock::new();

/// Whether the interpreter is free-threaded: workers run on it without a GIL then.
pub(crate) fn is_free_threaded(python: &Path) -> bool {
    FREE_THREADED.get().is_some_and(|all| all.contains_key(python))
}

/// A worker process.
pub(crate) struct Worker {
    /// Its process id.
    pub(crate) pid: u32,
    /// A folder of its own, with `app.wsgi` in it.
    pub(crate) folder: tempfile::TempDir,
    reins: Option<OwnedFd>,
    page: SharedWords,
    output: OwnedFd,
    connections: u32,
    ended: Option<ExitCause>,
}

/// What a worker is started with.
pub(crate) fn spec(folder: &Path) -> StartSpec {
    let script = folder.join("app.wsgi").into_os_string().into_encoded_bytes();
    StartSpec {
        group: GroupSpec {
            processes: 2,
            threads: 3,
            multiprocess: true,
            ..GroupSpec::new("group", "")
        },
        application_group: "app|/x".to_owned(),
        number: 1,
        mounts: vec![StartMount { script, callable: "application".to_owned(), required: true }],
        server_name: "server.example".to_owned(),
        apache: Apache { version: (2, 4, 71), ..Apache::default() },
    }
}

impl Worker {
    /// Starts a worker with `python`, as `change` wants it; it is not ready yet.
    pub(crate) fn start(python: &Path, change: impl FnOnce(&Path, &mut StartSpec)) -> Self {
        Self::start_with(python, &[], change)
    }

    /// As [`Worker::start`], with descriptors for a front door of its own.
    pub(crate) fn start_with(
        python: &Path,
        front: &[OwnedFd],
        change: impl FnOnce(&Path, &mut StartSpec),
    ) -> Self {
        let (worker, spec) = Self::exec(python, front, change);
        worker.tell(&Rein::Start(Box::new(spec)), None);
        worker
    }

    /// As [`Worker::start_with`], but it is not told yet what to start.
    pub(crate) fn exec(
        python: &Path,
        front: &[OwnedFd],
        change: impl FnOnce(&Path, &mut StartSpec),
    ) -> (Self, StartSpec) {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        fs::create_dir(&library).unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let free = FREE_THREADED.get().and_then(|all| all.get(python));
        match free {
            None => fs::copy(core(), library.join("_pinion.abi3.so")).unwrap(),
            Some((core, name)) => fs::copy(core, library.join(name)).unwrap(),
        };
        let bootstrap = library.join("pinion_worker.py");
        for file in fs::read_dir(here.join("../../python")).unwrap().map(Result::unwrap) {
            if file.path().extension().is_some_and(|ending| ending == "py") {
                fs::copy(file.path(), library.join(file.file_name())).unwrap();
            }
        }
        fs::copy(here.join("tests/apps/app.wsgi"), folder.path().join("app.wsgi")).unwrap();
        let mut spec = spec(folder.path());
        change(folder.path(), &mut spec);

        let (reins, theirs) = sockets::seqpacket_pair().unwrap();
        let page = SharedWords::create(c"status", status::WORDS).unwrap();
        let (output, writer) = sockets::pipe().unwrap();
        let mut process = Spawn::new(python);
        if free.is_some() {
            process.arg("-Xgil=0");
        }
        process.arg(&bootstrap).env("PYTHONDONTWRITEBYTECODE", "1").env("LANG", "C.UTF-8");
        process.descriptor(3, theirs.as_fd()).descriptor(4, page.fd());
        process.descriptor(1, writer.as_fd()).descriptor(2, writer.as_fd());
        for (number, descriptor) in (FIRST_DESCRIPTOR..).zip(front) {
            process.descriptor(number, descriptor.as_fd());
        }
        let pid = process.spawn().unwrap().pid;
        let worker =
            Self { pid, folder, reins: Some(reins), page, output, connections: 0, ended: None };
        (worker, spec)
    }

    /// Starts a worker and waits until it is ready.
    pub(crate) fn ready(python: &Path, change: impl FnOnce(&Path, &mut StartSpec)) -> Self {
        Self::ready_with(python, &[], change)
    }

    /// As [`Worker::ready`], with descriptors for a front door of its own.
    pub(crate) fn ready_with(
        python: &Path,
        front: &[OwnedFd],
        change: impl FnOnce(&Path, &mut StartSpec),
    ) -> Self {
        let worker = Self::start_with(python, front, change);
        let mut said = String::new();
        while !matches!(worker.bit_into(&mut said), Bit::Ready { .. }) {
            assert!(!said.contains("Error"), "{said}");
        }
        worker
    }

    /// Sends a message.
    pub(crate) fn tell(&self, rein: &Rein, descriptor: Option<&OwnedFd>) {
        self.tell_bytes(&message::encode(rein).unwrap(), descriptor);
    }

    /// Sends what may be no message.
    pub(crate) fn tell_bytes(&self, bytes: &[u8], descriptor: Option<&OwnedFd>) {
        let descriptors: Vec<_> = descriptor.into_iter().map(AsFd::as_fd).collect();
        let reins = self.reins.as_ref().unwrap().as_fd();
        sockets::send_message(reins, bytes, &descriptors, Wait::Yes).unwrap();
    }

    /// The next message but for what is said at level info: that all goes as it should is not what tests ask for.
    pub(crate) fn bit(&self) -> Bit {
        loop {
            match self.any_bit() {
                Bit::Log { level: 6, .. } => {}
                bit => return bit,
            }
        }
    }

    /// The next message.
    fn any_bit(&self) -> Bit {
        let mut bytes = Vec::new();
        let reins = self.reins.as_ref().unwrap().as_fd();
        sockets::recv_message(reins, &mut bytes, Some(SOON))
            .unwrap_or_else(|error| panic!("{error}: {}", self.output()));
        assert!(!bytes.is_empty(), "the worker has gone: {}", self.output());
        message::decode(&bytes).unwrap()
    }

    /// The next message; the text of a log is added to `said`.
    fn bit_into(&self, said: &mut String) -> Bit {
        let bit = self.bit();
        match &bit {
            Bit::Log { text, .. } => said.push_str(&format!("{text}\n")),
            Bit::LoadFailed { reason, .. } => said.push_str(&format!("Error: {reason}")),
            _ => {}
        }
        bit
    }

    /// The next messages, until one is as `wanted`.
    pub(crate) fn bit_like(&self, wanted: impl Fn(&Bit) -> bool) -> Bit {
        loop {
            let bit = self.bit();
            if wanted(&bit) {
                return bit;
            }
        }
    }

    /// The next text that belongs to no request.
    pub(crate) fn log(&self, part: &str) -> String {
        loop {
            match self.any_bit() {
                Bit::Log { text, .. } | Bit::Warn { text, .. } if text.contains(part) => {
                    return text;
                }
                _ => {}
            }
        }
    }

    /// All that it says until it has ended.
    pub(crate) fn last_words(&mut self) -> String {
        let mut said = String::new();
        let mut bytes = Vec::new();
        loop {
            let reins = self.reins.as_ref().unwrap().as_fd();
            let received = sockets::recv_message(reins, &mut bytes, Some(SOON));
            if received.is_err() || bytes.is_empty() {
                break;
            }
            if let Bit::Log { text, .. } = message::decode(&bytes).unwrap() {
                said.push_str(&format!("{text}\n"));
            }
        }
        self.wait();
        said
    }

    /// Lets go of the reins, as a manager does that dies.
    pub(crate) fn abandon(&mut self) {
        self.reins = None;
    }

    /// Makes a connection.
    pub(crate) fn connect(&mut self) -> Front {
        let (ours, theirs) = sockets::stream_pair().unwrap();
        self.connections += 1;
        let connection = self.connections;
        self.tell(&Rein::Connection { connection }, Some(&theirs));
        drop(theirs);
        sockets::set_timeouts(ours.as_fd(), Some(SOON), Some(SOON)).unwrap();
        let script = self.folder.path().join("app.wsgi").into_os_string().into_encoded_bytes();
        let mut front = Front {
            socket: ours,
            seq: 0,
            bytes: Vec::new(),
            files: Vec::new(),
            shared: Shared::default(),
            script,
            flags: 0,
        };
        let (header, payload) = front.frame().expect("a Welcome");
        assert_eq!(header.kind, Kind::Welcome);
        let welcome = Welcome::decode(&payload).unwrap();
        assert_eq!(welcome, Welcome { pid: self.pid, connection });
        front
    }

    /// What its descriptors 1 and 2 brought so far.
    pub(crate) fn output(&self) -> String {
        let mut text = Vec::new();
        // Not blocking: its end is "nothing more now".
        let _ = fs::File::from(self.output.try_clone().unwrap()).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until its output holds `part`; returns all of it.
    pub(crate) fn output_with(&self, part: &str) -> String {
        let (mut text, end) = (String::new(), Instant::now() + SOON);
        while !text.contains(part) {
            assert!(Instant::now() < end, "{text}");
            sockets::readable(self.output.as_fd(), Some(SOON)).unwrap();
            text.push_str(&self.output());
        }
        text
    }

    /// What it has begun.
    pub(crate) fn begun(&self) -> Vec<Begun> {
        StatusPage::new(self.page.words()).unwrap().all()
    }

    /// How many connections its own front door has.
    pub(crate) fn open(&self) -> u64 {
        StatusPage::new(self.page.words()).unwrap().open()
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitCause {
        let end = Instant::now() + SOON;
        loop {
            if let Some((_, cause)) = process::reap(Some(self.pid)).unwrap() {
                self.ended = Some(cause);
                return cause;
            }
            assert!(Instant::now() < end, "the worker does not end: {}", self.output());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        process::kill(self.pid, signal).unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = process::kill(self.pid, Signal::SIGKILL);
            let end = Instant::now() + SOON;
            while matches!(process::reap(Some(self.pid)), Ok(None)) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// The extension module that cargo has built beside this test.
fn core() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    deps.join("lib_pinion.so")
}

/// A front door's end of a connection.
pub(crate) struct Front {
    /// The socket.
    pub(crate) socket: OwnedFd,
    seq: u32,
    bytes: Vec<u8>,
    files: Vec<OwnedFd>,
    /// What the worker shares.
    pub(crate) shared: Shared,
    script: Vec<u8>,
    flags: u16,
}

/// What a request's body is to be.
pub(crate) enum Upload<'a> {
    /// Whole, in the request.
    Inline(&'a [u8]),
    /// In pieces, when it is asked for; the last says whether its length is told.
    Pieces(Vec<&'a [u8]>, bool),
    /// It fails after these bytes of 100.
    Fails(&'a [u8]),
}

impl Front {
    /// Sends the head of a request.
    pub(crate) fn send(&mut self, method: &str, path: &str, length: BodyLength, inline: &[u8]) {
        self.send_to(&self.script.clone(), method, path, length, inline, clock());
    }

    /// Sends the head of a request for a script, queued at `queued_ns`.
    pub(crate) fn send_to(
        &mut self,
        script: &[u8],
        method: &str,
        path: &str,
        length: BodyLength,
        inline: &[u8],
        queued_ns: u64,
    ) {
        let out = self.written(script, (method, path), length, inline, queued_ns);
        self.send_bytes(&out);
    }

    /// The bytes of a GET that is the next request, which is not sent yet.
    pub(crate) fn next_get(&mut self, path: &str) -> Vec<u8> {
        self.written(&self.script.clone(), ("GET", path), BodyLength::Known(0), b"", clock())
    }

    fn written(
        &mut self,
        script: &[u8],
        (method, path): (&str, &str),
        length: BodyLength,
        inline: &[u8],
        queued_ns: u64,
    ) -> Vec<u8> {
        self.seq += 1;
        let target = Target {
            script,
            callable: b"application",
            process_group: b"group",
            application_group: b"app|/x",
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut out = Vec::new();
        let mut writer = RequestWriter::new(&mut out, target, length);
        writer.flag(self.flags);
        for (name, value) in [
            ("REQUEST_METHOD", method),
            ("SCRIPT_NAME", "/mount"),
            ("PATH_INFO", path),
            ("QUERY_STRING", query),
            ("HTTP_X_LATIN", "caf\u{e9}"),
            ("wsgi.url_scheme", "https"),
            ("mod_wsgi.request_start", "1000.5"),
            ("apache.version", "2.4.71"),
        ] {
            writer.entry(name.as_bytes(), value.as_bytes());
        }
        writer.finish(inline);
        RequestWriter::stamp(&mut out, self.seq, queued_ns);
        out
    }

    /// What is said with each request from now on.
    pub(crate) fn flag(&mut self, flags: u16) {
        self.flags = flags;
    }

    /// Sends a GET whose script may be loaded anew first.
    pub(crate) fn get_fresh(&mut self, path: &str) -> Answer {
        self.flags = REQUEST_MAY_RELOAD;
        let answer = self.get(path);
        self.flags = 0;
        answer
    }

    /// Calls functions of a script.
    pub(crate) fn call(
        &mut self,
        script: &[u8],
        functions: &[&str],
        arguments: Vec<Argument>,
    ) -> Answer {
        self.seq += 1;
        let target =
            Target { script, callable: b"", process_group: b"group", application_group: b"app|/x" };
        let mut out = Vec::new();
        let mut writer = RequestWriter::new(&mut out, target, BodyLength::Known(0));
        writer.entry(b"PATH_INFO", b"/caf\xe9");
        let functions = functions.iter().map(|name| (*name).to_owned()).collect();
        writer.finish_call(&message::encode(&Call { functions, arguments }).unwrap());
        RequestWriter::stamp(&mut out, self.seq, clock());
        self.send_bytes(&out);
        self.answer(&mut Vec::new())
    }

    /// The number of the last request.
    pub(crate) fn seq(&self) -> u32 {
        self.seq
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        sockets::send_all(self.socket.as_fd(), &mut [IoSlice::new(bytes)]).unwrap();
    }

    /// Sends a GET and reads the answer.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, BodyLength::Known(0), b"");
        self.answer(&mut Vec::new())
    }

    /// Sends a POST and reads the answer.
    pub(crate) fn post(&mut self, path: &str, upload: Upload<'_>) -> Answer {
        let (length, inline, mut frames) = match upload {
            Upload::Inline(body) => (BodyLength::Known(body.len() as u64), body, Vec::new()),
            Upload::Pieces(pieces, told) => {
                let total = pieces.iter().map(|piece| piece.len() as u64).sum();
                let length = if told { BodyLength::Known(total) } else { BodyLength::Chunked };
                let last = pieces.len().saturating_sub(1);
                let frames = pieces.iter().enumerate().map(|(index, piece)| {
                    (Kind::Body, if index == last { BODY_LAST } else { 0 }, piece.to_vec())
                });
                (length, &b""[..], frames.collect())
            }
            Upload::Fails(begin) => {
                let frames = vec![
                    (Kind::Body, 0, begin.to_vec()),
                    (Kind::BodyFailed, 0, b"the client has gone".to_vec()),
                ];
                (BodyLength::Known(100), &b""[..], frames)
            }
        };
        self.send("POST", path, length, inline);
        frames.reverse();
        self.answer(&mut frames)
    }

    /// Reads frames to the end of the answer; each Want is answered with the last of `body`, cut to what was asked.
    pub(crate) fn answer(&mut self, body: &mut Vec<(Kind, u16, Vec<u8>)>) -> Answer {
        let mut answer = Answer::default();
        while answer.end.is_none() {
            let Some((header, payload)) = self.frame() else { break };
            assert_eq!(header.seq, self.seq);
            match header.kind {
                Kind::Head => {
                    let head = HeadRef::decode(&payload).unwrap();
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    assert_eq!(answer.status.replace(head.status), None, "one head");
                    answer.headers = head.headers().map(|(n, v)| (text(n), text(v))).collect();
                }
                Kind::Area => self.adopt(),
                Kind::Data if header.flags & IN_AREA != 0 => {
                    assert!(answer.status.is_some(), "the head comes first");
                    answer.shared += 1;
                    if header.flags & DATA_STAYS != 0 {
                        let part = Part::decode(&payload).unwrap();
                        self.read(part, &mut answer.body);
                        answer.staying.push(part);
                        answer.blocks.push(part.length as usize);
                    } else {
                        answer.blocks.push(self.fetch(&payload, &mut answer.body));
                    }
                }
                Kind::Want if header.flags & IN_AREA != 0 => {
                    answer.wants_in_area += 1;
                    self.give_in_area(header, &payload, body);
                }
                Kind::Data => {
                    assert!(answer.status.is_some(), "the head comes first");
                    answer.blocks.push(payload.len());
                    answer.body.extend_from_slice(&payload);
                }
                Kind::File => {
                    let part = FilePart::decode(&payload).unwrap();
                    let file = fs::File::from(self.files.remove(0));
                    let mut bytes = vec![0; part.length as usize];
                    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, part.offset)
                        .unwrap();
                    answer.body.extend_from_slice(&bytes);
                }
                Kind::Log => answer.logs.push(String::from_utf8_lossy(&payload).into_owned()),
                Kind::Returned => answer.returned = message::decode(&payload).unwrap(),
                Kind::Want => self.give(decode_want(&payload).unwrap() as usize, body),
                Kind::End => {
                    answer.end = Some(End::from_flags(header.flags).unwrap());
                    answer.under_load = header.flags & END_UNDER_LOAD != 0;
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!(answer.end.is_none() || self.bytes.is_empty(), "nothing follows the end");
        answer
    }

    /// Answers a Want with one frame.
    fn give(&self, want: usize, body: &mut Vec<(Kind, u16, Vec<u8>)>) {
        let (kind, flags, bytes) = body.pop().unwrap_or((Kind::Body, BODY_LAST, Vec::new()));
        let (now, later) = bytes.split_at(bytes.len().min(want));
        if !later.is_empty() {
            body.push((kind, flags, later.to_vec()));
        }
        let mut out = Vec::new();
        let flags = if later.is_empty() { flags } else { 0 };
        frame::push(&mut out, kind, flags, self.seq, now);
        self.send_bytes(&out);
    }

    /// The next frame, `None` when the connection has ended.
    pub(crate) fn frame(&mut self) -> Option<(Header, Vec<u8>)> {
        loop {
            if let Some((header, payload, used)) = Header::split(&self.bytes).unwrap() {
                let payload = payload.to_vec();
                self.bytes.drain(..used);
                return Some((header, payload));
            }
            let received =
                sockets::recv_append(self.socket.as_fd(), &mut self.bytes, 1 << 20, Wait::Yes);
            match received {
                Ok((0, _)) => return None,
                Ok((_, file)) => self.files.extend(file),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next frame of a kind; others are skipped.
    pub(crate) fn frame_of(&mut self, kind: Kind) -> Vec<u8> {
        loop {
            let (header, payload) = self.frame().expect("a frame");
            if header.kind == kind {
                return payload;
            }
        }
    }
}

/// Now, as requests are stamped.
pub(crate) fn clock() -> u64 {
    pinion_unix::clock::monotonic_ns()
}
