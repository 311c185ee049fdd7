//! `wsgi.errors`, `sys.stdout`, `sys.stderr`: what is written there goes to the log.

use std::cell::RefCell;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict, PyMemoryView, PyString};

use crate::exchange::{self, ERROR, Exchange, Place};
use crate::lines::Lines;
use crate::references::has_references;
use crate::{fork, worker};

/// Where the bytes of a text stream end: in the log of the request that the writing thread runs, else of the
/// server in which the process group was declared. Applications find it below an `io.TextIOWrapper`.
#[pyclass(module = "mod_wsgi", name = "Log", frozen)]
pub(crate) struct Log {
    place: Place,
    name: &'static str,
    /// For `wsgi.errors`: the only request that it belongs to, while that runs.
    owner: Option<Mutex<Option<Arc<Exchange>>>>,
    /// Whether it was used since its request began; what changes the wrapper's state comes by here.
    used: AtomicBool,
    /// Whether the application has closed it.
    closed: AtomicBool,
    /// The unfinished line outside of requests.
    lines: Mutex<Lines>,
}

impl Log {
    /// `wsgi.errors` of a request.
    pub(crate) fn of_request(owner: Arc<Exchange>) -> Self {
        Self {
            place: Place::Errors,
            name: "<wsgi.errors>",
            owner: Some(Mutex::new(Some(owner))),
            used: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            lines: Mutex::default(),
        }
    }

    /// `sys.stdout` or `sys.stderr`.
    pub(crate) fn of_process(place: Place) -> Self {
        let name = if place == Place::Stdout { "<stdout>" } else { "<stderr>" };
        let closed = AtomicBool::new(false);
        let used = AtomicBool::new(false);
        Self { place, name, owner: None, used, closed, lines: Mutex::default() }
    }

    /// Whose stream this is from now on; returns whose it was.
    fn pass_on(&self, py: Python<'_>, to: Option<Arc<Exchange>>) -> Option<Arc<Exchange>> {
        let owner = self.owner.as_ref()?;
        let mut owner = owner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *owner, to)
    }

    /// The request that it belongs to; `None` where that is over.
    fn request(
        &self,
        py: Python<'_>,
        owner: &Mutex<Option<Arc<Exchange>>>,
    ) -> Option<Arc<Exchange>> {
        owner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, py: Python<'_>, text: &[u8]) -> PyResult<()> {
        self.used.store(true, Ordering::Relaxed);
        if fork::is_child() {
            self.put_outside(py, |lines, out| lines.write(text, out));
            return Ok(());
        }
        if let Some(owner) = &self.owner {
            let taken = !self.closed.load(Ordering::Relaxed)
                && self.request(py, owner).is_some_and(|owner| owner.write(py, self.place, text));
            if !taken {
                return Err(PyRuntimeError::new_err(
                    "write() called on wsgi.errors after request completed",
                ));
            }
            return Ok(());
        }
        match exchange::current() {
            Some(exchange) if exchange.write(py, self.place, text) => {}
            _ => self.put_outside(py, |lines, out| lines.write(text, out)),
        }
        Ok(())
    }

    fn put_outside(&self, py: Python<'_>, cut: impl FnOnce(&mut Lines, &mut dyn FnMut(&[u8]))) {
        let mut whole = Vec::new();
        {
            let locked = self.lines.lock_py_attached(py);
            let mut lines = locked.unwrap_or_else(PoisonError::into_inner);
            cut(&mut lines, &mut |line: &[u8]| {
                whole.extend_from_slice(line);
                whole.push(b'\n');
            });
        }
        if !whole.is_empty() {
            py.detach(|| log_outside(&whole));
        }
    }
}

/// Logs lines that belong to no request.
fn log_outside(lines: &[u8]) {
    match worker::worker() {
        Some(worker) if !fork::is_child() => {
            worker.log(ERROR, String::from_utf8_lossy(lines).trim_end_matches('\n'));
        }
        // A forked child has descriptor 2, which ends in the log too. A log that cannot be written must not hurt.
        _ => drop(std::io::stderr().write_all(lines)),
    }
}

