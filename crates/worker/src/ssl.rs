//! `mod_ssl.is_https` and `mod_ssl.var_lookup`: functions in the environ of access control, which answer from what
//! the front door has asked mod_ssl.

use std::collections::HashMap;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyDict, PyString, PyTuple};

use crate::environ::latin1;

const IS_HTTPS: &str = "mod_ssl.is_https";
const VAR_LOOKUP: &str = "mod_ssl.var_lookup";

/// Puts the functions in the place of what the front door has sent, where it has.
pub(crate) fn install(environ: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = environ.py();
    let Some(secure) = environ.get_item(IS_HTTPS)? else { return Ok(()) };
    let secure = i32::from(secure.extract::<String>()? == "1");
    let is_https = PyCFunction::new_closure(
        py,
        Some(c"ssl_is_https"),
        None,
        move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            takes(arguments, "ssl_is_https", 0).map(|()| secure)
        },
    )?;
    let list = environ.get_item(VAR_LOOKUP)?;
    let known =
        list.map(|list| list.extract::<String>().map(|list| variables(&list))).transpose()?;
    let beside = environ.copy()?.unbind();
    let lookup = PyCFunction::new_closure(
        py,
        Some(c"ssl_var_lookup"),
        None,
        move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            look_up(arguments, known.as_ref(), &beside)
        },
    )?;
    environ.set_item(IS_HTTPS, is_https)?;
    environ.set_item(VAR_LOOKUP, lookup)
}

/// The value of a variable, `None` where there is no mod_ssl. It also knows the variables of CGI, which are in `beside`.
fn look_up(
    arguments: &Bound<'_, PyTuple>,
    known: Option<&HashMap<String, String>>,
    beside: &Py<PyDict>,
) -> PyResult<Py<PyAny>> {
    let py = arguments.py();
    takes(arguments, "ssl_var_lookup", 1)?;
    let name = name(&arguments.get_item(0)?)?;
    let Some(known) = known else { return Ok(py.None()) };
    if let Some(value) = known.get(&name) {
        return Ok(PyString::new(py, value).into_any().unbind());
    }
    let is_cgi = !name.contains('.') && !name.starts_with("SSL_");
    let value = beside.bind(py).get_item(&name)?.filter(|_| is_cgi);
    Ok(value.unwrap_or_else(|| PyString::new(py, "").into_any()).unbind())
}

/// Names and values, each ended by a NUL.
fn variables(list: &str) -> HashMap<String, String> {
    let mut fields = list.split('\0');
    let pair = || Some((fields.next()?.to_owned(), fields.next()?.to_owned()));
    std::iter::from_fn(pair).collect()
}

fn name(argument: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(bytes) = argument.cast::<PyBytes>() {
        return Ok(latin1(argument.py(), bytes.as_bytes())?.to_string());
    }
    argument.extract().map_err(|_| {
        let kind = argument.get_type().to_string();
        PyTypeError::new_err(format!("byte string value expected, value of type {kind} found"))
    })
}

fn takes(arguments: &Bound<'_, PyTuple>, function: &str, count: usize) -> PyResult<()> {
    if arguments.len() == count {
        return Ok(());
    }
    let given = arguments.len();
    Err(PyTypeError::new_err(format!("{function}() takes {count} arguments ({given} given)")))
}
