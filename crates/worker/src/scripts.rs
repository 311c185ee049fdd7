//! The scripts that applications are loaded from.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use md5::{Digest, Md5};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::{MutexExt, OnceLockExt};
use pyo3::types::{PyBytes, PyDict, PyModule, PyString};

use crate::exchange::INFO;
use crate::quick::BuildQuick;
use crate::retry::Failed;
use crate::trouble::{self, Step};
use crate::worker::worker;

/// The scripts of this worker.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    fold_case: bool,
    table: Mutex<HashMap<Vec<u8>, Entry, BuildQuick>>,
    /// Held while a script is loaded: one at a time.
    loading: Mutex<()>,
}

#[derive(Debug, Clone)]
enum Entry {
    Loaded(Arc<Script>),
    Failed(Failed),
}

/// A script that was loaded.
#[derive(Debug)]
pub(crate) struct Script {
    names: Py<PyDict>,
    /// Where it was loaded from.
    path: Vec<u8>,
    /// The callable's name that was asked for first, hardly ever another: made once as a Python string.
    name: OnceLock<(Vec<u8>, Py<PyString>)>,
    /// Its modification time in microseconds since 1970, as it was before it was read.
    pub(crate) mtime: u64,
    /// Whether it has said that it wants to be loaded anew: once is enough.
    stale: AtomicBool,
}

/// What asking for a script led to.
pub(crate) enum Found {
    /// It is loaded.
    Loaded(Arc<Script>),
    /// It has just been loaded.
    New(Arc<Script>),
    /// It cannot be loaded, as has just turned out.
    Failed(Failed),
    /// It could not be loaded before, and nothing has changed.
    StillFailed(Failed),
    /// It could not be loaded before; now a fresh process should try.
    TryAgain(Failed),
}

impl Script {
    /// The callable of this name, as it is now.
    pub(crate) fn callable<'py>(
        &self,
        py: Python<'py>,
        name: &[u8],
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let text = || String::from_utf8_lossy(name);
        let (known, kept) = self.name.get_or_init_py_attached(py, || {
            (name.to_vec(), PyString::intern(py, &text()).unbind())
        });
        let names = self.names.bind(py);
        if known == name { names.get_item(kept) } else { names.get_item(&*text()) }
    }

    /// Whether another process is to load it anew: its own `reload_required(path)` says so, or it has taken its
    /// `__mtime__` away (both as in mod_wsgi). It is asked until it says so for the first time.
    pub(crate) fn wants_reload(&self, py: Python<'_>, path: &[u8]) -> PyResult<bool> {
        let names = self.names.bind(py);
        let wanted = match names.get_item(intern!(py, "reload_required"))? {
            _ if !names.contains(intern!(py, "__mtime__"))? => true,
            None => return Ok(false),
            Some(_) if self.stale.load(Ordering::Relaxed) => return Ok(false),
            Some(ask) => ask.call1((OsStr::from_bytes(path),))?.is_truthy()?,
        };
        Ok(wanted && !self.stale.swap(true, Ordering::Relaxed))
    }
}

