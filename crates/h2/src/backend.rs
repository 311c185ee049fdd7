//! A connection to the serving threads: frames that come and go.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use pinion_unix::sockets::{self, Wait};
use pinion_wire::answer::{self, End, decode_want};
use pinion_wire::{Header, Kind};

use crate::pipe::FilePart;
use crate::socket::Socket;
use crate::sockets::{Known, Sockets};

/// How much one receive may bring when nothing says that more is coming.
const ROOM: usize = 64 * 1024;
/// The longest piece of an answer's body.
const PIECE: usize = 16 * 1024;

/// What has come.
#[derive(Debug)]
pub(crate) enum Frame {
    /// Status and fields ([`answer::HeadRef`]).
    Head(Vec<u8>),
    /// A piece of the answer's body.
    Data(Bytes),
    /// A part of a file that belongs to the answer's body.
    File(FilePart),
    /// So many bytes of the request's body are wanted.
    Want(u32),
    /// A line for the log.
    Log(u8, String),
    /// The request is done.
    End(End),
}

/// A connection to the serving threads.
#[derive(Debug)]
pub(crate) struct Backend {
    socket: Known,
    /// The number of the request that runs.
    seq: u32,
    received: Vec<u8>,
    start: usize,
    /// How many bytes are left of the Data frame at the front, whose header was used.
    data: usize,
    files: VecDeque<OwnedFd>,
    /// What is to be sent, and how much of it was.
    frames: Vec<u8>,
    sent: usize,
}

fn broken(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Backend {
    /// Takes over the front door's end of a connection.
    pub(crate) fn new(socket: OwnedFd, sockets: &Arc<Sockets>) -> io::Result<Self> {
        Ok(Self {
            socket: sockets.add(Socket::new(socket)?),
            seq: 0,
            received: Vec::new(),
            start: 0,
            data: 0,
            files: VecDeque::new(),
            frames: Vec::new(),
            sent: 0,
        })
    }

    /// The number of the next request.
    pub(crate) fn begin(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    /// The number of the request that runs.
    pub(crate) fn seq(&self) -> u32 {
        self.seq
    }

    /// What is to be sent behind what waits.
    pub(crate) fn frames(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    /// Whether nothing has come behind the last request's end. What is left to be sent of its body is sent before the next one,
    /// and passed over.
    pub(crate) fn is_clean(&self) -> bool {
        self.start == self.received.len() && self.data == 0 && self.files.is_empty()
    }

    /// Ends the connection, whoever else holds its socket.
    pub(crate) fn close(&self) {
        // An error means that it has ended already.
        let _ = sockets::shutdown(self.socket.socket().as_fd(), Shutdown::Both);
    }

    /// Sends what waits.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.frames.len() {
            let part = [IoSlice::new(&self.frames[self.sent..])];
            let socket = self.socket.socket();
            let sent = socket.poll_write(cx, |socket| sockets::send_some(socket, &part, Wait::No));
            self.sent += ready!(sent)?;
        }
        self.frames.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// The next frame.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Frame>> {
        loop {
            if let Some(frame) = self.take()? {
                return Poll::Ready(Ok(frame));
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.received.drain(..self.start);
        self.start = 0;
        if self.received.is_empty() && self.received.capacity() > 2 * ROOM {
            self.received = Vec::new();
        }
        let Self { socket, received, files, .. } = self;
        let came = socket
            .socket()
            .poll_read(cx, |socket| sockets::recv_append(socket, received, ROOM, Wait::No));
        let (count, file) = ready!(came)?;
        files.extend(file);
        let ended = io::ErrorKind::UnexpectedEof;
        Poll::Ready(if count > 0 { Ok(()) } else { Err(io::Error::from(ended)) })
    }

    /// The frame at the front, if it is whole; of one with data, a piece.
    fn take(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if self.data > 0 {
                return Ok(self.take_data());
            }
            let here = &self.received[self.start..];
            let Some(head) = here.first_chunk() else { return Ok(None) };
            let header = Header::decode(head).map_err(broken)?;
            if header.kind == Kind::Data {
                self.check(&header)?;
                self.data = header.len as usize;
                self.start += Header::SIZE;
                continue;
            }
            let end = Header::SIZE + header.len as usize;
            let Some(payload) = here.get(Header::SIZE..end) else { return Ok(None) };
            let frame = self.read(&header, payload)?;
            self.start += end;
            if let Some(frame) = frame {
                return Ok(Some(self.attach(frame)?));
            }
        }
    }

    fn take_data(&mut self) -> Option<Frame> {
        let here = &self.received[self.start..];
        let count = here.len().min(self.data).min(PIECE);
        if count == 0 {
            return None;
        }
        let piece = Bytes::copy_from_slice(&here[..count]);
        self.start += count;
        self.data -= count;
        Some(Frame::Data(piece))
    }

    fn check(&self, header: &Header) -> io::Result<()> {
        if header.seq == self.seq { Ok(()) } else { Err(broken("a frame of another request")) }
    }

    fn read(&self, header: &Header, payload: &[u8]) -> io::Result<Option<Unattached>> {
        if header.kind == Kind::Welcome {
            return Ok(None);
        }
        self.check(header)?;
        let frame = match header.kind {
            Kind::Head => Frame::Head(payload.to_vec()),
            Kind::File => {
                let part = answer::FilePart::decode(payload).map_err(broken)?;
                return Ok(Some(Unattached::File(part)));
            }
            Kind::Want => Frame::Want(decode_want(payload).map_err(broken)?),
            Kind::Log => {
                let log = answer::LogRef::decode(header.flags, payload).map_err(broken)?;
                Frame::Log(log.level, String::from_utf8_lossy(log.text).into_owned())
            }
            Kind::End => Frame::End(End::from_flags(header.flags).map_err(broken)?),
            other => return Err(broken(format!("unexpected {other:?}"))),
        };
        Ok(Some(Unattached::Whole(frame)))
    }

    /// Gives a frame the file that came along.
    fn attach(&mut self, frame: Unattached) -> io::Result<Frame> {
        match frame {
            Unattached::Whole(frame) => Ok(frame),
            Unattached::File(answer::FilePart { offset, length }) => {
                let file = self.files.pop_front().ok_or_else(|| broken("a file is missing"))?;
                Ok(Frame::File(FilePart { file: File::from(file), offset, left: length }))
            }
        }
    }
}

/// A frame whose file, if it has one, is elsewhere.
enum Unattached {
    Whole(Frame),
    File(answer::FilePart),
}
