//! The module `_pinion` as Python sees it.

use std::os::fd::AsRawFd;

use pinion_wire::message::Apache;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::worker::Worker;

/// Called by `python/pinion_worker.py`, in the order of the functions here.
/// Nothing in here relies on a lock of the interpreter: what threads share has locks of its own.
#[pymodule(gil_used = false)]
mod _pinion {
    use pinion_wire::message::{Bit, RetireReason};
    use pyo3::prelude::*;
    use pyo3::types::{PyDict, PyType};

    use super::{AsRawFd, PyRuntimeError, apache, started};
    use pinion_wire::answer::Place;

    use crate::exchange::{self, Place as Stream};
    use crate::settings::Own;
    use crate::streams::Wrapper;
    use crate::{
        control, environ, events, fork, interrupt, load as loading, monitor, report, scoreboard,
        serve as serving, worker,
    };

    #[pymodule_export]
    use crate::files::FileWrapper;
    #[pymodule_export]
    use crate::streams::Log;

    /// Takes over the manager's descriptors; returns what the interpreter is to be prepared with.
    #[pyfunction]
    fn start(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let worker =
            py.detach(worker::start).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        fork::watch()?;
        let group = &worker.spec.group;
        if let Some(title) = &group.display_name {
            // A title that cannot be set is no reason not to serve.
            let _ = pinion_unix::title::set_title(title);
        }
        let settings = PyDict::new(py);
        settings.set_item("python_path", &group.python_path)?;
        settings.set_item("locale", &group.locale)?;
        settings.set_item("process_group", &group.name)?;
        settings.set_item("interpreter", worker.interpreter())?;
        settings.set_item("application_group", &worker.spec.application_group)?;
        settings.set_item("processes", group.processes)?;
        settings.set_item("threads", group.threads)?;
        let watch = group.http.as_ref().and_then(|http| http.watch.as_ref());
        settings.set_item("watch", watch)?;
        settings.set_item("stack_size", group.limits.stack)?;
        settings.set_item("hash_seed", group.interpreter.hash_seed.is_some())?;
        settings.set_item("keep_at_exit", group.interpreter.keep_at_exit)?;
        let own = Own::of(&worker.spec);
        settings.set_item("more_paths", own.python_paths)?;
        settings.set_item("switch_interval", own.switch_interval)?;
        settings.set_item("restrict_stdin", own.restrict_stdin)?;
        settings.set_item("restrict_stdout", own.restrict_stdout)?;
        settings.set_item("restrict_signal", own.restrict_signal)?;
        settings.set_item("version", environ::VERSION)?;
        settings.set_item("dump_signal", control::dump_signal())?;
        settings.set_item("waker", worker.waker().as_raw_fd())?;
        settings.set_item("apache", apache(py, &worker.spec.apache)?)?;
        let wrapper = Wrapper::new(py)?;
        settings.set_item("stdout", wrapper.wrap(py, Log::of_process(Stream::Stdout))?)?;
        settings.set_item("stderr", wrapper.wrap(py, Log::of_process(Stream::Stderr))?)?;
        Ok(settings)
    }

    /// Listens to the manager from now on.
    #[pyfunction]
    fn listen() -> PyResult<()> {
        Ok(control::start(started()?)?)
    }

    /// Takes Python's lock now and then from now on.
    #[pyfunction]
    fn watch() -> PyResult<()> {
        Ok(monitor::start(started()?)?)
    }

    /// Loads the scripts and warms up; false when the worker is of no use.
    #[pyfunction]
    fn load(py: Python<'_>) -> PyResult<bool> {
        loading::load(py, started()?)
    }

    /// The body of serving thread number `thread`, from 0.
    #[pyfunction]
    fn serve(py: Python<'_>, thread: usize) -> PyResult<()> {
        serving::serve(py, started()?, thread)
    }

    /// Takes the function that tells the application's subscribers of the end, for where it must be told before [`wait`] returns.
    #[pyfunction]
    fn on_stop(tell: Py<PyAny>) -> PyResult<()> {
        // A second one would be the same.
        let _ = started()?.tell.set(tell);
        Ok(())
    }

    /// Waits until the worker has been told to stop and has finished what was begun. Signals' Python handlers run meanwhile. What was
    /// begun may never be finished: returns whether subscribers were told meanwhile.
    #[pyfunction]
    fn wait(py: Python<'_>) -> PyResult<bool> {
        super::wait(py, started()?)
    }

    /// Stops: finishes what is begun, and then [`wait`] returns.
    #[pyfunction]
    fn stop(py: Python<'_>) -> PyResult<()> {
        let worker = started()?;
        py.detach(|| worker.leave());
        Ok(())
    }

