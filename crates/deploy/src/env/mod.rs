//! Virtualenvs: the clean baseline, and an application's with its project installed.

mod baseline;
mod error;
mod install;
mod interpreter;
mod requirements;
mod state;

pub use baseline::{baseline_is_there, make_baseline};
pub use error::EnvError;
pub use install::{Installation, Installer, install};
pub use interpreter::Interpreter;
pub use requirements::{Requirements, undeclared};
pub use state::{State, base_of, packages, state};

/// The name of the file in a virtualenv that tells what it was made from.
pub const STAMP: &str = "pinion-env.json";
