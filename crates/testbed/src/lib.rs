//! Private Apache servers, virtualenvs, clients and load for tests, demo and benchmarks.
//!
//! A [`Site`] collects files and configuration; [`Site::start`] gives a running [`Apache`] of its
//! own on 127.0.0.1, under the event, worker or prefork MPM, with the [`Server`] under test
//! (mod_wsgi or Pinion) loaded as `wsgi_module`. Nothing of the system's Apache configuration is
//! read or changed.
//!
//! ```no_run
//! use pinion_testbed::{Server, Site, http};
//! # fn main() -> Result<(), pinion_testbed::Error> {
//! let mut site = Site::new(&Server::pinion()?)?;
//! let script = site.write("hello.wsgi", "def application(e, s): s('200 OK', []); return [b'hi']")?;
//! site.config(format!("WSGIScriptAlias / {}", script.display()));
//! let mut apache = site.start()?;
//! assert_eq!(http::get(&apache.url("/"))?.text(), "hi");
//! assert!(apache.stop()?.left.is_empty());
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod apache;
mod command;
mod error;
mod express;
pub mod frameworks;
pub mod free_threaded;
pub mod http;
pub mod load;
mod network;
pub mod packages;
mod place;
mod port;
pub mod process;
mod program;
pub mod python;
pub mod raw;
mod server;
mod site;
pub mod tls;
pub mod venv;
mod wait;

pub use apache::{Apache, Log, Stopped};
pub use command::{Finished, run, run_quietly};
pub use error::Error;
pub use express::{Express, Running};
pub use network::Network;
pub use place::{testbed_dir, workspace_root};
pub use port::Port;
pub use program::Program;
pub use server::{MOD_WSGI, Server};
pub use site::{Mpm, Site, VirtualHost};
pub use wait::{poll, wait_until};
