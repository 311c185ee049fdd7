//! What the event `request_finished` says of a request's cost.

use std::time::{SystemTime, UNIX_EPOCH};

use pinion_unix::usage;
use pinion_wsgi::metrics::Phase;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::metrics::{Meter, seconds};

/// What is known when a request begins on the calling thread.
#[derive(Debug)]
pub(crate) struct Measure {
    cpu: usage::ThreadTimes,
}

impl Measure {
    /// The calling thread begins a request.
    pub(crate) fn begin() -> Self {
        Self { cpu: usage::thread_times() }
    }

    /// The calling thread ends the request, whose application was begun at `begun`, in seconds since 1970.
    pub(crate) fn end<'py>(
        &self,
        py: Python<'py>,
        status: u16,
        begun: f64,
        meter: Option<&Meter>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let cpu = usage::thread_times();
        let user = cpu.user.saturating_sub(self.cpu.user).as_secs_f64();
        let system = cpu.system.saturating_sub(self.cpu.system).as_secs_f64();
        let (phases, traffic) = meter.map(Meter::totals).unwrap_or_default();
        let time = |phase: Phase| seconds(phases[phase as usize]);
        let event = PyDict::new(py);
        event.set_item("input_reads", traffic.input_reads)?;
        event.set_item("input_length", traffic.input_bytes)?;
        event.set_item("input_time", time(Phase::InputRead))?;
        event.set_item("output_length", traffic.output_bytes)?;
        event.set_item("output_writes", traffic.output_writes)?;
        event.set_item("output_time", time(Phase::OutputWrite))?;
        event.set_item("cpu_user_time", user)?;
        event.set_item("cpu_system_time", system)?;
        event.set_item("cpu_time", user + system)?;
        event.set_item("application_start", begun)?;
        event.set_item("application_finish", now)?;
        event.set_item("application_time", now - begun)?;
        event.set_item("status", status)?;
        event.set_item("gil_wait_time", time(Phase::GilWait))?;
        event.set_item("gil_wait_count", traffic.gil_waits)?;
        Ok(event)
    }
}
