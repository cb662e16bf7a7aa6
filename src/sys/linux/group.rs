//! Waits for the rest of a helper's process group after its leader, the helper itself, has ended (UMH-14).

use std::time::Duration;

use nix::errno::Errno;

use super::stat;
use crate::sys::host::{Clock, Micros};

/// Waits until the group of `leader` has no other member, or until the time `until`. Returns the members that are left.
/// The caller keeps the leader unreaped, so that no other group gets its number.
pub(super) fn wait(clock: &dyn Clock, leader: i32, until: Micros) -> Vec<i32> {
    loop {
        let members = members(leader);
        let left = Duration::from_micros(until.saturating_sub(clock.now()));
        let Some(first) = members.first().filter(|_| !left.is_zero()) else { return members };
        stat::wait_for_end(*first, left);
    }
}

/// The living processes of the group without its leader; empty if /proc cannot be read.
fn members(leader: i32) -> Vec<i32> {
    let in_group = stat::all().filter(|(pid, stat)| *pid != leader && stat.group == leader && stat.lives());
    in_group.map(|(pid, _)| pid).collect()
}

/// Whether `pid` is a child of this process that is not reaped: it lives or is a zombie.
pub(super) fn is_unreaped_child(pid: i32) -> bool {
    let options = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG | libc::__WALL;
    // SAFETY: all-zero is a valid siginfo, which lives on this stack. With WNOWAIT nothing changes.
    let asked = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, options)
    };
    asked == 0 || Errno::last() != Errno::ECHILD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_14_a_process_that_is_no_child_is_never_signalled() {
        assert!(!is_unreaped_child(1) || nix::unistd::getppid().as_raw() != 1);
        assert_eq!(super::super::sigchld::kill(nix::unistd::getppid().as_raw(), 0), Err(Errno::ESRCH));
    }
}
