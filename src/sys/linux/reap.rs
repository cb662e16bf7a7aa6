//! The end of a helper: it is seen dead, its state is read, and it is reaped; or its status is lost, and what is still
//! available is read (UMH-8, UMH-12).

use std::fs;

use nix::errno::Errno;

use crate::abi::cap::CapSets;
use crate::abi::wait::WaitStatus;
use crate::sys::host::{Ended, Watcher};

use super::proc;

/// `PIDFD_INFO_EXIT` of linux/pidfd.h.
const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// The first version of `struct pidfd_info`: mask, cgroup id, ten ids, exit code.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    ids: [u32; 11],
    exit_code: i32,
}
nix::ioctl_readwrite!(pidfd_get_info, 0xff, 11, PidfdInfo);

/// Waits until `pid` is dead and leaves it a zombie. Returns false if it is no longer a child of this process.
pub(super) fn wait_dead(pid: i32) -> bool {
    loop {
        // SAFETY: all-zero is a valid siginfo; it lives on this stack.
        let waited = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, libc::WEXITED | libc::WNOWAIT | libc::__WALL)
        };
        match Errno::result(waited) {
            Ok(_) => return true,
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// Whether `pid` is dead or no longer a child of this process. Does not reap it.
pub(super) fn is_dead(pid: i32) -> bool {
    // SAFETY: all-zero is a valid siginfo; it lives on this stack. With WNOHANG, no child leaves its pid zero.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG | libc::__WALL;
        libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, flags) != 0 || info.si_pid() == pid
    }
}

/// Reads the sets of a dead helper from its `status`, calls the watcher, and reaps. `started` are the sets read while
/// it ran. Also returns its page faults.
pub(super) fn reap(
    pid: i32,
    pidfd: i32,
    status: Option<fs::File>,
    started: Option<CapSets>,
    watcher: &mut dyn Watcher,
) -> (Ended, u64) {
    // A zombie still shows its sets, which cannot change any more. A helper that the host has reaped shows none.
    let caps = status.and_then(proc::sets_in);
    watcher.about_to_reap();
    let mut ended = Ended::default();
    let mut raw = 0;
    // SAFETY: all-zero is a valid rusage; both live on this stack.
    let (reaped, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        loop {
            let reaped = libc::wait4(pid, &raw mut raw, libc::__WALL, &raw mut usage);
            // It is dead, but a tracer may still hold it; then a signal handler of the host may interrupt this wait.
            if reaped >= 0 || Errno::last() != Errno::EINTR {
                break (reaped, usage);
            }
        }
    };
    if reaped == pid {
        // It was our child until now, so the pid was not reused when its state was read.
        (ended.caps, ended.caps_started) = (caps, started);
        ended.status = Some(WaitStatus::from_raw(raw));
        ended.cpu_us = micros(usage.ru_utime) + micros(usage.ru_stime);
        ended.max_rss_kib = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    } else {
        ended.status = status_from_pidfd(pidfd);
    }
    (ended, u64::try_from(usage.ru_minflt + usage.ru_majflt).unwrap_or(0))
}

/// Recovers the status if the host program reaped our child or ignores SIGCHLD: Linux 6.15 and newer keep it with the
/// pidfd.
fn status_from_pidfd(pidfd: i32) -> Option<WaitStatus> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the structure has the kernel's first layout, whose size is part of the request number.
    unsafe { pidfd_get_info(pidfd, &raw mut info) }.ok()?;
    (info.mask & PIDFD_INFO_EXIT != 0).then(|| WaitStatus::from_raw(info.exit_code))
}

fn micros(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or(0)
}
