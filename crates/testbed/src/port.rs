//! Free ports, kept apart between parallel tests.

use crate::Error;
use crate::place::{Lock, testbed_dir};
use std::net::TcpListener;

/// Below the kernel's ephemeral range, so that no client's own port takes a server's.
const FIRST: u16 = 18_000;
const LAST: u16 = 31_999;

/// A port of 127.0.0.1 that nobody listens on and no other test has taken.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: Lock,
}

impl Port {
    /// Takes a free port until dropped.
    ///
    /// # Errors
    /// None is free, or the testbed's folder cannot be made.
    pub fn take() -> Result<Self, Error> {
        let dir = testbed_dir()?.join("ports");
        std::fs::create_dir_all(&dir).map_err(Error::io(format!("making {}", dir.display())))?;
        let span = u32::from(LAST - FIRST) + 1;
        let start = std::process::id().wrapping_mul(37) % span;
        for step in 0..span {
            let offset = u16::try_from((start + step) % span).unwrap_or(0);
            let number = FIRST + offset;
            let Some(lock) = Lock::try_take(&dir.join(number.to_string()))? else { continue };
            if TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(Error::NoPort { first: FIRST, last: LAST })
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
