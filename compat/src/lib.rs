//! The compatibility cases: each states what mod_wsgi 6.1.1 does, and runs on it and on Pinion.
//!
//! Cases that can share an Apache form a [`Suite`]; the others are given the server and start
//! their own. What surprised us in the original is written down in `docs/mod_wsgi-quirks.md`.
#![forbid(unsafe_code)]

mod cases;
mod context;
mod run;
mod suite;

pub use context::Context;
pub use run::trials;
pub use suite::{Case, Check, Suite};
