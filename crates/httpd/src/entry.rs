//! The boundary that every call from httpd into Rust crosses.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::log::{self, Level};
use crate::process::main_server;

/// Runs `body`; if it panics, logs that and returns `on_panic`, the failure value of the hook
/// named `what`.
///
/// An unwinding panic must not reach httpd's C frames.
pub(crate) fn guard<R>(what: &str, on_panic: R, body: impl FnOnce() -> R) -> R {
    // What a panicking hook has touched is either httpd's, which C code may leave half done as
    // well, or behind a Mutex, which is poisoned.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            log::server(main_server(), Level::Critical, &panic_line(what, payload.as_ref()));
            on_panic
        }
    }
}

fn panic_line(what: &str, payload: &(dyn Any + Send)) -> String {
    let reason = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    format!("a bug in Pinion: {what} panicked: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_named_by_its_message() {
        assert_eq!(
            panic_line("handler", &"index out of bounds"),
            "a bug in Pinion: handler panicked: index out of bounds"
        );
        assert_eq!(
            panic_line("handler", &String::from("x is 3")),
            "a bug in Pinion: handler panicked: x is 3"
        );
        assert_eq!(panic_line("handler", &3_u8), "a bug in Pinion: handler panicked: no message");
    }
}
