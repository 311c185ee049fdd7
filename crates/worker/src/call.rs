//! Calls functions of a script for a front door: routing, access, and the like.

use std::sync::Arc;

use pinion_wire::answer::End;
use pinion_wire::call::{Argument, Call, MOST_ITEMS, Returned, Value};
use pinion_wire::frame::MAX_PAYLOAD;
use pinion_wire::message;
use pinion_wire::request::RequestRef;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt, PyString, PyTuple};

use crate::environ::{Maker, latin1};
use crate::exchange::{ERROR, Exchange};
use crate::request::{find, stop_child};
use crate::scripts::Script;
use crate::trouble;
use crate::worker::Worker;

/// Calls the functions, sends what they returned, and says how it ended.
pub(crate) fn run(
    py: Python<'_>,
    worker: &Worker,
    maker: &Maker,
    request: &RequestRef<'_>,
    exchange: &Arc<Exchange>,
) -> End {
    exchange.enter();
    let path = request.target.script;
    let script = match find(py, worker, path, exchange) {
        Ok((script, _)) => script,
        Err(end) => return end,
    };
    let returned = call_all(py, &script, maker, request, exchange);
    stop_child(py, returned.as_ref().err());
    let encoded = returned.and_then(|returned| {
        message::encode(&returned).map_err(|error| PyValueError::new_err(error.to_string()))
    });
    let encoded = encoded.and_then(|payload| match payload.len() {
        0..=MAX_PAYLOAD => Ok(payload),
        length => {
            let text = format!("returned {length} bytes, at most {MAX_PAYLOAD} are looked at");
            Err(PyValueError::new_err(text))
        }
    });
    match encoded {
        Ok(payload) => {
            exchange.response(py, |response| response.push_returned(&payload));
            End::Called
        }
        Err(error) => {
            log_failure(py, path, exchange, &error);
            End::Failed
        }
    }
}

/// What the functions returned, up to the first that raised.
fn call_all(
    py: Python<'_>,
    script: &Script,
    maker: &Maker,
    request: &RequestRef<'_>,
    exchange: &Arc<Exchange>,
) -> PyResult<Vec<Returned>> {
    let call: Call = message::decode(request.inline)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let environ = maker.make_for_call(py, request, exchange)?;
    let mut arguments = vec![environ.into_any()];
    for argument in &call.arguments {
        arguments.push(to_python(py, argument)?);
    }
    let arguments = PyTuple::new(py, arguments)?;
    let mut all = Vec::with_capacity(call.functions.len());
    for name in &call.functions {
        let returned = match script.callable(py, name.as_bytes())? {
            None => Returned::Missing,
            Some(function) => match call_one(&function, &arguments) {
                Ok(returned) => returned,
                Err(error) => {
                    stop_child(py, Some(&error));
                    log_failure(py, request.target.script, exchange, &error);
                    Returned::Raised
                }
            },
        };
        let raised = returned == Returned::Raised;
        all.push(returned);
        if raised {
            break;
        }
    }
    Ok(all)
}

fn call_one(function: &Bound<'_, PyAny>, arguments: &Bound<'_, PyTuple>) -> PyResult<Returned> {
    let result = function.call1(arguments)?;
    let value = to_value(&result)?;
    if !matches!(value, Value::Other(_)) {
        return Ok(Returned::One(value));
    }
    let Ok(items) = result.try_iter() else { return Ok(Returned::One(value)) };
    let items = items.take(MOST_ITEMS + 1).map(|item| to_value(&item?));
    let items: Vec<_> = items.collect::<PyResult<_>>()?;
    // Who is kept out by an item that was cut off would be let in.
    if items.len() > MOST_ITEMS {
        let text = format!("returned more than the {MOST_ITEMS} items that are looked at");
        return Err(PyValueError::new_err(text));
    }
    Ok(Returned::Many(items))
}

fn to_python<'py>(py: Python<'py>, argument: &Argument) -> PyResult<Bound<'py, PyAny>> {
    Ok(match argument {
        Argument::None => py.None().into_bound(py),
        Argument::Latin1(bytes) => latin1(py, bytes)?.into_any(),
        Argument::Utf8(bytes) => {
            PyBytes::new(py, bytes).call_method1("decode", ("utf-8", "surrogateescape"))?
        }
        Argument::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
    })
}

fn to_value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    Ok(if object.is_none() {
        Value::None
    } else if let Ok(flag) = object.cast::<PyBool>() {
        Value::Bool(flag.is_true())
    } else if let Ok(text) = object.cast::<PyString>() {
        // Text with lone surrogates is no name of anything.
        text.to_cow().map_or_else(
            |_| Value::Other("str with surrogates".to_owned()),
            |text| Value::Text(text.into_owned()),
        )
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Value::Bytes(bytes.as_bytes().to_vec())
    } else if object.is_instance_of::<PyInt>() {
        object.extract().map_or_else(|_| Value::Other("large int".to_owned()), Value::Int)
    } else {
        Value::Other(object.get_type().name()?.to_string_lossy().into_owned())
    })
}

fn log_failure(py: Python<'_>, path: &[u8], exchange: &Exchange, error: &PyErr) {
    exchange.log(py, ERROR, &trouble::report(py, path, error));
}
