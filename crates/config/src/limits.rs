//! What the system grants the processes of a group.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest header that an application may answer with unless `header-buffer-size` is given.
pub const DEFAULT_HEADER: NonZeroU64 = NonZeroU64::MIN.saturating_add(32_767);

/// Limits of one process; `None` leaves what Apache was started with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `RLIMIT_CPU`.
    pub cpu_time: Option<Duration>,
    /// The nice value, from -20 to 20; the system takes 20 as 19.
    pub priority: Option<i32>,
    /// `RLIMIT_DATA` in bytes.
    pub memory: Option<NonZeroU64>,
    /// `RLIMIT_AS` in bytes.
    pub virtual_memory: Option<NonZeroU64>,
    /// The stack of each thread that runs requests, in bytes.
    pub stack: Option<NonZeroU64>,
}

/// Sizes of buffers in bytes; `None` for the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffers {
    /// The socket's, for what a process receives.
    pub receive: Option<NonZeroU64>,
    /// The socket's, for what a process sends.
    pub send: Option<NonZeroU64>,
    /// The longest header of an answer.
    pub header: NonZeroU64,
    /// What mod_wsgi keeps of an answer before it flushes.
    pub response: Option<NonZeroU64>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { receive: None, send: None, header: DEFAULT_HEADER, response: None }
    }
}
