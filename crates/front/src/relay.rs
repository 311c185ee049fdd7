//! One request on one connection: send it, hand on what comes back.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    net::Shutdown,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use pinion_unix::{
    area::{Area, Outside},
    lookout,
    sockets::{self, Wait},
};
use pinion_wire::{
    FrameError, Header, Kind,
    answer::{self, End, FilePart, HeadRef, LogRef, Welcome},
    area::Part,
    frame::{self, BODY_LAST, DATA_FLUSH, DATA_STAYS, END_UNDER_LOAD, IN_AREA},
    message::Timeouts,
};

use crate::{
    client::Client,
    door::is_timeout,
    pool::{Connection, TICK},
};

/// The receive buffer of a thread: what one receive may bring.
const BUFFER: usize = 256 * 1024;
/// How long the first part of an answer is looked for.
const LOOK: Duration = Duration::from_micros(250);
/// An answer that came so soon is worth looking for the next time: by as much later as waking takes, where this one was not looked for.
const QUICK: Duration = Duration::from_micros(300);
/// The longest frame that must be whole before it is used (all but `Data`).
const MAX_WHOLE: usize = 4 * 1024 * 1024;
/// How long a worker may leave a request unbegun before the manager is asked, and how often it is asked then.
const ASK: Duration = Duration::from_secs(1);
/// The most that one `Want` may ask for.
const MAX_WANT: usize = 128 * 1024;

/// So many parts that stay in an area are handed on together at most.
const TOGETHER: usize = 8;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How an exchange ended.
#[derive(Debug)]
pub(crate) enum Relayed {
    /// The worker said so; the connection can be used again.
    Done(End),
    /// The client has gone; the connection is to be closed.
    ClientGone,
    /// The connection ended. The flag says whether anything of this request had come.
    Lost {
        /// Whether the worker had begun to answer (or to log, or to read the body).
        heard: bool,
    },
    /// The manager could not pass the connection on.
    Refused,
    /// The worker has not begun, and will not: another one can.
    TakenBack,
    /// Nothing came for too long.
    Overdue(Overdue),
    /// The server is being stopped.
    Cancelled,
    /// The worker sent something that is no answer.
    Garbled(FrameError),
}

/// Which time was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// queue-timeout: the worker had not begun.
    Queue,
    /// request-timeout.
    Request,
    /// socket-timeout.
    Socket,
}

/// What the manager says of a request that keeps its front door waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It was not begun.
    Waiting,
    /// It was begun this many milliseconds ago.
    Running(u64),
    /// Its worker is gone.
    Gone,
}

/// One request on one connection.
pub(crate) struct Exchange<'a, C> {
    pub(crate) connection: &'a mut Connection,
    /// Maps an area of which the worker has sent a descriptor.
    pub(crate) adopt: &'a dyn Fn(&OwnedFd) -> io::Result<Arc<Area>>,
    pub(crate) client: &'a mut C,
    pub(crate) timeouts: Timeouts,
    /// [`crate::Request::alone`], and so in the workers.
    pub(crate) alone: bool,
    /// Asks the manager about the request with this connection number and sequence.
    pub(crate) inquire: &'a dyn Fn(u32, u32) -> Word,
    /// Whether another worker could begin at once.
    pub(crate) elsewhere: &'a dyn Fn() -> bool,
}

/// Where the exchange stands.
struct Progress {
    sent: Instant,
    last_byte: Instant,
    heard: bool,
    /// After what time the manager is asked next whether the request was begun; `None` when it was.
    ask_after: Option<Duration>,
    /// This side was ended, so that the worker does not begin the request any more.
    taken_back: bool,
    files: VecDeque<OwnedFd>,
    /// What is left of the `Data` frame at hand, and whether it is to be flushed.
    data: Option<(usize, bool)>,
    /// A part that was to be flushed was handed on as one that others follow at once: they are flushed in its place.
    owes_flush: bool,
}

/// What a frame means for the loop.
enum Step {
    Next,
    Ended(Relayed),
}

