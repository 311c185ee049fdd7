//! Frames and messages between front doors, manager and workers.
