//! HTTP/2 for the front door that a worker opens itself.
//!
//! One thread that knows no Python speaks HTTP/2 with all clients, by `hyper`, and is to the worker's serving threads what a front
//! door outside is: each stream becomes a request frame on a connection of [`pool`], and the frames that come back become
//! its answer. So whatever holds for requests from outside holds for streams.
//!
//! - [`site`]: what the worker says and does. [`thread`]: the thread, and how connections get there.
//! - [`connection`]: a client's connection; [`link`]: its bytes, by TLS; [`activity`]: whether anything goes on there.
//! - [`stream`]: from a request to its answer; [`input`]: the request's body; [`output`], [`pipe`]: the answer's.
//! - [`backend`], [`pool`]: connections to the serving threads; [`exchange`]: one request on such a connection.
//! - [`socket`]: what the runtime waits for; [`sockets`]: all of them.
//! - [`patience`]: ends streams whose client takes nothing. [`clock`]: time for `hyper`.

#![forbid(unsafe_code)]

mod activity;
mod backend;
mod clock;
mod connection;
mod exchange;
mod input;
mod link;
mod output;
mod patience;
mod pipe;
mod pool;
mod site;
mod socket;
mod sockets;
mod stream;
mod thread;

pub use site::{Asked, Settings, Site, Sorted};
pub use sockets::Held;
pub use thread::{Arrival, Handle, start};

/// The protocol's name in ALPN (RFC 9113, section 3.1).
pub const PROTOCOL: &[u8] = b"h2";

/// The lock, whoever has panicked with it.
fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
