//! WSGI's rules without I/O and without Python.
//!
//! - [`environ`]: what of a server's variables an application sees, and how paths are normalised.
//! - [`headers`]: what may stand in a response's headers, and where it goes.

#![forbid(unsafe_code)]

pub mod environ;
pub mod headers;
