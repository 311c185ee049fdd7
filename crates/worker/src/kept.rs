//! The Python objects of a request that others than its application may ask for.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyDict;

use crate::measure::Measure;

/// What is kept of a request while it runs. The lock is never held while Python code can run.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    objects: Mutex<Objects>,
    measure: OnceLock<Measure>,
}

/// The objects; they hold the request in turn, so they are let go when it ends.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    environ: Option<Py<PyDict>>,
    data: Option<Py<PyDict>>,
    watched: Option<Py<PyAny>>,
}

impl Kept {
    fn objects(&self, py: Python<'_>) -> MutexGuard<'_, Objects> {
        self.objects.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the environ.
    pub(crate) fn set_environ(&self, environ: &Bound<'_, PyDict>) {
        self.objects(environ.py()).environ = Some(environ.clone().unbind());
    }

    /// The environ, while the application runs.
    pub(crate) fn environ<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        self.objects(py).environ.as_ref().map(|environ| environ.bind(py).clone())
    }

    /// The dict that application and subscribers share, which is made when it is first needed.
    pub(crate) fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyDict> {
        let fresh = PyDict::new(py).unbind();
        self.objects(py).data.get_or_insert(fresh).bind(py).clone()
    }

    /// What Python has made to watch this request.
    pub(crate) fn watched<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.objects(py).watched.as_ref().map(|watched| watched.bind(py).clone())
    }

    /// Keeps what Python has made to watch this request.
    pub(crate) fn set_watched(&self, watched: &Bound<'_, PyAny>) {
        self.objects(watched.py()).watched = Some(watched.clone().unbind());
    }

    /// What is measured of the request; what was not so far, begins now.
    pub(crate) fn measure(&self) -> &Measure {
        self.measure.get_or_init(Measure::begin)
    }

    /// Whether anything is measured of the request.
    pub(crate) fn is_measured(&self) -> bool {
        self.measure.get().is_some()
    }

    /// Whether nothing is kept: what is dropped may ask for more.
    pub(crate) fn is_forgotten(&self, py: Python<'_>) -> bool {
        let Objects { environ, data, watched } = &*self.objects(py);
        environ.is_none() && data.is_none() && watched.is_none()
    }

    /// Lets the objects go: the caller drops them.
    #[must_use]
    pub(crate) fn forget(&self, py: Python<'_>) -> Objects {
        std::mem::take(&mut *self.objects(py))
    }
}
