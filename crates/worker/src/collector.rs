//! What Python's garbage collector does, for [`crate::telemetry`].

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pinion_unix::clock;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How many passes are kept until they are reported.
const MOST_PASSES: usize = 256;
/// How many generations there are.
pub(crate) const GENERATIONS: usize = 3;

/// What is known of the collector.
static STATE: Mutex<State> =
    Mutex::new(State { begun: None, passes: VecDeque::new(), dropped: 0, counters: None });

#[derive(Debug)]
struct State {
    /// When the pass that runs began: seconds since 1970, and nanoseconds of the monotonic clock.
    begun: Option<(f64, u64)>,
    passes: VecDeque<Pass>,
    /// Passes that nobody took in time.
    dropped: u64,
    counters: Option<Counters>,
}

/// One pass of the collector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// When it began, in seconds since 1970.
    pub(crate) began: f64,
    /// How long it took, in nanoseconds.
    pub(crate) took: u64,
    pub(crate) generation: u64,
    pub(crate) collected: u64,
    pub(crate) uncollectable: u64,
}

/// The collector's counts, for each generation where there is one for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Counts, thresholds, collections, collected and uncollectable objects.
    pub(crate) generations: [[u64; GENERATIONS]; 5],
    pub(crate) is_enabled: bool,
    pub(crate) frozen: u64,
}

/// What there is to report: the counters if they were read since the last time, the passes, and how many
/// have been dropped in all.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) counters: Option<Counters>,
    pub(crate) passes: VecDeque<Pass>,
    pub(crate) dropped: u64,
}

fn state() -> MutexGuard<'static, State> {
    // Nothing that runs while this is held can panic or wait.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to the collector from now on.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    let callbacks = py.import("gc")?.getattr("callbacks")?;
    callbacks.call_method1("append", (Bound::new(py, Listener)?,)).map(drop)
}

/// Reads the counters, for the next [`take`]; what goes wrong leaves them out.
pub(crate) fn look(py: Python<'_>) {
    let read = read(py).ok();
    state().counters = read;
}

/// Takes what there is to report.
pub(crate) fn take() -> Report {
    let mut state = state();
    Report {
        counters: state.counters.take(),
        passes: std::mem::take(&mut state.passes),
        dropped: state.dropped,
    }
}

fn read(py: Python<'_>) -> PyResult<Counters> {
    let gc = py.import("gc")?;
    let three = |name: &str| gc.call_method0(name)?.extract::<(u64, u64, u64)>();
    let (counts, thresholds) = (three("get_count")?, three("get_threshold")?);
    let mut generations = [counts.into(), thresholds.into(), [0; 3], [0; 3], [0; 3]];
    let stats = gc.call_method0("get_stats")?.extract::<Vec<Bound<'_, PyDict>>>()?;
    for (generation, stat) in stats.iter().take(GENERATIONS).enumerate() {
        for (place, name) in (2..).zip(["collections", "collected", "uncollectable"]) {
            generations[place][generation] = number(stat, name);
        }
    }
    Ok(Counters {
        generations,
        is_enabled: gc.call_method0("isenabled")?.extract()?,
        frozen: gc.call_method0("get_freeze_count")?.extract()?,
    })
}

/// An entry that is a number; 0 where there is none.
fn number(dict: &Bound<'_, PyDict>, name: &str) -> u64 {
    let value = dict.get_item(name).ok().flatten();
    value.and_then(|value| value.extract().ok()).unwrap_or_default()
}

/// What the collector tells of its passes.
#[pyclass(frozen, module = "mod_wsgi")]
struct Listener;

#[pymethods]
impl Listener {
    fn __call__(&self, phase: &str, info: &Bound<'_, PyDict>) {
        let now = clock::monotonic_ns();
        if phase == "start" {
            let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            state().begun = Some((began.as_secs_f64(), now));
            return;
        }
        let [generation, collected, uncollectable] =
            ["generation", "collected", "uncollectable"].map(|name| number(info, name));
        let mut state = state();
        let Some((began, at)) = state.begun.take() else { return };
        if state.passes.len() == MOST_PASSES {
            state.passes.pop_front();
            state.dropped += 1;
        }
        let took = now.saturating_sub(at);
        state.passes.push_back(Pass { began, took, generation, collected, uncollectable });
    }
}
