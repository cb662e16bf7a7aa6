//! Whose terminal it is, by plain numbers: within a PID namespace a session or a process group from outside of it reads
//! as 0 (pid_namespaces(7)), for which rustix has no type.

use std::os::fd::{AsFd, AsRawFd};

/// Whether it is the controlling terminal of this process's session.
pub fn is_controlling(terminal: impl AsFd) -> bool {
    // SAFETY: integers only.
    let (of_terminal, ours) = unsafe { (libc::tcgetsid(terminal.as_fd().as_raw_fd()), libc::getsid(0)) };
    of_terminal >= 0 && of_terminal == ours
}

/// Whether this process's group is in the foreground of the terminal; true where that cannot be known, as of a terminal
/// that is not the controlling one.
pub fn is_foreground(terminal: impl AsFd) -> bool {
    // SAFETY: integers only.
    let (foreground, ours) = unsafe { (libc::tcgetpgrp(terminal.as_fd().as_raw_fd()), libc::getpgrp()) };
    foreground < 0 || foreground == ours
}
