//! Tells the code for which kind of Python it is compiled: `cfg(Py_GIL_DISABLED)` for a free-threaded one.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