impl<C: Client> Exchange<'_, C> {
    /// Sends the request frame, which carries the connection's current sequence, and relays the answer.
    pub(crate) fn run(&mut self, request: &[u8]) -> Relayed {
        if send(&self.connection.socket, request).is_err() {
            return Relayed::Lost { heard: false };
        }
        // Taken, not borrowed: what the client does with the answer may lead to another request on this thread.
        let mut buffer = INPUT.take();
        if buffer.len() < BUFFER {
            buffer.resize(BUFFER, 0);
        }
        let relayed = self.relay(&mut buffer);
        INPUT.set(buffer);
        relayed
    }

    fn relay(&mut self, buffer: &mut Vec<u8>) -> Relayed {
        let now = Instant::now();
        let mut progress = Progress {
            sent: now,
            last_byte: now,
            heard: false,
            ask_after: Some(ASK),
            taken_back: false,
            files: VecDeque::new(),
            data: None,
            owes_flush: false,
        };
        let (mut start, mut end) = (0, 0);
        loop {
            match self.consume(&buffer[start..end], &mut progress) {
                Ok((used, Step::Next)) => start += used,
                // The worker has seen that the request was taken back, though it seemed to have begun it.
                Ok((_, Step::Ended(Relayed::Done(End::Expired)))) if progress.taken_back => {
                    return Relayed::TakenBack;
                }
                Ok((_, Step::Ended(relayed))) => return relayed,
                Err(error) => return Relayed::Garbled(error),
            }
            if let Err(error) = make_room(buffer, &mut start, &mut end) {
                return Relayed::Garbled(error);
            }
            let received = match self.look(&mut buffer[end..], &progress) {
                Some(received) => received,
                None => self.await_part(&mut buffer[end..]),
            };
            match received {
                Ok((0, _)) => return Relayed::Lost { heard: progress.heard },
                Ok((count, file)) => {
                    end += count;
                    progress.last_byte = Instant::now();
                    if !progress.heard {
                        self.connection.quick = progress.last_byte - progress.sent < QUICK;
                    }
                    progress.files.extend(file);
                }
                Err(error) if is_timeout(&error) => {
                    if let Some(relayed) = self.think_over(&mut progress) {
                        return relayed;
                    }
                }
                Err(_) => return Relayed::Lost { heard: progress.heard },
            }
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        sockets::recv_with_fd(self.connection.socket.as_fd(), buffer, Wait::No)
    }

    /// Waits for the next part of the answer, and now and then gives up for [`Exchange::think_over`].
    ///
    /// By a poll: a thread that sleeps in a receive is woken as well when the other side has read what this one sent.
    fn await_part(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        if sockets::readable(self.connection.socket.as_fd(), Some(TICK))? {
            self.receive(buffer)
        } else {
            Err(io::Error::from(io::ErrorKind::TimedOut))
        }
    }

    /// Looks for the first part of the answer without going to sleep, where it may come soon and nobody else needs the processor.
    fn look(
        &mut self,
        buffer: &mut [u8],
        progress: &Progress,
    ) -> Option<io::Result<(usize, Option<OwnedFd>)>> {
        if !self.alone || !self.connection.quick || progress.heard {
            return None;
        }
        if progress.sent.elapsed() >= LOOK {
            return None;
        }
        if let Some(rest) = self.connection.rest.checked_sub(1) {
            self.connection.rest = rest;
            return None;
        }
        let looked = lookout::look(LOOK, || match self.receive(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            received => Some(received),
        });
        looked.map_err(|vain| self.connection.rest = vain.rest).ok()
    }

    /// Uses all that can be used of `bytes`; returns how many bytes that were.
    fn consume(
        &mut self,
        bytes: &[u8],
        progress: &mut Progress,
    ) -> Result<(usize, Step), FrameError> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            if let Some((left, flush)) = progress.data {
                let (taken, step) = self.data(rest, left, flush, progress)?;
                used += taken;
                if matches!(step, Step::Ended(_)) {
                    return Ok((used, step));
                }
                if progress.data.is_some() {
                    return Ok((used, Step::Next));
                }
                continue;
            }
            if let Some(header) = data_header(rest)? {
                self.check(&header)?;
                progress.heard = true;
                progress.data = Some((header.len as usize, header.flags & DATA_FLUSH != 0));
                used += Header::SIZE;
                continue;
            }
            let Some((header, payload, length)) = Header::split(rest)? else {
                return Ok((used, Step::Next));
            };
            used += length;
            let step = if header.kind == Kind::Data {
                progress.heard = true;
                let (more, step) = self.outside_data(&header, payload, &rest[length..])?;
                used += more;
                step
            } else {
                self.frame(&header, payload, progress)?
            };
            if matches!(step, Step::Ended(_)) {
                return Ok((used, step));
            }
        }
    }

    /// Hands on what is here of a `Data` frame with `left` bytes to come.
    fn data(
        &mut self,
        rest: &[u8],
        left: usize,
        flush: bool,
        progress: &mut Progress,
    ) -> Result<(usize, Step), FrameError> {
        let part = &rest[..left.min(rest.len())];
        let whole = part.len() == left;
        progress.data = (!whole).then_some((left - part.len(), flush));
        let behind = &rest[part.len()..];
        let passed = if part.is_empty() {
            Ok(())
        } else if whole && begins_with_data(behind)? {
            progress.owes_flush |= flush;
            self.client.data_before_more(part)
        } else {
            let flush = std::mem::take(&mut progress.owes_flush) || (flush && whole);
            self.client.data(part, flush, whole && ends_complete(behind)?)
        };
        let step = if passed.is_ok() { Step::Next } else { Step::Ended(Relayed::ClientGone) };
        Ok((part.len(), step))
    }

    /// Hands on what a `Data` frame says is in the area, and lets the worker have its slot back, unless that stays the worker's. Then what
    /// the frames `behind` it say is in other such slots is handed on together with it. Returns how many bytes of `behind` those are.
    fn outside_data(
        &mut self,
        header: &Header,
        payload: &[u8],
        behind: &[u8],
    ) -> Result<(usize, Step), FrameError> {
        self.check(header)?;
        let area = self.connection.area.clone().ok_or(FrameError::Value("area"))?;
        let part = Part::decode(payload)?;
        let (mut parts, mut used, mut flags) = (vec![in_area(&area, part)?], 0, header.flags);
        while flags & (DATA_STAYS | DATA_FLUSH) == DATA_STAYS && parts.len() < TOGETHER {
            let Some((header, payload, length)) = staying(&behind[used..])? else { break };
            self.check(&header)?;
            parts.push(in_area(&area, Part::decode(payload)?)?);
            (used, flags) = (used + length, header.flags);
        }
        let last = ends_complete(&behind[used..])?;
        let passed = self.client.outside_data(&parts, flags & DATA_FLUSH != 0, last);
        let word = area.word(part.slot as usize).filter(|_| header.flags & DATA_STAYS == 0);
        if let Some(word) = word {
            word.store(0, Ordering::Release);
        }
        let step = if passed.is_ok() { Step::Next } else { Step::Ended(Relayed::ClientGone) };
        Ok((used, step))
    }

    fn check(&self, header: &Header) -> Result<(), FrameError> {
        if header.seq == self.connection.seq { Ok(()) } else { Err(FrameError::Value("sequence")) }
    }

    fn frame(
        &mut self,
        header: &Header,
        payload: &[u8],
        progress: &mut Progress,
    ) -> Result<Step, FrameError> {
        match header.kind {
            // The first frame of a connection, which comes with its first answer, or the only one. Later, they are
            // nothing that a manager or a worker says: an application writes to its own socket.
            Kind::Welcome | Kind::Refused if progress.heard => {
                return Err(FrameError::Unexpected(header.kind));
            }
            Kind::Welcome => {
                self.connection.number = Welcome::decode(payload)?.connection;
                return Ok(Step::Next);
            }
            Kind::Refused => return Ok(Step::Ended(Relayed::Refused)),
            _ => self.check(header)?,
        }
        progress.heard = true;
        let done = match header.kind {
            Kind::Head => self.client.head(&HeadRef::decode(payload)?).is_ok(),
            Kind::Returned => self.client.returned(payload).is_ok(),
            Kind::Log => {
                self.client.log(&LogRef::decode(header.flags, payload)?);
                true
            }
            Kind::File => {
                let file = progress.files.pop_front().ok_or(FrameError::Value("descriptor"))?;
                self.client.file(file, FilePart::decode(payload)?).is_ok()
            }
            Kind::Area => {
                let file = progress.files.pop_front().ok_or(FrameError::Value("descriptor"))?;
                let adopted = (self.adopt)(&file).map_err(|_| FrameError::Value("area"))?;
                self.connection.area = Some(adopted);
                true
            }
            Kind::Want if header.flags & IN_AREA != 0 => {
                return self.fill_slot(Part::decode(payload)?);
            }
            Kind::Want => return self.send_body(answer::decode_want(payload)?),
            Kind::End => {
                self.client.under_load(header.flags & END_UNDER_LOAD != 0);
                return Ok(Step::Ended(Relayed::Done(End::from_flags(header.flags)?)));
            }
            other => return Err(FrameError::Unexpected(other)),
        };
        Ok(if done { Step::Next } else { Step::Ended(Relayed::ClientGone) })
    }

    /// Answers a `Want` with exactly one frame.
    fn send_body(&mut self, want: u32) -> Result<Step, FrameError> {
        let most = (want as usize).min(MAX_WANT);
        if most == 0 {
            return Err(FrameError::Value("want"));
        }
        let seq = self.connection.seq;
        let mut out = Vec::with_capacity(Header::SIZE + most);
        out.resize(Header::SIZE, 0);
        match self.client.body(most, &mut out) {
            Ok(last) => {
                let len = (out.len() - Header::SIZE) as u32;
                let flags = if last { BODY_LAST } else { 0 };
                let header = Header { kind: Kind::Body, flags, seq, len };
                out[..Header::SIZE].copy_from_slice(&header.encode());
            }
            Err(fault) => {
                out.clear();
                frame::push(&mut out, Kind::BodyFailed, 0, seq, fault.reason.as_bytes());
            }
        }
        // When the worker has gone, the next receive says so.
        let _ = send(&self.connection.socket, &out);
        Ok(Step::Next)
    }

    /// Answers a `Want` for bytes in the area with exactly one frame.
    fn fill_slot(&mut self, want: Part) -> Result<Step, FrameError> {
        let area = self.connection.area.clone().ok_or(FrameError::Value("area"))?;
        let room = area.slot(want.slot as usize, want.length as usize);
        let room = room.ok_or(FrameError::Value("part"))?;
        let (mut out, seq) = (Vec::with_capacity(Header::SIZE + Part::SIZE), self.connection.seq);
        match self.client.body_outside(room) {
            // Nothing at the end of the body is no part of a slot.
            Ok((0, last)) => {
                frame::push(&mut out, Kind::Body, u16::from(last) * BODY_LAST, seq, b"")
            }
            Ok((count, last)) => {
                let flags = IN_AREA | if last { BODY_LAST } else { 0 };
                let part = Part { length: count as u32, ..want };
                frame::push(&mut out, Kind::Body, flags, seq, &part.encode());
            }
            Err(fault) => frame::push(&mut out, Kind::BodyFailed, 0, seq, fault.reason.as_bytes()),
        }
        // When the worker has gone, the next receive says so.
        let _ = send(&self.connection.socket, &out);
        Ok(Step::Next)
    }

    /// Nothing came for a while: is it time to give up?
    fn think_over(&self, progress: &mut Progress) -> Option<Relayed> {
        if self.client.cancelled() {
            return Some(Relayed::Cancelled);
        }
        if let Some(relayed) = self.look_elsewhere(progress) {
            return Some(relayed);
        }
        let Timeouts { queue, request, interrupt, socket, .. } = self.timeouts;
        // One that is interrupted answers for itself.
        let request = if request > 0 { request + interrupt } else { 0 };
        let over =
            |limit: u64, since: Instant| limit > 0 && since.elapsed().as_millis() >= limit.into();
        if over(request, progress.sent) || (!progress.heard && over(queue, progress.sent)) {
            match (self.inquire)(self.connection.number, self.connection.seq) {
                Word::Waiting if over(queue, progress.sent) => {
                    return Some(Relayed::Overdue(Overdue::Queue));
                }
                Word::Running(ms) if request > 0 && ms >= request => {
                    return Some(Relayed::Overdue(Overdue::Request));
                }
                Word::Gone => return Some(Relayed::Lost { heard: progress.heard }),
                Word::Waiting | Word::Running(_) => {}
            }
        }
        over(socket, progress.last_byte).then_some(Relayed::Overdue(Overdue::Socket))
    }
}

