//! Settings of the memory allocator.

/// Uses one heap for all threads; by default the C library makes up to eight for each core. The memory that a burst of
/// helpers has used is then in one place and is returned to the system. Call this before any thread is started.
pub fn keep_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a parameter of the allocator (mallopt(3)); no other thread runs yet. If it fails, nothing has
    // changed.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
