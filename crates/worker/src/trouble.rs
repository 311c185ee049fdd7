//! Exceptions as text.

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::worker::worker;

/// The traceback of an exception, as Python prints it, without the last line end.
pub(crate) fn traceback(py: Python<'_>, error: &PyErr) -> String {
    let text = formatted(py, error).unwrap_or_else(|_| error.to_string());
    text.trim_end().to_owned()
}

fn formatted(py: Python<'_>, error: &PyErr) -> PyResult<String> {
    let arguments = (error.get_type(py), error.value(py), error.traceback(py));
    let lines = py.import("traceback")?.call_method1("format_exception", arguments)?;
    let mut text = String::new();
    for line in lines.cast_into::<PyList>()? {
        text.push_str(&to_text(&line)?);
    }
    Ok(text)
}

/// Which interpreter runs, in mod_wsgi's words: such as "main interpreter of daemon process 'shop'".
fn interpreter() -> String {
    let Some(worker) = worker() else { return String::new() };
    let (process, application) = (&worker.spec.group.name, &worker.spec.application_group);
    let inner = if application.is_empty() {
        "main interpreter".to_owned()
    } else {
        format!("sub-interpreter '{application}'")
    };
    if process.is_empty() {
        format!("{inner} in embedded mode")
    } else {
        format!("{inner} of daemon process '{process}'")
    }
}

/// What happened to a script, in mod_wsgi's words, and the traceback below it.
pub(crate) fn report(py: Python<'_>, path: &[u8], error: &PyErr) -> String {
    let (path, interpreter) = (path.escape_ascii(), interpreter());
    let name = error.get_type(py).name().map_or_else(|_| String::new(), |name| name.to_string());
    let head = if error.is_instance_of::<PySystemExit>(py) {
        format!(
            "WSGI0175: {name} exception raised by WSGI script '{path}' for {interpreter}; ignored."
        )
    } else {
        format!(
            "WSGI0174: {name} exception raised processing WSGI script '{path}' for {interpreter}."
        )
    };
    format!("{head}\n{}", traceback(py, error))
}

/// How far a script came before it could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was to be read and compiled.
    Compile,
    /// It ran.
    Execute,
}

/// Why a script could not be loaded, in mod_wsgi's words, and the traceback below it.
pub(crate) fn load_report(py: Python<'_>, path: &[u8], step: Step, error: &PyErr) -> String {
    let file = path.escape_ascii();
    let head = match step {
        Step::Compile => format!(
            "WSGI0105: Could not read or compile WSGI script '{file}' for {}.",
            interpreter()
        ),
        Step::Execute if error.is_instance_of::<PySystemExit>(py) => format!(
            "WSGI0107: SystemExit exception raised when doing exec of Python script file '{file}'."
        ),
        Step::Execute => format!("WSGI0109: Unable to execute Python script file '{file}'."),
    };
    format!("{head}\n{}", report(py, path, error))
}

/// A `str` as UTF-8, whatever is in it: lone surrogates are shown as `\udc80`.
pub(crate) fn to_text(text: &Bound<'_, PyAny>) -> PyResult<String> {
    let bytes = text.call_method1("encode", ("utf-8", "backslashreplace"))?;
    Ok(String::from_utf8_lossy(bytes.cast::<pyo3::types::PyBytes>()?.as_bytes()).into_owned())
}