    /// Why this process is stopped, in the words of mod_wsgi's events.
    #[pyfunction]
    fn stop_reason() -> PyResult<&'static str> {
        Ok(started()?.reason().as_str())
    }

    /// Asks the manager for a replacement.
    #[pyfunction]
    fn retire(py: Python<'_>) -> PyResult<()> {
        let worker = started()?;
        py.detach(|| worker.retire(RetireReason::Asked));
        Ok(())
    }

    /// Tells the manager that a file has changed that the application has loaded; `mtime` is microseconds since 1970.
    #[pyfunction]
    fn changed(py: Python<'_>, path: String, mtime: u64) -> PyResult<()> {
        let worker = started()?;
        py.detach(|| worker.tell(&Bit::Changed { path, mtime }));
        Ok(())
    }

    /// Asks the manager for a replacement because cpu-time-limit is used up.
    #[pyfunction]
    fn exhaust(py: Python<'_>) -> PyResult<()> {
        let worker = started()?;
        py.detach(|| worker.retire(RetireReason::CpuTime));
        Ok(())
    }

    /// Runs the scripts of a worker that serves no requests, one after the other.
    #[pyfunction]
    fn run_scripts(py: Python<'_>) -> PyResult<()> {
        loading::run_scripts(py, started()?)
    }

    /// The class `mod_wsgi.RequestTimeout`.
    #[pyfunction]
    fn request_timeout(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
        Ok(interrupt::class(py)?.clone())
    }

    /// Has what happens to each request told to what `watch(environ, request_data)` returns for it.
    #[pyfunction]
    fn watch_requests(py: Python<'_>, watch: Py<PyAny>) -> PyResult<()> {
        events::watch(py, started()?, watch);
        Ok(())
    }

    /// The requests that run: environ and `request_data` of each.
    #[pyfunction]
    fn running(py: Python<'_>) -> PyResult<Vec<(Bound<'_, PyDict>, Bound<'_, PyDict>)>> {
        let running = started()?.posts.running();
        let known = running.iter().filter_map(|exchange| {
            let environ = exchange.kept.environ(py)?;
            Some((environ, exchange.kept.data(py)))
        });
        Ok(known.collect())
    }

    /// The dict that the application and subscribers to events share for the request that the calling thread runs.
    #[pyfunction]
    fn request_data(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let none = || PyRuntimeError::new_err("no active request for thread");
        Ok(exchange::current().ok_or_else(none)?.kept.data(py))
    }

    /// Records requests from now on, for [`request_metrics`] and [`process_metrics`].
    #[pyfunction]
    fn start_recording_metrics() -> PyResult<()> {
        report::start(started()?);
        Ok(())
    }

    /// What was recorded since the last call; `None` while nothing is recorded.
    #[pyfunction]
    fn request_metrics(py: Python<'_>) -> PyResult<Option<Bound<'_, PyDict>>> {
        report::requests(py, started()?)
    }

    /// What this process has done since it started; `None` while nothing is recorded.
    #[pyfunction]
    fn process_metrics(py: Python<'_>) -> PyResult<Option<Bound<'_, PyDict>>> {
        report::process(py, started()?)
    }

    /// What Apache's scoreboard says; `None` where this process may not look at it.
    #[pyfunction]
    fn server_metrics(py: Python<'_>) -> PyResult<Option<Bound<'_, PyDict>>> {
        scoreboard::report(py, started()?)
    }

    /// Writes to the log of the request that the calling thread runs, as logged at a line of a file, else as [`log`].
    #[pyfunction]
    fn log_record(py: Python<'_>, level: u8, file: &str, line: u32, text: &str) -> PyResult<()> {
        let place = Place { file: file.as_bytes(), line };
        match exchange::current() {
            Some(exchange) if exchange.is_open() => exchange.log_now(py, level, place, text),
            _ => log(py, level, text)?,
        }
        Ok(())
    }

    /// Writes to the log of the server in which the process group was declared.
    #[pyfunction]
    fn log(py: Python<'_>, level: u8, text: &str) -> PyResult<()> {
        let worker = started()?;
        py.detach(|| worker.log(level, text));
        Ok(())
    }
}

/// The names of the module `apache`.
fn apache<'py>(py: Python<'py>, apache: &Apache) -> PyResult<Bound<'py, PyDict>> {
    let names = PyDict::new(py);
    names.set_item("version", apache.version)?;
    names.set_item("description", &apache.description)?;
    names.set_item("build_date", &apache.build_date)?;
    names.set_item("mpm_name", &apache.mpm_name)?;
    names.set_item("maximum_processes", apache.maximum_processes)?;
    names.set_item("threads_per_process", apache.threads_per_process)?;
    Ok(names)
}

fn started() -> PyResult<&'static Worker> {
    crate::worker::worker().ok_or_else(|| PyRuntimeError::new_err("start() was not called"))
}

fn wait(py: Python<'_>, worker: &Worker) -> PyResult<bool> {
    use crate::worker::Stage;
    use std::time::{Duration, Instant};
    while worker.stage() < Stage::Stopping {
        py.detach(|| worker.sleep(None));
        py.check_signals()?;
    }
    let reporter = worker.reporter.get();
    if let Some(reporter) = reporter {
        reporter.stopping(worker);
    }
    let (patience, mut told) = (Instant::now() + worker.patience(), false);
    while !worker.is_drained() {
        if !told && Instant::now() >= patience {
            told = true;
            worker.tell.get().map(|tell| tell.call0(py)).transpose()?;
        }
        // Threads wake this one when they have finished; the time is for what arrives unseen.
        py.detach(|| worker.sleep(Some(Duration::from_millis(20))));
        py.check_signals()?;
    }
    worker.advance(Stage::Ended);
    // A thread may have begun just before; those that come later see the end and let go.
    while !worker.is_idle() || worker.monitor.is_attaching() {
        py.detach(|| worker.sleep(Some(Duration::from_millis(20))));
    }
    if let Some(reporter) = reporter {
        reporter.stopped(worker);
    }
    if let Some(door) = &worker.door {
        py.detach(|| door.finish());
    }
    Ok(told)
}
