//! The process manager: states, transitions, timers.
