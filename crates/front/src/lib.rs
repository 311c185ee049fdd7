//! The front door's side of the protocol: choosing a worker, connections, replay.
//!
//! A front door (Apache's child with the module; the HTTP server) builds a request frame, implements
//! [`Client`] for the request at hand, and calls [`Front::serve`]. Which worker answers, what to do when it
//! dies, and how long to wait is decided here; nothing here knows Apache.
//!
//! What a front door needs before its first request is here too: [`installation`] finds Pinion's files,
//! [`resolve`] turns a configuration into the manager's settings, [`Supervisor`] starts the manager.

#![forbid(unsafe_code)]

pub mod accounts;
mod areas;
mod client;
mod door;
mod greeting;
pub mod installation;
mod pool;
mod queue;
mod relay;
pub mod resolve;
mod route;
mod serve;
mod supervisor;

pub use client::{BodyFault, Client, Gone};
pub use door::{Door, DoorError};
pub use serve::{Front, Outcome, Request, Trouble};
pub use supervisor::{Inheritance, Supervisor, SupervisorError, no_log};
