//! A user namespace for a process that is not root (user_namespaces(7)).

use std::io;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Moves this process into a new user namespace in which it is root, with every capability there and none more outside.
/// Call it before the first thread is started.
///
/// # Errors
/// `EINVAL` if another thread runs; `EPERM`, `ENOSPC` or `EUSERS` if the machine does not allow it. If the error comes
/// from a file of /proc/self, the process is in the namespace, without capabilities there: it can do less than before,
/// and never more.
pub fn enter() -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    // Without this the kernel refuses a map of groups from a process without privileges.
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}
