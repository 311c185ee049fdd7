//! HTTP's rules for the front door that a worker opens itself, without I/O: nothing here knows a socket, a file or
//! Python, so that all of it is tested without any.
//!
//! - [`date`]: the `Date` header and the dates that clients send.

#![forbid(unsafe_code)]

pub mod date;
