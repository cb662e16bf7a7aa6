//! Other processes: whether one still lives, and its identity.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::abi::cap::CapMask;

/// When a process started, in clock ticks since boot (proc_pid_stat(5), field 22). With the pid it names one process.
/// `None` if there is no such process, if it is a zombie, or if /proc cannot be read.
pub fn start_time(pid: i32) -> Option<u64> {
    super::linux::stat::start_time(pid)
}

/// The bounding set of a process; `None` if it cannot be read.
pub fn bounding(pid: i32) -> Option<CapMask> {
    super::linux::proc::sets_of(pid).map(|sets| sets.bounding)
}

/// A descriptor of the process with this pid and start time, which becomes readable when the process ends
/// (pidfd_open(2)).
///
/// # Errors
/// `ESRCH` if the process has ended; any errno of pidfd_open(2).
pub fn open(pid: i32, started: u64) -> Result<OwnedFd, Errno> {
    // `from_raw` accepts no negative number.
    let named = (pid > 0).then_some(pid).and_then(Pid::from_raw).ok_or(Errno::ESRCH)?;
    let process = pidfd_open(named, PidfdFlags::empty()).map_err(|e| Errno::from_raw(e.raw_os_error()))?;
    // Read once the descriptor holds the process: the pid cannot be another one's now, unless it has already ended.
    if start_time(pid) == Some(started) { Ok(process) } else { Err(Errno::ESRCH) }
}

/// Sends a signal to the process of a descriptor (pidfd_send_signal(2)).
///
/// # Errors
/// `ESRCH` if the process has ended, `EPERM`, `EINVAL` for a signal that does not exist.
pub fn signal(process: &OwnedFd, signal: i32) -> Result<(), Errno> {
    // SAFETY: pidfd_send_signal with a null siginfo; the descriptor is open until the end of this function.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, 0usize, 0) };
    Errno::result(sent).map(drop)
}

/// The nanoseconds by which CLOCK_BOOTTIME, in which start times are counted, is ahead of CLOCK_MONOTONIC: the time
/// asleep.
pub fn asleep() -> u64 {
    let ahead = super::linux::ticks::since_boot().saturating_sub(super::linux::ticks::monotonic());
    u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX)
}

/// The id of this boot of the machine; empty if it cannot be read.
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// CLOCK_MONOTONIC, in microseconds.
pub fn monotonic() -> u64 {
    u64::try_from(super::linux::ticks::monotonic().as_micros()).unwrap_or(u64::MAX)
}

/// Gives the calling thread more CPU time than others where there is too little (nice(2)), if it may: without
/// CAP_SYS_NICE nothing changes. Threads and processes that it starts inherit this.
pub fn prefer_this_thread() {
    const NICE: i32 = -10;
    let _ = rustix::process::setpriority_process(None, NICE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_by_its_pid_and_its_start() {
        let me = nix::unistd::getpid().as_raw();
        let started = start_time(me).unwrap();
        assert!(open(me, started).is_ok());
        assert_eq!(open(me, started + 1).err(), Some(Errno::ESRCH));
        assert_eq!(open(-1, started).err(), Some(Errno::ESRCH));
        assert_eq!(boot_id().len(), 36);
        assert!(monotonic() <= monotonic());
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        nix::sys::wait::waitid(
            nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(pid)),
            nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT,
        )
        .unwrap();
        assert_eq!(start_time(pid), None);
        child.wait().unwrap();
        assert_eq!(start_time(pid), None);
    }
}
