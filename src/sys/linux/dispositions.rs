//! Resets every signal of a child to its default action, with raw system calls only.

use std::ptr;

use libc::c_int;

/// The last signal number (signal(7): SIGRTMAX).
const LAST_SIGNAL: c_int = 64;
/// The size of the kernel's signal set, in bytes.
pub(super) const SIGSET_BYTES: usize = 8;

/// The signals that may be ignored or handled in the child.
#[derive(Clone, Copy)]
pub(super) enum Signals {
    /// The kernel has reset the handlers; these are ignored, signal 1 in bit 0.
    Ignored(u64),
    /// Unknown: the action of each signal has to be read.
    Unknown,
}

/// The kernel's own sigaction, on machines where it has a restorer; here all zero except for the handler.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// Resets every signal to its default. The child has its own table (no CLONE_SIGHAND). Handlers are reset too, although
/// exec would do it: one could run in the host's memory as soon as signals are unblocked.
pub(super) fn reset_signal_actions(signals: Signals) {
    let default = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    for signal in 1..=LAST_SIGNAL {
        let reset = match signals {
            Signals::Ignored(set) => set & (1 << (signal - 1)) != 0,
            Signals::Unknown => !has_default_action(signal),
        };
        if reset {
            let none = ptr::null_mut::<KernelSigaction>();
            // SAFETY: the structure is the kernel's and lives on this stack.
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, none, SIGSET_BYTES) };
        }
    }
}

/// Whether the signal has its default action, as SIGKILL and SIGSTOP always do.
fn has_default_action(signal: c_int) -> bool {
    let mut now = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    let none = ptr::null::<KernelSigaction>();
    // SAFETY: the structure is the kernel's and lives on this stack.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut now, SIGSET_BYTES) };
    now.handler == libc::SIG_DFL
}
