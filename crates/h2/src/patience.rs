//! Ends streams whose client takes nothing of their answer.
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

use crate::clock::Deadline;
use crate::locked;

/// What is known of the piece of an answer that is being sent.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Option<Instant>>);

impl Watch {
    /// A piece was handed over.
    pub(crate) fn handed(&self) {
        *locked(&self.0) = Some(Instant::now());
    }

    /// It is on its way.
    pub(crate) fn gone(&self) {
        *locked(&self.0) = None;
    }

    fn since(&self) -> Option<Instant> {
        *locked(&self.0)
    }
}

/// Runs the streams of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    /// Of the stream that is run next.
    next: Arc<Mutex<Arc<Watch>>>,
    patience: Option<Duration>,
}

impl Runner {
    /// For clients who may take nothing for so long.
    pub(crate) fn new(patience: Option<Duration>) -> Self {
        Self { next: Arc::default(), patience }
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
        let (watch, patience) = (locked(&self.next).clone(), self.patience);
        let (deadline, of) = (Deadline::default(), None);
        tokio::spawn(Patient { stream: Box::pin(stream), watch, patience, deadline, of });
    }
}

/// A stream as long as its client takes something of it.
struct Patient<F> {
    stream: Pin<Box<F>>,
    watch: Arc<Watch>,
    patience: Option<Duration>,
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
        let since = me.watch.since();
        if me.of != since {
            me.of = since;
            me.deadline.reset();
        }
        // What is dropped then is reset, so that the client sees that it has not got all.
        if since.is_some() { me.deadline.poll(me.patience, cx) } else { Poll::Pending }
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
            let runner = Runner::new(Some(patience));
            let watch = runner.begin();
            let (end, ended) = tokio::sync::oneshot::channel::<()>();
            let taker = watch.clone();
            runner.execute(async move {
                let _end = end;
                for _ in 0..3 {
                    taker.handed();
                    tokio::time::sleep(patience - Duration::from_secs(1)).await;
                    taker.gone();
                }
                // Who waits for the application is not who takes nothing.
                tokio::time::sleep(patience * 3).await;
                taker.handed();
                poll_fn(|_| Poll::<()>::Pending).await;
            });
            let begun = Instant::now();
            assert!(ended.await.is_err());
            let expected = patience * 7 - Duration::from_secs(3);
            assert!(begun.elapsed() >= expected && begun.elapsed() < expected + patience / 10);
        });
    }
}
