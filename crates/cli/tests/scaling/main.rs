//! Several hosts of `pinion serve` behind Apache's balancer, configured as in `examples/balancer`, each in a network namespace.

#![expect(clippy::unwrap_used, reason = "a test ends where something cannot be had")]

mod cut;
mod load;
mod manifest;
mod rolling;
mod site;
mod world;
