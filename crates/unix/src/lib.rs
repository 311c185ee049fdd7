//! Processes, signals, descriptors, credentials and shared memory.
