//! `pinion deploy --apply` and `pinion undeploy` on real projects, to a private Apache.

#![expect(clippy::unwrap_used, reason = "a test ends where something cannot be had")]

mod django;
mod elsewhere;
mod failing;
mod hostile;
mod hosts;
mod plan;
mod pyramid;
mod rights;
mod turbogears;
mod uv;
mod world;
