//! Which thread runs which request.

use std::ffi::c_long;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::exchange::Exchange;
use crate::interrupt;

/// A place for each serving thread.
#[derive(Debug)]
pub(crate) struct Posts(Box<[Post]>);

/// One serving thread's place.
#[derive(Debug, Default)]
struct Post {
    /// Python's number of the thread (`threading.get_ident`).
    thread: AtomicI64,
    /// Whether somebody asked for its request to be interrupted.
    interrupted: AtomicBool,
    /// How many requests it has begun.
    served: AtomicU64,
    running: Mutex<Option<Arc<Exchange>>>,
}

impl Post {
    fn running(&self) -> MutexGuard<'_, Option<Arc<Exchange>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Posts {
    /// Places for `threads` threads.
    pub(crate) fn new(threads: u32) -> Self {
        Self((0..threads).map(|_| Post::default()).collect())
    }

    /// The calling thread takes place number `place`.
    pub(crate) fn take(&self, py: Python<'_>, place: usize) -> PyResult<()> {
        let ident: i64 = py.import("threading")?.getattr("get_ident")?.call0()?.extract()?;
        if let Some(post) = self.0.get(place) {
            post.thread.store(ident, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The thread at a place begins a request.
    pub(crate) fn begin(&self, place: usize, exchange: &Arc<Exchange>) {
        if let Some(post) = self.0.get(place) {
            *post.running() = Some(exchange.clone());
            post.served.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The thread at a place, which calls this, has ended its request.
    pub(crate) fn end(&self, py: Python<'_>, place: usize) {
        let Some(post) = self.0.get(place) else { return };
        let ended =
            post.running.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner).take();
        if post.interrupted.swap(false, Ordering::Relaxed) {
            interrupt::take_back(py, post.thread.load(Ordering::Relaxed));
        }
        // Dropped without the lock: it may hold Python objects.
        drop(ended);
    }

    /// Does `interrupt` with Python's number of the thread that runs request `seq` of connection number `connection`; the
    /// request does not end meanwhile. Returns the thread's place, if one runs it and `interrupt` says that it did something.
    ///
    /// `interrupt` must not run Python code.
    pub(crate) fn interrupt(
        &self,
        (connection, seq): (u32, u32),
        interrupt: impl Fn(c_long) -> bool,
    ) -> Option<usize> {
        self.0.iter().position(|post| {
            let running = post.running();
            let runs = running.as_ref().is_some_and(|exchange| exchange.is(connection, seq));
            if runs {
                post.interrupted.store(true, Ordering::Relaxed);
            }
            runs && interrupt(post.thread.load(Ordering::Relaxed))
        })
    }

    /// The requests that run now.
    pub(crate) fn running(&self) -> Vec<Arc<Exchange>> {
        self.0.iter().filter_map(|post| post.running().clone()).collect()
    }

    /// For each thread, how many requests it has begun.
    pub(crate) fn served(&self) -> Vec<u64> {
        self.0.iter().map(|post| post.served.load(Ordering::Relaxed)).collect()
    }
}
