//! The session and foreground process group of a terminal, as plain numbers: inside a PID namespace, a session or group
//! from outside reads as 0 (pid_namespaces(7)), which rustix's types cannot represent.

use std::os::fd::{AsFd, AsRawFd};

/// Whether this terminal is the controlling terminal of this process's session.
pub fn is_controlling(terminal: impl AsFd) -> bool {
    // SAFETY: integers only.
    let (of_terminal, ours) = unsafe { (libc::tcgetsid(terminal.as_fd().as_raw_fd()), libc::getsid(0)) };
    of_terminal >= 0 && of_terminal == ours
}

/// Whether this process's group is the terminal's foreground group. True if that is unknown, as for a terminal that is
/// not the controlling one.
pub fn is_foreground(terminal: impl AsFd) -> bool {
    // SAFETY: integers only.
    let (foreground, ours) = unsafe { (libc::tcgetpgrp(terminal.as_fd().as_raw_fd()), libc::getpgrp()) };
    foreground < 0 || foreground == ours
}
