//! The pieces of an answer between the serving thread that sends them and the client that takes them.
//!
//! A stream may always hold [`OWN`] bytes; beyond that, the streams of a connection share [`SHARED`]. So a client that takes nothing of
//! many answers costs little, and one that takes a long one slowly does not keep the application waiting at once.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::locked;

/// How much a stream may always hold, in bytes.
pub(crate) const OWN: usize = 64 * 1024;
/// How much the streams of a connection may hold beyond that.
pub(crate) const SHARED: usize = 1024 * 1024;

/// A piece of an answer.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// A part of a file, which is read as the client takes it.
    File(FilePart),
}

/// A part of a file.
#[derive(Debug)]
pub(crate) struct FilePart {
    pub(crate) file: File,
    pub(crate) offset: u64,
    pub(crate) left: u64,
}

impl Piece {
    /// How much memory it takes.
    fn held(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(_) => 0,
        }
    }
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is whole.
    Whole,
    /// Something is missing, which the client must be told.
    Cut,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<(Piece, Option<OwnedSemaphorePermit>)>,
    /// How many bytes there are that nobody shares.
    own: usize,
    ended: Option<Ended>,
    /// Nobody takes anything any more.
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The end at which pieces come.
#[derive(Debug)]
pub(crate) struct Filler {
    state: Arc<Mutex<State>>,
    shared: Arc<Semaphore>,
}

/// The end at which they are taken.
#[derive(Debug)]
pub(crate) struct Taker(Arc<Mutex<State>>);

/// A pipe on a connection whose streams share `shared`.
pub(crate) fn pipe(shared: Arc<Semaphore>) -> (Filler, Taker) {
    let state = Arc::new(Mutex::default());
    (Filler { state: state.clone(), shared }, Taker(state))
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl Filler {
    /// Puts the piece in, as soon as there is room; it is left where it is until then. False when nobody takes it any more.
    pub(crate) fn poll_put(&self, piece: &mut Option<Piece>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = locked(&self.state);
        if state.is_closed {
            return Poll::Ready(false);
        }
        let Some(held) = piece.as_ref().map(Piece::held) else { return Poll::Ready(true) };
        let permit = if state.own + held <= OWN || state.pieces.is_empty() {
            state.own += held;
            None
        } else {
            let count = u32::try_from(held).unwrap_or(u32::MAX);
            match self.shared.clone().try_acquire_many_owned(count) {
                Ok(permit) => Some(permit),
                Err(_) => {
                    state.writer = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        state.pieces.extend(piece.take().map(|piece| (piece, permit)));
        wake(&mut state.reader);
        Poll::Ready(true)
    }

    /// Ready when nobody takes anything any more.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = locked(&self.state);
        if state.is_closed {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Nothing more comes.
    pub(crate) fn end(self, ended: Ended) {
        self.set_end(ended);
    }

    fn set_end(&self, ended: Ended) {
        let mut state = locked(&self.state);
        state.ended.get_or_insert(ended);
        wake(&mut state.reader);
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.set_end(Ended::Cut);
    }
}

impl Taker {
    /// The next piece; how the answer ends where there is none.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Result<Piece, Ended>> {
        let mut state = locked(&self.0);
        if let Some((piece, permit)) = state.pieces.pop_front() {
            if permit.is_none() {
                state.own -= piece.held();
            }
            wake(&mut state.writer);
            return Poll::Ready(Ok(piece));
        }
        if let Some(ended) = state.ended {
            return Poll::Ready(Err(ended));
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether all was taken and the answer is whole.
    pub(crate) fn is_over(&self) -> bool {
        let state = locked(&self.0);
        state.pieces.is_empty() && state.ended == Some(Ended::Whole)
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let mut state = locked(&self.0);
        state.is_closed = true;
        state.pieces.clear();
        wake(&mut state.writer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(filler: &Filler, length: usize) -> Poll<bool> {
        let mut piece = Some(Piece::Bytes(Bytes::from(vec![0; length])));
        let put = filler.poll_put(&mut piece, &mut Context::from_waker(Waker::noop()));
        assert_eq!(piece.is_none(), put == Poll::Ready(true));
        put
    }

    fn take(taker: &Taker) -> Poll<Result<usize, Ended>> {
        let taken = taker.poll_take(&mut Context::from_waker(Waker::noop()));
        taken.map_ok(|piece| piece.held())
    }

    #[test]
    fn a_stream_holds_its_own_and_a_share() {
        let shared = Arc::new(Semaphore::new(OWN));
        let (first, first_taker) = pipe(shared.clone());
        let (second, second_taker) = pipe(shared.clone());
        for _ in 0..8 {
            assert_eq!(put(&first, OWN / 4), Poll::Ready(true));
        }
        assert_eq!(put(&first, OWN / 4), Poll::Pending);
        // The share is used up, its own is not.
        for _ in 0..4 {
            assert_eq!(put(&second, OWN / 4), Poll::Ready(true));
        }
        assert_eq!(put(&second, 1), Poll::Pending);
        assert_eq!(take(&first_taker), Poll::Ready(Ok(OWN / 4)));
        assert_eq!(put(&first, OWN / 4), Poll::Ready(true));
        drop(first_taker);
        assert_eq!(put(&first, 1), Poll::Ready(false));
        assert_eq!(shared.available_permits(), OWN, "what was shared is given back");
        drop(second_taker);
    }

    #[test]
    fn a_piece_of_any_length_has_room_where_there_is_no_other() {
        let (filler, taker) = pipe(Arc::new(Semaphore::new(0)));
        assert_eq!(put(&filler, 10 * OWN), Poll::Ready(true));
        assert_eq!(put(&filler, 1), Poll::Pending);
        assert_eq!(take(&taker), Poll::Ready(Ok(10 * OWN)));
        assert_eq!(take(&taker), Poll::Pending);
    }

    #[test]
    fn the_end_comes_behind_all_pieces() {
        for (ended, seen) in [(Some(Ended::Whole), Ended::Whole), (None, Ended::Cut)] {
            let (filler, taker) = pipe(Arc::new(Semaphore::new(0)));
            assert_eq!(put(&filler, 5), Poll::Ready(true));
            match ended {
                Some(ended) => filler.end(ended),
                None => drop(filler),
            }
            assert!(!taker.is_over());
            assert_eq!(take(&taker), Poll::Ready(Ok(5)));
            assert_eq!(taker.is_over(), seen == Ended::Whole);
            assert_eq!(take(&taker), Poll::Ready(Err(seen)));
        }
    }
}
