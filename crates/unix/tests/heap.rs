//! Memory that is kept; in a process of its own, since it is the process's.

#![cfg(target_env = "gnu")]

use std::hint::black_box;

/// How many blocks the C library has from the kernel, each for itself.
fn from_kernel() -> usize {
    // SAFETY: the call only reads what the C library has counted.
    unsafe { nix::libc::mallinfo2() }.hblks
}

/// Whether a block of a megabyte comes from the kernel.
fn is_from_kernel() -> bool {
    let before = from_kernel();
    let block = black_box(vec![1_u8; 1 << 20]);
    let is_from_kernel = from_kernel() > before;
    drop(block);
    is_from_kernel
}

#[test]
fn large_blocks_come_from_the_heap_once_memory_is_kept() {
    assert!(is_from_kernel());
    pinion_unix::heap::keep();
    assert!(!is_from_kernel());
    // One that is too large for anybody to want it back soon.
    let before = from_kernel();
    let huge = black_box(vec![1_u8; 32 << 20]);
    assert!(from_kernel() > before);
    drop(huge);
}
