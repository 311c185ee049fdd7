//! WSGI's rules without I/O.
