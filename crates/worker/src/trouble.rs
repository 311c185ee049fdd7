//! Exceptions as text.

use pyo3::prelude::*;
use pyo3::types::PyList;

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

/// A `str` as UTF-8, whatever is in it: lone surrogates are shown as `\udc80`.
pub(crate) fn to_text(text: &Bound<'_, PyAny>) -> PyResult<String> {
    let bytes = text.call_method1("encode", ("utf-8", "backslashreplace"))?;
    Ok(String::from_utf8_lossy(bytes.cast::<pyo3::types::PyBytes>()?.as_bytes()).into_owned())
}