impl Scripts {
    /// The scripts of a worker; `fold_case`: paths that differ in upper and lower case name the same one.
    pub(crate) fn new(fold_case: bool) -> Self {
        Self { fold_case, ..Self::default() }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Entry, BuildQuick>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The script of this path, which is loaded if it was not tried before.
    pub(crate) fn find(&self, py: Python<'_>, path: &[u8]) -> Found {
        if self.fold_case {
            return self.find_as(py, path, &path.to_ascii_lowercase());
        }
        self.find_as(py, path, path)
    }

    /// The script that is known under `name`, which is loaded from `path` if it was not tried before.
    fn find_as(&self, py: Python<'_>, path: &[u8], name: &[u8]) -> Found {
        if let Some(found) = self.known(path, name) {
            return found;
        }
        let _one = self.loading.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.known(path, name) {
            return found;
        }
        announce(py, path);
        let loaded = load(py, path, name);
        let entry = match &loaded {
            Ok(script) => Entry::Loaded(script.clone()),
            Err(failed) => Entry::Failed(failed.clone()),
        };
        self.table().insert(name.to_vec(), entry);
        loaded.map_or_else(Found::Failed, Found::New)
    }

    fn known(&self, path: &[u8], name: &[u8]) -> Option<Found> {
        let mut table = self.table();
        match table.get_mut(name)? {
            Entry::Loaded(script) => Some(Found::Loaded(script.clone())),
            Entry::Failed(failed) => {
                let again = failed.is_due(modified(path), Instant::now());
                Some(if again {
                    Found::TryAgain(failed.clone())
                } else {
                    Found::StillFailed(failed.clone())
                })
            }
        }
    }

    /// All scripts that are loaded, with their modification times.
    pub(crate) fn loaded(&self) -> Vec<(Vec<u8>, u64)> {
        let table = self.table();
        let loaded = table.values().filter_map(|entry| match entry {
            Entry::Loaded(script) => Some((script.path.clone(), script.mtime)),
            Entry::Failed(_) => None,
        });
        loaded.collect()
    }
}

/// Says in the log which script is loaded where, as mod_wsgi does.
fn announce(py: Python<'_>, path: &[u8]) {
    let Some(worker) = worker() else { return };
    let text =
        format!("Loading WSGI script '{}' into {}.", path.escape_ascii(), worker.interpreter());
    py.detach(|| worker.log(INFO, &text));
}

/// The modification time of a file in microseconds since 1970, 0 when it cannot be read.
pub(crate) fn modified(path: &[u8]) -> u64 {
    let metadata = std::fs::metadata(Path::new(OsStr::from_bytes(path)));
    metadata.map_or(0, |metadata| {
        let micros = metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1000;
        u64::try_from(micros).unwrap_or(0)
    })
}

fn load(py: Python<'_>, path: &[u8], name: &[u8]) -> Result<Arc<Script>, Failed> {
    let mtime = modified(path);
    let mut step = Step::Compile;
    match execute(py, path, name, mtime, &mut step) {
        Ok(names) => {
            let (name, stale) = (OnceLock::new(), AtomicBool::new(false));
            Ok(Arc::new(Script { names, path: path.to_vec(), name, mtime, stale }))
        }
        Err(error) => {
            let report = trouble::load_report(py, path, step, &error);
            Err(Failed::new(mtime, report, Instant::now()))
        }
    }
}

/// Runs a script that nobody asks for anything, under mod_wsgi's name for it.
pub(crate) fn execute_alone(py: Python<'_>, path: &[u8]) -> PyResult<Py<PyDict>> {
    execute(py, path, path, modified(path), &mut Step::Compile)
}

/// Runs a script in a module of its own. No frame of ours appears in its tracebacks.
fn execute(
    py: Python<'_>,
    path: &[u8],
    name: &[u8],
    mtime: u64,
    step: &mut Step,
) -> PyResult<Py<PyDict>> {
    let file = OsStr::from_bytes(path);
    let source = std::fs::read(file).map_err(|error| {
        let about = (error.raw_os_error().unwrap_or(0), message(&error), file);
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                pyo3::exceptions::PyFileNotFoundError::new_err(about_args(py, about))
            }
            _ => pyo3::exceptions::PyOSError::new_err(about_args(py, about)),
        }
    })?;
    // Not by Python's hashlib, which brings all of OpenSSL into a worker that may have no other use for it.
    let digest = Md5::digest(name);
    let name =
        digest.iter().fold("_mod_wsgi_".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    let code = compile(py, &source, file)?;
    let module = new_module(py, &name, file)?;
    let modules = py.import("sys")?.getattr("modules")?;
    modules.set_item(&name, &module)?;
    let names = module.dict();
    names.set_item(intern!(py, "__mtime__"), mtime)?;
    *step = Step::Execute;
    let ran = py.import("builtins")?.getattr("exec")?.call1((code, &names));
    if let Err(error) = ran {
        modules.del_item(&name)?;
        return Err(error);
    }
    Ok(names.unbind())
}

fn message(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

fn about_args(py: Python<'_>, about: (i32, String, &OsStr)) -> Py<PyAny> {
    // A tuple of an int and two strings can always be made, but for want of memory.
    about.into_pyobject(py).map_or_else(|_| py.None(), |tuple| tuple.into_any().unbind())
}

fn compile<'py>(py: Python<'py>, source: &[u8], file: &OsStr) -> PyResult<Bound<'py, PyAny>> {
    let options = PyDict::new(py);
    options.set_item("dont_inherit", true)?;
    let arguments = (PyBytes::new(py, source), file, "exec");
    py.import("builtins")?.getattr("compile")?.call(arguments, Some(&options))
}

/// An empty module that knows its file, so that `importlib.resources` and the like find their way. The functions are those that
/// `importlib.util` shows, which itself brings modules that the application may have no use for.
fn new_module<'py>(py: Python<'py>, name: &str, file: &OsStr) -> PyResult<Bound<'py, PyModule>> {
    let (inner, outer) =
        (py.import("importlib._bootstrap")?, py.import("importlib._bootstrap_external")?);
    let loader = outer.getattr("SourceFileLoader")?.call1((name, file))?;
    let options = PyDict::new(py);
    options.set_item("loader", loader)?;
    let specify = outer.getattr("spec_from_file_location")?;
    let spec = specify.call((name, file), Some(&options))?;
    Ok(inner.call_method1("module_from_spec", (spec,))?.cast_into()?)
}
