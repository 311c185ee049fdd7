//! The same application under a private Apache with mod_pinion.
//!
//! - [`installed`]: Apache's program and modules. [`configuration`]: the options in Apache's words, and those that it has no words for.
//! - [`json`]: the program that makes JSON of Apache's access log.
//! - [`parent`]: the process that starts it, and hands it signals.

pub mod configuration;
pub mod installed;
pub mod json;
pub mod parent;

pub use parent::{print, serve};
