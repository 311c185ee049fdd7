//! A client's bytes, by TLS, for `hyper`.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use pinion_tls::{Came, Session};
use pinion_unix::sockets;

use crate::activity::Activity;
use crate::clock::Deadline;
use crate::socket::Socket;

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Arc<Socket>,
    session: Session,
    /// What was decrypted and nobody took.
    received: Vec<u8>,
    start: usize,
    /// How long the client may take nothing, and since when it does.
    patience: Option<Duration>,
    stall: Deadline,
    activity: Arc<Activity>,
    is_ended: bool,
}

impl Link {
    /// Takes a connection over on which `received` has come already.
    pub(crate) fn new(
        socket: Arc<Socket>,
        session: Session,
        received: Vec<u8>,
        patience: Option<Duration>,
        activity: Arc<Activity>,
    ) -> Self {
        let (stall, is_ended) = (Deadline::default(), false);
        Self { socket, session, received, start: 0, patience, stall, activity, is_ended }
    }

    /// Hands on what was received; false when there is nothing.
    fn hand_on(&mut self, cursor: &mut ReadBufCursor<'_>) -> bool {
        let here = &self.received[self.start..];
        let count = here.len().min(cursor.remaining());
        cursor.put_slice(&here[..count]);
        self.start += count;
        if self.start == self.received.len() {
            self.received.clear();
            self.start = 0;
        }
        count > 0
    }

    /// Does `action` as soon as the socket has room for it.
    fn poll_room<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut action: impl FnMut(&mut Session, BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let Self { socket, session, stall, patience, activity, .. } = self;
        let Poll::Ready(done) = socket.poll_write(cx, |socket| action(session, socket)) else {
            ready!(stall.poll(*patience, cx));
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)));
        };
        stall.reset();
        activity.touch();
        Poll::Ready(done)
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let me = &mut *self;
        loop {
            if me.hand_on(&mut cursor) {
                return Poll::Ready(Ok(()));
            }
            let Self { socket, session, received, .. } = me;
            let came = socket.poll_read(cx, |socket| match session.receive(socket, received) {
                Ok(Came::Nothing) => {
                    // Idle connections hold no memory for what may come.
                    *received = Vec::new();
                    Err(io::Error::from(io::ErrorKind::WouldBlock))
                }
                Ok(came) => Ok(came),
                Err(failure) => Err(io::Error::other(failure)),
            });
            if ready!(came)? == Came::Ended {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Write for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_room(cx, |session, socket| session.send(socket, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.session.is_pending() {
            return Poll::Ready(Ok(()));
        }
        self.poll_room(cx, Session::push)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let me = &mut *self;
        if !std::mem::replace(&mut me.is_ended, true) {
            me.session.end(me.socket.as_fd());
        }
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(sockets::shutdown(self.socket.as_fd(), Shutdown::Write))
    }
}
