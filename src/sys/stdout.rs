//! The original stdout of this program. The standard library opens /dev/null if a standard stream is closed, and treats
//! a write that fails with EBADF as a success: output would be lost silently.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

/// Whether stdout was closed when the program started.
static CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    // SAFETY: F_GETFD takes no pointer and accepts any number.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    CLOSED.store(flags < 0, Ordering::Relaxed);
}

/// The dynamic linker calls the functions in this section before the standard library starts.
#[used]
// SAFETY: the section is an array of C functions; this one ignores its arguments and makes one system call.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Writes everything to stdout, bypassing the buffers of the standard library. `EBADF`: stdout is closed or not
/// writable; `EPIPE`: its reader has closed it (SIGPIPE is ignored, as in every Rust program).
pub fn write_all(mut bytes: &[u8]) -> Result<(), Errno> {
    let stdout = io::stdout().lock();
    if CLOSED.load(Ordering::Relaxed) && !bytes.is_empty() {
        return Err(Errno::EBADF);
    }
    while !bytes.is_empty() {
        match nix::unistd::write(stdout.as_fd(), bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
