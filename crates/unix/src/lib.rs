//! Processes, signals, descriptors, credentials and shared memory: what Pinion asks of Linux.
//!
//! The functions are safe to call; what is unsafe about the system calls below them is confined here.
//!
//! - [`sockets`]: socket pairs, messages, streams, descriptors that travel.
//! - [`listen`]: sockets on which clients connect.
//! - [`shared`]: pages of atomic words between processes.
//! - [`area`]: memory for bulk bytes between processes.
//! - [`epoll`]: waiting for many descriptors; [`bell`]: rousing a thread that waits for some;
//!   [`lookout`]: looking without going to sleep.
//! - [`signals`]: signals as descriptors, and signals ignored.
//! - [`process`]: starting, reaping and signalling processes; [`title`]: what `ps` shows.
//! - [`heap`]: how the C library keeps memory.
//! - [`program`]: the memory of the running program itself.
//! - [`users`]: accounts; [`clock`]: the time; [`inherited`]: descriptors that came with exec.
//! - [`folder`]: files by names from outside; [`lock`]: who uses a file.

pub mod area;
pub mod bell;
pub mod clock;
pub mod epoll;
pub mod folder;
pub mod heap;
pub mod inherited;
pub mod listen;
pub mod lock;
pub mod lookout;
pub mod process;
pub mod program;
pub mod scheduling;
pub mod shared;
pub mod signals;
pub mod sockets;
mod system;
pub mod title;
pub mod usage;
pub mod users;
