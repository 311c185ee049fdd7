//! A manager and its worker in one process, as simple as the protocol allows.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use pinion_unix::{inherited, shared::SharedWords, sockets};
use pinion_wire::answer::{self, End, Welcome};
use pinion_wire::board::{Board, SlotState, SlotView, WORDS};
use pinion_wire::message::{
    self, AcquireReply, Buffers, Control, Door, HelloReply, InquireReply, Mounted, Timeouts,
    descriptors,
};
use pinion_wire::request::{BodyLength, RequestRef};
use pinion_wire::{Header, Kind, frame};

/// Runs until the parent goes away.
pub(crate) fn run() {
    let take = |number| inherited::take(number).expect("the parent passes this descriptor");
    let control = UnixStream::from(take(descriptors::CONTROL));
    let board = SharedWords::from_fd(take(descriptors::BOARD), WORDS).expect("it is a board");
    let slots = Board::new(board.words()).expect("it is large enough");
    let slot = slots.slot(0).expect("there is a first slot");
    // A new epoch for each manager: connections to the one before must not be used again.
    slot.set(SlotView { state: SlotState::Ready, epoch: std::process::id() });
    slot.clear_count();
    let door = take(descriptors::DOOR);
    thread::spawn(move || watch_the_door(&door));
    let end = listen(control);
    say(&format!("manager: the parent has gone ({end})"));
    std::process::exit(0);
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Shows each configuration that comes.
fn listen(control: UnixStream) -> io::Error {
    let control = OwnedFd::from(control);
    loop {
        let mut length = [0; 4];
        match sockets::recv_with_fd(control.as_fd(), &mut length, sockets::Wait::Yes) {
            Ok((4, _)) => {}
            Ok(_) => return io::ErrorKind::UnexpectedEof.into(),
            Err(error) => return error,
        }
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        let mut stream = UnixStream::from(control.try_clone().expect("a descriptor is left"));
        if let Err(error) = stream.read_exact(&mut bytes) {
            return error;
        }
        match message::decode(&bytes) {
            Ok(Control::Configure(settings)) => say(&format!("configured: {settings:?}")),
            Ok(Control::Stop) => {
                say("manager: told to stop");
                std::process::exit(0);
            }
            other => say(&format!("odd message: {other:?}")),
        }
    }
}

fn watch_the_door(door: &OwnedFd) {
    let mut buffer = Vec::new();
    let mut lifelines = Vec::new();
    while let Ok(mut descriptors) = sockets::recv_message(door.as_fd(), &mut buffer, None) {
        let (Ok(ask), Some(descriptor)) = (message::decode(&buffer), descriptors.pop()) else {
            continue;
        };
        match ask {
            Door::Hello { .. } => {
                reply(&descriptor, &HelloReply { row: Some(0) });
                lifelines.push(descriptor);
            }
            Door::Acquire { .. } => reply(&descriptor, &AcquireReply::Mounted(mounted())),
            Door::Inquire { .. } => reply(&descriptor, &InquireReply::Unknown),
            Door::Open { .. } => {
                thread::spawn(move || serve(UnixStream::from(descriptor)));
            }
        }
    }
}

fn mounted() -> Mounted {
    Mounted {
        mount: 0,
        first_slot: 0,
        slots: 1,
        processes: 1,
        threads: 8,
        backlog: 100,
        timeouts: Timeouts { socket: 60_000, connect: 15_000, ..Timeouts::default() },
        buffers: Buffers::default(),
    }
}

fn reply<T: serde::Serialize>(socket: &OwnedFd, answer: &T) {
    let bytes = message::encode(answer).expect("answers can be written");
    // A child that does not wait any more has gone.
    let _ = sockets::send_message(socket.as_fd(), &bytes, &[], sockets::Wait::Yes);
}

/// Serves one connection until it is closed.
fn serve(mut stream: UnixStream) -> Option<()> {
    let mut out = Vec::new();
    let welcome = Welcome { pid: std::process::id(), connection: 1 };
    frame::push(&mut out, Kind::Welcome, 0, 0, &welcome.encode());
    stream.write_all(&out).ok()?;
    loop {
        let (header, payload) = next(&mut stream)?;
        let request = RequestRef::decode(&payload).ok()?;
        answer(&mut stream, header.seq, request)?;
    }
}

fn next(stream: &mut UnixStream) -> Option<(Header, Vec<u8>)> {
    let mut head = [0; Header::SIZE];
    stream.read_exact(&mut head).ok()?;
    let header = Header::decode(&head).ok()?;
    let mut payload = vec![0; header.len as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((header, payload))
}

fn answer(stream: &mut UnixStream, seq: u32, request: RequestRef<'_>) -> Option<()> {
    let path = request.environ().find(|(name, _)| *name == b"PATH_INFO").map(|(_, path)| path);
    let body = body(stream, seq, request)?;
    let (content, end) = match path {
        Some(b"/die") => {
            // Long enough that the module does not take the death for one at the start.
            thread::sleep(std::time::Duration::from_millis(2100));
            std::process::exit(3)
        }
        Some(b"/echo") => (body, End::Complete),
        Some(b"/cut") => (b"begun".to_vec(), End::Failed),
        Some(b"/fail") => (Vec::new(), End::Failed),
        _ => (describe(&request), End::Complete),
    };
    let mut out = Vec::new();
    if !(content.is_empty() && end == End::Failed) {
        let headers: [(&[u8], &[u8]); 3] =
            [(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")];
        answer::push_head(&mut out, seq, 200, b"OK", headers);
        frame::push(&mut out, Kind::Data, frame::DATA_FLUSH, seq, &content);
    }
    frame::push(&mut out, Kind::End, end as u16, seq, b"");
    stream.write_all(&out).ok()
}

/// The whole body: what came along, and then what is asked for.
fn body(stream: &mut UnixStream, seq: u32, request: RequestRef<'_>) -> Option<Vec<u8>> {
    let mut body = request.inline.to_vec();
    loop {
        match request.body {
            BodyLength::Known(length) if body.len() as u64 >= length => return Some(body),
            _ => {}
        }
        let mut out = Vec::new();
        frame::push(&mut out, Kind::Want, 0, seq, &65536_u32.to_le_bytes());
        stream.write_all(&out).ok()?;
        let (header, payload) = next(stream)?;
        body.extend_from_slice(&payload);
        if header.kind != Kind::Body || header.flags & frame::BODY_LAST != 0 {
            return Some(body);
        }
    }
}

fn describe(request: &RequestRef<'_>) -> Vec<u8> {
    let target = request.target;
    let manager = std::process::id().to_string();
    let named: [(&[u8], &[u8]); 5] = [
        (b"manager", manager.as_bytes()),
        (b"script", target.script),
        (b"callable", target.callable),
        (b"process_group", target.process_group),
        (b"application_group", target.application_group),
    ];
    let lines = named.into_iter().chain(request.environ());
    lines.flat_map(|(name, value)| [name, b"=", value, b"\n"].concat()).collect()
}
