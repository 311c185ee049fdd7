//! The process manager: it starts, watches, replaces and stops the workers.
//!
//! - [`state`]: what it decides, without I/O.
//! - [`shell`]: the loop that tells it what happens and does what it decides.
//! - [`guard`]: the process that ends services when the manager was killed.

#![forbid(unsafe_code)]

pub mod guard;
pub mod shell;
pub mod state;
