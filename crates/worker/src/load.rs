//! Getting ready: the scripts that the manager names are loaded, and warm-up requests answered.

use pinion_wire::message::{Bit, StartMount};
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

use crate::http::Door;
use crate::request::{lead, stop_child};
use crate::scripts::{Found, execute_alone, modified};
use crate::serve;
use crate::telemetry;
use crate::text::shorten;
use crate::trouble;
use crate::worker::{Stage, Worker};

/// Loads, warms up, and tells the manager how that went; false when the worker is of no use.
pub(crate) fn load(py: Python<'_>, worker: &'static Worker) -> PyResult<bool> {
    telemetry::start(py, worker)?;
    if let Some(reason) = worker.door.as_ref().and_then(Door::trouble) {
        py.detach(|| worker.tell(&no_door(worker, &reason)));
        return Ok(false);
    }
    for mount in &worker.spec.mounts {
        let failed = load_one(py, worker, mount)?;
        stop_child(py, None);
        if let Some(bit) = failed {
            py.detach(|| worker.tell(&bit));
            return Ok(false);
        }
    }
    be_ready(py, worker)?;
    Ok(true)
}

/// What to tell the manager when the front door cannot be opened.
fn no_door(worker: &Worker, reason: &str) -> Bit {
    let script = worker.spec.mounts.first().map(|mount| mount.script.clone()).unwrap_or_default();
    let mtime = modified(&script);
    Bit::LoadFailed { script, mtime, reason: shorten(reason), warmup: false }
}

fn be_ready(py: Python<'_>, worker: &'static Worker) -> PyResult<()> {
    let info = py.import("sys")?.getattr("version_info")?;
    let part = |index: usize| -> PyResult<u8> { info.get_item(index)?.extract() };
    let python = format!("{}.{}.{}", part(0)?, part(1)?, part(2)?);
    pinion_unix::heap::trim();
    let bit = Bit::Ready { python, loaded: worker.scripts.loaded() };
    worker.advance(Stage::Serving);
    if let Some(door) = &worker.door {
        door.open(worker)?;
        // What loading and starting needed of the worker core is not needed again.
        pinion_unix::program::rest_of("/_pinion.abi3.so");
    }
    py.detach(|| worker.tell(&bit));
    Ok(())
}

/// Runs the scripts of a worker that serves no requests. One that fails is logged, and the next one runs; one that raises
/// SystemExit ends them all.
pub(crate) fn run_scripts(py: Python<'_>, worker: &'static Worker) -> PyResult<()> {
    be_ready(py, worker)?;
    for mount in &worker.spec.mounts {
        let ran = execute_alone(py, &mount.script);
        stop_child(py, ran.as_ref().err());
        match ran {
            Err(error) if error.is_instance_of::<PySystemExit>(py) => break,
            Err(error) => {
                let text = trouble::traceback(py, &error);
                let path = mount.script.escape_ascii();
                let what = lead(&format!("Exception occurred processing WSGI script '{path}'."));
                py.detach(|| worker.log(3, &format!("{what}\n{text}")));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Loads one mount and warms it up; what to tell the manager when that fails and matters.
fn load_one(py: Python<'_>, worker: &Worker, mount: &StartMount) -> PyResult<Option<Bit>> {
    let fail = |mtime, reason: &str, warmup| Bit::LoadFailed {
        script: mount.script.clone(),
        mtime,
        reason: shorten(reason),
        warmup,
    };
    let script = match worker.scripts.find(py, &mount.script) {
        Found::Loaded(script) | Found::New(script) => script,
        Found::Failed(failed) | Found::StillFailed(failed) | Found::TryAgain(failed) => {
            if mount.required {
                return Ok(Some(fail(failed.mtime, &failed.traceback, false)));
            }
            py.detach(|| worker.log(3, &failed.traceback));
            return Ok(None);
        }
    };
    if !mount.required {
        return Ok(None);
    }
    let missing = script.callable(py, mount.callable.as_bytes())?.is_none();
    if missing && worker.door.is_some() {
        let reason = format!("the script has no callable named '{}'", mount.callable);
        return Ok(Some(fail(modified(&mount.script), &reason, false)));
    }
    // A script that is only imported (WSGIImportScript) has no callable; where another of Apache's
    // lacks it, requests are told (404).
    for path in &worker.spec.group.warmup {
        if missing {
            break;
        }
        let failed = serve::warm_up(py, worker, &mount.script, &mount.callable, path)?;
        if let Some(reason) = failed {
            return Ok(Some(fail(modified(&mount.script), &reason, true)));
        }
    }
    Ok(None)
}
