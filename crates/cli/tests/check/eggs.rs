//! A zipped egg with a compiled module, which is unpacked into the egg cache.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinion_testbed::{Site, http, python, run, venv};

use crate::support::{check, staged, write};

const EXTENSION: &str = r#"
#include <Python.h>

static PyObject *answer(PyObject *self, PyObject *unused)
{
    return PyLong_FromLong(42);
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "compiled", NULL, -1, methods};

PyMODINIT_FUNC PyInit_compiled(void)
{
    return PyModule_Create(&module);
}
"#;

const SETUP: &str = "\
from setuptools import Extension, setup

setup(name='compiled', version='1.0', zip_safe=True, ext_modules=[Extension('compiled', ['compiled.c'])])
";

/// Builds the egg; returns it and the virtualenv for it.
fn egg(folder: &Path) -> (PathBuf, venv::Venv) {
    // Newer ones make no eggs.
    let venv = venv::ensure("eggs", &python::system().unwrap(), &["setuptools<80"]).unwrap();
    write(folder, "source/compiled.c", EXTENSION);
    write(folder, "source/setup.py", SETUP);
    let mut build = Command::new(venv.python());
    build.current_dir(folder.join("source")).args(["setup.py", "-q", "bdist_egg"]);
    run(&mut build).unwrap();
    let eggs = fs::read_dir(folder.join("source/dist")).unwrap();
    let egg = eggs.map(|entry| entry.unwrap().path()).find(|path| path.is_file()).unwrap();
    (egg, venv)
}

#[test]
fn a_zipped_egg_with_a_compiled_module_is_loaded_through_the_egg_cache() {
    let mut site = Site::new(staged()).unwrap();
    let root = site.root().to_owned();
    let (egg, venv) = egg(&root);
    let script = format!(
        "import sys\nsys.path.insert(0, {egg:?})\nimport compiled\n\n\
         def application(environ, start_response):\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [('%d %s' % (compiled.answer(), compiled.__file__)).encode()]\n"
    );
    let script = write(&root, "egg.wsgi", &script);
    let cache = site.writable_folder("python-eggs").unwrap();
    let configuration = format!(
        "WSGIDaemonProcess eggs python-home={} python-eggs={}\n\
         WSGIScriptAlias / {} process-group=eggs application-group=%{{GLOBAL}}\n",
        venv.home.display(),
        cache.display(),
        script.display()
    );
    site.config(&configuration);
    let mut apache = site.start().unwrap();
    let answer = http::get(&apache.url("/")).unwrap().text();
    let expected = format!("42 {}/", cache.display());
    assert!(answer.starts_with(&expected), "{answer}; {}", apache.log().tail());
    apache.stop().unwrap();

    // Where the cache cannot be written, the check says so, with the application's own error.
    fs::remove_dir_all(&cache).unwrap();
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
    let part = write(&root, "part.conf", &configuration);
    let found = check(&[part.to_str().unwrap()]);
    assert!(found.stdout.contains("PIN0114"), "{}", found.output());
    assert!(found.stdout.contains("PIN0204"), "{}", found.output());
    assert!(found.stdout.contains("ExtractionError"), "{}", found.output());
}
