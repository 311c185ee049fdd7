//! HTTP's rules for the front door that a worker opens itself, without I/O: nothing here knows a socket, a file or
//! Python, so that all of it is tested without any.
//!
//! - [`head`], [`body`]: a request as it comes; [`refusal`]: what is none. [`environ`]: what applications see of it.
//! - [`answer`]: the head of an answer and how its body is framed.
//! - [`http2`]: what is different about both by HTTP/2.
//! - [`date`]: the `Date` header and the dates that clients send.
//! - [`statics`]: files that are served without the application; [`health`]: the health path; both make a [`plan`].
//! - [`access`]: lines of the access log. [`proxies`]: who is believed to have sent a request.

#![forbid(unsafe_code)]

pub mod access;
pub mod answer;
pub mod body;
pub mod date;
pub mod environ;
pub mod head;
pub mod health;
pub mod http2;
pub mod plan;
pub mod proxies;
pub mod refusal;
pub mod statics;
