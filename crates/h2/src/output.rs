//! The body of an answer, for `hyper`.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::activity::Active;
use crate::patience::Watch;
use crate::pipe::{Ended, FilePart, Piece, Taker};

/// How much of a file is read at once. It is in the system's memory, as a rule, so this is not the place of another thread.
const PART: u64 = 16 * 1024;

/// The answer is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut short")]
pub(crate) struct Cut;

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Output {
    /// What is here already.
    here: VecDeque<Piece>,
    /// Where the rest comes from, if there is more.
    rest: Option<Taker>,
    watch: Arc<Watch>,
    /// The stream is being served as long as this is.
    _active: Active,
}

impl Output {
    /// All that is here.
    pub(crate) fn of(here: VecDeque<Piece>, watch: Arc<Watch>, active: Active) -> Self {
        Self { here, rest: None, watch, _active: active }
    }

    /// With what comes by a pipe.
    pub(crate) fn and(self, rest: Taker) -> Self {
        Self { rest: Some(rest), ..self }
    }

    /// The next piece; `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            match self.here.pop_front() {
                Some(Piece::Bytes(bytes)) if bytes.is_empty() => continue,
                Some(Piece::Bytes(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Piece::File(FilePart { left: 0, .. })) => continue,
                Some(Piece::File(mut part)) => {
                    let read = read(&mut part);
                    self.here.push_front(Piece::File(part));
                    return Poll::Ready(Some(read.map_err(|_| Cut)));
                }
                None => {}
            }
            let Some(rest) = &self.rest else { return Poll::Ready(None) };
            match ready!(rest.poll_take(cx)) {
                Ok(piece) => self.here.push_back(piece),
                Err(Ended::Whole) => return Poll::Ready(None),
                Err(Ended::Cut) => return Poll::Ready(Some(Err(Cut))),
            }
        }
    }
}

fn read(part: &mut FilePart) -> io::Result<Bytes> {
    let mut bytes = vec![0; part.left.min(PART) as usize];
    let count = part.file.read_at(&mut bytes, part.offset)?;
    if count == 0 {
        // It has become shorter: the client was told more than there is.
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    bytes.truncate(count);
    (part.offset, part.left) = (part.offset + count as u64, part.left - count as u64);
    Ok(bytes.into())
}

impl Body for Output {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.watch.gone();
        let piece = ready!(self.poll_piece(cx));
        let length = piece.as_ref().and_then(|piece| piece.as_ref().ok()).map_or(0, Bytes::len);
        self.watch.handed(length);
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let is_empty = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.is_empty(),
            Piece::File(part) => part.left == 0,
        };
        self.here.iter().all(is_empty) && self.rest.as_ref().is_none_or(Taker::is_over)
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_some() {
            return SizeHint::default();
        }
        let length = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File(part) => part.left,
        };
        SizeHint::with_exact(self.here.iter().map(length).sum())
    }
}
