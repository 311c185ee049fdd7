//! `pinion check` on real applications, with the staged Pinion.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

mod configurations;
mod django;
mod eggs;
mod ini;
mod support;
mod widgets;
