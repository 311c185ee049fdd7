//! WSGI's rules (PEP 3333) without I/O: what an application is shown of a request, and what
//! becomes of its answer. Nothing here knows Apache, Python or a socket, so that the front door
//! and the worker apply the same rules and both are tested without the other.
//!
//! Where the PEP leaves a choice, it is made as mod_wsgi 6.1.1 makes it; where mod_wsgi's own
//! choice would break a client's reading of the answer, it is not, and the rule says so.

#![forbid(unsafe_code)]

pub mod environ;
pub mod headers;
pub mod metrics;
pub mod response;
pub mod status;

pub use headers::{HeaderError, HeaderKind};
pub use response::{Accepted, End, Failure, Response};
pub use status::{Status, StatusError};
