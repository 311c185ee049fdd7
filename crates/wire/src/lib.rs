//! Frames, messages and shared pages between front doors, manager and workers.
//!
//! No sockets and no clocks here: bytes in, values out. `ARCHITECTURE.md` says who sends what to whom.
//!
//! - [`frame`]: the header of every frame on a connection between a front door and a worker.
//! - [`request`], [`answer`]: what the frames carry in either direction; [`call`]: functions that are called.
//! - [`area`]: where long blocks of bodies are, while the frames say so.
//! - [`message`]: the messages of the door, the control channel and the reins.
//! - [`board`]: the shared page of worker slots and mounts.
//! - [`status`]: the page on which a worker notes what each of its threads has begun.
//! - [`scoreboard`]: what Apache's children tell workers of Apache's scoreboard.
//! - [`telemetry`]: what workers report to a receiver of mod_wsgi's.

#![forbid(unsafe_code)]

pub mod answer;
pub mod area;
pub mod board;
pub mod call;
pub mod frame;
pub mod message;
mod places;
mod prepared;
mod read;
pub mod request;
pub mod scoreboard;
pub mod status;
pub mod telemetry;

pub use frame::{FrameError, Header, Kind, PROTOCOL_VERSION};
