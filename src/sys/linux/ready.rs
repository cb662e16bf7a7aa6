//! Makes the calling thread fit to launch (UMH-9): what a helper inherits from its thread is set once, here.

use std::fs;

use nix::errno::Errno;
use rustix::process::setpriority_process;
use rustix::thread::set_thread_groups;

use crate::abi::birth::NotEnforced;
use crate::abi::error::SysError;

/// Room for 8,192 CPUs; the kernel takes a mask of any length.
const CPU_WORDS: usize = 128;

/// Gives the calling thread its own descriptor table, which holds nothing but `/dev/null` as 0, 1 and 2. Root, working
/// directory and umask stay shared with the host: the child sets the last two itself, after the clone.
pub(super) fn unshare() -> Result<(), SysError> {
    close_all_in_a_table_of_our_own()?;
    for fd in 0..3 {
        open_null_as(fd)?;
    }
    Ok(())
}

/// Best effort: where it is refused, each launch looks whether the root is still the caller's.
pub(super) fn detach_root() {
    // SAFETY: a flag only; no descriptor is affected.
    unsafe { libc::unshare(libc::CLONE_FS) };
}

/// close_range(2) copies no more of the table than it keeps, so a host with many open files costs nothing.
fn close_all_in_a_table_of_our_own() -> Result<(), SysError> {
    // SAFETY: integers only. The new table is this thread's own: no object of another thread loses a descriptor, and
    // this thread owns none (`Worker` is made before anything is opened on it).
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_UNSHARE) };
    match Errno::result(done) {
        Ok(_) => Ok(()),
        Err(Errno::ENOSYS | Errno::EINVAL | Errno::EPERM) => close_one_by_one(),
        Err(e) => Err(SysError::new("close_range", e)),
    }
}

/// Before Linux 5.9, or where a filter refuses it.
fn close_one_by_one() -> Result<(), SysError> {
    // SAFETY: a flag only; as above, nothing on this thread owns a descriptor.
    Errno::result(unsafe { libc::unshare(libc::CLONE_FILES) }).map_err(|e| SysError::new("unshare(CLONE_FILES)", e))?;
    let table = fs::read_dir("/proc/thread-self/fd")
        .map_err(|e| SysError::new("read /proc/thread-self/fd", Errno::from_raw(e.raw_os_error().unwrap_or(0))))?;
    let open: Vec<i32> =
        table.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).filter(|fd| *fd > 2).collect();
    for fd in open {
        // SAFETY: the table is ours; the descriptor that listed it is closed already, and then this is EBADF.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

fn open_null_as(fd: i32) -> Result<(), SysError> {
    // SAFETY: a constant path.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    let null = Errno::result(null).map_err(|e| SysError::new("open /dev/null", e))?;
    if null != fd {
        // SAFETY: integers only; `fd` is 0, 1 or 2 of this thread's own table, and `null` is used nowhere else.
        let moved = Errno::result(unsafe { libc::dup3(null, fd, libc::O_CLOEXEC) });
        // SAFETY: see above.
        unsafe { libc::close(null) };
        moved.map_err(|e| SysError::new("dup3 of /dev/null", e))?;
    }
    Ok(())
}

/// SCHED_OTHER, nice 0, every CPU, no groups: as far as it is allowed; what is not is returned, sorted.
pub(super) fn level() -> Vec<NotEnforced> {
    let mut not = Vec::new();
    // SAFETY: pid 0 is the calling thread; the parameter lives on this stack.
    let scheduled = unsafe {
        let other = libc::sched_param { sched_priority: 0 };
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const other)
    };
    if setpriority_process(None, 0).is_err() {
        not.push(NotEnforced::Nice);
    }
    if scheduled != 0 {
        not.push(NotEnforced::Scheduler);
    }
    if !every_cpu() {
        not.push(NotEnforced::Affinity);
    }
    // rustix changes this thread only; glibc's setgroups would change all of the host's.
    if set_thread_groups(&[]).is_err() && nix::unistd::getgroups().map_or(true, |groups| !groups.is_empty()) {
        not.push(NotEnforced::Groups);
    }
    not
}

/// Asks for every CPU; the kernel grants those of the cpuset. Says whether that is every CPU that is online.
fn every_cpu() -> bool {
    let all = [u64::MAX; CPU_WORDS];
    let mut got = [0u64; CPU_WORDS];
    let bytes = size_of_val(&all);
    // SAFETY: pid 0 is the calling thread; both masks are `bytes` long.
    let known = unsafe {
        libc::sched_setaffinity(0, bytes, all.as_ptr().cast()) == 0
            && libc::sched_getaffinity(0, bytes, got.as_mut_ptr().cast()) == 0
    };
    let granted: u32 = got.iter().map(|word| word.count_ones()).sum();
    known && online_cpus().is_none_or(|online| granted >= online)
}

/// `0-3,5` in /sys/devices/system/cpu/online.
fn online_cpus() -> Option<u32> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    text.trim().split(',').map(span).sum()
}

fn span(part: &str) -> Option<u32> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    (last >= first).then(|| last - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_9_cpus_online_are_counted() {
        assert_eq!((span("0-3"), span("5"), span("x"), span("3-1")), (Some(4), Some(1), None, None));
        assert!(online_cpus().is_none_or(|n| n > 0));
    }
}
