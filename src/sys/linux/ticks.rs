//! The clock ticks in which /proc counts times (time(7)).

/// The number of clock ticks in a second. The C library is asked, since procfs and rustix read the auxiliary vector
/// themselves, which ends in a fault under valgrind.
pub(super) fn per_second() -> u64 {
    // SAFETY: no pointer is passed, and the name is valid.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // Linux has had 100 on every machine that khelper runs on.
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}
