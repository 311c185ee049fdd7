//! Time for `hyper`, and the dates of answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The runtime's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

struct Asleep(Pin<Box<tokio::time::Sleep>>);

impl Future for Asleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl Sleep for Asleep {}

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Asleep(Box::pin(tokio::time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Asleep(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }
}

/// How slow a client may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slowest {
    /// The longest pause between two pieces.
    pub(crate) piece: Option<Duration>,
    /// The fewest bytes a second beyond one such pause.
    pub(crate) rate: Option<u64>,
}

impl Slowest {
    /// How long the next piece may take, where so many bytes have moved while the client was waited for so long.
    pub(crate) fn left(self, waited: Duration, moved: u64) -> Option<Duration> {
        let piece = self.piece?;
        let Some(rate) = self.rate else { return Some(piece) };
        let bought = Duration::from_millis(moved.saturating_mul(1_000) / rate);
        Some(piece.min((piece + bought).saturating_sub(waited)))
    }
}

/// A time after which something is given up; set anew whenever there is progress.
#[derive(Debug, Default)]
pub(crate) struct Deadline(Option<Pin<Box<tokio::time::Sleep>>>);

impl Deadline {
    /// Whether it has passed; where it does not run yet, it begins now. `None` is never.
    pub(crate) fn poll(&mut self, patience: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(patience) = patience else { return Poll::Pending };
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        sleep.as_mut().poll(cx)
    }

    /// There was progress.
    pub(crate) fn reset(&mut self) {
        self.0 = None;
    }
}
