//! TLS for the front door that a worker opens itself, by `rustls`.
//!
//! - [`config`]: from a certificate and its key to what connections are made with, in words that operators understand.
//! - [`session`]: one connection over a socket that does not block, for loops that are told when it is ready.

#![forbid(unsafe_code)]

pub mod config;
pub mod session;

pub use config::{BadPair, Settings, check, settings};
pub use session::{Came, Failure, Session};
