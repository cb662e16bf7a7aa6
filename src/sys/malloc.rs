//! The memory of the whole program.

/// Keeps one heap for all threads, where the C library would make up to eight for each core: what a burst of helpers
/// leaves behind then lies in one place, and goes back to the system. To be called before there are threads.
pub fn keep_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of the allocator (mallopt(3)); nothing else runs yet. Where it fails nothing has changed.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
