//! The front door's side of the protocol: choosing a worker, connections, replay.
//!
//! A front door (Apache's child with the module; the HTTP server) builds a request frame, implements
//! [`Client`] for the request at hand, and calls [`Front::serve`]. Which worker answers, what to do when it
//! dies, and how long to wait is decided here; nothing here knows Apache.

#![forbid(unsafe_code)]

mod client;
mod door;
mod greeting;
mod pool;
mod queue;
mod relay;
mod route;
mod serve;

pub use client::{BodyFault, Client, Gone};
pub use door::{Door, DoorError};
pub use serve::{Front, Outcome, Request, Trouble};
