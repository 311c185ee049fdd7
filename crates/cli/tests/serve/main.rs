//! `pinion serve`, run as a user runs it: the staged program, real applications, real signals.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

mod addresses;
mod apache;
mod files;
mod limits;
mod messages;
mod options;
mod reload;
mod setup;
mod signals;
mod targets;
mod tls;
mod world;
