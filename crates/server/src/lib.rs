//! `pinion serve`: the parent of workers that have an HTTP front door of their own.
//!
//! - [`options`]: the one table of options; [`given`]: where they were given; [`settings`]: what they say.
//! - [`target`]: what is to be served; [`script`]: the script by which workers load it; [`python`]: by which Python.
//! - [`bind`]: addresses; [`sockets`]: listening on them, with [`holder`] to say who else does; [`tls`]: the certificate.
//! - [`setup`]: the project's virtualenv, made where that is wanted. [`plan`]: all of that together; [`spec`]: what the manager is told.
//! - [`installation`]: Pinion's own files; [`folder`]: files that go away with the server; [`pid_file`]: the file with the process's
//!   number.
//! - [`manager`]: the manager in a thread of its own; [`parent`]: the loop around it; [`failure`]: what it says when the application
//!   does not load.
//! - [`apache`]: the same under a private Apache.

#![forbid(unsafe_code)]

pub mod apache;
pub mod bind;
pub mod error;
pub mod failure;
pub mod folder;
pub mod given;
pub mod holder;
pub mod installation;
pub mod manager;
pub mod options;
pub mod parent;
pub mod pid_file;
pub mod plan;
pub mod python;
pub mod script;
pub mod settings;
pub mod setup;
pub mod sockets;
pub mod spec;
pub mod target;
pub mod tls;

pub use error::{Exit, Failed};
pub use given::{Given, Origin};
pub use parent::serve;
