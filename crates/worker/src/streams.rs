//! `wsgi.errors`, `sys.stdout`, `sys.stderr`: text that goes to the log.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyString};

use crate::exchange::{self, ERROR, Exchange, Place};
use crate::lines::Lines;
use crate::{fork, worker};

/// A text stream that ends in the log: of the request that the writing thread runs, else of the server in
/// which the process group was declared. Nothing that is written to it raises because of odd characters.
#[pyclass(module = "mod_wsgi", name = "Log", frozen, subclass)]
pub(crate) struct Log {
    place: Place,
    name: &'static str,
    /// For `wsgi.errors`: the only request that it belongs to.
    owner: Option<Arc<Exchange>>,
    /// The unfinished line outside of requests.
    lines: Mutex<Lines>,
    forbidden: bool,
}

impl Log {
    /// `wsgi.errors` of a request.
    pub(crate) fn of_request(owner: Arc<Exchange>) -> Self {
        Self {
            place: Place::Errors,
            name: "<wsgi.errors>",
            owner: Some(owner),
            lines: Mutex::default(),
            forbidden: false,
        }
    }

    /// `sys.stdout` or `sys.stderr`; a forbidden one raises at each use.
    pub(crate) fn of_process(place: Place, forbidden: bool) -> Self {
        let name = if place == Place::Stdout { "<stdout>" } else { "<stderr>" };
        Self { place, name, owner: None, lines: Mutex::default(), forbidden }
    }

    fn put(&self, py: Python<'_>, text: &[u8]) -> PyResult<()> {
        self.check()?;
        if fork::is_child() {
            self.put_outside(py, |lines, out| lines.write(text, out));
            return Ok(());
        }
        if let Some(owner) = &self.owner {
            if !owner.write(py, self.place, text) {
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

    fn check(&self) -> PyResult<()> {
        if self.forbidden {
            return Err(PyOSError::new_err("sys.stdout access restricted by mod_wsgi"));
        }
        Ok(())
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
    /// Writes text; each whole line becomes an entry of the log. Returns the number of characters.
    fn write(&self, text: &Bound<'_, PyAny>) -> PyResult<usize> {
        let Ok(text) = text.cast::<PyString>() else {
            let kind = text.get_type().name()?;
            let kind = if text.is_none() { "None".to_owned() } else { kind.to_string() };
            return Err(PyTypeError::new_err(format!("write() argument must be str, not {kind}")));
        };
        let bytes = text.call_method1("encode", ("utf-8", "replace"))?;
        self.put(text.py(), bytes.cast::<PyBytes>()?.as_bytes())?;
        text.len()
    }

    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(&line?)?;
        }
        Ok(())
    }

    /// Writes an unfinished line as one.
    fn flush(&self, py: Python<'_>) {
        match self.owner.clone().or_else(exchange::current) {
            Some(exchange) if exchange.is_open() => exchange.flush_line(py, self.place),
            _ => self.put_outside(py, |lines, out| lines.finish(out)),
        }
    }

    fn close(&self) {}

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
        false
    }

    fn fileno(&self) -> PyResult<i32> {
        Err(PyOSError::new_err("wsgi.errors log object has no file descriptor"))
    }

    #[pyo3(signature = (**_options))]
    fn reconfigure(&self, _options: Option<&Bound<'_, pyo3::types::PyDict>>) {}

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, pyo3::types::PyTuple>) {}

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

    #[getter]
    fn mode(&self) -> &'static str {
        "w"
    }

    #[getter]
    fn newlines(&self) -> Option<&'static str> {
        None
    }

    #[getter]
    fn line_buffering(&self) -> bool {
        true
    }

    /// The same stream for bytes.
    #[getter]
    fn buffer(this: Py<Self>) -> LogBuffer {
        LogBuffer(this)
    }

    fn __repr__(&self) -> String {
        format!("<mod_wsgi.Log name='{}' encoding='utf-8'>", self.name)
    }
}

/// A [`Log`] that takes bytes.
#[pyclass(module = "mod_wsgi", frozen)]
pub(crate) struct LogBuffer(Py<Log>);

#[pymethods]
impl LogBuffer {
    fn write(&self, bytes: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = bytes.py();
        let bytes = match bytes.cast::<PyBytes>() {
            Ok(bytes) => bytes.clone(),
            Err(_) if bytes.is_instance_of::<PyString>() => {
                return Err(PyTypeError::new_err("a bytes-like object is required, not 'str'"));
            }
            Err(_) => py.get_type::<PyBytes>().call1((bytes,))?.cast_into()?,
        };
        self.0.get().put(py, bytes.as_bytes())?;
        Ok(bytes.as_bytes().len())
    }

    fn flush(&self, py: Python<'_>) {
        self.0.get().flush(py);
    }

    fn close(&self) {}

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
        false
    }

    fn fileno(&self) -> PyResult<i32> {
        self.0.get().fileno()
    }

    #[getter]
    fn closed(&self) -> bool {
        false
    }
}
