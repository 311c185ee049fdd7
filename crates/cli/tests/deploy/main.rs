//! `pinion deploy`: what it generates, what it says, and that Apache serves it.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

mod asked;
mod configtest;
mod generated;
mod said;
mod served;
mod support;