impl<C: Client> Exchange<'_, C> {
    /// A request that its worker does not begin goes to another one, where there is one that could begin it at once.
    fn look_elsewhere(&self, progress: &mut Progress) -> Option<Relayed> {
        if progress.heard || progress.ask_after.is_none_or(|after| progress.sent.elapsed() < after)
        {
            return None;
        }
        let ask = || (self.inquire)(self.connection.number, self.connection.seq);
        let mut word = ask();
        if word == Word::Waiting && (self.elsewhere)() {
            // First the end, then the question: a worker that begins looks in the other order.
            progress.taken_back = true;
            let _ = sockets::shutdown(self.connection.socket.as_fd(), Shutdown::Write);
            word = ask();
            if word == Word::Waiting {
                return Some(Relayed::TakenBack);
            }
        }
        progress.ask_after = match word {
            Word::Waiting => Some(progress.sent.elapsed() + ASK),
            Word::Running(_) => None,
            Word::Gone => return Some(Relayed::Lost { heard: false }),
        };
        None
    }
}

/// The header at the start of `bytes` if it is that of a `Data` frame that holds the bytes itself.
fn data_header(bytes: &[u8]) -> Result<Option<Header>, FrameError> {
    let Some(head) = bytes.first_chunk() else { return Ok(None) };
    let header = Header::decode(head)?;
    let is_data = header.kind == Kind::Data && header.flags & IN_AREA == 0;
    Ok(is_data.then_some(header))
}

