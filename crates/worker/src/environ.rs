//! The environ of a request, built by Python's C API: this runs once for each entry of each request.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinion_unix::clock;
use pinion_wire::request::RequestRef;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyString, PyTuple};

use crate::exchange::Exchange;
use crate::files::FileWrapper;
use crate::kit::Kits;
use crate::quick::BuildQuick;
use crate::shapes::Shapes;
use crate::ssl;
use crate::start_response::StartResponse;
use crate::streams::Wrapper;
use crate::worker::Worker;

/// How many names are kept as Python strings. Clients choose names of headers, so there is a limit.
const MOST_NAMES: usize = 512;
/// The version of mod_wsgi that applications are told.
pub(crate) const VERSION: (u8, u8, u8) = (6, 1, 1);

/// What a value is in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A str as WSGI has it.
    Text,
    /// A str as `open` takes it, which is what mod_wsgi gives.
    Path,
    /// Apache's version, as a tuple of numbers.
    Version,
    /// Seconds, as a float.
    Seconds,
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        match name {
            b"DOCUMENT_ROOT" | b"SCRIPT_FILENAME" => Self::Path,
            b"apache.version" => Self::Version,
            _ if name.starts_with(b"mod_wsgi.") && name.ends_with(b"_start") => Self::Seconds,
            _ => Self::Text,
        }
    }

    /// The value of an entry of this kind; one that is malformed is text.
    pub(crate) fn value<'py>(self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let text = || str::from_utf8(bytes).ok();
        match self {
            Self::Text => {}
            Self::Path => return path(py, bytes).map(Bound::into_any),
            Self::Version => {
                let numbers = text().map(|text| text.split('.').map(str::parse::<u32>).collect());
                if let Some(Ok(numbers)) = numbers {
                    let numbers: Vec<u32> = numbers;
                    return PyTuple::new(py, numbers).map(Bound::into_any);
                }
            }
            Self::Seconds => {
                if let Some(Ok(seconds)) = text().map(str::parse) {
                    return Ok(PyFloat::new(py, seconds).into_any());
                }
            }
        }
        latin1(py, bytes).map(Bound::into_any)
    }
}

/// Names that have come before, as Python has them.
type Names = HashMap<Vec<u8>, (Py<PyString>, Kind), BuildQuick>;

/// Makes environs for one thread: what does not change from request to request is made once.
pub(crate) struct Maker {
    template: Py<PyDict>,
    /// The names that have come before. Not borrowed twice: no code of Python's makes an environ.
    names: RefCell<Names>,
    /// The same holds for these.
    shapes: RefCell<Shapes>,
    input: Py<PyString>,
    errors: Py<PyString>,
    wrapper: Wrapper,
    /// What else is lent to requests.
    pub(crate) kits: Kits,
    queue_start: Py<PyString>,
    daemon_start: Py<PyString>,
    application_start: Py<PyString>,
    /// When the request began, nanoseconds of the monotonic clock.
    begun: Cell<u64>,
    /// What that clock was last compared with, and how much it was behind the time since 1970, both in nanoseconds.
    compared: Cell<(u64, u64)>,
    /// Whether the application has no process group.
    embedded: bool,
}

