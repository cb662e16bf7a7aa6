//! State that Rust's runtime changes before `main`, read before it does so: the runtime ignores SIGPIPE, catches
//! SIGSEGV and SIGBUS (stack overflow messages), and opens /dev/null if fd 0, 1 or 2 is closed (std::rt). The probe
//! needs the original state.

use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

/// The bit for a SIGPIPE that was ignored when this process was executed.
const SIGPIPE_IGNORED: u8 = 8;

/// Bits 0 to 2: that fd was closed when this process was executed. Bit 3: [`SIGPIPE_IGNORED`].
static STARTUP: AtomicU8 = AtomicU8::new(0);

/// The number of seccomp filters that this process was executed with; -1 if unknown.
static FILTERS: AtomicI32 = AtomicI32::new(-1);

/// Called by the C library on the main thread, before Rust's runtime starts and before any other thread exists.
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
    STARTUP.store(born, Ordering::Relaxed);
    FILTERS.store(count_filters(), Ordering::Relaxed);
}

/// `Seccomp_filters` of /proc/self/status if this is the process's only thread; else -1, and before Linux 5.9 too. If
/// this code is in a library that is loaded later, there may be threads with different filters.
fn count_filters() -> i32 {
    // SAFETY: it only reads. Strict seccomp mode, where the call would be fatal, cannot be in force here.
    if unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) } == 0 {
        return 0;
    }
    let mut status = [0u8; 8192];
    // SAFETY: a constant path, a buffer that lives on this stack with its own length, and the descriptor is closed.
    let length = unsafe {
        let fd = libc::open(c"/proc/self/status".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return -1;
        }
        let length = libc::read(fd, status.as_mut_ptr().cast(), status.len());
        libc::close(fd);
        length
    };
    let status = &status[..usize::try_from(length).unwrap_or(0)];
    match (number(status, b"Threads:"), number(status, b"Seccomp_filters:")) {
        (Some(1), Some(filters)) => filters,
        _ => -1,
    }
}

/// The decimal number in a line of a status. It neither allocates nor panics, since it runs before `main`.
fn number(status: &[u8], name: &[u8]) -> Option<i32> {
    let value = status.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name))?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

// SAFETY: `.init_array` holds pointers to functions with C calling convention, which this is; the function touches
// atomics of this crate and makes a few system calls, nothing that needs a runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// The number of seccomp filters that this process was executed with, if known. A thread with this number has no
/// others.
pub fn filters() -> Option<u32> {
    u32::try_from(FILTERS.load(Ordering::Relaxed)).ok()
}

/// Whether SIGPIPE was ignored when this process was executed.
pub fn sigpipe_ignored() -> bool {
    STARTUP.load(Ordering::Relaxed) & SIGPIPE_IGNORED != 0
}

/// Whether `fd` was closed when this process was executed (0, 1 and 2; the runtime has opened them since).
pub fn was_closed(fd: i32) -> bool {
    (0..3).contains(&fd) && STARTUP.load(Ordering::Relaxed) & (1 << fd) != 0
}
