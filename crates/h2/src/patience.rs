//! Ends streams whose client takes nothing of their answer, or too little.
//!
//! `hyper` waits for ever for a client that grants no more of a stream's window. It asks an answer's body for the next piece once it
//! has got rid of the last one, so the time between the two says how long the client takes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::Instant;

use crate::clock::{Deadline, Slowest};
use crate::locked;

/// What is known of an answer that is being sent.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Since when a piece is being sent, and its length.
    piece: Option<(Instant, u64)>,
    /// How long those before have taken, and how long they were.
    waited: Duration,
    moved: u64,
}

impl Watch {
    /// A piece was handed over.
    pub(crate) fn handed(&self, length: usize) {
        locked(&self.0).piece = Some((Instant::now(), length as u64));
    }

    /// It is on its way.
    pub(crate) fn gone(&self) {
        let mut known = locked(&self.0);
        if let Some((since, length)) = known.piece.take() {
            known.waited += since.elapsed();
            known.moved += length;
        }
    }

    fn known(&self) -> Known {
        *locked(&self.0)
    }
}

/// Runs the streams of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    /// Of the stream that is run next.
    next: Arc<Mutex<Arc<Watch>>>,
    slowest: Slowest,
}

impl Runner {
    /// For clients who may be so slow.
    pub(crate) fn new(slowest: Slowest) -> Self {
        Self { next: Arc::default(), slowest }
    }

    /// A stream begins, which is the next to be run.
    pub(crate) fn begin(&self) -> Arc<Watch> {
        let watch = Arc::new(Watch::default());
        *locked(&self.next) = watch.clone();
        watch
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Runner {
    fn execute(&self, stream: F) {
        let (watch, slowest) = (locked(&self.next).clone(), self.slowest);
        let (deadline, of) = (Deadline::default(), None);
        tokio::spawn(Patient { stream: Box::pin(stream), watch, slowest, deadline, of });
    }
}

/// A stream as long as its client takes something of it.
struct Patient<F> {
    stream: Pin<Box<F>>,
    watch: Arc<Watch>,
    slowest: Slowest,
    deadline: Deadline,
    /// Which piece the deadline is for.
    of: Option<Instant>,
}

impl<F: Future<Output = ()>> Future for Patient<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let me = &mut *self;
        if me.stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Known { piece, waited, moved } = me.watch.known();
        let since = piece.map(|(since, _)| since);
        if me.of != since {
            me.of = since;
            me.deadline.reset();
        }
        let left = me.slowest.left(waited, moved);
        // What is dropped then is reset, so that the client sees that it has not got all.
        if since.is_some() { me.deadline.poll(left, cx) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn a_stream_ends_when_nothing_of_it_is_taken() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let patience = Duration::from_secs(30);
            let runner = Runner::new(Slowest { piece: Some(patience), rate: None });
            let watch = runner.begin();
            let (end, ended) = tokio::sync::oneshot::channel::<()>();
            let taker = watch.clone();
            runner.execute(async move {
                let _end = end;
                for _ in 0..3 {
                    taker.handed(1);
                    tokio::time::sleep(patience - Duration::from_secs(1)).await;
                    taker.gone();
                }
                // Who waits for the application is not who takes nothing.
                tokio::time::sleep(patience * 3).await;
                taker.handed(1);
                poll_fn(|_| Poll::<()>::Pending).await;
            });
            let begun = Instant::now();
            assert!(ended.await.is_err());
            let expected = patience * 7 - Duration::from_secs(3);
            assert!(begun.elapsed() >= expected && begun.elapsed() < expected + patience / 10);
        });
    }

    #[test]
    fn a_stream_ends_when_too_little_of_it_is_taken() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (patience, second) = (Duration::from_secs(30), Duration::from_secs(1));
            let runner = Runner::new(Slowest { piece: Some(patience), rate: Some(100) });
            let watch = runner.begin();
            let (end, ended) = tokio::sync::oneshot::channel::<()>();
            runner.execute(async move {
                let _end = end;
                // Each in time; of a hundred bytes in two seconds, one second is too long.
                loop {
                    watch.handed(100);
                    tokio::time::sleep(2 * second).await;
                    watch.gone();
                }
            });
            let begun = Instant::now();
            assert!(ended.await.is_err());
            assert!(begun.elapsed() > patience && begun.elapsed() < 3 * patience);
        });
    }
}
