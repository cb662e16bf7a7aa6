//! stdout as it was given to this program. The standard library opens /dev/null where a standard stream is closed, and
//! takes a write that fails with EBADF for one that went well: answers would be lost without a word.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

/// There was no stdout when the program started.
static CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    // SAFETY: F_GETFD takes no pointer, and any number may be asked about.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    CLOSED.store(flags < 0, Ordering::Relaxed);
}

/// The dynamic linker calls what is in this section before the standard library starts.
#[used]
// SAFETY: the section is an array of C functions; ours ignores their arguments and makes one system call.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Writes all of it to stdout, past every buffer of the standard library's. `EBADF`: there is no stdout, or it cannot be
/// written to; `EPIPE`: its reader has gone (SIGPIPE is ignored, as in every Rust program).
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
