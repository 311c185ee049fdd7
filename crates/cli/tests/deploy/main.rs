//! `pinion deploy`: what it generates, what it says, and that Apache serves it.

mod served;
mod support;
