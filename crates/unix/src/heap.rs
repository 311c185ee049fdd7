//! How the C library keeps memory.

/// Blocks up to this size come from the heap, not from the kernel each, in bytes.
#[cfg(target_env = "gnu")]
const FROM_HEAP: nix::libc::c_int = 8 * 1024 * 1024;
/// So much of a heap's free end is kept, in bytes.
#[cfg(target_env = "gnu")]
const KEPT: nix::libc::c_int = 16 * 1024 * 1024;

/// Has memory that was given back be kept for the next request. The C library otherwise gives a block of a megabyte back to
/// the kernel, whose next owner then has each of its pages made and cleared anew: that costs more than all else about such a request.
pub fn keep() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in
        [(nix::libc::M_MMAP_THRESHOLD, FROM_HEAP), (nix::libc::M_TRIM_THRESHOLD, KEPT)]
    {
        // SAFETY: the call takes any two numbers, and refuses what it does not know.
        unsafe { nix::libc::mallopt(parameter, value) };
    }
}

/// Gives free memory back once, such as what loading an application has needed for a while.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes no pointer, and locks what it looks at.
    unsafe {
        nix::libc::malloc_trim(0)
    };
}