#[pymethods]
impl Log {
    /// Takes bytes, or text, which becomes UTF-8; each whole line becomes an entry of the log.
    fn write(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = data.py();
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return self.put(py, bytes.as_bytes());
        }
        let bytes = match data.cast::<PyString>() {
            Ok(text) => text.call_method1("encode", ("utf-8", "replace"))?,
            Err(_) => py.get_type::<PyMemoryView>().call1((data,))?.call_method0("tobytes")?,
        };
        self.put(py, bytes.cast::<PyBytes>()?.as_bytes())
    }

    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(&line?)?;
        }
        Ok(())
    }

    /// Writes an unfinished line as one.
    fn flush(&self, py: Python<'_>) {
        self.used.store(true, Ordering::Relaxed);
        let exchange = match &self.owner {
            Some(owner) => self.request(py, owner),
            None => exchange::current(),
        };
        match exchange {
            Some(exchange) if exchange.is_open() => exchange.flush_line(py, self.place),
            _ => self.put_outside(py, |lines, out| lines.finish(out)),
        }
    }

    /// A request's own stream takes nothing any more; the process's stay as they are.
    fn close(&self, py: Python<'_>) {
        self.flush(py);
        self.closed.store(true, Ordering::Relaxed);
    }

    fn isatty(&self) -> bool {
        false
    }

    fn readable(&self) -> bool {
        false
    }

    fn writable(&self) -> bool {
        true
    }

    fn seekable(&self) -> bool {
        // A wrapper asks when it is made, or made anew by a call of its `__init__`.
        self.used.store(true, Ordering::Relaxed);
        false
    }

    fn fileno(&self) -> PyResult<i32> {
        Err(PyOSError::new_err("wsgi.errors log object has no file descriptor"))
    }

    /// Never: a wrapper would refuse to write.
    #[getter]
    fn closed(&self) -> bool {
        false
    }

    #[getter]
    fn encoding(&self) -> &'static str {
        "utf-8"
    }

    #[getter]
    fn errors(&self) -> &'static str {
        "replace"
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.name
    }
}

/// Makes the text streams that end in a [`Log`].
pub(crate) struct Wrapper {
    class: Py<PyAny>,
    options: Py<PyDict>,
    /// The one that the thread's request has.
    lent: RefCell<Option<Stream>>,
    /// One that nobody has and that is as good as new.
    spare: RefCell<Option<Stream>>,
}

/// A stream of a request: making one costs more than all the rest of an environ.
struct Stream {
    wrapper: Py<PyAny>,
    log: Py<Log>,
    /// The wrapper's `__dict__`, which cannot be replaced.
    names: Py<PyDict>,
}

impl Stream {
    /// Whether no trace of its request is left: nobody else has the wrapper or what is below it, nothing was
    /// written or set.
    fn is_as_new(&self, py: Python<'_>) -> bool {
        has_references(&self.wrapper, 1, py)
            && has_references(&self.log, 2, py)
            && !self.log.get().used.load(Ordering::Relaxed)
            && self.names.bind(py).is_empty()
    }
}

impl Wrapper {
    /// Prepares what is the same for all.
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let options = PyDict::new(py);
        options.set_item("encoding", "utf-8")?;
        options.set_item("errors", "replace")?;
        options.set_item("newline", "\n")?;
        options.set_item("line_buffering", true)?;
        options.set_item("write_through", true)?;
        let class = py.import("io")?.getattr("TextIOWrapper")?.unbind();
        let (lent, spare) = (RefCell::default(), RefCell::default());
        Ok(Self { class, options: options.unbind(), lent, spare })
    }

    /// `wsgi.errors` of a request, until [`Wrapper::take_back`].
    pub(crate) fn lend<'py>(
        &self,
        py: Python<'py>,
        exchange: &Arc<Exchange>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let spare = self.spare.take();
        let stream = match spare {
            Some(stream) => {
                stream.log.get().pass_on(py, Some(exchange.clone()));
                stream
            }
            None => self.stream(py, exchange)?,
        };
        let wrapper = stream.wrapper.bind(py).clone();
        let before = self.lent.replace(Some(stream));
        drop(before);
        Ok(wrapper)
    }

    fn stream(&self, py: Python<'_>, exchange: &Arc<Exchange>) -> PyResult<Stream> {
        let log = Bound::new(py, Log::of_request(exchange.clone()))?;
        let wrapper = self.class.bind(py).call((&log,), Some(self.options.bind(py)))?;
        let names = wrapper.getattr("__dict__")?.cast_into::<PyDict>()?.unbind();
        log.get().used.store(false, Ordering::Relaxed);
        Ok(Stream { wrapper: wrapper.unbind(), log: log.unbind(), names })
    }

    /// The request is over: its stream takes nothing any more, and serves the next one if the application has left no
    /// trace on it and kept nothing of it.
    pub(crate) fn take_back(&self, py: Python<'_>) {
        // Dropping may run any finalizer, so nothing is borrowed meanwhile.
        let Some(stream) = self.lent.take() else { return };
        drop(stream.log.get().pass_on(py, None));
        if stream.is_as_new(py) {
            self.spare.replace(Some(stream));
        }
    }

    /// A stream that ends in this log.
    pub(crate) fn wrap<'py>(&self, py: Python<'py>, log: Log) -> PyResult<Bound<'py, PyAny>> {
        self.class.bind(py).call((log,), Some(self.options.bind(py)))
    }
}