impl Maker {
    /// Prepares a thread.
    pub(crate) fn new(py: Python<'_>, worker: &Worker, thread: usize) -> PyResult<Self> {
        let group = &worker.spec.group;
        let template = PyDict::new(py);
        template.set_item("wsgi.version", (1, 0))?;
        template.set_item("wsgi.url_scheme", "http")?;
        template.set_item("wsgi.multithread", PyBool::new(py, group.threads > 1))?;
        template.set_item("wsgi.multiprocess", PyBool::new(py, group.multiprocess))?;
        template.set_item("wsgi.run_once", false)?;
        template.set_item("wsgi.input_terminated", true)?;
        template.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        template.set_item("mod_wsgi.version", VERSION)?;
        template.set_item("mod_wsgi.process_group", &group.name)?;
        template.set_item("mod_wsgi.application_group", &worker.spec.application_group)?;
        template.set_item("mod_wsgi.thread_id", thread + 1)?;
        let embedded = group.name.is_empty();
        if embedded {
            template.set_item("mod_wsgi.queue_start", 0.0)?;
            template.set_item("mod_wsgi.daemon_start", 0.0)?;
        }
        // What is made for each request replaces these: a copy of a dict has no more room than the dict.
        let name = |name: &str| {
            let name = PyString::intern(py, name);
            if !template.contains(&name)? {
                template.set_item(&name, py.None())?;
            }
            PyResult::Ok(name.unbind())
        };
        Ok(Self {
            names: RefCell::default(),
            shapes: RefCell::default(),
            input: name("wsgi.input")?,
            errors: name("wsgi.errors")?,
            wrapper: Wrapper::new(py)?,
            kits: Kits::default(),
            queue_start: name("mod_wsgi.queue_start")?,
            daemon_start: name("mod_wsgi.daemon_start")?,
            application_start: name("mod_wsgi.application_start")?,
            begun: Cell::new(0),
            compared: Cell::new((0, 0)),
            embedded,
            template: template.unbind(),
        })
    }

    /// A request begins now, nanoseconds of the monotonic clock.
    pub(crate) fn begin(&self, now: u64) {
        self.begun.set(now);
    }

    /// When the request began, since 1970. The clocks are compared ten times a second: who sets one sees that soon enough.
    fn begun_since_1970(&self) -> Duration {
        const SELDOM: u64 = 100_000_000;
        let (begun, (compared, mut behind)) = (self.begun.get(), self.compared.get());
        if begun.saturating_sub(compared) > SELDOM {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            behind =
                u64::try_from(now.as_nanos()).unwrap_or(0).saturating_sub(clock::monotonic_ns());
            self.compared.set((begun, behind));
        }
        Duration::from_nanos(begun.saturating_add(behind))
    }

