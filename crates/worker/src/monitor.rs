//! The thread that takes Python's lock now and then: to show that it can be had, to interrupt a
//! request that has run too long, and to write down what all threads do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinion_unix::clock;
use pinion_wire::status;
use pyo3::prelude::*;

use crate::exchange::INFO;
use crate::worker::{Stage, Worker};
use crate::{collector, fork, interrupt};

/// How long Python's lock is waited for before stacks are written without it.
const DUMP_PATIENCE: Duration = Duration::from_millis(250);

/// A request: the number of its connection, and its own on that.
pub(crate) type Key = (u32, u32);

/// What the thread is told.
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    orders: Mutex<Orders>,
    called: Condvar,
    dumped: Condvar,
    attaching: AtomicBool,
}

#[derive(Debug, Default)]
struct Orders {
    beat: bool,
    collector: bool,
    interrupts: Vec<Key>,
    dump: Dump,
}

/// What has become of the wish for all stacks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Dump {
    /// There is none, or it is fulfilled.
    #[default]
    None,
    /// Nobody has begun it.
    Asked,
    /// The thread has Python's lock and writes.
    Running,
}

impl Monitor {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has Python's lock taken at once.
    pub(crate) fn beat(&self) {
        self.orders().beat = true;
        self.called.notify_one();
    }

    /// Has the garbage collector looked at when Python's lock is had next.
    pub(crate) fn look_at_collector(&self) {
        self.orders().collector = true;
        self.called.notify_one();
    }

    /// Has the thread that runs the request interrupted, if it still does.
    pub(crate) fn interrupt(&self, key: Key) {
        self.orders().interrupts.push(key);
        self.called.notify_one();
    }

    /// Has the stacks of all threads written while Python's lock is held, when no thread can change them.
    /// Returns false, and takes the wish back, when the lock cannot be had soon.
    pub(crate) fn dump(&self) -> bool {
        let mut orders = self.orders();
        orders.dump = Dump::Asked;
        self.called.notify_one();
        let is_open = |orders: &mut Orders| orders.dump != Dump::None;
        let waited = self.dumped.wait_timeout_while(orders, DUMP_PATIENCE, is_open);
        let mut orders = waited.unwrap_or_else(PoisonError::into_inner).0;
        if orders.dump == Dump::Asked {
            orders.dump = Dump::None;
            return false;
        }
        // Without a GIL, all threads are stopped for it, which one that runs C code can put off for ever.
        orders.dump == Dump::None || cfg!(not(Py_GIL_DISABLED))
    }

    /// Writes the stacks if somebody waits for them.
    fn write_stacks(&self, py: Python<'_>) {
        {
            let mut orders = self.orders();
            if orders.dump != Dump::Asked {
                return;
            }
            orders.dump = Dump::Running;
        }
        let written = py.import("faulthandler").and_then(|faulthandler| {
            let to_standard_error = (2, true);
            faulthandler.call_method1("dump_traceback", to_standard_error)
        });
        // Where even that fails, the other way is tried.
        self.orders().dump = if written.is_ok() { Dump::None } else { Dump::Asked };
        self.dumped.notify_one();
    }

    /// Whether the thread has, or waits for, Python's lock.
    pub(crate) fn is_attaching(&self) -> bool {
        self.attaching.load(Ordering::SeqCst)
    }

    /// Waits for orders, not longer than `interval`.
    fn wait(&self, interval: Option<Duration>) -> Orders {
        let is_idle = |orders: &mut Orders| {
            !(orders.beat || orders.collector)
                && orders.interrupts.is_empty()
                && orders.dump == Dump::None
        };
        let guard = self.orders();
        let mut guard = match interval {
            Some(interval) => {
                let waited = self.called.wait_timeout_while(guard, interval, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.called.wait_while(guard, is_idle).unwrap_or_else(PoisonError::into_inner),
        };
        // The wish for stacks stays until the lock is had: whoever waits may take it back.
        let dump = guard.dump;
        let orders = std::mem::take(&mut *guard);
        guard.dump = dump;
        orders
    }
}

/// Starts the thread.
pub(crate) fn start(worker: &'static Worker) -> std::io::Result<()> {
    let group = &worker.spec.group;
    let interval = status::beat_interval_ms(group.timeouts.deadlock).map(Duration::from_millis);
    let builder = std::thread::Builder::new().name("pinion-monitor".to_owned());
    builder.spawn(move || watch(worker, interval)).map(drop)
}

fn watch(worker: &Worker, interval: Option<Duration>) {
    let monitor = &worker.monitor;
    loop {
        let orders = monitor.wait(interval);
        // Whoever leaves the interpreter announces that first, and then waits for this to be false: a thread that
        // asked for the lock later would be ended in the middle of Rust.
        monitor.attaching.store(true, Ordering::SeqCst);
        if worker.stage() == Stage::Ended || fork::is_child() {
            monitor.attaching.store(false, Ordering::SeqCst);
            return;
        }
        let interrupted = Python::try_attach(|py| {
            if let Some(page) = worker.status() {
                page.beat(clock::monotonic_ns());
            }
            monitor.write_stacks(py);
            if orders.collector {
                collector::look(py);
            }
            let raise = |(connection, seq)| {
                interrupt::raise(py, worker, connection, seq).unwrap_or_default()
            };
            orders.interrupts.into_iter().filter_map(raise).collect::<Vec<_>>()
        });
        monitor.attaching.store(false, Ordering::SeqCst);
        for thread in interrupted.unwrap_or_default() {
            let name = &worker.spec.group.name;
            worker.log(
                INFO,
                &format!(
                    "Injected RequestTimeout into thread {thread} of daemon process '{name}'."
                ),
            );
        }
    }
}
