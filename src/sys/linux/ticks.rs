//! The clocks that count from boot, and the clock ticks in which /proc counts (time(7)).

use std::time::Duration;

/// The number of clock ticks in a second. The C library is asked, since procfs and rustix read the auxiliary vector
/// themselves, which ends in a fault under valgrind.
pub fn per_second() -> u64 {
    // SAFETY: no pointer is passed, and the name is valid.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // Linux has had 100 on every machine that khelper runs on.
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// The time since boot, that in which the machine was suspended included: CLOCK_BOOTTIME.
pub fn since_boot() -> Duration {
    read(libc::CLOCK_BOOTTIME)
}

/// The time since boot without that in which the machine was suspended: CLOCK_MONOTONIC.
pub fn monotonic() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

/// By the C library: rustix fails where the vDSO has no `getcpu`, as in user-mode Linux.
fn read(clock: libc::clockid_t) -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec, which lives on this stack. The call cannot fail: every kernel since 2.6.39
    // has these clocks.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    Duration::from_secs(now.tv_sec.unsigned_abs()) + Duration::from_nanos(now.tv_nsec.unsigned_abs())
}
