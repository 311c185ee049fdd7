//! What Pinion's deployment commands do: find the project, generate its files for Apache, warn of
//! what is missing.
//!
//! A command begins with a [`Deployment`]: a [`project::Project`] recognised from its own files,
//! [`settings::Settings`] from the command line, `pinion.toml` and the defaults, and a
//! [`layout::Layout`] of all paths. What is missing is a [`finding::Finding`]; what goes wrong is a
//! [`error::DeployError`].

#![forbid(unsafe_code)]

pub mod account;
pub mod apache;
pub mod check;
mod copy;
mod deployment;
pub mod env;
pub mod error;
pub mod finding;
pub mod folder;
pub mod generation;
pub mod ini;
pub mod interrupt;
pub mod keep;
pub mod layout;
pub mod make_config;
pub mod parameters;
mod place;
pub mod plan;
pub mod project;
pub mod render;
pub mod settings;
pub mod sight;
pub mod steps;
pub mod store;
pub mod tool;
pub mod values;
pub mod warnings;
pub mod write;

pub use deployment::Deployment;
pub use error::{DeployError, Exit};
pub use finding::Finding;