/// The bytes that a frame means.
fn in_area(area: &Area, Part { length, slot }: Part) -> Result<Outside<'_>, FrameError> {
    area.slot(slot as usize, length as usize).ok_or(FrameError::Value("part"))
}

/// The whole `Data` frame at the start of `bytes`, if it is one of bytes that stay in the area: header, payload, length.
#[expect(clippy::type_complexity, reason = "what Header::split returns")]
fn staying(bytes: &[u8]) -> Result<Option<(Header, &[u8], usize)>, FrameError> {
    let flags = IN_AREA | DATA_STAYS;
    let stays = |header: &Header| header.kind == Kind::Data && header.flags & flags == flags;
    Ok(Header::split(bytes)?.filter(|(header, ..)| stays(header)))
}

/// Whether `bytes` begin with a whole `Data` frame that holds bytes itself.
fn begins_with_data(bytes: &[u8]) -> Result<bool, FrameError> {
    let length = data_header(bytes)?.map_or(0, |header| header.len as usize);
    Ok(length > 0 && bytes.len() - Header::SIZE >= length)
}

/// Whether `bytes` begin with an `End` frame that says "complete".
fn ends_complete(bytes: &[u8]) -> Result<bool, FrameError> {
    let Some(head) = bytes.first_chunk() else { return Ok(false) };
    let header = Header::decode(head)?;
    Ok(header.kind == Kind::End && End::from_flags(header.flags)? == End::Complete)
}

