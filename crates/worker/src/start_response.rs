//! `start_response` and the `write` callable that it returns (PEP 3333).

use std::sync::Arc;

use pinion_wsgi::response::{OutputError, StartError};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::events;
use crate::exchange::{Exchange, NotSent};
use crate::head::{Head, HeadError};
use crate::latin1::Latin1;

impl From<HeadError> for PyErr {
    fn from(error: HeadError) -> Self {
        PyValueError::new_err(error.to_string())
    }
}

impl From<NotSent> for PyErr {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::Gone => PyOSError::new_err("Apache/mod_wsgi client connection closed."),
            NotSent::Refused(OutputError::NotStarted) => PyRuntimeError::new_err(
                "start_response() must be called before response content is produced",
            ),
            NotSent::Refused(OutputError::Closed) => {
                PyRuntimeError::new_err("write() called after request completed")
            }
        }
    }
}

/// `start_response` of one request.
#[pyclass(module = "mod_wsgi", frozen)]
pub(crate) struct StartResponse {
    exchange: Arc<Exchange>,
    /// What each call returns.
    write: Py<Write>,
}

impl StartResponse {
    /// That of a request.
    pub(crate) fn new(py: Python<'_>, exchange: &Arc<Exchange>) -> PyResult<Self> {
        let write = Py::new(py, Write(exchange.clone()))?;
        Ok(Self { exchange: exchange.clone(), write })
    }

    /// What each call returns.
    pub(crate) fn write(&self) -> &Py<Write> {
        &self.write
    }
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (*arguments, **keywords))]
    fn __call__(
        &self,
        arguments: &Bound<'_, PyTuple>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<Write>> {
        let py = arguments.py();
        if !self.exchange.is_open() {
            return Err(PyRuntimeError::new_err("start_response() called after request completed"));
        }
        if keywords.is_some_and(|keywords| !keywords.is_empty()) {
            return Err(PyTypeError::new_err("start_response() takes no keyword arguments"));
        }
        check_count(arguments.len())?;
        if events::is_measured() {
            events::responded(&self.exchange, arguments)?;
        }
        let head = read_head(&arguments.get_item(0)?, &arguments.get_item(1)?)?;
        let exc_info = read_exc_info(arguments)?;
        let started =
            self.exchange.response(py, |response| response.start(head, exc_info.is_some()));
        match (started, exc_info) {
            (Ok(()), _) => {}
            (Err(StartError::Reraise), Some(error)) => return Err(error),
            (Err(_), _) => {
                return Err(PyRuntimeError::new_err(
                    "start_response() called more than once without exc_info",
                ));
            }
        }
        Ok(self.write.clone_ref(py))
    }
}

fn check_count(count: usize) -> PyResult<()> {
    let words = match count {
        2 | 3 => return Ok(()),
        0 | 1 => "at least 2",
        _ => "at most 3",
    };
    let text = format!("start_response() takes {words} arguments ({count} given)");
    Err(PyTypeError::new_err(text))
}

fn read_head(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<Head> {
    let status = Latin1::of(status)?;
    let Ok(headers) = headers.cast::<PyList>() else {
        let kind = kind_of(headers)?;
        let text = format!("start_response() argument 2 must be list, not {kind}");
        return Err(PyTypeError::new_err(text));
    };
    let mut head = Head::new(status.bytes())?;
    for header in headers {
        let Ok(header) = header.cast::<PyTuple>() else {
            let kind = header.get_type().name()?;
            let text = format!("each header must be a 2-tuple, not {kind}");
            return Err(PyTypeError::new_err(text));
        };
        if header.len() != 2 {
            let text = format!("each header must be a 2-tuple, got length {}", header.len());
            return Err(PyValueError::new_err(text));
        }
        let (name, value) = (header.get_borrowed_item(0)?, header.get_borrowed_item(1)?);
        head.push(Latin1::of(&name)?.bytes(), Latin1::of(&value)?.bytes())?;
    }
    Ok(head)
}

fn kind_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_none() { Ok("None".to_owned()) } else { Ok(value.get_type().name()?.to_string()) }
}

/// The exception in `exc_info`, if there is one.
fn read_exc_info(arguments: &Bound<'_, PyTuple>) -> PyResult<Option<PyErr>> {
    // Asking for what is not there would make an exception, of every answer.
    if arguments.len() < 3 {
        return Ok(None);
    }
    let exc_info = arguments.get_item(2)?;
    if exc_info.is_none() {
        return Ok(None);
    }
    let Ok(tuple) = exc_info.cast::<PyTuple>() else {
        return Err(PyRuntimeError::new_err(
            "start_response() argument 'exc_info' must be a 3-tuple or None",
        ));
    };
    let Ok(value) = tuple.get_item(1) else { return Ok(None) };
    Ok((!value.is_none()).then(|| PyErr::from_value(value)))
}

/// The `write` callable of one request.
#[pyclass(module = "mod_wsgi", frozen)]
pub(crate) struct Write(Arc<Exchange>);

#[pymethods]
impl Write {
    #[pyo3(signature = (*arguments))]
    fn __call__(&self, arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
        let py = arguments.py();
        if !self.0.is_open() {
            return Err(PyRuntimeError::new_err("write() called after request completed"));
        }
        if arguments.len() != 1 {
            let text = format!("write() takes exactly 1 argument ({} given)", arguments.len());
            return Err(PyTypeError::new_err(text));
        }
        let block = arguments.get_item(0)?;
        let Ok(block) = block.cast::<PyBytes>() else {
            let text = format!("write() argument must be bytes, not {}", block.get_type().name()?);
            return Err(PyTypeError::new_err(text));
        };
        Ok(self.0.send(py, block.as_bytes(), true)?)
    }
}
