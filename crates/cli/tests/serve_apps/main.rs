//! The examples, served by `pinion serve`: as they are, and with `wsgiref.validate` around the application.

#![expect(clippy::unwrap_used, reason = "a test ends where something cannot be had")]

mod django;
mod flask;
mod pyramid;
mod served;
mod turbogears;
