//! `wsgi.file_wrapper`: files that the front door sends by itself.

use std::os::fd::BorrowedFd;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

/// The size of blocks when the application does not say one.
const BLOCK: isize = 8192;

/// A file-like object as an iterable (PEP 3333, "Optional Platform-Specific File Handling").
#[pyclass(module = "mod_wsgi", frozen, subclass)]
pub(crate) struct FileWrapper {
    #[pyo3(get)]
    filelike: Py<PyAny>,
    #[pyo3(get)]
    blksize: isize,
}

/// A file that can be sent without being read here.
pub(crate) struct Sendable {
    /// Its descriptor, which the file-like object owns.
    pub(crate) descriptor: i32,
    /// Where it stands.
    pub(crate) offset: u64,
    /// How much is left of it.
    pub(crate) left: u64,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (*arguments, **keywords))]
    fn new(arguments: &Bound<'_, PyTuple>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let keyword = |name: &str| keywords.map_or(Ok(None), |keywords| keywords.get_item(name));
        let positional = |index: usize| arguments.get_item(index).ok();
        if arguments.len() > 2 {
            let text =
                format!("FileWrapper() takes at most 2 arguments ({} given)", arguments.len());
            return Err(PyTypeError::new_err(text));
        }
        let Some(filelike) = positional(0).or(keyword("filelike")?) else {
            return Err(PyTypeError::new_err(
                "FileWrapper() missing required argument 'filelike' (pos 1)",
            ));
        };
        let blksize = match positional(1).or(keyword("blksize")?) {
            Some(size) => size.extract()?,
            None => BLOCK,
        };
        Ok(Self { filelike: filelike.unbind(), blksize })
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let block = self.filelike.bind(py).call_method1("read", (self.blksize,))?;
        let Ok(bytes) = block.cast::<PyBytes>() else {
            let kind = block.get_type().name()?;
            let text = format!("file like object yielded non bytes value of type {kind}");
            return Err(PyTypeError::new_err(text));
        };
        Ok((!bytes.as_bytes().is_empty()).then_some(block))
    }

    /// Closes the file-like object, if it can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let filelike = self.filelike.bind(py);
        if let Ok(close) = filelike.getattr("close") {
            close.call0()?;
        }
        Ok(())
    }
}

impl FileWrapper {
    /// What can be sent without being read here; `None` when the object is no regular file, or will not say
    /// where it stands: then it is iterated.
    pub(crate) fn sendable(&self, py: Python<'_>) -> Option<Sendable> {
        let filelike = self.filelike.bind(py);
        // Whatever these raise, reading the object will raise too, and then it is reported.
        let descriptor: i32 = filelike.call_method0("fileno").ok()?.extract().ok()?;
        let offset: u64 = filelike.call_method0("tell").ok()?.extract().ok()?;
        if descriptor < 0 {
            return None;
        }
        // SAFETY: the object says that it owns this descriptor, and it lives while `self` does.
        let file = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let metadata = std::fs::File::from(file.try_clone_to_owned().ok()?).metadata().ok()?;
        let left = metadata.len().saturating_sub(offset);
        metadata.is_file().then_some(Sendable { descriptor, offset, left })
    }
}
