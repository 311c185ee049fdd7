//! Whether anything goes on on a connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::locked;

/// What goes on on a connection.
#[derive(Debug)]
pub(crate) struct Activity {
    streams: AtomicUsize,
    requests: AtomicUsize,
    last: Mutex<Instant>,
}

/// A stream whose request is being served.
#[derive(Debug)]
pub(crate) struct Active(Arc<Activity>);

impl Activity {
    /// Of a connection that begins now.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            streams: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
        })
    }

    /// A request begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Active {
        self.streams.fetch_add(1, Ordering::AcqRel);
        self.requests.fetch_add(1, Ordering::AcqRel);
        Active(self.clone())
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Acquire)
    }

    /// Something was sent.
    pub(crate) fn touch(&self) {
        *locked(&self.last) = Instant::now();
    }

    /// Since when nothing was sent, unless a request is being served.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        let is_quiet = self.streams.load(Ordering::Acquire) == 0;
        is_quiet.then(|| *locked(&self.last))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.touch();
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}