    /// The environ of the request that was begun last, and its `start_response`.
    pub(crate) fn make<'py>(
        &self,
        py: Python<'py>,
        request: &RequestRef<'_>,
        exchange: &Arc<Exchange>,
    ) -> PyResult<(Bound<'py, PyDict>, Bound<'py, StartResponse>)> {
        let environ = self.environ(py, request)?;
        let (start, input) = self.kits.objects(py, request)?;
        set(&environ, self.input.bind(py), input.as_any())?;
        let errors = self.wrapper.lend(py, exchange)?;
        set(&environ, self.errors.bind(py), &errors)?;
        self.set_times(&environ, request.queued_ns)?;
        Ok((environ, start))
    }

    /// The environ of a request for functions that are called beside the application: the request's body is not theirs.
    pub(crate) fn make_for_call<'py>(
        &self,
        py: Python<'py>,
        request: &RequestRef<'_>,
        exchange: &Arc<Exchange>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let environ = PyDict::new(py);
        for name in ["mod_wsgi.version", "mod_wsgi.process_group", "mod_wsgi.application_group"] {
            environ.set_item(name, self.template.bind(py).get_item(name)?)?;
        }
        self.set_entries(&environ, request)?;
        let errors = self.wrapper.lend(py, exchange)?;
        set(&environ, self.errors.bind(py), &errors)?;
        ssl::install(&environ)?;
        Ok(environ)
    }

    /// Takes back what a request that is over was lent.
    pub(crate) fn end(&self, py: Python<'_>) {
        self.wrapper.take_back(py);
        self.kits.take_back(py);
    }

    /// What is not made for each request, and what the front door knows.
    fn environ<'py>(
        &self,
        py: Python<'py>,
        request: &RequestRef<'_>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut shapes = self.shapes.borrow_mut();
        if let Some(environ) = shapes.find(py, request)? {
            return Ok(environ);
        }
        let environ = self.template.bind(py).copy()?;
        let names = self.set_entries(&environ, request)?;
        shapes.keep(request, names, &environ)?;
        Ok(environ)
    }

    /// Sets what the front door knows; under which names.
    fn set_entries(
        &self,
        environ: &Bound<'_, PyDict>,
        request: &RequestRef<'_>,
    ) -> PyResult<Vec<(Py<PyString>, Kind)>> {
        let py = environ.py();
        let mut names = self.names.borrow_mut();
        let mut all = Vec::with_capacity(request.entries.into());
        for (name, bytes) in request.environ() {
            let (known, kind) = match names.get(name) {
                Some((known, kind)) => (known.clone_ref(py), *kind),
                None => {
                    let mut fresh = latin1(py, name)?.unbind();
                    let kind = Kind::of(name);
                    if names.len() < MOST_NAMES {
                        fresh = interned(py, name, fresh);
                        names.insert(name.to_vec(), (fresh.clone_ref(py), kind));
                    }
                    (fresh, kind)
                }
            };
            set(environ, known.bind(py), &kind.value(py, bytes)?)?;
            all.push((known, kind));
        }
        Ok(all)
    }

    /// When the request was queued, and when it was begun: seconds since 1970.
    fn set_times(&self, environ: &Bound<'_, PyDict>, queued_ns: u64) -> PyResult<()> {
        let py = environ.py();
        let now = self.begun_since_1970();
        if self.embedded {
            // The template says 0 for the others: mod_wsgi's applications inside Apache had no queue.
            let now = PyFloat::new(py, now.as_secs_f64());
            return set(environ, self.application_start.bind(py), now.as_any());
        }
        let waited = Duration::from_nanos(self.begun.get().saturating_sub(queued_ns));
        let queued = now.saturating_sub(waited).as_secs_f64();
        set(environ, self.queue_start.bind(py), PyFloat::new(py, queued).as_any())?;
        let now = PyFloat::new(py, now.as_secs_f64());
        set(environ, self.daemon_start.bind(py), now.as_any())?;
        set(environ, self.application_start.bind(py), now.as_any())
    }
}

/// The str of a name that applications find without comparing letters, as they ask for it by a constant.
fn interned(py: Python<'_>, name: &[u8], text: Py<PyString>) -> Py<PyString> {
    match str::from_utf8(name) {
        Ok(name) if name.is_ascii() => PyString::intern(py, name).unbind(),
        _ => text,
    }
}

/// A str that `open` takes for the file of this name.
fn path<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    if bytes.is_ascii() {
        latin1(py, bytes)
    } else {
        OsStr::from_bytes(bytes).into_pyobject(py).map_err(Into::into)
    }
}

/// A str of these bytes as Latin-1.
pub(crate) fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let start = NonNull::from(bytes).cast();
    let len = bytes.len() as ffi::Py_ssize_t;
    // SAFETY: pointer and length are those of a slice, whose length fits isize; NULL means the default error handling.
    let text = unsafe { ffi::PyUnicode_DecodeLatin1(start.as_ptr(), len, std::ptr::null()) };
    // SAFETY: the result is a new reference, or NULL with an exception set.
    let text = unsafe { Bound::from_owned_ptr_or_err(py, text) }?;
    // SAFETY: the call makes nothing but str.
    Ok(unsafe { text.cast_into_unchecked() })
}

/// Sets an entry of a dict.
pub(crate) fn set<'py>(
    dict: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
    value: &Bound<'py, PyAny>,
) -> PyResult<()> {
    // SAFETY: three live objects, the first a dict; the call takes references of its own.
    let result = unsafe { ffi::PyDict_SetItem(dict.as_ptr(), name.as_ptr(), value.as_ptr()) };
    if result < 0 { Err(PyErr::fetch(dict.py())) } else { Ok(()) }
}