/// Makes room behind `end`: moves what is left to the front, grows for a frame that must be whole.
fn make_room(buffer: &mut Vec<u8>, start: &mut usize, end: &mut usize) -> Result<(), FrameError> {
    if start == end {
        (*start, *end) = (0, 0);
        return Ok(());
    }
    if *start > 0 {
        buffer.copy_within(*start..*end, 0);
        (*start, *end) = (0, *end - *start);
    }
    if let Some(head) = buffer[..*end].first_chunk() {
        let needed = Header::SIZE + Header::decode(head)?.len as usize;
        if needed > MAX_WHOLE {
            return Err(FrameError::TooLong(needed as u32));
        }
        if needed > buffer.len() {
            buffer.resize(needed, 0);
        }
    }
    Ok(())
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    sockets::send_all(socket.as_fd(), &mut [io::IoSlice::new(bytes)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_data_frames_with_bytes_are_here() {
        let mut frames = Vec::new();
        frame::push(&mut frames, Kind::Data, DATA_FLUSH, 1, b"abc");
        assert_eq!(begins_with_data(&frames), Ok(true));
        for length in 0..frames.len() {
            assert_eq!(begins_with_data(&frames[..length]), Ok(false), "{length}");
        }
        for (kind, flags, payload) in
            [(Kind::Data, 0, &b""[..]), (Kind::Data, IN_AREA, &[1; 8]), (Kind::End, 0, b"")]
        {
            frames.clear();
            frame::push(&mut frames, kind, flags, 1, payload);
            assert_eq!(begins_with_data(&frames), Ok(false), "{kind:?}");
        }
    }
}
