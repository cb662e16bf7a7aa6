//! The khelper program; everything is in the library of the same name.
#![forbid(unsafe_code)]

/// musl's own allocator returns memory to the system and asks for it again all the time: `khelper log` took four times as
/// long with it. One heap for all threads, as with glibc (`sys::malloc`).
#[cfg(target_env = "musl")]
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> std::process::ExitCode {
    khelper::app::main()
}
