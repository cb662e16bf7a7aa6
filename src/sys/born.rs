//! What Rust's runtime changes before `main`, seen before it does: it sets SIGPIPE to ignored, catches SIGSEGV and
//! SIGBUS (stack overflow messages), and opens /dev/null where fd 0, 1 or 2 is closed (std::rt). A process that
//! reports how it was born must know.

use std::sync::atomic::{AtomicU8, Ordering};

/// SIGPIPE was ignored when this process was executed.
const SIGPIPE_IGNORED: u8 = 8;

/// Bits 0 to 2: that fd was closed; [`SIGPIPE_IGNORED`].
static BORN: AtomicU8 = AtomicU8::new(0);

/// Run by the C library on the main thread, before Rust's runtime and before any other thread is.
extern "C" fn look() {
    let mut born = 0;
    for fd in 0..3 {
        // SAFETY: fcntl(F_GETFD) takes a plain number and only reads; EBADF says that the fd is closed.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            born |= 1 << fd;
        }
    }
    // SAFETY: sigaction is a C struct of integers and pointers, for which all zeros is a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null new action only asks; `action` is a live local to be written to.
    let asked = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut action) };
    if asked == 0 && action.sa_sigaction == libc::SIG_IGN {
        born |= SIGPIPE_IGNORED;
    }
    BORN.store(born, Ordering::Relaxed);
}

// SAFETY: `.init_array` holds pointers to functions with C calling convention, which this is; the function touches an
// atomic of this crate and makes two kinds of system call, nothing that needs a runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Whether SIGPIPE was ignored when this process was executed.
pub fn sigpipe_ignored() -> bool {
    BORN.load(Ordering::Relaxed) & SIGPIPE_IGNORED != 0
}

/// Whether `fd` was closed when this process was executed (0, 1 and 2; the runtime has opened them since).
pub fn was_closed(fd: i32) -> bool {
    (0..3).contains(&fd) && BORN.load(Ordering::Relaxed) & (1 << fd) != 0
}
